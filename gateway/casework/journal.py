"""Who did or saw what: append-only, in the transaction of the act, as its last statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import cast

from sqlalchemy import BigInteger, ForeignKey, Index, String, Table, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.casework.caseworker import CaseWorker
from gateway.db import Base, UtcTime


class Verb(StrEnum):
    """What can be said of a report, a person or a place. A line never holds content."""

    FILED = "filed"
    ADDED = "added"
    MOVED = "moved"
    OFFERED = "offered"
    EXPIRED = "expired"
    OPENED = "opened"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    HANDED_ON = "handed_on"
    NOTED = "noted"
    CLOSED = "closed"
    REOPENED = "reopened"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    SIGNED_IN = "signed_in"
    PERSON_SAVED = "person_saved"
    SITE_SAVED = "site_saved"


class Entry(Base):
    """One line. `actor_id` is empty when the house did it; `report_id` or `subject_id` says to what."""

    __tablename__ = "journal"
    __table_args__ = (Index("ix_journal_report_id", "report_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime)
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("caseworker.id"))
    verb: Mapped[str] = mapped_column(String(20))
    report_id: Mapped[int | None] = mapped_column(BigInteger)
    subject_id: Mapped[int | None]


_WRITE = insert(cast(Table, Entry.__table__))


@dataclass(frozen=True, slots=True)
class Line:
    """One step of a report's story, for a page."""

    at: datetime
    verb: Verb
    actor: str | None
    subject: str | None


def write(
    db: Session,
    now: datetime,
    verb: Verb,
    *,
    actor: int | None = None,
    report: int | None = None,
    subject: int | None = None,
) -> None:
    """Append one line. `subject` is the case worker, or the site, that the verb is about. Times are whole minutes:
    nobody needs a second, and seconds would match a call."""
    at = now.replace(second=0, microsecond=0)
    row = {"at": at, "actor_id": actor, "verb": verb.value, "report_id": report, "subject_id": subject}
    db.execute(_WRITE, row)


def of_report(db: Session, report: int) -> list[Line]:
    """The story of a report, oldest first; subjects of these verbs are people."""
    actor, subject = CaseWorker.__table__.alias("actor"), CaseWorker.__table__.alias("subject")
    rows = db.execute(
        select(Entry.at, Entry.verb, actor.c.name, subject.c.name)
        .join(actor, actor.c.id == Entry.actor_id, isouter=True)
        .join(subject, subject.c.id == Entry.subject_id, isouter=True)
        .where(Entry.report_id == report)
        .order_by(Entry.id)
    )
    return [Line(at, Verb(verb), who, whom) for at, verb, who, whom in rows]
