"""Reports: what was told, and where it stands.

Routing, clocks and figures use the coarse columns; what was said is sealed. There is no time of arrival, only
a local day, and no column that could hold a caller's number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import cast

from sqlalchemy import (
    BigInteger,
    Date,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.casework import journal
from gateway.casework.caseworker import CaseWorker
from gateway.casework.journal import Verb
from gateway.casework.refused import Refused
from gateway.casework.route import Step
from gateway.db import Base, UtcTime


class State(StrEnum):
    """Where a report stands: brought to somebody, taken by somebody, or closed."""

    RECEIVED = "received"
    ACCEPTED = "accepted"
    CLOSED = "closed"


class Outcome(StrEnum):
    """Why a report was closed."""

    HELPED = "helped"
    REFERRED = "referred"
    NOT_CONFIRMED = "not_confirmed"
    NOT_FOUND = "not_found"
    DUPLICATE = "duplicate"
    OUT_OF_SCOPE = "out_of_scope"
    UNSAFE = "unsafe"


class Report(Base):
    """One report. Its id is random, so that ids count nothing; `reference` is what people say to each other."""

    __tablename__ = "report"
    __table_args__ = (
        Index(
            "uq_report_reference",
            "reference",
            unique=True,
            sqlite_where=text("state <> 'closed'"),
            postgresql_where=text("state <> 'closed'"),
        ),
        Index("ix_report_dispatch", "dispatch_at"),
        Index("ix_report_responsible", "responsible_id", "state", "severity", "due_at", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    reference: Mapped[str] = mapped_column(String(6))
    code_token: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    topic: Mapped[str] = mapped_column(String(24))
    severity: Mapped[str] = mapped_column(String(2))
    lane: Mapped[str] = mapped_column(String(16))
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"))
    language: Mapped[str] = mapped_column(String(8))
    day: Mapped[date] = mapped_column(Date)
    body_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String(10))
    dispatch_at: Mapped[datetime | None] = mapped_column(UtcTime)
    due_at: Mapped[datetime] = mapped_column(UtcTime)
    responsible_id: Mapped[int | None] = mapped_column(ForeignKey("caseworker.id"))
    outcome: Mapped[str | None] = mapped_column(String(16))


class Addition(Base):
    """One answer added after the filing, or one note of a case worker (`author_id`): sealed, newest counts."""

    __tablename__ = "addition"
    __table_args__ = (Index("ix_addition_report_id", "report_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    report_id: Mapped[int] = mapped_column(ForeignKey("report.id"))
    author_id: Mapped[int | None] = mapped_column(ForeignKey("caseworker.id"))
    day: Mapped[date] = mapped_column(Date)
    body_sealed: Mapped[bytes] = mapped_column(LargeBinary)


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
    )

    report_id: Mapped[int] = mapped_column(ForeignKey("report.id"), primary_key=True)
    caseworker_id: Mapped[int] = mapped_column(ForeignKey("caseworker.id"), primary_key=True)
    rank: Mapped[int] = mapped_column(SmallInteger)
    reason: Mapped[str] = mapped_column(String(12))
    opened: Mapped[bool]
    state: Mapped[str] = mapped_column(String(10))
    severity: Mapped[str] = mapped_column(String(2))
    due_at: Mapped[datetime] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Filing:
    """A report as the hop that files it hands it over; `site_id` is empty when no place was named."""

    id: int
    reference: str
    code_token: bytes = field(repr=False)
    topic: str
    severity: str
    lane: str
    site_id: int | None
    language: str
    day: date
    body_sealed: bytes = field(repr=False)
    dispatch_at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Coarse:
    """What routing and clocks know of a report."""

    id: int
    reference: str
    topic: str
    severity: str
    lane: str
    site_id: int | None
    language: str
    state: State
    dispatch_at: datetime | None
    due_at: datetime
    responsible_id: int | None


_COARSE = (
    Report.id,
    Report.reference,
    Report.topic,
    Report.severity,
    Report.lane,
    Report.site_id,
    Report.language,
    Report.state,
    Report.dispatch_at,
    Report.due_at,
    Report.responsible_id,
)


# The statements of the hop that files are built once, on tables and not on classes: the ORM costs that hop more
# than all else it does.
_REPORT = cast(Table, Report.__table__)
_FILE = insert(_REPORT)
_ADD = insert(cast(Table, Addition.__table__))
_PLAN = insert(cast(Table, PlanEntry.__table__))
_TAKEN = select(
    select(_REPORT.c.id)
    .where(_REPORT.c.reference == bindparam("reference"), _REPORT.c.state != State.CLOSED.value)
    .exists(),
    select(_REPORT.c.id).where(_REPORT.c.code_token == bindparam("code_token")).exists(),
)


def file(db: Session, filing: Filing, steps: Iterable[Step]) -> None:
    """Write a report and its plan. Raises db.Conflict when reference or code are taken after all."""
    row = {
        "id": filing.id,
        "reference": filing.reference,
        "code_token": filing.code_token,
        "topic": filing.topic,
        "severity": filing.severity,
        "lane": filing.lane,
        "site_id": filing.site_id,
        "language": filing.language,
        "day": filing.day,
        "body_sealed": filing.body_sealed,
        "state": State.RECEIVED.value,
        "dispatch_at": filing.dispatch_at,
        "due_at": filing.due_at,
    }
    db.execute(_FILE, row)
    _write_plan(db, filing.id, steps, _Standing(State.RECEIVED.value, filing.severity, filing.due_at))


def is_taken(db: Session, *, reference: str, code_token: bytes) -> tuple[bool, bool]:
    """Whether an open report has this reference, and whether any has this code."""
    row = db.execute(_TAKEN, {"reference": reference, "code_token": code_token}).one()
    return bool(row[0]), bool(row[1])


def lock(db: Session, report: int) -> Coarse | None:
    """Read a report to change it; others who want to change it wait."""
    row = db.execute(select(*_COARSE).where(Report.id == report).with_for_update()).one_or_none()
    return Coarse(*row[:7], State(row[7]), *row[8:]) if row else None


def add(db: Session, report: int, day: date, body_sealed: bytes, *, author: int | None = None) -> None:
    """Add a sealed answer of the reporter, or a note of a case worker."""
    db.execute(_ADD, {"report_id": report, "author_id": author, "day": day, "body_sealed": body_sealed})


def last_addition(db: Session, report: int) -> tuple[int | None, bytes] | None:
    """The author (empty: the reporter) and the sealed body of what was added last."""
    newest = select(Addition.author_id, Addition.body_sealed).where(Addition.report_id == report)
    row = db.execute(newest.order_by(Addition.id.desc()).limit(1)).one_or_none()
    return (row[0], row[1]) if row else None


def reconsider(db: Session, report: Coarse, *, severity: str, dispatch_at: datetime | None) -> None:
    """What an addition changes: the worst severity counts, and a dispatch still due waits for `dispatch_at`."""
    worst = min(report.severity, severity)
    db.execute(update(Report).where(Report.id == report.id).values(severity=worst, dispatch_at=dispatch_at))
    if worst != report.severity:
        tell_plan(db, report.id, clock_only=True)


def move(db: Session, report: int, lane: str, steps: Iterable[Step], now: datetime) -> None:
    """Move a report to another lane: a new plan takes the place of the old one, and it is dispatched anew."""
    db.execute(delete(PlanEntry).where(PlanEntry.report_id == report))
    db.execute(
        update(Report)
        .where(Report.id == report)
        .values(lane=lane, state=State.RECEIVED.value, responsible_id=None, outcome=None, dispatch_at=now)
    )
    _write_plan(db, report, steps, _standing(db, report))
    journal.write(db, now, Verb.MOVED, report=report)


def extend_plan(db: Session, report: int, steps: Iterable[Step]) -> None:
    """Put people behind those of a plan that has run dry because they left."""
    here = select(PlanEntry.caseworker_id, PlanEntry.rank).where(PlanEntry.report_id == report)
    present = {row[0]: row[1] for row in db.execute(here)}
    fresh = [step for step in steps if step.person not in present]
    _write_plan(db, report, fresh, _standing(db, report), max(present.values(), default=-1) + 1)


def hasten(db: Session, reports: Collection[int], now: datetime) -> list[int]:
    """Dispatch now what still waits for its dialogue to end; returns those reports."""
    due = Report.id.in_(reports) & (Report.dispatch_at > now)
    return list(db.scalars(update(Report).where(due).values(dispatch_at=now).returning(Report.id)))


def to_dispatch(db: Session, now: datetime, limit: int) -> list[int]:
    """Reports whose dispatch is due, longest due first."""
    where = Report.dispatch_at <= now
    return list(db.scalars(select(Report.id).where(where).order_by(Report.dispatch_at).limit(limit)))


def set_dispatch(db: Session, report: int, at: datetime | None) -> None:
    """When the report is to be brought to somebody; None when that is done."""
    db.execute(update(Report).where(Report.id == report).values(dispatch_at=at))


def load(db: Session) -> dict[int, int]:
    """How many open reports each person answers for."""
    where = (Report.state == State.ACCEPTED.value) & Report.responsible_id.is_not(None)
    rows = db.execute(select(Report.responsible_id, func.count()).where(where).group_by(Report.responsible_id))
    return {person: open_ for person, open_ in rows if person is not None}


def planned(db: Session, report: int) -> list[tuple[int, str]]:
    """The active people of a plan with the reason of each, first person first."""
    rows = db.execute(
        select(PlanEntry.caseworker_id, PlanEntry.reason)
        .join(CaseWorker, CaseWorker.id == PlanEntry.caseworker_id)
        .where(PlanEntry.report_id == report, CaseWorker.active)
        .order_by(PlanEntry.rank)
    )
    return [(person, reason) for person, reason in rows]


def show_to(db: Session, report: int, person: int) -> None:
    """From now on this person of the plan may read the report, and it is theirs to take."""
    db.execute(
        update(PlanEntry)
        .where(PlanEntry.report_id == report, PlanEntry.caseworker_id == person)
        .values(opened=True, state=State.RECEIVED.value)
    )


def leave_out(db: Session, report: int, person: int) -> None:
    """This person may not read the report any more, and nobody can bring it to them."""
    db.execute(delete(PlanEntry).where(PlanEntry.report_id == report, PlanEntry.caseworker_id == person))


def is_open_to(db: Session, report: int, person: int) -> bool:
    """Whether this person may read the report now."""
    where = (PlanEntry.report_id == report) & (PlanEntry.caseworker_id == person) & PlanEntry.opened
    return db.scalar(select(select(PlanEntry.report_id).where(where).exists())) or False


def take(db: Session, report: int, person: int, due_at: datetime) -> None:
    """One person answers for the report from now on; `due_at` is when its first step is due."""
    db.execute(
        update(Report)
        .where(Report.id == report)
        .values(state=State.ACCEPTED.value, responsible_id=person, due_at=due_at, dispatch_at=None)
    )
    tell_plan(db, report)


def set_clock(db: Session, report: int, due_at: datetime) -> None:
    """The next moment by which somebody must have done something."""
    db.execute(update(Report).where(Report.id == report).values(due_at=due_at))
    tell_plan(db, report, clock_only=True)


def close(db: Session, report: Coarse, person: int, outcome: Outcome, now: datetime) -> None:
    """Close a report with its reason; only who answers for it may. Raises Refused."""
    if report.state is State.CLOSED:
        raise Refused("", "This report is closed already.")
    if report.responsible_id != person:
        raise Refused("", "Only the person who took the report can close it.")
    db.execute(
        update(Report)
        .where(Report.id == report.id)
        .values(state=State.CLOSED.value, outcome=outcome.value, due_at=now, dispatch_at=None)
    )
    tell_plan(db, report.id)
    journal.write(db, now, Verb.CLOSED, actor=person, report=report.id)


def tell_plan(db: Session, report: int, *, clock_only: bool = False) -> None:
    """Bring what a plan repeats of its report up to date; `clock_only`: whoever is being asked stays asked."""
    now = _standing(db, report)
    values = {"severity": now.severity, "due_at": now.due_at} | ({} if clock_only else {"state": now.state})
    db.execute(update(PlanEntry).where(PlanEntry.report_id == report).values(values))


def place(report: int) -> str:
    """The place that the sealed parts of a report are bound to."""
    return f"report/{report}"


@dataclass(frozen=True, slots=True)
class _Standing:
    """What the entries of a plan repeat of their report."""

    state: str
    severity: str
    due_at: datetime


def _standing(db: Session, report: int) -> _Standing:
    row = db.execute(select(Report.state, Report.severity, Report.due_at).where(Report.id == report)).one()
    return _Standing(*row)


def _write_plan(db: Session, report: int, steps: Iterable[Step], standing: _Standing, behind: int = 0) -> None:
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
        db.execute(_PLAN, rows)
