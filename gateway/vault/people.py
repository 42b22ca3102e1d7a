"""Passphrases of the people who sign in: Argon2id with named parameters, and a hash for nobody.

Checking an unknown name costs the same hash as checking a known one, so that time tells nothing.
"""

from __future__ import annotations

from nacl import pwhash
from nacl.exceptions import InvalidkeyError

# OWASP's password storage sheet: 19 MiB, two passes. The library's own default costs eight times as much.
_MEMORY, _PASSES = 19 * 1024 * 1024, 2
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def hash_passphrase(passphrase: str) -> str:
    """A hash that carries its own salt and parameters, 97 to 128 ASCII characters."""
    hashed: bytes = pwhash.argon2id.str(passphrase.encode("utf-8"), opslimit=_PASSES, memlimit=_MEMORY)
    return hashed.decode("ascii")


def passphrase_fits(hashed: str | None, passphrase: str) -> bool:
    """Whether this is the passphrase; with no hash the answer is no, after the same work."""
    try:
        fits: bool = pwhash.verify((hashed or _NOBODY).encode("ascii"), passphrase.encode("utf-8"))
    except InvalidkeyError:
        return False
    return fits and hashed is not None
