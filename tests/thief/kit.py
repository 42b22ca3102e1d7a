"""A thief's kit: everything that was carried away, and every way to open it that the source code teaches.

The thief has read the source: they know every table, place, purpose and format. They take what they can as a
key (files of the key directory and all that derives from them; every value of the database; passphrases, sheets),
and try each key on each blob with the vault's own primitives, until nothing more opens. A broken kit would find
nothing too: so there are tests in which it finds just what somebody entitled would read.
"""

from __future__ import annotations

import ast
import base64
import copy
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, NamedTuple

from gateway.settings import ROOT
from gateway.vault import SealBroken, Unlocked, escrow, open_with, pairs, people, plain_code, unlock
from gateway.vault.pairs import BOX, ENVELOPE, Pair, pair_of
from gateway.vault.seal import VERSION, keyed, unseal

Row = Mapping[str, Any]
STEPS: Final = 5
"""How many days the thief turns the ratchet on."""
_LOCK: Final = 52
_HALF: Final = 77
"""Bytes of a private half that is sealed under a key."""


@dataclass
class Loot:
    """What was carried away: the tables as they are read, every store as bytes, and files of the key directory by
    their names in it."""

    tables: dict[str, list[Row]]
    stores: list[tuple[str, bytes]] = field(repr=False)
    files: dict[str, str] = field(default_factory=dict, repr=False)

    def values(self) -> Iterator[bytes]:
        """Every binary value that stands anywhere in the tables, also in hex in a list."""
        for row in (row for rows in self.tables.values() for row in rows):
            for value in row.values():
                if isinstance(value, bytes):
                    yield value
                yield from _hexadecimal(value if isinstance(value, str) else "")

    def blobs(self) -> Iterator[Blob]:
        """What may be sealed: everything binary that is longer than a key or a hash."""
        for table, rows in self.tables.items():
            for row in rows:
                for column, value in row.items():
                    if isinstance(value, bytes) and len(value) > 32:
                        place = _PLACES.get(f"{table}.{column}", "nowhere").format(**{**row, "by": _author(row)})
                        yield Blob(place, row.get("report_id") or row.get("id", 0), value)
        for line in self.files.get("escrow.json", "").splitlines():
            entry = json.loads(line)
            for at, envelope in enumerate(entry["envelopes"]):
                yield Blob(f"escrow/{entry['public']}", at, bytes.fromhex(envelope))


class Blob(NamedTuple):
    """What may be sealed, the place that the source binds it to, and the report or person that its row is of."""

    place: str
    of: int
    sealed: bytes


_PLACES: Final = {
    "report.body_sealed": "report/{id}",
    "report.escrow_sealed": "report/{id}/for/escrow",
    "envelope.sealed": "report/{report_id}/for/{caseworker_id}",
    "addition.body_sealed": "report/{report_id}/addition/{number}/by/{by}",
    "letter.body_sealed": "report/{report_id}/letter/{number}/by/{by}",
    "letter.reply_sealed": "report/{report_id}/letter/{number}/to/reporter",
    "contact.sealed": "report/{report_id}/contact",
    "act.reply_sealed": "reply",
    "reminder.number_sealed": "reminder/{id}/number",
    "caseworker.number_sealed": "caseworker/{id}/number",
    "account.seed_sealed": "account/{caseworker_id}/seed",
    "account.private_sealed": "caseworker/{caseworker_id}/private",
    "account.recovery_sealed": "caseworker/{caseworker_id}/recovery",
    "sign_in.key_sealed": "session",
}


def _hexadecimal(text: str) -> set[bytes]:
    """Every 32 bytes that stand in a text."""
    return {bytes.fromhex(found) for found in re.findall(r"\b[0-9a-f]{64}\b", text)}


def _author(row: Row) -> int:
    return row.get("author_id") or 0


class Kit:
    """Opens what it can of some loot. `opened` is what stood in each blob that did."""

    def __init__(self, loot: Loot) -> None:
        self.loot = loot
        self.opened: dict[Blob, bytes] = {}
        self.unlocked: dict[Blob, bytes] = {}
        """Of what is locked twice, what lay under the first lock."""
        self.keys: set[bytes] = set()
        self.pairs: dict[bytes, Pair] = {}
        self.blobs = list(dict.fromkeys(loot.blobs()))
        self._publics = {value for value in loot.values() if len(value) == 32} | self._escrows()
        self._reports = {row["public"]: row["id"] for row in loot.tables["report"]}
        self._tried: set[bytes] = set()
        # What is stored instead of a secret may be the secret, and a public half its own private one.
        self.learn(value for value in loot.values() if len(value) == 32)
        self._guess_codes()

    def copy(self) -> Kit:
        """Another kit with the same knowledge, which may learn more."""
        other = copy.copy(self)
        other.opened, other.keys, other.pairs = dict(self.opened), set(self.keys), dict(self.pairs)
        other.unlocked = dict(self.unlocked)
        return other

    def take(self, files: Mapping[str, str]) -> None:
        """Files of the key directory, and every key that the source derives from what stands in them."""
        self.loot = Loot(self.loot.tables, self.loot.stores, {**self.loot.files, **files})
        self.blobs = list(dict.fromkeys(self.loot.blobs()))
        self._publics |= self._escrows()
        roots = _hexadecimal("\n".join(files.values()))
        for chain in _hexadecimal(files.get("day.json", "")):  # a ratchet turns forward
            for _ in range(STEPS):
                roots.add(chain := keyed(chain, b"", "day step"))
        first = {keyed(root, b"", purpose) for root in roots for purpose in purposes()} | roots
        second = {keyed(root, b"", purpose) for root in first for purpose in ("code salt", "verifier", "escrow")}
        sessions = {
            keyed(keyed(root, b"", "session keys"), cookie.encode(), "session key")
            for root in roots
            for cookie in self._cookies()
        }
        self.learn(first | second | sessions)

    def passphrase(self, words: str) -> None:
        """Tried with every lock, and what it gives there used as a key."""
        locks = {value for value in self.loot.values() if len(value) == _LOCK}
        for lock in locks:
            self.learn(people._stretch(words, lock[:20]))
        self._known_locks = locks
        self._thrown_away(words)
        self.learn([words.encode().ljust(32, b"\0")[:32]])
        self._recovery(words)

    def sheets(self, *secrets: str) -> None:
        """Sheets of the escrow, each alone, with itself, and with each other."""
        for one in secrets:
            self.passphrase(one)
            for other in (*secrets, ""):
                self.learn([escrow._envelope_key(one, other)])

    def learn(self, keys: Iterable[bytes]) -> None:
        """Take keys as they are: for what is sealed under one, and as private halves."""
        fresh = {key for key in keys if len(key) == 32} - self.keys
        self.keys |= fresh
        for key in fresh if self._publics else ():
            # A box opens for one private half only, and its public half lies in the loot: no other is worth a try.
            if (pair := pair_of(key)).public in self._publics:
                self.pairs[pair.public] = pair

    def work(self) -> Kit:
        """Try everything, and what that opens in turn, until nothing new opens; returns this kit."""
        before = -1
        while before != len(self.opened):
            before = len(self.opened)
            fresh, self._tried = self.keys - self._tried, set(self.keys)
            for blob in [blob for blob in self.blobs if blob not in self.opened]:
                if (found := self._open(blob, fresh)) is not None:
                    self.opened[blob] = found
                    self.learn([found])
        return self

    def words(self) -> bytes:
        """All that was opened, one after the other."""
        return b"\n".join(self.opened.values())

    def _open(self, blob: Blob, fresh: set[bytes]) -> bytes | None:
        # A blob of another version is refused by a primitive before any key is looked at.
        for key in fresh if blob.sealed[:1] == VERSION else ():
            with suppress(SealBroken):
                inside = unseal(key, blob.place, blob.sealed)
                # A private half may begin with any byte, but no box is as short.
                if inside[:1] != BOX or len(inside) <= 32:
                    return inside
                self.unlocked[blob] = inside
        if blob in self.unlocked:
            for pair in self.pairs.values():
                if self._reports.get(pair.public, blob.of) == blob.of:
                    with suppress(SealBroken):
                        return open_with(pair, blob.place, self.unlocked[blob])
        for pair in self.pairs.values() if blob.sealed[:1] in (BOX, ENVELOPE) else ():
            if self._reports.get(pair.public, blob.of) != blob.of:
                continue  # the pair of another report
            with suppress(SealBroken):
                if blob.sealed[:1] == BOX:
                    return open_with(pair, blob.place, blob.sealed)
                inside = pairs._open(pair, ENVELOPE, blob.sealed)
                for month in self._months():
                    with suppress(SealBroken):
                        return unseal(month, blob.place, inside)
        return None

    def _months(self) -> Iterator[bytes]:
        for name, text in self.loot.files.items():
            if name.startswith("months/"):
                yield bytes.fromhex(text.strip())
        yield bytes(32)

    def _escrows(self) -> set[bytes]:
        return {
            bytes.fromhex(json.loads(line)["public"])
            for line in self.loot.files.get("escrow.json", "").splitlines()
        }

    def _cookies(self) -> Iterator[str]:
        """Cookies that somebody who sees only what is stored of them may guess."""
        for row in self.loot.tables.get("sign_in", []):
            for value in (row["token"], row["key_sealed"] or b""):
                yield from (value.hex(), base64.urlsafe_b64encode(value).decode().rstrip("="), str(value))
            yield str(row["caseworker_id"])

    def _guess_codes(self) -> None:
        """Recovery codes that might have been made from what is stored."""
        letters = people._ALPHABET
        for value in {value for value in self.loot.values() if len(value) == 32}:
            self._recovery("".join(letters[byte % len(letters)] for byte in value)[:27])

    def _recovery(self, code: str) -> None:
        """A recovery code, if it looks like one."""
        if len(plain_code(code)) == 27:
            self.learn([people._recovery_key(code)])

    def _thrown_away(self, words: str) -> None:
        """Locks that nobody has any more, but that still lie in the pages of a store, each with the private half
        that was written behind it."""
        ids = [row["id"] for row in self.loot.tables["caseworker"]]
        heads = {value[:4] for value in self.loot.values() if len(value) == _LOCK}
        for _, store in self.loot.stores:
            for found in (each.start() for head in heads for each in re.finditer(re.escape(head), store)):
                lock, half = store[found : found + _LOCK], store[found + _LOCK : found + _LOCK + _HALF]
                if lock not in self._known_locks:
                    self._known_locks.add(lock)
                    if isinstance(fitting := unlock(lock, words), Unlocked):
                        for person in ids:
                            with suppress(SealBroken):
                                self.learn([fitting.open(person, half).private])


@cache
def purposes() -> frozenset[str]:
    """What the source makes keys for: the words that it gives to `keyed`, and to what derives keys."""
    found = set()
    for path in ROOT.glob("gateway/vault/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                found |= {
                    each.value
                    for each in node.args
                    if isinstance(each, ast.Constant) and isinstance(each.value, str) and _is_purpose(each.value)
                }
    return frozenset(found)


def _is_purpose(word: str) -> bool:
    return 0 < len(word) <= 16 and re.fullmatch("[a-z -]+", word) is not None
