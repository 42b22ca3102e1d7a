"""Codes that nobody has: counted, so that nobody finds one by trying.

A caller is counted in one of 4,096 buckets of the day, which name nobody. A bucket's fifth wrong code is its last
of the day. When there have been MOST_TOGETHER of all callers, nobody is shut out for it, but from then on the
first wrong code of a bucket's neighbours shuts the neighbourhood, of GROUPS: so a few telephones that use up the
common count have used up their own with it, and everybody else still gets in. All together the day has at most
MOST_TOGETHER + GROUPS wrong codes, however many telephones try.

It is a bargain: somebody with a telephone in every group besides those forty, a hundred or so in all, shuts the
way until midnight. The alternative is that they find a code. The log and /readyz tell when it is narrowed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, cast

from sqlalchemy import Date, Integer, SmallInteger, Table, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.db import Base
from gateway.vault import BUCKETS

MOST = 5
MOST_TOGETHER = 200
GROUPS: Final = 64
KEPT = timedelta(days=1)
_ALL: Final = -1
"""The bucket of everybody: whoever counts holds its row, so that no two count at the same time."""


class Guess(Base):
    """How many wrong codes a bucket of callers typed on a day; `late` of them when there were too many."""

    __tablename__ = "guess"
    __table_args__ = (
        {
            "comment": "Holds: how many wrong codes were typed, by day and bucket; thousands of numbers share "
            "one.\n"
            "Kept: two days.\n"
            "Read by: the hop that asks for a code; whether there were too many, the technician."
        },
    )

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    bucket: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    wrong: Mapped[int] = mapped_column(Integer)
    late: Mapped[int] = mapped_column(Integer)


_GUESS = cast(Table, Guess.__table__)


@dataclass(frozen=True, slots=True)
class Tries:
    """Where a bucket stands before one more code is looked at."""

    day: date
    bucket: int
    blocked: bool
    """Whatever is typed shows nothing."""
    slowed: bool
    """There were too many wrong codes today."""


def hold(db: Session, day: date, bucket: int) -> Tries:
    """Where a bucket stands; until the transaction ends nobody else can ask, so that no count is overtaken."""
    for each in (_ALL, bucket):
        _hold_row(db, day, each)
    row = db.execute(select(_GUESS.c.wrong, _GUESS.c.late).where(_at(day, bucket))).one()
    slowed = _total(db, day) >= MOST_TOGETHER
    first = bucket // (BUCKETS // GROUPS) * (BUCKETS // GROUPS)
    group = (_GUESS.c.day == day) & _GUESS.c.bucket.between(first, first + BUCKETS // GROUPS - 1)
    late = db.scalar(select(func.coalesce(func.sum(_GUESS.c.late), 0)).where(group)) or 0
    return Tries(day, bucket, row.wrong >= MOST or (slowed and late > 0), slowed)


def count(db: Session, tries: Tries, *, wrong: bool) -> None:
    """One more code showed nothing, and was `wrong` if there is no report that it belongs to; a blocked bucket is
    not counted on. The statements are the same whatever comes of it."""
    step = 1 if wrong and not tries.blocked else 0
    late = step if tries.slowed else 0
    for each in (_ALL, tries.bucket):
        db.execute(
            update(_GUESS)
            .where(_at(tries.day, each))
            .values(wrong=_GUESS.c.wrong + step, late=_GUESS.c.late + late)
        )


def slowed(db: Session, day: date) -> bool:
    """Whether there were more wrong codes on this day than people mistype."""
    return _total(db, day) >= MOST_TOGETHER


def forget(db: Session, today: date) -> int:
    """Delete the counts of days that are over; returns how many."""
    return len(db.execute(delete(Guess).where(Guess.day < today - KEPT).returning(Guess.bucket)).scalars().all())


def _total(db: Session, day: date) -> int:
    return db.scalar(select(_GUESS.c.wrong).where(_at(day, _ALL))) or 0


def _hold_row(db: Session, day: date, bucket: int) -> None:
    write = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
    row: Any = write(_GUESS).values(day=day, bucket=bucket, wrong=0, late=0)
    # An update that changes nothing holds the row all the same.
    same = {"wrong": _GUESS.c.wrong, "late": _GUESS.c.late}
    db.execute(row.on_conflict_do_update(index_elements=["day", "bucket"], set_=same))


def _at(day: date, bucket: int) -> Any:
    return (_GUESS.c.day == day) & (_GUESS.c.bucket == bucket)
