"""Nobody answered in time: bring the report to the next person."""

from __future__ import annotations

from gateway.casework import message, referral, report
from gateway.later.dispatch import bring
from gateway.runtime import Runtime

BATCH = 100


def escalate(rt: Runtime) -> int:
    """End every pending referral whose clock has run out and ask the next person; returns how many."""
    with rt.db.read() as db:
        late = referral.overdue(db, rt.now(), BATCH)
    return sum(_one(rt, each) for each in late)


def _one(rt: Runtime, late: int) -> bool:
    now = rt.now()
    with rt.begin() as unit:
        report_id = referral.report_of(unit.db, late)
        found = report.lock(unit.db, report_id) if report_id is not None else None
        if found is None or not referral.expire(unit.db, late, now):
            return False
        if found.state is not report.State.CLOSED:  # one that was handed on has somebody, but waits for another
            bring(rt, unit, found, message.Kind.ESCALATION, now)
        return True
