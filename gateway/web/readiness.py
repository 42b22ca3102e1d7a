"""Can this process take a report right now? Asked by /readyz; every answer gives its reason in plain words."""

from __future__ import annotations

from contextlib import suppress
from tempfile import TemporaryFile
from typing import Any, Final

from gateway import migrations
from gateway.casework import guess, installation, shelf
from gateway.db import Unavailable
from gateway.runtime import Runtime
from gateway.vault.troubles import troubles

_NOBODY: Final = (
    "some reports have nobody who may answer for them: let an administrator add an integrity officer of another "
    "organisation, confirm their key, then give them the keys with two sheets of the escrow (`keys escrow grant`)"
)


class _Undo(Exception):
    """Rolls the trial back."""


def silent(db: Any) -> list[str]:
    """For the technician's page alone: whoever may not hear of a report must not read in public that there is
    one."""
    return [_NOBODY] if shelf.without_anybody(db) else []


def check(rt: Runtime) -> tuple[list[str], list[str]]:
    """Faults (no report can be taken, or nobody would be told) and warnings (slower than it should be)."""
    faults: list[str] = []
    warnings: list[str] = []
    try:
        if not migrations.is_current(rt.db):
            faults.append("the database is not at the newest migration: run `python3 -m gateway migrate`")
        else:
            with suppress(_Undo), rt.db.begin() as db:
                faults.extend(installation.faults(db))
                day, _ = rt.vault.bucket(rt.today(), "")
                if guess.slowed(db, day):
                    warnings.append("more wrong codes today than people mistype: somebody may be guessing")
                raise _Undo
    except Unavailable:
        faults.append("the database cannot be written")
    except OSError:
        pass  # the key directory is away, which is said below
    try:
        rt.vault.mark(rt.today(), b"ready?")
        # The day's key is in memory by now: whether tomorrow's can be stepped, only a trial tells.
        with TemporaryFile(dir=rt.settings.keys_dir):
            pass
        vault, demo = rt.vault, rt.settings.demo
        warnings.extend(troubles(vault.directory, vault.days, vault.months, rt.today(), demo=demo))
    except OSError:
        faults.append("the key directory cannot be written")
    if not rt.nudger.configured:
        warnings.append("no REDIS_URL: the clock does all the work, a little later")
    elif not rt.nudger.reachable():
        warnings.append("Redis does not answer: the clock does all the work, a little later")
    return faults, warnings
