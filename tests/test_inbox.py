"""Delivery reports and ends of sessions, as the provider's posts bring them."""

from __future__ import annotations

import pytest

from gateway import desk, inbox
from gateway.later.dispatch import dispatch
from gateway.later.escalate import escalate
from gateway.later.send import send
from gateway.providers import Receipt
from gateway.runtime import Runtime
from tests import build
from tests.later import story


@pytest.fixture
def made(rt: Runtime) -> int:
    """An emergency whose SMS the provider has taken as ATXid_1."""
    story.staff(rt)
    found = story.tell(rt)
    dispatch(rt, found)
    send(rt)
    return found


def receipt(rt: Runtime, status: str, message_id: str = "ATXid_1") -> None:
    """A delivery report as Africa's Talking posts it."""
    build.Phone(rt).call("receipt", id=message_id, status=status, phoneNumber="+243000000001")


def test_a_delivered_message_is_known_to_be(rt: Runtime, made: int) -> None:
    rt, nudges = story.watched(rt)
    for status in ("Sent", "Success", "Success"):
        receipt(rt, status)
    assert story.messages(rt) == [("alert", "delivered", None)]
    assert nudges == []


def test_a_message_that_failed_is_escalated_at_once_and_nudged_once(rt: Runtime, made: int) -> None:
    rt, nudges = story.watched(rt)
    for status in ("Failed", "Failed", "Success"):
        receipt(rt, status)
    assert story.messages(rt) == [("alert", "failed", None)]
    assert nudges == [("escalate", None)]
    assert escalate(rt) == 1
    assert story.asked(rt, made) == [("Worker", "expired"), ("Supervisor", "pending")]


def test_a_failure_that_is_told_after_somebody_took_the_report_asks_nobody(rt: Runtime, made: int) -> None:
    assert desk.accept(rt, build.reader(1), made)
    receipt(rt, "Failed")
    assert escalate(rt) == 0


@pytest.mark.parametrize("status", ["", "SomethingNew", "success!", "Déjà"])
def test_a_word_nobody_knows_changes_nothing(light: Runtime, status: str) -> None:
    receipt(light, status)
    inbox.delivery_reported(light, Receipt("ATXid_1", None))
    assert story.messages(light) == []


def test_a_report_about_a_message_that_is_not_ours_breaks_nothing(rt: Runtime, made: int) -> None:
    for message_id in ("ATXid_999", "'; DROP TABLE message; --", "x" * 128):
        for status in ("Success", "Failed", "Sent"):
            receipt(rt, status, message_id)
    assert story.messages(rt) == [("alert", "sent", None)]


def test_the_end_of_a_session_hastens_its_report(rt: Runtime, made: int) -> None:
    rt, nudges = story.watched(rt)
    phone = build.Phone(rt, session="ATUid_1")
    phone.dial()
    phone.press(*story.HAZARD)
    assert nudges == []
    phone.hang_up()
    phone.hang_up()
    assert [job for job, _ in nudges] == ["dispatch"]
