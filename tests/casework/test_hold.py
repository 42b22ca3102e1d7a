"""Holds: two people keep a report from being erased, until a day they name, and not a day longer."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.casework import Refused, caseworker, hold, journal
from gateway.casework.caseworker import DECIDE, Role
from gateway.casework.hold import LONGEST, Hold, Standing
from gateway.casework.report import Report
from gateway.casework.verb import Verb
from tests.build import START
from tests.casework.house import DAY, House

ONE = timedelta(days=1)
UNTIL = DAY + timedelta(days=90)


def two(house: House) -> tuple[int, int]:
    """A supervisor and an integrity officer."""
    return house.person("Asks", Role.SUPERVISOR), house.person("Agrees", Role.INTEGRITY_OFFICER)


def ask(house: House, made: int, person: int, until: date = UNTIL, today: date = DAY) -> None:
    house.do(lambda db: hold.ask(db, house.lock(db, made).id, person, until, today, START))


def agree(house: House, made: int, person: int, today: date = DAY) -> None:
    shown = house.ask(hold.standing, made, date.min)
    until = shown.until if shown else UNTIL
    house.do(lambda db: hold.agree(db, house.lock(db, made).id, person, until, today, START))


def held(house: House) -> int:
    """A report that two people hold."""
    made = house.filed()
    one, other = two(house)
    ask(house, made, one)
    agree(house, made, other)
    return made


def in_force(house: House, made: int, today: date = DAY) -> bool:
    """Asked of one report, and of all of them as the erasing job does: never two answers."""
    says = house.ask(hold.in_force, made, today)
    query = select(Report.id).where(Report.id == made, hold.not_held(today))
    assert (house.ask(lambda db: db.scalar(query)) is None) is says
    return says


def test_it_takes_two_people(house: House) -> None:
    made = house.filed()
    one, other = two(house)
    assert house.ask(hold.standing, made, DAY) is None
    ask(house, made, one)
    assert house.ask(hold.standing, made, DAY) == Standing(UNTIL, one, agreed=False)
    assert not in_force(house, made), "what nobody has agreed to holds nothing"
    with pytest.raises(Refused):
        agree(house, made, one)
    assert not in_force(house, made)
    agree(house, made, other)
    assert house.ask(hold.standing, made, DAY) == Standing(UNTIL, one, agreed=True)
    assert in_force(house, made)
    lines = house.ask(journal.of_report, made)
    assert [(line.verb, line.actor) for line in lines] == [(Verb.HOLD_ASKED, "Asks"), (Verb.HELD, "Agrees")]


@pytest.mark.parametrize("first", DECIDE)
@pytest.mark.parametrize("second", DECIDE)
def test_supervisors_and_integrity_officers_hold_in_any_pair(house: House, first: Role, second: Role) -> None:
    made = house.filed()
    ask(house, made, house.person("One", first))
    agree(house, made, house.person("Other", second))
    assert in_force(house, made)


@pytest.mark.parametrize("role", [Role.CASE_WORKER, Role.TECHNICIAN, Role.ADMINISTRATOR])
def test_nobody_else_asks_or_agrees(house: House, role: Role) -> None:
    made = house.filed()
    person = house.person("Nobody", role)
    with pytest.raises(Refused):
        ask(house, made, person)
    ask(house, made, two(house)[0])
    with pytest.raises(Refused):
        agree(house, made, person)
    assert not in_force(house, made)


@pytest.mark.parametrize("role", DECIDE)
def test_whoever_has_left_neither_asks_nor_agrees(house: House, role: Role) -> None:
    made = house.filed()
    gone = house.person("Gone", role, active=False)
    with pytest.raises(Refused):
        ask(house, made, gone)
    ask(house, made, two(house)[0])
    for person in (gone, 999):
        with pytest.raises(Refused):
            agree(house, made, person)


def test_who_agreed_may_leave_and_it_holds_all_the_same(house: House) -> None:
    made = held(house)
    stay = house.person("Stays", Role.INTEGRITY_OFFICER, organisation=house.employer("Another watch"))
    rows = {person.name: person for person in house.ask(caseworker.every)}
    leaves = rows["Agrees"]
    house.do(
        lambda db: caseworker.change(
            db,
            house.keys,
            leaves.id,
            house.entered("Agrees", Role.INTEGRITY_OFFICER, active=False),
        )
    )
    assert stay
    assert in_force(house, made)


@pytest.mark.parametrize("days", [-1, 0, LONGEST.days + 1, 40_000])
def test_it_ends_on_a_day_after_today_and_within_two_years(house: House, days: int) -> None:
    made, (one, _) = house.filed(), two(house)
    with pytest.raises(Refused) as refused:
        ask(house, made, one, DAY + timedelta(days=days))
    assert refused.value.field == "until"
    for may in (ONE, LONGEST):
        ask(house, made, one, DAY + may)


def test_it_holds_on_its_last_day_and_not_on_the_next(house: House) -> None:
    made = held(house)
    assert in_force(house, made, UNTIL)
    assert not in_force(house, made, UNTIL + ONE)
    assert house.ask(hold.standing, made, UNTIL + ONE) is None


def test_a_request_that_has_ended_can_be_agreed_to_no_more(house: House) -> None:
    made, (one, other) = house.filed(), two(house)
    ask(house, made, one)
    with pytest.raises(Refused):
        agree(house, made, other, UNTIL + ONE)
    assert not in_force(house, made)


def test_a_hold_in_force_is_not_put_aside_by_a_request(house: House) -> None:
    """One person alone could end it by asking for a shorter one."""
    made = held(house)
    for person in (house.person("Third", Role.SUPERVISOR), two(house)[0]):
        with pytest.raises(Refused) as refused:
            ask(house, made, person, DAY + ONE)
        assert "held already" in refused.value.why
    assert in_force(house, made, UNTIL)


def test_it_is_agreed_to_once(house: House) -> None:
    made = held(house)
    with pytest.raises(Refused):
        agree(house, made, house.person("Third", Role.SUPERVISOR))


def test_nobody_agrees_to_what_nobody_asks_for(house: House) -> None:
    with pytest.raises(Refused):
        agree(house, house.filed(), two(house)[1])


def test_a_later_request_takes_the_place_of_an_earlier_that_nobody_agreed_to(house: House) -> None:
    made, (one, other) = house.filed(), two(house)
    ask(house, made, one)
    ask(house, made, other, UNTIL + ONE)
    assert house.ask(hold.standing, made, DAY) == Standing(UNTIL + ONE, other, agreed=False)
    with pytest.raises(Refused):
        agree(house, made, other)
    agree(house, made, one)
    assert in_force(house, made, UNTIL + ONE)


def test_whoever_needs_it_longer_asks_again_when_it_has_ended(house: House) -> None:
    made = held(house)
    later = UNTIL + ONE
    third, fourth = house.person("Third", Role.SUPERVISOR), house.person("Fourth", Role.SUPERVISOR)
    ask(house, made, third, later + LONGEST, later)
    assert not in_force(house, made, later), "the consent to the first was not to this"
    agree(house, made, fourth, later)
    assert in_force(house, made, later + LONGEST)


def test_a_hold_is_of_its_report_alone_and_goes_with_it(house: House) -> None:
    made, other = held(house), held(house)
    free = house.filed()
    assert not in_force(house, free)
    house.do(hold.erase, made)
    assert not in_force(house, made)
    assert in_force(house, other)


def test_of_two_who_agree_at_once_one_does(house: House) -> None:
    made = house.filed()
    ask(house, made, two(house)[0])
    crowd = [house.person(f"S{at}", Role.SUPERVISOR) for at in range(4)]

    def one(person: int, db: Session) -> None:
        hold.agree(db, house.lock(db, made).id, person, UNTIL, DAY, START)

    outcomes = house.together(*[partial(one, person) for person in crowd])
    assert len([outcome for outcome in outcomes if isinstance(outcome, Refused)]) == 3
    assert house.ask(lambda db: db.scalar(select(Hold.agreed_by))) == crowd[outcomes.index(None)]


def test_of_two_who_ask_at_once_neither_has_agreed(house: House) -> None:
    """Two wishes are not a wish and a consent."""
    made = house.filed()
    crowd = [house.person(f"S{at}", Role.SUPERVISOR) for at in range(4)]

    def one(person: int, db: Session) -> None:
        hold.ask(db, house.lock(db, made).id, person, UNTIL, DAY, START)

    house.together(*[partial(one, person) for person in crowd])
    found = house.ask(hold.standing, made, DAY)
    assert found is not None
    assert not found.agreed


PEOPLE = st.integers(min_value=0, max_value=3)


class Holding(RuleBasedStateMachine):
    """Four people who ask and agree in whatever order, over whatever days."""

    house: House
    people: list[int]

    @initialize()
    def begin(self) -> None:
        self.made = self.house.filed()
        self.today = DAY
        self.asked: tuple[int, date] | None = None
        self.until: date | None = None

    @rule(who=PEOPLE, days=st.integers(min_value=1, max_value=20))
    def ask(self, who: int, days: int) -> None:
        until = self.today + timedelta(days=days)
        try:
            ask(self.house, self.made, self.people[who], until, self.today)
        except Refused:
            assert self.until is not None
            return
        assert self.until is None
        self.asked = who, until

    @rule(who=PEOPLE)
    def agree(self, who: int) -> None:
        try:
            agree(self.house, self.made, self.people[who], self.today)
        except Refused:
            assert self.asked is None or self.asked[0] == who
            return
        assert self.asked is not None
        assert self.asked[0] != who
        self.until, self.asked = self.asked[1], None

    @rule(days=st.integers(min_value=1, max_value=15))
    def wait(self, days: int) -> None:
        self.today += timedelta(days=days)
        if self.until is not None and self.until < self.today:
            self.until = None
        if self.asked is not None and self.asked[1] < self.today:
            self.asked = None

    @invariant()
    def it_holds_exactly_when_two_have_said_so_and_its_day_has_not_passed(self) -> None:
        assert in_force(self.house, self.made, self.today) is (self.until is not None)


def test_whatever_they_do_only_two_together_hold(house: House) -> None:
    class Here(Holding):
        pass

    Here.house = house
    Here.people = [house.person(f"S{at}", Role.SUPERVISOR) for at in range(4)]
    run_state_machine_as_test(Here, settings=settings(max_examples=12, stateful_step_count=12, deadline=None))


def test_nobody_agrees_to_a_day_that_they_were_not_shown(house: House) -> None:
    asks, agrees = two(house)
    made = house.filed()
    ask(house, made, asks)
    ask(house, made, asks, UNTIL + timedelta(days=300))
    with pytest.raises(Refused) as refused:
        house.do(lambda db: hold.agree(db, made, agrees, UNTIL, DAY, START))
    assert refused.value.field == "until"
    assert not house.ask(hold.in_force, made, DAY)
