"""Who did or saw what: append-only, in the transaction of the act, as its last statement.

`write` only notes a line; `settle` writes what was noted when everything else of the transaction is done. Each
line hangs on the one before it by a keyed hash, and the newest line about a report, a person, a site or an
organisation attests every row that makes it up (`watch`): a row changed by another hand no longer fits. `chain`
checks it all.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    FromClause,
    Index,
    LargeBinary,
    Select,
    String,
    Table,
    bindparam,
    event,
    func,
    insert,
    select,
    type_coerce,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import NullType

from gateway.casework.caseworker import CaseWorker
from gateway.casework.organisation import Organisation
from gateway.casework.site import Site
from gateway.casework.verb import ALTERED, ATTESTS, KINDS, Kind, Verb
from gateway.db import Base, UtcTime
from gateway.vault import chain as links


class Entry(Base):
    """One line. `actor_id` is empty when the house did it; `report_id` or `subject_id` says to what."""

    __tablename__ = "journal"
    __table_args__ = (
        Index("ix_journal_report_id", "report_id", "id"),
        Index("ix_journal_subject_id", "subject_id", "id"),
        {
            "comment": "Holds: who did or saw what, to the minute, as numbers and one word of ours; what ties the "
            "lines together.\n"
            "Kept: for good; lines are only ever added.\n"
            "Read by: the people who may open a report, its own lines; whoever checks the journal."
        },
    )

    # Consecutive from 1: given by the chain, not by the database, which leaves gaps.
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcTime)
    # No foreign keys: a line outlives what it is about; and checking one would lock a person's row after the head
    # of the chain, while whoever holds that row waits for the head.
    actor_id: Mapped[int | None]
    verb: Mapped[str] = mapped_column(String(24))
    report_id: Mapped[int | None] = mapped_column(BigInteger)
    subject_id: Mapped[int | None]
    digest: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))


class Head(Base):
    """One row: the number and the hash of the last line. Whoever writes a line holds it."""

    __tablename__ = "chain"
    __table_args__ = (
        {
            "comment": "Holds: the number and the hash of the journal's last line.\n"
            "Kept: for good; it is one row.\n"
            "Read by: whoever checks the journal, and the outsiders who keep what it said."
        },
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int]
    head: Mapped[bytes] = mapped_column(LargeBinary(32))


@dataclass(frozen=True, slots=True)
class Line:
    """One step of a report's story, for a page."""

    at: datetime
    verb: Verb
    actor: str | None
    subject: str | None


@dataclass(frozen=True, slots=True)
class Watched:
    """A table whose rows are part of what something that can be attested is; `column` says of which one."""

    table: Table
    column: Column[Any]
    names: tuple[str, ...]
    of_one: Select[Any] = field(repr=False)
    of_many: Select[Any] = field(repr=False)


WATCHED: dict[Kind, list[Watched]] = {kind: [] for kind in KINDS}


def raw(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A column read as the driver gives it, whatever lies in its cells."""
    return type_coerce(column, NullType())


def watch(kind: Kind, table: FromClause, column: ColumnElement[int], *, but: Collection[str] = ()) -> None:
    """From now on the rows of `table` whose `column` is an object's id are part of what a line about that object
    attests; `but` names columns that change without a line."""
    columns = sorted((one for one in table.columns if one.name not in but), key=lambda one: one.name)
    # As they lie in the store: a cell that reads the same but is not must not pass.
    cells: Select[Any] = select(raw(column)).add_columns(*(raw(one) for one in columns))
    WATCHED[kind].append(
        Watched(
            cast(Table, table),
            cast("Column[Any]", column),
            tuple(one.name for one in columns),
            cells.where(column == bindparam("id")),
            cells.where(column.in_(bindparam("ids", expanding=True))),
        )
    )


watch("person", CaseWorker.__table__, CaseWorker.__table__.c.id, but=("moved",))
watch("site", Site.__table__, Site.__table__.c.id)
watch("organisation", Organisation.__table__, Organisation.__table__.c.id)


# Built once: the hop that files runs them.
_HEAD = cast(Table, Head.__table__)
_JOURNAL = cast(Table, Entry.__table__)
_LOCK = select(_HEAD.c.seq, _HEAD.c.head).where(_HEAD.c.id == 1).with_for_update()
_LAST = select(_JOURNAL.c.id, _JOURNAL.c.hash).order_by(_JOURNAL.c.id.desc()).limit(1)
_BEGIN = {
    "postgresql": postgresql.insert(_HEAD).on_conflict_do_nothing(),
    "sqlite": sqlite.insert(_HEAD).on_conflict_do_nothing(),
}
_ADVANCE = update(_HEAD).where(_HEAD.c.id == 1)
_WRITE = insert(_JOURNAL)


def write(
    db: Session,
    now: datetime,
    verb: Verb,
    *,
    actor: int | None = None,
    report: int | None = None,
    subject: int | None = None,
) -> None:
    """Note one line of this transaction, for `settle`. `subject` is the case worker, the site or the organisation
    that the verb is about; who changes something of their own need not say so. Times are whole minutes: nobody
    needs a second, and seconds would match a call."""
    if subject is None and ATTESTS.get(verb) == "person":
        subject = actor
    row = {
        "at": now.replace(second=0, microsecond=0),
        "actor_id": actor,
        "verb": verb.value,
        "report_id": report,
        "subject_id": subject,
    }
    db.info.setdefault("lines", []).append(row)


def about(db: Session) -> set[tuple[Kind, int]]:
    """What the lines noted in this transaction will vouch for, but for reports that it files."""
    lines = db.info.get("lines", [])
    new = {line["report_id"] for line in lines if line["verb"] == Verb.FILED}
    found = {thing for line in lines if (thing := _attested(line)) is not None}
    return {(kind, thing) for kind, thing in found if kind != "report" or thing not in new}


def write_altered(db: Session, now: datetime, kind: Kind, thing: int) -> None:
    """Note that another hand changed the rows of this report, person, site or organisation before."""
    if kind == "report":
        write(db, now, ALTERED[kind], report=thing)
    else:
        write(db, now, ALTERED[kind], subject=thing)


def settle(db: Session, key: bytes) -> None:
    """Write the lines of this transaction; its last statements, so that no row changes after it was attested and
    others wait for the head of the chain as shortly as can be. `key` is the vault's journal key."""
    lines = _worth_saying(db.info.pop("lines", []))
    if not lines:
        return
    db.flush()
    connection = db.connection()
    seq, head = connection.execute(_LOCK).one_or_none() or _begin(connection)
    newest = {thing: at for at, line in enumerate(lines) if (thing := _attested(line)) is not None}
    for at, line in enumerate(lines):
        thing = _attested(line)
        state = _state_of(connection, *thing) if thing is not None and newest[thing] == at else None
        seq += 1
        line["id"], line["digest"] = seq, links.attest(key, state) if state is not None else None
        line["hash"] = head = links.link(key, head, written(line))
    connection.execute(_WRITE, lines)
    connection.execute(_ADVANCE, {"seq": seq, "head": head})


@event.listens_for(Session, "before_commit")
def _nothing_is_left_out(db: Session) -> None:
    if db.info.get("lines"):
        raise AssertionError("a transaction that has noted lines must settle them before it commits")


def of_report(db: Session, report: int) -> list[Line]:
    """The story of a report as people tell it, oldest first; subjects of these verbs are people."""
    actor, subject = CaseWorker.__table__.alias("actor"), CaseWorker.__table__.alias("subject")
    rows = db.execute(
        select(Entry.at, Entry.verb, actor.c.name, subject.c.name)
        .join(actor, actor.c.id == Entry.actor_id, isouter=True)
        .join(subject, subject.c.id == Entry.subject_id, isouter=True)
        .where(Entry.report_id == report, Entry.verb != Verb.CLOCK_SET.value)
        .order_by(Entry.id)
    )
    return [Line(at, Verb(verb), who, whom) for at, verb, who, whom in rows]


def came_after(db: Session, report: int, kind: Kind) -> set[int]:
    """The people, or organisations, of whom the first line is younger than the report's."""
    filed = select(func.min(Entry.id)).where(Entry.report_id == report).scalar_subquery()
    first = select(Entry.subject_id).where(
        Entry.verb.in_([verb.value for verb, attests in ATTESTS.items() if attests == kind])
    )
    younger = first.group_by(Entry.subject_id).having(func.min(Entry.id) > filed)
    return {person for person in db.scalars(younger) if person is not None}


def written(line: Mapping[str, Any]) -> bytes:
    """A line as it is hashed: every field but its hash, in one unambiguous form."""
    fields = [line[name] for name in ("id", "at", "actor_id", "verb", "report_id", "subject_id", "digest")]
    return _canonical(fields)


def states(db: Session, kind: Kind, ids: Collection[int]) -> dict[int, bytes]:
    """What each of these consists of now, as `vault.chain.attest` takes it; one without a row is left out."""
    found: dict[int, list[bytes]] = {}
    connection = db.connection()
    for watched in WATCHED[kind]:
        for thing, *cells in connection.execute(watched.of_many, {"ids": ids}):
            found.setdefault(thing, []).append(_row(watched, cells))
    return {thing: _state(rows) for thing, rows in found.items()}


def _worth_saying(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A clock that was set by the way needs no line of its own, nor two."""
    said = {line["report_id"] for line in lines if line["verb"] in ATTESTS and line["verb"] != Verb.CLOCK_SET}
    kept: list[dict[str, Any]] = []
    for line in lines:
        if line["verb"] == Verb.CLOCK_SET:
            if line["report_id"] in said:
                continue
            said.add(line["report_id"])
        kept.append(line)
    return kept


def _begin(connection: Connection) -> Sequence[Any]:
    """The head row of a new journal. One that was taken away is put back behind the last line there is, and
    reports are taken all the same: it never proved more than that line does."""
    last = connection.execute(_LAST).one_or_none() or (0, links.BEGINNING)
    # Of two who begin at the same time the second waits here, and finds what the first has written.
    begin = _BEGIN[connection.dialect.name]
    connection.execute(begin, {"id": 1, "seq": last[0], "head": last[1]})
    return connection.execute(_LOCK).one()


def _attested(line: Mapping[str, Any]) -> tuple[Kind, int] | None:
    kind = ATTESTS.get(line["verb"])
    thing = line["report_id"] if kind == "report" else line["subject_id"]
    return (kind, thing) if kind is not None and thing is not None else None


def _state_of(connection: Connection, kind: Kind, thing: int) -> bytes:
    return _state(
        [
            _row(watched, cells)
            for watched in WATCHED[kind]
            for _, *cells in connection.execute(watched.of_one, {"id": thing})
        ]
    )


def _state(rows: list[bytes]) -> bytes:
    """Rows in the order of their bytes: no store's own order, no collation. None of them holds a line's end."""
    return b"\n".join(sorted(rows))


def _row(watched: Watched, cells: Iterable[Any]) -> bytes:
    """An empty cell is left out, so that a column added later changes nothing of what was attested before."""
    values = {name: _cell(cell) for name, cell in zip(watched.names, cells, strict=True) if cell is not None}
    return _canonical([watched.table.name, values])


def _cell(cell: object) -> object:
    """The same from every store: SQLite keeps truth as a number, and a list as the text that SQLAlchemy makes."""
    if isinstance(cell, bool):
        return int(cell)
    return json.dumps(cell) if isinstance(cell, list) else cell


def _canonical(value: object) -> bytes:
    return _encode(value).encode("ascii")


def _plain(value: object) -> object:
    """Moments and days as SQLite keeps them."""
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"no form for {type(value).__name__}")


_encode = json.JSONEncoder(separators=(",", ":"), default=_plain).encode
