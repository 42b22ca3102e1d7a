"""Referrals: a report is brought to one person after another until somebody has it, and is never between two."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.casework import Refused, closing, journal, plan, referral, report
from gateway.casework.caseworker import Role
from gateway.casework.plan import PlanEntry
from gateway.casework.referral import HandOnReason, Referral, State
from gateway.casework.report import Outcome
from gateway.casework.verb import Verb
from tests.build import START
from tests.casework.house import SOON, House, seen

PEOPLE = st.integers(min_value=0, max_value=3)


def states(house: House, made: int) -> list[tuple[int, str]]:
    """Every referral of a report in order: whom, and where it stands."""
    rows = house.ask(
        lambda db: db.execute(
            select(Referral.caseworker_id, Referral.state).where(Referral.report_id == made).order_by(Referral.id)
        ).all()
    )
    return [(row[0], row[1]) for row in rows]


def hand_on(house: House, made: int, person: int, reason: HandOnReason = HandOnReason.AWAY) -> None:
    house.do(lambda db: referral.hand_on(db, house.lock(db, made), person, reason, START))


def test_an_offer_opens_the_report_sets_its_clock_and_is_told_in_the_journal(house: House) -> None:
    worker = house.person()
    made = house.filed([worker])
    later = SOON + timedelta(hours=1)
    house.offer(made, worker, later)
    assert house.ask(plan.is_open_to, made, worker)
    assert house.coarse(made).due_at == later
    assert [(line.verb, line.subject) for line in house.ask(journal.of_report, made)] == [(Verb.OFFERED, "Worker")]


def test_a_second_offer_takes_back_the_first(house: House) -> None:
    one, other = house.person(), house.person()
    made = house.filed([one, other])
    house.offer(made, one)
    house.offer(made, other)
    assert states(house, made) == [(one, "revoked"), (other, "pending")]
    assert house.ask(referral.asked, made) == [other]


def test_accepting_makes_one_person_responsible_and_starts_the_next_clock(house: House) -> None:
    worker = house.person()
    made = house.filed([worker])
    house.offer(made, worker)
    assert house.accept(made, worker)
    found = house.coarse(made)
    assert (found.state, found.responsible_id, found.due_at) == (report.State.ACCEPTED, worker, SOON)
    assert states(house, made) == [(worker, "accepted")]


def test_accepting_twice_changes_nothing(house: House) -> None:
    worker = house.person()
    made = house.filed([worker])
    house.offer(made, worker)
    assert house.accept(made, worker)
    assert not house.accept(made, worker)
    assert [line.verb for line in house.ask(journal.of_report, made)].count(Verb.ACCEPTED) == 1


def test_a_supervisor_who_was_not_asked_may_take_it_and_the_question_ends(house: House) -> None:
    worker, supervisor = house.person(), house.person("S", Role.SUPERVISOR)
    made = house.filed([worker, seen(supervisor)])
    house.offer(made, worker)
    assert house.accept(made, supervisor)
    assert states(house, made) == [(worker, "revoked")]


def test_whoever_comes_too_late_may_take_it_until_somebody_has(house: House) -> None:
    one, other = house.person(), house.person()
    made = house.filed([one, other])
    first = house.offer(made, one, START)
    house.do(referral.expire, first, START)
    house.offer(made, other)
    assert house.accept(made, one)
    with pytest.raises(Refused) as late:
        house.accept(made, other)
    assert "Somebody else" in late.value.why
    assert states(house, made) == [(one, "expired"), (other, "revoked")]


def test_nobody_accepts_what_is_closed(house: House) -> None:
    one, other = house.person(), house.person()
    made = house.filed([seen(one), seen(other)])
    house.accept(made, one)
    house.close(made, one)
    for person in (one, other):
        with pytest.raises(Refused) as closed:
            house.accept(made, person)
        assert "closed" in closed.value.why


@pytest.mark.parametrize("people", [2, 5])
def test_of_people_who_accept_at_the_same_time_one_wins_and_the_others_are_told(house: House, people: int) -> None:
    for _ in range(5):
        crowd = [house.person() for _ in range(people)]
        made = house.filed([seen(person) for person in crowd])
        house.offer(made, crowd[0])

        def accept(person: int, db: Session, made: int = made) -> bool:
            return referral.accept(db, house.lock(db, made), person, SOON, START)

        outcomes = house.together(*[partial(accept, person) for person in crowd])
        assert outcomes.count(True) == 1
        told = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
        assert len(told) == people - 1
        assert {one.why for one in told} == {"Somebody else has taken this report."}
        assert house.coarse(made).responsible_id == crowd[outcomes.index(True)]
        verbs = [line.verb for line in house.ask(journal.of_report, made)]
        assert verbs.count(Verb.ACCEPTED) == 1


def test_what_was_taken_and_handed_on_can_be_taken_by_the_next(house: House) -> None:
    one, other, third = house.person(), house.person(), house.person()
    made = house.filed([one, other, seen(third)])
    house.offer(made, one)
    house.accept(made, one)
    hand_on(house, made, one)
    with pytest.raises(Refused):
        house.accept(made, third)
    house.offer(made, other)
    assert house.coarse(made).responsible_id == one, "in charge until the next has accepted"
    assert house.accept(made, other)
    assert house.coarse(made).responsible_id == other
    assert states(house, made) == [(one, "handed_on"), (other, "accepted")]


def test_what_was_handed_on_and_came_back_round_can_be_taken_again(house: House) -> None:
    one, other = house.person(), house.person()
    made = house.filed([one, other])
    house.offer(made, one)
    house.accept(made, one)
    hand_on(house, made, one)
    house.do(referral.expire, house.offer(made, other, START), START)
    house.offer(made, one)
    assert house.accept(made, one)
    assert not house.accept(made, one)
    assert states(house, made) == [(one, "handed_on"), (other, "expired"), (one, "accepted")]
    assert house.coarse(made).responsible_id == one


def test_whoever_has_handed_on_is_not_asked_again_as_if_new(house: House) -> None:
    worker, supervisor = house.person(), house.person("S", Role.SUPERVISOR)
    made = house.filed([worker, seen(supervisor)])
    house.offer(made, worker)
    hand_on(house, made, supervisor)
    assert set(house.ask(referral.asked, made)) == {worker, supervisor}


@pytest.mark.parametrize("was_asked", [True, False])
def test_whoever_knows_somebody_loses_sight_at_once_and_for_good(house: House, was_asked: bool) -> None:
    one, other = house.person("One", Role.SUPERVISOR), house.person("Other", Role.SUPERVISOR)
    made = house.filed([seen(one), seen(other)])
    if was_asked:
        house.offer(made, one)
    hand_on(house, made, one, HandOnReason.KNOWS_SOMEBODY)
    house.offer(made, one)
    assert not house.ask(plan.is_open_to, made, one)
    assert one not in house.ask(plan.holds, made)
    assert [person for person, _ in house.ask(plan.people, made)] == [other]


@pytest.mark.parametrize("reason", [HandOnReason.TOO_MANY, HandOnReason.AWAY, HandOnReason.OTHER_WORK])
def test_any_other_reason_leaves_the_report_in_sight(house: House, reason: HandOnReason) -> None:
    worker = house.person()
    made = house.filed([worker])
    house.offer(made, worker)
    hand_on(house, made, worker, reason)
    assert house.ask(plan.is_open_to, made, worker)
    assert worker in house.ask(plan.holds, made)


def test_only_who_has_a_report_hands_it_on(house: House) -> None:
    one, other = house.person(), house.person()
    made = house.filed([seen(one), seen(other)])
    house.accept(made, one)
    with pytest.raises(Refused):
        hand_on(house, made, other)
    house.close(made, one)
    with pytest.raises(Refused):
        hand_on(house, made, one)


def test_a_clock_that_has_not_run_out_does_not_expire(house: House) -> None:
    worker = house.person()
    made = house.filed([worker])
    offered = house.offer(made, worker, SOON)
    assert not house.do(referral.expire, offered, SOON - timedelta(microseconds=1))
    assert house.do(referral.expire, offered, SOON)
    assert not house.do(referral.expire, offered, SOON), "and only once"
    assert [line.verb for line in house.ask(journal.of_report, made)].count(Verb.EXPIRED) == 1


def test_what_was_accepted_never_expires(house: House) -> None:
    worker = house.person()
    made = house.filed([worker])
    offered = house.offer(made, worker, START)
    house.accept(made, worker)
    assert not house.do(referral.expire, offered, SOON)
    assert house.ask(referral.overdue, SOON, 10) == []


def test_a_clock_is_only_ever_brought_forward(house: House) -> None:
    worker = house.person()
    made = house.filed([worker])
    offered = house.offer(made, worker, START)
    house.do(referral.fall_due, offered, SOON)
    assert house.ask(referral.overdue, START, 10) == [offered]
    later = house.offer(made, worker, SOON)
    house.do(referral.fall_due, later, START)
    assert house.ask(referral.overdue, START, 10) == [later]


def test_what_is_overdue_longest_comes_first(house: House) -> None:
    worker = house.person()
    made = [house.offer(house.filed([worker]), worker, START - timedelta(minutes=at)) for at in (1, 3, 2)]
    house.offer(house.filed([worker]), worker, START + timedelta(seconds=1))
    assert house.ask(referral.overdue, START, 2) == [made[1], made[2]]


def test_a_referral_knows_its_report(house: House) -> None:
    worker = house.person()
    made = house.filed([worker])
    assert house.ask(referral.report_of, house.offer(made, worker)) == made
    assert house.ask(referral.report_of, 999) is None


def test_accepting_and_expiring_at_the_same_time_end_in_one_of_the_two(house: House) -> None:
    """As desk and escalation do it: both lock the report first."""
    worker, other = house.person(), house.person()
    for _ in range(8):
        made = house.filed([worker, other])
        offered = house.offer(made, worker, START)

        def accept(db: Session, made: int = made) -> bool:
            return referral.accept(db, house.lock(db, made), worker, SOON, START)

        def expire(db: Session, made: int = made, offered: int = offered) -> bool:
            found = house.lock(db, made)
            if not referral.expire(db, offered, START):
                return False
            if found.state is report.State.RECEIVED:
                referral.offer(db, made, other, SOON, START)
            return True

        house.together(accept, expire)
        assert house.coarse(made).responsible_id == worker
        assert "pending" not in [state for _, state in states(house, made)]


class Life(RuleBasedStateMachine):
    """Four people and one report: whatever they do in whatever order, the rules of the house hold."""

    house: House
    people: list[int]

    @initialize()
    def begin(self) -> None:
        self.made = self.house.filed([self.people[0], self.people[1], seen(self.people[2]), seen(self.people[3])])
        self.now: datetime = START
        self.excluded: set[int] = set()

    def attempt(self, change: Callable[[], object]) -> None:
        with suppress(Refused):
            change()

    def lock(self, db: Session) -> report.Coarse:
        return self.house.lock(db, self.made)

    def reads(self, person: int) -> bool:
        return self.house.ask(plan.is_open_to, self.made, person)

    def pending(self) -> list[int]:
        return [person for person, state in states(self.house, self.made) if state == State.PENDING.value]

    @rule(who=PEOPLE, minutes=st.integers(min_value=1, max_value=90))
    @precondition(lambda self: self.house.coarse(self.made).state is not report.State.CLOSED)
    def offer(self, who: int, minutes: int) -> None:
        self.house.offer(self.made, self.people[who], self.now + timedelta(minutes=minutes))

    @rule(who=PEOPLE)
    def accept(self, who: int) -> None:
        if self.reads(self.people[who]):
            self.attempt(lambda: self.house.accept(self.made, self.people[who]))

    @rule(who=PEOPLE, reason=st.sampled_from(HandOnReason))
    def hand_on(self, who: int, reason: HandOnReason) -> None:
        """As a page does it: to the next of the plan in the same transaction, or not at all."""
        person = self.people[who]
        if not self.reads(person):
            return

        def change(db: Session) -> None:
            referral.hand_on(db, self.lock(db), person, reason, self.now)
            others = [other for other, _ in plan.people(db, self.made) if other != person]
            if not others:
                raise Refused("to", "Nobody else can take this report now.")
            referral.offer(db, self.made, others[0], self.now + timedelta(hours=1), self.now)

        try:
            self.house.do(change)
        except Refused:
            return
        if reason is HandOnReason.KNOWS_SOMEBODY:
            self.excluded.add(person)

    @rule(minutes=st.integers(min_value=1, max_value=120))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        for late in self.house.ask(referral.overdue, self.now, 10):
            self.house.do(referral.expire, late, self.now)

    @rule(who=PEOPLE)
    def close(self, who: int) -> None:
        def change(db: Session) -> None:
            closing.close(db, self.lock(db), self.people[who], Outcome.HELPED, self.now)
            referral.revoke(db, self.made)

        self.attempt(lambda: self.house.do(change))

    @invariant()
    def one_person_is_asked_at_a_time(self) -> None:
        assert len(self.pending()) <= 1

    @invariant()
    def a_report_that_was_taken_has_somebody_and_another_has_nobody(self) -> None:
        found = self.house.coarse(self.made)
        assert (found.responsible_id is None) == (found.state is report.State.RECEIVED)

    @invariant()
    def nothing_waits_for_a_closed_report(self) -> None:
        if self.house.coarse(self.made).state is report.State.CLOSED:
            assert self.pending() == []
            assert self.house.coarse(self.made).dispatch_at is None

    @invariant()
    def nobody_who_knows_somebody_can_read(self) -> None:
        assert not [person for person in self.excluded if self.reads(person)]
        planned = {person for person, _ in self.house.ask(plan.people, self.made)}
        assert not planned & self.excluded

    @invariant()
    def every_entry_of_the_plan_repeats_its_report(self) -> None:
        """But for one who is asked or did not answer: to them it waits, though somebody else still has it."""
        found = self.house.coarse(self.made)
        columns = (PlanEntry.caseworker_id, PlanEntry.state, PlanEntry.severity, PlanEntry.due_at)
        query = select(*columns).where(PlanEntry.report_id == self.made)
        open_ = Referral.state.in_([State.PENDING.value, State.EXPIRED.value])
        unanswered = select(Referral.caseworker_id).where(Referral.report_id == self.made, open_)
        asked = set(self.house.ask(lambda db: db.scalars(unanswered).all()))
        for person, state, severity, due_at in self.house.ask(lambda db: db.execute(query).all()):
            assert (severity, due_at) == (found.severity, found.due_at)
            assert state == found.state.value or (person in asked and state == "received")

    @invariant()
    def whoever_is_responsible_was_accepted_in_the_journal(self) -> None:
        if self.house.coarse(self.made).responsible_id is not None:
            assert Verb.ACCEPTED in [line.verb for line in self.house.ask(journal.of_report, self.made)]


def test_whatever_people_do_in_whatever_order_the_rules_of_the_house_hold(house: House) -> None:
    class Here(Life):
        pass

    Here.house = house
    Here.people = [house.person() for _ in range(4)]
    run_state_machine_as_test(Here, settings=settings(max_examples=15, stateful_step_count=12, deadline=None))
