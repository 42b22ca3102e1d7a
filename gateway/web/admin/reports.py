"""The inbox, and one report: read it, take it, note, hand on, close. What may be seen is for the nouns to say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import groupby
from typing import Final, TypeVar

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gateway import desk
from gateway.casework import Refused, caseworker, referral
from gateway.casework import shelf as shelves
from gateway.casework.caseworker import DECIDE
from gateway.casework.contact import Reach
from gateway.casework.journal import Line
from gateway.casework.referral import HandOnReason
from gateway.casework.report import Outcome, State
from gateway.casework.shelf import Position, Shelf
from gateway.casework.verb import Verb
from gateway.flows.definition import ANSWER_SEPTETS, ANSWERS, LETTER, SCREEN_SEPTETS
from gateway.web import names, reader, runtime
from gateway.web.admin.sign_in import me, prove
from gateway.web.admin.sign_in import reader as reader_here

SHOWN = 25
MOST = 99
"""Counts beyond this are shown as `99+`."""
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_POSITION = re.compile(r"(P[0-3])-([0-9]{1,16})-([0-9]{1,19})", re.ASCII)
_LARGEST_ID = 2**63 - 1

reports = Blueprint("reports", __name__)

Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Shown:
    """One answer as the page shows it: `text` in the reader's language, or the caller's own `words`."""

    name: str
    text: str | None = field(repr=False)
    words: str = field(repr=False)
    later: bool
    replaced: bool
    """The reporter answered the same once more, and that counts."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a report's story."""

    at: datetime
    text: str
    system: bool
    """Nobody did it."""


@reports.get("/reports")
def inbox() -> ResponseReturnValue:
    """One shelf of reports, a page of it. The address holds the state; what it does not understand it ignores."""
    rt, reader_id = runtime(), me().id
    shelf = _one_of(Shelf, request.args.get("shelf", "")) or Shelf.TO_TAKE
    topic = request.args.get("topic", "")
    topic = topic if topic in rt.book.topics else ""
    after = _position(request.args.get("after", ""))
    with rt.db.read() as db:
        joined = caseworker.one(db, reader_id)
        counts = {each: shelves.count(db, reader_id, each, at_most=MOST + 1) for each in Shelf}
        rows, following = shelves.page(
            db, reader_id, shelf, topics=[topic] if topic else (), after=after, size=SHOWN
        )
    return render_template(
        "reports.html",
        shelf=shelf,
        topic=topic,
        topics=list(rt.book.topics),
        counts=counts,
        most=MOST,
        rows=rows,
        after=after,
        following=_written(following),
        shelves=list(Shelf),
        unconfirmed=joined is None or joined.reader is None,
    )


@reports.get(f"/reports/<int(max={_LARGEST_ID}):report_id>")
def show(report_id: int) -> ResponseReturnValue:
    return _page(report_id)


@reports.post(f"/reports/<int(max={_LARGEST_ID}):report_id>")
def act(report_id: int) -> ResponseReturnValue:
    """Do one thing with a report. What is refused is said beside what was typed, on the same page."""
    doing = _DOING.get(request.form.get("do", ""))
    if doing is None:
        abort(400)
    try:
        done = doing(report_id)
    except Refused as refused:
        return _page(report_id, refused), 422
    if not isinstance(done, str):
        return _page(report_id, draft=done) if isinstance(done, desk.Draft) else _page(report_id, reach=done)
    flash(done)
    hidden = done in ("handed_on_hidden", "left_out_hidden")
    return redirect(url_for(".inbox") if hidden else url_for(".show", report_id=report_id), 303)


def _accept(report_id: int) -> str:
    return "accepted" if desk.accept(runtime(), reader_here(), report_id) else "accepted_before"


def _note(report_id: int) -> str:
    desk.note(runtime(), reader_here(), report_id, request.form.get("words", ""))
    return "noted"


def _hand_on(report_id: int) -> str:
    reason = _one_of(HandOnReason, request.form.get("reason", ""))
    if reason is None:
        raise Refused("reason", "Choose a reason.")
    to = request.form.get("to", "")
    desk.hand_on(runtime(), reader_here(), report_id, reason, _colleague(to) if to else None)
    return "handed_on_hidden" if reason is HandOnReason.KNOWS_SOMEBODY else "handed_on"


def _close(report_id: int) -> str:
    outcome = _one_of(Outcome, request.form.get("outcome", ""))
    if outcome is None:
        raise Refused("outcome", "Choose a reason.")
    desk.close(runtime(), reader_here(), report_id, outcome, request.form.get("closing", ""))
    return "closed"


def _preview(report_id: int) -> desk.Draft:
    """The letter as the reporter would see it; nothing is sent."""
    with runtime().db.read() as db:
        opened = shelves.open_for(db, me().id, report_id)
    if opened is None:
        abort(404)
    typed = request.form
    return desk.draft(runtime(), opened.row.language, *_letter(typed))


def _write(report_id: int) -> str:
    reminded = desk.write(runtime(), reader_here(), report_id, *_letter(request.form))
    return "written_sms" if reminded else "written"


def _letter(typed: Mapping[str, str]) -> tuple[str, str, str]:
    return typed.get("ready", ""), typed.get("letter", ""), typed.get("choices", "")


def _number(report_id: int) -> Reach:
    """Shown on this one answer, and on no page that has an address."""
    prove("proof-number", always=True)
    return desk.open_number(runtime(), reader_here(), report_id, request.form.get("why", ""))


def _leave_out(report_id: int) -> str:
    prove("proof-leave")
    stays = desk.leave_out(runtime(), reader_here(), report_id, _colleague(request.form.get("person", "")))
    return "left_out" if stays else "left_out_hidden"


def _hold(report_id: int) -> str:
    prove("proof-hold")
    desk.ask_to_hold(runtime(), reader_here(), report_id, _until())
    return "hold_asked"


def _agree(report_id: int) -> str:
    prove("proof-hold")
    desk.agree_to_hold(runtime(), reader_here(), report_id, _until())
    return "held"


def _until() -> date:
    try:
        return date.fromisoformat(request.form.get("until", ""))
    except ValueError:
        raise Refused("until", "Choose a day after today and within two years.") from None


def _grant(report_id: int) -> str:
    prove()
    desk.grant(runtime(), reader_here(), report_id, _colleague(request.form.get("grantee", "")))
    return "granted"


def _colleague(written: str) -> int:
    if not (written.isascii() and written.isdigit() and len(written) < 10):
        abort(400)
    return int(written)


_DOING: Final[dict[str, Callable[[int], str | desk.Draft | Reach]]] = {
    "accept": _accept,
    "note": _note,
    "hand_on": _hand_on,
    "close": _close,
    "grant": _grant,
    "preview": _preview,
    "write": _write,
    "number": _number,
    "leave_out": _leave_out,
    "hold": _hold,
    "agree": _agree,
}


def _page(
    report_id: int,
    refused: Refused | None = None,
    *,
    draft: desk.Draft | None = None,
    reach: Reach | None = None,
) -> str:
    rt = runtime()
    reading = desk.read(rt, reader_here(), report_id)
    if reading is None:
        abort(404)
    with rt.db.read() as db:
        offered = referral.waiting_for(db, report_id) is not None
        people = {one.id: one.name for one in caseworker.every(db)}
    taken = reading.row.state is State.ACCEPTED
    mine = taken and reading.responsible_id == me().id
    late = taken and not offered and me().role in DECIDE and reading.row.due_at <= rt.now()
    return render_template(
        "report.html",
        reading=reading,
        row=reading.row,
        mine=mine,
        free=reading.row.state is State.RECEIVED,
        handed_on=taken and offered,
        takes_over=late and not mine,
        closed=reading.row.state is State.CLOSED,
        answers=_answers(reading.answers),
        lang=names.html_language(reading.row.language),
        story=_story(reading.story),
        typed=request.form,
        did=request.form.get("do", "") if refused or draft or reach else "",
        draft=draft,
        reach=reach,
        withdrawn=reading.outcome is Outcome.WITHDRAWN,
        asked_to_withdraw=reading.row.silent and reading.row.state is not State.CLOSED,
        outcomes=_outcomes(reading),
        ready={name: one.text[reading.row.language] for name, one in rt.book.letters.items()},
        listed={name: [a[reading.row.language] for a in one.answers] for name, one in rt.book.letters.items()},
        french={name: one.text["fr"] for name, one in rt.book.letters.items()},
        closings={name: one[reading.row.language] for name, one in rt.book.closings.items()},
        room=LETTER,
        most_answers=len(ANSWERS),
        answer_septets=ANSWER_SEPTETS,
        screen_septets=SCREEN_SEPTETS,
        why_letters=desk.REASON_LETTERS,
        may_hold=me().role in DECIDE,
        asked_hold=people.get(reading.hold.asked_by, "") if reading.hold else "",
        my_hold=reading.hold is not None and reading.hold.asked_by == me().id,
        most=desk.NOTE_LETTERS,
        error={"field": refused.field, "text": reader.refusal(refused)} if refused else None,
        printed=rt.now(),
    )


def _outcomes(reading: desk.Reading) -> list[Outcome]:
    """How a report may be closed here: as withdrawn only if its reporter asks for it."""
    asked = reading.row.silent
    return [outcome for outcome in Outcome if outcome is not Outcome.WITHDRAWN or asked]


def _answers(answers: list[desk.Answer]) -> list[Shown]:
    book = runtime().book
    last = {answer.field: at for at, answer in enumerate(answers)}
    return [
        Shown(
            names.asked(book, answer.field),
            names.answered(book, answer.field, answer.value, answer.words),
            answer.words,
            answer.later,
            last[answer.field] != at,
        )
        for at, answer in enumerate(answers)
    ]


def _story(lines: Iterable[Line]) -> list[Step]:
    """The story in words; somebody who opened a report again and again is one line of it."""
    steps: list[Step] = []
    for (verb, actor, subject), group in groupby(lines, lambda line: (line.verb, line.actor, line.subject)):
        same = list(group)
        for line in same[-1:] if verb is Verb.OPENED else same:
            text = reader.say(
                names.STORY[verb], who=actor or reader.say("somebody"), whom=subject or reader.say("somebody")
            )
            steps.append(Step(line.at, text, actor is None))
    return steps


def _one_of(kind: type[Choice], value: str) -> Choice | None:
    return kind(value) if value in set(kind) else None


def _written(position: Position | None) -> str:
    """Where a page ends, for an address."""
    if position is None:
        return ""
    severity, due_at, report_id = position
    return f"{severity}-{(due_at - _BEGINNING) // timedelta(microseconds=1)}-{report_id}"


def _position(written: str) -> Position | None:
    """What `_written` wrote; None for anything else, which is the first page."""
    match = _POSITION.fullmatch(written)
    if match is None or int(match[3]) > _LARGEST_ID:
        return None
    return match[1], _BEGINNING + timedelta(microseconds=int(match[2])), int(match[3])
