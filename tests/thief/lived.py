"""An installation that has been lived in: callers' stories, case workers' notes, people with their secrets."""

from __future__ import annotations

import io
import logging
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pyotp
import redis
from sqlalchemy import inspect, text

from gateway import desk, log, vault
from gateway.casework import account, caseworker, journal, plan, session
from gateway.casework.caseworker import Role
from gateway.casework.referral import HandOnReason
from gateway.casework.verb import Verb
from gateway.db import Database
from gateway.later.send import send
from gateway.runtime import Runtime
from gateway.vault import escrow
from tests import build
from tests.later import story
from tests.thief.kit import Loot, Row

REPORTS, NOTES, BEFORE_ESCROW = 100, 20, 15

PEOPLE = {
    "child": (Role.CASE_WORKER, frozenset({"child"})),
    "money": (Role.CASE_WORKER, frozenset({"money"})),
    "rejoined": (Role.CASE_WORKER, frozenset({"money", "community"})),
    "supervisor": (Role.SUPERVISOR, frozenset[str]()),
    "integrity": (Role.INTEGRITY_OFFICER, frozenset[str]()),
    "administrator": (Role.ADMINISTRATOR, frozenset[str]()),
    "technician": (Role.TECHNICIAN, frozenset[str]()),
}


@dataclass
class Colleague:
    """Somebody who works here, with every secret of theirs."""

    id: int
    number: str = field(repr=False)
    passphrase: str = field(repr=False)
    key: vault.Pair | None = field(default=None, repr=False)
    seed: str = field(default="", repr=False)
    earlier: str = field(default="", repr=False)
    """The passphrase that they had before they joined anew."""


class Life:
    """An installation, and what must not be found in it: each report's story and each note, by report."""

    def __init__(self, rt: Runtime) -> None:
        self.rt = rt
        self.log = io.StringIO()
        self.stories: dict[int, str] = {}
        self.notes: dict[int, str] = {}
        self.letters: dict[int, str] = {}
        self.contacts: dict[int, str] = {}
        """The number of each reporter, who asked to be called."""
        self.codes: dict[int, str] = {}
        self.callers: list[str] = []
        self.sheets: tuple[str, str, str] = ("", "", "")
        self.before_escrow: set[int] = set()
        self.older = b""
        """What a copy from before still holds of the account of whoever joined anew."""
        self.people = {name: self._joins(name, at) for at, name in enumerate(PEOPLE)}

    def live(self) -> Life:
        """A day: reports, an escrow after the first of them, work at the desk, people who come and go."""
        handler = logging.StreamHandler(self.log)
        handler.setFormatter(log._Lines("web"))
        logging.getLogger().addHandler(handler)
        try:
            build.sites(self.rt, "Site A", "Site B")
            for at in range(REPORTS):
                if at == BEFORE_ESCROW:
                    self.before_escrow = set(self.stories)
                    self.sheets = escrow.establish(self.rt.vault.directory)
                self._calls(at)
            story.clock(self.rt).go(hours=1)
            self._works()
        finally:
            logging.getLogger().removeHandler(handler)
        return self

    def reader(self, name: str) -> desk.Reader:
        found = self.people[name]
        return desk.Reader(found.id, found.key)

    def held_by(self, name: str) -> set[int]:
        """The reports of whose envelopes somebody's present key opens one."""
        with self.rt.db.read() as db:
            return {made for made in self.stories if self.people[name].id in plan.holders(db, made)}

    def _joins(self, name: str, at: int) -> Colleague:
        role, lanes = PEOPLE[name]
        number = f"+24381753{at:04d}" if role in caseworker.ON_ROUTES else ""
        added = build.person(self.rt, name, role, lanes=lanes, number=number)
        joined = Colleague(added, number, f"the words of {name} at the river")
        if name == "rejoined":
            joined.earlier, joined.passphrase = joined.passphrase, f"other {joined.passphrase}"
        self._enrols(joined, joined.earlier or joined.passphrase)
        return joined

    def _enrols(self, who: Colleague, passphrase: str) -> None:
        reads = bool(who.number)
        made = vault.enrol(who.id, passphrase) if reads else None
        who.key, who.seed = made.key if made else None, pyotp.random_base32()
        with self.rt.begin() as unit:
            account.enrolled(unit.db, who.id, made or vault.lock(passphrase))
            account.set_seed(unit.db, self.rt.vault, who.id, who.seed)
            account.new_codes(unit.db, self.rt.vault, who.id, self.rt.now())
            if reads:
                caseworker.confirm_key(unit.db, self.rt.vault, who.id)
            journal.write(unit.db, self.rt.now(), Verb.JOINED, actor=who.id, subject=who.id)
            session.begin(unit.db, self.rt.vault, who.id, self.rt.now(), who.key)
        self.rt.directory.renew()

    def _calls(self, at: int) -> None:
        """One dialogue, to the end, with words of its own; every tenth time the store fails at its end."""
        words = f"kisima nyeusi {at * 7919 % 100_003} mulangwa"
        self.callers.append(f"+24399{at * 104_729 % 10_000_000:07d}")
        phone = build.Phone(self.rt, self.callers[-1], f"ATUid_{at:04d}")
        before = set(story.reports(self.rt))
        phone.dial()
        phone.press(*_KEYS[at % len(_KEYS)], "1", *_details(at))
        if at % 10 == 0:
            for old, new in (("addition", "gone"), ("gone", "addition")):
                with self.rt.db.begin() as db:
                    db.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
                phone.press(words) if new == "gone" else phone._post()
        else:
            phone.press(words)
        (made,) = set(story.reports(self.rt)) - before
        self.stories[made] = words
        code = re.findall(r"\d{4} \d{4} \d{4}", "\n".join(phone.shown))[0]
        again = build.Phone(self.rt, self.callers[-1], f"ATUid_again_{at:04d}")
        again.dial()
        again.press("2", "3", code, "2", "1", str(1 + at % 4))
        assert again.ended, again.screen
        self.contacts[made], self.codes[made] = self.callers[-1], code.replace(" ", "")

    def _works(self) -> None:
        """Somebody is told, takes, notes, hands on, steps aside, joins anew and is given keys again."""
        rt = self.rt
        for made in self.stories:
            story.brought(rt, made)  # before that a supervisor sees nothing
        send(rt)
        rejoined = self.people["rejoined"]
        (before,) = (row for row in rows(rt.db)["account"] if row["caseworker_id"] == rejoined.id)
        self.older = before["lock"] + before["private_sealed"]
        self._enrols(rejoined, rejoined.passphrase)
        supervisor = self.reader("supervisor")
        for at, made in enumerate(self.stories):
            people = _planned(rt, made)
            if supervisor.id not in people:
                continue
            if len(self.notes) < NOTES:
                self.notes[made] = f"mukanda ya siri {at * 6011 % 100_003} bilanga"
                assert desk.read(rt, supervisor, made) is not None
                desk.accept(rt, supervisor, made)
                desk.note(rt, supervisor, made, self.notes[made])
                self.letters[made] = f"barua ndogo sana {at * 4001 % 100_003} mbele"
                desk.write(rt, supervisor, made, desk.OWN, self.letters[made])
            elif rejoined.id in people and at % 2:
                desk.accept(rt, supervisor, made)
                desk.hand_on(rt, supervisor, made, HandOnReason.AWAY, rejoined.id)
            elif at % 7 == 0:
                desk.hand_on(rt, supervisor, made, HandOnReason.KNOWS_SOMEBODY, None)


_KEYS = (
    ("1", "1", "1", "1", "1"),
    ("2", "2", "4", "1", "1"),
    ("2", "2", "6", "1", "1"),
    ("2", "2", "6", "2", "1"),
    ("2", "2", "4", "2", "1"),
)
"""A child in danger, money, a complaint about a case worker, a question, money elsewhere."""


def _details(at: int) -> tuple[str, ...]:
    """Answers before the words, another mixture each time."""
    turn, odd = at // len(_KEYS), str(1 + at // len(_KEYS) % 4)
    money = (str(1 + turn % 6), odd, str(1 + turn % 2))
    kinds = ((odd, "7", "7", odd, str(1 + turn % 3)), money, (str(3 + turn % 4), "7"), (), ("7", odd, "7"))
    details = kinds[at % len(_KEYS)]
    # Whoever is afraid is told something before the next question.
    return (*details, "1") if details == money and details[2] == "2" else details


def _planned(rt: Runtime, made: int) -> list[int]:
    with rt.db.read() as db:
        return [person for person, _ in plan.people(db, made)]


# What the thief carries away


def loot(life: Life, backup: Path | None = None) -> Loot:
    """Everything but the key directory: tables, database file with its log of writes, a backup, Valkey, logs."""
    life.rt.nudger.stop()
    tables = rows(life.rt.db)
    stores = [(f"rows of {name}", _written(found)) for name, found in tables.items()]
    stores.append(("log", life.log.getvalue().encode()))
    if life.rt.db.dialect == "sqlite":
        home = Path(life.rt.db.engine.url.database or "")
        stores += [(path.name, path.read_bytes()) for path in home.parent.glob(f"{home.name}*")]
        if backup is not None:
            with closing(sqlite3.connect(home)) as live, closing(sqlite3.connect(backup)) as copy:
                live.backup(copy)
            stores.append(("backup", backup.read_bytes()))
    if url := life.rt.settings.redis_url:
        with redis.Redis.from_url(url) as valkey:
            stores += [("Valkey", bytes(key) + (valkey.dump(key) or b"")) for key in valkey.scan_iter()]
    return Loot(tables, stores)


def rows(db: Database) -> dict[str, list[Row]]:
    """Every column of every table, with bytes as bytes."""
    with db.engine.connect() as connection:
        return {
            table: [
                {
                    name: bytes(value) if isinstance(value, memoryview) else value
                    for name, value in row._mapping.items()
                }
                for row in connection.execute(text(f'SELECT * FROM "{table}"'))
            ]
            for table in inspect(connection).get_table_names()
        }


def key_files(home: Path, *names: str) -> dict[str, str]:
    """Files of a key directory: those named, or all."""
    return {
        str(path.relative_to(home)): path.read_text()
        for path in home.rglob("*")
        if path.is_file() and (not names or path.name in names)
    }


def _written(found: list[Row]) -> bytes:
    return b"\n".join(
        value if isinstance(value, bytes) else str(value).encode() for row in found for value in row.values()
    )
