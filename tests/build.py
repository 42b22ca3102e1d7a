"""Plain functions that build what a test needs: settings, a runtime, people, sites, a caller."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from gateway import desk, flows, migrations, vault
from gateway.casework import account, caseworker, journal, organisation, site
from gateway.casework.caseworker import Entered, Role
from gateway.casework.organisation import Kind
from gateway.casework.verb import Verb
from gateway.db import Database
from gateway.providers import SendFailed, Sent
from gateway.providers.africastalking import AfricasTalking
from gateway.runtime import Directory, Nudger, Runtime
from gateway.settings import ROOT, Settings
from gateway.text import Words
from gateway.web import hooks

SECRET = "test-secret-test-secret-test"
CODE = "*384*2430#"
PASSPHRASE = "a long passphrase for tests"
START = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
LANES = frozenset({"child", "safety", "protection", "money", "community", "gbv"})
LANGUAGES = frozenset({"fr", "sw_CD", "ln"})


class Clock:
    """A clock that moves only when it is told to."""

    def __init__(self, now: datetime = START) -> None:
        self.at = now

    def __call__(self) -> datetime:
        return self.at

    def go(self, **step: float) -> None:
        self.at += timedelta(**step)


class Operator(AfricasTalking):
    """Africa's Talking, but for the wire to it: SMS are kept here, or fail as `failing` says."""

    def __init__(self) -> None:
        super().__init__("sandbox", "test-key", service_codes=frozenset({CODE}))
        self.sms: list[tuple[str, str]] = []
        self.failing: list[SendFailed] = []
        self._ids = itertools.count(1)

    def send_sms(self, number: str, text: str) -> Sent:
        if self.failing:
            raise self.failing.pop(0)
        self.sms.append((number, text))
        return Sent(f"ATXid_{next(self._ids)}")


def settings(directory: Path, database_url: str | None = None, **changes: object) -> Settings:
    """Complete settings, with everything below `directory`."""
    made = Settings.from_env(
        {
            "DATABASE_URL": database_url or f"sqlite:///{directory / 'gateway.sqlite'}",
            "SECRET_KEY": "k" * 40,
            "PUBLIC_URL": "http://localhost:8000",
            "KEYS_DIR": str(directory / "keys"),
            "HOOK_SECRETS": SECRET,
            "AT_USERNAME": "sandbox",
            "AT_API_KEY": "test-key",
            "USSD_CODES": CODE,
        }
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def migrated(url: str) -> None:
    """Bring a database to the newest migration; what others are copied from."""
    db = Database(url.replace("postgresql://", "postgresql+psycopg://"))
    migrations.upgrade(db)
    db.dispose()


def runtime(
    directory: Path,
    database_url: str | None = None,
    *,
    clock: Callable[[], datetime] | None = None,
    **changes: object,
) -> Runtime:
    """A runtime on a migrated, empty database, with an operator that keeps its SMS."""
    made = settings(directory, database_url, **changes)
    vault.create(made.keys_dir)
    rt = _runtime(made, clock or Clock())
    if not migrations.is_current(rt.db):
        migrations.upgrade(rt.db)
    rt.declare()
    rt.directory.renew()
    return rt


def _runtime(made: Settings, clock: Callable[[], datetime]) -> Runtime:
    """As `Runtime.build` makes it, but for the wire to the operator, and with texts read once for all tests."""
    db, operator = Database(made.database_url), Operator()
    return Runtime(
        settings=made,
        db=db,
        vault=vault.Vault.open_directory(made.keys_dir, made.keys_mirror),
        book=_book(made.ussd_charset),
        words=_words(),
        directory=Directory(db, clock),
        nudger=Nudger(made.redis_url),
        providers={operator.name: operator},
        now=clock,
    )


@cache
def _book(charset: str) -> flows.Book:
    return flows.load(ROOT / "flows", ROOT / "locales", charset=charset)


@cache
def _words() -> Words:
    return Words.load(ROOT / "locales")


@cache
def locked() -> bytes:
    """PASSPHRASE as somebody without a key keeps it."""
    return vault.lock(PASSPHRASE)


@cache
def enrolment(person: int) -> vault.Enrolment:
    """What a person of this id keeps who joined with PASSPHRASE: the slow hash of it is made once."""
    return vault.enrol(person, PASSPHRASE)


def reader(person: int) -> desk.Reader:
    """Somebody made here at the desk, with their key."""
    return desk.Reader(person, enrolment(person).key)


def operator(rt: Runtime) -> Operator:
    """The operator of a runtime made here."""
    found = rt.provider
    assert isinstance(found, Operator)
    return found


def person(
    rt: Runtime,
    name: str,
    role: Role = Role.CASE_WORKER,
    *,
    lanes: frozenset[str] = LANES,
    sites: frozenset[int] = frozenset(),
    languages: frozenset[str] = LANGUAGES,
    active: bool = True,
    number: str | None = None,
    login: str | None = None,
    works_for: str | None = None,
    under: int | None = None,
    aliases: str = "",
) -> int:
    """Add somebody who works here; signs in as `login` (their name in small letters) with PASSPHRASE. Integrity
    officers work for an organisation of their own, all others together, unless it is said for whom."""
    login = login or name.lower().replace(" ", ".")
    with rt.begin() as unit:
        if number is None:
            number = f"+2430000{len(caseworker.every(unit.db)) + 1:05d}"
        employer = belongs(unit.db, rt.now(), works_for or employer_of(role))
        areas = lanes, sites, languages
        added = caseworker.add(
            unit.db, rt.vault, Entered(name, role, active, number, "fr", *areas, employer, under, aliases)
        )
        account.save_login(unit.db, added, login)
        reads = role in caseworker.ON_ROUTES
        account.enrolled(unit.db, added, enrolment(added) if reads else locked())
        if reads:
            caseworker.confirm_key(unit.db, rt.vault, added)
        journal.write(unit.db, rt.now(), Verb.JOINED, actor=added, subject=added)
    rt.directory.renew()
    return added


def employer_of(role: Role) -> str:
    """For whom somebody of a role works, unless it is said."""
    return "Watch" if role is Role.INTEGRITY_OFFICER else "House"


def belongs(db: Session, now: datetime | None, name: str, kind: Kind = Kind.INDEPENDENT, aliases: str = "") -> int:
    """The organisation of this name, made when it is not there, with its line in the journal if there is a
    `now`."""
    for row in organisation.every(db):
        if row.name == name:
            return row.id
    made = organisation.add(db, name=name, kind=kind, aliases=aliases)
    if now is not None:
        journal.write(db, now, Verb.ORGANISATION_SAVED, subject=made)
    return made


def staff(rt: Runtime) -> dict[str, int]:
    """A case worker, a supervisor, an integrity officer, an administrator."""
    return {
        "worker": person(rt, "Worker"),
        "supervisor": person(rt, "Supervisor", Role.SUPERVISOR),
        "integrity": person(rt, "Integrity", Role.INTEGRITY_OFFICER),
        "administrator": person(rt, "Administrator", Role.ADMINISTRATOR),
    }


def sites(rt: Runtime, *names: str) -> list[int]:
    """Add sites long enough ago to be offered, with the codes 101, 102, …"""
    with rt.begin() as unit:
        added = [
            site.add(unit.db, rt.now() - timedelta(minutes=10), name=name, code=str(101 + at))
            for at, name in enumerate(names)
        ]
        for each in added:
            journal.write(unit.db, rt.now(), Verb.SITE_SAVED, subject=each)
    rt.directory.renew()
    return added


@dataclass
class Phone:
    """A caller: dials, presses, and sees what the hook answers."""

    rt: Runtime
    caller: str = "+243990000001"
    session: str = "ATUid_0000"
    text: str = ""
    screen: str = ""
    ended: bool = False
    shown: list[str] = field(default_factory=list)

    def dial(self, session: str | None = None, text: str = "") -> str:
        """Dial the code; `text` when more than the code is dialled."""
        self.session = session or self.session
        self.text, self.ended = text, False
        return self._post()

    def press(self, *keys: str) -> str:
        """Press keys, one hop each; returns the last screen."""
        for key in keys:
            self.text = f"{self.text}*{key}" if self.text else key
            self._post()
        return self.screen

    def hang_up(self) -> None:
        """The provider tells that the session is over."""
        self.call("ussd-ended", status="Incomplete", input=self.text, lastAppResponse=self.screen)

    def _post(self) -> str:
        answer = self.call("ussd", text=self.text)
        assert answer.startswith(("CON ", "END ")), answer
        self.ended = answer.startswith("END ")
        self.screen = answer[4:]
        self.shown.append(self.screen)
        return self.screen

    def call(self, what: str, **fields: str) -> str:
        form = {
            "sessionId": self.session,
            "phoneNumber": self.caller,
            "serviceCode": CODE,
            "networkCode": "63001",
            **fields,
        }
        answer = hooks.handle(self.rt, f"/hooks/{SECRET}/africastalking/{what}", "POST", urlencode(form).encode())
        assert answer is not None
        return answer.decode("utf-8")


def urgent(rt: Runtime, keys: Sequence[str] = ("1", "1", "1", "1", "1"), session: str = "ATUid_urgent") -> Phone:
    """An urgent report in French, filed and hung up."""
    phone = Phone(rt, session=session)
    phone.dial()
    phone.press(*keys)
    return phone


def opened(made: Settings) -> Runtime:
    """A runtime on a directory that holds all of one already."""
    rt = _runtime(made, Clock())
    rt.directory.renew()
    return rt


def another(rt: Runtime, *, clock: Callable[[], datetime] | None = None) -> Runtime:
    """Another process on the same database and keys."""
    made = replace(_runtime(rt.settings, clock or rt.now), providers=rt.providers)
    made.directory.renew()
    return made
