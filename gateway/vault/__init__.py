"""The only place that knows cryptography.

A `Vault` is opened once per process over the key directory. What a report holds is sealed to the report's own
key pair, whose private half is enclosed for each reader and for the escrow: the vault can add what it cannot
read. What the house itself must read (staff numbers, second factors) is sealed under the server's key.
`README.md` beside this file lists every key.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Self

from gateway.vault import escrow
from gateway.vault.code import CodeKeys, shown
from gateway.vault.code import derive as _derive_code
from gateway.vault.code import keys as _code_keys
from gateway.vault.days import DayKeys
from gateway.vault.directory import KeyDirectory, KeysMissing, create
from gateway.vault.months import MonthKeys
from gateway.vault.pairs import Pair, disclose, enclose, fingerprint, new_pair, open_with, seal_to
from gateway.vault.people import (
    Enrolment,
    Unlocked,
    enrol,
    lock,
    new_code,
    new_recovery,
    plain_code,
    recover,
    relock,
    session_open,
    session_seal,
    unlock,
)
from gateway.vault.seal import SealBroken, keyed, seal, unseal
from gateway.vault.weeks import WeekKeys

__all__ = [
    "CodeKeys",
    "Enrolment",
    "KeyDirectory",
    "KeysMissing",
    "Marks",
    "Pair",
    "Reader",
    "ReportKey",
    "SealBroken",
    "Unlocked",
    "Vault",
    "create",
    "enrol",
    "escrow",
    "fingerprint",
    "lock",
    "new_code",
    "new_recovery",
    "open_with",
    "plain_code",
    "recover",
    "relock",
    "seal_to",
    "shown",
    "unlock",
]

BUCKETS = 4096
"""Callers are counted in so many buckets a day: whoever reads a bucket's number knows of nobody."""
FIRST, NEWEST = -1, 0
"""Of the server's keys: what must never change hangs on the first, everything else on the newest."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What one act, or one dialogue, is known by on a day: its hash under that day's key and the day before's.

    Two days overlap in one of them, so midnight divides nothing.
    """

    day: date
    now: bytes
    before: bytes


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody a report may be sealed to: their public key, and what attests that it is theirs."""

    id: int
    public: bytes
    attest: bytes


@dataclass(frozen=True, slots=True)
class ReportKey:
    """A new report's public key and its reporter's, with what attests both, and the report's private half enclosed
    for each reader and for the escrow."""

    public: bytes
    reply: bytes
    attest: bytes
    month: str
    envelopes: dict[int, bytes] = field(repr=False)
    escrow: bytes | None = field(repr=False)


class Vault:
    """Seals, opens and marks, with the keys of one key directory. Safe to share between threads."""

    def __init__(self, directory: Path, mirror: Path | None = None) -> None:
        self.directory = KeyDirectory(directory, mirror)
        self._servers = self.directory.server_keys()
        self._pepper = self._derived("code pepper", FIRST)
        self.journal_key = self._derived("journal", FIRST)
        self.days = DayKeys(self.directory)
        self.months = MonthKeys(self.directory)
        self.weeks = WeekKeys(self.directory)

    @classmethod
    def open_directory(cls, directory: Path, mirror: Path | None = None) -> Self:
        """Raises KeysMissing with one clear message."""
        return cls(directory, mirror)

    def check(self) -> bytes:
        """What a database remembers of these keys, to refuse others: it tells nothing about them."""
        return keyed(self._derived("installation", FIRST), b"", "check")

    # Reports: sealed to their own key pair.

    def report_key(self, place: str, day: date, readers: Iterable[Reader], reply: bytes) -> ReportKey:
        """A key pair for the report at `place`, filed on `day`, for whichever readers have an attested key.
        `reply` is the public half of its reporter's reply key, and is attested with it."""
        month, month_key = self.months.to_file(day)
        pair = new_pair()
        envelopes = {
            reader.id: enclose(pair.private, _for(place, reader.id), reader.public, month_key)
            for reader in readers
            if self.is_attested(reader)
        }
        held = escrow.public(self.directory)
        kept = enclose(pair.private, _for(place, "escrow"), held, month_key) if held else None
        attest = self._of_report(self._servers[NEWEST], place, pair.public, reply)
        return ReportKey(pair.public, reply, attest, month, envelopes, kept)

    def is_of_report(self, place: str, public: bytes, reply: bytes | None, attest: bytes) -> bool:
        """Whether these public keys were made here for the report at `place`. What is added later is sealed to
        them: whoever could put their own into the row would read that."""
        return any(
            hmac.compare_digest(self._of_report(server, place, public, reply or b""), attest)
            for server in self._each_server()
        )

    def seal_contact(self, place: str, public: bytes, week: str, body: bytes) -> bytes:
        """How a reporter can be reached: sealed to the report, and locked by the key of its week. Raises OSError
        when that key cannot be made, KeyError when it has been destroyed."""
        return seal(self.weeks.key(week, make=True), place, seal_to(public, place, body))

    def open_contact(self, report: Pair, place: str, week: str, blob: bytes) -> bytes:
        """Raises SealBroken, also when the week's key has been destroyed."""
        try:
            return open_with(report, place, unseal(self.weeks.key(week), place, blob))
        except KeyError:
            raise SealBroken("the key of that week is gone") from None

    def seal_letter(self, place: str, reply: bytes, month: str, body: bytes) -> bytes:
        """What a reporter's code opens: sealed to their reply key, and locked by the key of the report's month.
        Raises SealBroken when that key is gone."""
        try:
            return seal(self.months.key(month), place, seal_to(reply, place, body))
        except KeyError:
            raise SealBroken("the key of that month is gone") from None

    def open_letter(self, reply: Pair, place: str, month: str, blob: bytes) -> bytes:
        """Raises SealBroken, also when the month's key has been destroyed."""
        try:
            return open_with(reply, place, unseal(self.months.key(month), place, blob))
        except KeyError:
            raise SealBroken("the key of that month is gone") from None

    def open_envelope(self, reader: int | str, key: Pair, place: str, month: str, envelope: bytes) -> Pair:
        """The report's pair, for the person (or `"escrow"`) whom the envelope was made for. Raises SealBroken,
        also when the month's key has been destroyed."""
        try:
            month_key = self.months.key(month)
        except KeyError:
            raise SealBroken("the key of that month is gone") from None
        return disclose(key, _for(place, reader), month_key, envelope)

    def enclose(self, report: Pair, place: str, month: str, reader: Reader) -> bytes:
        """The report's private half for one more reader. Raises SealBroken when their key is not attested, or the
        month's is gone."""
        if not self.is_attested(reader):
            raise SealBroken("nobody attests this key")
        try:
            return enclose(report.private, _for(place, reader.id), reader.public, self.months.key(month))
        except KeyError:
            raise SealBroken("the key of that month is gone") from None

    # People: who may be sealed to, and what the house keeps of them.

    def attest(self, person: int, public: bytes) -> bytes:
        """What says that two people vouched for this key: nobody who can only write rows can make it."""
        return _attest(self._servers[NEWEST], person, public)

    def is_attested(self, reader: Reader) -> bool:
        return any(
            hmac.compare_digest(_attest(server, reader.id, reader.public), reader.attest)
            for server in self._each_server()
        )

    def seal_number(self, place: str, number: str) -> bytes:
        """Seal the telephone number, or the second factor, of somebody who works here."""
        return seal(self._derived("staff numbers", NEWEST), place, number.encode("ascii"))

    def open_number(self, place: str, blob: bytes) -> str:
        """Raises SealBroken."""
        for server in self._each_server():
            with suppress(SealBroken):
                return unseal(keyed(server, b"", "staff numbers"), place, blob).decode("ascii")
        raise SealBroken("it opens under none of the server's keys")

    def token(self, purpose: str, *parts: str | int) -> bytes:
        """What is stored instead of a random secret, or of what must not be read from a row: 32 bytes."""
        return keyed(self._derived("tokens", NEWEST), "\0".join(map(str, parts)).encode("utf-8"), purpose)

    def session_seal(self, cookie: str, key: Pair) -> bytes:
        """A person's key pair for one session: only this cookie opens it again."""
        return session_seal(self._session_key(cookie), "session", key)

    def session_open(self, cookie: str, blob: bytes) -> Pair:
        """Raises SealBroken."""
        return session_open(self._session_key(cookie), "session", blob)

    # Callers: known by nothing but marks that die with their day.

    def mark(self, clock: date, material: bytes) -> Marks:
        """What `material` is known by today: the day of `clock` (a local date), or the ratchet's when the clock is
        behind it, or too far ahead of it to be believed."""
        today, now, before = self.days.overlapping(clock)
        return Marks(today, keyed(now, material, "mark"), keyed(before, material, "mark"))

    def code(self, day: date, clock: date, material: bytes, attempt: int) -> str:
        """The twelve digits of a filing made on `day`. Raises KeyError when that day's key is gone."""
        return _derive_code(self.days.key(day, clock), material, attempt)

    def code_keys(self, code: str) -> CodeKeys:
        """What a report is found by when somebody types its code, and what opens its letters; takes about 17 ms on
        purpose."""
        return _code_keys(code, self._pepper)

    def bucket(self, clock: date, caller: str) -> tuple[date, int]:
        """The day that counts, and in which of that day's BUCKETS a caller is counted."""
        day, now, _ = self.days.overlapping(clock)
        return day, int.from_bytes(keyed(now, caller.encode("utf-8"), "bucket", 16)[:2], "big") % BUCKETS

    def seal_reply(self, day: date, clock: date, material: bytes, body: bytes) -> bytes:
        """What a dialogue was answered, for the hops that follow: only who knows `material`, every key pressed up
        to the question, opens it, and nobody after two days. Raises KeyError when that day's key is gone."""
        return seal(self._reply_key(day, clock, material), "reply", body)

    def open_reply(self, day: date, clock: date, material: bytes, blob: bytes) -> bytes:
        """Raises SealBroken, and KeyError when that day's key is gone."""
        return unseal(self._reply_key(day, clock, material), "reply", blob)

    def _reply_key(self, day: date, clock: date, material: bytes) -> bytes:
        return keyed(self.days.key(day, clock), material, "reply")

    def _derived(self, purpose: str, age: int) -> bytes:
        return keyed(self._servers[age], b"", purpose)

    @staticmethod
    def _of_report(server: bytes, place: str, public: bytes, reply: bytes) -> bytes:
        return keyed(keyed(server, b"", "attest"), public + reply + place.encode("utf-8"), "report key")

    def _each_server(self) -> Iterator[bytes]:
        """The server's keys, the newest first; then those that a rotation has put there since we looked last."""
        yield from self._servers
        with suppress(KeysMissing):
            fresh = self.directory.server_keys()
            if fresh != self._servers and fresh[FIRST] == self._servers[FIRST]:
                self._servers = fresh
                yield from fresh

    def _session_key(self, cookie: str) -> bytes:
        return keyed(self._derived("session keys", NEWEST), cookie.encode("utf-8"), "session key")


def _attest(server: bytes, person: int, public: bytes) -> bytes:
    return keyed(keyed(server, b"", "attest"), person.to_bytes(8, "big") + public, "person key")


def _for(place: str, reader: int | str) -> str:
    return f"{place}/for/{reader}"
