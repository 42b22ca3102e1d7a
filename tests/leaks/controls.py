"""A control for each form: a marker, and how code that is not the scanner's writes it down in that form."""

from __future__ import annotations

import base64
import gzip
import hashlib
import itertools
import json
import quopri
import struct
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from html.entities import codepoint2name
from typing import Final
from urllib.parse import quote_plus

WORD: Final = "Zw\u00e9mbe \u00e0 Kalukul\u00fb-xq"
"""Letters with and without accents, capitals, blanks and a hyphen; in no dictionary."""
NUMBER: Final = "+243997531864"


def _lzf(text: str) -> bytes:
    """As in an RDB file: two runs and a copy, so that the text is nowhere whole."""
    raw = text.encode()
    head, tail = raw[:5], raw[5:]
    packed = bytes([len(head) - 1]) + head + bytes([len(tail) - 1]) + tail + b"\x20\x04"
    return b"\xc3" + bytes([len(packed), len(raw) + 3]) + packed


def _pglz(text: str) -> bytes:
    """As in a row of PostgreSQL: eight bytes to a control byte, then a copy of twelve."""
    raw = text.encode()
    whole, rest = raw[: len(raw) // 8 * 8], raw[len(raw) // 8 * 8 :]
    packed = b"".join(b"\x00" + whole[at : at + 8] for at in range(0, len(whole), 8))
    packed += bytes([1 << len(rest)]) + rest + b"\x09\x0c"
    return struct.pack("<II", (len(packed) + 8) << 2 | 2, len(raw) + 12) + packed


def _raw_deflate(text: str) -> bytes:
    packing = zlib.compressobj(wbits=-15)
    return packing.compress(text.encode()) + packing.flush()


def _each(text: str, how: str) -> bytes:
    return "".join(how % byte for byte in text.encode()).encode()


def _octal(text: str) -> bytes:
    return b"".join(bytes([byte]) if byte < 128 else b"\\%03o" % byte for byte in text.encode())


_DIVIDED = slice(-9, -7), slice(-7, -4), slice(-4, -2), slice(-2, None)

# What differs from other forms only in some letters has a marker with these.
_ON_A_WORD: Final[dict[str, Callable[[str], bytes]]] = {
    "as it is": str.encode,
    "in other cases": lambda word: word.upper().encode(),
    "with loose accents": lambda word: unicodedata.normalize("NFD", word).encode(),
    "without accents": lambda word: unicodedata.normalize("NFD", word).encode("ascii", "ignore"),
    "UTF-8": str.encode,
    "UTF-16 little": lambda word: word.encode("utf-16-le"),
    "UTF-16 big": lambda word: b"\x00" + word.encode("utf-16-le")[:-1],
    "Latin-1": lambda word: word.encode("cp1252"),
    "URL": lambda word: b"%20".join(quote_plus(part).encode() for part in word.split()),
    "form": lambda word: quote_plus(word).encode(),
    "HEX": lambda word: word.encode().hex().upper().encode(),
    "JSON": lambda word: json.dumps(word).encode(),
    "HTML by name": lambda word: "".join(
        f"&{codepoint2name.get(ord(one), '')};" * (one > "~") or one for one in word
    ).encode(),
    "HTML by number": lambda word: word.encode("ascii", "xmlcharrefreplace"),
    "HTML by hex": lambda word: "".join(f"&#x{ord(one):X};" if one > "~" else one for one in word).encode(),
    "quoted-printable": lambda word: quopri.encodestring(word.encode()),
    "\\x": lambda word: repr(word.encode())[2:-1].encode(),
    "\\ooo": _octal,
    "SHA-512": lambda word: hashlib.sha512(word.encode()).digest(),
    "BLAKE2b of 64": lambda word: hashlib.blake2b(word.encode()).hexdigest()[:32].upper().encode(),
    "zlib": lambda word: zlib.compress(f"many {word} many".encode()),
    "gzip": lambda word: gzip.compress(word.encode(), mtime=0),
    "raw deflate": _raw_deflate,
    "base64 of packed": lambda word: base64.b64encode(zlib.compress(f"a {word} b".encode())),
    "hex of packed": lambda word: gzip.compress(word.encode(), mtime=0).hex().encode(),
    "LZF": _lzf,
    "pglz": _pglz,
}
_ON_LETTERS: Final[dict[str, Callable[[str], bytes]]] = {
    "URL of every byte": lambda word: _each(word, "%%%02X"),
    "hex": lambda word: _each(word, "%02x"),
    "base32": lambda word: base64.b32encode(f"ab{word}".encode()),
    "JSON of every character": lambda word: _each(word, "\\u%04x"),
}
_ON_SIGNS: Final[dict[str, Callable[[str], bytes]]] = {
    "base64": lambda word: base64.b64encode(f"a{word}".encode()),
    "base64url": lambda word: base64.urlsafe_b64encode(f"a{word}".encode()),
}
_ON_A_NUMBER: Final[dict[str, Callable[[str], bytes]]] = {
    "in groups": lambda number: f"(0){' '.join(number[part] for part in _DIVIDED)}".encode(),
    "in one run of digits": lambda number: f"7{number[1:]}".encode(),
    "its last eight digits": lambda number: f"..{number[-8:]}".encode(),
    "backwards": lambda number: number[::-1].encode(),
    "a number of eight bytes": lambda number: struct.pack(">q", int(number)),
    "MD5": lambda number: hashlib.md5(f"0{number[4:]}".encode()).digest(),
    "SHA-1": lambda number: hashlib.sha1(number.encode()).hexdigest().encode(),
    "SHA-256": lambda number: base64.b64encode(hashlib.sha256(number[1:].encode()).digest()),
    "BLAKE2b of 32": lambda number: hashlib.blake2b(number.encode(), digest_size=32).digest()[:16],
}


def _written() -> Iterator[tuple[str, tuple[str, bytes]]]:
    at = itertools.count()
    for begins, writers in ((WORD, _ON_A_WORD), ("zwembekalukulu", _ON_LETTERS), ("???>>>~~~???", _ON_SIGNS)):
        for form, write in writers.items():
            own = next(at)
            # In its middle, for the ends of a shape may be cut off.
            marker = begins[:6] + "acdfgjkmpr"[own // 10] + "acdfgjkmpr"[own % 10] + begins[6:]
            yield form, (marker, write(marker))
    for form, write in _ON_A_NUMBER.items():
        number = f"+2439975318{next(at):02d}"
        yield form, (number, write(number))


CONTROLS: Final = dict(_written())
"""By form: a marker of its own, and what other code than the scanner's made of it."""
