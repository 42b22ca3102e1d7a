"""A house with one of everything, and a walk through all its pages, as everybody, by the table of permissions."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp
from flask import Flask
from sqlalchemy import select
from werkzeug.routing import Rule

from gateway import desk, vault
from gateway.app import create_app
from gateway.casework import account, caseworker, contact, hold, joining, journal, letter, report
from gateway.casework.caseworker import Role
from gateway.casework.report import Outcome
from gateway.casework.shelf import Shelf
from gateway.casework.verb import Verb
from gateway.db import Base
from gateway.later import dispatch
from gateway.runtime import Runtime
from gateway.web.admin.permissions import CHANGES, JOINING, LETTERS, NOBODY, STAFF, TABLE, Proof, Row
from tests import build
from tests.web.visitor import SEED, Fields, Page, Visitor, six_digits

CALLER = "+243000811223"
"""The number of every reporter here who asks to be called."""
CHOSEN = "four goats below a bridge"
LOGINS = {"C": "zc-one", "S": "zs-one", "I": "zi-one", "T": "zt-one", "A": "za-one"}
ROLES = {letter: role for role, letter in LETTERS.items()}
PEOPLE: Mapping[str, tuple[str, Role]] = {
    "zc-one": ("Worker One", Role.CASE_WORKER),
    "zc-two": ("Worker Two", Role.CASE_WORKER),
    "zc-three": ("Worker Three", Role.CASE_WORKER),
    "zc-four": ("Worker Four", Role.CASE_WORKER),
    "zs-one": ("Supervisor One", Role.SUPERVISOR),
    "zs-two": ("Supervisor Two", Role.SUPERVISOR),
    "zi-one": ("Officer One", Role.INTEGRITY_OFFICER),
    "zi-two": ("Officer Two", Role.INTEGRITY_OFFICER),
    "zt-one": ("Technician One", Role.TECHNICIAN),
    "za-one": ("Administrator One", Role.ADMINISTRATOR),
    "za-two": ("Administrator Two", Role.ADMINISTRATOR),
}
CHILD, MONEY, COMPLAINT = "2 2 1 1 1 1 1 2 1 2 3 1", "2 2 4 1 1 1 1 1 1", "2 2 6 1 1 1 1 1"
SAYS: Mapping[str, tuple[str, str]] = {
    "own": (CHILD, "Ngombe-kumi"),
    "free": (CHILD, "Mbuzi-saba"),
    "waiting": (CHILD, "Kuku-tatu"),
    "closed": (CHILD, "Samaki-nne"),
    "supervised": (CHILD, "Kondoo-tano"),
    "foreign": (MONEY, "Bata-mbili"),
    "integrity": (COMPLAINT, "Punda-sita"),
    "complaint": (COMPLAINT, "Paka-nane"),
    "investigated": (COMPLAINT, "Simba-moja"),
}
"""What each report's caller says."""
READ_BY: Mapping[str, set[str]] = {
    "C": {"own", "free", "waiting", "closed", "supervised"},
    "S": {"own", "free", "waiting", "closed", "supervised", "foreign"},
    "I": {"integrity", "complaint", "investigated"},
}
"""Whose report is whose: the plan says it, not the role."""


@dataclass
class World:
    """A house with one of everything. `people` are ids by login, `reports` ids by name."""

    rt: Runtime
    app: Flask
    people: dict[str, int] = field(default_factory=dict)
    reports: dict[str, int] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    invitation: str = ""

    @property
    def clock(self) -> build.Clock:
        assert isinstance(self.rt.now, build.Clock)
        return self.rt.now

    def visitor(self, letter: str) -> Visitor:
        """A browser of somebody of this letter."""
        made = Visitor(self.app, LOGINS.get(letter))
        if letter == JOINING:
            assert made.post("/join", {"login": "zc-four", "invitation": self.invitation}).status == 303
        return made

    def digits(self, letter: str) -> str:
        return six_digits(self.rt, LOGINS[letter])

    def row(self, name: str) -> report.Coarse:
        with self.rt.begin() as unit:
            found = report.lock(unit.db, self.reports[name])
        assert found is not None
        return found

    def person(self, login: str) -> caseworker.Person:
        with self.rt.db.read() as db:
            found = caseworker.one(db, self.people[login])
        assert found is not None
        return found

    def copy(self, directory: Path) -> World:
        """The same house once more, in an empty directory, with a clock of its own."""
        shutil.copytree(self.rt.settings.keys_dir.parent, directory, dirs_exist_ok=True)
        rt = build.opened(build.settings(directory))
        return replace(self, rt=rt, app=create_app(rt))

    def stored(self) -> dict[str, list[Any]]:
        """Every row of the store but what any look at a page writes: when a session was last used, who opened a
        report, that an answer was read, and how often a passphrase was tried."""
        looked = {"sign_in", "journal", "chain", "attempt"}
        with self.rt.db.read() as db:
            return {
                table.name: sorted(
                    map(repr, db.execute(select(*(one for one in table.columns if one.name != "read_on"))).all())
                )
                for table in Base.metadata.sorted_tables
                if table.name not in looked
            }


def live(rt: Runtime) -> World:
    """People of every role and standing, two sites, and reports in every state."""
    world = World(rt, create_app(rt))
    for at, (login, (name, role)) in enumerate(PEOPLE.items()):
        lanes = frozenset({"money"}) if login == "zc-two" else frozenset({"child", "safety"})
        world.numbers[login] = f"+24300070{at:02}{at * 7 % 10}{at * 3 % 10}"
        world.people[login] = build.person(
            rt,
            name,
            role,
            login=login,
            lanes=lanes if role is Role.CASE_WORKER else frozenset(),
            number=world.numbers[login] if role in caseworker.ON_ROUTES else "",
            active=login != "zc-four",
        )
    build.sites(rt, "Kasulo", "Mashamba")
    for at, (name, (keys, words)) in enumerate(SAYS.items()):
        world.reports[name] = tell(rt, keys, words, f"ATUid_{at}")
    readers = {login: build.reader(world.people[login]) for login in ("zc-one", "zs-one", "zi-one")}
    for login, name in (
        ("zc-one", "own"),
        ("zc-one", "closed"),
        ("zs-one", "supervised"),
        ("zi-one", "investigated"),
    ):
        desk.accept(rt, readers[login], world.reports[name])
        desk.note(rt, readers[login], world.reports[name], f"Note-ya-{name}")
    desk.close(rt, readers["zc-one"], world.reports["closed"], Outcome.HELPED)
    for name, login in (("own", "zs-two"), ("supervised", "zs-one"), ("investigated", "zi-two")):
        write_back(world, name, world.people[login])
    with rt.begin() as unit:
        # Two who came with a new key after all that, which somebody confirmed; one whose key nobody has; one who
        # was invited and has not come yet.
        for login in ("zc-three", "zi-two"):
            rejoin(rt, unit.db, world.people[login])
            caseworker.confirm_key(unit.db, rt.vault, world.people[login])
        rejoin(rt, unit.db, world.people["zs-two"])
        four = world.people["zc-four"]
        found = caseworker.one(unit.db, four)
        assert found is not None
        entered = caseworker.Entered(
            found.name,
            found.role,
            True,
            world.numbers["zc-four"],
            "fr",
            found.lanes,
            found.sites,
            found.languages,
            found.organisation,
        )
        caseworker.change(unit.db, rt.vault, four, entered)
        journal.write(unit.db, rt.now(), Verb.PERSON_SAVED, subject=four)
        world.invitation = joining.invite(unit.db, rt.vault, four, None, rt.now())
    for login in LOGINS.values():
        six_digits(rt, login)
    return world


def tell(rt: Runtime, keys: str, words: str, session: str) -> int:
    """A report with free words, brought to the first of its plan."""
    with rt.db.read() as db:
        before = set(db.scalars(select(report.Report.id)))
    phone = build.Phone(rt, session=session)
    phone.dial()
    phone.press(*keys.split(), words)
    phone.hang_up()
    with rt.db.read() as db:
        (made,) = set(db.scalars(select(report.Report.id))) - before
    dispatch.dispatch(rt, made)
    return made


def write_back(world: World, name: str, holder: int) -> None:
    """Somebody asks the reporter something, who answers and asks to be called; and the report is to be held."""
    rt, made = world.rt, world.reports[name]
    with rt.begin() as unit:
        found = report.lock(unit.db, made)
        assert found is not None and found.responsible_id is not None
        asked = json.dumps({"version": 1, "text": "Swali-moja", "answers": []}).encode()
        letter.write(unit.db, rt.vault, found, rt.today(), letter.Kind.MESSAGE, asked, found.responsible_id)
        answers = [{"screen": "answer", "field": "text", "value": "Jibu-moja", "words": "Jibu-moja"}]
        letter.answer(unit.db, rt.vault, found, rt.today(), json.dumps({"answers": answers, "to": 1}).encode(), 1)
        contact.keep(
            unit.db, rt.vault, found, rt.today(), contact.Reach(contact.How.CALL, CALLER, "morning", "42")
        )
        journal.write(unit.db, rt.now(), Verb.ANSWERED, report=made)
        hold.ask(unit.db, made, holder, rt.today() + timedelta(days=9), rt.today(), rt.now())


def rejoin(rt: Runtime, db: Any, person: int) -> None:
    account.enrolled(db, person, vault.enrol(person, build.PASSPHRASE))
    journal.write(db, rt.now(), Verb.JOINED, actor=person, subject=person)


# What a page holds


class Reading(HTMLParser):
    """The data that a page is marked to show, and what its forms and addresses may send."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.marks: set[str] = set()
        self.forms: list[tuple[str, str, set[str], set[str]]] = []
        self.feed(page.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.marks |= set(given.get("data-field", "").split())
        if tag == "form":
            self.forms.append((given.get("method", "get"), given.get("action", ""), set(), set()))
        elif tag == "a" and re.match(r"/[^?]*\?", given.get("href", "")):
            address = urlsplit(given["href"])
            self.forms.append(("get", address.path, set(parse_qs(address.query)), set()))
        elif given.get("name") == "do" and tag == "button":
            self.forms[-1][3].add(given["value"])
        elif tag in ("input", "select", "textarea", "button") and "name" in given:
            self.forms[-1][2].add(given["name"])


@dataclass(frozen=True)
class Step:
    """One page as somebody was shown it: by which line of the table, of which thing, at which address."""

    row: Row
    thing: str
    path: str
    page: Page = field(repr=False)


Of = tuple[str, str, Fields]
"""A thing, its address, and what a form sends there."""


def rule_of(app: Flask, row: Row) -> Rule:
    (found,) = [rule for rule in app.url_map.iter_rules() if rule.endpoint == row.page]
    return found


def is_read(app: Flask, row: Row) -> bool:
    return "GET" in (rule_of(app, row).methods or ())


def things(world: World, row: Row, letter: str) -> Iterator[Of]:
    """Every kind of thing that a line of the table may be about, with a form that is filled in well."""
    path = rule_of(world.app, row).rule
    typed = filled(world, row, letter)
    if "report_id" in path:
        for name, made in world.reports.items():
            other = str(world.people["zi-two" if name in READ_BY["I"] else "zc-three"])
            yield (
                name,
                f"/reports/{made}",
                {**typed, **given(row, "grantee", other), **given(row, "person", other)},
            )
    elif "person_id" in path:
        for login, person in world.people.items():
            found = world.person(login)
            own = {
                "name": found.name,
                "login": login,
                "role": found.role.value,
                "fingerprint": vault.fingerprint(found.public) if found.public else "",
            }
            takes = {name: value for name, value in own.items() if name in row.sent(letter)}
            yield login, f"/people/{person}", {**typed, **takes}
    else:
        yield "", re.sub(r"<int\(max=2147483647\):(site|organisation)_id>", "1", path), typed


def given(row: Row, name: str, value: str) -> Fields:
    return {name: value} if name in row.takes.split() else {}


def filled(world: World, row: Row, letter: str) -> Fields:
    """What somebody might type into the form of this line."""
    good: Fields = {
        "login": "new.person",
        "name": "New Person" if row.page.startswith("admin.people.") else "Kolwezi",
        "organisation": "2" if letter == "I" else "1",
        "supervisor": "",
        "aliases": "Kasuku",
        "kind": "independent",
        "role": "case_worker",
        "number": "+243000123456",
        "sms_language": "ln",
        "languages": ["fr"],
        "lanes": ["child"],
        "sites": ["1"],
        "active": "on",
        "passphrase": CHOSEN,
        "again": CHOSEN,
        "code": "205" if row.page.startswith("admin.sites.") else "000000",
        "words": "A note",
        "reason": "away",
        "to": "",
        "outcome": "helped",
        "closing": "",
        "ready": "still_going",
        "letter": "",
        "choices": "",
        "why": "We said so",
        "person": "1",
        "until": "2027-01-01" if row.button == "hold" else "2026-11-30",
        "open": "on",
        "next": "",
        "invitation": "x",
        "recovery": "x",
        "fingerprint": "",
        "grantee": "1",
        "shelf": "to_take",
        "topic": "",
        "after": "",
    }
    button: Fields = {"do": row.button} if row.button else {}
    proof: Fields = {"proof": build.PASSPHRASE} if row.proof is Proof.ALWAYS else {}
    names = {name.partition("/")[0] for name in row.takes.split()} & row.sent(letter)
    return {name: good[name] for name in sorted(names)} | button | proof


def may(world: World, row: Row, letter: str, thing: str) -> bool:
    """Whether the table, the plan and `CHANGES` together allow it."""
    if letter not in row.who:
        return False
    if thing in world.reports:
        return thing in READ_BY[letter]
    if thing in world.people:
        role, mine = PEOPLE[thing][1], CHANGES.get(ROLES[letter], frozenset())
        return role in (mine if row.button in ("save", "invite") else {*mine, *caseworker.ON_ROUTES})
    return True


def walk(world: World, letter: str) -> Iterator[tuple[Step, bool]]:
    """Every line of the table, on every thing, as somebody of this letter; first what is only read. Tells of each
    whether it was allowed."""
    visitor = world.visitor(letter)
    token, passphrase = visitor.token(), build.PASSPHRASE
    for row in sorted(TABLE, key=lambda row: not is_read(world.app, row)):
        for thing, path, typed in things(world, row, letter):
            allowed = may(world, row, letter, thing)
            if is_read(world.app, row):
                shelves = [f"?shelf={each.value}" for each in Shelf] if row.page == "admin.reports.inbox" else [""]
                for query in shelves:
                    yield Step(row, thing, path + query, visitor.get(path + query)), allowed
                continue
            if (row.page, letter) == ("admin.joining.finish", JOINING) or (
                row.page == "admin.own.replace" and letter in STAFF
            ):
                (offered,) = re.findall(r'class="letters">([A-Z2-7 ]+)<', visitor.get(path).source)
                typed["code"] = pyotp.TOTP(offered.replace(" ", "")).at(world.rt.now())
            if (row.page, letter) == ("admin.recovery.recover", NOBODY):
                code = build.enrolment(world.people["zc-two"]).recovery_code
                typed |= {"login": "zc-two", "recovery": code, "code": six_digits(world.rt, "zc-two")}
            if "proof" in typed:
                typed["proof"] = passphrase
            page = visitor.post(path, typed, token)
            if row.button == "passphrase" and page.status == 303:
                passphrase = CHOSEN
            yield Step(row, thing, path, page), allowed
            if letter not in STAFF or row.page == "admin.sign_in.leave" or row.button == "end":
                visitor = again(world, letter)
                token = visitor.token()


def again(world: World, letter: str) -> Visitor:
    """Somebody who has left, or was let in, begins anew as they were, be it with another passphrase."""
    with world.rt.begin() as unit:
        if letter == JOINING:
            four = world.people["zc-four"]
            world.invitation = joining.invite(unit.db, world.rt.vault, four, None, world.rt.now())
        elif letter in STAFF:
            person = world.people[LOGINS[letter]]
            account.set_seed(unit.db, world.rt.vault, person, SEED)
            journal.write(unit.db, world.rt.now(), Verb.SECOND_FACTOR_CHANGED, subject=person)
    if letter not in STAFF:
        return world.visitor(letter)
    visitor = Visitor(world.app)
    assert 303 in [visitor.sign_in(LOGINS[letter], words).status for words in (build.PASSPHRASE, CHOSEN)]
    return visitor
