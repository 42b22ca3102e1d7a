"""Send what is due in the outbox: claim, commit, send, record. Never a provider's wait inside a transaction."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from gateway import flows, log
from gateway.casework import caseworker, message, referral, reminder
from gateway.providers import SendFailed
from gateway.runtime import Runtime, Unit
from gateway.vault import SealBroken

REMINDER = "reminder"
SENDERS = 16
"""Threads, and messages claimed at once: nobody holds a lease on what waits behind a slow provider. At 150 ms an
SMS that is about a hundred a second."""


def send(rt: Runtime) -> int:
    """Send every message that is due; returns how many were tried."""
    tried = 0
    with ThreadPoolExecutor(SENDERS, thread_name_prefix="sender") as pool:
        while True:
            with rt.begin() as unit:
                claimed = message.claim(unit.db, rt.now(), SENDERS)
            if not claimed:
                break
            tried += len(claimed)
            list(pool.map(lambda due: _one(rt, due), claimed))
    # After those who answer for reports were told: no alert waits for a reminder.
    return tried + remind(rt)


def remind(rt: Runtime) -> int:
    """Send the neutral SMS that reporters asked for, each at most once: it is taken out before it leaves, and one
    of which nobody knows whether it left is not sent again. Returns how many were tried."""
    tried = 0
    while True:
        with rt.begin() as unit:
            taken = reminder.take(unit.db, rt.vault, rt.now())
        if taken is None:
            return tried
        tried += 1
        try:
            rt.provider.send_sms(taken.number, flows.write_message(rt.book, REMINDER, taken.language))
        except SendFailed as failure:
            log.warn("reminder.not_sent", reason=failure.kind)
            if failure.kind in ("retry", "held"):  # nothing has left
                with rt.begin() as unit:
                    reminder.queue(unit.db, rt.vault, taken.number, taken.language, rt.now(), taken.until)


def _one(rt: Runtime, due: message.Due) -> None:
    try:
        with rt.db.read() as db:
            number = caseworker.number(db, rt.vault, due.person)
    except SealBroken:
        number = ""
    if not number:
        _failed(rt, due, "no_number")
        return
    local = due.deadline.astimezone(rt.settings.local_zone)
    words = flows.write_message(
        rt.book, due.kind.value, due.language, ref=due.reference, d=f"{local:%d/%m}", hh=f"{local:%H:%M}"
    )
    try:
        sent = rt.provider.send_sms(number, words)
    except SendFailed as failure:
        log.warn("sms.not_sent", reason=failure.kind, row=due.id, attempt=due.attempt)
        _not_sent(rt, due, failure)
        return
    with rt.begin() as unit:
        _fall_due(rt, unit, message.sent(unit.db, due.id, rt.vault.token("sms", sent.message_id).hex(), rt.now()))
    log.event("sms.sent", row=due.id, attempt=due.attempt)


def _not_sent(rt: Runtime, due: message.Due, failure: SendFailed) -> None:
    if failure.kind == "refused":
        _failed(rt, due, "refused")
        return
    with rt.begin() as unit:
        if failure.kind == "unknown":
            _fall_due(rt, unit, message.may_have_gone(unit.db, due, rt.now()))
        else:
            message.put_off(unit.db, due, failure.kind, rt.now())


def _failed(rt: Runtime, due: message.Due, why: str) -> None:
    with rt.begin() as unit:
        _fall_due(rt, unit, message.fail(unit.db, due.id, why, rt.now()))


def _fall_due(rt: Runtime, unit: Unit, failed: int | None) -> None:
    """A person whom no SMS reaches is not waited for, as long as there is another to ask."""
    if failed is not None and referral.is_another_unasked(unit.db, failed):
        referral.fall_due(unit.db, failed, rt.now())
        unit.nudge("escalate")
