"""Forgetting how to reach a reporter: after a month it is gone for good, wherever the round is killed, and what is
younger stays."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest

from gateway.casework import chain, contact, journal, report
from gateway.casework.contact import LASTS, How, Reach
from gateway.casework.verb import Verb
from gateway.later.purge import purge
from gateway.runtime import Runtime
from gateway.vault import SealBroken, escrow
from gateway.vault.weeks import week_of
from tests import build
from tests.later import story
from tests.later.test_erase import World, filed, killed_at_each_step, snapshot

AGES = {"much too old": 75, "too old": 40, "just too old": 30, "just young enough": 29, "of today": 0}
"""How many days ago each reporter asked to be reached."""


@pytest.fixture
def world(rt: Runtime) -> World:
    """A report of each age, all still open: `due` are those whose number is to be erased."""
    made = World(rt, story.staff(rt))
    escrow.establish(rt.vault.directory)
    rt.vault.months.prepare(rt.today())
    rt.vault.days.overlapping(rt.today() - timedelta(days=1))
    for at, age in enumerate(AGES.values()):
        new = filed(rt, made.staff, date(2026, 9, 1), full=age % 2 == 0)
        day = rt.today() - timedelta(days=age)
        how = How.SMS if at % 2 else How.CALL
        with rt.begin() as unit:
            found = report.lock(unit.db, new)
            assert found is not None
            contact.keep(unit.db, rt.vault, found, day, Reach(how, f"+24399000000{at}", "evening", "47"))
            journal.write(unit.db, rt.now(), Verb.CONSENTED, report=new)
        if age >= LASTS.days:
            made.due.append(new)
        else:
            made.stays.add(new)
    made.keep()
    return made


def of(rows: dict[str, list[dict[str, Any]]], made: int) -> dict[str, Any] | None:
    """The contact of a report."""
    found = [row for row in rows["contact"] if row["report_id"] == made]
    return found[0] if found else None


def opens(world: World, made: int) -> bool:
    """Whether whoever took the report reads the number, in a copy of the database from before."""
    rt, worker = world.rt, world.staff["worker"]
    sealed = of(world.rows, made)
    (envelope,) = [
        row for row in world.rows["envelope"] if (row["report_id"], row["caseworker_id"]) == (made, worker)
    ]
    (coarse,) = [row for row in world.rows["report"] if row["id"] == made]
    place = report.place(made)
    pair = rt.vault.open_envelope(worker, build.enrolment(worker).key, place, coarse["month"], envelope["sealed"])
    assert sealed is not None
    try:
        said = rt.vault.open_contact(pair, contact.place(made), sealed["week"], sealed["sealed"])
    except SealBroken:
        return False
    return b"+24399000000" in said


def past(world: World) -> list[str]:
    """The weeks of which nothing is kept any more."""
    weeks = {row["week"] for row in world.rows["contact"]}
    return sorted(week for week in weeks if week < week_of(world.rt.today() - LASTS))


def check_half_done(world: World) -> None:
    """Each number is there, or it is gone and the journal says so once; and it goes after its key."""
    rt, rows = world.rt, snapshot(world.rt)
    gone = {made for made in world.due if of(rows, made) is None}
    lines = Counter(row["report_id"] for row in rows["journal"] if row["verb"] == Verb.NUMBER_ERASED.value)
    assert lines == dict.fromkeys(gone, 1)
    for made in world.stays:
        assert of(rows, made) == of(world.rows, made)
        assert opens(world, made)
    for made in world.due:
        row = of(world.rows, made)
        assert row is not None
        assert of(rows, made) in (row, None)
        if row["week"] in rt.vault.weeks.destroyed() or made in gone:
            assert opens(world, made) is (row["week"] not in past(world)), "keys first"
    kinds = [name for name in rows if name not in ("contact", "journal", "chain")]
    assert [name for name in kinds if rows[name] != world.rows[name]] == [], "and nothing else has changed"


def check_all_done(world: World) -> None:
    rt, rows = world.rt, snapshot(world.rt)
    check_half_done(world)
    assert {row["report_id"] for row in rows["contact"]} == world.stays
    assert rt.vault.weeks.destroyed() == past(world)
    assert not set(past(world)) & set(rt.vault.directory.week_names())
    with rt.db.read(still=True) as db:
        assert chain.verify(db, rt.vault.journal_key).faults == []


def test_after_a_month_a_number_is_gone_with_its_key_and_a_younger_one_stays(world: World) -> None:
    assert len(past(world)) == 2
    assert {made for made in (*world.due, *world.stays) if opens(world, made)} == {*world.due, *world.stays}
    purge(world.rt)
    check_all_done(world)
    before = snapshot(world.rt)
    purge(world.rt)
    assert snapshot(world.rt) == before


def test_killed_at_any_step_of_a_round_no_number_is_half_erased_and_the_next_goes_on(world: World) -> None:
    steps = 0
    for _ in killed_at_each_step(world, purge):
        steps += 1
        check_half_done(world)
        purge(world.rt)
        check_all_done(world)
    assert steps > 20, "every statement of the round, and every file of two weeks"
    check_all_done(world)
