"""Every byte that a house leaves behind, searched for what must not be there.

Hundreds of dialogues of every kind go through the real processes while providers refuse, databases fail, processes
are killed and case workers work. Then a control is planted in every store and found in every form, or a scan that
finds nothing has proved nothing.
"""

from __future__ import annotations

import itertools
import os
import re
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest
import redis
from sqlalchemy import ColumnElement, func, select, text

from gateway.casework.report import Report
from gateway.db import Database
from gateway.providers.simulator import Fault
from gateway.runtime import Runtime
from tests import processes, servers
from tests.leaks import stores
from tests.leaks.controls import CONTROLS
from tests.leaks.dialogues import KINDS, Callers, chunks
from tests.leaks.forms import Hit, Scanner
from tests.leaks.staff import Shift, Staff
from tests.processes import House, until

ON_SQLITE, ON_POSTGRES = 480, 144
"""Dialogues."""
_HANDFUL = 24
_FAULTS: tuple[Fault, ...] = ("blacklist", "unavailable", "broken_json", "unauthorised", "reset", "unknown_code")
PACKED_BY_OTHERS = "Mbokal\u00e0-zund\u00ea"
"""The control that the servers pack themselves."""


class Life:
    """A house, its people, and what happened in it."""

    def __init__(self, house: House, callers: Callers, staff: Staff) -> None:
        self.house, self.callers, self.staff = house, callers, staff
        self.shifts = [Shift(house, person) for person in staff.people]
        self.called = threading.Event()

    def live(self, total: int) -> None:
        """Have `total` people call, and everything go wrong on the way."""
        rt = self.house.runtime()
        disturb: dict[int, Callable[[], None]] = {
            2: self._kill_worker,
            3: lambda: _locked(rt.db),
            4: self._kill_web_worker,
            5: lambda: _without_journal(rt.db, lambda: self.told("hop.not_done")),
        }
        with ThreadPoolExecutor(2) as pool:
            working = pool.submit(self._work)
            try:
                for at, handful in enumerate(chunks(total, _HANDFUL)):
                    # A round of refusals, and between each two a round in which what was refused may pass.
                    self.house.operator.fault = _FAULTS[at // 2 % len(_FAULTS)] if at % 2 else "normal"
                    calling = pool.submit(self.callers.call, handful)
                    # Here, because a process that a thread starts ends with that thread.
                    disturb.get(at, lambda: None)()
                    calling.result()
                    if at == 1:
                        until(lambda: self.told("sms.not_sent"), "an SMS that is refused")
            finally:
                self.called.set()
            working.result()
        self.house.operator.fault = "normal"
        until(lambda: _count(rt, Report.dispatch_at <= rt.now()) == 0, "every dispatch that is due")
        rt.close()

    def _work(self) -> None:
        """Each person in turn, until nobody calls any more; who errs does so the first time."""
        for shift in self.shifts:
            shift.mistake()
        for shift in itertools.cycle(self.shifts):
            if shift.sign_in():
                shift.work()
                shift.sign_out()
            if self.called.is_set():
                return
            self.called.wait(1)  # nobody signs in all the time, and each slow hash holds up the callers

    def _kill_worker(self) -> None:
        self.house.kill("worker")
        self.house.start("worker")

    def _kill_web_worker(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.house.children("web")[0], signal.SIGKILL)

    def told(self, event: str) -> bool:
        """Whether a process has logged this."""
        return any(f'"{event}"' in self.house.log_of(name).read_text() for name in ("web", "worker"))

    def markers(self) -> set[str]:
        secrets = {self.house.environment[name] for name in ("AT_API_KEY", "SECRET_KEY")}
        return self.callers.markers() | self.staff.markers() | secrets

    def shown(self) -> Iterator[stores.Store]:
        """What browsers keep: the titles of pages and the addresses that they led to."""
        for what in ("titles", "addresses"):
            kept = {line for shift in self.shifts for line in getattr(shift.browser, what)}
            yield f"{what}: of browsers", "\n".join(sorted(kept)).encode()


def _locked(db: Database) -> None:
    """Nobody may write for a moment."""
    with db.begin() as session:
        if db.dialect == "postgresql":  # on SQLite the transaction alone keeps everybody out
            session.execute(text("LOCK TABLE journal IN ACCESS EXCLUSIVE MODE"))
        time.sleep(0.5)


def _without_journal(db: Database, felt: Callable[[], bool]) -> None:
    """Every transaction fails until somebody has felt it, and on PostgreSQL every connection of the others is
    cut."""
    with db.begin() as session:
        session.execute(text("ALTER TABLE journal RENAME TO gone"))
    until(felt, "a caller who hears that nothing is kept")
    with db.begin() as session:
        session.execute(text("ALTER TABLE gone RENAME TO journal"))
        if db.dialect == "postgresql":
            session.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            )


def _count(rt: Runtime, where: ColumnElement[bool]) -> int:
    """How many reports are so."""
    with rt.db.read() as db:
        return db.scalar(select(func.count()).select_from(Report).where(where)) or 0


@pytest.fixture
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    yield from _lives(tmp_path_factory.mktemp("h"), 11_000, None)


@pytest.fixture
def postgres_server() -> Iterator[tuple[str, Path, frozenset[bytes]]]:
    """A server of its own, because every byte of it is read: its URL, its folder and the pages it began with."""
    with servers._postgres_server() as url:
        folder = Path(url.partition("host=")[2])
        yield url, folder, stores.pages(folder)


@pytest.fixture
def on_postgres(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: tuple[str, Path, frozenset[bytes]]
) -> Iterator[Life]:
    yield from _lives(tmp_path_factory.mktemp("h"), 22_000, postgres_server[0])


def _lives(folder: Path, first: int, database_url: str | None) -> Iterator[Life]:
    staff = Staff(first)
    house = House(folder, staff.settle, database_url)
    try:
        house.start(*processes.RUNNING)
        yield Life(house, Callers(house, first), staff)
    finally:
        house.close()


def test_nothing_of_callers_or_staff_is_left_anywhere_in_any_form(on_sqlite: Life) -> None:
    on_sqlite.live(ON_SQLITE)
    _lived(on_sqlite, ON_SQLITE)
    _save(on_sqlite.house)
    assert _hits(on_sqlite, None, frozenset()) == set()
    _plant(on_sqlite.house)
    assert _missed(on_sqlite, None, frozenset(), stores.KINDS) == {}


def test_nothing_is_left_in_the_files_the_log_or_the_write_ahead_log_of_postgresql(
    on_postgres: Life, postgres_server: tuple[str, Path, frozenset[bytes]]
) -> None:
    url, server, known = postgres_server
    on_postgres.live(ON_POSTGRES)
    _lived(on_postgres, ON_POSTGRES)
    _save(on_postgres.house)
    _checkpoint(url)
    assert _hits(on_postgres, server, known) == set()
    _plant(on_postgres.house)
    _plant_in_postgres(url)
    _checkpoint(url)
    kinds = (stores.KINDS | stores.POSTGRES) - {"database file"}
    assert _missed(on_postgres, server, known, kinds) == {}


def _lived(life: Life, total: int) -> None:
    """What was to happen did happen: a scan of a house where nothing was said finds nothing."""
    rt = life.house.runtime()
    filed = _count(rt, Report.id > 0)
    rt.close()
    assert life.callers.kinds == {name for name, _ in KINDS}
    assert len(life.callers.sessions) == total
    assert filed >= len(life.callers.codes) > total / 3
    assert len({sms.to for sms in life.house.operator.messages}) > 1
    assert sum(shift.noted for shift in life.shifts) > 3
    assert life.told("hop.not_done") and life.told("sms.not_sent"), "what fails is told"
    working = [life.house.running[name].pid for name in ("worker", "clock")] + life.house.children("web")
    for pid in working:
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE), (
            "no memory of it ever lies on a disk"
        )


def _save(house: House) -> None:
    with redis.Redis.from_url(house.environment["REDIS_URL"]) as valkey:
        valkey.save()


def _checkpoint(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")


def _hits(life: Life, server: Path | None, known: frozenset[bytes]) -> set[Hit]:
    scanner = Scanner(life.markers())
    return scanner.hits([*stores.of(life.house, server, known), *life.shown()])


# The controls


def _plant(house: House) -> None:
    """Leave each control in each store, by the store's own way in."""
    written = {form: shape for form, (_, shape) in CONTROLS.items()}
    readable = "\n".join(shape.decode() for shape in written.values() if shape.isascii())
    kind = "BYTEA" if house.environment["DATABASE_URL"].startswith("postgres") else "BLOB"
    rt = house.runtime()
    with rt.db.begin() as db:
        db.execute(text(f"CREATE TABLE control (form TEXT, value {kind})"))
        db.execute(
            text("INSERT INTO control VALUES (:form, :value)"),
            [{"form": form, "value": shape} for form, shape in written.items()],
        )
    rt.provider.send_sms("+243000000001", readable)
    rt.close()
    with redis.Redis.from_url(house.environment["REDIS_URL"]) as valkey:
        for form, shape in written.items():
            valkey.set(f"control:{form}", shape)
        valkey.set("control", (PACKED_BY_OTHERS[:7] * 9 + PACKED_BY_OTHERS).encode())
        valkey.save()
    together = b"\n".join(written.values())
    with house.log_of("web").open("ab") as log:
        log.write(b"\n" + together)
    (house.folder / "keys" / "control").write_bytes(b"\n" + together)
    with tempfile.NamedTemporaryFile(dir=house.environment["TMPDIR"], delete=False) as left:
        left.write(b"\n" + together)


def _plant_in_postgres(url: str) -> None:
    """What only a server of its own can be told: its log, and a row that it packs itself."""
    readable = [shape.decode() for _, shape in CONTROLS.values() if shape.isascii()]
    with psycopg.connect(url, autocommit=True) as connection, closing(connection.cursor()) as cursor:
        for line in readable:
            quoted = line.replace("'", "''")
            cursor.execute(f"DO $control$ BEGIN RAISE LOG '%', '{quoted}'; END $control$".encode())
        cursor.execute("CREATE TABLE packed (value TEXT)")
        cursor.execute("INSERT INTO packed VALUES (%s)", (PACKED_BY_OTHERS[:7] * 900 + PACKED_BY_OTHERS,))


def _missed(
    life: Life, server: Path | None, known: frozenset[bytes], kinds: frozenset[str]
) -> dict[str, set[str]]:
    """The forms in which a control was not found, by kind of store."""
    by_marker = {marker: form for form, (marker, _) in CONTROLS.items()}
    scanner = Scanner([*by_marker, PACKED_BY_OTHERS])
    found: dict[str, set[str]] = {kind: set() for kind in kinds}
    for hit in scanner.hits(stores.of(life.house, server, known)):
        found.setdefault(hit.store.split(":")[0], set()).add(by_marker.get(hit.marker, "packed by others"))
    readable = {form for form, (_, shape) in CONTROLS.items() if shape.isascii()}
    packing = {"live keys", "RDB", "table file"}
    wanted = {
        kind: (readable if kind in ("SMS", "server log") else set(CONTROLS))
        # Where no value or line begins, raw deflate cannot be known.
        - ({"raw deflate"} if kind in ("database file", "table file", "pg_wal", "RDB", "live keys") else set())
        | ({"packed by others"} if kind in packing & kinds else set())
        for kind in kinds
    }
    return {kind: missing for kind in kinds if (missing := wanted[kind] - found[kind])}
