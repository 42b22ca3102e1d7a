"""What everything runs on: transactions and the nudges after them, a directory in memory, life without Redis."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import redis
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import insert, text

from gateway.casework import journal, site
from gateway.casework.account import Account
from gateway.casework.verb import Verb
from gateway.db import Conflict, Database
from gateway.later.sweep import sweep
from gateway.runtime import QUEUE, Directory, Nudger, Runtime
from gateway.vault import KeysMissing
from tests import build
from tests.later import story


def jobs(url: str) -> list[tuple[str | None, tuple[object, ...]]]:
    """What waits in the queue: each function and its arguments."""
    with closing(redis.Redis.from_url(url)) as connection:
        found = Queue(QUEUE, connection=connection, serializer=JSONSerializer).jobs
        return [(job.func_name, tuple(job.args)) for job in found]


def until(happened: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    while not happened():
        time.sleep(0.005)


@pytest.fixture
def nudged(light: Runtime, redis_url: str) -> Iterator[Runtime]:
    """A runtime that hands its nudges to a real Redis."""
    made = replace(light, nudger=Nudger(redis_url))
    yield made
    made.nudger.stop()


# Nudges


def nudgers() -> int:
    """How many threads deliver nudges now."""
    return [thread.name for thread in threading.enumerate()].count("nudger")


def test_nudges_leave_after_the_commit_and_carry_a_row_id_or_nothing(nudged: Runtime, redis_url: str) -> None:
    with nudged.begin() as unit:
        unit.nudge("dispatch", 7)
        unit.nudge("send")
        assert jobs(redis_url) == []
    nudged.nudger.stop()
    assert jobs(redis_url) == [("gateway.worker.dispatch", (7,)), ("gateway.worker.send", ())]


def test_a_rollback_nudges_nothing(nudged: Runtime, redis_url: str) -> None:
    def fail() -> None:
        with nudged.begin() as unit:
            unit.nudge("dispatch", 7)
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    nudged.nudger.stop()
    assert jobs(redis_url) == []


def test_a_commit_that_fails_nudges_nothing(nudged: Runtime, redis_url: str) -> None:
    def fail() -> None:
        with nudged.begin() as unit:
            unit.nudge("dispatch", 7)
            unit.db.execute(text("PRAGMA defer_foreign_keys = ON"))
            unit.db.execute(insert(Account).values(caseworker_id=999, login="x", step=0, codes=[]))

    with pytest.raises(Conflict):
        fail()
    nudged.nudger.stop()
    assert jobs(redis_url) == []


def test_a_transaction_ends_with_its_lines_and_a_rollback_leaves_none(light: Runtime) -> None:
    def written() -> int:
        with light.db.read() as db:
            return db.scalar(text("SELECT count(*) FROM journal")) or 0

    def undone() -> None:
        with light.begin() as unit:
            journal.write(unit.db, light.now(), Verb.SIGNED_IN)
            raise LookupError

    with pytest.raises(LookupError):
        undone()
    assert written() == 0
    with light.begin() as unit:
        journal.write(unit.db, light.now(), Verb.SIGNED_IN)
        assert unit.db.scalar(text("SELECT count(*) FROM journal")) == 0, "not before all else is done"
    assert written() == 1


def test_without_redis_nothing_is_handed_over_and_nothing_fails(light: Runtime) -> None:
    assert not light.nudger.configured
    assert not light.nudger.reachable()
    before = nudgers()
    with light.begin() as unit:
        unit.nudge("send")
    assert nudgers() == before


def test_redis_gone_costs_the_caller_nothing_and_loses_nothing(rt: Runtime) -> None:
    story.staff(rt)
    gone = replace(rt, nudger=Nudger("unix:///nowhere/redis.sock"))
    assert gone.nudger.configured
    assert not gone.nudger.reachable()
    made = story.tell(gone)
    gone.nudger.stop()
    assert sweep(gone) == 2
    assert story.asked(gone, made) == [("Worker", "pending")]


def test_a_redis_that_answers_nothing_keeps_nobody_waiting(light: Runtime) -> None:
    """It takes connections and is silent: the caller has the screen while the thread still waits."""
    story.staff(light)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        rt = replace(light, nudger=Nudger(f"redis://127.0.0.1:{silent.getsockname()[1]}"))
        story.tell(rt)
        assert not rt.nudger.reachable()
        assert sweep(rt) == 2
        rt.nudger.stop()


@pytest.mark.parametrize("trouble", [redis.ConnectionError(), RuntimeError()], ids=["redis", "anything"])
def test_nudges_go_on_after_any_trouble(redis_url: str, trouble: Exception) -> None:
    class Fragile(Nudger):
        def _enqueue(self, job: str, row: int | None) -> None:
            if job == "broken":
                raise trouble
            super()._enqueue(job, row)

    nudger = Fragile(redis_url)
    nudger.hand_over("broken", None)
    until(lambda: nudger._broken_until > 0)
    nudger._broken_until = 0.0
    nudger.hand_over("send", None)
    nudger.stop()
    assert jobs(redis_url) == [("gateway.worker.send", ())]


def test_many_threads_hand_over_and_one_thread_delivers(redis_url: str) -> None:
    nudger, before = Nudger(redis_url), nudgers()
    threads = [threading.Thread(target=nudger.hand_over, args=("dispatch", at)) for at in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert nudgers() == before + 1
    nudger.stop()
    assert {arguments for _, arguments in jobs(redis_url)} == {(at,) for at in range(20)}


# The directory


def offered(rt: Runtime) -> list[tuple[str, int, str]]:
    """What callers are shown, after a renewal."""
    rt.directory.renew()
    return [(one.name, one.place, one.code) for one in rt.directory.known.sites]


def test_a_site_is_offered_two_minutes_after_it_was_saved(rt: Runtime) -> None:
    with rt.begin() as unit:
        site.add(unit.db, rt.now(), name="Nouveau", code="101")
    assert offered(rt) == []
    story.clock(rt).go(seconds=119)
    assert offered(rt) == []
    story.clock(rt).go(seconds=1)
    assert offered(rt) == [("Nouveau", 1, "101")]


def test_the_directory_keeps_its_list_when_the_store_is_gone(rt: Runtime) -> None:
    story.staff(rt)
    known, people = rt.directory.known, rt.directory.people
    with rt.db.begin() as db:
        db.execute(text("ALTER TABLE site RENAME TO site_gone"))
    rt.directory.renew()
    assert (rt.directory.known.sites, rt.directory.known.down) == (known.sites, False)
    for _ in range(2):
        rt.directory.renew()
        assert (rt.directory.known.sites, rt.directory.known.down) == (known.sites, True)
        assert rt.directory.people == people
    with rt.db.begin() as db:
        db.execute(text("ALTER TABLE site_gone RENAME TO site"))
    rt.directory.renew()
    assert (rt.directory.known.sites, rt.directory.known.down) == (known.sites, False)


def test_a_store_that_is_not_there_at_the_start_leaves_a_directory_that_says_so(light: Runtime) -> None:
    directory = Directory(Database("sqlite:////nowhere/at/all.sqlite"), light.now)
    directory.renew()
    directory.renew()
    assert (directory.known.sites, directory.known.down) == ((), True)


def test_what_has_not_changed_is_the_same_value(light: Runtime) -> None:
    story.staff(light)
    known = light.directory.known
    light.directory.renew()
    assert light.directory.known is known
    story.clock(light).go(days=1)
    light.directory.renew()
    assert light.directory.known.day == known.day + 1


def test_a_thread_keeps_the_directory_up_to_date_and_outlives_whatever_it_meets(light: Runtime) -> None:
    directory = Directory(light.db, light.now)
    directory.EVERY = 0.01
    directory.start()
    with light.begin() as unit:
        site.add(unit.db, light.now() - timedelta(hours=1), name="Nouveau", code="101")
    until(lambda: len(directory.known.sites) == 1)

    met = threading.Event()

    def broken() -> datetime:
        met.set()
        raise RuntimeError

    directory._now = broken
    met.wait()
    directory._now = lambda: datetime(2030, 1, 1, tzinfo=UTC)
    until(lambda: directory.known.day == date(2030, 1, 1).toordinal())
    directory.stop()
    assert "directory" not in [one.name for one in threading.enumerate()]


# The whole


def test_today_is_the_local_day(light: Runtime) -> None:
    story.clock(light).at = datetime(2026, 11, 21, 21, 59, tzinfo=UTC)
    assert light.today() == date(2026, 11, 21)
    story.clock(light).go(minutes=1)
    assert light.today() == date(2026, 11, 22)


def test_a_runtime_is_not_built_without_keys(tmp_path: Path) -> None:
    with pytest.raises(KeysMissing):
        Runtime.build(build.settings(tmp_path))


def test_nothing_is_started_by_building_and_closing_ends_what_was(light: Runtime) -> None:
    before = threading.active_count()
    other = build.another(light)
    assert threading.active_count() == before
    other.directory.start()
    assert threading.active_count() == before + 1
    other.close()
    other.close()
    assert threading.active_count() == before


def test_a_runtime_shows_no_secret(light: Runtime) -> None:
    shown = repr(light)
    for secret in (
        light.settings.secret_key,
        build.SECRET,
        light.settings.at_api_key,
        light.settings.database_url,
    ):
        assert secret not in shown


def test_importing_the_parts_starts_and_opens_nothing() -> None:
    """In a process of its own: no thread, no connection, no logger of ours that prints."""
    program = (
        "import threading, logging, sys, gateway.app, gateway.worker, gateway.cli\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
        "assert logging.getLogger().handlers == []\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
