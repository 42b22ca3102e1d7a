"""The clock's round: whatever is due is done from the rows, with or without Redis."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway import desk
from gateway.later.sweep import GRACE, sweep
from gateway.runtime import Nudger, Runtime
from tests import build
from tests.later import story

STAFF = dict[str, int]


@pytest.fixture
def staff(rt: Runtime) -> STAFF:
    return story.staff(rt)


def test_a_round_does_all_that_is_due_and_the_next_finds_nothing(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt)
    assert sweep(rt) == 2, "one report dispatched, one message sent"
    assert sweep(rt) == 0
    assert story.asked(rt, made) == [("Worker", "pending")]
    assert len(build.operator(rt).sms) == 1
    story.clock(rt).go(minutes=15)
    assert sweep(rt) == 2, "one referral escalated, one message sent"
    assert sweep(rt) == 0
    assert len(build.operator(rt).sms) == 2


def test_a_round_with_nothing_to_do_writes_nothing(rt: Runtime) -> None:
    assert sweep(rt) == 0
    assert story.messages(rt) == []


def test_where_workers_can_be_nudged_they_are_given_a_moment_first(
    rt: Runtime, staff: STAFF, redis_url: str
) -> None:
    rt = replace(rt, nudger=Nudger(redis_url))
    made = story.tell(replace(rt, nudger=Nudger(None)))
    assert sweep(rt) == 0
    story.clock(rt).at += GRACE
    assert sweep(rt) == 2
    assert story.asked(rt, made) == [("Worker", "pending")]
    rt.nudger.stop()


def test_where_redis_is_gone_the_clock_waits_for_nobody(rt: Runtime, staff: STAFF) -> None:
    rt = replace(rt, nudger=Nudger("unix:///nowhere/redis.sock"))
    made = story.tell(rt)
    assert sweep(rt) == 2
    assert story.asked(rt, made) == [("Worker", "pending")]
    rt.nudger.stop()


def test_a_whole_life_goes_by_with_nothing_but_the_clock(rt: Runtime, staff: STAFF) -> None:
    made = [
        story.tell(rt, keys, f"session {at}")
        for at, keys in enumerate((story.DANGER, story.HAZARD, story.COLLAPSE))
    ]
    for _ in range(30):
        sweep(rt)
        story.clock(rt).go(hours=2)
    assert [story.asked(rt, one)[0] for one in made] == [("Worker", "expired")] * 3
    for one in made:
        assert sum(state == "pending" for _, state in story.asked(rt, one)) == 1
        assert desk.accept(rt, build.reader(staff["supervisor"]), one)
    story.clock(rt).go(days=30)
    assert sweep(rt) == 0
    numbers = [number for number, _ in build.operator(rt).sms]
    assert len(set(numbers)) == 3


def test_one_report_that_cannot_be_dispatched_holds_up_no_other(rt: Runtime, staff: STAFF) -> None:
    broken = story.tell(rt)
    story.spoil(rt, broken)
    good = [story.tell(rt, session=f"good-{at}") for at in range(3)]
    sweep(rt)
    assert all(story.asked(rt, made) == [("Worker", "pending")] for made in good)
    assert story.asked(rt, broken) == []
    assert sweep(rt) == 0, "it is looked at again in a minute, not all the time"
    story.mend(rt, broken)
    story.clock(rt).go(minutes=1)
    sweep(rt)
    assert story.asked(rt, broken) == [("Worker", "pending")]
