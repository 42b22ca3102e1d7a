"""Case workers at work over HTTP while callers call; what must not be left of them: numbers, secrets, words."""

from __future__ import annotations

import html
import http.client
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlencode

import pyotp

from gateway import vault
from gateway.casework import account, caseworker
from gateway.casework.caseworker import Role
from gateway.runtime import Runtime
from tests import build
from tests.processes import PATIENCE, House

NOTES: Final = ("Kolwa-mukin\u00e8ti vu\u00e8", "zundul\u00f9ka-betwa")
LETTER: Final = "Mokili-nzube awa"
"""Written to reporters."""
_ROLES: Final = (Role.CASE_WORKER, Role.CASE_WORKER, Role.SUPERVISOR, Role.INTEGRITY_OFFICER)


@dataclass
class Person:
    """Somebody who works here, with every secret that is theirs."""

    login: str
    number: str = field(repr=False)
    passphrase: str = field(repr=False)
    seed: str = field(repr=False)
    recovery: str = field(default="", repr=False)
    codes: list[str] = field(default_factory=list, repr=False)
    typed: int = 0
    """How many of the codes they have used."""

    def markers(self) -> set[str]:
        """What must not be left. A code is looked for as it is printed and as it is kept."""
        codes = {shape for code in (self.recovery, *self.codes) for shape in (code, vault.plain_code(code))}
        return {self.number, self.passphrase, self.seed, *codes}


class Staff:
    """The people of a house, made in its database before its processes start."""

    def __init__(self, first: int) -> None:
        self.people = [
            Person(
                login=f"person-{at}",
                number=f"+24308{first // 1000:02d}{first * 13 % 1000:03d}{at:02d}",
                passphrase=f"ndj\u00e0mbula wetu {first + at} m\u00e9ngi",
                seed=pyotp.random_base32(),
            )
            for at in range(len(_ROLES))
        ]

    def settle(self, rt: Runtime) -> None:
        """Let them work here: each with a key, a second factor and one-time codes."""
        for person, role in zip(self.people, _ROLES, strict=True):
            added = build.person(rt, person.login, role, number=person.number, login=person.login)
            made = vault.enrol(added, person.passphrase)
            person.recovery = made.recovery_code
            with rt.begin() as unit:
                account.enrolled(unit.db, added, made)
                account.set_seed(unit.db, rt.vault, added, person.seed)
                person.codes = account.new_codes(unit.db, rt.vault, added, datetime.now(UTC))
                caseworker.confirm_key(unit.db, rt.vault, added)
        rt.directory.renew()

    def markers(self) -> set[str]:
        return {*NOTES, LETTER, *(marker for person in self.people for marker in person.markers())}


class Browser:
    """A browser of somebody; keeps what it was given to show above a page and in its bar of addresses."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.cookies: dict[str, str] = {}
        self.titles: list[str] = []
        self.addresses: list[str] = []
        self.source = ""

    def get(self, path: str) -> int:
        return self._ask("GET", path, None)

    def post(self, path: str, **fields: str) -> int:
        """Send a form of the page that is open; follows where it leads. Returns the status of what came first."""
        token = re.search(r'name="csrf_token"[^>]* value="([^"]*)"', self.source)
        status = self._ask("POST", path, {"csrf_token": html.unescape(token[1]) if token else "", **fields})
        if status in (302, 303):
            self.get(self.addresses[-1])
        return status

    def links(self, pattern: str) -> list[str]:
        return re.findall(rf'href="({pattern})"', self.source)

    def _ask(self, method: str, path: str, form: dict[str, str] | None) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.house.port, timeout=PATIENCE)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            connection.request(method, path, urlencode(form) if form is not None else None, headers)
            answer = connection.getresponse()
            self.source = answer.read().decode()
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()
        for name, value in (
            cookie.split(";")[0].split("=", 1) for cookie in answer.headers.get_all("Set-Cookie", [])
        ):
            self.cookies[name] = value
        self.titles += map(html.unescape, re.findall(r"<title>(.*?)</title>", self.source, re.DOTALL))
        self.addresses += [
            html.unescape(href) for href in re.findall(r'(?:href|action|src)="([^"]*)"', self.source)
        ]
        self.addresses += answer.headers.get_all("Location", [])
        return answer.status


class Shift:
    """One person's work: signing in, now and then wrongly; reading, taking, noting, handing on, closing."""

    def __init__(self, house: House, person: Person) -> None:
        self.browser = Browser(house)
        self.person = person
        self.noted = 0

    def sign_in(self) -> bool:
        self.browser.get("/sign-in")
        code = self.person.codes[self.person.typed % len(self.person.codes)]
        if self.person.typed >= len(self.person.codes):
            code = pyotp.TOTP(self.person.seed).now()
        self.person.typed += 1
        self.browser.post("/sign-in", login=self.person.login, passphrase=self.person.passphrase, code=code)
        return self.browser.get("/reports") == 200

    def mistake(self) -> None:
        """What tired people type: the passphrase as a name, the number as a passphrase, all into the address;
        in a browser of its own, for what they wrote into its bar stands there."""
        secret, number = self.person.passphrase, self.person.number
        browser = Browser(self.browser.house)
        browser.get("/sign-in")
        browser.post("/sign-in", login=secret, passphrase=number, code=self.person.codes[-1])
        browser.post("/sign-in", login=number, passphrase=secret, code=self.person.seed)
        browser.get(f"/sign-in?next=/{quote(secret)}&login={quote(number)}")
        browser.get(f"/reports?shelf={quote(NOTES[0])}&after={quote(number)}")

    def work(self) -> None:
        """Whatever is on the shelves, as far as it lets itself be done."""
        self.browser.get("/reports")
        for at, report in enumerate(self.browser.links(r"/reports/\d+")[:4]):
            if self.browser.get(report) != 200:
                continue
            self.browser.post(report, do="accept")
            self.noted += (
                self.browser.post(report, do="note", words=f"{NOTES[0]} {self.person.number} {NOTES[1]}") == 303
            )
            self.browser.post(report, do="note", words=NOTES[0] * 500)
            self.browser.post(report, do="write", ready="", letter=LETTER)
            self.browser.post(report, do="write", ready="", letter=f"{LETTER} {self.person.number}")
            self.browser.post(report, do="number", why=NOTES[1], proof=self.person.passphrase)
            self.browser.post(report, do="hand_on", reason=NOTES[1], to="")
            if at % 3 == 1:
                self.browser.post(report, do="hand_on", reason="too_many", to="")
            if at % 3 == 2:
                self.browser.post(report, do="close", outcome="helped", words=NOTES[1])

    def sign_out(self) -> None:
        self.browser.post("/sign-out")
