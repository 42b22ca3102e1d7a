"""Forget what is no longer needed: acts whose keys are gone, ended sessions, stray delivery reports."""

from __future__ import annotations

from datetime import timedelta

from gateway import log
from gateway.casework import account, act, message
from gateway.runtime import Runtime

STRAY = timedelta(days=1)


def purge(rt: Runtime) -> None:
    """One round; running it again does no harm."""
    now = rt.now()
    with rt.begin() as unit:
        acts = act.forget(unit.db, rt.today())
        sessions = account.forget_ended(unit.db, now)
        strays = message.forget_early(unit.db, now - STRAY)
    if acts or sessions or strays:
        log.event("purged", count=acts + sessions + strays)
