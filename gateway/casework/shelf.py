"""Reading reports: the lists that people work with, and one report as it lies open.

One rule decides what anybody sees, in a list, a count or a page: an opened entry of the plan. A page of a list
costs the same wherever it lies, and never touches a sealed body.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, FromClause, bindparam, func, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from gateway.casework.caseworker import ANSWERING, CaseWorker, answers
from gateway.casework.letter import UNSEEN
from gateway.casework.plan import Envelope, PlanEntry
from gateway.casework.report import Addition, Outcome, Report, State, addition_place, place
from gateway.casework.site import Site
from gateway.db import UtcTime


@dataclass(frozen=True, slots=True)
class Row:
    """A report in a list: coarse columns only."""

    id: int
    reference: str
    topic: str
    severity: str
    site: str | None
    language: str
    day: date
    state: State
    due_at: datetime
    responsible: str | None
    answered: bool
    """The reporter has answered, and who answers for the report has not looked yet."""
    silent: bool
    """The reporter has asked to withdraw it, or has said that it is settled."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A report as an entitled person opens it: its sealed parts, the story first, and the envelope that this
    person's present key opens, if there is one."""

    row: Row
    outcome: Outcome | None
    responsible_id: int | None
    month: str
    envelope: bytes | None = field(repr=False)
    parts: list[Part]


@dataclass(frozen=True, slots=True)
class Part:
    """One sealed part: the place it is bound to, its author (empty: the reporter), and its day."""

    place: str
    author: str | None
    day: date
    sealed: bytes = field(repr=False)


class Shelf(StrEnum):
    """The lists that a person works with."""

    TO_TAKE = "to_take"
    MINE = "mine"
    IN_WORK = "in_work"
    CLOSED = "closed"


_STATES = {
    Shelf.TO_TAKE: State.RECEIVED,
    Shelf.MINE: State.ACCEPTED,
    Shelf.IN_WORK: State.ACCEPTED,
    Shelf.CLOSED: State.CLOSED,
}

Position = tuple[str, datetime, int]
"""Where a page of a list ends: severity, clock and id of its last row."""

_ROW = (
    Report.id,
    Report.reference,
    Report.topic,
    Report.severity,
    Site.name,
    Report.language,
    Report.day,
    Report.state,
    Report.due_at,
    CaseWorker.name,
    UNSEEN,
    Report.silent,
)


def page(
    db: Session,
    reader: int,
    shelf: Shelf,
    *,
    topics: Collection[str] = (),
    after: Position | None = None,
    size: int = 25,
) -> tuple[list[Row], Position | None]:
    """A page of what `reader` may see, most urgent first (closed ones: last closed first), and where the next
    page begins, if there is one."""
    listed = _listed(reader, shelf, topics)
    query = (
        select(*_ROW)
        .select_from(listed.source)
        .join(Site, Site.id == Report.site_id, isouter=True)
        .join(CaseWorker, CaseWorker.id == Report.responsible_id, isouter=True)
        .where(*listed.conditions)
    )
    severity, due_at, last_id = _bound(after)
    if shelf is Shelf.CLOSED:
        query = query.order_by(listed.due_at.desc(), listed.id.desc())
        if after:
            query = query.where(tuple_(listed.due_at, listed.id) < tuple_(due_at, last_id))
    else:
        query = query.order_by(listed.severity, listed.due_at, listed.id)
        if after:
            bound = tuple_(severity, due_at, last_id)
            query = query.where(tuple_(listed.severity, listed.due_at, listed.id) > bound)
    rows = [_row(row) for row in db.execute(query.limit(size + 1))]
    last = rows[size - 1] if len(rows) > size else None
    return rows[:size], (last.severity, last.due_at, last.id) if last else None


def count(db: Session, reader: int, shelf: Shelf, *, at_most: int = 100) -> int:
    """How many reports are on a shelf; counting stops at `at_most`."""
    listed = _listed(reader, shelf, ())
    some = select(listed.id).select_from(listed.source).where(*listed.conditions).limit(at_most).subquery()
    return db.scalar(select(func.count()).select_from(some)) or 0


def without_anybody(db: Session) -> bool:
    """Whether a report waits to be taken and has nobody on its plan who can be asked."""
    somebody = (
        select(PlanEntry.report_id)
        .join(CaseWorker, CaseWorker.id == PlanEntry.caseworker_id)
        .where(PlanEntry.report_id == Report.id, ANSWERING)
        .exists()
    )
    waits = (Report.state == State.RECEIVED.value) & ~somebody
    return db.scalar(select(select(Report.id).where(waits).exists())) or False


def open_for(db: Session, reader: int, report: int) -> Opened | None:
    """A report with its sealed parts, or None when it is not there or not for this reader."""
    row = db.execute(
        select(
            *_ROW,
            Report.outcome,
            Report.responsible_id,
            Report.month,
            Report.body_sealed,
            Envelope.sealed,
        )
        .join(PlanEntry, PlanEntry.report_id == Report.id)
        .join(Site, Site.id == Report.site_id, isouter=True)
        .join(CaseWorker, CaseWorker.id == Report.responsible_id, isouter=True)
        .join(Envelope, _opens_for(reader), isouter=True)
        .where(Report.id == report, PlanEntry.caseworker_id == reader, PlanEntry.opened, answers(reader))
    ).one_or_none()
    if row is None:
        return None
    whole: Any = row
    outcome, responsible, month, story, envelope = whole[len(_ROW) :]
    listed = _row(row)
    parts = [Part(place(report), None, listed.day, story)]
    additions = db.execute(
        select(Addition.number, Addition.author_id, CaseWorker.name, Addition.day, Addition.body_sealed)
        .join(CaseWorker, CaseWorker.id == Addition.author_id, isouter=True)
        .where(Addition.report_id == report)
        .order_by(Addition.number)
    )
    parts += [
        Part(addition_place(report, number, author), name, day, sealed)
        for number, author, name, day, sealed in additions
    ]
    return Opened(listed, Outcome(outcome) if outcome else None, responsible, month, envelope, parts)


def _opens_for(reader: int) -> ColumnElement[bool]:
    """The envelope of a report that this person's present key opens."""
    present = select(CaseWorker.public).where(CaseWorker.id == reader).scalar_subquery()
    return (Envelope.report_id == Report.id) & (Envelope.caseworker_id == reader) & (Envelope.public == present)


def _row(row: Any) -> Row:
    report, reference, topic, severity, site, language, day, state, due_at, responsible, *more = row[: len(_ROW)]
    answered, silent = map(bool, more)
    return Row(
        report,
        reference,
        topic,
        severity,
        site,
        language,
        day,
        State(state),
        due_at,
        responsible,
        answered,
        silent,
    )


@dataclass(frozen=True, slots=True)
class _Listed:
    """How a shelf is read: its source begins with the table whose index holds it in order."""

    source: FromClause
    conditions: list[ColumnElement[bool]]
    severity: InstrumentedAttribute[str]
    due_at: InstrumentedAttribute[datetime]
    id: InstrumentedAttribute[int]


def _listed(reader: int, shelf: Shelf, topics: Collection[str]) -> _Listed:
    report, plan = Report.__table__, PlanEntry.__table__
    mine = (PlanEntry.caseworker_id == reader) & PlanEntry.opened.is_(True) & answers(reader)
    state = _STATES[shelf].value
    about = [Report.topic.in_(sorted(topics))] if topics else []
    if shelf is Shelf.MINE:
        visible = select(PlanEntry.report_id).where(PlanEntry.report_id == Report.id, mine).exists()
        conditions = [Report.responsible_id == reader, Report.state == state, visible, *about]
        return _Listed(report, conditions, Report.severity, Report.due_at, Report.id)
    source = plan.join(report, PlanEntry.report_id == Report.id)
    conditions = [mine, PlanEntry.state == state, *about]
    return _Listed(source, conditions, PlanEntry.severity, PlanEntry.due_at, PlanEntry.report_id)


def _bound(after: Position | None) -> tuple[Any, Any, Any]:
    """A position as SQL reads it; a bare moment in a row comparison would miss its column's kind."""
    severity, due_at, report = after or (None, None, None)
    return severity, bindparam(None, due_at, type_=UtcTime()), report
