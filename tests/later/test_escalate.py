"""Escalation: whoever does not answer is followed by the next, for ever, and a clock runs out once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway import desk
from gateway.casework import journal
from gateway.casework.caseworker import CaseWorker, Role
from gateway.casework.referral import HandOnReason
from gateway.casework.report import Outcome
from gateway.casework.verb import Verb
from gateway.later.dispatch import dispatch
from gateway.later.escalate import escalate
from gateway.later.send import send
from gateway.later.sweep import sweep
from gateway.providers import SendFailed
from gateway.runtime import Runtime
from tests import build
from tests.later import story

STAFF = dict[str, int]


@pytest.fixture
def staff(rt: Runtime) -> STAFF:
    return story.staff(rt)


def test_unaccepted_goes_to_the_next_then_the_supervisor_then_round_again(rt: Runtime, staff: STAFF) -> None:
    story.person(rt, "Second")
    made = story.tell(rt)
    dispatch(rt, made)
    waits = []
    for _ in range(6):
        waits.append(story.due_at(rt, made) - rt.now())
        story.clock(rt).at = story.due_at(rt, made) - timedelta(microseconds=1)
        assert escalate(rt) == 0
        story.clock(rt).at += timedelta(microseconds=1)
        assert escalate(rt) == 1
        assert escalate(rt) == 0, "run twice it does nothing more"
    names = [name for name, _ in story.asked(rt, made)]
    assert set(names[:2]) == {"Worker", "Second"}
    assert names[2:] == ["Supervisor", "Integrity", "Supervisor", "Integrity", "Supervisor"]
    assert waits == [timedelta(minutes=minutes) for minutes in (15, 15, 30, 30, 30, 30)]
    states = [state for _, state in story.asked(rt, made)]
    assert states == ["expired"] * 6 + ["pending"]
    assert [kind for kind, _, _ in story.messages(rt)] == ["alert"] + ["escalation"] * 6


def test_whoever_was_late_may_still_accept_and_the_next_is_left_in_peace(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt)
    dispatch(rt, made)
    story.clock(rt).go(minutes=15)
    escalate(rt)
    assert desk.accept(rt, build.reader(staff["worker"]), made)
    story.clock(rt).go(days=1)
    assert escalate(rt) == 0
    send(rt)
    assert story.asked(rt, made) == [("Worker", "expired"), ("Supervisor", "revoked")]
    assert {state for _, state, _ in story.messages(rt)} == {"failed"}
    assert build.operator(rt).sms == [], "what nobody waits for is not sent"


def test_an_sms_that_failed_does_not_wait_for_its_clock(rt: Runtime, staff: STAFF) -> None:
    build.operator(rt).failing.append(SendFailed("refused", "403"))
    made = story.tell(rt)
    dispatch(rt, made)
    send(rt)
    assert story.messages(rt) == [("alert", "failed", "refused")]
    assert escalate(rt) == 1
    assert story.asked(rt, made) == [("Worker", "expired"), ("Supervisor", "pending")]
    send(rt)
    assert len(build.operator(rt).sms) == 1


def test_when_no_sms_arrives_everybody_is_asked_in_turn_without_waiting(rt: Runtime, staff: STAFF) -> None:
    build.operator(rt).failing.extend(SendFailed("refused", "403") for _ in range(2))
    made = story.tell(rt)
    for _ in range(4):
        sweep(rt)
    assert [name for name, _ in story.asked(rt, made)] == ["Worker", "Supervisor", "Integrity"]
    assert len(build.operator(rt).sms) == 1


def test_what_was_handed_on_and_not_taken_goes_to_the_next(rt: Runtime, staff: STAFF) -> None:
    """The one who handed it on stays in charge, so the report counts as taken all the while."""
    made = story.tell(rt)
    dispatch(rt, made)
    desk.accept(rt, build.reader(staff["worker"]), made)
    desk.hand_on(rt, build.reader(staff["worker"]), made, HandOnReason.AWAY, None)
    story.clock(rt).at = story.due_at(rt, made)
    assert escalate(rt) == 1
    assert story.asked(rt, made) == [("Worker", "handed_on"), ("Supervisor", "expired"), ("Integrity", "pending")]
    assert story.coarse(rt, made).responsible_id == staff["worker"]
    assert desk.accept(rt, build.reader(staff["integrity"]), made)
    assert story.coarse(rt, made).responsible_id == staff["integrity"]


def test_a_report_that_was_closed_while_it_was_on_offer_asks_nobody(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt)
    dispatch(rt, made)
    desk.accept(rt, build.reader(staff["worker"]), made)
    desk.hand_on(rt, build.reader(staff["worker"]), made, HandOnReason.AWAY, None)
    desk.close(rt, build.reader(staff["worker"]), made, Outcome.HELPED)
    story.clock(rt).go(days=1)
    assert escalate(rt) == 0
    send(rt)
    assert story.asked(rt, made) == [("Worker", "handed_on"), ("Supervisor", "revoked")]
    assert build.operator(rt).sms == []


def test_reports_in_plenty_are_all_escalated_in_rounds(rt: Runtime, staff: STAFF) -> None:
    made = [story.tell(rt, session=f"session {at}") for at in range(3)]
    for one in made:
        dispatch(rt, one)
    story.clock(rt).go(minutes=15)
    assert escalate(rt) == 3
    assert {tuple(story.asked(rt, one)) for one in made} == {(("Worker", "expired"), ("Supervisor", "pending"))}


def test_whoever_leaves_is_not_waited_for(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt)
    sweep(rt)
    assert story.asked(rt, made) == [("Worker", "pending")]
    story.leave(rt, staff["worker"])
    sweep(rt)
    assert story.asked(rt, made) == [("Worker", "expired"), ("Supervisor", "pending")]


def test_when_no_sms_can_be_sent_to_anybody_the_clock_of_each_runs_all_the_same(rt: Runtime, staff: STAFF) -> None:
    """Everybody has been asked: asking them again at once, over and over, would fill the journal and nothing
    else."""
    build.operator(rt).failing.extend(SendFailed("refused", "403") for _ in range(500))
    made = story.tell(rt)
    for _ in range(50):
        sweep(rt)
    assert [name for name, _ in story.asked(rt, made)] == ["Worker", "Supervisor", "Integrity"]
    assert story.due_at(rt, made) > rt.now()
    story.clock(rt).at = story.due_at(rt, made)
    sweep(rt)
    assert len(story.asked(rt, made)) == 4, "and then it goes round"


@pytest.mark.parametrize("how", ["left", "new key", "other work"])
def test_a_report_of_somebody_who_can_answer_for_it_no_more_is_brought_to_others(
    rt: Runtime, staff: STAFF, how: str
) -> None:
    made = story.tell(rt)
    dispatch(rt, made)
    desk.accept(rt, build.reader(staff["worker"]), made)
    with rt.begin() as unit:
        person = unit.db.get_one(CaseWorker, staff["worker"])
        if how == "left":
            person.active = False
        elif how == "new key":
            person.attest = None
        else:
            person.role = Role.TECHNICIAN.value
        journal.write(unit.db, rt.now(), Verb.PERSON_SAVED, subject=staff["worker"])
    for _ in range(2):  # it is taken from them in one round, and brought to others in the next
        sweep(rt)
    assert story.asked(rt, made)[-1] == ("Supervisor", "pending")
    assert story.coarse(rt, made).responsible_id is None
    assert Verb.RELEASED in story.verbs(rt, made)
    assert desk.accept(rt, build.reader(staff["supervisor"]), made)
    sweep(rt)
    assert story.coarse(rt, made).responsible_id == staff["supervisor"]


def test_whoever_has_another_role_now_is_asked_no_more(rt: Runtime, staff: STAFF) -> None:
    """A plan of people who are something else by now has run dry."""
    made = story.tell(rt, story.COMPLAINT)
    other = story.person(rt, "Other", Role.INTEGRITY_OFFICER)
    with rt.begin() as unit:
        unit.db.get_one(CaseWorker, staff["integrity"]).role = Role.TECHNICIAN.value
        journal.write(unit.db, rt.now(), Verb.PERSON_SAVED, subject=staff["integrity"])
    story.clock(rt).go(minutes=4)
    sweep(rt)
    assert story.asked(rt, made) == [("Other", "pending")]
    assert [person for person, _ in story.plan(rt, made)][-1] == other
