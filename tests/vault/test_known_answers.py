"""What was made once and for all: a later version still opens it."""

from __future__ import annotations

import json
from pathlib import Path

from gateway.vault import pairs, people

KNOWN = json.loads((Path(__file__).parent / "known.json").read_text(encoding="utf-8"))


def bytes_of(name: str, field: str) -> bytes:
    return bytes.fromhex(KNOWN[name][field])


def test_a_box_opens() -> None:
    blob = bytes_of("box", "blob")
    assert blob[:1] == b"\x02"
    pair = pairs.pair_of(bytes_of("box", "private"))
    assert pairs.open_with(pair, KNOWN["box"]["place"], blob) == bytes_of("box", "body")


def test_an_envelope_opens() -> None:
    blob = bytes_of("envelope", "blob")
    assert blob[:1] == b"\x03"
    pair = pairs.pair_of(bytes_of("envelope", "private"))
    held = pairs.disclose(pair, KNOWN["envelope"]["place"], bytes_of("envelope", "month"), blob)
    assert held.private == bytes_of("envelope", "held")


def test_a_lock_and_a_recovery_code_open() -> None:
    known = KNOWN["lock"]
    stored = bytes_of("lock", "lock")
    assert stored[:1] == b"\x01"
    unlocked = people.unlock(stored, known["passphrase"])
    assert unlocked is not None
    for pair in (
        unlocked.open(known["person"], bytes_of("lock", "private_sealed")),
        people.recover(known["person"], bytes_of("lock", "recovery_sealed"), known["recovery_code"]),
    ):
        assert pair.private == bytes_of("lock", "private")
    assert people.unlock(stored, known["passphrase"] + " ") is None
