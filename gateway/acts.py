"""One function an act: what a dialogue does to the store, done once.

All acts of a turn go through one transaction in their order; those that a twin, an earlier hop or the other
side of midnight has done are passed over. Nothing here is spoken to the caller.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from gateway import flows
from gateway.casework import act, journal, referral, report, route
from gateway.casework.journal import Verb
from gateway.db import Conflict
from gateway.flows.definition import FRENCH
from gateway.providers import Ended, Hop
from gateway.runtime import Runtime, Unit
from gateway.vault import Marks, Reader, shown

QUIET = timedelta(minutes=3)
"""How long after its last answer a dialogue counts as ended, when nobody says so."""
TRIES = 3
MOST_URGENT = "P0"


@dataclass(frozen=True, slots=True)
class Performed:
    """After all acts of a turn: the code of its last filing, if it holds one."""

    code: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Stage:
    """What the acts of one hop share."""

    rt: Runtime
    unit: Unit
    now: datetime
    today: date
    language: str


def perform(rt: Runtime, hop: Hop, turn: flows.Turn) -> Performed:
    """Do what the turn's acts have not yet done; committed and flushed when this returns. Raises whatever the
    store raises, and then nothing was done."""
    today = rt.today()
    materials = [_material(hop, one.upto, one.kind) for one in turn.acts]
    marks = [rt.vault.mark(today, material) for material in materials]
    done: list[act.Done | None] = [None]
    if turn.acts[-1].upto < len(hop.inputs):  # this key press did nothing itself: most likely all is done
        with rt.db.read() as db:
            done = act.find(db, marks)
    if turn.ends or None in done:
        done = _write(rt, hop, turn, today, materials, marks)
    filed = [
        (one, material)
        for one, material, found in zip(done, materials, turn.acts, strict=True)
        if found.kind == "file" and one is not None
    ]
    if not filed:
        return Performed(None)
    last, material = filed[-1]
    return Performed(shown(rt.vault.code(last.day, today, material, last.attempt)))


def hasten(rt: Runtime, ended: Ended) -> None:
    """The dialogue is over: what it filed need not wait for more."""
    dialogue = rt.vault.mark(rt.today(), _dialogue(ended))
    with rt.db.read() as db:
        reports = act.reports_of(db, dialogue)
    if reports:
        with rt.begin() as unit:
            _hasten(unit, reports, rt.now())


def _write(
    rt: Runtime, hop: Hop, turn: flows.Turn, today: date, materials: Sequence[bytes], marks: Sequence[Marks]
) -> list[act.Done | None]:
    codes = _Codes(rt, today, {material: mark.day for material, mark in zip(materials, marks, strict=True)})
    if turn.acts[-1].kind == "file" and turn.acts[-1].upto == len(hop.inputs):
        codes.token(materials[-1], 0)  # the slow hash, before anybody waits for this transaction
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
    codes: _Codes,
) -> list[act.Done | None]:
    dialogue = rt.vault.mark(today, _dialogue(hop))
    done: list[act.Done | None] = []
    with rt.begin() as unit:
        stage = _Stage(rt, unit, rt.now(), today, turn.language or FRENCH)
        filed: int | None = None
        for one, material, mark in zip(turn.acts, materials, marks, strict=True):
            was = act.begin(unit.db, mark, one.kind, dialogue)
            if was is None:
                made, attempt = DO[one.kind](stage, one, filed, codes, material)
                act.finish(unit.db, mark, report=made, attempt=attempt)
                was = act.Done(mark.day, made, attempt)
            filed = was.report_id
            done.append(was)
        if turn.ends:
            reports = {was.report_id for was in done if was is not None and was.report_id is not None}
            _hasten(unit, reports, stage.now)
    return done


def _hasten(unit: Unit, reports: Collection[int], now: datetime) -> None:
    for found in report.hasten(unit.db, reports, now):
        journal.write(unit.db, now, Verb.CLOCK_SET, report=found)
        unit.nudge("dispatch", found)


class _Codes:
    """Codes and their tokens, each slow hash made once for a hop however often its transaction is tried."""

    def __init__(self, rt: Runtime, today: date, days: Mapping[bytes, date]) -> None:
        # The day of the act's own marks, by its material: a day begun since then would give another code.
        self._rt, self._today, self._days = rt, today, days
        self._tokens: dict[tuple[bytes, int], bytes] = {}

    def day(self, material: bytes) -> date:
        """The day that a filing belongs to: the day keys', which no clock can put back."""
        return self._days[material]

    def token(self, material: bytes, attempt: int) -> bytes:
        key = material, attempt
        if key not in self._tokens:
            vault = self._rt.vault
            code = vault.code(self._days[material], self._today, material, attempt)
            self._tokens[key] = vault.code_token(code)
        return self._tokens[key]


def _file(stage: _Stage, one: flows.Act, filed: int | None, codes: _Codes, material: bytes) -> tuple[int, int]:
    """File a report: coarse columns, plan, code, sealed body."""
    rt, db, now = stage.rt, stage.unit.db, stage.now
    facts = one.facts
    severity, lane = rt.book.severity(facts), rt.book.lane(facts)
    site_id = int(facts["site"]) if facts.get("site", "").isdigit() else None
    report_id = secrets.randbits(62) + 1
    attempt, reference = 0, _reference()
    while True:
        token = codes.token(material, attempt)
        reference_taken, code_taken = report.is_taken(db, reference=reference, code_token=token)
        if not reference_taken and not code_taken:
            break
        if code_taken:
            attempt += 1
        if reference_taken:
            reference = _reference()
    urgent = severity == MOST_URGENT
    readers = _readers(stage, lane, site_id, stage.language)
    report.file(
        db,
        report.Filing(
            id=report_id,
            reference=reference,
            code_token=token,
            topic=facts["topic"],
            severity=severity,
            lane=lane,
            site_id=site_id,
            language=stage.language,
            day=stage.today,
            key=rt.vault.report_key(report.place(report_id), codes.day(material), readers),
            body=_body(stage, one),
            dispatch_at=now if urgent else now + QUIET,
            due_at=now + rt.book.severities[severity].accept[0],
        ),
        _plan(stage, lane, site_id, stage.language),
        {reader.id: reader.public for reader in readers},
    )
    if urgent:
        stage.unit.nudge("dispatch", report_id)
    journal.write(db, now, Verb.FILED, report=report_id)
    return report_id, attempt


def _add(stage: _Stage, one: flows.Act, filed: int | None, codes: _Codes, material: bytes) -> tuple[int, int]:
    """Add an answer to the report of this dialogue; it may raise the severity or move the report."""
    rt, db, now = stage.rt, stage.unit.db, stage.now
    if filed is None:
        raise LookupError("an addition without a report")
    found = report.lock(db, filed)
    if found is None:
        raise LookupError("the report of this dialogue is gone")
    report.add(db, rt.vault, found, stage.today, _body(stage, one))
    severity = min(found.severity, rt.book.severity(one.facts))
    urgent = severity == MOST_URGENT
    # What turns out to be an emergency does not wait for the clock of whoever was told of something less.
    turned = urgent and found.severity != MOST_URGENT and found.state is report.State.RECEIVED
    waiting = found.dispatch_at is not None or turned
    report.reconsider(
        db, found, severity=severity, dispatch_at=(now if urgent else now + QUIET) if waiting else None
    )
    lane = rt.book.lane(one.facts)
    if lane not in (found.lane, rt.book.topics[found.topic].lane, *_stricter(found.lane)):
        referral.revoke(db, filed)
        left_out = referral.left_out(db, filed)
        steps = _plan(stage, lane, found.site_id, found.language)
        report.move(db, filed, lane, [step for step in steps if step.person not in left_out], now)
        stage.unit.nudge("dispatch", filed)
    elif waiting and urgent:
        stage.unit.nudge("dispatch", filed)
    journal.write(db, now, Verb.ADDED, report=filed)
    return filed, 0


Doing = Callable[[_Stage, flows.Act, int | None, _Codes, bytes], tuple[int, int]]
DO: dict[str, Doing] = {"file": _file, "add": _add}
"""What a flow file may ask to be done, by its name there; each returns the report and the code's attempt."""


def _stricter(lane: str) -> tuple[str, ...]:
    """Lanes that a report on this one may not move to: from the integrity lane there is no way back."""
    return ("gbv",) if lane == route.INTEGRITY else ()


def _plan(stage: _Stage, lane: str, site_id: int | None, language: str) -> list[route.Step]:
    directory = stage.rt.directory
    return route.plan(lane=lane, site=site_id, language=language, people=directory.people, load=directory.load)


def _readers(stage: _Stage, lane: str, site_id: int | None, language: str) -> list[Reader]:
    """Everybody of the plan, all its tiers, and of the lanes a later answer may move the report to: after this
    hop nobody can read it who was not given its key, and at three in the morning nobody signs in to give it. Until
    their turn comes, the plan keeps the report from them, not mathematics."""
    lanes = [lane, *(to for to in stage.rt.book.moves.values() if to not in _stricter(lane))]
    planned = {step.person for one in lanes for step in _plan(stage, one, site_id, language)}
    people = stage.rt.directory.people
    return [person.reader for person in people if person.id in planned and person.reader is not None]


def _body(stage: _Stage, one: flows.Act) -> bytes:
    """The sealed body describes itself: each answer with its field, its value and the words that were shown."""
    answers = [
        {"screen": answer.screen, "field": answer.field, "value": answer.value, "words": answer.words}
        for answer in one.answers
    ]
    return json.dumps(
        {"version": 1, "book": stage.rt.book.digest, "language": stage.language, "answers": answers},
        ensure_ascii=False,
    ).encode("utf-8")


def _reference() -> str:
    return f"{secrets.randbelow(900_000) + 100_000}"


def _dialogue(hop: Hop | Ended) -> bytes:
    return json.dumps([hop.provider, hop.session, hop.caller, hop.service_code]).encode("utf-8")


def _material(hop: Hop, upto: int, kind: str) -> bytes:
    """What names an act: the dialogue, every input up to the one that caused it, and its kind."""
    return json.dumps([hop.provider, hop.session, hop.caller, hop.service_code, hop.inputs[:upto], kind]).encode(
        "utf-8"
    )
