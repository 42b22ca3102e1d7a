"""What ties the journal together: keyed hashes, so that whoever can only write rows cannot make a line."""

from __future__ import annotations

from typing import Final

from gateway.vault.seal import keyed

BEGINNING: Final = bytes(32)
"""What the first line hangs on."""


def link(key: bytes, previous: bytes, line: bytes) -> bytes:
    """The hash of a line (any bytes) that follows the line whose hash is `previous` (32 bytes); 32 bytes."""
    return keyed(key, previous + line, "journal line")


def attest(key: bytes, state: bytes) -> bytes:
    """What a line says of the state of the thing it is about; 32 bytes."""
    return keyed(key, state, "journal state")
