"""What ties the journal together: the same bytes for ever, and none without the key."""

from __future__ import annotations

from gateway.vault import chain

KEY = bytes(range(32))


def test_a_line_and_a_state_hash_as_they_always_have() -> None:
    first = chain.link(KEY, chain.BEGINNING, b"the first line")
    assert first.hex() == "d60282730479fc3b494dfb43ac2587c8458d2c444b3f01994ab794c64f34c32b"
    assert (
        chain.link(KEY, first, b"the second line").hex()
        == "eeacedc33cc6db1a96a7fbb902097b64d2ac511ad2fa7b8e3d27b5952f0b63a1"
    )
    assert (
        chain.attest(KEY, b"a state").hex() == "685839e88e15bc01b96303292422ade0802eef79d2aeac5af5129aa697efa299"
    )


def test_every_part_of_a_link_counts() -> None:
    known = chain.link(KEY, chain.BEGINNING, b"line")
    others = [
        chain.link(bytes(32), chain.BEGINNING, b"line"),
        chain.link(KEY, bytes(31) + b"\x01", b"line"),
        chain.link(KEY, chain.BEGINNING, b"lines"),
        chain.attest(KEY, chain.BEGINNING + b"line"),
    ]
    assert len({known, *others}) == 5
