"""Erase the reports that were kept for long enough: the keys first, then the rows, then the key of a month that no
report needs any more. Whoever is killed in between goes on where it stood."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from gateway import log
from gateway.casework import erasure
from gateway.later.dispatch import one_by_one
from gateway.runtime import Runtime

BATCH = 100
ONE_DAY = timedelta(days=1)
MOST = 500
"""Reports of one round: the clock has other things to do, and comes back."""


def erase(rt: Runtime) -> int:
    """One round; returns how many reports were due."""
    done, tried = 0, set[int]()
    while True:
        with rt.db.read() as db:
            due = erasure.due(db, rt.book.kept, rt.today(), rt.now(), BATCH + len(tried))
        # One that failed waits for the next round.
        fresh = [report_id for report_id in due if report_id not in tried]
        if not fresh or done >= MOST:
            break
        tried.update(fresh)
        done += one_by_one(rt, "erase", fresh, partial(_one, rt))
    _destroy_months(rt)
    return done


def _one(rt: Runtime, report_id: int) -> None:
    now = rt.now()
    with rt.begin() as unit:
        if not erasure.is_due(unit.db, report_id, rt.book.kept, rt.today(), now):
            return
        erasure.destroy_keys(unit.db, report_id, now)
    # Nothing of it opens from here on; what is left are rows.
    with rt.begin() as unit:
        erasure.erase(unit.db, report_id, now)


def _destroy_months(rt: Runtime) -> None:
    """The keys of months whose reports are all erased: from then on no old copy of the database opens either. A
    month of which this database has never erased a report has to be older than anything that is kept: it may be an
    empty database that was laid beside the keys by mistake."""
    oldest = erasure.before(rt.now(), max(rt.book.kept.values()))
    try:
        months = rt.vault.months.months()
        if not months:
            return  # a directory that is away
        day, _, _ = rt.vault.days.overlapping(rt.today())
        with rt.db.read() as db:
            used, erased = erasure.months_in_use(db), erasure.months_erased(db)
        # Not the month that has just ended: a filing of yesterday's may be under way.
        for month in months:
            over = month in erased and month < f"{day.replace(day=1) - ONE_DAY:%Y-%m}"
            if (over or month < f"{oldest:%Y-%m}") and month not in used:
                rt.vault.months.destroy(month, day)
    except (OSError, ValueError) as error:
        log.warn("keys.not_destroyed", error=error)
