"""The only place that knows cryptography.

A `Vault` is opened once per process over the key directory. Today one server key seals what a report holds;
whoever calls `seal` and `open` names the place and does not know whose key it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Self

from gateway.vault.code import derive as _derive_code
from gateway.vault.code import shown
from gateway.vault.code import token as _code_token
from gateway.vault.keys import DayKeys, KeysMissing, create, keyed, open_server_key
from gateway.vault.people import hash_passphrase, passphrase_fits
from gateway.vault.seal import SealBroken, seal, unseal

__all__ = [
    "KeysMissing",
    "Marks",
    "SealBroken",
    "Vault",
    "create",
    "hash_passphrase",
    "passphrase_fits",
    "shown",
]


@dataclass(frozen=True, slots=True)
class Marks:
    """What one act, or one dialogue, is known by on a day: its hash under that day's key and the day before's.

    Two days overlap in one of them, so midnight divides nothing.
    """

    day: date
    now: bytes
    before: bytes


class Vault:
    """Seals, opens and marks, with the keys of one key directory. Safe to share between threads."""

    def __init__(self, directory: Path) -> None:
        server = open_server_key(directory)
        self._content, self._staff = server.derive("report content"), server.derive("staff numbers")
        self._pepper, self._cookies = server.derive("code pepper"), server.derive("sessions")
        self._days = DayKeys(directory)

    @classmethod
    def open_directory(cls, directory: Path) -> Self:
        """Raises KeysMissing with one clear message."""
        return cls(directory)

    def seal(self, place: str, body: bytes) -> bytes:
        """Seal what a report or its readers said to `place`, such as `report/123`."""
        return seal(self._content, place, body)

    def open(self, place: str, blob: bytes) -> bytes:
        """What `seal` was given. Raises SealBroken."""
        return unseal(self._content, place, blob)

    def seal_number(self, place: str, number: str) -> bytes:
        """Seal the telephone number of somebody who works here."""
        return seal(self._staff, place, number.encode("ascii"))

    def open_number(self, place: str, blob: bytes) -> str:
        """Raises SealBroken."""
        return unseal(self._staff, place, blob).decode("ascii")

    def mark(self, clock: date, material: bytes) -> Marks:
        """What `material` is known by today: the day of `clock` (a local date), or the ratchet's when that is
        ahead of it."""
        today, now, before = self._days.overlapping(clock)
        return Marks(today, keyed(now, material, "mark"), keyed(before, material, "mark"))

    def code(self, day: date, clock: date, material: bytes, attempt: int) -> str:
        """The twelve digits of a filing made on `day`. Raises KeyError when that day's key is gone."""
        return _derive_code(self._days.key(day, clock), material, attempt)

    def code_token(self, code: str) -> bytes:
        """What a report is found by when somebody types its code; takes about 17 ms on purpose."""
        return _code_token(code, self._pepper)

    def cookie_token(self, cookie: str) -> bytes:
        """What a session is stored under; the cookie itself is not."""
        return keyed(self._cookies, cookie.encode("utf-8"), "cookie")
