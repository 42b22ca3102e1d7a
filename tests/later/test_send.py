"""Sending: each due message once, to the right number, in words without content; what fails is escalated."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from gateway import inbox, text
from gateway.casework import caseworker, message, referral, reminder
from gateway.casework.caseworker import CaseWorker
from gateway.later.dispatch import dispatch
from gateway.later.escalate import escalate
from gateway.later.send import send
from gateway.providers import Receipt, SendFailed, Sent
from gateway.runtime import Runtime
from tests import build
from tests.later import story

STAFF = dict[str, int]


@pytest.fixture
def staff(rt: Runtime) -> STAFF:
    return story.staff(rt)


def alerted(rt: Runtime, keys: tuple[str, ...] = story.DANGER, session: str = "one") -> int:
    made = story.tell(rt, keys, session)
    dispatch(rt, made)
    return made


def test_an_sms_names_the_report_and_its_deadline_and_nothing_of_what_was_said(rt: Runtime, staff: STAFF) -> None:
    made = alerted(rt)
    assert send(rt) == 1
    ((number, words),) = build.operator(rt).sms
    with rt.db.read() as db:
        assert number == caseworker.number(db, rt.vault, staff["worker"])
    assert story.coarse(rt, made).reference in words
    assert "10:15" in words, "15 minutes after 10:00 in Lubumbashi"
    assert text.septets(words) <= 160
    assert not text.offenders(words)
    for said in ("enfant", "danger", "site a", "p0", "child"):
        assert said not in words.lower()


def test_running_twice_sends_once(rt: Runtime, staff: STAFF) -> None:
    alerted(rt)
    assert [send(rt), send(rt)] == [1, 0]
    assert story.messages(rt) == [("alert", "sent", None)]


def test_senders_at_the_same_time_send_each_message_once(rt: Runtime, staff: STAFF) -> None:
    for at in range(6):
        alerted(rt, session=f"session {at}")
    with ThreadPoolExecutor(4) as pool:
        tried = list(pool.map(lambda _: send(rt), range(4)))
    assert sum(tried) == 6
    assert len({words for _, words in build.operator(rt).sms}) == len(build.operator(rt).sms) == 6


def test_what_did_not_leave_is_tried_again_when_its_wait_is_over(rt: Runtime, staff: STAFF) -> None:
    build.operator(rt).failing.extend([SendFailed("retry", "500"), SendFailed("held", "405")])
    alerted(rt)
    for wait in message.RETRY_AFTER[:2]:
        assert send(rt) == 1
        assert send(rt) == 0
        story.clock(rt).at += wait
    assert send(rt) == 1
    assert len(build.operator(rt).sms) == 1
    assert story.messages(rt) == [("alert", "sent", None)]


def test_while_nothing_leaves_the_report_is_escalated_all_the_same(rt: Runtime, staff: STAFF) -> None:
    build.operator(rt).failing.extend(SendFailed("held", "405") for _ in range(50))
    made = alerted(rt)
    for _ in range(30):
        send(rt)
        escalate(rt)
        story.clock(rt).go(minutes=1)
    assert [name for name, _ in story.asked(rt, made)] == ["Worker", "Supervisor"]
    build.operator(rt).failing.clear()
    story.clock(rt).go(minutes=15)
    send(rt)
    assert {state for _, state, _ in story.messages(rt)} == {"sent"}


def test_an_unknown_outcome_is_sent_again_exactly_once_and_then_escalated(rt: Runtime, staff: STAFF) -> None:
    build.operator(rt).failing.extend(SendFailed("unknown", "ReadTimeout") for _ in range(9))
    made = alerted(rt)
    assert send(rt) == 1
    assert story.messages(rt) == [("alert", "unknown", "unknown")]
    story.clock(rt).at += message.UNKNOWN_WAIT - timedelta(seconds=1)
    assert send(rt) == 0
    story.clock(rt).go(seconds=1)
    assert send(rt) == 1
    assert story.messages(rt) == [("alert", "failed", "unknown")]
    assert escalate(rt) == 1
    assert story.asked(rt, made)[-1] == ("Supervisor", "pending")
    story.clock(rt).go(minutes=10)
    assert send(rt) == 1
    assert len(build.operator(rt).failing) == 6, "three tries in all"


def test_an_unknown_outcome_that_had_gone_after_all_is_settled_by_the_second_send(
    rt: Runtime, staff: STAFF
) -> None:
    build.operator(rt).failing.append(SendFailed("unknown", "ReadTimeout"))
    alerted(rt)
    send(rt)
    story.clock(rt).at += message.UNKNOWN_WAIT
    send(rt)
    assert story.messages(rt) == [("alert", "sent", None)]
    inbox.delivery_reported(rt, Receipt("ATXid_1", "delivered"))
    assert story.messages(rt) == [("alert", "delivered", None)]


class Hasty(build.Operator):
    """An operator whose delivery report is here before its answer."""

    rt: Runtime

    def send_sms(self, number: str, text: str) -> Sent:
        sent = super().send_sms(number, text)
        inbox.delivery_reported(self.rt, Receipt(sent.message_id, "failed" if len(self.sms) == 1 else "delivered"))
        return sent


def test_a_delivery_report_that_is_quicker_than_the_answer_counts(rt: Runtime, staff: STAFF) -> None:
    hasty = Hasty()
    hasty.rt = rt = replace(rt, providers={hasty.name: hasty})
    made = alerted(rt)
    send(rt)
    assert story.messages(rt) == [("alert", "failed", None)]
    assert escalate(rt) == 1, "a failure that was told early does not wait for its clock either"
    send(rt)
    assert [state for _, state, _ in story.messages(rt)] == ["failed", "delivered"]
    assert story.asked(rt, made)[-1] == ("Supervisor", "pending")


def test_a_number_that_does_not_open_is_a_visible_failure_and_the_next_is_asked(rt: Runtime, staff: STAFF) -> None:
    with rt.db.begin() as db:
        db.execute(update(CaseWorker).where(CaseWorker.id == staff["worker"]).values(number_sealed=b"\x01" * 600))
    made = alerted(rt)
    send(rt)
    assert story.messages(rt) == [("alert", "failed", "no_number")]
    escalate(rt)
    assert story.asked(rt, made)[-1] == ("Supervisor", "pending")


def test_a_provider_that_breaks_unexpectedly_leaves_the_message_to_be_sent_again(
    rt: Runtime, staff: STAFF
) -> None:
    class Broken(build.Operator):
        broken = True

        def send_sms(self, number: str, text: str) -> Sent:
            if self.broken:
                raise RuntimeError(number)
            return super().send_sms(number, text)

    broken = Broken()
    rt = replace(rt, providers={broken.name: broken})
    alerted(rt)
    with pytest.raises(RuntimeError):
        send(rt)
    broken.broken = False
    assert send(rt) == 0, "its lease still runs"
    story.clock(rt).at += message.LEASE
    assert send(rt) == 1
    assert len(broken.sms) == 1


def test_nobody_waits_for_a_provider_inside_a_transaction(rt: Runtime, staff: STAFF) -> None:
    """Another process writes while the provider thinks."""

    class Slow(build.Operator):
        def send_sms(self, number: str, text: str) -> Sent:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(story.tell, other, story.HAZARD, "meanwhile").result()
            return super().send_sms(number, text)

    slow = Slow()
    other = build.another(rt)
    rt = replace(rt, providers={slow.name: slow})
    alerted(rt)
    assert send(rt) == 1
    other.close()


def test_an_sms_is_in_the_language_of_who_gets_it(rt: Runtime, staff: STAFF) -> None:
    with rt.db.begin() as db:
        db.execute(update(CaseWorker).where(CaseWorker.id == staff["supervisor"]).values(sms_language="sw_CD"))
        db.execute(update(CaseWorker).where(CaseWorker.id == staff["integrity"]).values(sms_language="xx"))
    alerted(rt)
    send(rt)
    for _ in range(2):
        story.clock(rt).go(minutes=15)
        escalate(rt)
        send(rt)
    first, second, third = (words for _, words in build.operator(rt).sms)
    assert ["répondez" in words for words in (first, second, third)] == [True, False, True], (
        "a language nobody knows is French"
    )


def test_the_log_names_rows_and_no_number_and_no_words(
    rt: Runtime, staff: STAFF, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    build.operator(rt).failing.append(SendFailed("refused", "403"))
    alerted(rt)
    send(rt)
    escalate(rt)
    send(rt)
    told = [(record.getMessage(), getattr(record, "fields", {})) for record in caplog.records]
    assert Counter(name for name, _ in told) == {"sms.not_sent": 1, "sms.sent": 1}
    whole = json.dumps(told)
    for number, words in build.operator(rt).sms:
        assert number not in whole
        assert words[:10] not in whole
    assert referral.State.PENDING.value not in whole


# The one SMS to a reporter who asked for it.

REPORTER = "+243990000077"


def asked_for(rt: Runtime, *numbers: str, language: str = "fr") -> None:
    with rt.begin() as unit:
        for number in numbers or (REPORTER,):
            reminder.queue(unit.db, rt.vault, number, language, rt.now())


def reminders(rt: Runtime) -> int:
    with rt.db.read() as db:
        return db.scalar(select(func.count()).select_from(reminder.Reminder)) or 0


def test_a_reminder_is_sent_once_and_leaves_no_trace(rt: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    asked_for(rt)
    assert [send(rt), send(rt)] == [1, 0]
    assert [number for number, _ in build.operator(rt).sms] == [REPORTER]
    assert reminders(rt) == 0
    assert story.messages(rt) == []
    assert caplog.records == []


@pytest.mark.parametrize("language", ["fr", "sw_CD", "ln"])
def test_a_reminder_says_nothing_of_what_it_is_about(rt: Runtime, staff: STAFF, language: str) -> None:
    """Whoever reads it over somebody's shoulder learns that there was an SMS."""
    made = alerted(rt)
    asked_for(rt, language=language)
    send(rt)
    (words,) = {words for number, words in build.operator(rt).sms if number == REPORTER}
    assert text.septets(words) <= 160
    assert not text.offenders(words)
    assert story.coarse(rt, made).reference not in words
    assert not any(letter.isdigit() for letter in words)
    said = (
        "code",
        "plainte",
        "signal",
        "rapport",
        "dossier",
        "mine",
        "enfant",
        "danger",
        "site",
        "repo",
        "*",
        "#",
    )
    assert not [word for word in said if word in words.lower()]


def test_senders_at_the_same_time_send_each_reminder_once(rt: Runtime) -> None:
    numbers = [f"+24399000{at:04d}" for at in range(12)]
    asked_for(rt, *numbers)
    with ThreadPoolExecutor(4) as pool:
        tried = list(pool.map(lambda _: send(rt), range(4)))
    assert sum(tried) == 12
    assert sorted(number for number, _ in build.operator(rt).sms) == numbers


@pytest.mark.parametrize("kind", ["retry", "held"])
def test_a_reminder_that_did_not_leave_is_tried_again_and_given_up_within_the_hour(rt: Runtime, kind: str) -> None:
    build.operator(rt).failing.append(SendFailed(kind, "500"))  # type: ignore[arg-type]
    asked_for(rt)
    assert send(rt) == 1
    assert send(rt) == 0, "not at once"
    story.clock(rt).at += reminder.AGAIN
    assert send(rt) == 1
    assert len(build.operator(rt).sms) == 1
    build.operator(rt).failing.extend(SendFailed(kind, "500") for _ in range(99))  # type: ignore[arg-type]
    asked_for(rt)
    tried = 0
    for _ in range(70):
        tried += send(rt)
        story.clock(rt).go(minutes=1)
    assert tried == reminder.LASTS // reminder.AGAIN
    assert reminders(rt) == 0
    assert len(build.operator(rt).sms) == 1


@pytest.mark.parametrize("kind", ["unknown", "refused"])
def test_a_reminder_that_may_have_gone_or_never_will_is_not_sent_again(rt: Runtime, kind: str) -> None:
    build.operator(rt).failing.append(SendFailed(kind, "ReadTimeout"))  # type: ignore[arg-type]
    asked_for(rt)
    assert send(rt) == 1
    assert reminders(rt) == 0
    story.clock(rt).go(minutes=10)
    assert send(rt) == 0


def test_one_who_is_killed_while_the_provider_thinks_has_sent_it_at_most_once(rt: Runtime) -> None:
    class Killed(BaseException):
        pass

    class Deadly(build.Operator):
        def send_sms(self, number: str, text: str) -> Sent:
            super().send_sms(number, text)
            raise Killed

    deadly = Deadly()
    asked_for(rt)
    with pytest.raises(Killed):
        send(replace(rt, providers={deadly.name: deadly}))
    assert send(rt) == 0
    assert len(deadly.sms) == 1


def test_a_reminder_that_does_not_leave_keeps_no_alert_waiting(rt: Runtime, staff: STAFF) -> None:
    build.operator(rt).failing.append(SendFailed("held", "405"))
    asked_for(rt)
    assert send(rt) == 1
    alerted(rt)
    assert send(rt) == 1
    assert [number for number, _ in build.operator(rt).sms] != [REPORTER]
    assert story.messages(rt) == [("alert", "sent", None)]


def test_a_reminder_that_does_not_open_holds_up_no_other(rt: Runtime) -> None:
    asked_for(rt, *(f"+24399000{at:04d}" for at in range(6)))
    with rt.db.begin() as db:
        db.execute(update(reminder.Reminder).values(number_sealed=b"\x01" * 600))
    asked_for(rt)
    send(rt)
    assert [number for number, _ in build.operator(rt).sms] == [REPORTER]


def test_an_alert_does_not_wait_for_reminders(rt: Runtime, staff: STAFF) -> None:
    """A provider may think for twelve seconds about each, and somebody may be in danger."""
    asked_for(rt, *(f"+24399000{at:04d}" for at in range(3)))
    alerted(rt)
    send(rt)
    with rt.db.read() as db:
        worker = caseworker.number(db, rt.vault, staff["worker"])
    assert build.operator(rt).sms[0][0] == worker


def test_what_the_log_says_of_a_reminder_names_no_number(rt: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    build.operator(rt).failing.append(SendFailed("unknown", REPORTER))
    asked_for(rt)
    send(rt)
    told = [(record.getMessage(), getattr(record, "fields", {})) for record in caplog.records]
    assert told == [("reminder.not_sent", {"reason": "unknown"})]
