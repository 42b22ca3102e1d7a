"""Passphrases: long, typed twice, in nobody's list; nothing else is asked of them."""

from __future__ import annotations

import pytest

from gateway.casework import Refused, passphrase
from gateway.casework.passphrase import LONGEST, SHORTEST

OWN = ("jean.mobutu-test", "Espérance Example")


def why(typed: str, again: str | None = None) -> str:
    """The field at which a passphrase is refused, `""` when it is taken."""
    try:
        passphrase.chosen(typed, typed if again is None else again, OWN)
    except Refused as refused:
        return refused.field
    return ""


@pytest.mark.parametrize(
    "typed",
    [
        "quatre chèvres sous le pont",
        "mbuzi nne chini ya daraja",
        "four goats below a bridge",
        "nouveau toit bleu vingt",
        "ゆきやなぎとかえるのはしのうえで",
        "x7#Lq9!vT2@mZ5w",
        "my passphrase has nine goats",
        "a" + "bcdxkrtowmze" * 83,
    ],
)
def test_any_letters_will_do(typed: str) -> None:
    assert why(typed) == ""


@pytest.mark.parametrize(
    "typed",
    [
        "aaaaaaaaaaaaaaaaaaaa",
        "abababababababababab",
        "goat goat goat goat goat goat",
        "12345678901234567890",
        "98765432109876543210",
        "abcdefghijklmnopqrst",
        "qwertyuiopasdfghjkl",
        "azertyuiopqsdfghjklm",
        "passphrase passphrase",
        "Phrase de passe 2026",
        "motdepasse motdepasse 1",
        "password1234567890",
        "correct horse battery staple",
        "PASSERELLE Kolwezi 2026",
        "Espérance Example 12",
        "esperance jean mobutu test",
        "iloveyou iloveyou 123",
        "!!!!!!!!!!!!!!!!!!!!",
    ],
)
def test_what_is_tried_first_is_refused(typed: str) -> None:
    assert why(typed) == "passphrase"


def test_length_is_counted_in_letters_and_nothing_is_cut() -> None:
    kept = "ôbcxdrfmgthknzüwyq"[:SHORTEST]
    assert why(kept) == ""
    assert why(kept[:-1]) == "passphrase"
    assert why(kept[:-1] + " ") == "passphrase", "the space at the end counts for nothing"
    long = ("four goats below a bridge " * 50)[: LONGEST - 20] + "and one unlike them"
    assert why(long) == ""
    assert why(long + "x" * 2) == "passphrase"
    assert passphrase.plain(long + "x" * 2) == "", "it would fit nothing, not the part before the cut"


def test_it_is_typed_twice() -> None:
    assert why("four goats below a bridge", "four goats below a bridg") == "again"
    assert why("four goats below a bridge", "") == "again"
    assert why("four goats below a bridge", "four goats below a bridge ") == ""
    assert why("four goats below a bridge", "Four goats below a bridge") == "again"


def test_two_keyboards_write_the_same_accents() -> None:
    composed, apart = "quatre chèvres sous le pont", "quatre che\u0300vres sous le pont"
    assert composed != apart
    assert passphrase.plain(composed) == passphrase.plain(apart)
    assert passphrase.chosen(apart, composed, OWN) == composed


def test_a_refusal_repeats_nothing_that_was_typed() -> None:
    with pytest.raises(Refused) as refused:
        passphrase.chosen("a secret of mine", "another", ())
    assert "secret" not in str(refused.value) + repr(refused.value) + repr(refused.value.values)
