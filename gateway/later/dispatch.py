"""Bring a report to the next person of its plan, with a clock and an SMS."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from gateway import log
from gateway.casework import caseworker, exclusion, journal, message, plan, referral, report, route
from gateway.casework.verb import Verb
from gateway.db import Unavailable
from gateway.runtime import Runtime, Unit

NOBODY_WAIT = timedelta(minutes=1)
"""How soon to look again when a plan holds nobody who is active, or when what was to be done failed."""


def one_by_one(
    rt: Runtime,
    job: str,
    rows: list[int],
    work: Callable[[int], object],
    put_off: Callable[[Any, int, datetime, datetime], None] | None = None,
) -> int:
    """Do `work` for each row. One that fails is put off for a minute, so that it never holds up those behind it:
    `put_off` is given the session, the row, until when, and the present moment; without it, the row has its turn
    again in the next round. Returns how many rows there were."""
    for row in rows:
        try:
            work(row)
        except Exception as error:
            log.warn("row.failed", error=error, job=job)
            if put_off is None:
                continue
            with suppress(Unavailable), rt.begin() as unit:
                now = rt.now()
                put_off(unit.db, row, now + NOBODY_WAIT, now)
    return len(rows)


def dispatch(rt: Runtime, report_id: int) -> None:
    """Make the first referral of a report, if that is due."""
    now = rt.now()
    with rt.begin() as unit:
        found = report.lock(unit.db, report_id)
        at = found.dispatch_at if found is not None else None
        if found is None or at is None or now < at <= now + report.FAR_AHEAD:
            return
        bring(rt, unit, found, message.Kind.ALERT, now)


def bring(
    rt: Runtime,
    unit: Unit,
    found: report.Coarse,
    kind: message.Kind,
    now: datetime,
    *,
    to: int | None = None,
    by: int | None = None,
) -> bool:
    """Offer a report to one person (`to`, or the next of its plan who is not `by`) and queue their SMS. False, and
    tried again in a minute, when nobody is there."""
    people = caseworker.every(unit.db)
    if exclusion.only_independent(found.accused_known, found.severity):
        dependent = exclusion.dependent(people)
        referral.leave_out(unit.db, found, dependent, now)
        if to in dependent:
            return False
    plan.show_at_once(unit.db, found.id, route.at_once(found.lane, people))
    asked = referral.asked(unit.db, found.id)
    person = to or _next(unit, found, asked, by)
    if person is None:
        log.warn("report.nobody", lane=found.lane, severity=found.severity)
        report.set_dispatch(unit.db, found.id, now + NOBODY_WAIT)
        journal.write(unit.db, now, Verb.CLOCK_SET, report=found.id)
        return False
    steps = rt.book.severities[found.severity].accept
    due_at = now + steps[min(len(asked), len(steps) - 1)]
    offered = referral.offer(unit.db, found.id, person, due_at, now, by=by)
    message.queue(unit.db, offered, kind, now)
    report.set_dispatch(unit.db, found.id, None)
    unit.nudge("send")
    return True


def _next(unit: Unit, found: report.Coarse, asked: list[int], by: int | None) -> int | None:
    """Who comes next: the first of the plan not yet asked; after the last, those who answer for the rest, in
    turn, so that an unanswered report is never silent. What its reporter asks to withdraw goes to those who decide
    about it."""
    planned = plan.people(unit.db, found.id)
    if all(reason == route.Reason.ON_DUTY.value for _, reason in planned):  # or nobody at all
        report.extend_plan(unit.db, found.id, _fresh(unit, found))
        planned = plan.people(unit.db, found.id)
    deciding = found.silent and any(reason != route.Reason.ON_DUTY.value for _, reason in planned)
    planned = [
        (person, reason)
        for person, reason in planned
        if person != by and not (deciding and reason == route.Reason.ON_DUTY.value)
    ]
    fresh_people = [person for person, _ in planned if person not in asked]
    if fresh_people:
        return fresh_people[0]
    last = [person for person, reason in planned if reason != route.Reason.ON_DUTY.value] or [
        person for person, _ in planned
    ]
    return min(last, key=lambda person: _last_place(asked, person)) if last else None


def _fresh(unit: Unit, found: report.Coarse) -> list[route.Step]:
    """A plan made anew, because everybody of the first has left. Only whoever still holds the report's key was
    never left out of it; and somebody independent who came here after it was filed cannot have been, unless they
    came to those who were."""
    people = caseworker.every(unit.db)
    held = plan.holds(unit.db, found.id)
    came = journal.came_after(unit.db, found.id, "person")
    clean = {one.organisation for one in people if one.id in held}
    clean |= journal.came_after(unit.db, found.id, "organisation")
    came -= exclusion.dependent(people) | {one.id for one in people if one.organisation not in clean}
    came -= exclusion.answering_to(people, {one.id for one in people} - held - came)
    if exclusion.only_independent(found.accused_known, found.severity):
        held -= exclusion.dependent(people)
    steps = route.plan(
        lane=found.lane,
        site=found.site_id,
        language=found.language,
        people=people,
        load=report.load(unit.db),
    )
    return [step for step in steps if step.person in held | came]


def _last_place(asked: list[int], person: int) -> int:
    return max((place for place, other in enumerate(asked) if other == person), default=-1)
