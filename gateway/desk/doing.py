"""What a person at a page does with a report: take it, note, hand on, give its key, leave somebody out, hold,
close. Only somebody who can open a report can give its key to somebody else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime

from gateway.casework import (
    Refused,
    caseworker,
    closing,
    exclusion,
    hold,
    journal,
    message,
    plan,
    referral,
    report,
)
from gateway.casework.plan import Enclosed
from gateway.casework.verb import Verb
from gateway.desk.entry import Reader, change, held_pair, opened_part
from gateway.desk.writing import closing_words
from gateway.later.dispatch import bring
from gateway.runtime import Runtime, Unit
from gateway.vault import Pair, SealBroken

NOTE_LETTERS = 2000


def accept(rt: Runtime, reader: Reader, report_id: int) -> bool:
    """Answer for a report from now on; False when this person did already. Raises Refused."""

    def do(unit: Unit, found: report.Coarse, now: datetime) -> bool:
        return referral.accept(unit.db, found, reader.id, now + rt.book.severities[found.severity].first, now)

    return change(rt, reader, report_id, do)


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

    def do(unit: Unit, found: report.Coarse, now: datetime) -> None:
        if found.outcome is report.Outcome.WITHDRAWN:
            raise Refused("", "The reporter has withdrawn this report: nothing is kept of it any more.")
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

    change(rt, reader, report_id, do)


def hand_on(rt: Runtime, reader: Reader, report_id: int, reason: referral.HandOnReason, to: int | None) -> None:
    """Pass a report to a colleague of its plan, with its key, or (`to` empty) to the next of its plan. Who passes
    it on stays in charge until it is accepted. Raises Refused."""

    def do(unit: Unit, found: report.Coarse, now: datetime) -> None:
        if to is not None and to not in [
            other for other, _ in plan.people(unit.db, report_id) if other != reader.id
        ]:
            raise Refused("to", "This colleague cannot take this report.")
        waiting = referral.waiting_for(unit.db, report_id)
        pressed_twice = to is None and referral.has_handed_on(unit.db, report_id, reader.id)
        if waiting not in (None, reader.id) and (pressed_twice or to == waiting):
            raise Refused("", "This report has been passed on already.")
        if to is not None and to not in plan.holders(unit.db, report_id):
            _give(rt, unit, found, held_pair(rt, unit, reader, found), to, now, by=reader.id)
        referral.hand_on(unit.db, found, reader.id, reason, now)
        if not bring(rt, unit, found, message.Kind.ALERT, now, to=to, by=reader.id):
            raise Refused("to", "Nobody else can take this report now.")

    change(rt, reader, report_id, do)


def grant(rt: Runtime, reader: Reader, report_id: int, to: int) -> None:
    """Give a colleague of its plan the key of a report that the reader can open. Raises Refused."""

    def do(unit: Unit, found: report.Coarse, now: datetime) -> None:
        if to not in [other for other, _ in plan.people(unit.db, report_id)]:
            raise Refused("", "This colleague cannot take this report.")
        if to not in plan.holders(unit.db, report_id):
            _give(rt, unit, found, held_pair(rt, unit, reader, found), to, now, by=reader.id)

    change(rt, reader, report_id, do)


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
            planned = person in [one for one, _ in plan.people(unit.db, report_id)]  # or left out since
            if found is None or pair is None or not planned:
                unopened += 1
            else:
                _give(rt, unit, found, pair, person, rt.now())
                given += 1
        yield given, unopened, len(lacking)


def leave_out(rt: Runtime, reader: Reader, report_id: int, person: int) -> bool:
    """Somebody of the plan may not hear of this report any more, nor their organisation, nor whoever answers to
    them; that may take it from the reader too, which is what False says. Raises Refused."""

    def do(unit: Unit, found: report.Coarse, now: datetime) -> bool:
        if person not in [other for other, _ in plan.people(unit.db, report_id)] or person == reader.id:
            raise Refused("person", "Choose a colleague who could take this report.")
        gone = exclusion.under(caseworker.every(unit.db), [person], [])
        referral.check_left_out(unit.db, report_id, gone, at="person")
        if referral.leave_out(unit.db, found, gone, now, by=reader.id):
            report.set_dispatch(unit.db, report_id, now)
            unit.nudge("dispatch", report_id)
        return reader.id not in gone

    return change(rt, reader, report_id, do)


def ask_to_hold(rt: Runtime, reader: Reader, report_id: int, until: date) -> None:
    """Ask that a report be kept from being erased. Raises Refused."""

    def do(unit: Unit, found: report.Coarse, now: datetime) -> None:
        hold.ask(unit.db, found.id, reader.id, until, rt.today(), now)

    change(rt, reader, report_id, do)


def agree_to_hold(rt: Runtime, reader: Reader, report_id: int, until: date) -> None:
    """Agree to the day that another asked for. Raises Refused."""

    def do(unit: Unit, found: report.Coarse, now: datetime) -> None:
        hold.agree(unit.db, found.id, reader.id, until, rt.today(), now)

    change(rt, reader, report_id, do)


def close(rt: Runtime, reader: Reader, report_id: int, outcome: report.Outcome, words: str = "") -> None:
    """Close a report with its reason; `words` are what the reporter reads, if not the ready ones. What its
    reporter asked to withdraw is destroyed when a supervisor closes it for that. Raises Refused."""

    def do(unit: Unit, found: report.Coarse, now: datetime) -> None:
        if rt.vault.days.far_behind(rt.today()):
            # The two weeks in which the code still tells that it is closed would be over as soon as it is right.
            raise Refused("", "The clock of this machine is behind. Tell your technician, and close it later.")
        if found.silent and found.state is not report.State.CLOSED:
            _check_decides(unit, reader)
        if outcome is not report.Outcome.WITHDRAWN:
            if found.state is not report.State.CLOSED and found.responsible_id == reader.id:
                closing_words(rt, unit, reader, found, outcome, words)
            closing.close(unit.db, found, reader.id, outcome, now)
        else:
            _let_withdraw(rt, unit, reader, found, now)
        referral.revoke(unit.db, report_id)

    change(rt, reader, report_id, do)


def _decided_above() -> Refused:
    return Refused("outcome", "A supervisor or an integrity officer who has taken the report decides this.")


def _check_decides(unit: Unit, reader: Reader) -> None:
    if not caseworker.decides(unit.db, reader.id):
        raise _decided_above()


def _let_withdraw(rt: Runtime, unit: Unit, reader: Reader, found: report.Coarse, now: datetime) -> None:
    if not found.silent or found.state is report.State.CLOSED:
        raise Refused("outcome", "The reporter has not asked for this.")
    if found.responsible_id != reader.id:
        raise _decided_above()
    if hold.in_force(unit.db, found.id, rt.today()):
        raise Refused("outcome", "Two people hold this report: it is not erased before their day.")
    journal.write(unit.db, now, Verb.CLOSED, actor=reader.id, report=found.id)
    closing.withdraw(unit.db, found, now)


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
    number, author, sealed = last
    return opened_part(rt, unit, reader, found, report.addition_place(found.id, number, author), sealed) == body
