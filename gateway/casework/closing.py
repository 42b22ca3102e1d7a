"""How a report ends: closed by who answers for it, withdrawn by its reporter, or opened once more."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from gateway.casework import contact, journal, letter, plan, report
from gateway.casework.refused import Refused
from gateway.casework.report import Addition, Coarse, Outcome, Report, State
from gateway.casework.verb import Verb

SPEAKS = timedelta(days=14)
"""How long after it was closed the code of a report still tells so, and opens it once more."""


def close(db: Session, found: Coarse, person: int, outcome: Outcome, now: datetime) -> None:
    """Close a report with its reason; only who answers for it may. How to reach its reporter is erased. Raises
    Refused."""
    if found.state is State.CLOSED:
        raise Refused("", "This report is closed already.")
    if found.responsible_id != person:
        raise Refused("", "Only the person who took the report can close it.")
    _close(db, found.id, outcome, now)
    journal.write(db, now, Verb.CLOSED, actor=person, report=found.id)


def withdraw(db: Session, found: Coarse, now: datetime) -> None:
    """The reporter takes the report back: it is closed, what was told in it is destroyed, its code shows
    nothing."""
    empty(db, found.id)
    silence(db, found.id)
    _close(db, found.id, Outcome.WITHDRAWN, now)
    journal.write(db, now, Verb.WITHDRAWN, report=found.id)


def reopen(db: Session, found: Coarse, reference: str, due_at: datetime, now: datetime) -> None:
    """A report that was closed is open once more, under another `reference` if its own has been given to another
    report since. It is brought to somebody who was not asked yet."""
    values: dict[str, object] = {"outcome": None, "silent": None, "due_at": due_at}
    taken, _ = report.is_taken(db, reference=found.reference, code_token=b"")
    if taken:
        values["reference"] = reference
    db.execute(update(Report).where(Report.id == found.id).values(values))
    report.release(db, found.id, now)
    journal.write(db, now, Verb.REOPENED, report=found.id)


def silence(db: Session, report_id: int) -> None:
    """From now on the report's code shows nothing, as if there were none."""
    db.execute(update(Report).where(Report.id == report_id).values(silent=True))


def forget_number(db: Session, report_id: int, now: datetime) -> None:
    """Erase how to reach the reporter, and say so in the journal."""
    if contact.erase(db, report_id):
        journal.write(db, now, Verb.NUMBER_ERASED, report=report_id)


def empty(db: Session, report_id: int) -> None:
    """Destroy the keys of a report and what was told in it; what is coarse stays."""
    destroy_keys(db, report_id)
    db.execute(delete(Addition).where(Addition.report_id == report_id))
    db.execute(update(Report).where(Report.id == report_id).values(body_sealed=b""))


def destroy_keys(db: Session, report_id: int) -> None:
    """Destroy the keys of a report: nothing that was told in it opens any more, whatever still lies there. Its
    letters go with them, because what the reporter's code opens has no key here that could be destroyed."""
    plan.destroy_keys(db, report_id)
    letter.erase(db, report_id)
    db.execute(update(Report).where(Report.id == report_id).values(escrow_sealed=None))


def _close(db: Session, report_id: int, outcome: Outcome, now: datetime) -> None:
    values = {"state": State.CLOSED.value, "outcome": outcome.value, "due_at": now, "dispatch_at": None}
    db.execute(update(Report).where(Report.id == report_id).values(values))
    forget_number(db, report_id, now)
    report.tell_plan(db, report_id)
