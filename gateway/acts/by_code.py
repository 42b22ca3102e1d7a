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
from gateway.casework import closing, contact, guess, hold, journal, letter, referral, report
from gateway.casework.contact import How, Reach
from gateway.casework.letter import Kind, Waiting
from gateway.casework.report import Outcome, State
from gateway.casework.verb import Verb
from gateway.flows.definition import ANSWERS, NOTHING
from gateway.vault import CodeKeys, Pair, SealBroken, open_with

_NUMBER = re.compile(r"\+[1-9][0-9]{7,14}", re.ASCII)
ONE_DAY = timedelta(days=1)
_NOTHING = flows.Reply(NOTHING)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question was answered, and which report it is about, if any."""

    reply: flows.Reply = field(repr=False)
    report: int | None


# Questions.


def show(stage: Stage, keys: CodeKeys) -> Asked:
    """What the holder of a code sees."""
    db = stage.unit.db
    tries = guess.hold(db, *stage.rt.vault.bucket(stage.today, stage.hop.caller))
    found = report.by_code(db, keys.token)
    if found is None or tries.blocked or _is_over(stage, found):
        guess.count(db, tries)
        if tries.slowed:
            log.warn("codes.many_wrong")
        return Asked(_NOTHING, None)
    return Asked(_standing(stage, found, keys.reply), found.id)


def erasable(stage: Stage, question: flows.Question) -> Asked:
    """Whether a report can be withdrawn by its reporter alone, or a person decides."""
    found = report.lock(stage.unit.db, stage.reports.get(question.about, 0))
    if found is None or found.silent or found.state is State.CLOSED:
        return Asked(_NOTHING, None)
    return Asked(flows.Reply("kept" if _is_kept(stage, found) else "erased"), found.id)


# Acts. Each returns the report.


def answer(stage: Stage, one: flows.Act) -> int:
    """The reporter's letter; it answers all that were written to them before."""
    found = stage.open(one)
    letter.answer(stage.unit.db, stage.rt.vault, found, stage.today, stage.body(one))
    stage.answered(found)
    stage.screen_words(found, one)
    journal.write(stage.unit.db, stage.now, Verb.ANSWERED, report=found.id)
    return found.id


def rate(stage: Stage, one: flows.Act) -> int:
    """Whether it is settled. If it is, the code shows nothing from now on; if not, the report is open once
    more."""
    db, found = stage.unit.db, stage.locked(one)
    if found.state is not State.CLOSED or found.outcome is Outcome.WITHDRAWN:
        raise LookupError("what was opened again, or withdrawn, is not rated")
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
        journal.write(db, stage.now, Verb.WITHDRAWAL_ASKED, report=found.id)
    elif _is_kept(stage, found):
        raise LookupError("it has become an emergency, or is held, since the screen was shown")
    else:
        referral.revoke(db, found.id)
        closing.withdraw(db, found, stage.now)
    return found.id


def consent(stage: Stage, one: flows.Act) -> int:
    """Keep how the reporter wants to be reached."""
    found = stage.open(one)
    number = one.facts.get("number") if one.facts["how"] == "another_number" else stage.hop.caller
    if number is None or not _NUMBER.fullmatch(number):
        raise LookupError("the provider does not say which number this is")
    how = How.SMS if one.facts["how"] == "sms_here" else How.CALL
    hours = one.facts["hours"] if how is How.CALL else ""
    reach = Reach(how, number, hours, stage.codes[one.about][-contact.DIGITS :])
    contact.keep(stage.unit.db, stage.rt.vault, found, stage.today, reach)
    stage.answered(found)
    journal.write(stage.unit.db, stage.now, Verb.CONSENTED, report=found.id)
    return found.id


def _is_kept(stage: Stage, found: report.Coarse) -> bool:
    """A life may be in danger, or two people hold it for a court."""
    return found.severity == MOST_URGENT or hold.in_force(stage.unit.db, found.id, stage.today)


def _is_over(stage: Stage, found: report.Coarse) -> bool:
    over = found.state is State.CLOSED and found.due_at + closing.SPEAKS <= stage.now
    return found.silent or over


def _standing(stage: Stage, found: report.Coarse, reply: Pair) -> flows.Reply:
    if found.state is State.CLOSED:
        return flows.Reply("closed", {"closing": _closing(stage, found, reply)})
    db = stage.unit.db
    waiting = letter.waiting(db, found.id, stage.today)
    if waiting is not None:
        body = _opened(found, waiting, reply)
        if body is not None:
            letter.read(db, found.id, waiting.number, stage.today)
            if waiting.kind is Kind.MESSAGE:
                return flows.Reply("letter", {"message": body[0]})
            answers = dict(zip(ANSWERS, body[1], strict=False))
            return flows.Reply("question", {"question": body[0], **answers})
    overdue = found.due_at <= stage.now
    until = _day(stage, stage.now + ONE_DAY if overdue else found.due_at)
    if found.state is State.ACCEPTED:
        return flows.Reply("in_work", {"d2": until})
    late = overdue or referral.has_expired(db, found.id)
    return flows.Reply("waiting" if late else "received", {"d": f"{found.day:%d/%m}", "d2": until})


def _closing(stage: Stage, found: report.Coarse, reply: Pair) -> str:
    last = letter.closing(stage.unit.db, found.id)
    body = _opened(found, last, reply) if last is not None else None
    if body is not None:
        return body[0]
    return stage.rt.book.closings[found.outcome or Outcome.HELPED][stage.language]


def _opened(found: report.Coarse, waiting: Waiting, reply: Pair) -> tuple[str, list[str]] | None:
    """The text and the answers of a letter, as its reporter's code opens it; None for one that another hand has
    changed."""
    try:
        body = json.loads(open_with(reply, letter.reply_place(found.id, waiting.number), waiting.sealed))
        return str(body["text"]), [str(one) for one in body["answers"]]
    except (SealBroken, ValueError, TypeError, KeyError):
        log.warn("letter.broken")
        return None


def _day(stage: Stage, at: datetime) -> str:
    return f"{at.astimezone(stage.rt.settings.local_zone):%d/%m}"
