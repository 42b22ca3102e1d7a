"""Each form is found in what other code than the scanner's wrote, and not without the part that looks for it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import pickle
import quopri
import random
import struct
from collections.abc import Callable
from urllib.parse import quote, urlencode

import pytest

from tests.leaks.controls import CONTROLS, NUMBER, WORD
from tests.leaks.forms import FORMS, SHORTEST, Hit, Scanner, shapes
from tests.leaks.packed import PACKED

CODE = "4071 5526 9138"
EVERYTHING = (*FORMS, *PACKED)


def test_every_form_has_its_control() -> None:
    assert set(CONTROLS) == set(EVERYTHING)
    assert len(EVERYTHING) >= 15


@pytest.mark.parametrize("form", EVERYTHING)
def test_what_is_written_in_a_form_is_found_by_that_form_and_by_no_other(form: str) -> None:
    marker, written = CONTROLS[form]
    for store in (written, written + b"\x00~", written + b" after"):
        assert found(marker, store)
    assert not found(marker, written, without=form), "another form finds it, so this control proves nothing"


@pytest.mark.parametrize("form", [form for form in EVERYTHING if form != "raw deflate"])
def test_it_is_found_wherever_in_a_store_it_begins(form: str) -> None:
    marker, written = CONTROLS[form]
    around = random.Random(form).randbytes(40)
    for before in range(9):
        assert found(marker, around[:before] + written + around)


def test_raw_deflate_is_found_at_the_start_of_a_value_and_of_a_line() -> None:
    marker, written = CONTROLS["raw deflate"]
    assert found(marker, b"$31\r\n" + written + b"\r\n")


def found(marker: str, store: bytes, without: str = "") -> bool:
    return Scanner([marker], without).hits([("store", store)]) != set()


WRITTEN: dict[str, Callable[[str], bytes]] = {
    "a query": lambda text: urlencode({"text": f"a {text} b"}).encode(),
    "a path": lambda text: quote(f"/hooks/{text}").encode(),
    "JSON": lambda text: json.dumps({"text": f"~{text}~"}).encode(),
    "JSON in JSON": lambda text: json.dumps(json.dumps({"text": text}, ensure_ascii=False)).encode(),
    "a page": lambda text: html.escape(text, quote=False).encode(),
    "a page in ASCII": lambda text: html.escape(text, quote=False).encode("ascii", "xmlcharrefreplace"),
    "a mail": lambda text: quopri.encodestring(text.encode()),
    "pickle 0": lambda text: pickle.dumps(text, 0),
    "pickle 2": lambda text: pickle.dumps({"text": [text]}, 2),
    "pickle 5": lambda text: pickle.dumps({"text": (text,)}, 5),
    "a string of C on Windows": lambda text: text.encode("utf-16"),
    "bytes shown": lambda text: repr(text.encode()).encode(),
    "an exception shown": lambda text: repr(ValueError(text)).encode(),
    "a digest shown": lambda text: hashlib.sha256(text.encode()).hexdigest().encode(),
    "base64 in lines": lambda text: base64.encodebytes(b"abcde" + text.encode()),
    "MessagePack": lambda text: struct.pack(">BB", 0xD9, len(text.encode())) + text.encode(),
}


@pytest.mark.parametrize("marker", [WORD, NUMBER, CODE, "ATUid_5e551055e551001", "Zw\u00e9mbe & fils"])
@pytest.mark.parametrize("written", WRITTEN)
def test_what_the_standard_library_writes_is_found(written: str, marker: str) -> None:
    assert found(marker, b"noise " + WRITTEN[written](marker) + b" noise")


@pytest.mark.parametrize(
    "written",
    [
        "+243997531864",
        "243997531864",
        "0997531864",
        "00243 997 531 864",
        "+243 99 753 18 64",
        "0997-531-864",
        "tel:+243.997.531.864",
        "99\u00a0753\u00a018\u00a064",
        "97531864",
        "468135799342",
    ],
)
def test_a_number_is_found_however_it_is_written(written: str) -> None:
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        assert found(NUMBER, b"number: " + written.encode(encoding) + b".")


@pytest.mark.parametrize(
    "written",
    [
        hashlib.md5(b"0997531864").hexdigest(),
        hashlib.sha1(b"+243997531864").hexdigest()[:24],
        hashlib.blake2b(b"243997531864", digest_size=32).hexdigest(),
    ],
)
def test_the_digest_of_a_number_is_found_whole_and_shortened(written: str) -> None:
    assert found(NUMBER, f"key:{written}".encode())
    assert found(NUMBER, bytes.fromhex(written))


@pytest.mark.parametrize("marker", [WORD, NUMBER, CODE])
def test_a_marker_across_the_border_of_two_chunks_is_found_once_and_whole(marker: str) -> None:
    raw = marker.encode("utf-16-le")
    for before in range((1 << 18) - len(raw) - 2, (1 << 18) + 2):
        assert found(marker, bytes(before) + raw)


def test_what_is_not_there_is_not_found() -> None:
    scanner = Scanner([WORD, NUMBER, CODE])
    chance = random.Random(7)
    assert scanner.hits([("noise", chance.randbytes(3_000_000))]) == set()
    assert scanner.hits([("digits", bytes(chance.choices(b"0123456789", k=300_000)))]) == set()
    assert scanner.hits([("nothing", b""), ("short", b"ab"), ("nearly", WORD[:-1].encode() + b"!")]) == set()


def test_eight_digits_inside_a_longer_number_are_chance() -> None:
    assert not found(NUMBER, b"row 5297531864 and 975318640")
    assert found(NUMBER, b"row 97531864 and")


def test_a_hit_says_where_what_and_in_which_form() -> None:
    scanner = Scanner([WORD, NUMBER])
    hits = scanner.hits([("a", NUMBER.encode("utf-16-be")), ("b", WORD.encode().hex().encode())])
    assert {hit for hit in hits if hit.store == "b"} >= {Hit("b", WORD, "hex")}
    assert Hit("a", NUMBER, "UTF-16 big") in hits
    assert {hit.marker for hit in hits if hit.store == "a"} == {NUMBER}


@pytest.mark.parametrize("marker", [WORD, NUMBER, CODE])
def test_nearly_every_shape_is_long_enough_to_be_looked_for(marker: str) -> None:
    """What is left out are shapes of numbers' eight digits in dense encodings, which no chance must make."""
    short = {form for form, shape in shapes(marker) if len(shape) < SHORTEST}
    assert short == set()
