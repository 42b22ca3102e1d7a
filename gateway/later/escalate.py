"""Nobody answered in time: bring the report to the next person."""

from __future__ import annotations

from functools import partial

from gateway.casework import message, referral, report
from gateway.later.dispatch import bring, one_by_one
from gateway.runtime import Runtime

BATCH = 100


def escalate(rt: Runtime) -> int:
    """End every pending referral whose clock has run out and ask the next person; returns how many there were."""
    with rt.db.read() as db:
        late = referral.overdue(db, rt.now(), BATCH)
    return one_by_one(rt, "escalate", late, partial(_one, rt), referral.put_off)


def _one(rt: Runtime, late: int) -> None:
    now = rt.now()
    with rt.begin() as unit:
        report_id = referral.report_of(unit.db, late)
        found = report.lock(unit.db, report_id) if report_id is not None else None
        if found is None:
            return
        referral.fall_due(unit.db, late, now)  # for one whose person has left, the clock has not run out by itself
        if not referral.expire(unit.db, late, now):
            return
        if found.state is not report.State.CLOSED:  # one that was handed on has somebody, but waits for another
            bring(rt, unit, found, message.Kind.ESCALATION, now)
