"""What a person at a page does with a report: open it, accept, note, hand on, close.

Everything asks first whether this person may see the report now; whoever may not is told the same as for a
report that is not there. What a report holds is opened here, in memory, for one page, with the key that the
reader brings; only such a reader can give that key to somebody else.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

from gateway.casework import Refused, caseworker, journal, message, plan, referral, report, shelf
from gateway.casework.journal import Verb
from gateway.casework.plan import Enclosed
from gateway.later.dispatch import bring
from gateway.runtime import Runtime, Unit
from gateway.vault import Pair, SealBroken, open_with

NOTE_LETTERS = 2000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reader:
    """Who is at the desk: the person, and their key as long as their session lasts."""

    id: int
    key: Pair | None = dataclasses.field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as it was given: the field and value of the flow, and the words the caller saw or typed."""

    field: str
    value: str = dataclasses.field(repr=False)
    words: str = dataclasses.field(repr=False)
    later: bool
    """Added after the filing."""


@dataclass(frozen=True, slots=True)
class Note:
    """One note of a case worker."""

    author: str
    day: date
    words: str = dataclasses.field(repr=False)


@dataclass(frozen=True, slots=True)
class Reading:
    """A report as it lies open. `broken` parts did not open: changed rows, or a month whose key is gone. Without a
    key (`locked`) nothing of the story is here, and `holders` are the colleagues who can give it."""

    row: shelf.Row
    lane: str
    outcome: report.Outcome | None
    responsible_id: int | None
    answers: list[Answer] = dataclasses.field(repr=False)
    notes: list[Note] = dataclasses.field(repr=False)
    broken: int
    locked: bool
    story: list[journal.Line]
    colleagues: list[tuple[int, str]]
    """Whom it can be handed on to: active people of its plan but for the reader."""
    holders: list[str]
    keyless: list[tuple[int, str]]
    """People of its plan who need its key and may be given it."""


def read(rt: Runtime, reader: Reader, report_id: int) -> Reading | None:
    """Open a report; each opening is a line in the journal. None when it is not there, or not for this reader."""
    with rt.begin() as unit:
        opened = shelf.open_for(unit.db, reader.id, report_id)
        if opened is None:
            return None
        story = journal.of_report(unit.db, report_id)
        people = {person.id: person for person in caseworker.every(unit.db)}
        colleagues = [
            (person, people[person].name) for person, _ in plan.people(unit.db, report_id) if person != reader.id
        ]
        holders = plan.holders(unit.db, report_id)
        journal.write(unit.db, rt.now(), Verb.OPENED, actor=reader.id, report=report_id)
    pair = _pair(rt, reader, report_id, opened.month, opened.envelope)
    answers, notes, broken = _open(pair, opened.parts) if pair else ([], [], 0)
    return Reading(
        row=opened.row,
        lane=opened.lane,
        outcome=opened.outcome,
        responsible_id=opened.responsible_id,
        answers=answers,
        notes=notes,
        broken=broken,
        locked=pair is None,
        story=story,
        colleagues=colleagues,
        holders=[name for person, name in colleagues if person in holders],
        keyless=[
            (person, name)
            for person, name in colleagues
            if pair is not None and person not in holders and people[person].reader is not None
        ],
    )


def accept(rt: Runtime, reader: Reader, report_id: int) -> bool:
    """Answer for a report from now on; False when this person did already. Raises Refused."""

    def change(unit: Unit, found: report.Coarse, now: datetime) -> bool:
        return referral.accept(unit.db, found, reader.id, now + rt.book.severities[found.severity].first, now)

    return _change(rt, reader, report_id, change)


def note(rt: Runtime, reader: Reader, report_id: int, words: str) -> None:
    """Write a note, sealed like the report; to the one who answers for it, it counts as a step done. Raises
    Refused."""
    words = words.replace("\r\n", "\n").strip()
    if not words:
        raise Refused("words", "The note is empty.")
    if len(words) > NOTE_LETTERS:
        raise Refused(
            "words", "At most %(most)s letters; this note has %(has)s.", most=NOTE_LETTERS, has=len(words)
        )

    body = json.dumps({"version": 1, "note": words}, ensure_ascii=False).encode("utf-8")

    def change(unit: Unit, found: report.Coarse, now: datetime) -> None:
        if _was_last(rt, unit, reader, found, body):
            return  # the button was pressed twice on a slow line
        try:
            report.add(unit.db, rt.vault, found, rt.today(), body, author=reader.id)
        except SealBroken:
            raise Refused(
                "",
                "Another hand has changed the key of this report: nothing is sealed to it. Tell your technician.",
            ) from None
        if found.state is report.State.ACCEPTED and found.responsible_id == reader.id:
            report.set_clock(unit.db, report_id, now + rt.book.severities[found.severity].update)
        journal.write(unit.db, now, Verb.NOTED, actor=reader.id, report=report_id)

    _change(rt, reader, report_id, change)


def hand_on(rt: Runtime, reader: Reader, report_id: int, reason: referral.HandOnReason, to: int | None) -> None:
    """Pass a report to a colleague of its plan, with its key, or (`to` empty) to the next of its plan. Who passes
    it on stays in charge until it is accepted. Raises Refused."""

    def change(unit: Unit, found: report.Coarse, now: datetime) -> None:
        if to is not None and to not in [
            other for other, _ in plan.people(unit.db, report_id) if other != reader.id
        ]:
            raise Refused("to", "This colleague cannot take this report.")
        waiting = referral.waiting_for(unit.db, report_id)
        pressed_twice = to is None and referral.has_handed_on(unit.db, report_id, reader.id)
        if waiting not in (None, reader.id) and (pressed_twice or to == waiting):
            raise Refused("", "This report has been passed on already.")
        if to is not None and to not in plan.holders(unit.db, report_id):
            _give(rt, unit, found, _held(rt, unit, reader, found), to, now, by=reader.id)
        referral.hand_on(unit.db, found, reader.id, reason, now)
        if not bring(rt, unit, found, message.Kind.ALERT, now, to=to, by=reader.id):
            raise Refused("to", "Nobody else can take this report now.")

    _change(rt, reader, report_id, change)


def grant(rt: Runtime, reader: Reader, report_id: int, to: int) -> None:
    """Give a colleague of its plan the key of a report that the reader can open. Raises Refused."""

    def change(unit: Unit, found: report.Coarse, now: datetime) -> None:
        if to not in [other for other, _ in plan.people(unit.db, report_id)]:
            raise Refused("", "This colleague cannot take this report.")
        if to not in plan.holders(unit.db, report_id):
            _give(rt, unit, found, _held(rt, unit, reader, found), to, now, by=reader.id)

    _change(rt, reader, report_id, change)


def grant_from_escrow(rt: Runtime, person: int, pairs: Sequence[Pair]) -> Iterator[tuple[int, int, int]]:
    """Give a person the keys of every report of their plan that they lack, with what two holders of the escrow
    have opened; a transaction for each report. Yields how many were given, how many did not open, and how many
    there are in all. Raises Refused when nobody has confirmed the person's key."""
    with rt.db.read() as db:
        lacking = plan.without_key(db, person)
    given = unopened = 0
    for report_id in lacking:
        with rt.begin() as unit:
            found = report.lock(unit.db, report_id)
            held = report.sealed_to_escrow(unit.db, report_id)
            pair = _from_escrow(rt, report_id, held, pairs) if held else None
            if found is None or pair is None:
                unopened += 1
            else:
                _give(rt, unit, found, pair, person, rt.now())
                given += 1
        yield given, unopened, len(lacking)


def close(rt: Runtime, reader: Reader, report_id: int, outcome: report.Outcome) -> None:
    """Close a report with its reason. Raises Refused."""

    def change(unit: Unit, found: report.Coarse, now: datetime) -> None:
        report.close(unit.db, found, reader.id, outcome, now)
        referral.revoke(unit.db, report_id)

    _change(rt, reader, report_id, change)


def _change(
    rt: Runtime, reader: Reader, report_id: int, change: Callable[[Unit, report.Coarse, datetime], T]
) -> T:
    with rt.begin() as unit:
        found = report.lock(unit.db, report_id)
        if found is None or not plan.is_open_to(unit.db, report_id, reader.id):
            raise Refused("", "This report is not here.")
        return change(unit, found, rt.now())


def _pair(rt: Runtime, reader: Reader, report_id: int, month: str, envelope: bytes | None) -> Pair | None:
    """The key of a report, None when this reader cannot open it."""
    if reader.key is None or envelope is None:
        return None
    try:
        return rt.vault.open_envelope(reader.id, reader.key, report.place(report_id), month, envelope)
    except SealBroken:
        return None


def _held(rt: Runtime, unit: Unit, reader: Reader, found: report.Coarse) -> Pair:
    pair = _pair(rt, reader, found.id, found.month, plan.envelope(unit.db, found.id, reader.id))
    if pair is None:
        raise Refused("", "You cannot open this report yourself, so you cannot give its key to somebody.")
    return pair


def _give(
    rt: Runtime, unit: Unit, found: report.Coarse, pair: Pair, to: int, now: datetime, *, by: int | None = None
) -> None:
    person = caseworker.one(unit.db, to)
    reader = person.reader if person else None
    if reader is None:
        raise Refused("", "Nobody has confirmed the key of this person yet.")
    try:
        sealed = rt.vault.enclose(pair, report.place(found.id), found.month, reader)
    except SealBroken:
        raise Refused("", "This report cannot be opened any more.") from None
    plan.enclose(unit.db, found.id, {to: Enclosed(reader.public, sealed)})
    journal.write(unit.db, now, Verb.GRANTED, actor=by, report=found.id, subject=to)


def _from_escrow(rt: Runtime, report_id: int, held: tuple[str, bytes], pairs: Sequence[Pair]) -> Pair | None:
    month, envelope = held
    for pair in pairs:
        with suppress(SealBroken):
            return rt.vault.open_envelope("escrow", pair, report.place(report_id), month, envelope)
    return None


def _was_last(rt: Runtime, unit: Unit, reader: Reader, found: report.Coarse, body: bytes) -> bool:
    """Whether the newest addition is this very note of this reader."""
    last = report.last_addition(unit.db, found.id)
    if last is None or last[1] != reader.id:
        return False
    pair = _pair(rt, reader, found.id, found.month, plan.envelope(unit.db, found.id, reader.id))
    number, author, sealed = last
    with suppress(SealBroken):  # a changed row is no reason to refuse a new one
        return (
            pair is not None and open_with(pair, report.addition_place(found.id, number, author), sealed) == body
        )
    return False


def _open(pair: Pair, parts: Sequence[shelf.Part]) -> tuple[list[Answer], list[Note], int]:
    answers: list[Answer] = []
    notes: list[Note] = []
    broken = 0
    for at, part in enumerate(parts):
        try:
            body = json.loads(open_with(pair, part.place, part.sealed))
            if part.author is not None:
                notes.append(Note(part.author, part.day, body["note"]))
            else:
                answers += [Answer(one["field"], one["value"], one["words"], at > 0) for one in body["answers"]]
        except (SealBroken, ValueError, TypeError, KeyError):  # sealed by somebody, but not as we do it
            broken += 1
    return answers, notes, broken
