"""Dispatch: a report reaches the next person of its plan, with a clock and an SMS, or is tried again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway import desk
from gateway.casework import Refused
from gateway.casework.caseworker import Role
from gateway.casework.referral import HandOnReason
from gateway.later.dispatch import NOBODY_WAIT, dispatch
from gateway.later.escalate import escalate
from gateway.later.sweep import sweep
from gateway.runtime import Runtime
from tests import build
from tests.later import story

STAFF = dict[str, int]


@pytest.fixture
def staff(rt: Runtime) -> STAFF:
    return story.staff(rt)


def test_an_emergency_is_brought_to_who_is_on_duty_at_once_and_only_once(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt)
    for _ in range(3):
        dispatch(rt, made)
    assert story.asked(rt, made) == [("Worker", "pending")]
    assert story.due_at(rt, made) == rt.now() + timedelta(minutes=15)
    assert story.messages(rt) == [("alert", "queued", None)]
    assert story.plan(rt, made) == [
        (staff["worker"], True),
        (staff["supervisor"], True),
        (staff["integrity"], False),
    ]


def test_what_is_not_due_waits_until_the_dialogue_is_quiet(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt, story.HAZARD)
    story.clock(rt).go(seconds=179)
    dispatch(rt, made)
    sweep(rt)
    assert story.asked(rt, made) == []
    story.clock(rt).go(seconds=1)
    dispatch(rt, made)
    assert story.asked(rt, made) == [("Worker", "pending")]
    assert story.due_at(rt, made) == rt.now() + timedelta(days=1)


def test_a_report_that_is_not_there_is_no_work(rt: Runtime) -> None:
    dispatch(rt, 7)
    assert story.messages(rt) == []


def test_with_nobody_on_duty_the_supervisor_is_asked_and_then_the_officer(rt: Runtime, staff: STAFF) -> None:
    story.leave(rt, staff["worker"])
    made = story.tell(rt)
    dispatch(rt, made)
    assert story.asked(rt, made) == [("Supervisor", "pending")]
    story.leave(rt, staff["supervisor"])
    story.clock(rt).go(minutes=15)
    escalate(rt)
    assert story.asked(rt, made) == [("Supervisor", "expired"), ("Integrity", "pending")]


def test_with_nobody_at_all_it_is_tried_again_and_not_lost(rt: Runtime) -> None:
    build.sites(rt, "Site A")
    made = story.tell(rt)
    for _ in range(3):
        sweep(rt)
        assert story.asked(rt, made) == []
        assert story.coarse(rt, made).dispatch_at == rt.now() + NOBODY_WAIT
        story.clock(rt).at += NOBODY_WAIT
    story.person(rt, "Late")
    sweep(rt)
    assert story.asked(rt, made) == [("Late", "pending")]
    assert [words for _, words in build.operator(rt).sms]


def test_a_complaint_is_brought_to_officers_only(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt, (*story.COMPLAINT, "3"))
    dispatch(rt, made)
    assert story.asked(rt, made) == [("Integrity", "pending")]
    assert story.plan(rt, made) == [(staff["integrity"], True)]
    for _ in range(3):
        story.clock(rt).go(days=2)
        escalate(rt)
    assert {name for name, _ in story.asked(rt, made)} == {"Integrity"}


def test_nobody_sees_or_takes_a_report_before_its_dispatch(rt: Runtime, staff: STAFF) -> None:
    """By then it may be known who did it, and it may be any of them."""
    made = story.tell(rt, story.HAZARD)
    for person in staff.values():
        assert desk.read(rt, build.reader(person), made) is None
        with pytest.raises(Refused):
            desk.accept(rt, build.reader(person), made)
    assert all(not opened for _, opened in story.plan(rt, made))
    story.clock(rt).go(minutes=5)
    dispatch(rt, made)
    assert desk.accept(rt, build.reader(staff["supervisor"]), made), "who answers for the rest sees it at once"
    sweep(rt)
    assert story.asked(rt, made) == [("Worker", "revoked")]
    assert story.messages(rt) == [("alert", "failed", "withdrawn")]


def test_what_was_handed_on_when_nobody_was_there_is_brought_to_the_first_who_comes(
    rt: Runtime, staff: STAFF
) -> None:
    made = story.tell(rt)
    dispatch(rt, made)
    desk.accept(rt, build.reader(staff["worker"]), made)
    desk.hand_on(rt, build.reader(staff["worker"]), made, HandOnReason.KNOWS_SOMEBODY, None)
    story.leave(rt, *staff.values())
    story.clock(rt).go(hours=1)
    sweep(rt)
    assert story.asked(rt, made)[-1] == ("Supervisor", "expired")
    story.come_back(rt, staff["integrity"])
    story.clock(rt).at += NOBODY_WAIT
    sweep(rt)
    assert story.asked(rt, made)[-1] == ("Integrity", "pending")
    assert desk.accept(rt, build.reader(staff["integrity"]), made)


def test_a_plan_that_ran_dry_is_made_anew_without_who_knows_somebody(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt)
    dispatch(rt, made)
    desk.hand_on(rt, build.reader(staff["worker"]), made, HandOnReason.KNOWS_SOMEBODY, None)
    story.leave(rt, staff["supervisor"], staff["integrity"])
    story.clock(rt).go(hours=1)
    sweep(rt)
    assert [name for name, _ in story.asked(rt, made)] == ["Worker", "Supervisor"]
    story.person(rt, "Newcomer", Role.SUPERVISOR)
    story.clock(rt).at += NOBODY_WAIT
    sweep(rt)
    assert story.asked(rt, made)[-1] == ("Newcomer", "pending")
    for _ in range(3):
        story.clock(rt).go(hours=1)
        sweep(rt)
    assert [name for name, _ in story.asked(rt, made)].count("Worker") == 1
    assert staff["worker"] not in [person for person, _ in story.plan(rt, made)]


def test_the_least_busy_of_those_on_duty_is_asked_first(rt: Runtime, staff: STAFF) -> None:
    story.person(rt, "Second")
    first = story.tell(rt, session="first")
    dispatch(rt, first)
    desk.accept(rt, build.reader(staff["worker"]), first)
    rt.directory.renew()
    second = story.tell(rt, session="second")
    dispatch(rt, second)
    assert story.asked(rt, second) == [("Second", "pending")]
