"""Referrals: a report brought to one person, with a clock.

pending → accepted, handed on, expired (the clock ran out) or revoked. One is pending at a time, and whoever
is asked last may still accept after the clock ran out, until somebody has.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import BigInteger, ColumnElement, ForeignKey, Index, String, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.casework import caseworker, journal, plan, report
from gateway.casework.caseworker import ANSWERING, CaseWorker
from gateway.casework.refused import Refused
from gateway.casework.route import Reason
from gateway.casework.verb import Verb
from gateway.db import Base, UtcTime

FAR_AHEAD = timedelta(days=60)
"""Nobody is given this long to answer: such a clock was written by one that has been set right since."""


class State(StrEnum):
    """Where a referral stands."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    HANDED_ON = "handed_on"
    EXPIRED = "expired"
    REVOKED = "revoked"


class HandOnReason(StrEnum):
    """Why somebody passes a report on."""

    TOO_MANY = "too_many"
    AWAY = "away"
    KNOWS_SOMEBODY = "knows_somebody"
    OTHER_WORK = "other_work"


class Referral(Base):
    """One report brought to one person."""

    __tablename__ = "referral"
    __table_args__ = (
        Index("ix_referral_due", "state", "due_at"),
        Index("ix_referral_report_id", "report_id"),
        {
            "comment": "Holds: to whom a report was brought, until when, what came of it; why it was passed on.\n"
            "Kept: as long as its report.\n"
            "Read by: the house; the people of the report see its story."
        },
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    report_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("report.id"))
    caseworker_id: Mapped[int] = mapped_column(ForeignKey("caseworker.id"))
    state: Mapped[str] = mapped_column(String(10))
    due_at: Mapped[datetime] = mapped_column(UtcTime)
    reason: Mapped[str | None] = mapped_column(String(16))


journal.watch("report", Referral.__table__, Referral.__table__.c.report_id)


def offer(
    db: Session, report_id: int, person: int, due_at: datetime, now: datetime, *, by: int | None = None
) -> int:
    """Bring a report to a person until `due_at`; earlier pending referrals of it are revoked. Returns the id."""
    revoke(db, report_id)
    referral = db.execute(
        insert(Referral)
        .values(
            report_id=report_id,
            caseworker_id=person,
            state=State.PENDING.value,
            due_at=due_at,
        )
        .returning(Referral.id)
    ).scalar_one()
    report.set_clock(db, report_id, due_at)
    report.tell_plan(db, report_id)
    plan.show_to(db, report_id, person, report.State.RECEIVED.value)
    journal.write(db, now, Verb.OFFERED, actor=by, report=report_id, subject=person)
    return referral


def revoke(db: Session, report_id: int) -> None:
    """Take back what is pending of a report."""
    pending = (Referral.report_id == report_id) & (Referral.state == State.PENDING.value)
    db.execute(update(Referral).where(pending).values(state=State.REVOKED.value))


def accept(db: Session, found: report.Coarse, person: int, first_step_due: datetime, now: datetime) -> bool:
    """`person` answers for the report from now on. Asking twice changes nothing and returns False. Raises Refused
    when it is closed, or somebody else has it, has not handed it on, and is not late; from somebody who is late
    only those who DECIDE take it over."""
    if found.state is report.State.CLOSED:
        raise Refused("", "This report is closed already.")
    waits_for = waiting_for(db, found.id)
    if found.responsible_id == person and waits_for != person:  # if it does, what was handed on came back round
        return False
    late = found.due_at <= now and caseworker.decides(db, person)
    if found.state is report.State.ACCEPTED and waits_for is None and not late:
        raise Refused("", "Somebody else has taken this report.")
    mine = (
        (Referral.report_id == found.id)
        & (Referral.caseworker_id == person)
        & (Referral.state == State.PENDING.value)
    )
    db.execute(update(Referral).where(mine).values(state=State.ACCEPTED.value))
    revoke(db, found.id)
    report.take(db, found.id, person, first_step_due)
    journal.write(db, now, Verb.ACCEPTED, actor=person, report=found.id)
    return True


def hand_on(db: Session, found: report.Coarse, person: int, reason: HandOnReason, now: datetime) -> None:
    """`person` passes the report on; whoever is offered it next is the caller's choice. Somebody who knows
    people in it loses sight of it at once, unless nobody would be left who decides. Raises Refused, also for a
    report that is closed or somebody else's."""
    if found.state is report.State.CLOSED:
        raise Refused("", "This report is closed already.")
    if found.state is report.State.ACCEPTED and found.responsible_id != person:
        raise Refused("", "Somebody else has taken this report.")
    mine = (
        (Referral.report_id == found.id)
        & (Referral.caseworker_id == person)
        & Referral.state.in_([State.PENDING.value, State.ACCEPTED.value])
    )
    passed_on = {"state": State.HANDED_ON.value, "reason": reason.value}
    if not db.scalars(update(Referral).where(mine).values(passed_on).returning(Referral.id)).all():
        # Whoever reads it without having been asked, a supervisor, has now been asked too.
        db.execute(insert(Referral).values(report_id=found.id, caseworker_id=person, due_at=now, **passed_on))
    report.tell_plan(db, found.id)
    if reason is HandOnReason.KNOWS_SOMEBODY:
        check_left_out(db, found.id, {person}, at="reason")
        plan.leave_out(db, found.id, person)
    journal.write(db, now, Verb.HANDED_ON, actor=person, report=found.id)


def expire(db: Session, referral: int, now: datetime) -> bool:
    """End a pending referral whose clock has run out; False when somebody was quicker. Lock its report first."""
    late = (Referral.id == referral) & (Referral.state == State.PENDING.value) & (Referral.due_at <= now)
    row = db.execute(
        update(Referral)
        .where(late)
        .values(state=State.EXPIRED.value)
        .returning(Referral.report_id, Referral.caseworker_id)
    ).one_or_none()
    if row is None:
        return False
    journal.write(db, now, Verb.EXPIRED, report=row[0], subject=row[1])
    return True


def fall_due(db: Session, referral: int, now: datetime) -> None:
    """The clock of a pending referral runs out now: its message cannot arrive, or its person has left."""
    _set_clock(db, referral, now, now, Referral.due_at > now)


def is_another_unasked(db: Session, referral: int) -> bool:
    """Whether somebody on the plan of this referral's report has not been asked yet. When all have, a message that
    cannot be sent is no reason to begin again at once."""
    report_id = report_of(db, referral)
    if report_id is None:
        return False
    return bool({person for person, _ in plan.people(db, report_id)}.difference(asked(db, report_id)))


def check_left_out(db: Session, report_id: int, gone: Collection[int], *, at: str) -> None:
    """Whether somebody at a page may take these people off a plan: where there is an integrity officer one stays,
    and where somebody decides somebody does. Raises Refused at the field `at`."""
    people = plan.people(db, report_id)
    before = {reason for _, reason in people} - {Reason.ON_DUTY}
    after = {reason for person, reason in people if person not in gone} - {Reason.ON_DUTY}
    if (Reason.INTEGRITY in before and Reason.INTEGRITY not in after) or (before and not after):
        raise Refused(
            at,
            "Nobody independent would be left who decides about this report. An administrator adds another "
            "integrity officer first.",
        )


def leave_out(
    db: Session, found: report.Coarse, people: Collection[int], now: datetime, *, by: int | None = None
) -> bool:
    """These people may not hear of a report any more: no row, no key, nothing that is brought to them. Who they
    are is written down nowhere. True when the report has to be brought to somebody else for it."""
    gone = sorted(plan.concerned(db, found.id).intersection(people))
    if not gone:
        return False
    open_ = found.state is not report.State.CLOSED
    again = open_ and waiting_for(db, found.id) in gone
    for person in gone:
        plan.leave_out(db, found.id, person)
    brought = (
        (Referral.report_id == found.id)
        & Referral.caseworker_id.in_(gone)
        & Referral.state.in_([State.PENDING.value, State.ACCEPTED.value])
    )
    db.execute(update(Referral).where(brought).values(state=State.REVOKED.value))
    if open_ and found.responsible_id in gone:
        report.release(db, found.id, now)
        again = True
    journal.write(db, now, Verb.NARROWED, actor=by, report=found.id)
    return again


def waiting_for(db: Session, report_id: int) -> int | None:
    """Whose answer a report waits for: asked for the first time, or because it was handed on."""
    pending = (Referral.report_id == report_id) & (Referral.state == State.PENDING.value)
    return db.scalar(select(Referral.caseworker_id).where(pending))


def has_handed_on(db: Session, report_id: int, person: int) -> bool:
    """Whether the last that a person did with a report was to pass it on."""
    theirs = (Referral.report_id == report_id) & (Referral.caseworker_id == person)
    last = select(Referral.state).where(theirs).order_by(Referral.id.desc()).limit(1)
    return db.scalar(last) == State.HANDED_ON.value


def has_expired(db: Session, report_id: int) -> bool:
    """Whether somebody has let the clock of a report run out."""
    late = (Referral.report_id == report_id) & (Referral.state == State.EXPIRED.value)
    return db.scalar(select(select(Referral.id).where(late).exists())) or False


def put_off(db: Session, referral: int, until: datetime, now: datetime) -> None:
    """Give a pending referral more time: what was to follow could not be done."""
    _set_clock(db, referral, until, now)


def report_of(db: Session, referral: int) -> int | None:
    """Which report a referral is of."""
    return db.scalar(select(Referral.report_id).where(Referral.id == referral))


def overdue(db: Session, now: datetime, limit: int) -> list[int]:
    """Pending referrals whose clock has run out, longest first, and those of people who cannot be asked any more,
    or that a clock gone wild put far ahead."""
    gone = select(CaseWorker.id).where(~ANSWERING)
    late = (Referral.due_at <= now) | (Referral.due_at > now + FAR_AHEAD) | Referral.caseworker_id.in_(gone)
    waiting = Referral.state == State.PENDING.value
    return list(db.scalars(select(Referral.id).where(waiting, late).order_by(Referral.due_at).limit(limit)))


def asked(db: Session, report_id: int) -> list[int]:
    """The people a report has been brought to, in order; a person may recur."""
    where = (Referral.report_id == report_id) & (Referral.state != State.REVOKED.value)
    return list(db.scalars(select(Referral.caseworker_id).where(where).order_by(Referral.id)))


def _set_clock(
    db: Session, referral: int, due_at: datetime, now: datetime, *conditions: ColumnElement[bool]
) -> None:
    pending = (Referral.id == referral) & (Referral.state == State.PENDING.value)
    set_ = update(Referral).where(pending, *conditions).values(due_at=due_at).returning(Referral.report_id)
    for report_id in db.scalars(set_).all():
        journal.write(db, now, Verb.CLOCK_SET, report=report_id)
