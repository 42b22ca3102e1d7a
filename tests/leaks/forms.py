"""The forms that a marker may be found in: how it may be written, encoded, and turned into a digest.

`Scanner` looks for every form of every marker at once. A shape (the bytes of one form) is found by four bytes of
its middle, at each of the four places where they may lie in the words of a store; so how long it takes hardly
depends on how many shapes there are.
"""

from __future__ import annotations

import base64
import hashlib
import html
import html.entities
import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple
from urllib.parse import quote, quote_plus

import markupsafe

from tests.leaks.packed import layers

SHORTEST: Final = 7
"""Bytes of the shortest shape: every run of seven holds one whole word of four. A shorter one would be met by
chance too."""
_CHUNK: Final = 1 << 18
_DIGITS: Final = re.compile(r"\+?[0-9 ]{9,}")
_COUNTRY: Final = "243"


class Hit(NamedTuple):
    """A marker in a store. `form` is the first of the names that explain it."""

    store: str
    marker: str
    form: str


# How it may be written


def _numbers(marker: str) -> str | None:
    """The digits of a marker that is a number, without its country."""
    if not _DIGITS.fullmatch(marker):
        return None
    digits = re.sub(r"\D", "", marker)
    return digits.removeprefix(_COUNTRY) if marker.startswith("+") else digits


def _groups(marker: str) -> Iterator[str]:
    """A number divided as people divide it, by blanks, dots, hyphens and the blanks of French typography."""
    if digits := _numbers(marker):
        sizes = ((3, 3, 3), (2, 3, 2, 2), (3, 2, 2, 2)) if len(digits) == 9 else ((4, 4, 4), (3, 3, 3, 3))
        for group in sizes:
            ends = [sum(group[: at + 1]) for at in range(len(group))]
            parts = [digits[end - size : end] for end, size in zip(ends, group, strict=True)]
            yield from (between.join(parts) for between in " .-\u00a0\u202f/")


def _bare(marker: str) -> str:
    """Letters without their accents."""
    return "".join(letter for letter in unicodedata.normalize("NFD", marker) if not unicodedata.combining(letter))


WRITINGS: Final[dict[str, Callable[[str], Iterable[str]]]] = {
    "as it is": lambda marker: [marker],
    "in other cases": lambda marker: [marker.lower(), marker.upper()],
    "with loose accents": lambda marker: [unicodedata.normalize("NFD", marker)],
    "without accents": lambda marker: [_bare(marker), _bare(marker).lower(), _bare(marker).upper()],
    "in groups": _groups,
    # In whatever way its country is written, or left out.
    "in one run of digits": lambda marker: filter(None, [_numbers(marker)]),
    "its last eight digits": lambda marker: [digits[-8:]] if len(digits := _numbers(marker) or "") == 9 else [],
    "backwards": lambda marker: [(_numbers(marker) or marker)[::-1]],
}


# How that may be encoded


def _each(text: str, how: str) -> bytes:
    """Every byte written by itself."""
    return "".join(how.format(byte) for byte in text.encode()).encode()


def _characters(text: str, how: str) -> bytes:
    """Every character written by itself."""
    return "".join(how.format(ord(letter)) for letter in text).encode()


def _strangers(text: str, how: str) -> bytes:
    """Every character that is not ASCII, and what HTML takes for itself, written by its number."""
    return "".join(
        letter if letter.isascii() and letter not in "&<>\"'" else how.format(ord(letter)) for letter in text
    ).encode()


def _named(text: str) -> bytes:
    names = html.entities.codepoint2name
    return "".join(f"&{names[ord(one)]};" if ord(one) in names else one for one in text).encode()


def _escaped(text: str) -> Iterator[bytes]:
    """As templates write it: the few characters that HTML takes for itself by name."""
    for escaped in {html.escape(text), html.escape(text, quote=False), str(markupsafe.escape(text))} - {text}:
        yield from (escaped.encode(), escaped.encode("ascii", "xmlcharrefreplace"))


def _json(text: str, how: str) -> bytes:
    """JSON with nothing but ASCII, its digits in either case."""
    return "".join(letter if letter.isascii() else how.format(ord(letter)) for letter in text).encode()


def _shifted(text: str, size: int, encode: Callable[[bytes], bytes], bits: int) -> Iterator[bytes]:
    """What an encoding in groups of `size` bytes makes of a text wherever in a group it begins: only those
    characters that depend on nothing before or after it."""
    raw = text.encode()
    for before in range(size):
        whole = encode(bytes(before) + raw + bytes(size))
        yield whole[-(-before * 8 // bits) : (before + len(raw)) * 8 // bits]


ENCODINGS: Final[dict[str, Callable[[str], Iterable[bytes]]]] = {
    "UTF-8": lambda text: [text.encode()],
    "UTF-16 little": lambda text: [text.encode("utf-16-le")],
    "UTF-16 big": lambda text: [text.encode("utf-16-be")],
    "Latin-1": lambda text: [text.encode("latin-1", "replace")],
    "URL": lambda text: [quote(text, safe="").encode(), quote(text).encode(), _lower(quote(text, safe=""))],
    "form": lambda text: [quote_plus(text).encode(), _lower(quote_plus(text))],
    "URL of every byte": lambda text: [_each(text, "%{:02X}"), _each(text, "%{:02x}")],
    "hex": lambda text: [text.encode().hex().encode(), text.encode().hex(" ").encode()],
    "HEX": lambda text: [text.encode().hex().upper().encode(), text.encode().hex(":").upper().encode()],
    "base64": lambda text: _shifted(text, 3, base64.b64encode, 6),
    "base64url": lambda text: _shifted(text, 3, base64.urlsafe_b64encode, 6),
    "base32": lambda text: _shifted(text, 5, base64.b32encode, 5),
    "JSON": lambda text: [_json(text, "\\u{:04x}"), _json(text, "\\u{:04X}")],
    "JSON of every character": lambda text: [_characters(text, "\\u{:04x}"), _characters(text, "\\u{:04X}")],
    "HTML by name": lambda text: [_named(text), *_escaped(text)],
    "HTML by number": lambda text: [_characters(text, "&#{};"), _strangers(text, "&#{};")],
    "HTML by hex": lambda text: [
        shape
        for how in ("&#x{:x};", "&#x{:X};", "&#x{:02x};")
        for shape in (_characters(text, how), _strangers(text, how))
    ],
    "quoted-printable": lambda text: [
        _each(text, "={:02X}"),
        quote(text, safe=" &'").encode().replace(b"%", b"="),
    ],
    "\\x": lambda text: [_each(text, "\\x{:02x}"), repr(text.encode())[2:-1].encode()],
    "\\ooo": lambda text: [_each(text, "\\{:03o}"), _octal(text)],
}


def _lower(quoted: str) -> bytes:
    """URL quoting with small hex digits."""
    return re.sub("%..", lambda found: found[0].lower(), quoted).encode()


def _octal(text: str) -> bytes:
    """As PostgreSQL writes bytes in its older way."""
    return "".join(chr(byte) if byte < 128 else f"\\{byte:03o}" for byte in text.encode()).encode()


# What stands for it


def _wholes(marker: str) -> set[str]:
    """The texts that somebody would take the digest of."""
    digits = _numbers(marker)
    if digits is None:
        return {marker, marker.lower(), marker.upper()}
    country = {f"+{_COUNTRY}{digits}", f"{_COUNTRY}{digits}", f"00{_COUNTRY}{digits}", f"0{digits}"}
    return {digits, marker} | (country if marker.startswith("+") else set())


def _integers(marker: str) -> Iterator[bytes]:
    for digits in filter(str.isdecimal, _wholes(marker)):
        yield from (int(digits).to_bytes(8, "little"), int(digits).to_bytes(8, "big"))


def _digest(make: Callable[[bytes], bytes]) -> Callable[[str], Iterator[bytes]]:
    """The first ten bytes of a digest, so that a shortened one is found too: raw, in hex, in base64."""

    def shapes(marker: str) -> Iterator[bytes]:
        for whole in _wholes(marker):
            found = make(whole.encode())
            yield from (found[:10], found[:10].hex().encode(), found[:10].hex().upper().encode())
            yield from (base64.b64encode(found)[:13], base64.urlsafe_b64encode(found)[:13])

    return shapes


STAND_INS: Final[dict[str, Callable[[str], Iterable[bytes]]]] = {
    "a number of eight bytes": _integers,
    "MD5": _digest(lambda raw: hashlib.md5(raw).digest()),
    "SHA-1": _digest(lambda raw: hashlib.sha1(raw).digest()),
    "SHA-256": _digest(lambda raw: hashlib.sha256(raw).digest()),
    "SHA-512": _digest(lambda raw: hashlib.sha512(raw).digest()),
    "BLAKE2b of 32": _digest(lambda raw: hashlib.blake2b(raw, digest_size=32).digest()),
    "BLAKE2b of 64": _digest(lambda raw: hashlib.blake2b(raw).digest()),
}

FORMS: Final = (*WRITINGS, *ENCODINGS, *STAND_INS)


def shapes(marker: str, without: str = "") -> Iterator[tuple[str, bytes]]:
    """Every shape of a marker with the name of its form, but for those of one form."""
    for writing, write in WRITINGS.items():
        for text in write(marker) if writing != without else ():
            for encoding, encode in ENCODINGS.items():
                for shape in encode(text) if encoding != without else ():
                    yield (encoding if writing == "as it is" else writing), shape
    for name, make in STAND_INS.items():
        for shape in make(marker) if name != without else ():
            yield name, shape


class Scanner:
    """Looks for markers in all their forms, but for one that a test leaves out."""

    def __init__(self, markers: Iterable[str], without: str = "") -> None:
        self._without = without
        self._meant: dict[bytes, tuple[str, str]] = {}
        self._by_middle: defaultdict[bytes, list[bytes]] = defaultdict(list)
        for marker in markers:
            for form, shape in shapes(marker, without):
                if len(shape) >= SHORTEST and shape not in self._meant:
                    self._meant[shape] = marker, form
                    self._by_middle[_middle(shape)].append(shape)
        self._words = frozenset(
            int.from_bytes(middle[at : at + 4], sys.byteorder) for middle in self._by_middle for at in range(4)
        )
        self._longest = max(map(len, self._meant), default=SHORTEST)

    def hits(self, stores: Iterable[tuple[str, bytes]]) -> set[Hit]:
        """Which markers stand in which stores, packed or not. Each is (name, bytes)."""
        return {
            Hit(name, *self._meant[shape])
            for name, store in stores
            for layer in layers(store, self._without)
            for shape in self._in(layer)
        }

    def _in(self, layer: bytes) -> Iterator[bytes]:
        for start in range(0, len(layer), _CHUNK):
            # From before it and beyond its end, as far as a shape may reach whose middle is in this chunk.
            chunk = layer[max(0, start - self._longest) : start + _CHUNK + self._longest]
            words = memoryview(chunk[: len(chunk) // 4 * 4]).cast("I")
            for at in [at * 4 for at, word in enumerate(words) if word in self._words]:
                for first in range(max(0, at - SHORTEST + 4), at + 1):
                    for shape in self._by_middle.get(chunk[first : first + SHORTEST], ()):
                        begin = first - _start(shape)
                        if begin >= 0 and chunk.startswith(shape, begin) and _is_meant(chunk, shape, begin):
                            yield shape


def _is_meant(chunk: bytes, shape: bytes, begin: int) -> bool:
    """Eight digits alone are met by chance inside longer numbers, of which a store holds many."""
    if len(shape) > 8 or not shape.isdigit():
        return True
    return not chunk[max(0, begin - 1) : begin].isdigit() and not chunk[begin + 8 : begin + 9].isdigit()


def _middle(shape: bytes) -> bytes:
    """What a shape is found by; its beginning and its end are oftener those of others."""
    start = _start(shape)
    return shape[start : start + SHORTEST]


def _start(shape: bytes) -> int:
    """Where its middle begins; a number of eight bytes begins with noughts, as too much else does."""
    return (len(shape) - SHORTEST) // 2 + shape.startswith(b"\0\0\0")
