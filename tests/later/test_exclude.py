"""Somebody's place is corrected: they lose what they may not hear of any more, closed reports too."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier
from typing import Any

import pytest

from gateway import desk
from gateway.casework import Refused, caseworker, chain, journal, organisation, plan, referral, report
from gateway.casework.caseworker import Entered, Role
from gateway.casework.organisation import Kind
from gateway.casework.report import Outcome
from gateway.casework.verb import Verb
from gateway.later import exclude as job
from gateway.later.dispatch import dispatch
from gateway.later.exclude import exclude
from gateway.later.sweep import sweep
from gateway.runtime import Runtime
from tests import build
from tests.later import story

STAFF = dict[str, int]
SAID = (*story.HAZARD, "1", "2", "1")
"""A danger, and that a cooperative is in charge: everybody else may hear of it."""


@pytest.fixture
def staff(rt: Runtime) -> STAFF:
    """The first whom a report is brought to, who is going to be moved; one who answers to them; and the others."""
    moving = build.person(rt, "Moving", works_for="Ligue")
    below = build.person(rt, "Below", works_for="Autre", under=moving)
    with rt.begin() as unit:
        build.belongs(unit.db, rt.now(), "Tilapia", Kind.COOPERATIVE)
    return {**story.staff(rt), "moving": moving, "below": below}


def moved(rt: Runtime, person: int, to: str, under: int | None = None) -> None:
    """An administrator says for whom somebody works, and under whom; and their key is confirmed once more."""
    with rt.begin() as unit:
        before = caseworker.every(unit.db)
        one = next(one for one in before if one.id == person)
        number = caseworker.number(unit.db, rt.vault, person)
        employer = next(row.id for row in organisation.every(unit.db) if row.name == to)
        areas = one.lanes, one.sites, one.languages
        entered = Entered(one.name, one.role, one.active, number, "fr", *areas, employer, under)
        caseworker.change(unit.db, rt.vault, person, entered)
        job.mark(unit, before)
        caseworker.confirm_key(unit.db, rt.vault, person)
        journal.write(unit.db, rt.now(), Verb.PERSON_SAVED, subject=person)
    rt.directory.renew()


def told(rt: Runtime, keys: tuple[str, ...], session: str) -> int:
    made = story.tell(rt, keys, session)
    story.ended(rt, session)
    dispatch(rt, made)
    return made


def three(rt: Runtime, staff: STAFF) -> list[int]:
    """Three reports of the one who is going to be moved: on offer, taken, and closed; of the first it was said who
    is in charge."""
    reader = build.reader(staff["moving"])
    made = [told(rt, keys, f"{at}") for at, keys in enumerate((SAID, story.DANGER, story.HAZARD))]
    assert all(story.asked(rt, one) == [("Moving", "pending")] for one in made)
    for one in made[1:]:
        desk.accept(rt, reader, one)
    desk.close(rt, reader, made[2], Outcome.HELPED)
    return made


def knows(rt: Runtime, person: int) -> list[int]:
    """The reports that somebody sees or holds a key of."""
    with rt.db.read() as db:
        return sorted(plan.told_to(db, [person], 99))


def flagged(rt: Runtime) -> list[int]:
    with rt.db.read() as db:
        return caseworker.moved(db)


def test_whoever_is_found_to_belong_to_the_mines_loses_what_they_had_and_it_goes_to_others(
    rt: Runtime, staff: STAFF
) -> None:
    """Also what names somebody in charge: nobody can read whether it is whom they belong to."""
    made = three(rt, staff)
    assert knows(rt, staff["moving"]) == sorted(made)
    moved(rt, staff["moving"], "Tilapia")
    assert exclude(rt) == 3
    assert knows(rt, staff["moving"]) == []
    assert flagged(rt) == []
    for one in made:
        assert desk.read(rt, build.reader(staff["moving"]), one) is None
        with pytest.raises(Refused):
            desk.accept(rt, build.reader(staff["moving"]), one)
    sweep(rt)
    assert [story.asked(rt, one)[-1] for one in made[:2]] == [("Worker", "pending")] * 2
    assert story.coarse(rt, made[2]).outcome is Outcome.HELPED, "what was closed stays closed"
    with rt.db.read(still=True) as db:
        assert chain.verify(db, rt.vault.journal_key).faults == []


def test_whoever_answers_to_them_loses_it_too(rt: Runtime, staff: STAFF) -> None:
    made = three(rt, staff)
    moved(rt, staff["moving"], "Tilapia")
    exclude(rt)
    assert knows(rt, staff["below"]) == []
    assert knows(rt, staff["worker"]) == sorted(made)


def test_whoever_is_put_under_somebody_of_the_mines_loses_it(rt: Runtime, staff: STAFF) -> None:
    three(rt, staff)
    chief = build.person(rt, "Chief", Role.SUPERVISOR, works_for="Tilapia")
    moved(rt, staff["below"], "Autre", under=chief)
    exclude(rt)
    assert knows(rt, staff["below"]) == []


def test_when_an_organisation_turns_out_to_be_one_of_the_mines_all_its_people_lose_it(
    rt: Runtime, staff: STAFF
) -> None:
    three(rt, staff)
    with rt.begin() as unit:
        before = caseworker.every(unit.db)
        row = next(row for row in organisation.every(unit.db) if row.name == "Ligue")
        organisation.change(unit.db, row.id, name=row.name, kind=Kind.BUYER_COMPANY, aliases="")
        job.mark(unit, before)
        journal.write(unit.db, rt.now(), Verb.ORGANISATION_SAVED, subject=row.id)
    exclude(rt)
    assert knows(rt, staff["moving"]) == knows(rt, staff["below"]) == []


def test_whoever_goes_to_another_independent_organisation_keeps_what_they_had(rt: Runtime, staff: STAFF) -> None:
    made = three(rt, staff)
    moved(rt, staff["moving"], "Autre")
    assert flagged(rt) == []
    assert exclude(rt) == 0
    assert knows(rt, staff["moving"]) == sorted(made)


def test_until_it_is_done_they_see_nothing_and_are_brought_nothing(rt: Runtime, staff: STAFF) -> None:
    """Whoever is killed after the change was saved has left nothing open, and the clock does the rest."""
    made = three(rt, staff)
    moved(rt, staff["moving"], "Tilapia")
    assert [desk.read(rt, build.reader(staff["moving"]), one) for one in made] == [None] * 3
    new = told(rt, (*SAID, "7"), "new")
    assert story.asked(rt, new) == [("Worker", "pending")]
    sweep(rt)
    assert knows(rt, staff["moving"]) == []
    assert flagged(rt) == []


def test_one_report_that_fails_holds_up_no_other_and_they_see_nothing_before_it_is_done(
    rt: Runtime, staff: STAFF, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = three(rt, staff)
    moved(rt, staff["moving"], "Tilapia")
    real = referral.leave_out

    def fail(db: Any, found: report.Coarse, people: Collection[int], now: datetime) -> bool:
        if found.id == made[0]:
            raise ValueError("this one")
        return real(db, found, people, now)

    with monkeypatch.context() as patch:
        patch.setattr(referral, "leave_out", fail)
        exclude(rt)
    assert knows(rt, staff["moving"]) == [made[0]]
    assert set(flagged(rt)) == {staff["moving"], staff["below"]}
    assert desk.read(rt, build.reader(staff["moving"]), made[0]) is None
    exclude(rt)
    assert knows(rt, staff["moving"]) == flagged(rt) == []


def test_doing_it_again_does_nothing(rt: Runtime, staff: STAFF) -> None:
    made = three(rt, staff)
    moved(rt, staff["moving"], "Tilapia")
    exclude(rt)
    says = [story.verbs(rt, one) for one in made]
    assert [exclude(rt), exclude(rt)] == [0, 0]
    assert [story.verbs(rt, one) for one in made] == says


def test_afterwards_they_are_asked_about_what_does_not_accuse_them(rt: Runtime, staff: STAFF) -> None:
    moved(rt, staff["moving"], "Tilapia")
    exclude(rt)
    made = told(rt, (*story.HAZARD, "1", "2", "2"), "a buyer is in charge")
    assert staff["moving"] in [person for person, _ in story.plan(rt, made)]
    other = told(rt, (*SAID, "7", "7"), "their cooperative is")
    assert staff["moving"] not in [person for person, _ in story.plan(rt, other)]


def test_two_at_once_take_somebody_off_once(rt: Runtime, staff: STAFF) -> None:
    made = three(rt, staff)
    moved(rt, staff["moving"], "Tilapia")
    start = Barrier(3)

    def one(_: int) -> None:
        start.wait()
        exclude(rt)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(one, range(3)))
    assert knows(rt, staff["moving"]) == []
    assert [story.verbs(rt, one).count(Verb.NARROWED) for one in made] == [1] * 3
