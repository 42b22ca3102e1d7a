"""Who dials again: a telephone from which a report came hears what every other hears."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from sqlalchemy import func, select

from gateway import desk
from gateway.casework import guess
from gateway.casework.act import ActRow
from gateway.casework.report import Outcome
from gateway.flows.definition import QUESTIONS
from gateway.later.dispatch import dispatch
from gateway.runtime import Runtime
from tests import build
from tests.later import story
from tests.wanderer import MINE, Caller, Wanderer, mistyped, nobody, quick

PATHS = 250
MOST_KEYS = 16
MOST_CODES = 2
BEGINNINGS = ((), *((language, key) for language in "234" for key in "2223334"))
THEIRS = "+243990000009"
NEEDS_A_CASE_WORKER = {"waiting", "in_work", "letter", "question", "answer", "closed", "settled", "reopened"}
NEEDS_A_FAULT = {"down", "not_arrived", "not_kept"}


@dataclass
class House:
    """The telephone that has a history, and numbers that never dialled."""

    rt: Runtime
    staff: dict[str, int]
    settled: str = ""
    expired: str = ""
    withdrawn: str = ""
    buckets: set[int] = field(default_factory=set)
    """In which somebody was counted today."""
    tried: int = 0
    """How many codes THEIRS wrote today that show nothing."""
    numbers: Iterator[int] = field(default_factory=itertools.count)
    sessions: Iterator[int] = field(default_factory=itertools.count)

    def caller(self, number: str = THEIRS) -> Caller:
        return Caller(self.rt, number, f"{next(self.sessions)}")

    def told(self) -> str:
        """Files a report from THEIRS and hangs up; returns its code."""
        caller = self.caller()
        for key in story.HAZARD:
            caller.press(key)
        story.ended(self.rt, caller.session, THEIRS)
        return caller.code

    def answered(self, code: str, *keys: str) -> None:
        caller = self.caller()
        caller.press("2", "3", code, *keys)
        assert caller.ended

    def closed(self) -> str:
        code, worker = self.told(), build.reader(self.staff["worker"])
        (made,) = [one for one in story.reports(self.rt) if story.coarse(self.rt, one).dispatch_at is not None]
        dispatch(self.rt, made)
        assert desk.accept(self.rt, worker, made)
        desk.close(self.rt, worker, made, Outcome.HELPED)
        return code

    def remember(self) -> None:
        """What lies long behind: one that was settled, one whose fourteen days are over, one with a number."""
        self.settled, self.expired = self.closed(), self.closed()
        self.answered(self.settled, "1")
        self.answered(self.told(), "2", "1", "2")
        story.clock(self.rt).go(days=15)
        self.rt.vault.days.step(self.rt.today())

    def begin_day(self) -> None:
        """Each day THEIRS files a report and takes it back, and mistypes once."""
        story.clock(self.rt).go(days=1)
        self.rt.directory.renew()
        self.withdrawn = self.told()
        self.answered(self.withdrawn, "5", "1")
        self.caller().press("2", "3", nobody(self.tried))
        _, bucket = self.rt.vault.bucket(self.rt.today(), THEIRS)
        self.buckets, self.tried = {bucket}, 1

    def fresh(self) -> Caller:
        """A number that never dialled, nor was any counted today with which it shares a bucket."""
        while True:
            number = f"+24398{next(self.numbers):07}"
            _, bucket = self.rt.vault.bucket(self.rt.today(), number)
            if bucket not in self.buckets:
                self.buckets.add(bucket)
                return self.caller(number)


def asked(rt: Runtime) -> int:
    """How often the store was asked about a code or a report; each question is known by two marks."""
    with rt.db.read() as db:
        return (db.scalar(select(func.count()).where(ActRow.kind.in_(QUESTIONS))) or 0) // 2


@pytest.mark.parametrize("quarter", range(4))
def test_whoever_has_reported_hears_the_same_as_whoever_never_dialled(
    light: Runtime, monkeypatch: pytest.MonkeyPatch, quarter: int
) -> None:
    """A thousand ways through the book in all, from a telephone with a history (reports filed, one of them taken
    back today, wrong codes of today) and each time from one that never dialled: byte for byte the same, but for
    the digits of the codes that each is shown."""
    rt = quick(light)
    house = House(rt, story.staff(rt))
    house.remember()
    house.begin_day()
    wanderer = Wanderer(rt.book, random.Random(quarter))
    wanderer.watch(monkeypatch)
    filed, before = Counter[str | None](), asked(rt)
    for at in range(PATHS):
        if house.tried > guess.MOST - MOST_CODES - 1:
            house.begin_day()
        theirs, fresh = house.caller(), house.fresh()
        shows_nothing = [house.settled, house.expired, house.withdrawn, nobody(at)]
        planned, wrong = list(wanderer.chance.choice(BEGINNINGS)), 0
        same = theirs.press() == fresh.press()
        while same and not theirs.ended and len(theirs.keys) < MOST_KEYS:
            if theirs.code and not planned and wanderer.chance.random() < 0.1:
                planned = ["00", "3", MINE]
            codes = [mistyped(house.withdrawn), "leopard", "123"]
            codes += shows_nothing if wrong < MOST_CODES else []
            codes += [MINE, f" {MINE}"] if theirs.code else []
            key = planned.pop(0) if planned else wanderer.next_key(codes)
            wrong += key in shows_nothing
            same = theirs.press(key) == fresh.press(key)
        assert theirs.shown == fresh.shown, fresh.keys
        house.tried += wrong
        filed[wanderer.turn.language] += wanderer.turn.filed is not None
    assert house.tried < guess.MOST, "and nobody was shut out"
    assert asked(rt) - before > 150
    assert min(filed[language] for language in rt.book.languages) > 10
    unmet = set(rt.book.screens) - wanderer.met - NEEDS_A_CASE_WORKER - NEEDS_A_FAULT
    assert len(unmet) <= 5, unmet
