"""Reports: what was told, and where it stands.

Routing, clocks and figures use the coarse columns; what was said is sealed to the report's own public key, so
the house can add what it cannot read. There is no time of arrival, only a local day, and no column that could
hold a caller's number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    Date,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
    bindparam,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.casework import journal, plan
from gateway.casework.caseworker import ANSWERING, CaseWorker
from gateway.casework.plan import Enclosed, Standing
from gateway.casework.route import Step
from gateway.casework.verb import Verb
from gateway.db import Base, UtcTime
from gateway.vault import ReportKey, SealBroken, Vault, seal_to

FAR_AHEAD = timedelta(hours=1)
"""No dispatch is put off this long: one that is was written by a clock that has been set right since."""


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
    WITHDRAWN = "withdrawn"


class Report(Base):
    """One report. Its id is random, so that ids count nothing; `reference` is what people say to each other.

    `reply` is the public key that only the reporter's code opens; `silent`: the code shows nothing any more;
    `accused_known`: it was said who did it, or who is in charge, and who that is has been left out.
    """

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
        {
            "comment": "Holds: what a report is about in coarse words (topic, severity, lane, site, language, "
            "local day), where it stands, its public key and its reporter's, and the sealed story.\n"
            "Kept: as long as flows/topics.yaml says after it was closed; the story opens no longer than the key "
            "of its month lasts.\n"
            "Read by: the people of its plan; the story only with their own key, or by two escrow holders."
        },
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
    public: Mapped[bytes] = mapped_column(LargeBinary(32))
    attest: Mapped[bytes] = mapped_column(LargeBinary(32))
    month: Mapped[str] = mapped_column(String(7))
    escrow_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    body_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String(10))
    dispatch_at: Mapped[datetime | None] = mapped_column(UtcTime)
    due_at: Mapped[datetime] = mapped_column(UtcTime)
    responsible_id: Mapped[int | None] = mapped_column(ForeignKey("caseworker.id"))
    outcome: Mapped[str | None] = mapped_column(String(16))
    # Empty is no, here and below: so an older row says what it always said.
    reply: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    silent: Mapped[bool | None]
    accused_known: Mapped[bool | None]


class Addition(Base):
    """One answer added after the filing, or one note of a case worker (`author_id`): sealed, newest counts."""

    __tablename__ = "addition"
    __table_args__ = (
        {
            "comment": "Holds: answers that came after the filing, and notes, sealed to the report.\n"
            "Kept: as long as its report.\n"
            "Read by: whoever can open the report."
        },
    )

    report_id: Mapped[int] = mapped_column(ForeignKey("report.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("caseworker.id"))
    day: Mapped[date] = mapped_column(Date)
    body_sealed: Mapped[bytes] = mapped_column(LargeBinary)


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
    key: ReportKey = field(repr=False)
    body: bytes = field(repr=False)
    dispatch_at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Coarse:
    """What routing, clocks and the way back know of a report."""

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
    public: bytes
    attest: bytes
    month: str
    day: date
    outcome: Outcome | None
    reply: bytes | None
    silent: bool
    accused_known: bool


_COARSE = tuple(getattr(Report, each.name) for each in fields(Coarse))


# The statements of the hop that files are built once, on tables and not on classes: the ORM costs that hop more
# than all else it does.
_REPORT = cast(Table, Report.__table__)
_ADDITION = cast(Table, Addition.__table__)
journal.watch("report", _REPORT, _REPORT.c.id)
journal.watch("report", _ADDITION, _ADDITION.c.report_id)
_FILE = insert(_REPORT)
_ADD = insert(_ADDITION)
_TAKEN = select(
    select(_REPORT.c.id)
    .where(_REPORT.c.reference == bindparam("reference"), _REPORT.c.state != State.CLOSED.value)
    .exists(),
    select(_REPORT.c.id).where(_REPORT.c.code_token == bindparam("code_token")).exists(),
)


def file(db: Session, filing: Filing, steps: Iterable[Step], readers: Mapping[int, bytes]) -> None:
    """Seal and write a report, its plan, and the envelopes of its key with the public keys (`readers`, by person)
    that open them. Raises db.Conflict when reference or code are taken after all."""
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
        "public": filing.key.public,
        "reply": filing.key.reply,
        "attest": filing.key.attest,
        "month": filing.key.month,
        "escrow_sealed": filing.key.escrow,
        "body_sealed": seal_to(filing.key.public, place(filing.id), filing.body),
        "state": State.RECEIVED.value,
        "dispatch_at": filing.dispatch_at,
        "due_at": filing.due_at,
    }
    db.execute(_FILE, row)
    plan.write(db, filing.id, steps, Standing(State.RECEIVED.value, filing.severity, filing.due_at))
    plan.enclose(
        db,
        filing.id,
        {person: Enclosed(readers[person], sealed) for person, sealed in filing.key.envelopes.items()},
    )


def is_taken(db: Session, *, reference: str, code_token: bytes) -> tuple[bool, bool]:
    """Whether an open report has this reference, and whether any has this code."""
    row = db.execute(_TAKEN, {"reference": reference, "code_token": code_token}).one()
    return bool(row[0]), bool(row[1])


def lock(db: Session, report: int) -> Coarse | None:
    """Read a report to change it; others who want to change it wait."""
    return _coarse(db.execute(select(*_COARSE).where(Report.id == report).with_for_update()).one_or_none())


def by_code(db: Session, code_token: bytes) -> Coarse | None:
    """The report of a code, locked as by `lock`."""
    return _coarse(
        db.execute(select(*_COARSE).where(Report.code_token == code_token).with_for_update()).one_or_none()
    )


def add(db: Session, vault: Vault, report: Coarse, day: date, body: bytes, *, author: int | None = None) -> None:
    """Add an answer of the reporter, or a note of a case worker: sealed here, to the report. Lock it first. Raises
    vault.SealBroken when another hand has changed the key of the report: nothing may be sealed to theirs."""
    check_keys(vault, report)
    last = db.scalar(select(func.max(Addition.number)).where(Addition.report_id == report.id))
    number = (last or 0) + 1
    sealed = seal_to(report.public, addition_place(report.id, number, author), body)
    row = {"report_id": report.id, "number": number, "author_id": author, "day": day, "body_sealed": sealed}
    db.execute(_ADD, row)


def check_keys(vault: Vault, report: Coarse) -> None:
    """Raises vault.SealBroken when these are not the keys that the report was filed with."""
    if not vault.is_of_report(place(report.id), report.public, report.reply, report.attest):
        raise SealBroken("these are not the keys that the report was filed with")


def last_addition(db: Session, report: int) -> tuple[int, int | None, bytes] | None:
    """The number, the author (empty: the reporter) and the sealed body of what was added last."""
    newest = select(Addition.number, Addition.author_id, Addition.body_sealed).where(Addition.report_id == report)
    row = db.execute(newest.order_by(Addition.number.desc()).limit(1)).one_or_none()
    return (row[0], row[1], row[2]) if row else None


def reconsider(db: Session, report: Coarse, *, severity: str, dispatch_at: datetime | None) -> None:
    """What an addition changes: the worst severity counts, and a dispatch still due waits for `dispatch_at`."""
    worst = min(report.severity, severity)
    db.execute(update(Report).where(Report.id == report.id).values(severity=worst, dispatch_at=dispatch_at))
    if worst != report.severity:
        tell_plan(db, report.id, clock_only=True)


def move(db: Session, report: int, lane: str, steps: Iterable[Step], now: datetime) -> None:
    """Move a report to another lane: a new plan takes the place of the old one, and it is dispatched anew."""
    db.execute(
        update(Report)
        .where(Report.id == report)
        .values(lane=lane, state=State.RECEIVED.value, responsible_id=None, outcome=None, dispatch_at=now)
    )
    plan.replace(db, report, steps, _standing(db, report))
    journal.write(db, now, Verb.MOVED, report=report)


def hear_accused(db: Session, report: int, *, known: bool) -> None:
    """It was said who did it, or who is in charge, and whoever else works at the mines may hear of it; or the
    answer was taken back. The newest counts."""
    db.execute(update(Report).where(Report.id == report).values(accused_known=known or None))


def release(db: Session, report: int, now: datetime) -> None:
    """Nobody answers for the report any more: it is brought to the next of its plan."""
    values = {"state": State.RECEIVED.value, "responsible_id": None, "dispatch_at": now}
    db.execute(update(Report).where(Report.id == report).values(values))
    tell_plan(db, report)


def left_behind(db: Session, limit: int, report: int | None = None) -> list[int]:
    """Reports, or this one, that somebody has taken who can answer for none any more."""
    gone = select(CaseWorker.id).where(~ANSWERING)
    where = (Report.state == State.ACCEPTED.value) & Report.responsible_id.in_(gone)
    if report is not None:
        where &= Report.id == report
    return list(db.scalars(select(Report.id).where(where).limit(limit)))


def extend_plan(db: Session, report: int, steps: Iterable[Step]) -> None:
    """Put people behind those of a plan that has run dry because they left."""
    plan.extend(db, report, steps, _standing(db, report))


def hasten(db: Session, reports: Collection[int], now: datetime) -> list[int]:
    """Dispatch now what still waits for its dialogue to end; returns those reports."""
    due = Report.id.in_(reports) & (Report.dispatch_at > now)
    return list(db.scalars(update(Report).where(due).values(dispatch_at=now).returning(Report.id)))


def to_dispatch(db: Session, now: datetime, limit: int) -> list[int]:
    """Reports whose dispatch is due, longest due first; also those that a clock gone wild put far ahead."""
    where = (Report.dispatch_at <= now) | (Report.dispatch_at > now + FAR_AHEAD)
    return list(db.scalars(select(Report.id).where(where).order_by(Report.dispatch_at).limit(limit)))


def set_dispatch(db: Session, report: int, at: datetime | None) -> None:
    """When the report is to be brought to somebody; None when that is done."""
    db.execute(update(Report).where(Report.id == report).values(dispatch_at=at))


def load(db: Session) -> dict[int, int]:
    """How many open reports each person answers for."""
    where = (Report.state == State.ACCEPTED.value) & Report.responsible_id.is_not(None)
    rows = db.execute(select(Report.responsible_id, func.count()).where(where).group_by(Report.responsible_id))
    return {person: open_ for person, open_ in rows if person is not None}


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


def tell_plan(db: Session, report: int, *, clock_only: bool = False) -> None:
    """Bring what a plan repeats of its report up to date; `clock_only`: whoever is being asked stays asked."""
    plan.repeat(db, report, _standing(db, report), clock_only=clock_only)


def sealed_to_escrow(db: Session, report: int) -> tuple[str, bytes] | None:
    """The month of a report and its key as the escrow's holders open it; None when there was no escrow."""
    row = db.execute(select(Report.month, Report.escrow_sealed).where(Report.id == report)).one_or_none()
    return (row[0], row[1]) if row and row[1] is not None else None


def place(report: int) -> str:
    """The place that the story of a report is bound to, and the envelopes of its key."""
    return f"report/{report}"


def addition_place(report: int, number: int, author: int | None) -> str:
    """The place that an addition is bound to: no answer passes for a note, nor one note for another."""
    return f"report/{report}/addition/{number}/by/{author or 0}"


def _coarse(row: Any) -> Coarse | None:
    if row is None:
        return None
    values = dict(zip((column.key for column in _COARSE), row, strict=True))
    values |= {
        "state": State(values["state"]),
        "outcome": Outcome(values["outcome"]) if values["outcome"] else None,
        "silent": bool(values["silent"]),
        "accused_known": bool(values["accused_known"]),
    }
    return Coarse(**values)


def _standing(db: Session, report: int) -> Standing:
    row = db.execute(select(Report.state, Report.severity, Report.due_at).where(Report.id == report)).one()
    return Standing(*row)
