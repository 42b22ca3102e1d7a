"""What a test of a noun needs: a store, and people and reports put straight into it."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from threading import Barrier
from typing import Concatenate, ParamSpec, TypedDict, TypeVar, Unpack

from sqlalchemy.orm import Session

from gateway.casework import Refused, caseworker, closing, journal, referral, report
from gateway.casework.caseworker import Entered, Role
from gateway.casework.organisation import Kind
from gateway.casework.report import Outcome
from gateway.casework.route import Reason, Step
from gateway.db import Database
from gateway.vault import Pair, Reader, Vault
from gateway.vault.pairs import new_pair
from tests import build
from tests.build import LANES, LANGUAGES, START

T = TypeVar("T")
P = ParamSpec("P")
DAY = date(2026, 11, 21)
SOON = START + timedelta(hours=1)


class Details(TypedDict, total=False):
    """What a test may say of a person; the rest is whatever lets them do everything."""

    active: bool
    number: str
    lanes: frozenset[str]
    sites: frozenset[int]
    languages: frozenset[str]
    organisation: int
    supervisor: int
    aliases: str


class House:
    """A store and the keys to it."""

    def __init__(self, db: Database, keys: Vault) -> None:
        self.db = db
        self.keys = keys
        self.pairs: dict[int, Pair] = {}
        self._numbers = itertools.count(1)

    def do(self, change: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """One writing transaction, with its lines in the journal."""
        with self.db.begin() as db:
            done = change(db, *args, **kwargs)
            journal.settle(db, self.keys.journal_key)
            return done

    def ask(self, question: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """One reading transaction."""
        with self.db.read() as db:
            return question(db, *args, **kwargs)

    def together(self, *changes: Callable[[Session], T]) -> list[T | Refused]:
        """Each change in a transaction of its own, all begun at the same time; what was refused is returned."""
        start = Barrier(len(changes))

        def one(change: Callable[[Session], T]) -> T | Refused:
            start.wait()
            try:
                return self.do(change)
            except Refused as refused:
                return refused

        with ThreadPoolExecutor(len(changes)) as pool:
            return list(pool.map(one, changes))

    def entered(self, name: str = "Worker", role: Role = Role.CASE_WORKER, **details: Unpack[Details]) -> Entered:
        """What somebody might type about a person."""
        return Entered(
            name,
            role,
            details.get("active", True),
            details.get("number", f"+2439900{next(self._numbers):05d}"),
            "fr",
            details.get("lanes", LANES),
            details.get("sites", frozenset()),
            details.get("languages", LANGUAGES),
            details.get("organisation") or self.employer(build.employer_of(role)),
            details.get("supervisor"),
            details.get("aliases", ""),
        )

    def employer(self, name: str, kind: Kind = Kind.INDEPENDENT, aliases: str = "") -> int:
        """The organisation of this name, made when it is not there; returns the id."""
        return self.do(lambda db: build.belongs(db, None, name, kind, aliases))

    def person(self, name: str = "Worker", role: Role = Role.CASE_WORKER, **details: Unpack[Details]) -> int:
        """Add a person who has joined, and whose key somebody has confirmed; returns the id."""
        entered = self.entered(name, role, **details)
        pair = new_pair()

        def add(db: Session) -> int:
            added = caseworker.add(db, self.keys, entered)
            caseworker.set_key(db, added, pair.public)
            caseworker.confirm_key(db, self.keys, added)
            return added

        person = self.do(add)
        self.pairs[person] = pair
        return person

    def reader(self, person: int) -> Reader:
        """A person as reports are sealed to them."""
        found = self.ask(caseworker.one, person)
        assert found is not None
        assert found.reader is not None
        return found.reader

    def filed(
        self,
        plan: Sequence[int | Step] = (),
        *,
        lane: str = "child",
        topic: str = "child_work",
        severity: str = "P2",
        site: int | None = None,
        due_at: datetime = SOON,
        dispatch_at: datetime = START,
        code_token: bytes | None = None,
        reference: str | None = None,
        reply: bytes | None = None,
        day: date = DAY,
    ) -> int:
        """File a report; people of the plan may be bare ids, who then see it only when it is brought to them."""
        made = secrets.randbits(62) + 1
        steps = [one if isinstance(one, Step) else Step(one, Reason.ON_DUTY, False) for one in plan]
        readers = [self.reader(step.person) for step in steps if step.person in self.pairs]
        filing = report.Filing(
            id=made,
            reference=reference or f"{secrets.randbelow(900_000) + 100_000}",
            code_token=code_token or secrets.token_bytes(32),
            topic=topic,
            severity=severity,
            lane=lane,
            site_id=site,
            language="fr",
            day=day,
            key=self.keys.report_key(report.place(made), day, readers, reply or new_pair().public),
            body=b"what was said",
            dispatch_at=dispatch_at,
            due_at=due_at,
        )
        self.do(lambda db: report.file(db, filing, steps, {one.id: one.public for one in readers}))
        return made

    def offer(self, made: int, person: int, due_at: datetime = SOON) -> int:
        """Bring a report to a person; returns the referral."""
        return self.do(lambda db: referral.offer(db, made, person, due_at, START))

    def accept(self, made: int, person: int) -> bool:
        """The person takes the report."""
        return self.do(lambda db: referral.accept(db, self.lock(db, made), person, SOON, START))

    def close(self, made: int, person: int, at: datetime = START) -> None:
        """The person who took the report closes it."""
        self.do(lambda db: closing.close(db, self.lock(db, made), person, Outcome.HELPED, at))

    def coarse(self, made: int) -> report.Coarse:
        """A report as it stands."""
        return self.do(lambda db: self.lock(db, made))

    @staticmethod
    def lock(db: Session, made: int) -> report.Coarse:
        """A report, locked in this transaction."""
        found = report.lock(db, made)
        assert found is not None
        return found


def seen(person: int, reason: Reason = Reason.SUPERVISOR) -> Step:
    """Somebody of a plan who sees the report at once."""
    return Step(person, reason, True)
