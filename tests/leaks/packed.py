"""What stands compressed in a store: each kind is found wherever it begins, and opened as far as it goes."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

MOST: Final = 1 << 20
"""Bytes of one packed thing that are opened; the values of this product are far shorter."""
_DEPTH: Final = 3
_TINY: Final = 7

_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_GZIP = re.compile(rb"\x1f\x8b\x08")
_LINE = re.compile(rb"\n")
_BASE64 = re.compile(rb"(?:e(?:J|AE|F|N)|H4sI)[A-Za-z0-9+/_\-\r\n]{12,}")
_HEX = re.compile(rb"(?:78(?:01|5e|9c|da)|1f8b08)(?:[0-9a-f]{2}){8,}", re.IGNORECASE)
_LZF = re.compile(rb"\xc3(?=[\x00-\x7f\x80])")
# A length of four bytes whose lowest bits are 10, then the length of what comes out and, in its highest bits, 00.
_PGLZ = re.compile(
    b"(?=[" + b"".join(re.escape(bytes([byte])) for byte in range(2, 256, 4)) + rb"][\x00-\x7f]\x00\x00"
    rb"[\x00-\xff][\x00-\xff][\x00-\x0f]\x00)",
    re.DOTALL,
)
_TOAST = re.compile(rb"\x40\x1f\x00\x00")  # a piece of 1,996 bytes, as all but the last are


def _inflated(store: memoryview, window: int) -> bytes:
    """As much as can be opened; in small steps, so that what comes before a fault is not lost."""
    opening, found = zlib.decompressobj(window), b""
    with suppress(zlib.error):
        for at in range(0, min(len(store), MOST), 256):
            found += opening.decompress(store[at : at + 256])
            if opening.eof:
                break
    return found


def _zlib(store: bytes) -> Iterator[bytes]:
    view = memoryview(store)
    for start in _ZLIB.finditer(store):
        yield _inflated(view[start.start() :], 15)


def _gzip(store: bytes) -> Iterator[bytes]:
    view = memoryview(store)
    for start in _GZIP.finditer(store):
        yield _inflated(view[start.start() :], 31)


def _deflate(store: bytes) -> Iterator[bytes]:
    """Raw deflate has no beginning to know it by: it is tried where a value or a line begins."""
    view = memoryview(store)
    for at in (0, *(line.end() for line in _LINE.finditer(store))):
        yield _inflated(view[at:], -15)


def _base64(store: bytes) -> Iterator[bytes]:
    for found in _BASE64.finditer(store):
        text = re.sub(rb"[\r\n]", b"", found[0][:MOST]).replace(b"-", b"+").replace(b"_", b"/")
        # What is cut off at the end are characters that could not hold a whole byte.
        yield base64.b64decode(text[: len(text) // 4 * 4])


def _hex(store: bytes) -> Iterator[bytes]:
    for found in _HEX.finditer(store):
        yield binascii.unhexlify(found[0][:MOST])


def _lzf(store: bytes) -> Iterator[bytes]:
    """Strings of an RDB file or a DUMP: the mark, two lengths, and what liblzf made."""
    for start in _LZF.finditer(store):
        packed, at = _rdb_length(store, start.end())
        whole, at = _rdb_length(store, at)
        if 0 < packed <= whole + 4 and whole <= MOST and at + packed <= len(store):
            yield unlzf(store[at : at + packed])


def _rdb_length(store: bytes, at: int) -> tuple[int, int]:
    """A length as RDB writes it, and where it ends; 0 for what is none."""
    first = store[at] if at < len(store) else 0xFF
    if first < 0x40:
        return first, at + 1
    if first < 0x80:
        return int.from_bytes(store[at : at + 2], "big") & 0x3FFF, at + 2
    if first == 0x80:
        return int.from_bytes(store[at + 1 : at + 5], "big"), at + 5
    return 0, at


def unlzf(packed: bytes) -> bytes:
    """liblzf's format: runs of up to 32 bytes as they are, and copies of what came before."""
    found, at = bytearray(), 0
    with suppress(IndexError):
        while at < len(packed):
            control, at = packed[at], at + 1
            if control < 32:
                found += packed[at : at + control + 1]
                at += control + 1
                continue
            length = control >> 5
            if length == 7:
                length, at = length + packed[at], at + 1
            back, at = ((control & 0x1F) << 8) + packed[at] + 1, at + 1
            if not _copy(found, back, length + 2):
                break
    return bytes(found)


def _pglz(store: bytes) -> Iterator[bytes]:
    """Values that PostgreSQL packed in their row, and the pieces of what it put beside the table."""
    for start in _PGLZ.finditer(store):
        at = start.start()
        packed = int.from_bytes(store[at : at + 4], "little") >> 2
        whole = int.from_bytes(store[at + 4 : at + 8], "little")
        if 12 <= packed <= 8192 and packed < whole + 8 <= MOST:
            yield unpglz(store[at + 8 : at + packed], whole)
    for piece in _TOAST.finditer(store):
        yield unpglz(store[piece.end() : piece.end() + 1996], MOST)


def unpglz(packed: bytes, whole: int) -> bytes:
    """PostgreSQL's format (common/pg_lzcompress.c): eight items to a control byte, each a byte or a copy."""
    found, at = bytearray(), 0
    with suppress(IndexError):
        while at < len(packed) and len(found) < whole:
            control, at = packed[at], at + 1
            for bit in range(8):
                if at >= len(packed) or len(found) >= whole:
                    break
                if not control >> bit & 1:
                    found.append(packed[at])
                    at += 1
                    continue
                length, back = (packed[at] & 0x0F) + 3, (packed[at] & 0xF0) << 4 | packed[at + 1]
                at += 2
                if length == 18:
                    length, at = length + packed[at], at + 1
                if not _copy(found, back, length):
                    return bytes(found)
    return bytes(found)


def _copy(found: bytearray, back: int, length: int) -> bool:
    """Append what stands `back` bytes before the end; False when there is nothing."""
    if not 0 < back <= len(found):
        return False
    start = len(found) - back
    run = bytes(found[start : start + length])
    found += (run * (length // len(run) + 1))[:length]  # a copy may reach into itself
    return True


PACKED: Final[dict[str, Callable[[bytes], Iterator[bytes]]]] = {
    "zlib": _zlib,
    "gzip": _gzip,
    "raw deflate": _deflate,
    "base64 of packed": _base64,
    "hex of packed": _hex,
    "LZF": _lzf,
    "pglz": _pglz,
}


def layers(store: bytes, without: str = "", depth: int = _DEPTH) -> Iterator[bytes]:
    """A store, and what stands packed in it, and in that; but for one kind that a test leaves out."""
    yield store
    for name, unpack in PACKED.items() if depth else ():
        for inner in unpack(store) if name != without else ():
            if len(inner) >= _TINY:
                # Almost anything begins as raw deflate; what comes out is searched and not opened again.
                yield from layers(inner, without, 0 if name == "raw deflate" else depth - 1)
