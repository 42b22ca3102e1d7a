"""The clock's round: whatever is due and no worker has taken, done here from the rows."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from gateway.casework import journal, message, reminder, report
from gateway.casework.verb import Verb
from gateway.later.dispatch import dispatch, one_by_one
from gateway.later.escalate import escalate
from gateway.later.exclude import exclude
from gateway.later.send import send
from gateway.runtime import Runtime

GRACE = timedelta(seconds=2)
"""How long a worker that can be nudged has for a row before the clock does it."""
BATCH = 100


def sweep(rt: Runtime) -> int:
    """One round; returns how much there was to do."""
    due = rt.now() - (GRACE if rt.nudger.reachable() else timedelta(0))
    with rt.db.read() as db:
        waiting = report.to_dispatch(db, due, BATCH)
        outbox = message.is_due(db, due) or reminder.is_due(db, due)
    done = exclude(rt)  # before anybody is told of anything
    done += one_by_one(rt, "dispatch", waiting, partial(dispatch, rt), _put_off) + escalate(rt)
    if outbox or done:
        done += send(rt)
    return done


def _put_off(db: Any, report_id: int, until: datetime, now: datetime) -> None:
    report.set_dispatch(db, report_id, until)
    journal.write(db, now, Verb.CLOCK_SET, report=report_id)
