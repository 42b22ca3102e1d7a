"""The way back: what a code shows, and what its holder does: answer a letter, rate, withdraw, be called.

Whatever shows nothing is looked up, counted and answered alike, be the code unknown, settled, withdrawn, expired
or typed by somebody who has tried too often.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway import flows, log
from gateway.acts.stage import MOST_URGENT, Stage, reference
from gateway.casework import caseworker, closing, contact, guess, hold, journal, letter, referral, report
from gateway.casework.contact import How, Reach
from gateway.casework.letter import Kind, Waiting
from gateway.casework.report import Outcome, State
from gateway.casework.verb import Verb
from gateway.flows.definition import ANSWERS, NOTHING
from gateway.vault import CodeKeys, Pair, SealBroken

_NUMBER = re.compile(r"\+[1-9][0-9]{7,14}", re.ASCII)
ONE_DAY = timedelta(days=1)
_NOTHING = flows.Reply(NOTHING)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question was answered, and which report it is about, if any."""

    reply: flows.Reply = field(repr=False)
    report: int | None
    letter: int | None = None
    """The letter that is shown."""


# Questions.


def show(stage: Stage, keys: CodeKeys) -> Asked:
    """What the holder of a code sees."""
    db = stage.unit.db
    tries = guess.hold(db, *stage.rt.vault.bucket(stage.today, stage.hop.caller))
    found = report.by_code(db, keys.token)
    if found is None or tries.blocked or _is_over(stage, found):
        # The code of a report that is over was no guess; it takes as long as one.
        guess.count(db, tries, wrong=found is None)
        if tries.slowed:
            log.warn("codes.many_wrong")
        return Asked(_NOTHING, None)
    return _standing(stage, found, keys.reply)


def erasable(stage: Stage, question: flows.Question) -> Asked:
    """Whether a report can be withdrawn by its reporter alone, or a person decides."""
    found = report.lock(stage.unit.db, stage.reports.get(question.about, 0))
    if found is None or found.silent or found.state is State.CLOSED:
        return Asked(_NOTHING, None)
    return Asked(flows.Reply("kept" if _is_kept(stage, found) else "erased"), found.id)


# Acts. Each returns the report.


def answer(stage: Stage, one: flows.Act) -> int:
    """The reporter's letter, in answer to the one they were shown. What was written before a report was closed is
    answered all the same."""
    found = stage.locked(one)
    if found.silent:
        raise LookupError("the report was withdrawn, or is settled")
    to = stage.letters[one.about]
    letter.answer(stage.unit.db, stage.rt.vault, found, stage.today, stage.body(one, to=to), to)
    stage.answered(found)
    stage.screen_words(found, one)
    journal.write(stage.unit.db, stage.now, Verb.ANSWERED, report=found.id)
    return found.id


def rate(stage: Stage, one: flows.Act) -> int:
    """Whether it is settled. If it is, the code shows nothing from now on; if not, the report is open once
    more."""
    db, found = stage.unit.db, stage.locked(one)
    if found.state is not State.CLOSED or found.silent:
        raise LookupError("what was opened again, withdrawn or called settled is not rated")
    report.add(db, stage.rt.vault, found, stage.today, stage.body(one))
    journal.write(db, stage.now, Verb.RATED, report=found.id)
    if one.facts["rating"] == "settled":
        closing.silence(db, found.id)
    else:
        due_at = stage.now + stage.rt.book.severities[found.severity].accept[0]
        closing.reopen(db, found, reference(), due_at, stage.now)
        stage.unit.nudge("dispatch", found.id)
    return found.id


def withdraw(stage: Stage, one: flows.Act) -> int:
    """Take a report back, as the screen said: what was told is destroyed here, or a person is asked to decide."""
    db, found = stage.unit.db, stage.open(one)
    if one.facts["withdrawal"] == "asked":
        report.add(db, stage.rt.vault, found, stage.today, stage.body(one))
        closing.silence(db, found.id)
        closing.forget_number(db, found.id, stage.now)  # whoever takes back what they said is not called about it
        stage.answered(found)
        if not caseworker.decides(db, found.responsible_id):
            report.set_dispatch(db, found.id, stage.now)
            stage.unit.nudge("dispatch", found.id)
        journal.write(db, stage.now, Verb.WITHDRAWAL_ASKED, report=found.id)
    elif _is_kept(stage, found):
        raise LookupError("it has become an emergency, or is held, since the screen was shown")
    else:
        referral.revoke(db, found.id)
        closing.withdraw(db, found, stage.now)
    return found.id


def consent(stage: Stage, one: flows.Act) -> int:
    """Keep how the reporter wants to be reached; a no erases what they said before."""
    found = stage.open(one)
    if one.facts["how"] == "nowhere":
        closing.forget_number(stage.unit.db, found.id, stage.now)
        return found.id
    number = one.facts.get("number") if one.facts["how"] == "another_number" else stage.hop.caller
    if number is None or not _NUMBER.fullmatch(number):
        raise LookupError("the provider does not say which number this is")
    how = How.SMS if one.facts["how"] == "sms_here" else How.CALL
    hours = one.facts["hours"] if how is How.CALL else ""
    reach = Reach(how, number, hours, stage.codes[one.about][-contact.DIGITS :])
    # The day keys' day, by which it is erased, and which no clock can put far ahead.
    day, _, _ = stage.rt.vault.days.overlapping(stage.today)
    contact.keep(stage.unit.db, stage.rt.vault, found, day, reach)
    stage.answered(found)
    journal.write(stage.unit.db, stage.now, Verb.CONSENTED, report=found.id)
    return found.id


def _is_kept(stage: Stage, found: report.Coarse) -> bool:
    """A life may be in danger, or two people hold it for a court."""
    return found.severity == MOST_URGENT or hold.in_force(stage.unit.db, found.id, stage.today)


def _is_over(stage: Stage, found: report.Coarse) -> bool:
    over = found.state is State.CLOSED and found.due_at + closing.SPEAKS <= stage.now
    return found.silent or over


def _standing(stage: Stage, found: report.Coarse, reply: Pair) -> Asked:
    """A letter, if one waits; else where the report stands. Nothing that was written is lost by a closing."""
    db, closed = stage.unit.db, found.state is State.CLOSED
    for each in letter.unread(db, found.id) if closed else letter.waiting(db, found.id, stage.today):
        body = _opened(stage, found, each, reply)
        if body is None:
            continue
        letter.read(db, found.id, each.number, stage.today)
        if each.kind is Kind.MESSAGE:
            return Asked(flows.Reply("letter", {"message": body[0]}), found.id, each.number)
        answers = dict(zip(ANSWERS, body[1], strict=False))
        return Asked(flows.Reply("question", {"question": body[0], **answers}), found.id, each.number)
    if closed:
        return Asked(flows.Reply("closed", {"closing": _closing(stage, found, reply)}), found.id)
    return Asked(_progress(stage, found), found.id)


def _progress(stage: Stage, found: report.Coarse) -> flows.Reply:
    overdue = found.due_at <= stage.now
    until = _day(stage, stage.now + ONE_DAY if overdue else found.due_at)
    if found.state is State.ACCEPTED:
        return flows.Reply("in_work", {"d2": until})
    late = overdue or referral.has_expired(stage.unit.db, found.id)
    return flows.Reply("waiting" if late else "received", {"d": f"{found.day:%d/%m}", "d2": until})


def _closing(stage: Stage, found: report.Coarse, reply: Pair) -> str:
    last = letter.closing(stage.unit.db, found.id)
    body = _opened(stage, found, last, reply) if last is not None else None
    if body is not None:
        return body[0]
    return stage.rt.book.closings[found.outcome or Outcome.HELPED][stage.language]


def _opened(stage: Stage, found: report.Coarse, waiting: Waiting, reply: Pair) -> tuple[str, list[str]] | None:
    """The text and the answers of a letter, as its reporter's code opens it; None for one that another hand has
    changed."""
    try:
        place = letter.reply_place(found.id, waiting.number)
        body = json.loads(stage.rt.vault.open_letter(reply, place, found.month, waiting.sealed))
        return str(body["text"]), [str(one) for one in body["answers"]]
    except (SealBroken, ValueError, TypeError, KeyError):
        log.warn("letter.broken")
        return None


def _day(stage: Stage, at: datetime) -> str:
    return f"{at.astimezone(stage.rt.settings.local_zone):%d/%m}"
