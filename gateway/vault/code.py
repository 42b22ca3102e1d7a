"""The reporter's code: twelve digits, shown 4-4-4, the last a check digit.

It is derived, never stored: from the day's key, the session and the inputs up to the filing. One slow hash of
the code gives a token, which is stored and finds the report, and the private half of the reply key, which is not:
what a case worker writes is sealed to its public half, and only the code opens it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nacl import pwhash

from gateway.text import check_digit
from gateway.vault.pairs import Pair, pair_of
from gateway.vault.seal import keyed

DIGITS = 12

# Argon2id, 19 MiB and two passes: the smallest that OWASP's password storage sheet accepts; about 17 ms.
_MEMORY, _PASSES = 19 * 1024 * 1024, 2


@dataclass(frozen=True, slots=True)
class CodeKeys:
    """What a code opens: the 32 bytes that its report is found by, and the pair that letters are sealed to."""

    token: bytes = field(repr=False)
    reply: Pair


def derive(day_key: bytes, material: bytes, attempt: int) -> str:
    """The code of one filing; another `attempt` gives another code, for when one is already taken."""
    number = int.from_bytes(keyed(day_key, material + attempt.to_bytes(2, "big"), "code", 16), "big")
    digits = f"{number % 10 ** (DIGITS - 1):0{DIGITS - 1}d}"
    return digits + check_digit(digits)


def shown(code: str) -> str:
    """As people read it: `1234 5678 9012`."""
    return f"{code[:4]} {code[4:8]} {code[8:]}"


def keys(code: str, pepper: bytes) -> CodeKeys:
    """What a code opens; a slow hash, salted with a key outside the database."""
    slow = pwhash.argon2id.kdf(
        64,
        code.encode("ascii"),
        keyed(pepper, b"", "code salt", pwhash.argon2id.SALTBYTES),
        opslimit=_PASSES,
        memlimit=_MEMORY,
    )
    return CodeKeys(keyed(pepper, slow[:32], "code token"), pair_of(keyed(pepper, slow[32:], "reply key")))
