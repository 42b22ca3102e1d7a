"""All we run on: one object, built once, handed down. It decides nothing.

`begin` is the only way to a writing transaction: what must be nudged afterwards is collected in the unit and
handed to a thread when the commit has returned, so a caller never waits for Redis and a rollback nudges
nothing.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy.orm import Session

from gateway import flows, log
from gateway.casework import caseworker, chain, installation, journal, report, site
from gateway.db import Database, Unavailable
from gateway.providers import Provider
from gateway.providers.africastalking import AfricasTalking
from gateway.settings import Settings
from gateway.text import Words
from gateway.vault import Vault

QUEUE = "gateway"
_WEEK = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Unit:
    """One transaction, plus what to nudge after it."""

    db: Session
    _nudges: list[tuple[str, int | None]] = field(default_factory=list)

    def nudge(self, job: str, row: int | None = None) -> None:
        """After the commit, tell a worker that `job` (a name of worker.JOBS) has something to do."""
        self._nudges.append((job, row))


@dataclass(frozen=True, slots=True)
class Runtime:
    """What every part is given. Tests replace a field."""

    settings: Settings
    db: Database
    vault: Vault
    book: flows.Book
    words: Words
    directory: Directory
    nudger: Nudger
    providers: dict[str, Provider]
    now: Callable[[], datetime]

    @classmethod
    def build(cls, settings: Settings, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Self:
        """Open everything this process needs; nothing is started yet. Raises flows.BadFlow, vault.KeysMissing."""
        db = Database(settings.database_url)
        provider = AfricasTalking(
            settings.at_username,
            settings.at_api_key,
            sender_id=settings.at_sender_id,
            url=settings.at_url,
            service_codes=settings.ussd_codes,
        )
        return cls(
            settings=settings,
            db=db,
            vault=Vault.open_directory(settings.keys_dir, settings.keys_mirror),
            book=flows.load(settings.flows_dir, settings.locales_dir, charset=settings.ussd_charset),
            words=Words.load(settings.locales_dir),
            directory=Directory(db, now),
            nudger=Nudger(settings.redis_url),
            providers={provider.name: provider},
            now=now,
        )

    def declare(self) -> None:
        """Say what this database is, or find that it is ours already. Raises installation.OtherKind, and
        db.Unavailable."""
        with self.db.begin() as db:
            installation.declare(db, demo=self.settings.demo, keys=self.vault.check())

    @property
    def provider(self) -> Provider:
        """The one that SMS leave by."""
        return next(iter(self.providers.values()))

    def today(self) -> date:
        """The local day: a report's day, and the day of the day keys."""
        return self.now().astimezone(self.settings.local_zone).date()

    @contextmanager
    def begin(self) -> Iterator[Unit]:
        """One writing transaction, which ends with its lines in the journal; its nudges leave when it has been
        committed and flushed."""
        nudges: list[tuple[str, int | None]] = []
        with self.db.begin() as session:
            yield Unit(session, nudges)
            self._look_for_another_hand(session)
            journal.settle(session, self.vault.journal_key)
        for job, row in nudges:
            self.nudger.hand_over(job, row)

    def _look_for_another_hand(self, session: Session) -> None:
        """What this transaction is about to vouch for was what the journal said of it; if not, a line tells."""
        things = journal.about(session)
        if things:
            with self.db.read(still=True) as before:
                for kind, thing in chain.altered(before, self.vault.journal_key, things):
                    log.warn("journal.altered", kind=kind)
                    journal.write_altered(session, self.now(), kind, thing)

    def close(self) -> None:
        """Let go of threads and connections."""
        self.directory.stop()
        self.nudger.stop()
        self.db.dispose()


class Directory:
    """What a hop may know of the world, held in memory and renewed by a thread, never in a hop: the sites, and
    for the plan of a report the people with how much each answers for. Whoever left meanwhile is passed over when
    the report is dispatched."""

    EVERY = 5.0
    """Seconds between renewals: far less than the two minutes before a new site is shown."""

    def __init__(self, db: Database, now: Callable[[], datetime]) -> None:
        self._db, self._now = db, now
        self.known = flows.Known(sites=(), numbers={}, day=0)
        self.people: tuple[caseworker.Person, ...] = ()
        self.load: dict[int, int] = {}
        self._failures = 0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Read once, then keep up to date until `stop`."""
        self.renew()
        self._thread = threading.Thread(target=self._run, name="directory", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def renew(self) -> None:
        """Read all of it. When the store cannot be read twice running, callers at the start are told so."""
        now = self._now()
        try:
            with self._db.read() as db:
                places = tuple(
                    flows.Site(id=row.id, place=row.phone_place, code=row.code, name=row.name)
                    for row in site.offered(db, now)
                )
                self.people, self.load = tuple(caseworker.every(db)), report.load(db)
            self._failures = 0
        except Unavailable as error:
            self._failures += 1
            log.warn("directory.unreadable", error=error, count=self._failures)
            places = self.known.sites
        fresh = (places, self._failures >= 2, now.toordinal())
        if fresh != (self.known.sites, self.known.down, self.known.day):
            self.known = flows.Known(sites=places, numbers=self.known.numbers, day=fresh[2], down=fresh[1])

    def _run(self) -> None:
        while not self._stopping.wait(self.EVERY):
            try:
                self.renew()
            except Exception as error:  # a thread that dies would leave callers with an old list for ever
                log.warn("directory.failed", error=error)


class Nudger:
    """Tells workers that there is something to do. It may fail freely: the clock finds every row that is due."""

    def __init__(self, url: str | None) -> None:
        self._waiting: queue.SimpleQueue[tuple[str, int | None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._broken_until = 0.0
        self._connection = connect(url, patient=False) if url else None
        self._queue = (
            Queue(QUEUE, connection=self._connection, serializer=JSONSerializer) if self._connection else None
        )

    def hand_over(self, job: str, row: int | None) -> None:
        """Leave a nudge to the thread, which begins with the first of them (after a fork, if there was one)."""
        if self._queue is None:
            return
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="nudger", daemon=True)
                self._thread.start()
        self._waiting.put((job, row))

    def reachable(self) -> bool:
        """Whether Redis answers now, within a quarter of a second."""
        if self._connection is None:
            return False
        with suppress(redis.RedisError):
            return bool(self._connection.ping())
        return False

    @property
    def configured(self) -> bool:
        return self._connection is not None

    def stop(self) -> None:
        """Hand over what is waiting, then end."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while (nudge := self._waiting.get()) is not None:
            if time.monotonic() < self._broken_until:
                continue
            try:
                self._enqueue(*nudge)
            except Exception as error:  # a thread that dies would leave nudges to wait for ever
                # One quarter of a second lost, then none for a second: a row that is due needs no nudge.
                self._broken_until = time.monotonic() + 1.0
                log.warn("nudge.lost", error=error, job=nudge[0])

    def _enqueue(self, job: str, row: int | None) -> None:
        if self._queue is None:
            return
        self._queue.enqueue_call(
            f"gateway.worker.{job}",
            args=() if row is None else (row,),
            description=job,
            result_ttl=0,
            failure_ttl=_WEEK,
            timeout=60,
        )


def connect(url: str, *, patient: bool) -> redis.Redis:
    """A connection to Redis. An impatient one gives up after a quarter of a second and never tries again, which
    the library's own ten tries (up to 7 s) would."""
    if patient:
        return redis.Redis.from_url(url)
    return redis.Redis.from_url(url, socket_timeout=0.25, socket_connect_timeout=0.25, retry=Retry(NoBackoff(), 0))
