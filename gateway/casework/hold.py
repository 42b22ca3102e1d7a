"""Legal holds: two people together keep a report from being erased, until a day they name.

One asks, another agrees; until then nothing is held. A hold that has ended, or was never agreed to, holds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, Date, ForeignKey, delete, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.casework import caseworker, journal
from gateway.casework.refused import Refused
from gateway.casework.report import Report
from gateway.casework.verb import Verb
from gateway.db import Base

LONGEST = timedelta(days=2 * 366)
"""Whoever needs it longer asks again."""


class Hold(Base):
    """One hold; a later one takes the place of an earlier."""

    __tablename__ = "hold"
    __table_args__ = (
        {
            "comment": "Holds: which report two people keep from being erased, and until when.\n"
            "Kept: as long as its report.\n"
            "Read by: the people of the report; the erasing job."
        },
    )

    report_id: Mapped[int] = mapped_column(ForeignKey("report.id"), primary_key=True)
    until: Mapped[date] = mapped_column(Date)
    asked_by: Mapped[int] = mapped_column(ForeignKey("caseworker.id"))
    agreed_by: Mapped[int | None] = mapped_column(ForeignKey("caseworker.id"))


journal.watch("report", Hold.__table__, Hold.__table__.c.report_id)


@dataclass(frozen=True, slots=True)
class Standing:
    """A hold as a page shows it."""

    until: date
    asked_by: int
    agreed: bool


def standing(db: Session, report_id: int, today: date) -> Standing | None:
    """The hold of a report that has not ended, agreed to or not."""
    row = db.execute(select(Hold).where(Hold.report_id == report_id, Hold.until >= today)).scalar_one_or_none()
    return Standing(row.until, row.asked_by, row.agreed_by is not None) if row else None


def in_force(db: Session, report_id: int, today: date) -> bool:
    """Whether two people hold the report."""
    found = standing(db, report_id, today)
    return found is not None and found.agreed


def ask(db: Session, report_id: int, person: int, until: date, today: date, now: datetime) -> None:
    """The first of two. Raises Refused; a hold in force is not put aside by a request."""
    _may(db, person)
    if not today < until <= today + LONGEST:
        raise Refused("until", "Choose a day after today and within two years.")
    if in_force(db, report_id, today):
        raise Refused("", "This report is held already.")
    db.execute(delete(Hold).where(Hold.report_id == report_id))
    db.execute(insert(Hold).values(report_id=report_id, until=until, asked_by=person))
    journal.write(db, now, Verb.HOLD_ASKED, actor=person, report=report_id)


def agree(db: Session, report_id: int, person: int, until: date, today: date, now: datetime) -> None:
    """The second of two, to the day that they were shown. Raises Refused."""
    _may(db, person)
    found = standing(db, report_id, today)
    if found is None or found.agreed:
        raise Refused("", "Nobody asks for this report to be held.")
    if found.until != until:
        raise Refused("until", "Another day is asked for by now. Look at it again.")
    if found.asked_by == person:
        raise Refused("", "Somebody else agrees: it takes two people.")
    db.execute(update(Hold).where(Hold.report_id == report_id).values(agreed_by=person))
    journal.write(db, now, Verb.HELD, actor=person, report=report_id)


def erase(db: Session, report_id: int) -> None:
    db.execute(delete(Hold).where(Hold.report_id == report_id))


def not_held(today: date) -> ColumnElement[bool]:
    """The condition that nobody holds a report, for a query on reports."""
    agreed = (Hold.report_id == Report.id) & (Hold.until >= today) & Hold.agreed_by.is_not(None)
    return ~select(Hold.report_id).where(agreed).exists()


def _may(db: Session, person: int) -> None:
    if not caseworker.decides(db, person):
        raise Refused("", "Two supervisors or integrity officers hold a report.")
