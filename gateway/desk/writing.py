"""What a case worker writes to a reporter, and how they reach one who asked for it.

A letter is counted against the screen that will show it, in the letters that a phone has. Whoever has taken the
report writes, and nobody else; only they open a number, one at a time, with a reason that colleagues can read.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime

from gateway import flows, text
from gateway.casework import Refused, contact, journal, letter, plan, reminder, report
from gateway.casework.contact import How, Reach
from gateway.casework.letter import Kind
from gateway.casework.report import Outcome
from gateway.casework.verb import Verb
from gateway.desk.entry import Reader, change, held_pair, opened_pair, opened_part
from gateway.flows.definition import ANSWER_SEPTETS, ANSWERS, LETTER
from gateway.runtime import Runtime, Unit
from gateway.vault import SealBroken

REASON_LETTERS = 200
OWN = ""
"""Stands for no ready sentence: the words are the case worker's own."""
_SCREENS = {Kind.MESSAGE: "letter", Kind.QUESTION: "question", Kind.CLOSING: "closed"}
_PLACES = {Kind.MESSAGE: "message", Kind.QUESTION: "question", Kind.CLOSING: "closing"}
_HOW_MANY = re.compile(r"\b(combien|how many|how old|quel age|ngapi|boni|mbula)\b")
"""Words of a question that a bare number answers, in the languages of the phone, without accents."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A letter that may be sent: its kind, its text, the answers it lists, and how it looks on the phone."""

    kind: Kind
    text: str = field(repr=False)
    answers: tuple[str, ...] = field(repr=False)
    screen: str = field(repr=False)

    @property
    def septets(self) -> int:
        return text.septets(self.screen)


def draft(rt: Runtime, language: str, ready: str, words: str, choices: str = "") -> Draft:
    """A ready sentence, or own words when `ready` is OWN, as the reporter would see it in `language`; `choices`,
    one a line, make the own words a question that lists its answers. Raises Refused."""
    if ready == OWN:
        answers = _choices(choices)
        kind = Kind.QUESTION if answers else Kind.MESSAGE
        words = checked(words, kind, "letter")
        if not answers and _HOW_MANY.search(text.to_ascii(words).lower()):
            raise Refused(
                "choices", "A question that a number answers lists its answers: on the phone 0 leads back."
            )
        return _drafted(rt, language, kind, words, answers)
    if ready not in rt.book.letters:
        raise Refused("ready", "Choose a sentence, or write your own.")
    if words.strip() or choices.strip():
        raise Refused("letter", "Choose a sentence or write your own words, not both.")
    chosen = rt.book.letters[ready]
    kind = Kind.QUESTION if chosen.answers else Kind.MESSAGE
    return _drafted(rt, language, kind, chosen.text[language], tuple(one[language] for one in chosen.answers))


def write(rt: Runtime, reader: Reader, report_id: int, ready: str, words: str, choices: str = "") -> bool:
    """Send a letter; whether the one SMS that the reporter asked for leaves with it. Raises Refused."""

    def do(unit: Unit, found: report.Coarse, now: datetime) -> bool:
        _mine(found, reader)
        if found.silent:
            raise Refused("", "The reporter has asked to withdraw: their code shows nothing any more.")
        made = draft(rt, found.language, ready, words, choices)
        if _was_last(rt, unit, reader, found, made):
            return False  # the button was pressed twice on a slow line
        _seal(rt, unit, reader, found, made.kind, made.text, made.answers)
        report.set_clock(unit.db, report_id, now + rt.book.severities[found.severity].update)
        journal.write(unit.db, now, Verb.WROTE, actor=reader.id, report=report_id)
        return _remind(rt, unit, reader, found)

    return change(rt, reader, report_id, do)


def closing_words(
    rt: Runtime, unit: Unit, reader: Reader, found: report.Coarse, outcome: Outcome, words: str
) -> None:
    """The last words to the reporter: the case worker's own, or the ready ones of this outcome. Raises Refused."""
    own = checked(words, Kind.CLOSING, "closing") if words.strip() else ""
    ready = rt.book.closings.get(outcome.value)
    if not own and ready is None:
        return
    if found.reply is None:  # from before reporters could be written to: the screen says the ready words
        return
    _seal(rt, unit, reader, found, Kind.CLOSING, own or ready[found.language] if ready else own, ())
    _remind(rt, unit, reader, found)


def open_number(rt: Runtime, reader: Reader, report_id: int, reason: str) -> Reach:
    """The number of a reporter who asked to be called, with the hours that are safe. The reason stays in the
    report. Raises Refused."""
    reason = " ".join(reason.split())
    if not reason:
        raise Refused("why", "Say why you open the number; your colleagues will read it.")
    if len(reason) > REASON_LETTERS:
        raise Refused("why", "At most %(most)s letters; this has %(has)s.", most=REASON_LETTERS, has=len(reason))

    def do(unit: Unit, found: report.Coarse, now: datetime) -> Reach:
        _mine(found, reader)
        pair = held_pair(rt, unit, reader, found)
        try:
            reach = contact.open_(unit.db, rt.vault, report_id, pair, rt.today())
        except SealBroken:
            reach = None
        if reach is None or reach.how is not How.CALL:
            raise Refused("", "There is no number to call: it was not given, or it is erased already.")
        body = json.dumps({"version": 1, "number_opened": reason}, ensure_ascii=False).encode("utf-8")
        report.add(unit.db, rt.vault, found, rt.today(), body, author=reader.id)
        journal.write(unit.db, now, Verb.NUMBER_OPENED, actor=reader.id, report=report_id)
        return reach

    return change(rt, reader, report_id, do)


def checked(words: str, kind: Kind, at: str) -> str:
    """Own words, fit for the screen that shows them. Raises Refused at the field `at`."""
    words = " ".join(words.split())
    most, has = LETTER[_PLACES[kind]], text.septets(words)
    if not words:
        raise Refused(at, "Write something, or choose a sentence.")
    _check_letters(words, at)
    if has > most:
        raise Refused(at, "The screen has room for %(most)s letters; this has %(has)s.", most=most, has=has)
    return words


def _check_letters(words: str, at: str) -> None:
    if bad := text.offenders(words):
        raise Refused(at, "A phone cannot show these letters: %(letters)s.", letters=" ".join(sorted(bad)))
    if text.NUMBER.search(words):
        raise Refused(at, "No number may stand here: somebody else may read this screen.")


def _choices(typed: str) -> tuple[str, ...]:
    """The answers that a question lists, one a line. Raises Refused."""
    answers = tuple(dict.fromkeys(" ".join(line.split()) for line in typed.splitlines() if line.strip()))
    if len(answers) == 1 or len(answers) > len(ANSWERS):
        raise Refused("choices", "Two answers at least, %(most)s at most, one a line.", most=len(ANSWERS))
    for answer in answers:
        _check_letters(answer, "choices")
        if text.septets(answer) > ANSWER_SEPTETS:
            raise Refused(
                "choices",
                "An answer has room for %(most)s letters: %(answer)s",
                most=ANSWER_SEPTETS,
                answer=answer,
            )
    return answers


def _drafted(rt: Runtime, language: str, kind: Kind, words: str, answers: tuple[str, ...]) -> Draft:
    values = {_PLACES[kind]: words, **dict(zip(ANSWERS, answers, strict=False))}
    turn = flows.Turn(_SCREENS[kind], language, None, 0, False, values, (), None, {})
    return Draft(kind, words, answers, flows.render(rt.book, turn, rt.directory.known))


def _seal(
    rt: Runtime,
    unit: Unit,
    reader: Reader,
    found: report.Coarse,
    kind: Kind,
    words: str,
    answers: tuple[str, ...],
) -> None:
    try:
        letter.write(unit.db, rt.vault, found, rt.today(), kind, _body(words, answers), reader.id)
    except SealBroken:
        raise Refused(
            "", "Nothing can be written to this reporter: the report is older than letters, or was changed."
        ) from None


def _body(words: str, answers: tuple[str, ...]) -> bytes:
    return json.dumps({"version": 1, "text": words, "answers": answers}, ensure_ascii=False).encode("utf-8")


def _remind(rt: Runtime, unit: Unit, reader: Reader, found: report.Coarse) -> bool:
    """Let the one SMS leave that the reporter asked for; with it, how they can be reached is erased."""
    if contact.how(unit.db, found.id, rt.today()) is not How.SMS:
        return False
    pair = opened_pair(rt, reader, found.id, found.month, plan.envelope(unit.db, found.id, reader.id))
    try:
        reach = contact.open_(unit.db, rt.vault, found.id, pair, rt.today()) if pair else None
    except SealBroken:
        reach = None
    if reach is None:
        return False
    reminder.queue(unit.db, rt.vault, reach.number, found.language, rt.now())
    contact.erase(unit.db, found.id)
    journal.write(unit.db, rt.now(), Verb.REMINDED, report=found.id)
    unit.nudge("send")
    return True


def _was_last(rt: Runtime, unit: Unit, reader: Reader, found: report.Coarse, made: Draft) -> bool:
    """Whether the newest letter is this very one of this case worker, and still unread."""
    rows = letter.of_report(unit.db, found.id)
    if not rows or rows[-1].author_id != reader.id or rows[-1].read_on is not None:
        return False
    said = opened_part(rt, unit, reader, found, rows[-1].place, rows[-1].sealed)
    return said == _body(made.text, made.answers)


def _mine(found: report.Coarse, reader: Reader) -> None:
    if found.state is not report.State.ACCEPTED or found.responsible_id != reader.id:
        raise Refused("", "Only the person who took the report can do this.")
