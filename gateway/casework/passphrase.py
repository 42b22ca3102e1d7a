"""Passphrases: as they are compared, and which are too easy to guess. No letters, digits or signs are demanded."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from gateway.casework.refused import Refused

SHORTEST, LONGEST = 15, 1000
_LEFT = 8
"""Characters that must be left when everything that is tried first has been taken out."""
_DIFFERENT = 5
_RUN = 4
_ROWS: Final = (
    "1234567890",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "azertyuiop",
    "qsdfghjklm",
    "wxcvbn",
)
_TRIED_FIRST: Final = (
    "correcthorsebatterystaple",
    "correctchevalbatterieagrafe",
    "phrasedepasse",
    "phrasesecrete",
    "motdepasse",
    "passphrase",
    "password",
    "iloveyou",
    "jetaime",
    "bonjour",
    "welcome",
    "bienvenue",
    "letmein",
    "secret",
    "admin",
    "gateway",
    "passerelle",
    "kolwezi",
    "lualaba",
    "katanga",
    "cobalt",
)
_ADJACENT: Final = frozenset(
    pair for row in _ROWS for one, two in pairwise(row) for pair in (one + two, two + one)
)


def plain(typed: str) -> str:
    """A passphrase as it is hashed: however the phone composed its accents, and without the space that a keyboard
    adds at the end. `""`, which fits nothing, for one too long to be hashed."""
    return unicodedata.normalize("NFC", typed).strip() if len(typed) <= LONGEST else ""


def chosen(typed: str, again: str, own: Iterable[str]) -> str:
    """A new passphrase as it is hashed, typed twice; `own` are names of its owner, which somebody would try.
    Raises Refused at `passphrase` or `again`."""
    passphrase = plain(typed)
    if len(typed) > LONGEST:
        raise Refused("passphrase", "Use at most %(most)s characters.", most=LONGEST)
    if len(passphrase) < SHORTEST:
        raise Refused(
            "passphrase", "Use at least %(least)s characters. Four or five words are easy to keep.", least=SHORTEST
        )
    left = _left(passphrase, own)
    if len(left) < _LEFT or len(set(left)) < _DIFFERENT:
        raise Refused(
            "passphrase", "This is too easy to guess. Take four or five words that do not belong together."
        )
    if passphrase != plain(again):
        raise Refused("again", "The two passphrases are not the same.")
    return passphrase


def _left(passphrase: str, own: Iterable[str]) -> str:
    """What a guesser does not try first: no repetition, no name, no known word, no row of keys."""
    bare = _bare(passphrase)
    bare = bare[: (bare + bare).find(bare, 1)]
    names = [part for name in own for part in _parts(name) if len(part) > 2]
    for known in sorted({*_TRIED_FIRST, *names}, key=len, reverse=True):
        bare = bare.replace(known, "")
    left, run = "", bare[:1]
    for letter in bare[1:] + "\0":
        if letter == run[-1:] or run[-1:] + letter in _ADJACENT:
            run += letter
        else:
            left += run if len(run) < _RUN else ""
            run = letter
    return left


def _parts(name: str) -> list[str]:
    return [_bare(part) for part in name.translate(dict.fromkeys(map(ord, "._-'’"), " ")).split()]


def _bare(text: str) -> str:
    """Without case, accents and spaces."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in folded if not letter.isspace() and not unicodedata.combining(letter))
