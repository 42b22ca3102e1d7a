"""One function an act or a question: what a dialogue does to the store, done once, and what it asks of it.

All acts of a turn go through one transaction in their order; those that a twin, an earlier hop or the other
side of midnight has done are passed over. A question is an act too: asked once, and its answer kept for the hops
that follow, sealed under a key that only those know who know every key that was pressed. Nothing here is spoken to
the caller.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from gateway import flows
from gateway.acts import by_code, filing
from gateway.acts.by_code import Asked
from gateway.acts.stage import MOST_URGENT, QUIET, Codes, Stage, dialogue, material
from gateway.casework import act, journal, report
from gateway.casework.verb import Verb
from gateway.db import Conflict
from gateway.flows.definition import BY_CODE, ERASABLE, FILE, FRENCH
from gateway.providers import Ended, Hop
from gateway.runtime import Runtime, Unit
from gateway.vault import Marks, SealBroken, shown

__all__ = ["MOST_URGENT", "QUIET", "Performed", "ask", "hasten", "perform"]

TRIES = 3


@dataclass(frozen=True, slots=True)
class Performed:
    """After all acts of a turn: the code of the report that the dialogue is about."""

    code: str | None = field(repr=False)


DO: dict[str, Callable[[Stage, flows.Act], int]] = {
    "add": filing.add,
    "letter": by_code.answer,
    "rate": by_code.rate,
    "withdraw": by_code.withdraw,
    "consent": by_code.consent,
}
"""What a flow file may ask to be done besides filing, by its name there; each returns the report."""


def perform(rt: Runtime, hop: Hop, turn: flows.Turn) -> Performed:
    """Do what the turn's acts have not yet done; committed and flushed when this returns. Raises whatever the
    store raises, and then nothing was done."""
    today = rt.today()
    materials = [material(hop, one.upto, one.kind) for one in turn.acts]
    marks = [rt.vault.mark(today, each) for each in materials]
    done: list[act.Done | None] = [None]
    if turn.acts[-1].upto < len(hop.inputs):  # this key press did nothing itself: most likely all is done
        with rt.db.read() as db:
            done = act.find(db, marks)
    if turn.ends or None in done:
        done = _write(rt, hop, turn, today, materials, marks)
    if turn.code is not None:
        return Performed(shown(turn.code))
    filed = [
        (one, each)
        for one, each, found in zip(done, materials, turn.acts, strict=True)
        if found.kind == FILE and one is not None
    ]
    if not filed:
        return Performed(None)
    last, its = filed[-1]
    return Performed(shown(rt.vault.code(last.day, today, its, last.attempt)))


def ask(rt: Runtime, hop: Hop, turn: flows.Turn, question: flows.Question) -> flows.Reply:
    """What the store answers to the question of a turn: the same to every hop that asks it. Raises whatever the
    store raises."""
    today = rt.today()
    named = material(hop, question.upto, question.kind)
    mark = rt.vault.mark(today, named)
    with rt.db.read() as db:
        (known,) = act.find(db, [mark])
    if known is None:
        # The slow hash, before anybody waits for this transaction.
        keys = rt.vault.code_keys(question.argument) if question.kind == BY_CODE else None
        with rt.begin() as unit:
            known = act.begin(unit.db, mark, question.kind, rt.vault.mark(today, dialogue(hop)))
            if known is None:
                stage = Stage(rt, unit, hop, rt.now(), today, turn.language or FRENCH)
                _asked(stage, turn.asked)
                asked = by_code.show(stage, keys) if keys else by_code.erasable(stage, question)
                act.finish(unit.db, mark, report=asked.report, reply=_sealed(rt, mark.day, today, named, asked))
                return asked.reply
    return _reply(rt, known, today, named)[0]


def hasten(rt: Runtime, ended: Ended) -> None:
    """The dialogue is over: what it filed need not wait for more."""
    mark = rt.vault.mark(rt.today(), dialogue(ended))
    with rt.db.read() as db:
        reports = act.reports_of(db, mark)
    if reports:
        with rt.begin() as unit:
            _hasten(unit, reports, rt.now())


def _write(
    rt: Runtime, hop: Hop, turn: flows.Turn, today: date, materials: Sequence[bytes], marks: Sequence[Marks]
) -> list[act.Done | None]:
    codes = Codes(rt, today, {each: mark.day for each, mark in zip(materials, marks, strict=True)})
    for one, each in zip(turn.acts, materials, strict=True):
        if one.kind == FILE and one.upto == len(hop.inputs):
            codes.keys(each, 0)  # the slow hash, before anybody waits for this transaction
    for attempt in range(TRIES):
        try:
            return _transaction(rt, hop, turn, today, materials, marks, codes)
        except Conflict:
            if attempt == TRIES - 1:
                raise
    raise AssertionError("unreachable")


def _transaction(
    rt: Runtime,
    hop: Hop,
    turn: flows.Turn,
    today: date,
    materials: Sequence[bytes],
    marks: Sequence[Marks],
    codes: Codes,
) -> list[act.Done | None]:
    of_dialogue = rt.vault.mark(today, dialogue(hop))
    done: list[act.Done | None] = []
    with rt.begin() as unit:
        stage = Stage(rt, unit, hop, rt.now(), today, turn.language or FRENCH)
        _asked(stage, turn.asked)
        stage.codes.update({question.upto: question.argument for question in turn.asked})
        for one, each, mark in zip(turn.acts, materials, marks, strict=True):
            was = act.begin(unit.db, mark, one.kind, of_dialogue)
            if was is None:
                if one.kind == FILE:
                    made, attempt = filing.file(stage, one, codes, each)
                else:
                    made, attempt = DO[one.kind](stage, one), 0
                act.finish(unit.db, mark, report=made, attempt=attempt)
                was = act.Done(mark.day, made, attempt)
            if one.kind == FILE and was.report_id is not None:
                stage.reports[one.upto] = was.report_id
                stage.codes[one.upto] = rt.vault.code(was.day, today, each, was.attempt)
            done.append(was)
        if turn.ends:
            reports = {was.report_id for was in done if was is not None and was.report_id is not None}
            _hasten(unit, reports, stage.now)
    return done


def _asked(stage: Stage, questions: Sequence[flows.Question]) -> None:
    """Lay out the reports that codes typed in this dialogue have found, and the letters they have shown."""
    typed = [question for question in questions if question.kind != ERASABLE]
    if not typed:
        return
    named = [material(stage.hop, question.upto, question.kind) for question in typed]
    known = act.find(stage.unit.db, [stage.rt.vault.mark(stage.today, each) for each in named])
    for question, each, was in zip(typed, named, known, strict=True):
        if was is not None and was.report_id is not None:
            stage.reports[question.upto] = was.report_id
            _, letter = _reply(stage.rt, was, stage.today, each)
            if letter is not None:
                stage.letters[question.upto] = letter


def _hasten(unit: Unit, reports: Collection[int], now: datetime) -> None:
    for found in report.hasten(unit.db, reports, now):
        journal.write(unit.db, now, Verb.CLOCK_SET, report=found)
        unit.nudge("dispatch", found)


def _sealed(rt: Runtime, day: date, today: date, named: bytes, asked: Asked) -> bytes:
    said = [asked.reply.answer, dict(asked.reply.values), asked.letter]
    body = json.dumps(said, ensure_ascii=False).encode("utf-8")
    return rt.vault.seal_reply(day, today, named, body)


def _reply(rt: Runtime, known: act.Done, today: date, named: bytes) -> tuple[flows.Reply, int | None]:
    """What a question was answered, and the letter that was shown with it."""
    if known.reply is None:
        raise SealBroken("a question without an answer")
    answer, values, letter = json.loads(rt.vault.open_reply(known.day, today, named, known.reply))
    return flows.Reply(answer, values), letter
