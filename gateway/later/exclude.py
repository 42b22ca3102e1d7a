"""Somebody has come to stand where they may not hear of what they heard of before: take them off it.

Whoever works for another organisation now, or answers to other people, may belong to whom a report accuses; and
the house cannot read whom it accuses. So they lose every report they had, closed ones too, and their keys. That
they have to is written with the change itself: whoever is killed in between goes on next time.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from gateway.casework import caseworker, exclusion, plan, referral, report
from gateway.casework.caseworker import Person
from gateway.casework.organisation import Kind
from gateway.later.dispatch import one_by_one
from gateway.runtime import Runtime, Unit

BATCH = 100
MOST = 300
"""Reports of one round: until the last, whoever has to be taken off sees none of them anyway."""


def mark(unit: Unit, before: Collection[Person]) -> None:
    """Compare everybody with how they stood `before`, in the transaction that changed it."""
    people = caseworker.every(unit.db)
    stood, stands = _places(before), _places(people)
    moved = {one for one in exclusion.dependent(people) if one in stood and stood[one] != stands[one]}
    caseworker.mark_moved(unit.db, moved)


def exclude(rt: Runtime) -> int:
    """One round; returns how many reports somebody had to be taken off."""
    done, tried = 0, set[int]()
    with rt.db.read() as db:
        moved = caseworker.moved(db)
    while moved:
        with rt.db.read() as db:
            told = plan.told_to(db, moved, BATCH + len(tried))
        # One that failed waits for the next round.
        fresh = [report_id for report_id in told if report_id not in tried]
        if not fresh or done >= MOST:
            break
        tried.update(fresh)
        done += one_by_one(rt, "exclude", fresh, partial(_one, rt, moved))
    for person in moved:
        with rt.begin() as unit:
            if not plan.told_to(unit.db, [person], 1):
                caseworker.settle(unit.db, person)
    return done


def _one(rt: Runtime, people: Collection[int], report_id: int) -> None:
    with rt.begin() as unit:
        found = report.lock(unit.db, report_id)
        if found is not None and referral.leave_out(unit.db, found, people, rt.now()):
            report.set_dispatch(unit.db, report_id, rt.now())
            unit.nudge("dispatch", report_id)


def _places(people: Collection[Person]) -> dict[int, frozenset[tuple[int | None, Kind | None]]]:
    """For whom each works, and all whom they answer to."""
    by_id = {one.id: one for one in people}
    found = {}
    for one in people:
        line = [one]
        while (above := by_id.get(line[-1].supervisor or 0)) is not None and above not in line:
            line.append(above)
        found[one.id] = frozenset((each.organisation, each.kind) for each in line)
    return found
