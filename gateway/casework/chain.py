"""The journal checked from its first line, and against what outsiders have kept of it.

It finds a line that was changed, taken out, put in or moved, and a row that is no longer what the newest line
about it attests; and before an act of ours vouches for rows anew, it looks whether they still are what was
attested. It cannot find the last lines cut off together with the head row and every row they attest, but from
what outsiders kept on. So let outsiders keep heads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import Column, ColumnElement, Table, bindparam, func, select, true
from sqlalchemy.orm import Session

from gateway.casework import journal
from gateway.casework.journal import WATCHED, raw
from gateway.casework.refused import Refused
from gateway.casework.verb import ALTERED, ATTESTS, KINDS, Kind, Verb
from gateway.vault import chain as links

_CHUNK: Final = 1000
_LINES = cast(Table, journal.Entry.__table__)
_HEADS = cast(Table, journal.Head.__table__)
# As they lie in the store: a changed cell may hold what its column could never be read as.
_RAW = select(*(raw(column).label(column.name) for column in _LINES.columns))
_NEXT = _RAW.where(_LINES.c.id > bindparam("after")).order_by(_LINES.c.id).limit(_CHUNK)
_KEPT = re.compile(r"([0-9]{1,10}) ([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}) ((?:[0-9a-f] ?){64})")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that does not fit: where, and what is wrong there. It never quotes a row."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class KeptHead:
    """What an outsider keeps: the number of a line, its minute and its hash."""

    seq: int
    minute: datetime
    head: bytes

    def __str__(self) -> str:
        digits = self.head.hex()
        groups = " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))
        return f"{self.seq} {self.minute:%Y-%m-%d %H:%M} {groups}"


@dataclass(slots=True)
class Verdict:
    """How much was checked, and what did not fit."""

    lines: int = 0
    things: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    faults: list[Fault] = field(default_factory=list)


def head(db: Session) -> KeptHead | None:
    """The last line as outsiders keep it; None before the first."""
    newest = select(journal.Entry.id, journal.Entry.at, journal.Entry.hash).order_by(journal.Entry.id.desc())
    row = db.execute(newest.limit(1)).one_or_none()
    return KeptHead(*row) if row else None


def read_heads(words: str) -> list[KeptHead]:
    """Heads as they were printed, one a line, however spaced. Raises Refused for a line that is none."""
    found = []
    for number, line in enumerate(words.splitlines(), 1):
        if not line.strip():
            continue
        match = _KEPT.fullmatch(" ".join(line.lower().split()))
        try:
            minute = datetime.strptime(f"{match[2]} +0000", "%Y-%m-%d %H:%M %z") if match else None
        except ValueError:
            minute = None
        if match is None or minute is None:
            raise Refused("", "Line %(number)s is not a head as `journal heads` prints it.", number=number)
        found.append(KeptHead(int(match[1]), minute, bytes.fromhex(match[3])))
    return found


def verify(
    db: Session, key: bytes, kept: Iterable[KeptHead] = (), progress: Callable[[int], object] = lambda lines: None
) -> Verdict:
    """Check the whole journal, and the present rows of every report, person and site against it. Takes one
    transaction that stands still (`Database.read(still=True)`), the vault's journal key, and heads that outsiders
    kept. `progress` is told how many lines have been walked. Memory does not grow with the journal."""
    verdict = Verdict()
    _walk(db, key, kept, verdict, progress)
    for kind in KINDS:
        _compare(db, key, kind, verdict)
    return verdict


def altered(db: Session, key: bytes, things: Iterable[tuple[Kind, int]]) -> list[tuple[Kind, int]]:
    """Which of these are not what the newest line about them attests, as far as it is committed. Takes a
    transaction that stands still, beside the one that changes them."""
    found: list[tuple[Kind, int]] = []
    for kind in KINDS:
        ids = sorted(thing for other, thing in things if other == kind)
        if ids:
            attested, present = _newest(db, kind, ids), journal.states(db, kind, ids)
            found += [(kind, thing) for thing in ids if not _fits(key, present.get(thing), attested.get(thing))]
    return found


@dataclass(frozen=True, slots=True)
class _Attested:
    """What the newest attesting line about a thing says: the digest of its rows, or that it was erased."""

    digest: bytes
    erased: bool


def _fits(key: bytes, state: bytes | None, attested: _Attested | None) -> bool:
    """Nothing attests what was not there yet; only what was erased may be gone."""
    if attested is None or state is None:
        return state is None and (attested is None or attested.erased)
    return links.attest(key, state) == attested.digest


def _walk(
    db: Session, key: bytes, kept: Iterable[KeptHead], verdict: Verdict, progress: Callable[[int], object]
) -> None:
    outside: dict[int, list[bytes]] = {}
    for one in kept:
        outside.setdefault(one.seq, []).append(one.head)
    last, previous = 0, links.BEGINNING
    for line in _lines(db, verdict, progress):
        where = f"line {line['id']}"
        if line["id"] != last + 1:
            _say(verdict, where, f"the line before it is {last}: what was between them is gone")
        if not isinstance(line["hash"], bytes) or links.link(key, previous, journal.written(line)) != line["hash"]:
            _say(verdict, where, "it was changed, moved or put in, or the line before it was")
        if line["verb"] in ALTERED.values():
            _say(verdict, where, "what it is about was found changed by another hand")
        if any(line["hash"] != head_ for head_ in outside.pop(line["id"], [])):
            _say(verdict, where, "it is not what an outsider kept of it")
        last, previous = line["id"], line["hash"] if isinstance(line["hash"], bytes) else links.BEGINNING
    for seq in sorted(outside):
        _say(verdict, f"line {seq}", "an outsider kept its head, but it is not there: the journal was cut")
    row = select(*(raw(column) for column in _HEADS.columns))
    heads = [tuple(one) for one in db.execute(row)]
    if heads != ([(1, last, previous)] if last else []):
        _say(verdict, "the head of the journal", f"it is not that of the last line, {last}")


def _lines(db: Session, verdict: Verdict, progress: Callable[[int], object]) -> Iterator[dict[str, Any]]:
    after = None
    while True:
        query = _NEXT if after is not None else _RAW.order_by(_LINES.c.id).limit(_CHUNK)
        chunk = db.execute(query, {"after": after} if after is not None else {}).mappings().all()
        for line in chunk:
            yield dict(line)
        verdict.lines += len(chunk)
        if len(chunk) < _CHUNK:
            return
        after = chunk[-1]["id"]
        progress(verdict.lines)


def _compare(db: Session, key: bytes, kind: Kind, verdict: Verdict) -> None:
    """Every object's present rows against the newest line that attests it."""
    for ids in _things(db, kind, verdict):
        attested, present = _newest(db, kind, ids), journal.states(db, kind, ids)
        for thing in ids:
            state, says = present.get(thing), attested.get(thing)
            verdict.things[kind] += state is not None
            if _fits(key, state, says):
                continue
            if state is None:
                _say(verdict, f"{kind} {thing}", "the journal tells of it, but it is gone")
            elif says is None:
                _say(verdict, f"{kind} {thing}", "no line tells how it came here")
            else:
                _say(verdict, f"{kind} {thing}", "changed after its last line")


def _things(db: Session, kind: Kind, verdict: Verdict) -> Iterator[list[int]]:
    """The ids that any row of this kind or any line about it names, in chunks, in order."""
    named, says = _named_by_lines(kind)
    sources = [(each.column, true()) for each in WATCHED[kind]] + [(named, says)]
    strays: set[str] = set()
    after = None
    while True:
        found: set[int] = set()
        for column, where in sources:
            id_ = raw(column)
            query = select(id_).where(column.is_not(None), where).distinct().order_by(id_).limit(_CHUNK)
            if after is not None:
                query = query.where(column > after)
            for thing in db.scalars(query):
                if isinstance(thing, int):
                    found.add(thing)
                else:
                    strays.add(column.table.name)
        chunk = sorted(found)[:_CHUNK]
        if not chunk:
            break
        yield chunk
        after = chunk[-1]
    for table in sorted(strays):
        _say(verdict, f"table {table}", f"a row of no {kind}")


def _newest(db: Session, kind: Kind, ids: list[int]) -> dict[int, _Attested]:
    """What the newest attesting line about each of these says."""
    column, says = _named_by_lines(kind)
    newest = (
        select(func.max(_LINES.c.id)).where(column.in_(ids), says, _LINES.c.digest.is_not(None)).group_by(column)
    )
    digest = raw(_LINES.c.digest)
    rows = db.execute(select(column, digest, raw(_LINES.c.verb)).where(_LINES.c.id.in_(newest)))
    return {thing: _Attested(said, verb == Verb.ERASED.value) for thing, said, verb in rows}


def _named_by_lines(kind: Kind) -> tuple[Column[Any], ColumnElement[bool]]:
    """Where a line names what it attests, and which lines do."""
    column = _LINES.c.report_id if kind == "report" else _LINES.c.subject_id
    return column, _LINES.c.verb.in_([verb.value for verb, attests in ATTESTS.items() if attests == kind])


def _say(verdict: Verdict, where: str, what: str) -> None:
    verdict.faults.append(Fault(where, what))
