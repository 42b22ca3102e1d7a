"""The nouns of the house, one a file: its table, its states, the only functions that change it, its queries.

Functions take the session first; they never commit, never queue, and never read a clock (`now` is passed in).
Nouns point one way: report ← referral ← message, and all of them to the ground nouns.
"""

from gateway.casework import (
    account,
    act,
    attempt,
    caseworker,
    chain,
    installation,
    joining,
    journal,
    message,
    passphrase,
    plan,
    referral,
    report,
    route,
    session,
    shelf,
    site,
)
from gateway.casework.refused import Refused

__all__ = [
    "Refused",
    "account",
    "act",
    "attempt",
    "caseworker",
    "chain",
    "installation",
    "joining",
    "journal",
    "message",
    "passphrase",
    "plan",
    "referral",
    "report",
    "route",
    "session",
    "shelf",
    "site",
]
