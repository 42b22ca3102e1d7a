"""Erasing what has been kept for long enough: the keys first, the rows after, a line of coarse facts at the end.

Each step is a transaction, and what is half done is found again: whoever is killed in between goes on next time.
The report's row, with its clock, goes last; a report whose keys are gone is unreadable from then on.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import date, datetime

from sqlalchemy import BigInteger, ColumnElement, ForeignKey, String, delete, func, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.casework import closing, contact, hold, journal
from gateway.casework.message import Message
from gateway.casework.plan import PlanEntry
from gateway.casework.referral import Referral
from gateway.casework.report import Addition, Report, State
from gateway.casework.route import INTEGRITY
from gateway.casework.verb import Verb
from gateway.db import Base

RARE = (INTEGRITY, "gbv")
"""Lanes whose reports are so few that a place would single somebody out."""


class Remains(Base):
    """What is left of one report, under a number of its own."""

    __tablename__ = "remains"
    __table_args__ = (
        {
            "comment": "Holds: of each report that was erased: its topic, severity, lane, site (but for rare "
            "lanes), month and how it ended.\n"
            "Kept: for good.\n"
            "Read by: whoever counts."
        },
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    topic: Mapped[str] = mapped_column(String(24))
    severity: Mapped[str] = mapped_column(String(2))
    lane: Mapped[str] = mapped_column(String(16))
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"))
    month: Mapped[str] = mapped_column(String(7))
    outcome: Mapped[str | None] = mapped_column(String(16))


def due(db: Session, kept: Mapping[str, int], today: date, now: datetime, limit: int) -> list[int]:
    """Reports that were closed long enough ago, by the months that their lane is kept, and that nobody holds."""
    found: list[int] = []
    for lane, months in kept.items():
        query = select(Report.id).where(Report.lane == lane, _old(months, today, now)).order_by(Report.due_at)
        found += db.scalars(query.limit(limit - len(found)))
    return found


def is_due(db: Session, report_id: int, kept: Mapping[str, int], today: date, now: datetime) -> bool:
    """Whether it still is, behind the lock of its row: it may have been opened again, or held, since."""
    lane = db.scalar(select(Report.lane).where(Report.id == report_id).with_for_update())
    if lane is None or lane not in kept:
        return False
    here = select(Report.id).where(Report.id == report_id, _old(kept[lane], today, now))
    return db.scalar(select(here.exists())) or False


def _old(months: int, today: date, now: datetime) -> ColumnElement[bool]:
    """The condition that a report was closed longer ago than that, and that nobody holds it."""
    cut = before(now, months)
    closed = (Report.state == State.CLOSED.value) & (Report.due_at < cut) & hold.not_held(today)
    # Its month is the day keys', not the clock's: what was closed by a clock that was behind is not old.
    return closed & (Report.month <= f"{cut:%Y-%m}")


def destroy_keys(db: Session, report_id: int, now: datetime) -> None:
    """The first step: from its commit on nothing of the report opens."""
    closing.destroy_keys(db, report_id)
    journal.write(db, now, Verb.KEYS_DESTROYED, report=report_id)


def erase(db: Session, report_id: int, now: datetime) -> None:
    """The second step: every row of the report goes, and its line remains. Doing it again does nothing."""
    columns = (Report.topic, Report.severity, Report.lane, Report.site_id, Report.month, Report.outcome)
    row = db.execute(select(*columns).where(Report.id == report_id).with_for_update()).one_or_none()
    if row is None:
        return  # another process was quicker
    topic, severity, lane, site_id, month, outcome = row
    db.execute(
        insert(Remains).values(
            id=secrets.randbits(62) + 1,
            topic=topic,
            severity=severity,
            lane=lane,
            site_id=None if lane in RARE else site_id,
            month=month,
            outcome=outcome,
        )
    )
    referrals = select(Referral.id).where(Referral.report_id == report_id)
    db.execute(delete(Message).where(Message.referral_id.in_(referrals)))
    contact.erase(db, report_id)
    hold.erase(db, report_id)
    for table in (Referral, PlanEntry, Addition):
        db.execute(delete(table).where(table.report_id == report_id))
    db.execute(delete(Report).where(Report.id == report_id))
    journal.write(db, now, Verb.ERASED, report=report_id)


def months_in_use(db: Session) -> set[str]:
    """The months whose key some report still needs."""
    return set(db.scalars(select(Report.month).distinct()))


def months_erased(db: Session) -> set[str]:
    """The months of which this database has erased a report."""
    return set(db.scalars(select(Remains.month).distinct()))


def standing(db: Session, month: str, today: date) -> tuple[int, int]:
    """How many reports of a month are not closed, and how many two people hold."""
    of_month = select(func.count()).select_from(Report).where(Report.month == month)
    open_ = db.scalar(of_month.where(Report.state != State.CLOSED.value)) or 0
    return open_, db.scalar(of_month.where(~hold.not_held(today))) or 0


def before(now: datetime, months: int) -> datetime:
    """The moment so many months ago; the last day of a shorter month stands for a day it lacks."""
    month = now.year * 12 + now.month - 1 - months
    year, number = divmod(month, 12)
    for day in (now.day, 30, 29, 28):
        try:
            return now.replace(year=year, month=number + 1, day=day)
        except ValueError:
            continue
    raise AssertionError("every month has 28 days")
