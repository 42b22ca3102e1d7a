"""Letters between a case worker and a reporter whom nobody knows.

What a case worker writes is sealed twice: to the reply key, which only the reporter's code gives, locked by the
key of the report's month; and to the report, for colleagues. What a reporter answers is sealed to the report. The
house reads neither.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Date, ForeignKey, LargeBinary, String, delete, func, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.casework import journal, report
from gateway.casework.caseworker import CaseWorker
from gateway.casework.report import Coarse, Report
from gateway.db import Base
from gateway.vault import SealBroken, Vault, seal_to

STAYS = timedelta(days=2)
"""How long a message comes back after it was first shown: the line may have dropped while it was read. A question
comes back until it is answered."""


class Kind(StrEnum):
    """What a letter is: a message or a question of a case worker, their last words, or a reporter's answer."""

    MESSAGE = "message"
    QUESTION = "question"
    CLOSING = "closing"
    ANSWER = "answer"


class Letter(Base):
    """One letter. `author_id` is empty for the reporter's own; `reply_sealed` is what only the code opens."""

    __tablename__ = "letter"
    __table_args__ = (
        {
            "comment": "Holds: what case workers and a reporter wrote to each other, sealed to both; the day it "
            "was first read.\n"
            "Kept: as long as the story of its report.\n"
            "Read by: whoever can open the report; whoever has its code."
        },
    )

    report_id: Mapped[int] = mapped_column(ForeignKey("report.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("caseworker.id"))
    kind: Mapped[str] = mapped_column(String(10))
    day: Mapped[date] = mapped_column(Date)
    body_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    reply_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    read_on: Mapped[date | None] = mapped_column(Date)
    answered_on: Mapped[date | None] = mapped_column(Date)


journal.watch("report", Letter.__table__, Letter.__table__.c.report_id, but=("read_on", "answered_on"))


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a reporter is shown next: which letter, and what their code opens."""

    number: int
    kind: Kind
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Row:
    """A letter as whoever can open the report reads it."""

    number: int
    author_id: int | None
    author: str | None
    kind: Kind
    day: date
    read_on: date | None
    answered_on: date | None
    place: str
    sealed: bytes = field(repr=False)


def write(db: Session, vault: Vault, found: Coarse, day: date, kind: Kind, body: bytes, author: int) -> None:
    """Write to the reporter. Lock the report first. Raises vault.SealBroken when another hand has changed its
    keys, it has no reply key, or the key of its month is gone."""
    number = _next(db, vault, found)
    if found.reply is None:
        raise SealBroken("a report without a reply key")
    sealed = vault.seal_letter(reply_place(found.id, number), found.reply, found.month, body)
    _write(db, found, number, kind, day, body, author, sealed)


def answer(db: Session, vault: Vault, found: Coarse, day: date, body: bytes, to: int) -> None:
    """What a reporter answers to the letter that they were shown (`to`, its number): that one is answered, and
    messages that were read before it; a question put aside stays open. Lock the report first. Raises
    vault.SealBroken when another hand has changed its keys."""
    number = _next(db, vault, found)
    read_before = (Letter.kind == Kind.MESSAGE.value) & Letter.read_on.is_not(None) & (Letter.number < to)
    theirs = (Letter.report_id == found.id) & (Letter.kind != Kind.ANSWER.value) & Letter.answered_on.is_(None)
    db.execute(update(Letter).where(theirs, (Letter.number == to) | read_before).values(answered_on=day))
    _write(db, found, number, Kind.ANSWER, day, body, None, None)


def unread(db: Session, report_id: int) -> list[Waiting]:
    """What waits for a reporter and was never shown to them, oldest first."""
    return [_waiting(row) for row in _unanswered(db, report_id) if row.read_on is None]


def waiting(db: Session, report_id: int, today: date) -> list[Waiting]:
    """What a reporter may be shown, first what is shown first: the unread, oldest first, then of those that stay
    the last. Whoever shows one takes the first that opens."""
    rows = _unanswered(db, report_id)
    fresh = [row for row in rows if row.read_on is None]
    shown = [row for row in rows if row.read_on is not None]
    staying = [row for row in shown if row.kind == Kind.QUESTION.value or row.read_on > today - STAYS]
    return [_waiting(row) for row in fresh + staying[::-1]]


def _waiting(row: Any) -> Waiting:
    return Waiting(row.number, Kind(row.kind), row.reply_sealed or b"")


def _unanswered(db: Session, report_id: int) -> list[Any]:
    """The letters to a reporter that are not answered, oldest first."""
    open_ = (
        (Letter.report_id == report_id)
        & Letter.kind.in_([Kind.MESSAGE.value, Kind.QUESTION.value])
        & Letter.answered_on.is_(None)
    )
    columns = (Letter.number, Letter.kind, Letter.reply_sealed, Letter.read_on)
    return [*db.execute(select(*columns).where(open_).order_by(Letter.number))]


def closing(db: Session, report_id: int) -> Waiting | None:
    """The last words to a reporter whose report is closed."""
    last = (Letter.report_id == report_id) & (Letter.kind == Kind.CLOSING.value)
    newest = select(Letter.number, Letter.reply_sealed).where(last).order_by(Letter.number.desc()).limit(1)
    row = db.execute(newest).one_or_none()
    return Waiting(row[0], Kind.CLOSING, row[1] or b"") if row else None


def read(db: Session, report_id: int, number: int, today: date) -> None:
    """The reporter is being shown this letter."""
    mine = (Letter.report_id == report_id) & (Letter.number == number) & Letter.read_on.is_(None)
    db.execute(update(Letter).where(mine).values(read_on=today))


def seen(db: Session, report_id: int, upto: int, today: date) -> None:
    """Whoever answers for the report is being shown what the reporter answered, up to this letter."""
    theirs = (
        (Letter.report_id == report_id)
        & (Letter.number <= upto)
        & (Letter.kind == Kind.ANSWER.value)
        & Letter.read_on.is_(None)
    )
    db.execute(update(Letter).where(theirs).values(read_on=today))


def of_report(db: Session, report_id: int) -> list[Row]:
    """All letters of a report, oldest first."""
    rows: Any = db.execute(
        select(
            Letter.number,
            Letter.author_id,
            CaseWorker.name,
            Letter.kind,
            Letter.day,
            Letter.read_on,
            Letter.answered_on,
            Letter.body_sealed,
        )
        .join(CaseWorker, CaseWorker.id == Letter.author_id, isouter=True)
        .where(Letter.report_id == report_id)
        .order_by(Letter.number)
    )
    return [
        Row(number, author, name, Kind(kind), day, read_on, answered, place(report_id, number, author), sealed)
        for number, author, name, kind, day, read_on, answered, sealed in rows
    ]


def erase(db: Session, report_id: int) -> None:
    db.execute(delete(Letter).where(Letter.report_id == report_id))


def place(report_id: int, number: int, author: int | None) -> str:
    """The place that a letter is bound to, as colleagues open it."""
    return f"{report.place(report_id)}/letter/{number}/by/{author or 0}"


def reply_place(report_id: int, number: int) -> str:
    """The place that a letter is bound to, as the reporter opens it."""
    return f"{report.place(report_id)}/letter/{number}/to/reporter"


def _next(db: Session, vault: Vault, found: Coarse) -> int:
    report.check_keys(vault, found)
    last = db.scalar(select(func.max(Letter.number)).where(Letter.report_id == found.id))
    return (last or 0) + 1


def _write(
    db: Session,
    found: Coarse,
    number: int,
    kind: Kind,
    day: date,
    body: bytes,
    author: int | None,
    reply_sealed: bytes | None,
) -> None:
    db.execute(
        insert(Letter).values(
            report_id=found.id,
            number=number,
            author_id=author,
            kind=kind.value,
            day=day,
            body_sealed=seal_to(found.public, place(found.id, number, author), body),
            reply_sealed=reply_sealed,
        )
    )


UNSEEN = (
    select(Letter.report_id)
    .where(Letter.report_id == Report.id, Letter.kind == Kind.ANSWER.value, Letter.read_on.is_(None))
    .exists()
)
"""Whether a report has an answer that whoever answers for it has not opened."""
