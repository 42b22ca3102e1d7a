"""The plan of a report: who may act on it, who of them sees it by now, and who holds its key.

Only the plan decides what anybody sees. An envelope alone opens no page: some people hold one because a later
answer may bring the report to them, and nobody without one can read what the plan shows them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ForeignKey, Index, LargeBinary, SmallInteger, String, Table, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.casework import journal
from gateway.casework.caseworker import ANSWERING, CaseWorker, answers
from gateway.casework.route import Reason, Step
from gateway.db import Base, UtcTime


class PlanEntry(Base):
    """One person who may act on a report, and whether they may see it yet.

    `state`, `severity` and `due_at` are the report's own, written with it: so that the list of one person is one
    range of one index, among however many reports of others. Only to whoever is being asked for a report that
    somebody has and hands on does its entry say that it waits.
    """

    __tablename__ = "plan"
    __table_args__ = (
        Index("ix_plan_urgency", "caseworker_id", "opened", "state", "severity", "due_at", "report_id"),
        Index("ix_plan_closed", "caseworker_id", "opened", "state", "due_at", "report_id"),
        {
            "comment": "Holds: who may act on a report, in which order, who sees it by now; never who may not.\n"
            "Kept: as long as its report.\n"
            "Read by: the house; people see the reports of their own entries."
        },
    )

    report_id: Mapped[int] = mapped_column(ForeignKey("report.id"), primary_key=True)
    caseworker_id: Mapped[int] = mapped_column(ForeignKey("caseworker.id"), primary_key=True)
    rank: Mapped[int] = mapped_column(SmallInteger)
    reason: Mapped[str] = mapped_column(String(12))
    opened: Mapped[bool]
    state: Mapped[str] = mapped_column(String(10))
    severity: Mapped[str] = mapped_column(String(2))
    due_at: Mapped[datetime] = mapped_column(UtcTime)


class Envelope(Base):
    """A report's private key, enclosed for one person; `public` is the key of theirs that opens it."""

    __tablename__ = "envelope"
    __table_args__ = (
        {
            "comment": "Holds: the key of a report, sealed to one person and locked by the key of its month.\n"
            "Kept: until the person is left out, or with the report; unreadable once the month's key is gone.\n"
            "Read by: that person, signed in."
        },
    )

    report_id: Mapped[int] = mapped_column(ForeignKey("report.id"), primary_key=True)
    caseworker_id: Mapped[int] = mapped_column(ForeignKey("caseworker.id"), primary_key=True)
    public: Mapped[bytes] = mapped_column(LargeBinary(32))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


_PLAN = cast(Table, PlanEntry.__table__)
_ENVELOPE = cast(Table, Envelope.__table__)
journal.watch("report", _PLAN, _PLAN.c.report_id)
journal.watch("report", _ENVELOPE, _ENVELOPE.c.report_id)
_WRITE = insert(_PLAN)
_ENCLOSE = {
    name: kept.on_conflict_do_update(
        index_elements=["report_id", "caseworker_id"],
        set_={"public": kept.excluded.public, "sealed": kept.excluded.sealed},
    )
    for name, kept in {
        "postgresql": cast(Any, postgresql.insert(_ENVELOPE)),
        "sqlite": cast(Any, sqlite.insert(_ENVELOPE)),
    }.items()
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What the entries of a plan repeat of their report."""

    state: str
    severity: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Enclosed:
    """An envelope as it is stored: the public key it was made for, and what that key's owner opens."""

    public: bytes
    sealed: bytes = field(repr=False)


def write(db: Session, report: int, steps: Iterable[Step], standing: Standing, behind: int = 0) -> None:
    """Write the steps of a plan, the first at rank `behind`."""
    rows = [
        {
            "report_id": report,
            "caseworker_id": step.person,
            "rank": behind + rank,
            "reason": step.reason.value,
            "opened": step.opened,
            "state": standing.state,
            "severity": standing.severity,
            "due_at": standing.due_at,
        }
        for rank, step in enumerate(steps)
    ]
    if rows:
        db.execute(_WRITE, rows)


def replace(db: Session, report: int, steps: Iterable[Step], standing: Standing) -> None:
    """A new plan takes the place of the old one; whoever is not on it loses their key with their sight."""
    steps = list(steps)
    db.execute(delete(PlanEntry).where(PlanEntry.report_id == report))
    stay = [step.person for step in steps]
    db.execute(delete(Envelope).where(Envelope.report_id == report, Envelope.caseworker_id.not_in(stay)))
    write(db, report, steps, standing)


def extend(db: Session, report: int, steps: Iterable[Step], standing: Standing) -> None:
    """Put people behind those of a plan that has run dry because they left."""
    here = select(PlanEntry.caseworker_id, PlanEntry.rank).where(PlanEntry.report_id == report)
    present = {row[0]: row[1] for row in db.execute(here)}
    fresh = [step for step in steps if step.person not in present]
    write(db, report, fresh, standing, max(present.values(), default=-1) + 1)


def repeat(db: Session, report: int, standing: Standing, *, clock_only: bool = False) -> None:
    """Bring what a plan repeats of its report up to date; `clock_only`: whoever is being asked stays asked."""
    values = {"severity": standing.severity, "due_at": standing.due_at} | (
        {} if clock_only else {"state": standing.state}
    )
    db.execute(update(PlanEntry).where(PlanEntry.report_id == report).values(values))


def people(db: Session, report: int) -> list[tuple[int, str]]:
    """The people of a plan who can be asked now, with the reason of each, first person first."""
    rows = db.execute(
        select(PlanEntry.caseworker_id, PlanEntry.reason)
        .join(CaseWorker, CaseWorker.id == PlanEntry.caseworker_id)
        .where(PlanEntry.report_id == report, ANSWERING)
        .order_by(PlanEntry.rank)
    )
    return [(person, reason) for person, reason in rows]


def deciding(db: Session, report: int) -> list[tuple[int, bool]]:
    """Of those people whoever decides about the report, and whether they are an integrity officer."""
    rows = people(db, report)
    return [(one, why == Reason.INTEGRITY.value) for one, why in rows if why != Reason.ON_DUTY.value]


def show_to(db: Session, report: int, person: int, state: str) -> None:
    """From now on this person of the plan may read the report, and to them it stands at `state`."""
    db.execute(
        update(PlanEntry)
        .where(PlanEntry.report_id == report, PlanEntry.caseworker_id == person)
        .values(opened=True, state=state)
    )


def show_at_once(db: Session, report: int, people: Collection[int]) -> None:
    """From now on these of the plan may read the report, whether or not it is offered to them."""
    theirs = (PlanEntry.report_id == report) & PlanEntry.caseworker_id.in_(people) & ~PlanEntry.opened
    db.execute(update(PlanEntry).where(theirs).values(opened=True))


def leave_out(db: Session, report: int, person: int) -> None:
    """This person may not read the report any more, holds no key of it, and nobody can bring it to them."""
    db.execute(delete(PlanEntry).where(PlanEntry.report_id == report, PlanEntry.caseworker_id == person))
    db.execute(delete(Envelope).where(Envelope.report_id == report, Envelope.caseworker_id == person))


def destroy_keys(db: Session, report: int) -> None:
    """Nobody holds a key of the report any more."""
    db.execute(delete(Envelope).where(Envelope.report_id == report))


def holds(db: Session, report: int) -> set[int]:
    """Whoever was given the report's key and has not been left out since, be it to an older key of theirs."""
    return set(db.scalars(select(Envelope.caseworker_id).where(Envelope.report_id == report)))


def is_open_to(db: Session, report: int, person: int) -> bool:
    """Whether this person may read the report now."""
    where = (PlanEntry.report_id == report) & (PlanEntry.caseworker_id == person) & PlanEntry.opened
    return db.scalar(select(select(PlanEntry.report_id).where(where, answers(person)).exists())) or False


def concerned(db: Session, report: int) -> set[int]:
    """Everybody who is on the plan of a report or was given its key, whether or not they can be asked now."""
    planned = select(PlanEntry.caseworker_id).where(PlanEntry.report_id == report)
    return set(db.scalars(planned)) | holds(db, report)


def told_to(db: Session, people: Collection[int], limit: int) -> list[int]:
    """Reports that concern one of these people."""
    planned = select(PlanEntry.report_id).where(PlanEntry.caseworker_id.in_(people))
    held = select(Envelope.report_id).where(Envelope.caseworker_id.in_(people))
    return list(db.scalars(planned.union(held).limit(limit)))


def enclose(db: Session, report: int, envelopes: Mapping[int, Enclosed]) -> None:
    """Give people the report's key, in place of whatever envelope they had."""
    rows = [
        {"report_id": report, "caseworker_id": person, "public": one.public, "sealed": one.sealed}
        for person, one in envelopes.items()
    ]
    if rows:
        db.execute(_ENCLOSE[db.get_bind().dialect.name], rows)


def envelope(db: Session, report: int, person: int) -> bytes | None:
    """What this person's present key opens, None when they hold no envelope that it does."""
    return db.scalar(
        select(Envelope.sealed)
        .join(CaseWorker, CaseWorker.id == Envelope.caseworker_id)
        .where(
            Envelope.report_id == report,
            Envelope.caseworker_id == person,
            Envelope.public == CaseWorker.public,
        )
    )


def holders(db: Session, report: int) -> set[int]:
    """The active people whose present key opens the report."""
    return set(
        db.scalars(
            select(Envelope.caseworker_id)
            .join(CaseWorker, CaseWorker.id == Envelope.caseworker_id)
            .where(Envelope.report_id == report, Envelope.public == CaseWorker.public, CaseWorker.active)
        )
    )


def without_key(db: Session, person: int) -> list[int]:
    """The reports of whose plan this person is, and whose key their present key does not open."""
    opens = (
        select(Envelope.report_id)
        .join(CaseWorker, CaseWorker.id == Envelope.caseworker_id)
        .where(
            Envelope.report_id == PlanEntry.report_id,
            Envelope.caseworker_id == person,
            Envelope.public == CaseWorker.public,
        )
    )
    where = (PlanEntry.caseworker_id == person) & ~opens.exists()
    return list(db.scalars(select(PlanEntry.report_id).where(where).order_by(PlanEntry.report_id)))
