"""The installation as its technician sees it: whether it can take reports, its keys, and the head of its journal.

Nothing here is about a caller, a report or a colleague.
"""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from gateway.casework import chain
from gateway.vault import escrow, fingerprint
from gateway.web import readiness, runtime

machine = Blueprint("machine", __name__)


@machine.get("/machine")
def show() -> ResponseReturnValue:
    rt = runtime()
    faults, warnings = readiness.check(rt)
    with rt.db.read() as db:
        head = chain.head(db)
        warnings += readiness.silent(db)
    held = escrow.public(rt.vault.directory)
    months = rt.vault.months.months()
    return render_template(
        "machine.html",
        faults=faults,
        warnings=warnings,
        head=head,
        ratchet=rt.vault.days.overlapping(rt.today())[0],
        months=months,
        destroyed=len(rt.vault.months.destroyed()),
        mirror=rt.settings.keys_mirror is not None,
        escrow=fingerprint(held) if held else None,
    )
