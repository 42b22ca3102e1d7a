"""Acts: what a dialogue has already done, so that nothing is done twice.

A row is written first thing in the transaction of its act, under the act's marks of today and of yesterday:
twins queue on it, and midnight divides nothing. A row holds no caller, no session and no input, only marks
under keys that are gone two days later; then the rows go too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import cast

from sqlalchemy import (
    BigInteger,
    Date,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    bindparam,
    delete,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.db import Base
from gateway.vault import Marks

KEPT = timedelta(days=2)


class ActRow(Base):
    """One act under one mark; `day` is the local day whose key made the first of its two marks."""

    __tablename__ = "act"
    __table_args__ = (
        Index("ix_act_dialogue", "dialogue"),
        Index("ix_act_day", "day"),
        {
            "comment": "Holds: what a dialogue has done, and what it was answered, under the day's marks and "
            "keys; no caller, session or input.\n"
            "Kept: two days; the keys of the marks are gone by then.\n"
            "Read by: the hop that comes next."
        },
    )

    mark: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    dialogue: Mapped[bytes] = mapped_column(LargeBinary(32))
    day: Mapped[date] = mapped_column(Date)
    kind: Mapped[str] = mapped_column(String(12))
    report_id: Mapped[int | None] = mapped_column(BigInteger)
    attempt: Mapped[int] = mapped_column(SmallInteger)
    reply_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)


@dataclass(frozen=True, slots=True)
class Done:
    """An act that was done: on which day, for which report, and at which attempt its code was free; of a question,
    its sealed answer."""

    day: date
    report_id: int | None
    attempt: int
    reply: bytes | None = field(default=None, repr=False)


# The statements of the hop that files are built once: building them costs more than running them.
_ACT = cast(Table, ActRow.__table__)
_DONE = (_ACT.c.day, _ACT.c.report_id, _ACT.c.attempt, _ACT.c.reply_sealed)
_FIND = select(_ACT.c.mark, *_DONE).where(_ACT.c.mark.in_(bindparam("marks", expanding=True)))
_FILL = update(_ACT).where(_ACT.c.mark.in_(bindparam("marks", expanding=True)))
_CLAIM = {
    "postgresql": postgresql.insert(_ACT).on_conflict_do_nothing().returning(_ACT.c.mark),
    "sqlite": sqlite.insert(_ACT).on_conflict_do_nothing().returning(_ACT.c.mark),
}


def find(db: Session, marks: Sequence[Marks]) -> list[Done | None]:
    """What is known of each act, in the order asked."""
    wanted = [mark for pair in marks for mark in (pair.now, pair.before)]
    rows = {row[0]: Done(*row[1:]) for row in db.execute(_FIND, {"marks": wanted})}
    return [rows.get(pair.now) or rows.get(pair.before) for pair in marks]


def begin(db: Session, marks: Marks, kind: str, dialogue: Marks) -> Done | None:
    """Claim an act for this transaction, or say what a twin has done. Waits for a twin that is at it."""
    claim = _CLAIM[db.get_bind().dialect.name]
    new: list[bytes] = []
    for mark, of in ((marks.now, dialogue.now), (marks.before, dialogue.before)):
        row = {"mark": mark, "dialogue": of, "day": marks.day, "kind": kind, "report_id": None, "attempt": 0}
        # RETURNING tells whether a row is new; a driver's row count does not.
        new.extend(db.execute(claim, row).scalars())
    if len(new) == 2:
        return None
    old = [mark for mark in (marks.now, marks.before) if mark not in new]
    done = next(Done(*row[1:]) for row in db.execute(_FIND, {"marks": old[:1]}))
    if new:  # a twin of the other side of midnight: what it did is known under this mark too
        _fill(db, new, done)
    return done


def finish(db: Session, marks: Marks, *, report: int | None, attempt: int = 0, reply: bytes | None = None) -> None:
    """Say what a claimed act led to, or what a question was answered."""
    _fill(db, [marks.now, marks.before], Done(marks.day, report, attempt, reply))


def reports_of(db: Session, dialogue: Marks) -> list[int]:
    """The reports that a dialogue filed or added to, within the last two days; not those it only asked about."""
    where = ActRow.dialogue.in_([dialogue.now, dialogue.before]) & ActRow.report_id.is_not(None)
    where &= ActRow.reply_sealed.is_(None)
    return list(db.scalars(select(ActRow.report_id).where(where).distinct()))


def forget(db: Session, today: date) -> int:
    """Delete acts whose keys are gone; returns how many rows."""
    gone = db.execute(delete(ActRow).where(ActRow.day < today - KEPT).returning(ActRow.mark))
    return len(gone.scalars().all())


def _fill(db: Session, marks: list[bytes], done: Done) -> None:
    db.execute(
        _FILL,
        {
            "marks": marks,
            "day": done.day,
            "report_id": done.report_id,
            "attempt": done.attempt,
            "reply_sealed": done.reply,
        },
    )
