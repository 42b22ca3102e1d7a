"""Acts: what a dialogue has already done, so that nothing is done twice.

A row is written first thing in the transaction of its act, under the act's marks of today and of yesterday:
twins queue on it, and midnight divides nothing. A row holds no caller, no session and no input, only marks
under keys that are gone two days later; then the rows go too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import BigInteger, Date, Index, LargeBinary, SmallInteger, String, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.db import Base
from gateway.vault import Marks

KEPT = timedelta(days=2)


class ActRow(Base):
    """One act under one mark; `day` is the local day whose key made the first of its two marks."""

    __tablename__ = "act"
    __table_args__ = (Index("ix_act_dialogue", "dialogue"), Index("ix_act_day", "day"))

    mark: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    dialogue: Mapped[bytes] = mapped_column(LargeBinary(32))
    day: Mapped[date] = mapped_column(Date)
    kind: Mapped[str] = mapped_column(String(12))
    report_id: Mapped[int | None] = mapped_column(BigInteger)
    attempt: Mapped[int] = mapped_column(SmallInteger)


@dataclass(frozen=True, slots=True)
class Done:
    """An act that was done: on which day, for which report, and at which attempt its code was free."""

    day: date
    report_id: int | None
    attempt: int


_DONE = (ActRow.day, ActRow.report_id, ActRow.attempt)


def find(db: Session, marks: Sequence[Marks]) -> list[Done | None]:
    """What is known of each act, in the order asked."""
    wanted = [mark for pair in marks for mark in (pair.now, pair.before)]
    rows = {
        row[0]: Done(*row[1:]) for row in db.execute(select(ActRow.mark, *_DONE).where(ActRow.mark.in_(wanted)))
    }
    return [rows.get(pair.now) or rows.get(pair.before) for pair in marks]


def begin(db: Session, marks: Marks, kind: str, dialogue: Marks) -> Done | None:
    """Claim an act for this transaction, or say what a twin has done. Waits for a twin that is at it."""
    insert = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
    rows = [
        {"mark": mark, "dialogue": of, "day": marks.day, "kind": kind, "attempt": 0}
        for mark, of in ((marks.now, dialogue.now), (marks.before, dialogue.before))
    ]
    # RETURNING tells which rows are new; a driver's row count does not.
    new = db.execute(insert(ActRow).on_conflict_do_nothing().returning(ActRow.mark), rows).scalars().all()
    if len(new) == 2:
        return None
    done = find(db, [marks])[0] if not new else _other(db, marks, new[0])
    if done is not None and new:  # a twin of the other side of midnight: its row is known under this mark too
        _fill(db, list(new), done)
    return done


def finish(db: Session, marks: Marks, *, report: int, attempt: int) -> None:
    """Say what a claimed act led to."""
    _fill(db, [marks.now, marks.before], Done(marks.day, report, attempt))


def reports_of(db: Session, dialogue: Marks) -> list[int]:
    """The reports that a dialogue filed or added to, within the last two days."""
    where = ActRow.dialogue.in_([dialogue.now, dialogue.before]) & ActRow.report_id.is_not(None)
    return list(db.scalars(select(ActRow.report_id.distinct()).where(where)))


def forget(db: Session, today: date) -> int:
    """Delete acts whose keys are gone; returns how many rows."""
    gone = db.execute(delete(ActRow).where(ActRow.day < today - KEPT).returning(ActRow.mark))
    return len(gone.scalars().all())


def _other(db: Session, marks: Marks, new: bytes) -> Done | None:
    other = marks.before if new == marks.now else marks.now
    row = db.execute(select(*_DONE).where(ActRow.mark == other)).one_or_none()
    return Done(*row) if row else None


def _fill(db: Session, marks: list[bytes], done: Done) -> None:
    db.execute(
        update(ActRow)
        .where(ActRow.mark.in_(marks))
        .values(day=done.day, report_id=done.report_id, attempt=done.attempt)
    )
