"""Messages: SMS to the people who work here. This table is the outbox.

A row is written in the transaction of its cause and holds no text: only whom, which message, in which
language, and the referral whose reference and deadline it names. It ends delivered, or visibly failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.casework import journal
from gateway.casework.caseworker import CaseWorker
from gateway.casework.plan import PlanEntry
from gateway.casework.referral import Referral
from gateway.casework.referral import State as ReferralState
from gateway.casework.report import Report
from gateway.casework.report import State as ReportState
from gateway.casework.verb import Verb
from gateway.db import Base, UtcTime

LEASE = timedelta(seconds=30)
"""How long a sender may be at a message before another takes it over; a send waits 12 s at the most, and no
sender claims more than it sends at once."""
FAR_AHEAD = timedelta(days=1)
"""Nothing is put off or leased this long: if it is, a clock gone wild has been set right since."""
UNKNOWN_WAIT = timedelta(minutes=2)
"""How long a message that may have gone waits for a delivery report before it is sent once more."""
RETRY_AFTER = tuple(timedelta(seconds=s) for s in (5, 30, 120, 300, 600, 900))
"""Waits between tries; the last is repeated. The escalation of the report does not wait for them."""


class State(StrEnum):
    """Where a message stands. A later state is never followed by an earlier one."""

    QUEUED = "queued"
    UNKNOWN = "unknown"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"


class Kind(StrEnum):
    """Which text of flows/messages.yaml."""

    ALERT = "alert"
    ESCALATION = "escalation"


class Message(Base):
    """One SMS. `due_at` is when it may next be tried; `mark` is a keyed hash of what
    delivery reports name it by: whoever forges one must not choose what is stored here."""

    __tablename__ = "message"
    __table_args__ = (
        Index("ix_message_due", "state", "due_at"),
        Index("ix_message_referral_id", "referral_id"),
        {
            "comment": "Holds: SMS to colleagues: to whom, of which kind, how far; no number, no words.\n"
            "Kept: as long as the referral.\n"
            "Read by: the senders."
        },
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    referral_id: Mapped[int] = mapped_column(ForeignKey("referral.id"))
    kind: Mapped[str] = mapped_column(String(12))
    state: Mapped[str] = mapped_column(String(10))
    due_at: Mapped[datetime] = mapped_column(UtcTime)
    leased_until: Mapped[datetime | None] = mapped_column(UtcTime)
    attempt: Mapped[int] = mapped_column(SmallInteger)
    failure: Mapped[str | None] = mapped_column(String(20))
    mark: Mapped[str | None] = mapped_column(String(64), unique=True)


class EarlyReceipt(Base):
    """A delivery report that came before we had written down whose it is."""

    __tablename__ = "early_receipt"
    __table_args__ = (
        {
            "comment": "Holds: delivery reports that came before we knew their SMS.\n"
            "Kept: a day.\n"
            "Read by: the receiver of delivery reports."
        },
    )

    mark: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(String(10))
    at: Mapped[datetime] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Due:
    """A message that this process has claimed and must now send."""

    id: int
    kind: Kind
    person: int
    language: str
    reference: str
    deadline: datetime
    attempt: int
    again: bool
    """It may have gone before, so this is its one deliberate repetition."""


def queue(db: Session, referral: int, kind: Kind, now: datetime) -> int:
    """Write a message about a referral, due at once. Returns its id."""
    return db.execute(
        insert(Message)
        .values(
            referral_id=referral,
            kind=kind.value,
            state=State.QUEUED.value,
            due_at=now,
            attempt=0,
        )
        .returning(Message.id)
    ).scalar_one()


def claim(db: Session, now: datetime, limit: int) -> list[Due]:
    """Lease up to `limit` due messages, longest due first; no other process gets them meanwhile. What nobody waits
    for any more is not sent."""
    withdrawn = {"state": State.FAILED.value, "leased_until": None, "failure": "withdrawn"}
    db.execute(update(Message).where(*_claimable(now), ~_wanted()).values(withdrawn))
    due = db.execute(
        select(Message.id, Message.state)
        .where(*_claimable(now))
        .order_by(Message.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    states = {row[0]: row[1] for row in due}
    if not states:
        return []
    ids = list(states)
    db.execute(
        update(Message).where(Message.id.in_(ids)).values(leased_until=now + LEASE, attempt=Message.attempt + 1)
    )
    rows = db.execute(
        select(
            Message.id,
            Message.kind,
            CaseWorker.id,
            CaseWorker.sms_language,
            Report.reference,
            Referral.due_at,
            Message.attempt,
        )
        .join(Referral, Referral.id == Message.referral_id)
        .join(CaseWorker, CaseWorker.id == Referral.caseworker_id)
        .join(Report, Report.id == Referral.report_id)
        .where(Message.id.in_(ids))
        .order_by(Message.due_at)
    )
    return [Due(row[0], Kind(row[1]), *row[2:], again=states[row[0]] == State.UNKNOWN.value) for row in rows]


def is_due(db: Session, now: datetime) -> bool:
    """Whether `claim` would find anything."""
    return db.scalar(select(select(Message.id).where(*_claimable(now)).exists())) or False


def sent(db: Session, message: int, mark: str, now: datetime) -> int | None:
    """The provider has taken the message over; a delivery report that was quicker counts at once. Returns the
    referral of a message that failed by such a report."""
    _one_at_a_time(db, mark)
    # An id given twice is the provider's mistake: the message has gone all the same, and must not be sent again.
    known = db.scalar(select(Message.id).where(Message.mark == mark, Message.id != message))
    early = db.get(EarlyReceipt, mark)
    db.execute(
        update(Message)
        .where(Message.id == message, _UNSENT)
        .values(
            state=State.SENT.value,
            leased_until=None,
            mark=None if known else mark,
            failure=None,
        )
    )
    _write_journal(db, message, Verb.SENT, now)
    if early is None:
        return None
    db.delete(early)
    return _settle(db, message, State(early.state), now)


def put_off(db: Session, due: Due, failure: str, now: datetime) -> None:
    """It did not leave: try again later."""
    wait = RETRY_AFTER[min(due.attempt, len(RETRY_AFTER)) - 1]
    db.execute(
        update(Message)
        .where(Message.id == due.id, _UNSENT)
        .values(due_at=now + wait, leased_until=None, failure=failure)
    )


def may_have_gone(db: Session, due: Due, now: datetime) -> int | None:
    """Nobody knows whether it left: wait for a report, then send it once more; after that it has failed.
    Returns the referral of a message that failed by this."""
    if due.again:
        return fail(db, due.id, "unknown", now)
    db.execute(
        update(Message)
        .where(Message.id == due.id, _UNSENT)
        .values(state=State.UNKNOWN.value, due_at=now + UNKNOWN_WAIT, leased_until=None, failure="unknown")
    )
    return None


def fail(db: Session, message: int, failure: str, now: datetime) -> int | None:
    """It will not arrive. Returns its referral, which must not wait for its clock."""
    failed = db.execute(
        update(Message)
        .where(Message.id == message, _UNSENT)
        .values(state=State.FAILED.value, leased_until=None, failure=failure)
        .returning(Message.referral_id)
    ).scalar_one_or_none()
    if failed is not None:
        _write_journal(db, message, Verb.FAILED, now)
    return failed


def receive(db: Session, mark: str, state: State, now: datetime) -> int | None:
    """Take a delivery report, in whatever order and however often it comes; final states stay. Returns the
    referral of a message that failed by this."""
    _one_at_a_time(db, mark)
    message = db.scalar(select(Message.id).where(Message.mark == mark))
    if message is not None:
        return _settle(db, message, state, now)
    if state in (State.DELIVERED, State.FAILED):
        write = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
        db.execute(write(EarlyReceipt).values(mark=mark, state=state.value, at=now).on_conflict_do_nothing())
    return None


def forget_early(db: Session, before: datetime) -> int:
    """Delete early delivery reports that nothing ever matched; returns how many."""
    gone = db.execute(delete(EarlyReceipt).where(EarlyReceipt.at < before).returning(EarlyReceipt.mark))
    return len(gone.scalars().all())


# A late answer about a message that a colleague sent again must not undo what is known of it.
_UNSENT = Message.state.in_([State.QUEUED.value, State.UNKNOWN.value])


def _one_at_a_time(db: Session, mark: str) -> None:
    """A delivery report may come while we write down whose it is: one of the two must see the other."""
    if db.get_bind().dialect.name == "postgresql":  # SQLite has one writer anyway
        db.execute(select(func.pg_advisory_xact_lock(func.hashtext(mark))))


def _wanted() -> ColumnElement[bool]:
    """Whether a message still says something true to somebody who may know it: they may read the report, and it
    is still theirs to take."""
    theirs_to_take = or_(
        Referral.state == ReferralState.PENDING.value,
        (Referral.state == ReferralState.EXPIRED.value) & (Report.state == ReportState.RECEIVED.value),
    )
    reads = (PlanEntry.report_id == Report.id) & (PlanEntry.caseworker_id == CaseWorker.id) & PlanEntry.opened
    return (
        select(Referral.id)
        .join(Report, Report.id == Referral.report_id)
        .join(CaseWorker, CaseWorker.id == Referral.caseworker_id)
        .join(PlanEntry, reads)
        .where(Referral.id == Message.referral_id, theirs_to_take, CaseWorker.active)
        .correlate(Message)
        .exists()
    )


def _claimable(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        _UNSENT,
        or_(Message.due_at <= now, Message.due_at > now + FAR_AHEAD),
        or_(Message.leased_until.is_(None), Message.leased_until <= now, Message.leased_until > now + FAR_AHEAD),
    )


def _settle(db: Session, message: int, state: State, now: datetime) -> int | None:
    if state not in (State.DELIVERED, State.FAILED):
        return None
    open_ = [State.QUEUED.value, State.UNKNOWN.value, State.SENT.value]
    referral = db.execute(
        update(Message)
        .where(Message.id == message, Message.state.in_(open_))
        .values(state=state.value, leased_until=None)
        .returning(Message.referral_id)
    ).scalar_one_or_none()
    if referral is None:
        return None
    _write_journal(db, message, Verb.DELIVERED if state is State.DELIVERED else Verb.FAILED, now)
    return referral if state is State.FAILED else None


def _write_journal(db: Session, message: int, verb: Verb, now: datetime) -> None:
    row = db.execute(
        select(Referral.report_id, Referral.caseworker_id)
        .join(Message, Message.referral_id == Referral.id)
        .where(Message.id == message)
    ).one()
    journal.write(db, now, verb, report=row[0], subject=row[1])
