"""Sealing under one key: XChaCha20-Poly1305, bound to its place, padded so that a length tells little.

A blob is one version byte, a nonce of 24 bytes and the sealed text. The place (table, row, column) goes in as
associated data, so that a blob moved to another row does not open there.
"""

from __future__ import annotations

import secrets

from nacl import encoding
from nacl import hash as nacl_hash
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_NPUBBYTES as NONCE,
)
from nacl.exceptions import CryptoError

VERSION = b"\x01"
BUCKET = 512


class SealBroken(Exception):
    """A blob does not open here: another key, another place, another version, or changed bytes."""


def keyed(key: bytes, data: bytes, purpose: str, size: int = 32) -> bytes:
    """BLAKE2b of `data` under `key` (16 to 64 bytes), personalised with `purpose` (1 to 16 ASCII letters)."""
    return nacl_hash.blake2b(
        data, digest_size=size, key=key, person=purpose.encode("ascii"), encoder=encoding.RawEncoder
    )


def seal(key: bytes, place: str, body: bytes, bucket: int = BUCKET) -> bytes:
    """Seal `body` (any bytes) to `place`; the result grows in steps of `bucket` bytes."""
    nonce = secrets.token_bytes(NONCE)
    return (
        VERSION + nonce + crypto_aead_xchacha20poly1305_ietf_encrypt(pad(body, bucket), _place(place), nonce, key)
    )


def unseal(key: bytes, place: str, blob: bytes) -> bytes:
    """What `seal` was given. Raises SealBroken."""
    if blob[:1] != VERSION:
        raise SealBroken("a version this program does not know")
    nonce, sealed = blob[1 : 1 + NONCE], blob[1 + NONCE :]
    try:
        padded = crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, _place(place), nonce, key)
    except (CryptoError, ValueError):
        raise SealBroken("it does not open here") from None
    return unpad(padded)


def pad(body: bytes, bucket: int) -> bytes:
    """The body behind its length (4 bytes), made up with nought to a multiple of `bucket`."""
    whole = len(body).to_bytes(4, "big") + body
    return whole + bytes(-len(whole) % bucket)


def unpad(padded: bytes) -> bytes:
    """What `pad` was given."""
    return padded[4 : 4 + int.from_bytes(padded[:4], "big")]


def _place(place: str) -> bytes:
    return VERSION + place.encode("utf-8")
