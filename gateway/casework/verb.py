"""What the journal can say, and of what each of its words vouches for the rows."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal, get_args


class Verb(StrEnum):
    """What can be said of a report, a person or a place. A line never holds content."""

    FILED = "filed"
    ADDED = "added"
    MOVED = "moved"
    OFFERED = "offered"
    EXPIRED = "expired"
    OPENED = "opened"
    ACCEPTED = "accepted"
    RELEASED = "released"
    HANDED_ON = "handed_on"
    GRANTED = "granted"
    NOTED = "noted"
    CLOSED = "closed"
    REOPENED = "reopened"
    WROTE = "wrote"
    ANSWERED = "answered"
    RATED = "rated"
    WITHDRAWN = "withdrawn"
    WITHDRAWAL_ASKED = "withdrawal_asked"
    NARROWED = "narrowed"
    CONSENTED = "consented"
    REMINDED = "reminded"
    NUMBER_OPENED = "number_opened"
    NUMBER_ERASED = "number_erased"
    HOLD_ASKED = "hold_asked"
    HELD = "held"
    KEYS_DESTROYED = "keys_destroyed"
    ERASED = "erased"
    CLOCK_SET = "clock_set"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    SIGNED_IN = "signed_in"
    INVITED = "invited"
    JOINED = "joined"
    KEY_CONFIRMED = "key_confirmed"
    PASSPHRASE_CHANGED = "passphrase_changed"  # noqa: S105 (a word for the journal)
    SECOND_FACTOR_CHANGED = "second_factor_changed"
    SESSIONS_ENDED = "sessions_ended"
    KEYS_CHANGED = "keys_changed"
    PERSON_SAVED = "person_saved"
    SITE_SAVED = "site_saved"
    ORGANISATION_SAVED = "organisation_saved"
    REPORT_ALTERED = "report_altered"
    PERSON_ALTERED = "person_altered"
    SITE_ALTERED = "site_altered"
    ORGANISATION_ALTERED = "organisation_altered"


Kind = Literal["report", "person", "site", "organisation"]
"""What a line can be about, and attest."""
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

ATTESTS: Mapping[Verb, Kind] = {
    Verb.FILED: "report",
    Verb.ADDED: "report",
    Verb.MOVED: "report",
    Verb.OFFERED: "report",
    Verb.EXPIRED: "report",
    Verb.ACCEPTED: "report",
    Verb.RELEASED: "report",
    Verb.HANDED_ON: "report",
    Verb.GRANTED: "report",
    Verb.NOTED: "report",
    Verb.CLOSED: "report",
    Verb.REOPENED: "report",
    Verb.WROTE: "report",
    Verb.ANSWERED: "report",
    Verb.RATED: "report",
    Verb.WITHDRAWN: "report",
    Verb.WITHDRAWAL_ASKED: "report",
    Verb.NARROWED: "report",
    Verb.CONSENTED: "report",
    Verb.NUMBER_OPENED: "report",
    Verb.HOLD_ASKED: "report",
    Verb.HELD: "report",
    Verb.KEYS_DESTROYED: "report",
    Verb.ERASED: "report",
    Verb.CLOCK_SET: "report",
    Verb.INVITED: "person",
    Verb.JOINED: "person",
    Verb.KEY_CONFIRMED: "person",
    Verb.PASSPHRASE_CHANGED: "person",
    Verb.SECOND_FACTOR_CHANGED: "person",
    Verb.KEYS_CHANGED: "person",
    Verb.PERSON_SAVED: "person",
    Verb.SITE_SAVED: "site",
    Verb.ORGANISATION_SAVED: "organisation",
    Verb.REPORT_ALTERED: "report",
    Verb.PERSON_ALTERED: "person",
    Verb.SITE_ALTERED: "site",
    Verb.ORGANISATION_ALTERED: "organisation",
}
"""What changes when this is said. Looking at a report, or telling of an SMS, changes nothing and must attest
nothing: it would vouch for what another hand had changed before."""
ALTERED: Mapping[Kind, Verb] = {
    "report": Verb.REPORT_ALTERED,
    "person": Verb.PERSON_ALTERED,
    "site": Verb.SITE_ALTERED,
    "organisation": Verb.ORGANISATION_ALTERED,
}
"""What is said of something whose rows were found changed by another hand, before an act of ours vouches for
them."""
