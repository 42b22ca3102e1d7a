"""A second factor on a page: a square that a page of ours may hold, and that a telephone can read."""

from __future__ import annotations

import re

from gateway.web.admin import second_factor

SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def test_the_square_holds_no_style_no_script_and_keeps_its_margin() -> None:
    picture = str(second_factor.offer(SEED, "some.body").picture)
    assert picture.startswith("<svg ") and picture.count("<svg") == 1
    assert not re.search(r"style|script|href|on\w+=|url\(", picture)
    size = int(re.findall(r'viewBox="0 0 (\d+) \1"', picture)[0])
    assert f'fill="#fff" d="M0 0h{size}v{size}h-{size}z"' in picture, "white also where the page is dark"


def test_the_link_is_what_an_authenticator_opens_and_names_no_mine() -> None:
    made = second_factor.offer(SEED, "some.body")
    assert made.link == f"otpauth://totp/Gateway:some.body?secret={SEED}&issuer=Gateway"
    assert made.letters.replace(" ", "") == SEED and set(map(len, made.letters.split())) == {4}


def test_a_login_of_odd_letters_stays_inside_its_place() -> None:
    made = second_factor.offer(SEED, 'x"><script>&secret=A')
    assert "<" not in made.link and made.link.count("secret=") == 1


def test_it_is_in_no_repr() -> None:
    assert SEED not in repr(second_factor.offer(SEED, "some.body"))
