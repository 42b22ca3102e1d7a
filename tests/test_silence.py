"""What must stay unsaid: no words of a person in what a failure leaves, in a log, a title or an address."""

from __future__ import annotations

import ast
import html
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus, urlencode

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from gateway import hop, inbox, log
from gateway.app import create_app
from gateway.casework.caseworker import Role
from gateway.db import Database
from gateway.runtime import Runtime
from gateway.settings import ROOT
from gateway.web import hooks
from tests import build, servers
from tests.web import visitor

NUMBER = "+243990055443"
WORDS = "the pit of my brother"
PLANTED = (NUMBER, NUMBER[1:], "990055443", WORDS, "brother")

MODULES = sorted(path for path in ROOT.glob("gateway/**/*.py"))
TEMPLATES = sorted(ROOT.glob("gateway/web/templates/*.html"))


def silent(*kept: str) -> None:
    """Nothing that was planted stands in any of these."""
    assert [planted for planted in PLANTED for one in kept if planted in one] == []


# The database


FAILING = {
    "a key that is there": "INSERT INTO said (words) VALUES (:words)",
    "a value that is missing": "INSERT INTO said (words, needed) VALUES (:words, NULL)",
    "a check": "INSERT INTO said VALUES (:words || ' forbidden', 'a')",
    "no such table": "INSERT INTO nowhere VALUES (:words)",
    "no such column": "SELECT nothing FROM said WHERE words = :words",
    "a broken statement": "SELEC :words",
    "a value of the wrong kind": "INSERT INTO said (words, needed) "
    "SELECT :words, CASE WHEN CAST(:words AS INTEGER) = 0 THEN NULL END",
}

MISREAD = f'invalid input syntax for type integer: "{WORDS}"'
"""What no setting silences: a text where the server wants a number. Our columns are typed, so that none is."""


def fail(db: Database, statement: str) -> SQLAlchemyError:
    """What a statement with words of a person raises."""
    with pytest.raises(SQLAlchemyError) as failed, db.begin() as session:
        session.execute(text(statement), {"words": WORDS})
    return failed.value


def prepared(db: Database) -> None:
    with db.begin() as session:
        session.execute(
            text(
                "CREATE TABLE said (words VARCHAR(99) PRIMARY KEY, needed VARCHAR(99) DEFAULT 'a' NOT NULL, "
                "CHECK (words NOT LIKE '%forbidden'))"
            )
        )
        session.execute(text("INSERT INTO said (words) VALUES (:words)"), {"words": WORDS})


@pytest.mark.parametrize("statement", FAILING)
def test_an_error_of_the_database_hides_its_parameters_and_is_logged_without_words(
    rt: Runtime, lines: io.StringIO, statement: str
) -> None:
    prepared(rt.db)
    error = fail(rt.db, FAILING[statement])
    assert "[parameters:" not in str(error)
    log.warn("test.failed", error=error)
    (line,) = map(json.loads, lines.getvalue().splitlines())
    assert line["error"][0] == type(error).__name__
    silent(lines.getvalue())


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[tuple[str, Path]]:
    """A server whose log is read: its URL and the file."""
    with servers._postgres_server() as url:
        yield url, Path(url.partition("host=")[2]) / "log"


def test_the_log_of_postgresql_keeps_no_value_of_a_superuser_who_fails(own_postgres: tuple[str, Path]) -> None:
    url, server_log = own_postgres
    db = Database(url.replace("postgresql://", "postgresql+psycopg://"))
    prepared(db)
    for statement in FAILING.values():
        fail(db, statement)
    db.dispose()
    written = server_log.read_text()
    assert "ERROR:  duplicate key value" in written, "the log is on, and this was told"
    assert 'relation "nowhere" does not exist' in written
    silent(written.replace(MISREAD, ""))
    assert "STATEMENT:" not in written.partition("duplicate key value")[2]


def test_the_log_of_postgresql_keeps_no_value_once_a_superuser_has_set_so_for_the_role(
    own_postgres: tuple[str, Path],
) -> None:
    url, server_log = own_postgres
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE gateway LOGIN")
        connection.execute("CREATE DATABASE gateway OWNER gateway")
    own = url.replace("postgres@/postgres", "gateway@/gateway").replace("postgresql://", "postgresql+psycopg://")
    before = server_log.stat().st_size
    db = Database(own)
    prepared(db)
    fail(db, FAILING["a key that is there"])
    db.dispose()
    assert WORDS in server_log.read_text()[before:], "without, the server quotes the key: see README"

    with psycopg.connect(url, autocommit=True) as connection:
        for setting in ("log_min_error_statement = 'panic'", "log_error_verbosity = 'terse'"):
            connection.execute(f"ALTER ROLE gateway SET {setting}".encode())
    before = server_log.stat().st_size
    db = Database(own)
    for statement in FAILING.values():
        fail(db, statement)
    db.dispose()
    written = server_log.read_text()[before:]
    assert "duplicate key value" in written
    silent(written.replace(MISREAD, ""))


def test_what_is_set_for_a_connection_holds_after_a_transaction_that_was_undone(
    own_postgres: tuple[str, Path],
) -> None:
    db = Database(own_postgres[0].replace("postgresql://", "postgresql+psycopg://"))
    with pytest.raises(SQLAlchemyError), db.begin() as session:
        session.execute(text("SELECT nothing"))
    with db.read() as session:
        for name, value in (
            ("log_min_error_statement", "panic"),
            ("log_error_verbosity", "terse"),
            ("log_parameter_max_length_on_error", "0"),
        ):
            assert session.scalar(text(f"SHOW {name}")) == value
    db.dispose()


# Failures where people are


def odd() -> Exception:
    """An exception that carries words in every place that one has."""
    named = type("Odd", (Exception,), {"__repr__": lambda _: WORDS, "__str__": lambda _: NUMBER})
    error: Exception = ExceptionGroup(WORDS, [named(NUMBER), ValueError(WORDS)])
    error.add_note(NUMBER)
    error.__cause__ = LookupError(WORDS)
    error.__context__ = KeyError(NUMBER)
    return error


def raising(*_: Any, **__: Any) -> Any:
    raise odd()


FORM = {"sessionId": "ATUid_1", "phoneNumber": NUMBER, "serviceCode": build.CODE, "text": f"1*{WORDS}", "id": "A"}
HOOKS: dict[str, tuple[object, str]] = {
    "ussd": (hop, "answer"),
    "ussd-ended": (inbox, "session_ended"),
    "receipt": (inbox, "delivery_reported"),
}


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_that_fails_tells_no_words_to_the_log_nor_to_the_operator(
    light: Runtime, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch, hook: str
) -> None:
    monkeypatch.setattr(*HOOKS[hook], raising)
    body = urlencode({**FORM, "status": "Success"}).encode()
    answer = hooks.handle(light, f"/hooks/{build.SECRET}/africastalking/{hook}", "POST", body)
    assert answer is not None
    assert '"hook.failed"' in lines.getvalue()
    silent(lines.getvalue(), answer.decode())


@pytest.mark.parametrize("view", ["admin.reports.inbox", "admin.people.every", "hooks.readyz", "hooks.healthz"])
def test_a_page_that_fails_tells_no_words_to_the_log_nor_to_the_reader(
    light: Runtime, lines: io.StringIO, view: str
) -> None:
    build.staff(light)
    app = create_app(light)
    browser = visitor.Visitor(app, "supervisor")
    app.view_functions[view] = raising
    path = next(rule.rule for rule in app.url_map.iter_rules() if rule.endpoint == view)
    page = browser.get(f"{path}?after={NUMBER}&shelf={WORDS.replace(' ', '+')}")
    assert page.status == 500
    silent(lines.getvalue(), page.title, page.text)
    assert '"page.failed"' in lines.getvalue()


def test_a_thread_that_fails_tells_no_words(
    light: Runtime, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = iter([False, True])
    monkeypatch.setattr(light.directory, "renew", raising)
    monkeypatch.setattr(light.directory._stopping, "wait", lambda _: next(rounds))
    light.directory._run()
    assert '"directory.failed"' in lines.getvalue()
    silent(lines.getvalue())


@pytest.mark.parametrize("value", ["hop", "settings"])
def test_nothing_that_holds_a_person_shows_it(light: Runtime, value: str) -> None:
    form = {name: [one] for name, one in FORM.items()}
    shown = {"hop": lambda: repr(light.provider.read_hop(form)), "settings": lambda: repr(light.settings)}[value]()
    silent(shown)
    for secret in (build.SECRET, light.settings.secret_key, light.settings.at_api_key):
        assert secret not in shown


# What our own lines may say


def calls(module: Path) -> Iterator[ast.Call]:
    """The calls of log.event and log.warn in a module."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr="event" | "warn")):
                yield node


TELLING = {
    *("args", "body", "caller", "code", "codes", "digits", "error", "fields", "inputs", "key", "login", "message"),
    *("name", "note", "number", "numbers", "passphrase", "path", "phone", "query", "screen", "secret", "seed"),
    *("session", "text", "title", "to", "typed", "url", "word", "words"),
}
"""Names that a value may not come from: what they stand for is somebody's."""


def is_bare(value: ast.expr) -> bool:
    """Whether a value of a line is a literal, a count, or something of ours that is named after no words."""
    match value:
        case ast.Constant():
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name not in TELLING
        case ast.Subscript(value=inner):
            return is_bare(inner)
        case ast.BoolOp(values=several):
            return all(map(is_bare, several))
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.FloorDiv(), right=right):
            return is_bare(left) and is_bare(right)
        case ast.Call(func=ast.Name(id="len")):
            return True
    return False


def test_every_line_of_ours_names_an_event_and_bare_values() -> None:
    found = [(module, call) for module in MODULES for call in calls(module)]
    assert len(found) > 15
    for module, call in found:
        where = f"{module.name}:{call.lineno}"
        assert len(call.args) == 1, where
        assert isinstance(call.args[0], ast.Constant), where
        assert re.fullmatch(r"[a-z_]+(\.[a-z_]+)?", str(call.args[0].value)), where
        for keyword in call.keywords:
            if keyword.arg in ("error", "level"):
                continue
            assert keyword.arg in log.FIELDS, where
            assert is_bare(keyword.value), f"{where}: {ast.unparse(keyword.value)}"
            if isinstance(keyword.value, ast.Constant):
                assert log._is_safe(keyword.value.value), f"{where}: {keyword.value.value!r}"


@pytest.mark.parametrize(
    "call",
    [
        "log.event('x', reason=f'to {number}')",
        "log.event('x', reason='to %s' % it)",
        "log.event('x', reason='to {}'.format(it))",
        "log.event('x', reason=str(it))",
        "log.event('x', reason=repr(it))",
        "log.event('x', reason=due.number)",
        "log.event('x', reason=words or 'none')",
        "log.event('x', reason=form['text'] + number)",
    ],
)
def test_the_rule_refuses_what_it_is_for(call: str) -> None:
    (statement,) = ast.parse(call).body
    assert isinstance(statement, ast.Expr)
    assert isinstance(statement.value, ast.Call)
    assert not is_bare(statement.value.keywords[0].value)


def test_nothing_but_the_log_speaks_to_the_logging_of_python() -> None:
    speaking = [
        module.relative_to(ROOT / "gateway").as_posix()
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Import) and any(name.name in ("logging", "traceback") for name in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module in ("logging", "traceback"))
    ]
    assert set(speaking) == {"log.py"}


# Titles and addresses


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_title_is_one_of_a_closed_list(template: Path) -> None:
    """No title holds a value: a title stands in histories, in lists of windows and on the panel of a telephone."""
    for title in re.findall(
        r"<title>(.*?)</title>|{% block title %}(.*?){% endblock %}", template.read_text(encoding="utf-8")
    ):
        said = "".join(title)
        bare = re.sub(r"{%-? *(if|elif|else|endif)[^%]*%}|{% block title %}|{% endblock %}", "", said)
        for value in re.findall(r"{{(.*?)}}", bare):
            assert re.fullmatch(r' _\("[^"%]+"\) | what\[0\] ', value), value
        assert re.sub(r"{{.*?}}", "", bare).strip() == ""


ROW = r"(?:[0-9]+|[a-z_-]+|[a-z]+\.css)"
ADDRESS = re.compile(
    rf"(?:/{ROW})*/?(?:\?(?:[a-z_]+=(?:[a-z_]*|v?[0-9a-f]{{12}}|P[0-3]-[0-9]+-[0-9]+)&?)+)?(?:#[a-z_]+)?"
)


def pages(browser: visitor.Visitor) -> Iterator[tuple[str, visitor.Page]]:
    """Every page that links lead to from the first, and some that need a mistake to be seen."""
    seen: set[str] = set()
    waiting = ["/", "/nowhere", "/reports/1"]
    while waiting:
        path = waiting.pop()
        if path in seen or not path.startswith("/") or path.startswith(("/static", "/sign-out")):
            continue
        seen.add(path)
        page = browser.follow(browser.get(path))
        yield path, page
        waiting += [address.split("#")[0] for address in addresses(page)]


def addresses(page: visitor.Page) -> list[str]:
    """Where a page leads; but for what an authenticator on the same telephone opens, which no browser keeps."""
    found = re.findall(r'(?:href|action|src)="([^"]+)"', page.source)
    return [html.unescape(address) for address in found if not address.startswith("otpauth:")]


def test_no_page_has_words_of_a_person_in_its_title_or_an_address(light: Runtime) -> None:
    people = build.staff(light)
    build.sites(light, "Kasulo", "Mashamba")
    visitor.file(light, "1 1 1 1 1", "2 2 6 2 1 1", "1 1 2 1 1")
    app: Flask = create_app(light)
    assert isinstance(light.now, build.Clock)
    with light.db.read() as db:
        references = db.scalars(text("SELECT reference FROM report")).all()
    names = {"worker", "supervisor", "integrity", "administrator", "kasulo", "mashamba", "243000", "000001"}
    told = {*names, *(str(reference).lower() for reference in references)}
    opened = 0
    for person in people:
        light.now.go(minutes=2)
        for path, page in pages(visitor.Visitor(app, person)):
            opened += 1
            kept = [page.title.lower(), *(unquote_plus(one).lower() for one in [*addresses(page), path])]
            assert [word for word in told for one in kept if word in one] == [], path
            for address in addresses(page):
                assert ADDRESS.fullmatch(address), (path, address)
    assert opened > 20
    assert {role.value for role in Role} >= {"case_worker", "supervisor"}
