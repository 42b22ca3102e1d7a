"""Somebody who can write every row, but has no key: whatever they change, `journal verify` finds it.

A house that has been lived in is changed in one way, checked, and put back, a thousand times over.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import JSON, Boolean, Column, LargeBinary, Table, delete, func, insert, select, text, update
from sqlalchemy.orm import Session

from gateway import desk, inbox
from gateway.casework import caseworker, chain, journal, organisation, report, site
from gateway.casework.caseworker import Role
from gateway.casework.journal import Entry, Head
from gateway.casework.organisation import Kind
from gateway.casework.referral import HandOnReason
from gateway.casework.report import Outcome
from gateway.casework.verb import KINDS, Verb
from gateway.db import Base, Conflict, Unavailable, UtcTime
from gateway.later.dispatch import NOBODY_WAIT
from gateway.later.sweep import sweep
from gateway.providers import Receipt
from gateway.runtime import Runtime
from tests import build
from tests.later import story

CHANGES = {"sqlite": 1000, "postgresql": 150}
"""PostgreSQL takes fewer kinds of nonsense, and longer for each."""

Row = dict[str, Any]
Key = tuple[Any, ...]


def attested() -> dict[str, list[str]]:
    """Every table that the journal vouches for, and itself, with the columns that count."""
    watched = [each for kind in KINDS for each in journal.WATCHED[kind]]
    own = [Base.metadata.tables[table.__tablename__] for table in (Entry, Head)]
    return {each.table.name: list(each.names) for each in watched} | {
        table.name: [column.name for column in table.columns] for table in own
    }


class Life:
    """A house from its first day on; every version that each row ever had is remembered."""

    def __init__(self, rt: Runtime) -> None:
        self.rt = rt
        self.versions: dict[str, list[Row]] = {name: [] for name in attested()}
        self.opened = 0

    def live(self) -> None:
        """A few days: five people of two organisations, two sites, four reports, all that can happen to them."""
        rt, clock = self.rt, story.clock(self.rt)
        people = self.after(lambda: build.staff(rt))
        people["second"] = self.after(lambda: build.person(rt, "Second", Role.SUPERVISOR))
        self.after(lambda: build.sites(rt, "Site A", "Site B"))
        urgent = self.after(lambda: story.tell(rt, story.COLLAPSE, "urgent"))
        moved = self.after(lambda: story.tell(rt, story.SEXUAL, "moved"))
        quiet = self.after(lambda: story.tell(rt, story.HAZARD, "quiet"))
        self.after(lambda: story.tell(rt, story.COMPLAINT, "complaint"))
        self.after(lambda: story.ended(rt, "moved"))
        self.after(lambda: sweep(rt))
        self.after(lambda: inbox.delivery_reported(rt, Receipt("ATXid_1", "delivered")))
        self.after(lambda: inbox.delivery_reported(rt, Receipt("ATXid_2", "failed")))
        clock.go(hours=5)
        self.after(lambda: sweep(rt))
        worker, supervisor = self.reader(people["worker"]), self.reader(people["supervisor"])
        for made in (urgent, quiet):
            self.open(worker, made)
            self.after(partial(desk.accept, rt, worker, made))
        self.after(lambda: desk.note(rt, worker, urgent, "The family was visited."))
        self.after(lambda: desk.write(rt, worker, urgent, "safe_now", ""))
        self.after(lambda: self.answer("urgent", story.HAZARD))
        self.after(lambda: desk.close(rt, worker, urgent, Outcome.HELPED))
        self.after(lambda: desk.hand_on(rt, worker, quiet, HandOnReason.AWAY, people["supervisor"]))
        self.after(lambda: desk.accept(rt, supervisor, quiet))
        until = rt.today() + timedelta(days=30)
        self.after(lambda: desk.ask_to_hold(rt, supervisor, quiet, until))
        self.after(
            lambda: desk.agree_to_hold(rt, self.reader(people["second"]), quiet, rt.today() + timedelta(days=30))
        )
        self.open(supervisor, moved)
        self.after(lambda: self.save(people["worker"], people["administrator"]))

    def after(self, deed: Callable[[], Any]) -> Any:
        """What the deed returns; how the house looks then is remembered."""
        done = deed()
        with self.rt.db.read() as db:
            for name, versions in self.versions.items():
                versions += [row for row in rows(db, Base.metadata.tables[name]) if row not in versions]
        return done

    def reader(self, person: int) -> desk.Reader:
        return desk.Reader(person, build.enrolment(person).key)

    def open(self, reader: desk.Reader, made: int) -> None:
        assert self.after(lambda: desk.read(self.rt, reader, made)) is not None
        self.opened += 1

    def answer(self, session: str, keys: tuple[str, ...]) -> None:
        """The reporter dials once more, with the code that they were shown after `keys`, and answers."""
        (code,) = re.findall(r"\d{4} \d{4} \d{4}", story.press(self.rt, keys, session).text)
        typed = ("2", "3", code, "1")
        screens = [story.press(self.rt, typed[:at], "once more") for at in range(len(typed) + 1)]
        assert screens[-1].ends

    def save(self, person: int, by: int) -> None:
        with self.rt.begin() as unit:
            found = caseworker.one(unit.db, person)
            assert found is not None
            entered = caseworker.Entered(
                found.name,
                found.role,
                True,
                "+243000000123",
                "sw_CD",
                found.lanes,
                found.sites,
                found.languages,
                found.organisation,
                found.supervisor,
                "Mama Kazi",
            )
            caseworker.change(unit.db, self.rt.vault, person, entered)
            journal.write(unit.db, self.rt.now(), Verb.PERSON_SAVED, actor=by, subject=person)
            site.change(unit.db, self.rt.now(), 1, name="Site C", open_=False)
            journal.write(unit.db, self.rt.now(), Verb.SITE_SAVED, actor=by, subject=1)
            organisation.change(unit.db, 1, name="House", kind=Kind.INDEPENDENT, aliases="Maison")
            journal.write(unit.db, self.rt.now(), Verb.ORGANISATION_SAVED, actor=by, subject=1)


class Tamperer:
    """One hand with a chance of its own. Each way returns False when it finds nothing to change."""

    def __init__(self, db: Session, life: Life, chance: random.Random) -> None:
        self.db, self.life, self.chance = db, life, chance
        self.table = Base.metadata.tables[chance.choice(sorted(life.versions))]
        self.columns = [self.table.c[name] for name in attested()[self.table.name]]
        self.rows = rows(db, self.table)

    def change_a_cell(self) -> bool:
        row, column = self.chance.choice(self.rows), self.chance.choice(self.columns)
        return self._write(row, {column.name: self._other(column, row[column.name])})

    def empty_a_cell(self) -> bool:
        row = self.chance.choice(self.rows)
        full = [column.name for column in self.columns if column.nullable and row[column.name] is not None]
        return bool(full) and self._write(row, {self.chance.choice(full): None})

    def delete_a_row(self) -> bool:
        row = self.chance.choice(self.rows)
        self.db.execute(delete(self.table).where(*self._is(row)))
        return True

    def bring_an_old_version_back(self) -> bool:
        counts = [column.name for column in self.columns]
        old = self.chance.choice(self.life.versions[self.table.name])
        here = [row for row in self.rows if self._key(row) == self._key(old)]
        if not here:
            self.db.execute(insert(self.table).values(old))
            return True
        return any(here[0][name] != old[name] for name in counts) and self._write(here[0], old)

    def swap_cells(self) -> bool:
        one, other, column = *self._two(), self.chance.choice(self.columns)
        if one[column.name] == other[column.name] or column.primary_key:
            return False
        return self._write(one, {column.name: other[column.name]}) and self._write(
            other, {column.name: one[column.name]}
        )

    def swap_rows(self) -> bool:
        one, other = self._two()
        keys = [column.name for column in self.table.primary_key]
        bare = [{name: cell for name, cell in row.items() if name not in keys} for row in (one, other)]
        counts = [column.name for column in self.columns if column.name not in keys]
        if all(one[name] == other[name] for name in counts):
            return False
        return self._write(one, bare[1]) and self._write(other, bare[0])

    def insert_a_row(self) -> bool:
        row = dict(self.chance.choice(self.rows))
        keys = list(self.table.primary_key)
        column = self.chance.choice(keys)
        self.db.execute(insert(self.table).values({**row, column.name: self._other(column, row[column.name])}))
        return True

    def cut_the_tail(self) -> bool:
        last = self.db.scalar(select(func.max(Entry.id))) or 0
        self.db.execute(delete(Entry).where(Entry.id > last - self.chance.randint(1, 5)))
        return True

    def move_a_line(self) -> bool:
        """Take a line out and close the gap, or put it elsewhere."""
        last = self.db.scalar(select(func.max(Entry.id))) or 0
        place, to = self.chance.sample(range(1, last + 1), 2)
        lines = [row["id"] for row in rows(self.db, Base.metadata.tables["journal"])]
        lines.insert(to - 1, lines.pop(place - 1))
        for at, line in enumerate(lines, 1):
            self.db.execute(update(Entry).where(Entry.id == line).values(id=-at))
        self.db.execute(update(Entry).values(id=-Entry.id))
        return True

    def _two(self) -> tuple[Row, Row]:
        return self.chance.choice(self.rows), self.chance.choice(self.rows)

    def _key(self, row: Row) -> Key:
        return tuple(row[column.name] for column in self.table.primary_key)

    def _is(self, row: Row) -> list[Any]:
        return [column == row[column.name] for column in self.table.primary_key]

    def _write(self, row: Row, values: Row) -> bool:
        self.db.execute(update(self.table).where(*self._is(row)).values(values))
        return True

    def _other(self, column: Column[Any], cell: Any) -> Any:
        """A cell of the same kind that is not this one."""
        if isinstance(column.type, Boolean):
            return not cell
        if isinstance(column.type, LargeBinary):
            at = self.chance.randrange(len(cell or b"x"))
            was = cell or bytes(32)
            return was[:at] + bytes([was[at] ^ 1 << self.chance.randrange(8)]) + was[at + 1 :]
        if isinstance(cell, datetime):
            return cell + timedelta(microseconds=self.chance.choice((1, -1, 60_000_000)))
        if isinstance(cell, date):
            return cell + timedelta(days=self.chance.choice((1, -1)))
        if isinstance(cell, int):
            return cell + self.chance.choice((1, -1, 1000))
        if isinstance(cell, list):
            return [*cell, 9]
        if isinstance(cell, str):
            return cell[:-1] + chr(ord(cell[-1]) ^ 1) if cell else "x"
        if isinstance(column.type, UtcTime):
            return build.START
        if isinstance(column.type, JSON):
            return [9]
        return column.type.python_type(1)


WAYS = (
    Tamperer.change_a_cell,
    Tamperer.change_a_cell,
    Tamperer.empty_a_cell,
    Tamperer.delete_a_row,
    Tamperer.bring_an_old_version_back,
    Tamperer.bring_an_old_version_back,
    Tamperer.swap_cells,
    Tamperer.swap_rows,
    Tamperer.insert_a_row,
    Tamperer.cut_the_tail,
    Tamperer.move_a_line,
)


def rows(db: Session, table: Table) -> list[Row]:
    return [dict(row) for row in db.execute(select(table).order_by(*table.primary_key)).mappings()]


def verify(rt: Runtime) -> chain.Verdict:
    with rt.db.read(still=True) as db:
        return chain.verify(db, rt.vault.journal_key)


@contextmanager
def undone(rt: Runtime) -> Iterator[Session]:
    """A transaction of somebody whom no foreign key stops; nothing of it stays."""
    with Session(rt.db.engine) as db:
        off = (
            "PRAGMA defer_foreign_keys=ON" if rt.db.dialect == "sqlite" else "SET session_replication_role=replica"
        )
        db.execute(text(off))
        with suppress(Conflict):
            yield db
        db.rollback()


@pytest.fixture
def life(rt: Runtime) -> Life:
    made = Life(rt)
    made.live()
    return made


def test_a_house_that_was_lived_in_fits(life: Life) -> None:
    verdict = verify(life.rt)
    assert verdict.faults == []
    assert verdict.things == {"report": 4, "person": 5, "site": 2, "organisation": 2}
    assert all(life.versions[name] for name in attested())


def test_every_change_by_another_hand_is_found(life: Life) -> None:
    chance = random.Random(20261121)
    made, missed, ways = 0, [], set()
    while made < CHANGES[life.rt.db.dialect]:
        way = chance.choice(WAYS)
        with undone(life.rt) as db:
            tamperer = Tamperer(db, life, chance)
            if not way(tamperer):
                continue
            made += 1
            ways.add((way.__name__, tamperer.table.name))
            if not chain.verify(db, life.rt.vault.journal_key).faults:
                missed.append((way.__name__, tamperer.table.name))
    assert missed == []
    assert {name for _, name in ways} == set(attested())
    assert verify(life.rt).faults == []


def test_every_opening_of_a_report_is_a_line_and_nothing_else_is(life: Life) -> None:
    with life.rt.db.read() as db:
        told = db.scalar(select(func.count()).select_from(Entry).where(Entry.verb == Verb.OPENED.value))
        made = list(db.scalars(select(report.Report.id)))
    assert told == life.opened
    stranger = desk.Reader(999, None)
    assert [desk.read(life.rt, stranger, one) for one in (*made, 1)] == [None] * (len(made) + 1)
    with life.rt.db.read() as db:
        assert db.scalar(select(func.count()).select_from(Entry).where(Entry.verb == Verb.OPENED.value)) == told


def test_a_line_that_cannot_be_written_undoes_its_act_and_shows_no_report(life: Life) -> None:
    worker = life.reader(1)
    with life.rt.db.read() as db:
        (made, *_) = db.scalars(select(report.Report.id).where(report.Report.state == "accepted"))
    with life.rt.db.begin() as db:  # whoever does this stops the house; it says so, and nothing goes on unseen
        db.execute(update(Head).values(seq=Head.seq - 1))
    with pytest.raises(Unavailable):
        desk.read(life.rt, worker, made)


def test_clocks_that_the_house_sets_by_itself_fit(light: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    rt, clock = light, story.clock(light)
    people = list(story.staff(rt).values())

    def fits() -> bool:
        return [fault for fault in verify(rt).faults if fault.where.startswith("report ")] == []

    def fail(*given: object) -> None:
        raise LookupError

    made = story.tell(rt, story.HAZARD)
    story.ended(rt)
    assert story.coarse(rt, made).dispatch_at == rt.now()
    assert fits()
    story.leave(rt, *people)
    sweep(rt)  # nobody is there
    assert story.coarse(rt, made).dispatch_at == rt.now() + NOBODY_WAIT
    assert fits()
    story.come_back(rt, *people)
    clock.go(minutes=1)
    with monkeypatch.context() as broken:
        broken.setattr("gateway.later.sweep.dispatch", fail)
        sweep(rt)
    assert story.coarse(rt, made).dispatch_at == rt.now() + NOBODY_WAIT
    assert fits()
    clock.go(minutes=1)
    sweep(rt)
    clock.go(days=1)
    with monkeypatch.context() as broken:
        broken.setattr("gateway.later.escalate._one", fail)
        sweep(rt)
    assert story.due_at(rt, made) == rt.now() + NOBODY_WAIT
    assert fits()
    with rt.db.read() as db:
        told = db.scalar(select(func.count()).select_from(Entry).where(Entry.verb == Verb.CLOCK_SET.value))
    assert told == 4


def test_no_act_of_ours_vouches_for_what_another_hand_changed_before_it(rt: Runtime) -> None:
    staff = story.staff(rt)
    made, other = story.tell(rt), story.tell(rt, session="two")
    for one in (made, other):
        story.brought(rt, one)
    with rt.db.read() as db:
        place = site.every(db)[0].id
    with rt.db.begin() as db:
        db.execute(update(report.Report).where(report.Report.id == made).values(severity="P3"))
        db.execute(
            update(caseworker.CaseWorker).where(caseworker.CaseWorker.id == staff["worker"]).values(lanes=[])
        )
        db.execute(update(site.Site).where(site.Site.id == place).values(name="Elsewhere"))
        db.execute(update(organisation.Organisation).values(kind=Kind.COOPERATIVE.value))
    for one in (made, other):
        desk.accept(rt, build.reader(staff["supervisor"]), one)
        desk.note(rt, build.reader(staff["supervisor"]), one, "seen")
    with rt.begin() as unit:
        journal.write(unit.db, rt.now(), Verb.PERSON_SAVED, subject=staff["worker"])
        journal.write(unit.db, rt.now(), Verb.SITE_SAVED, subject=place)
        for employer in organisation.every(unit.db):
            journal.write(unit.db, rt.now(), Verb.ORGANISATION_SAVED, subject=employer.id)
    assert story.verbs(rt, made).count(Verb.REPORT_ALTERED) == 1, "it is said once, and then it is attested"
    assert Verb.REPORT_ALTERED not in story.verbs(rt, other)
    with rt.db.read(still=True) as db:
        faults = chain.verify(db, rt.vault.journal_key).faults
    assert [fault.what for fault in faults] == ["what it is about was found changed by another hand"] * 5
