"""Nobody answered in time, or whoever answers for a report has left: bring it to the next person."""

from __future__ import annotations

from functools import partial

from gateway.casework import journal, message, referral, report
from gateway.casework.verb import Verb
from gateway.later.dispatch import bring, one_by_one
from gateway.runtime import Runtime

BATCH = 100


def escalate(rt: Runtime) -> int:
    """End every pending referral whose clock has run out and ask the next person, and take every report from
    whoever cannot answer for it any more; returns how many there were."""
    with rt.db.read() as db:
        late, left = referral.overdue(db, rt.now(), BATCH), report.left_behind(db, BATCH)
    return one_by_one(rt, "escalate", late, partial(_one, rt), referral.put_off) + one_by_one(
        rt, "escalate", left, partial(_release, rt)
    )


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


def _release(rt: Runtime, report_id: int) -> None:
    now = rt.now()
    with rt.begin() as unit:
        found = report.lock(unit.db, report_id)
        if found is None or not report.left_behind(unit.db, 1, report_id):
            return
        referral.revoke(unit.db, report_id)
        report.release(unit.db, report_id, now)
        journal.write(unit.db, now, Verb.RELEASED, report=report_id, subject=found.responsible_id)
        unit.nudge("dispatch", report_id)
