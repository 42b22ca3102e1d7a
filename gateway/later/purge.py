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
    day, now = _keep_keys(rt), rt.now()
    # A clock gone wild must not make everything old: only one that the ratchet believes erases.
    believed = day is not None and not rt.vault.days.far_ahead(rt.today())
    erased = erase(rt) if believed else 0
    with rt.begin() as unit:
        acts = act.forget(unit.db, day) + guess.forget(unit.db, day) if day else 0
        numbers = contact.erase_old(unit.db, day) if day else []
        for report_id in numbers:
            journal.write(unit.db, now, Verb.NUMBER_ERASED, report=report_id)
        sessions = account.forget_ended(unit.db, now)
        strays = message.forget_early(unit.db, now - STRAY)
    rt.db.checkpoint()
    if acts or sessions or strays or numbers or erased:
        log.event("purged", count=acts + sessions + strays + len(numbers) + erased)


def _keep_keys(rt: Runtime) -> date | None:
    """The day's key steps on, months are made ahead, the mirror is brought into step. Returns the ratchet's day,
    which a clock gone wild does not move; None when the directory is away."""
    day = None
    try:
        day, _, _ = rt.vault.days.overlapping(rt.today())
        rt.vault.months.prepare(day)
        # Whoever asked in a week before this one did so longer ago than a number is kept.
        rt.vault.weeks.destroy_before(day - contact.LASTS)
    except OSError as error:  # what is in the database is still to be forgotten
        log.warn("keys.not_kept", error=error)
    if rt.vault.directory.bring_into_step(_MIRROR):
        log.warn("keys.mirror_out_of_step")
    return day
