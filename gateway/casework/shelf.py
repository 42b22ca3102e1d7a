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

from sqlalchemy import ColumnElement, bindparam, func, select, tuple_
from sqlalchemy.orm import Session

from gateway.casework.caseworker import CaseWorker
from gateway.casework.report import Addition, Outcome, PlanEntry, Report, State
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


@dataclass(frozen=True, slots=True)
class Opened:
    """A report as an entitled person opens it. `additions`: id, author (empty: the reporter), day, sealed body."""

    row: Row
    lane: str
    outcome: Outcome | None
    responsible_id: int | None
    body_sealed: bytes = field(repr=False)
    additions: list[tuple[int, str | None, date, bytes]] = field(repr=False)


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
    query = (
        select(*_ROW)
        .join(Site, Site.id == Report.site_id, isouter=True)
        .join(CaseWorker, CaseWorker.id == Report.responsible_id, isouter=True)
        .where(*_visible(reader, shelf, topics))
    )
    severity, due_at, report = _bound(after)
    if shelf is Shelf.CLOSED:
        query = query.order_by(Report.due_at.desc(), Report.id.desc())
        if after:
            query = query.where(tuple_(Report.due_at, Report.id) < tuple_(due_at, report))
    else:
        query = query.order_by(Report.severity, Report.due_at, Report.id)
        if after:
            query = query.where(
                tuple_(Report.severity, Report.due_at, Report.id) > tuple_(severity, due_at, report)
            )
    rows = [_row(row) for row in db.execute(query.limit(size + 1))]
    last = rows[size - 1] if len(rows) > size else None
    return rows[:size], (last.severity, last.due_at, last.id) if last else None


def count(db: Session, reader: int, shelf: Shelf, *, at_most: int = 100) -> int:
    """How many reports are on a shelf; counting stops at `at_most`."""
    some = select(Report.id).where(*_visible(reader, shelf, ())).limit(at_most).subquery()
    return db.scalar(select(func.count()).select_from(some)) or 0


def open_for(db: Session, reader: int, report: int) -> Opened | None:
    """A report with its sealed parts, or None when it is not there or not for this reader."""
    row = db.execute(
        select(*_ROW, Report.lane, Report.outcome, Report.responsible_id, Report.body_sealed)
        .join(PlanEntry, PlanEntry.report_id == Report.id)
        .join(Site, Site.id == Report.site_id, isouter=True)
        .join(CaseWorker, CaseWorker.id == Report.responsible_id, isouter=True)
        .where(Report.id == report, PlanEntry.caseworker_id == reader, PlanEntry.opened)
    ).one_or_none()
    if row is None:
        return None
    additions = db.execute(
        select(Addition.id, CaseWorker.name, Addition.day, Addition.body_sealed)
        .join(CaseWorker, CaseWorker.id == Addition.author_id, isouter=True)
        .where(Addition.report_id == report)
        .order_by(Addition.id)
    )
    whole: Any = row
    lane, outcome, responsible, sealed = whole[len(_ROW) :]
    parts: list[tuple[int, str | None, date, bytes]] = [
        (part, author, day, body) for part, author, day, body in additions
    ]
    return Opened(_row(row), lane, Outcome(outcome) if outcome else None, responsible, sealed, parts)


def _row(row: Any) -> Row:
    report, reference, topic, severity, site, language, day, state, due_at, responsible = row[: len(_ROW)]
    return Row(report, reference, topic, severity, site, language, day, State(state), due_at, responsible)


def _visible(reader: int, shelf: Shelf, topics: Collection[str]) -> list[ColumnElement[bool]]:
    planned = (PlanEntry.report_id == Report.id) & (PlanEntry.caseworker_id == reader) & PlanEntry.opened
    conditions = [Report.state == _STATES[shelf].value, select(PlanEntry.report_id).where(planned).exists()]
    if shelf is Shelf.MINE:
        conditions.append(Report.responsible_id == reader)
    if topics:
        conditions.append(Report.topic.in_(sorted(topics)))
    return conditions


def _bound(after: Position | None) -> tuple[Any, Any, Any]:
    """A position as SQL reads it; a bare moment in a row comparison would miss its column's kind."""
    severity, due_at, report = after or (None, None, None)
    return severity, bindparam(None, due_at, type_=UtcTime()), report
