"""Ratios beside a floor built in the same run, never a bare time.

Rounds of short batches are shuffled and the low quartile of each is taken, so that a busy neighbour does not
decide. CPU time of this process counts, not the clock on the wall. The alert's way to the provider is the one
figure in milliseconds, because a person waits for it.
"""

from __future__ import annotations

import io
import itertools
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import redis
from flask import Flask, request
from rq import Queue
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from gateway import demo, flows, migrations, vault
from gateway.app import create_app
from gateway.casework import closing, guess, journal, report
from gateway.casework.verb import Verb
from gateway.runtime import Runtime
from gateway.settings import Settings
from gateway.text import check_digit

ROUNDS = 15
CODE_TRIES = 500
BATCH_SECONDS = 0.02
SECRET = "benchmark-benchmark-benchmark"
CODE = "*384*2430#"
URGENT = ("1", "1", "1", "1", "1")
KEYS = ("2", "2", "1", "3", "1")

_REPLY = vault.Pair(bytes(32), bytes(32))

Environ = dict[str, Any]
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


def main(arguments: Sequence[str]) -> int:
    """Print the rows; `arguments` may name some of hop, fold, report, code."""
    rows = {"hop": _hop_rows, "fold": _fold_rows, "report": _report_rows, "code": _code_rows}
    if set(arguments) - set(rows):
        print(f"usage: python3 -m gateway bench [{' '.join(rows)}]", file=sys.stderr)
        return 2
    print(f"CPU of this process, low quartile of {ROUNDS} shuffled rounds; each row beside its floor (1.00).\n")
    with _installation() as rt:
        for name, measure in rows.items():
            if not arguments or name in arguments:
                measure(rt)
    return 0


def _hop_rows(rt: Runtime) -> None:
    """A key press that holds no act, beside a bare callable that reads the form, and beside plain Flask."""
    app = create_app(rt)
    door, plain = app.wsgi_app, _plain_flask()
    body = _form("hop", KEYS[:4])
    _print(
        "a key press without an act",
        _compare(
            {
                "floor: WSGI, form read, constant answer": lambda: _call(_bare, "/", body),
                "the door: form, fold, screen": lambda: _call(door, f"/hooks/{SECRET}/africastalking/ussd", body),
                "plain Flask: request.form, constant answer": lambda: _call(plain.wsgi_app, "/ussd", body),
            }
        ),
    )


def _fold_rows(rt: Runtime) -> None:
    """Fold and screen of a dialogue of six hops, beside reading the form of one."""
    known, book = rt.directory.known, rt.book
    histories = [KEYS[:at] for at in range(6)]
    body = _form("fold", KEYS[:4])

    def dialogue() -> None:
        for inputs in histories:
            flows.render(book, flows.fold(book, inputs, known), known, code="0000 0000 0000")

    _print(
        "fold and screen, a hop of a six-hop dialogue",
        _compare(
            {
                "floor: reading the form of one hop": lambda: parse_qs(body.decode(), keep_blank_values=True),
                "fold and screen": dialogue,
            },
            parts={"fold and screen": 6},
        ),
    )


def _report_rows(rt: Runtime) -> None:
    """A whole report, six hops, committed and flushed; a quick hash of its code takes the slow one's place."""
    door = create_app(replace(rt, vault=_QuickVault(rt.settings.keys_dir))).wsgi_app
    sessions = itertools.count()
    directory = rt.settings.keys_dir.parent
    queue = Queue(connection=redis.Redis(unix_socket_path=str(directory / "valkey.sock")))
    usual = _usual(directory, queue)
    bare = sqlite3.connect(directory / "floor.sqlite", isolation_level=None)
    bare.execute("PRAGMA journal_mode=WAL")
    bare.execute("PRAGMA synchronous=FULL")
    bare.execute("CREATE TABLE report (id INTEGER PRIMARY KEY, body BLOB)")

    def ours() -> None:
        session = f"report-{next(sessions)}"
        for at in range(6):
            _call(door, f"/hooks/{SECRET}/africastalking/ussd", _form(session, URGENT[:at]))

    def floor() -> None:
        for at in range(6):
            _call(_bare, "/", _form("floor", URGENT[:at]))
        bare.execute("INSERT INTO report (body) VALUES (?)", (b"x" * 600,))

    def usual_report() -> None:
        for at in range(6):
            _call(usual.wsgi_app, "/ussd", _form("usual", URGENT[:at]))

    _print(
        "a whole report, six hops (without the slow hash of its code)",
        _compare(
            {
                "floor: bare WSGI, one INSERT in SQLite, flushed": floor,
                "the door: dialogue, act, plan, seal, commit": ours,
                "usual: Flask with a session, ORM, commit, enqueue": usual_report,
            }
        ),
    )
    bare.close()


def _code_rows(rt: Runtime) -> None:
    """A code that shows nothing, as its caller waits for it: unknown, and of a report that is settled. Here the
    clock on the wall counts, because it is what somebody who guesses has."""
    door, path = create_app(rt).wsgi_app, f"/hooks/{SECRET}/africastalking/ussd"
    filed = _call(door, path, _form("settled", URGENT)).decode().split("\n")[1].replace(" ", "")
    with rt.begin() as unit:
        settled = report.by_code(unit.db, rt.vault.code_keys(filed).token)
        if settled is None:
            raise AssertionError("the report was not filed")
        closing.silence(unit.db, settled.id)
        journal.write(unit.db, rt.now(), Verb.RATED, report=settled.id)
    chance, callers = random.Random(1), itertools.count()
    taken: dict[str, list[float]] = {"floor: an unknown code": [], "a settled code": [], "unknown once more": []}
    for _ in range(CODE_TRIES):
        with rt.begin() as unit:  # no cap may decide what is measured
            guess.forget(unit.db, rt.today() + timedelta(days=9))
        for name in chance.sample(list(taken), len(taken)):
            eleven = f"{chance.randrange(10**11):011d}"
            code = filed if name == "a settled code" else eleven + check_digit(eleven)
            at = next(callers)
            body = _form(f"code-{at}", ("2", "3", code), f"+2430009{at % 100_000:05d}")
            began = time.perf_counter()
            _call(door, path, body)
            taken[name].append(time.perf_counter() - began)
    _print(
        f"a code that shows nothing, {CODE_TRIES} tries each (wall clock, medians)",
        {name: statistics.median(times) for name, times in taken.items()},
    )
    unknown = taken["floor: an unknown code"]
    for name in ("a settled code", "unknown once more"):
        share = sum(one < other for one in unknown for other in taken[name]) / CODE_TRIES**2
        print(f"  {share:8.2f}  of pairs: the unknown one is quicker than {name} (0.50: no telling)")
    print()


class _QuickVault(vault.Vault):
    """The slow hash is slow on purpose, the same in every design, and would hide all else."""

    def code_keys(self, code: str) -> vault.CodeKeys:
        return vault.CodeKeys(self.token("bench", code), _REPLY)


def _compare(
    rows: dict[str, Callable[[], object]],
    *,
    parts: dict[str, int] | None = None,
) -> dict[str, float]:
    """The CPU seconds of one call of each row, or of one of its `parts`."""
    repeats = {name: max(1, int(BATCH_SECONDS / max(_cpu(call), 1e-7))) for name, call in rows.items()}
    taken: dict[str, list[float]] = {name: [] for name in rows}
    chance = random.Random(1)
    for _ in range(ROUNDS):
        for name in chance.sample(list(rows), len(rows)):
            call, times = rows[name], repeats[name]
            began = time.process_time()
            for _ in range(times):
                call()
            taken[name].append((time.process_time() - began) / times)
    return {name: _quartile(times) / (parts or {}).get(name, 1) for name, times in taken.items()}


def _print(title: str, rows: dict[str, float]) -> None:
    floor = next(iter(rows.values()))
    print(title)
    for name, seconds in rows.items():
        print(f"  {seconds / floor:8.2f}  {name}")
    print()


def _quartile(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=4)[0]


def _cpu(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def _form(session: str, keys: Sequence[str], caller: str = "+243000000099") -> bytes:
    return urlencode(
        {
            "sessionId": session,
            "phoneNumber": caller,
            "networkCode": "63001",
            "serviceCode": CODE,
            "text": "*".join(keys),
        }
    ).encode()


def _call(app: App, path: str, body: bytes) -> bytes:
    environ: Environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_HOST": "localhost",
    }
    return b"".join(app(environ, lambda *_: None))


def _bare(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    form = parse_qs(environ["wsgi.input"].read().decode(), keep_blank_values=True)
    answer = b"CON " + form["sessionId"][0].encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return (answer,)


def _plain_flask() -> Flask:
    app = Flask("plain")

    @app.post("/ussd")
    def ussd() -> tuple[str, dict[str, str]]:
        return "CON " + request.form["sessionId"], {"Content-Type": "text/plain"}

    return app


def _usual(directory: Path, queue: Queue) -> Flask:
    """What a tutorial builds: a session signer, form parsing, the ORM, one commit at the end, then a job."""

    class Base(DeclarativeBase):
        pass

    class Told(Base):
        __tablename__ = "told"
        id: Mapped[int] = mapped_column(primary_key=True)
        body: Mapped[str]

    engine = create_engine(f"sqlite:///{directory / 'usual.sqlite'}")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    Base.metadata.create_all(engine)
    app = Flask("usual")
    app.secret_key = SECRET

    @app.post("/ussd")
    def ussd() -> tuple[str, dict[str, str]]:
        keys = request.form["text"].split("*")
        if len(keys) == len(URGENT):
            with Session(engine) as session:
                session.add(Told(body="x" * 600))
                session.commit()
            queue.enqueue("nowhere.send", 1)
        return "CON " + request.form["sessionId"], {"Content-Type": "text/plain"}

    return app


@contextmanager
def _installation() -> Iterator[Runtime]:
    """A throw-away installation with the demonstration's people and sites, on SQLite."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as directory:
        settings = Settings.from_env(
            {
                "DATABASE_URL": f"sqlite:///{directory}/bench.sqlite",
                "SECRET_KEY": "k" * 40,
                "PUBLIC_URL": "http://localhost",
                "KEYS_DIR": f"{directory}/keys",
                "HOOK_SECRETS": SECRET,
                "AT_USERNAME": "sandbox",
                "AT_API_KEY": "bench",
                "USSD_CODES": CODE,
                "DEMO": "1",
            }
        )
        vault.create(settings.keys_dir)
        rt = replace(Runtime.build(settings), now=lambda: datetime.now(UTC))
        migrations.upgrade(rt.db)
        rt.declare()
        demo.seed(rt, {login: "bench" for login, *_ in demo.PEOPLE}, reports=0)
        path = f"{directory}/valkey.sock"
        with subprocess.Popen(demo.valkey(path), stdout=subprocess.DEVNULL) as valkey:
            while not demo.listens(path):
                time.sleep(0.01)
            try:
                yield rt
            finally:
                rt.close()
                valkey.kill()
