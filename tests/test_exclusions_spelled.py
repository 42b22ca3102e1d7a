"""Twenty people, however they are written, the whole way: from the hop that names somebody to whatever is shown or
sent to anybody afterwards, half of them named after the first alert. tests/casework/test_exclusion.py looks at all
fifty spellings of each; here are three hundred of the thousand, of every person and every kind."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from dataclasses import dataclass

import pytest
from sqlalchemy import func, select

from gateway import desk
from gateway.casework import referral, shelf
from gateway.casework.caseworker import Role
from gateway.casework.journal import Entry
from gateway.casework.message import Message
from gateway.casework.organisation import Kind
from gateway.casework.plan import Envelope, PlanEntry
from gateway.casework.referral import Referral
from gateway.casework.report import Report
from gateway.casework.shelf import Shelf
from gateway.casework.verb import Verb
from gateway.later.sweep import sweep
from gateway.runtime import Runtime
from tests import build
from tests.casework.test_exclusion import ALONE, BY_ID, ORGANISATIONS, STAFF, Spell, spellings, theirs
from tests.later import story
from tests.test_exclusions import hears_nothing
from tests.wanderer import Caller, quick

IN_CHARGE = {
    Kind.COOPERATIVE: "1", Kind.BUYER_COMPANY: "2", Kind.POLICE_ARMY_GUARD: "3", Kind.MINE_SERVICE: "4",
}  # fmt: skip
"""The key that says which organisation is in charge."""
AT_A_TIME = 5
SAMPLE = 15


@dataclass
class Naming:
    """A report that names somebody: how it is spelled, and whether that comes after the first alert."""

    person: int
    spelled: str
    late: bool
    caller: Caller
    report: int
    reference: str
    told: int | None = None
    """Whom it was brought to before anybody was named."""
    sent: int = 0
    """How many SMS had left by then."""
    lines: int = 0
    """How many lines of the journal had to do with it and with whom it names."""

    @property
    def left_out(self) -> set[int]:
        return theirs(self.person)


@dataclass
class House:
    """All whom the pure tests know. Whoever is to be left out of what names a person is on duty at that person's
    site, and nobody else is: a report from there goes to them, then to two who have nothing to do with anybody."""

    rt: Runtime
    supervisor: int = 0
    integrity: int = 0

    def __post_init__(self) -> None:
        rt = self.rt
        sites = build.sites(rt, *(f"Site {at}" for at in BY_ID))
        with rt.begin() as unit:
            for row in ORGANISATIONS:
                made = build.belongs(unit.db, rt.now(), row.name, row.kind, "\n".join(row.aliases))
                assert made == row.id
        for person, name, aliases, works_for, under in STAFF:
            made = build.person(
                rt,
                name,
                sites=frozenset(sites[other - 1] for other in BY_ID if person in theirs(other)),
                login=f"person{person}",
                number=number(person),
                works_for=ORGANISATIONS[works_for - 1].name,
                under=under,
                aliases="\n".join(aliases),
            )
            assert made == person
        self.supervisor = build.person(rt, "Supervisor", Role.SUPERVISOR, number=number(98))
        self.integrity = build.person(rt, "Integrity", Role.INTEGRITY_OFFICER, number=number(99))

    def file(self, person: int, spelled: str, session: str, *, late: bool) -> Naming:
        """A danger at the person's site, where others are in charge: whoever works for none of those may hear of
        it."""
        caller = Caller(self.rt, "+243990000009", session)
        caller.press("2", "2", "2", "6", f"{100 + person}", "1")
        kinds = {BY_ID[one].kind for one in theirs(person)}
        in_charge = next(key for kind, key in IN_CHARGE.items() if kind not in kinds)
        caller.press("1", "7", in_charge, "7", "7", "7", *([] if late else [spelled]))
        with self.rt.db.read() as db:
            filed = select(Entry.report_id).where(Entry.verb == Verb.FILED.value).order_by(Entry.id.desc())
            made = db.scalar(filed.limit(1)) or 0
        story.ended(self.rt, session, caller.number)
        return Naming(person, spelled, late, caller, made, story.coarse(self.rt, made).reference)

    def name(self, naming: Naming, *, by_code: bool) -> None:
        """What has been told is already with somebody who is named now: in the same dialogue, or by code."""
        with self.rt.db.read() as db:
            naming.told = referral.waiting_for(db, naming.report)
        naming.sent, naming.lines = len(self.sms), self.lines(naming)
        caller = naming.caller
        if by_code:
            caller = Caller(self.rt, "+243990000010", f"{caller.session} again")
            caller.press("2", "3", naming.caller.code, "1")
        caller.press(naming.spelled)
        assert caller.ended

    def settle(self) -> None:
        while sweep(self.rt):
            pass

    def told(self, naming: Naming, since: int) -> list[str]:
        """Which numbers got an SMS about this report, of all SMS but the first `since`."""
        return [to for to, words in self.sms[since:] if naming.reference in words]

    @property
    def sms(self) -> list[tuple[str, str]]:
        return build.operator(self.rt).sms

    def lines(self, naming: Naming) -> int:
        mine = Entry.subject_id.in_(naming.left_out) | Entry.actor_id.in_(naming.left_out)
        with self.rt.db.read() as db:
            return db.scalar(select(func.count()).where(Entry.report_id == naming.report, mine)) or 0


def number(person: int) -> str:
    return f"+2430002{person:05d}"


def every(rt: Runtime, table: type[PlanEntry | Envelope]) -> set[tuple[int, int]]:
    with rt.db.read() as db:
        return {(made, person) for made, person in db.execute(select(table.report_id, table.caseworker_id))}


def brought(rt: Runtime) -> set[tuple[int, int]]:
    """Which report is with whom to be taken, and no SMS is on its way about any other."""
    about = select(Referral.report_id, Referral.caseworker_id)
    waiting, unsent = Referral.state == "pending", Message.state.in_(["queued", "unknown"])
    with rt.db.read() as db:
        assert db.execute(about.join(Message, Message.referral_id == Referral.id).where(unsent)).all() == []
        assert set(db.scalars(select(Report.responsible_id))) == {None}
        return {(made, person) for made, person in db.execute(about.where(waiting))}


def shown(rt: Runtime, person: int) -> set[int]:
    """Every report on the pages of a person; as many as are counted for them."""
    found: set[int] = set()
    with rt.db.read() as db:
        for each in Shelf:
            rows, _ = shelf.page(db, person, each, size=5000)
            assert len(rows) == shelf.count(db, person, each, at_most=5000)
            found |= {row.id for row in rows}
    return found


def sample(person: int) -> list[str]:
    """Some of the fifty spellings of a person, by chance but the same every time; one of an alias first."""
    _, name, aliases, *_ = STAFF[person - 1]
    written, chance = spellings(name, aliases), random.Random(person)
    alias = chance.choice([one for one in written if aliases[0].lower() in one.lower()])
    return [alias, *chance.sample([one for one in written if one != alias], SAMPLE - 1)]


def is_late(person: int, at: int) -> bool:
    return (person + at) % 2 == 1


def test_before_and_after_the_first_alert_there_are_spellings_of_every_kind_and_of_every_person() -> None:
    for late in (False, True):
        kinds: Counter[Spell] = Counter()
        for person, name, *_ in STAFF:
            written = [one for at, one in enumerate(sample(person)) if is_late(person, at) is late]
            assert len(set(written)) >= SAMPLE // 2
            for part, rule in itertools.product(name.split(), ALONE):
                kinds[rule] += len({*rule(part)}.intersection(written))
        assert min(kinds[rule] for rule in ALONE) >= 3
    assert {is_late(person, 0) for person in BY_ID} == {False, True}, "and aliases"


@pytest.mark.parametrize("first", range(1, len(STAFF) + 1, AT_A_TIME))
def test_however_a_name_is_spelled_whoever_is_named_hears_nothing_from_then_on_and_somebody_independent_does(
    light: Runtime, first: int
) -> None:
    rt = quick(light)
    house = House(rt)
    namings = [
        house.file(person, spelled, f"{person}-{at}", late=is_late(person, at))
        for person in range(first, first + AT_A_TIME)
        for at, spelled in enumerate(sample(person))
    ]
    house.settle()
    late = [naming for naming in namings if naming.late]
    for at, naming in enumerate(late):
        house.name(naming, by_code=at % 2 == 1)
        assert naming.told in naming.left_out, "they were told before"
        assert number(naming.told) in house.told(naming, since=0)
    at_once = brought(rt)
    assert at_once == {(naming.report, house.supervisor) for naming in namings if not naming.late}
    house.settle()
    assert brought(rt) == {(naming.report, house.supervisor) for naming in namings}
    story.clock(rt).go(hours=25)
    house.settle()
    assert brought(rt) == {(naming.report, house.integrity) for naming in namings}
    with_them = every(rt, PlanEntry) | every(rt, Envelope)
    pages = {person: shown(rt, person) for person in (*BY_ID, house.integrity)}
    for at, naming in enumerate(namings):
        made, left_out = naming.report, naming.left_out
        assert not {(made, person) for person in left_out} & with_them, naming.spelled
        assert not [person for person in left_out if made in pages[person]], naming.spelled
        assert not [person for person in left_out if desk.read(rt, build.reader(person), made)], naming.spelled
        assert house.told(naming, since=naming.sent) == [number(98), number(99)]
        assert house.lines(naming) == naming.lines, naming.spelled
        if at % SAMPLE < 2:
            assert hears_nothing(rt, made, naming.person)
        assert made in pages[house.integrity]
        reading = desk.read(rt, build.reader(house.integrity), made)
        assert reading is not None
        assert naming.spelled.strip() in [answer.words for answer in reading.answers], "and reads who it was"
