"""What only a person's secrets open: their passphrase, their recovery code, the cookie of their session.

One slow hash of the passphrase gives two halves. The first, hashed once more, tells whether it is the right
one; the second locks the private key, so what is stored opens nothing. Checking an unknown name costs the
same as checking a known one.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from dataclasses import dataclass, field
from typing import Final

from nacl import pwhash

from gateway.vault.pairs import Pair, new_pair, pair_of
from gateway.vault.seal import SealBroken, keyed, seal, unseal

VERSION = b"\x01"
_SALT: Final = 16
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Letters and digits that are not taken for one another, on paper or aloud: 4.95 bits each."""
_AT_ONCE = threading.Semaphore(2)
"""Slow hashes run two at a time in a process: more would take memory and time from callers."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess of a passphrase costs, with Argon2id."""

    passes: int
    mebibytes: int


COST = Cost(passes=3, mebibytes=64)
"""For new locks; an old lock carries its own. About 95 ms on the machine this was chosen on."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A person's new secrets: what to store of them, and what to show once."""

    lock: bytes = field(repr=False)
    public: bytes
    private_sealed: bytes = field(repr=False)
    recovery_sealed: bytes = field(repr=False)
    key: Pair = field(repr=False)
    recovery_code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unlocked:
    """A passphrase that fitted."""

    _key: bytes = field(repr=False)

    def open(self, person: int, private_sealed: bytes) -> Pair:
        """The person's key pair. Raises SealBroken."""
        return pair_of(unseal(self._key, _private(person), private_sealed))


def lock(passphrase: str) -> bytes:
    """What tells this passphrase later: version, cost, salt, verifier; 52 bytes."""
    return _lock(passphrase)[0]


def unlock(stored: bytes | None, passphrase: str) -> Unlocked | None:
    """Whether this is the passphrase; with no lock the answer is no, after the same work."""
    known = stored if stored and stored[:1] == VERSION and len(stored) == 52 else None
    head = known[:20] if known else _head(bytes(_SALT))
    verifier, key = _stretch(passphrase, head)
    if known is None or not hmac.compare_digest(verifier, known[20:]):
        return None
    return Unlocked(key)


def enrol(person: int, passphrase: str) -> Enrolment:
    """A new key pair for a person, locked by a passphrase and by a recovery code."""
    pair = new_pair()
    locked, private_sealed = relock(person, pair, passphrase)
    code, recovery_sealed = new_recovery(person, pair)
    return Enrolment(locked, pair.public, private_sealed, recovery_sealed, pair, code)


def relock(person: int, pair: Pair, passphrase: str) -> tuple[bytes, bytes]:
    """Another passphrase for the same key pair: the new lock and the private half sealed under it."""
    locked, key = _lock(passphrase)
    return locked, seal(key, _private(person), pair.private, bucket=1)


def new_recovery(person: int, pair: Pair) -> tuple[str, bytes]:
    """A code to print (27 letters and digits, 133 bits) and the private half sealed under it."""
    code = new_code(27)
    return code, seal(_recovery_key(code), _recovery(person), pair.private, bucket=1)


def recover(person: int, recovery_sealed: bytes, code: str) -> Pair:
    """The key pair that a recovery code opens, however it was typed. Raises SealBroken."""
    return pair_of(unseal(_recovery_key(code), _recovery(person), recovery_sealed))


def new_code(letters: int) -> str:
    """A random code in groups of three, 4.95 bits a letter."""
    code = "".join(secrets.choice(_ALPHABET) for _ in range(letters))
    return "-".join(code[at : at + 3] for at in range(0, letters, 3))


def plain_code(typed: str) -> str:
    """A code as it was made, whatever spaces, hyphens and capitals it was typed with; `""` for none of ours."""
    bare = "".join(letter for letter in typed.casefold() if letter.isalnum())
    return bare if all(letter in _ALPHABET for letter in bare) else ""


def session_seal(session_key: bytes, place: str, pair: Pair) -> bytes:
    """A key pair for as long as a session lasts, under what only the cookie gives."""
    return seal(session_key, place, pair.private, bucket=1)


def session_open(session_key: bytes, place: str, blob: bytes) -> Pair:
    """Raises SealBroken."""
    return pair_of(unseal(session_key, place, blob))


def _lock(passphrase: str) -> tuple[bytes, bytes]:
    head = _head(secrets.token_bytes(_SALT))
    verifier, key = _stretch(passphrase, head)
    return head + verifier, key


def _head(salt: bytes) -> bytes:
    return VERSION + bytes([COST.passes]) + COST.mebibytes.to_bytes(2, "big") + salt


def _stretch(passphrase: str, head: bytes) -> tuple[bytes, bytes]:
    """The verifier and the key that a passphrase gives with a lock's cost and salt."""
    passes, mebibytes, salt = head[1], int.from_bytes(head[2:4], "big"), head[4:20]
    with _AT_ONCE:
        slow: bytes = pwhash.argon2id.kdf(
            64, passphrase.encode("utf-8"), salt, opslimit=passes, memlimit=mebibytes * 1024 * 1024
        )
    return keyed(slow[:32], b"", "verifier"), slow[32:]


def _recovery_key(code: str) -> bytes:
    plain = plain_code(code)
    if len(plain) != 27:
        raise SealBroken("not a recovery code")
    return keyed(plain.encode("ascii"), b"", "recovery")


def _private(person: int) -> str:
    return f"caseworker/{person}/private"


def _recovery(person: int) -> str:
    return f"caseworker/{person}/recovery"
