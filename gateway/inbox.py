"""What arrives besides key presses: the end of a session, and delivery reports."""

from __future__ import annotations

from gateway import acts
from gateway.casework import message, referral
from gateway.providers import Ended, Receipt
from gateway.runtime import Runtime


def session_ended(rt: Runtime, ended: Ended) -> None:
    """A caller hung up, timed out or reached an end: what they filed is dispatched now."""
    acts.hasten(rt, ended)


def delivery_reported(rt: Runtime, receipt: Receipt) -> None:
    """A delivery report, whenever and however often it comes. A message that failed does not wait for the
    clock of its referral."""
    if receipt.state is None:
        return
    now, mark = rt.now(), rt.vault.token("sms", receipt.message_id).hex()
    with rt.begin() as unit:
        failed = message.receive(unit.db, mark, message.State(receipt.state), now)
        if failed is not None:
            referral.fall_due(unit.db, failed, now)
            unit.nudge("escalate")
