"""The escrow: a key pair that every report is sealed to as well, whose private half any two of three holders open.

Three envelopes, one for each two of them, and no mathematics of shared secrets. An envelope's key comes from both
secrets, so one sheet of paper opens nothing. A newer escrow stands in front of the older ones, which old sheets
still open.
"""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Final

from gateway.vault.directory import ESCROW, KeyDirectory
from gateway.vault.pairs import Pair, fingerprint, new_pair, pair_of
from gateway.vault.people import new_code, plain_code
from gateway.vault.seal import SealBroken, keyed, seal, unseal

LETTERS = 27
_known: Final[dict[Path, tuple[object, bytes | None]]] = {}
"""The newest public half in each directory's file as it was last seen: it is asked for by every filing."""


class EscrowRefused(Exception):
    """These two secrets open no escrow."""


def establish(directory: KeyDirectory, *, replace: bool = False) -> tuple[str, str, str]:
    """Make an escrow; returns the three holders' secrets, which are kept nowhere. Raises FileExistsError when
    there is one, unless `replace`: what was sealed to the older stays with the older sheets."""
    pair = new_pair()
    one, two, three = (new_code(LETTERS) for _ in range(3))
    envelopes = [
        seal(_envelope_key(*both), _place(pair.public), pair.private, bucket=1).hex()
        for both in combinations((one, two, three), 2)
    ]
    line = json.dumps({"of": fingerprint(pair.public), "public": pair.public.hex(), "envelopes": envelopes})
    with directory.locked():
        older = directory.read(ESCROW) or ""
        if older.strip() and not replace:
            raise FileExistsError(ESCROW)
        directory.write(ESCROW, f"{line}\n{older}")
    directory.bring_into_step()
    return one, two, three


def public(directory: KeyDirectory) -> bytes | None:
    """The newest escrow's public half; None when there is none, or none that can be read."""
    try:
        seen = directory.seen(ESCROW)
        known = _known.get(directory.path)
        if known is None or known[0] != seen:
            entries = _entries(directory)
            _known[directory.path] = known = seen, entries[0][0] if entries else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return known[1]


def open_pairs(directory: KeyDirectory, one: str, other: str) -> list[Pair]:
    """Every escrow that two holders' secrets open, the newest first, in whichever order and however they were
    typed. Raises EscrowRefused when there is none."""
    opened = []
    if len(plain_code(one)) == len(plain_code(other)) == LETTERS:
        key = _envelope_key(one, other)
        try:
            entries = _entries(directory)
        except (OSError, ValueError, KeyError, TypeError):
            raise EscrowRefused("the escrow in the key directory cannot be read") from None
        for public_half, envelopes in entries:
            for envelope in envelopes:
                try:
                    opened.append(pair_of(unseal(key, _place(public_half), envelope)))
                except SealBroken:
                    continue
    if not opened:
        raise EscrowRefused("these two secrets open no escrow")
    return opened


def _entries(directory: KeyDirectory) -> list[tuple[bytes, list[bytes]]]:
    """Each escrow's public half and its envelopes, the newest first."""
    lines = [json.loads(line) for line in (directory.read(ESCROW) or "").splitlines()]
    return [(bytes.fromhex(each["public"]), [bytes.fromhex(one) for one in each["envelopes"]]) for each in lines]


def _envelope_key(one: str, other: str) -> bytes:
    # In order, so that nobody need remember who comes first; 54 letters of chance need no slow hash.
    return keyed("".join(sorted(map(plain_code, (one, other)))).encode("ascii"), b"", "escrow")


def _place(public_half: bytes) -> str:
    return f"escrow/{public_half.hex()}"
