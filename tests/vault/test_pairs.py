"""What is sealed to a public key opens for its private half, at its own place, unchanged, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_box_seal

from gateway.vault.pairs import (
    Pair,
    disclose,
    enclose,
    fingerprint,
    new_pair,
    open_with,
    pair_of,
    seal_to,
)
from gateway.vault.seal import BUCKET, SealBroken, pad

PAIR = pair_of(bytes(range(32)))
OTHER = pair_of(bytes(range(1, 33)))
PLACE = "report/4611686018427387904"
BODY = '{"version": 1, "words": "éboulement"}'.encode()
MONTH = b"m" * 32


@given(body=st.binary(max_size=2000), place=st.text(max_size=40))
def test_what_was_sealed_to_a_pair_opens_unchanged(body: bytes, place: str) -> None:
    assert open_with(PAIR, place, seal_to(PAIR.public, place, body)) == body


def test_only_its_own_private_half_opens_a_box() -> None:
    box = seal_to(PAIR.public, PLACE, BODY)
    for stranger in (OTHER, Pair(PAIR.public, OTHER.private), Pair(OTHER.public, PAIR.private)):
        with pytest.raises(SealBroken):
            open_with(stranger, PLACE, box)


@pytest.mark.parametrize("place", ["report/4611686018427387905", "", PLACE + "/addition/1/by/0", PLACE[:-1]])
def test_a_box_does_not_open_at_another_place(place: str) -> None:
    with pytest.raises(SealBroken):
        open_with(PAIR, place, seal_to(PAIR.public, PLACE, BODY))


def test_where_a_place_ends_and_a_body_begins_cannot_be_moved() -> None:
    with pytest.raises(SealBroken):
        open_with(PAIR, "report/1", seal_to(PAIR.public, "report/12", b"3 words"))


def test_one_changed_byte_anywhere_is_refused() -> None:
    box = seal_to(PAIR.public, PLACE, BODY)
    envelope = enclose(OTHER.private, PLACE, PAIR.public, MONTH)
    for at in range(len(box)):
        with pytest.raises(SealBroken):
            open_with(PAIR, PLACE, box[:at] + bytes([box[at] ^ 1]) + box[at + 1 :])
    for at in range(len(envelope)):
        with pytest.raises(SealBroken):
            disclose(PAIR, PLACE, MONTH, envelope[:at] + bytes([envelope[at] ^ 1]) + envelope[at + 1 :])


@given(garbage=st.binary(max_size=700))
def test_anything_else_is_refused_and_nothing_else_is_raised(garbage: bytes) -> None:
    for blob in (garbage, b"\x02" + garbage, b"\x03" + garbage):
        with pytest.raises(SealBroken):
            open_with(PAIR, PLACE, blob)
        with pytest.raises(SealBroken):
            disclose(PAIR, PLACE, MONTH, blob)


def test_what_a_stranger_seals_without_our_form_is_refused_and_breaks_nothing() -> None:
    for inside in (b"", b"\xff" * 8, pad(b"\xff\xff\xff\xff", 8), pad(b"", 512)):
        with pytest.raises(SealBroken):
            open_with(PAIR, PLACE, b"\x02" + crypto_box_seal(inside, PAIR.public))


def test_bodies_of_one_size_class_cannot_be_told_apart_by_length() -> None:
    sizes = {len(seal_to(PAIR.public, PLACE, bytes(size))) for size in range(0, BUCKET - 40, 7)}
    assert len(sizes) == 1


def test_an_envelope_needs_the_reader_and_the_month_and_its_place() -> None:
    envelope = enclose(OTHER.private, PLACE, PAIR.public, MONTH)
    assert disclose(PAIR, PLACE, MONTH, envelope) == OTHER
    assert len(envelope) == 126
    for reader, place, month in ((OTHER, PLACE, MONTH), (PAIR, "report/1", MONTH), (PAIR, PLACE, bytes(32))):
        with pytest.raises(SealBroken):
            disclose(reader, place, month, envelope)


def test_no_two_pairs_are_the_same_and_a_private_half_has_one_public_half() -> None:
    pairs = [new_pair() for _ in range(50)]
    assert len({pair.private for pair in pairs}) == 50
    assert all(pair_of(pair.private) == pair for pair in pairs)


def test_a_fingerprint_is_twenty_digits_that_another_key_does_not_share() -> None:
    assert fingerprint(PAIR.public) == "0063 5146 6332 8934 8204"
    assert len({fingerprint(new_pair().public) for _ in range(200)}) == 200


def test_a_private_half_shows_in_no_repr() -> None:
    assert repr(PAIR.private) not in repr(PAIR)
    assert PAIR.private.hex() not in repr(PAIR)
