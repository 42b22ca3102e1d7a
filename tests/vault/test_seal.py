"""A sealed blob opens at its own place, under its own key, unchanged, or not at all; its length tells little."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt as encrypt

from gateway.vault.seal import BUCKET, SealBroken, seal, unseal

KEY = bytes(range(32))
PLACE = "report/4611686018427387904"
BODY = '{"version": 1, "words": "éboulement"}'.encode()


@given(body=st.binary(max_size=2000), place=st.text(max_size=40))
def test_what_was_sealed_opens_unchanged(body: bytes, place: str) -> None:
    assert unseal(KEY, place, seal(KEY, place, body)) == body


@given(at=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
def test_one_flipped_bit_anywhere_is_refused(at: int, bit: int) -> None:
    blob = bytearray(seal(KEY, PLACE, BODY))
    blob[at % len(blob)] ^= 1 << bit
    with pytest.raises(SealBroken):
        unseal(KEY, PLACE, bytes(blob))


def test_one_changed_byte_at_every_place_is_refused() -> None:
    blob = seal(KEY, PLACE, BODY)
    for at in range(len(blob)):
        with pytest.raises(SealBroken):
            unseal(KEY, PLACE, blob[:at] + bytes([blob[at] ^ 0xFF]) + blob[at + 1 :])


def test_a_blob_cut_anywhere_or_made_longer_is_refused() -> None:
    blob = seal(KEY, PLACE, BODY)
    for at in range(len(blob)):
        with pytest.raises(SealBroken):
            unseal(KEY, PLACE, blob[:at])
    with pytest.raises(SealBroken):
        unseal(KEY, PLACE, blob + b"\x00")


@given(garbage=st.binary(max_size=700))
def test_anything_else_is_refused_and_nothing_else_is_raised(garbage: bytes) -> None:
    for blob in (garbage, b"\x01" + garbage):
        with pytest.raises(SealBroken):
            unseal(KEY, PLACE, blob)


@pytest.mark.parametrize(
    "place", ["report/4611686018427387905", "report/", "", "caseworker/1/number", PLACE + " "]
)
def test_a_blob_does_not_open_at_another_place(place: str) -> None:
    with pytest.raises(SealBroken):
        unseal(KEY, place, seal(KEY, PLACE, BODY))


def test_a_blob_does_not_open_under_another_key() -> None:
    with pytest.raises(SealBroken):
        unseal(bytes(32), PLACE, seal(KEY, PLACE, BODY))


def test_what_is_refused_says_nothing_of_key_place_or_content() -> None:
    with pytest.raises(SealBroken) as broken:
        unseal(KEY, "report/elsewhere", seal(KEY, PLACE, BODY))
    assert "elsewhere" not in str(broken.value)
    assert broken.value.__suppress_context__


def test_the_same_words_never_look_the_same_twice() -> None:
    blobs = {seal(KEY, PLACE, BODY) for _ in range(100)}
    assert len(blobs) == 100
    assert len({blob[1:25] for blob in blobs}) == 100


@given(length=st.integers(min_value=0, max_value=3 * BUCKET))
def test_lengths_grow_in_steps_of_a_bucket(length: int) -> None:
    size = len(seal(KEY, PLACE, b"x" * length))
    assert (size - 1 - 24 - 16) % BUCKET == 0
    assert size == len(seal(KEY, PLACE, b"")) + (length + 4 - 1) // BUCKET * BUCKET


def test_a_report_with_words_and_one_without_are_equally_long() -> None:
    assert len(seal(KEY, PLACE, b"x" * 100)) == len(seal(KEY, PLACE, b"x" * 500))


def test_a_blob_made_by_the_written_format_opens() -> None:
    """Version byte, nonce, sealed text of a length of four bytes, the body and zeros; the place goes in with the
    version. Rows of every earlier release must open, so this never changes."""
    nonce = bytes(range(24))
    padded = (len(BODY).to_bytes(4, "big") + BODY).ljust(512, b"\x00")
    blob = b"\x01" + nonce + encrypt(padded, b"\x01" + PLACE.encode(), nonce, KEY)
    assert unseal(KEY, PLACE, blob) == BODY


@pytest.mark.parametrize("version", [0, 2, 255])
def test_a_version_of_another_program_is_refused_by_its_name(version: int) -> None:
    with pytest.raises(SealBroken, match="version"):
        unseal(KEY, PLACE, bytes([version]) + seal(KEY, PLACE, BODY)[1:])
