"""A report as it lies open on a page: opened in memory, for one page, with the key that the reader brings."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from gateway.casework import caseworker, contact, hold, journal, letter, plan, report, shelf
from gateway.casework.verb import Verb
from gateway.desk.entry import Reader, opened_pair
from gateway.runtime import Runtime
from gateway.vault import Pair, SealBroken, open_with


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
    number_opened: bool = False
    """It is the reason why the reporter's number was opened."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter as the desk reads it; `author` is empty for the reporter's own. `answers` are those that a
    question lists."""

    kind: letter.Kind
    author: str | None
    day: date
    read_on: date | None
    answered_on: date | None
    words: str = dataclasses.field(repr=False)
    answers: list[str] = dataclasses.field(repr=False)
    to: str = dataclasses.field(repr=False, default="")
    """What the reporter's own answers, when it is not the letter just before."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A report as it lies open. `broken` parts did not open: changed rows, or a month whose key is gone. Without a
    key (`locked`) nothing of the story is here, and `holders` are the colleagues who can give it."""

    row: shelf.Row
    outcome: report.Outcome | None
    responsible_id: int | None
    answers: list[Answer] = dataclasses.field(repr=False)
    notes: list[Note] = dataclasses.field(repr=False)
    letters: list[Letter] = dataclasses.field(repr=False)
    contact: contact.How | None
    """How the reporter asks to be reached."""
    hold: hold.Standing | None
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
        written = letter.of_report(unit.db, report_id)
        how = contact.how(unit.db, report_id, rt.today())
        held = hold.standing(unit.db, report_id, rt.today())
        journal.write(unit.db, rt.now(), Verb.OPENED, actor=reader.id, report=report_id)
    pair = opened_pair(rt, reader, report_id, opened.month, opened.envelope)
    answers, notes, broken = _open(pair, opened.parts) if pair else ([], [], 0)
    letters, sealed = _open_letters(pair, written) if pair else ([], 0)
    unseen = any(row.author_id is None and row.read_on is None for row in written)
    if pair is not None and opened.responsible_id == reader.id and unseen:
        with rt.begin() as unit:
            letter.seen(unit.db, report_id, written[-1].number, rt.today())
    return Reading(
        row=opened.row,
        outcome=opened.outcome,
        responsible_id=opened.responsible_id,
        answers=answers,
        notes=notes,
        letters=letters,
        contact=how,
        hold=held,
        broken=broken + sealed,
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


def _open(pair: Pair, parts: Sequence[shelf.Part]) -> tuple[list[Answer], list[Note], int]:
    answers: list[Answer] = []
    notes: list[Note] = []
    broken = 0
    for at, part in enumerate(parts):
        try:
            body = json.loads(open_with(pair, part.place, part.sealed))
            if part.author is not None:
                words = body["note"] if "note" in body else f"{body['number_opened']}"
                notes.append(Note(part.author, part.day, words, "note" not in body))
            else:
                answers += [Answer(one["field"], one["value"], one["words"], at > 0) for one in body["answers"]]
        except (SealBroken, ValueError, TypeError, KeyError):  # sealed by somebody, but not as we do it
            broken += 1
    return answers, notes, broken


def _open_letters(pair: Pair, rows: Sequence[letter.Row]) -> tuple[list[Letter], int]:
    letters: list[Letter] = []
    written: dict[int, str] = {}
    broken = 0
    for row in rows:
        try:
            body = json.loads(open_with(pair, row.place, row.sealed))
            answers, to = list[str](), ""
            if row.author_id is None:
                (one,) = body["answers"]
                words, number = one["words"], body["to"]
                to = written.get(number, "") if number != row.number - 1 else ""
            else:
                words, answers = body["text"], list(body["answers"])
                written[row.number] = words
            letters.append(Letter(row.kind, row.author, row.day, row.read_on, row.answered_on, words, answers, to))
        except (SealBroken, ValueError, TypeError, KeyError):
            broken += 1
    return letters, broken
