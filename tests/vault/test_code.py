"""The reporter's code: derived the same each time, hard to guess, and not to be read from what is stored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.text import check_digit_ok
from gateway.vault import code

KEY = bytes(range(32))
PEPPER = bytes(range(32, 64))


@given(material=st.binary(max_size=300), attempt=st.integers(min_value=0, max_value=2**16 - 1))
def test_a_code_is_twelve_digits_that_check(material: bytes, attempt: int) -> None:
    made = code.derive(KEY, material, attempt)
    assert len(made) == code.DIGITS
    assert made.isascii()
    assert made.isdigit()
    assert check_digit_ok(made)
    assert made == code.derive(KEY, material, attempt)


def test_every_wrong_digit_and_every_swap_of_neighbours_shows() -> None:
    made = code.derive(KEY, b"material", 0)
    for at, digit in enumerate(made):
        for other in set("0123456789") - {digit}:
            assert not check_digit_ok(made[:at] + other + made[at + 1 :])
    for at in range(len(made) - 1):
        if made[at] != made[at + 1]:
            assert not check_digit_ok(made[:at] + made[at + 1] + made[at] + made[at + 2 :])


def test_every_attempt_every_material_and_every_day_gives_another_code() -> None:
    attempts = {code.derive(KEY, b"material", attempt) for attempt in range(200)}
    materials = {code.derive(KEY, bytes([at]), 0) for at in range(200)}
    days = {code.derive(bytes([at]) * 32, b"material", 0) for at in range(200)}
    assert len(attempts | materials | days) == 600


def test_an_attempt_is_not_mistaken_for_a_piece_of_the_material() -> None:
    assert code.derive(KEY, b"a\x00", 1) != code.derive(KEY, b"a", 1)
    assert code.derive(KEY, b"a\x00\x00", 0) != code.derive(KEY, b"a", 0)


def test_codes_are_spread_over_every_digit() -> None:
    made = [code.derive(KEY, at.to_bytes(4, "big"), 0) for at in range(2000)]
    for place in range(code.DIGITS):
        counts = [sum(one[place] == digit for one in made) for digit in "0123456789"]
        assert min(counts) > 120, "200 of each are expected"


def test_a_code_is_shown_in_three_groups() -> None:
    assert code.shown("123456789012") == "1234 5678 9012"


def test_a_token_is_the_same_for_the_same_code_and_another_under_another_pepper() -> None:
    first = code.keys("123456789012", PEPPER).token
    assert len(first) == 32
    assert code.keys("123456789012", PEPPER).token == first
    assert code.keys("123456789012", KEY).token != first
    assert code.keys("123456789013", PEPPER).token != first


def test_a_token_holds_nothing_of_its_code() -> None:
    assert b"123456789012" not in code.keys("123456789012", PEPPER).token


def test_what_is_no_code_is_refused_before_the_slow_hash() -> None:
    with pytest.raises(UnicodeEncodeError):
        code.keys("١٢٣٤٥٦٧٨٩٠١٢", PEPPER)


def test_known_codes_and_tokens_never_change() -> None:
    """Codes on paper must open reports after every release."""
    assert [code.derive(KEY, b"material", attempt) for attempt in range(3)] == KNOWN_CODES
    assert code.keys("123456789012", PEPPER).token.hex() == KNOWN_TOKEN


KNOWN_CODES = ["514110887471", "075056705225", "804433213678"]
KNOWN_TOKEN = "bdf2ac04ed1bbf702717ac1ac1fa4e38551ee9dfdb28658414256e94f73bf1d9"
