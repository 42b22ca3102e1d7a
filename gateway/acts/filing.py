"""Filing a report, and adding to it what is answered later in the same dialogue."""

from __future__ import annotations

import secrets

from gateway import flows
from gateway.acts.stage import MOST_URGENT, QUIET, Codes, Stage, reference
from gateway.casework import exclusion, journal, plan, referral, report, route
from gateway.casework.verb import Verb
from gateway.vault import Reader

UNKNOWN = ("not_known", "ngo_caseworker")
"""Answers to who did it after which nobody of a site's organisations hears of the report all the same: nobody is
named, or it goes to another organisation altogether."""


def file(stage: Stage, one: flows.Act, codes: Codes, material: bytes) -> tuple[int, int]:
    """File a report: coarse columns, plan, code, sealed body. Returns it, and at which attempt its code was
    free."""
    rt, db, now = stage.rt, stage.unit.db, stage.now
    facts = one.facts
    severity, lane = rt.book.severity(facts), rt.book.lane(facts)
    site_id = int(facts["site"]) if facts.get("site", "").isdigit() else None
    report_id = secrets.randbits(62) + 1
    attempt, chosen = 0, reference()
    while True:
        keys = codes.keys(material, attempt)
        reference_taken, code_taken = report.is_taken(db, reference=chosen, code_token=keys.token)
        if not reference_taken and not code_taken:
            break
        if code_taken:
            attempt += 1
        if reference_taken:
            chosen = reference()
    urgent = severity == MOST_URGENT
    readers = _readers(stage, lane, site_id)
    sealed_for = codes.day(material)
    report.file(
        db,
        report.Filing(
            id=report_id,
            reference=chosen,
            code_token=keys.token,
            topic=facts["topic"],
            severity=severity,
            lane=lane,
            site_id=site_id,
            language=stage.language,
            day=stage.today,
            key=rt.vault.report_key(report.place(report_id), sealed_for, readers, keys.reply.public),
            body=stage.body(one),
            dispatch_at=now if urgent else now + QUIET,
            due_at=now + rt.book.severities[severity].accept[0],
        ),
        stage.steps(lane, site_id, stage.language),
        {reader.id: reader.public for reader in readers},
    )
    if urgent:
        stage.unit.nudge("dispatch", report_id)
    journal.write(db, now, Verb.FILED, report=report_id)
    return report_id, attempt


def add(stage: Stage, one: flows.Act) -> int:
    """Add an answer to a report; it may raise the severity, move the report, or take people off its plan. By code
    only words come, which change none of the facts."""
    rt, db, now = stage.rt, stage.unit.db, stage.now
    found = stage.open(one)
    report.add(db, rt.vault, found, stage.today, stage.body(one))
    if "topic" in one.facts:
        _reconsider(stage, one, found)
    else:
        stage.answered(found)
    stage.screen_words(found, one)
    journal.write(db, now, Verb.ADDED, report=found.id)
    return found.id


def _reconsider(stage: Stage, one: flows.Act, found: report.Coarse) -> None:
    rt, db, now = stage.rt, stage.unit.db, stage.now
    severity = min(found.severity, rt.book.severity(one.facts))
    urgent = severity == MOST_URGENT
    # What turns out to be an emergency does not wait for the clock of whoever was told of something less.
    turned = urgent and found.severity != MOST_URGENT and found.state is report.State.RECEIVED
    waiting = found.dispatch_at is not None or turned
    report.reconsider(
        db, found, severity=severity, dispatch_at=(now if urgent else now + QUIET) if waiting else None
    )
    if urgent:
        stage.leave_out(found, exclusion.dependent(stage.people()))
    lane = rt.book.lane(one.facts)
    if lane not in (found.lane, rt.book.topics[found.topic].lane, *_stricter(found.lane)):
        referral.revoke(db, found.id)
        # A plan never gains anybody who was left out: whoever was has no key.
        held = plan.holds(db, found.id)
        steps = [step for step in stage.steps(lane, found.site_id, found.language) if step.person in held]
        report.move(db, found.id, lane, steps, now)
        stage.unit.nudge("dispatch", found.id)
    elif waiting and urgent:
        stage.unit.nudge("dispatch", found.id)
    accused = next((answer.value for answer in one.answers if answer.field == "accused"), None)
    if accused is not None:
        stage.leave_out(found, exclusion.by_answer(stage.people(), accused))
        report.hear_accused(db, found.id, known=accused not in UNKNOWN)


def _readers(stage: Stage, lane: str, site_id: int | None) -> list[Reader]:
    """Everybody of the plan, all its tiers, and of the lanes a later answer may move the report to: after this
    hop nobody can read it who was not given its key, and at three in the morning nobody signs in to give it. Until
    their turn comes, the plan keeps the report from them, not mathematics."""
    lanes = [lane, *(to for to in stage.rt.book.moves.values() if to not in _stricter(lane))]
    planned = {step.person for one in lanes for step in stage.steps(one, site_id, stage.language)}
    people = stage.rt.directory.people
    return [person.reader for person in people if person.id in planned and person.reader is not None]


def _stricter(lane: str) -> tuple[str, ...]:
    """Lanes that a report on this one may not move to: from the integrity lane there is no way back."""
    return ("gbv",) if lane == route.INTEGRITY else ()
