"""Key pairs: what is sealed to a public half, anybody may seal, and only the private half opens.

Reports, people and the escrow each have an X25519 pair. A sealed box knows no associated data, so the place
goes inside, before the body, and is compared when the box is opened.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nacl.bindings import (
    crypto_box_keypair,
    crypto_box_seal,
    crypto_box_seal_open,
    crypto_scalarmult_base,
)
from nacl.exceptions import CryptoError

from gateway.vault.seal import BUCKET, SealBroken, keyed, pad, seal, unpad, unseal

BOX = b"\x02"
"""The version of what is sealed to a public key."""
ENVELOPE = b"\x03"
"""The version of a private half sealed to somebody, locked once more under a month's key."""


@dataclass(frozen=True, slots=True)
class Pair:
    """An X25519 key pair, 32 bytes each."""

    public: bytes
    private: bytes = field(repr=False)


def new_pair() -> Pair:
    """A random pair."""
    return Pair(*crypto_box_keypair())


def pair_of(private: bytes) -> Pair:
    """The pair that a private half belongs to."""
    return Pair(crypto_scalarmult_base(private), private)


def seal_to(public: bytes, place: str, body: bytes) -> bytes:
    """Seal `body` (any bytes) to whoever has the private half; it grows in steps of 512 bytes."""
    inside = pad(place.encode("utf-8"), 1) + body
    return BOX + crypto_box_seal(pad(inside, BUCKET), public)


def open_with(pair: Pair, place: str, blob: bytes) -> bytes:
    """What `seal_to` was given for this place. Raises SealBroken."""
    inside = unpad(_open(pair, BOX, blob))
    said = unpad(inside)
    if said != place.encode("utf-8"):
        raise SealBroken("it was sealed for another place")
    return inside[4 + len(said) :]


def enclose(private: bytes, place: str, public: bytes, month_key: bytes) -> bytes:
    """A private half (32 bytes) for the owner of `public`, who needs the month's key as well: 126 bytes."""
    return ENVELOPE + crypto_box_seal(seal(month_key, place, private, bucket=1), public)


def disclose(reader: Pair, place: str, month_key: bytes, envelope: bytes) -> Pair:
    """The pair whose private half was enclosed for this reader and place. Raises SealBroken."""
    return pair_of(unseal(month_key, place, _open(reader, ENVELOPE, envelope)))


def fingerprint(public: bytes) -> str:
    """Twenty digits that two people can read to each other, in groups of four: 66 bits of a public key."""
    digits = f"{int.from_bytes(keyed(bytes(32), public, 'fingerprint'), 'big') % 10**20:020d}"
    return " ".join(digits[at : at + 4] for at in range(0, 20, 4))


def _open(pair: Pair, version: bytes, blob: bytes) -> bytes:
    if blob[:1] != version:
        raise SealBroken("a version this program does not know")
    try:
        return crypto_box_seal_open(blob[1:], pair.public, pair.private)
    except (CryptoError, ValueError, TypeError):
        raise SealBroken("it does not open here") from None
