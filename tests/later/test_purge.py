"""Forgetting: what is past goes, what is not yet past stays, and a second round does nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from gateway import inbox
from gateway.casework import account
from gateway.casework.account import SignIn
from gateway.casework.act import ActRow
from gateway.casework.message import EarlyReceipt
from gateway.later.purge import purge
from gateway.providers import Receipt
from gateway.runtime import Runtime
from tests.later import story


def left(rt: Runtime) -> tuple[int, int, int]:
    """Acts, sessions and stray delivery reports that are still there."""
    with rt.db.read() as db:
        acts = db.scalar(select(func.count()).select_from(ActRow)) or 0
        sessions = db.scalar(select(func.count()).select_from(SignIn)) or 0
        strays = db.scalar(select(func.count()).select_from(EarlyReceipt)) or 0
    return acts, sessions, strays


def test_everything_is_forgotten_in_its_time_and_not_before(rt: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    staff = story.staff(rt)
    made = story.tell(rt)
    with rt.begin() as unit:
        account.begin(unit.db, rt.vault, staff["supervisor"], rt.now())
    inbox.delivery_reported(rt, Receipt("a stray", "delivered"))
    purge(rt)
    assert left(rt) == (2, 1, 1)

    story.clock(rt).at += account.IDLE
    purge(rt)
    assert left(rt) == (2, 0, 1)

    story.clock(rt).at += timedelta(days=1)
    purge(rt)
    assert left(rt) == (2, 0, 0)

    story.clock(rt).at += timedelta(days=1)
    purge(rt)
    assert left(rt) == (2, 0, 0), "yesterday's acts and the day before's may still be repeated"

    story.clock(rt).at += timedelta(days=1)
    for _ in range(2):
        purge(rt)
    assert left(rt) == (0, 0, 0)
    assert story.reports(rt) == [made], "a report is nothing that is past"
    counts = [vars(record)["fields"]["count"] for record in caplog.records if record.getMessage() == "purged"]
    assert counts == [1, 1, 2]


def test_a_repeated_hop_after_its_acts_are_forgotten_is_a_new_report(rt: Runtime) -> None:
    """Its key is gone, so nobody can know it for one: it must not fail, nor show the old code."""
    story.staff(rt)
    first = story.tell(rt)
    code = story.press(rt, story.DANGER).text.split("\n")[1]
    story.clock(rt).go(days=4)
    purge(rt)
    again = story.press(rt, story.DANGER).text.split("\n")[1]
    assert again != code
    assert len(set(story.reports(rt)) - {first}) == 1
