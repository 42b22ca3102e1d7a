"""Forget what is no longer needed: acts whose keys are gone, ended sessions, stray delivery reports, numbers of
reporters, reports that were kept for long enough, and what the database still holds of rows that were replaced.

The day's key steps first, callers or none: what is marked with an older one can be known by nobody any more.
"""

from __future__ import annotations

from datetime import date, timedelta

from gateway import log
from gateway.casework import account, act, contact, guess, journal, message
from gateway.casework.verb import Verb
from gateway.later.erase import erase
from gateway.runtime import Runtime

STRAY = timedelta(days=1)
_MIRROR = 2.0
"""Seconds that a round waits for the mirror: less than the clock's lease lasts."""


def purge(rt: Runtime) -> None:
    """One round; running it again does no harm."""
    day, now = _step(rt), rt.now()
    # A clock gone wild must not make everything old: only one that the ratchet believes erases.
    days = rt.vault.days
    believed = day if day is not None and not days.doubted(rt.today()) else None
    if believed is not None:
        _keep_keys(rt, believed)
    erased = erase(rt) if believed is not None and not days.far_ahead(rt.today()) else 0
    with rt.begin() as unit:
        acts = act.forget(unit.db, day) + guess.forget(unit.db, day) if day else 0
        numbers = contact.erase_old(unit.db, believed) if believed else []
        for report_id in numbers:
            journal.write(unit.db, now, Verb.NUMBER_ERASED, report=report_id)
        sessions = account.forget_ended(unit.db, now)
        strays = message.forget_early(unit.db, now - STRAY)
    if rt.vault.directory.bring_into_step(_MIRROR):
        log.warn("keys.mirror_out_of_step")
    rt.db.checkpoint()
    if acts or sessions or strays or numbers or erased:
        log.event("purged", count=acts + sessions + strays + len(numbers) + erased)


def _step(rt: Runtime) -> date | None:
    """The day's key steps on. Returns the ratchet's day, which a clock gone wild does not move; None when the
    directory is away, and what is in the database is still to be forgotten."""
    try:
        return rt.vault.days.overlapping(rt.today())[0]
    except OSError as error:
        log.warn("keys.not_kept", error=error)
        return None


def _keep_keys(rt: Runtime, day: date) -> None:
    """Months are made ahead, and the weeks' keys end whose numbers nobody may call any more."""
    try:
        rt.vault.months.prepare(day)
        # Whoever asked in a week before this one did so longer ago than a number is kept.
        rt.vault.weeks.destroy_before(day - contact.LASTS)
    except OSError as error:
        log.warn("keys.not_kept", error=error)
