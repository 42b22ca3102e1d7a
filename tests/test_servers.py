"""The servers that the other tests rely on are what they should be."""

from __future__ import annotations

import sqlite3
from urllib.parse import urlsplit

import psycopg
import redis
from playwright.sync_api import Browser

from tests.servers import NewDatabase


def _all(url: str, command: str) -> list[tuple[object, ...]]:
    """What `command` gives on a database of either kind; what it changes is kept."""
    if url.startswith("sqlite:///"):
        connection = sqlite3.connect(urlsplit(url).path.removeprefix("/"))
        rows = connection.execute(command).fetchall()
        connection.commit()
        connection.close()
        return rows
    with psycopg.connect(url) as server:
        cursor = server.execute(command.encode())
        return cursor.fetchall() if cursor.description else []


def test_valkey_answers_and_holds_nothing(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.ping()
        assert client.dbsize() == 0
        client.set("a", "b")


def test_valkey_holds_nothing_after_a_test_that_left_something(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("a", "b")


def test_postgresql_answers_in_utf8(postgres_url: str) -> None:
    assert _all(postgres_url, "SELECT 1") == [(1,)]
    assert _all(postgres_url, "SHOW server_encoding") == [("UTF8",)]


def test_a_database_is_new_and_of_the_kind_it_says(database_url: str) -> None:
    _all(database_url, "CREATE TABLE seen (word TEXT)")
    assert _all(database_url, "SELECT * FROM seen") == []


def test_a_second_database_knows_nothing_of_the_first(database_url: str) -> None:
    _all(database_url, "CREATE TABLE seen (word TEXT)")
    assert _all(database_url, "SELECT * FROM seen") == []


def _prepare(url: str) -> None:
    _all(url, "CREATE TABLE seen (word TEXT)")
    _all(url, "INSERT INTO seen VALUES ('prepared')")


def test_copies_of_a_prepared_database_are_equal_and_apart(new_database: NewDatabase) -> None:
    first, second = new_database(_prepare), new_database(_prepare)
    _all(first, "INSERT INTO seen VALUES ('added')")
    assert _all(first, "SELECT word FROM seen") == [("prepared",), ("added",)]
    assert _all(second, "SELECT word FROM seen") == [("prepared",)]


def test_chromium_shows_a_page(browser: Browser) -> None:
    with browser.new_page() as page:
        page.set_content("<title>Boîte</title><p>Dossier</p>")
        assert page.title() == "Boîte"
        assert page.inner_text("p") == "Dossier"
