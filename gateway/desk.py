"""What a person at a page does with a report: open it, accept, note, hand on, close.

Everything asks first whether this person may see the report now; whoever may not is told the same as for a
report that is not there. What a report holds is opened here, in memory, for one page.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

from gateway.casework import Refused, caseworker, journal, message, referral, report, shelf
from gateway.casework.journal import Verb
from gateway.later.dispatch import bring
from gateway.runtime import Runtime, Unit
from gateway.vault import SealBroken

NOTE_LETTERS = 2000

T = TypeVar("T")


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
    """A report as it lies open. `broken` parts did not open: other keys, or changed rows."""

    row: shelf.Row
    lane: str
    outcome: report.Outcome | None
    responsible_id: int | None
    answers: list[Answer] = dataclasses.field(repr=False)
    notes: list[Note] = dataclasses.field(repr=False)
    broken: int
    story: list[journal.Line]
    colleagues: list[tuple[int, str]]
    """Whom it can be handed on to: active people of its plan but for the reader."""


def read(rt: Runtime, reader: int, report_id: int) -> Reading | None:
    """Open a report; each opening is a line in the journal. None when it is not there, or not for this reader."""
    with rt.begin() as unit:
        opened = shelf.open_for(unit.db, reader, report_id)
        if opened is None:
            return None
        story = journal.of_report(unit.db, report_id)
        people = {person.id: person.name for person in caseworker.every(unit.db)}
        colleagues = [
            (person, people[person]) for person, _ in report.planned(unit.db, report_id) if person != reader
        ]
        journal.write(unit.db, rt.now(), Verb.OPENED, actor=reader, report=report_id)
    answers, notes, broken = _open(rt, report_id, opened)
    return Reading(
        opened.row,
        opened.lane,
        opened.outcome,
        opened.responsible_id,
        answers,
        notes,
        broken,
        story,
        colleagues,
    )


def accept(rt: Runtime, person: int, report_id: int) -> bool:
    """Answer for a report from now on; False when this person did already. Raises Refused."""

    def change(unit: Unit, found: report.Coarse, now: datetime) -> bool:
        return referral.accept(unit.db, found, person, now + rt.book.severities[found.severity].first, now)

    return _change(rt, person, report_id, change)


def note(rt: Runtime, person: int, report_id: int, words: str) -> None:
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
    place = report.place(report_id)

    def change(unit: Unit, found: report.Coarse, now: datetime) -> None:
        last = report.last_addition(unit.db, report_id)
        if last is not None and last[0] == person and _holds(rt, place, last[1], body):
            return  # the button was pressed twice on a slow line
        report.add(unit.db, report_id, rt.today(), rt.vault.seal(report.place(report_id), body), author=person)
        if found.state is report.State.ACCEPTED and found.responsible_id == person:
            report.set_clock(unit.db, report_id, now + rt.book.severities[found.severity].update)
        journal.write(unit.db, now, Verb.NOTED, actor=person, report=report_id)

    _change(rt, person, report_id, change)


def hand_on(rt: Runtime, person: int, report_id: int, reason: referral.HandOnReason, to: int | None) -> None:
    """Pass a report to a colleague of its plan, or (`to` empty) to the next of its plan. Who passes it on stays
    in charge until it is accepted. Raises Refused."""

    def change(unit: Unit, found: report.Coarse, now: datetime) -> None:
        if to is not None and to not in [
            other for other, _ in report.planned(unit.db, report_id) if other != person
        ]:
            raise Refused("to", "This colleague cannot take this report.")
        waiting = referral.waiting_for(unit.db, report_id)
        pressed_twice = to is None and referral.has_handed_on(unit.db, report_id, person)
        if waiting not in (None, person) and (pressed_twice or to == waiting):
            raise Refused("", "This report has been passed on already.")
        referral.hand_on(unit.db, found, person, reason, now)
        if not bring(rt, unit, found, message.Kind.ALERT, now, to=to, by=person):
            raise Refused("to", "Nobody else can take this report now.")

    _change(rt, person, report_id, change)


def close(rt: Runtime, person: int, report_id: int, outcome: report.Outcome) -> None:
    """Close a report with its reason. Raises Refused."""

    def change(unit: Unit, found: report.Coarse, now: datetime) -> None:
        report.close(unit.db, found, person, outcome, now)
        referral.revoke(unit.db, report_id)

    _change(rt, person, report_id, change)


def _change(rt: Runtime, person: int, report_id: int, change: Callable[[Unit, report.Coarse, datetime], T]) -> T:
    with rt.begin() as unit:
        found = report.lock(unit.db, report_id)
        if found is None or not report.is_open_to(unit.db, report_id, person):
            raise Refused("", "This report is not here.")
        return change(unit, found, rt.now())


def _holds(rt: Runtime, place: str, sealed: bytes, body: bytes) -> bool:
    try:
        return rt.vault.open(place, sealed) == body
    except SealBroken:  # a changed row is no reason to refuse a new one
        return False


def _open(rt: Runtime, report_id: int, opened: shelf.Opened) -> tuple[list[Answer], list[Note], int]:
    answers: list[Answer] = []
    notes: list[Note] = []
    broken = 0
    parts = [
        (None, opened.row.day, opened.body_sealed, False),
        *((author, day, sealed, True) for _, author, day, sealed in opened.additions),
    ]
    for author, day, sealed, later in parts:
        try:
            body = json.loads(rt.vault.open(report.place(report_id), sealed))
            if author is not None:
                notes.append(Note(author, day, body["note"]))
            else:
                answers += [Answer(one["field"], one["value"], one["words"], later) for one in body["answers"]]
        except (SealBroken, KeyError):  # a note in the place of an answer is a changed row too
            broken += 1
    return answers, notes, broken
