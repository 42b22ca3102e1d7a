"""One administrator who tries to read, with all that is theirs; and a look at everything they can reach."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pyotp
from flask import Flask
from sqlalchemy import ColumnElement, delete, insert, select, update

from gateway import vault
from gateway.casework import account, caseworker, report
from gateway.casework.caseworker import CaseWorker, Role
from gateway.casework.plan import Envelope, PlanEntry
from gateway.casework.report import Addition, Report
from gateway.casework.session import SignIn
from gateway.later import dispatch
from gateway.runtime import Runtime
from gateway.vault import Pair, SealBroken, open_with
from gateway.vault.pairs import disclose
from tests import build
from tests.web.visitor import Fields, Page, Visitor

CHOSEN = "four goats below a bridge"
CHILD = ("2", "2", "1", "1", "1")
DETAILS = ("1", "1", "2", "1", "2", "3", "1")


@dataclass
class Crook:
    """Somebody with all that is theirs: browsers, keys, and the number at which they get SMS."""

    rt: Runtime
    app: Flask
    browsers: list[Visitor] = field(default_factory=list)
    keys: list[Pair] = field(default_factory=list)
    number: str = "+243000666666"

    @property
    def pages(self) -> Visitor:
        """Their own browser, in which they are the administrator."""
        return self.browsers[0]

    def row(self, table: Any, where: ColumnElement[bool], **values: Any) -> None:
        """Change rows with their shell: no line of the journal, no check of ours."""
        with self.rt.db.begin() as db:
            assert db.execute(update(table).where(where).values(**values)).rowcount  # type: ignore[attr-defined]
        self.rt.directory.renew()

    def employer(self, role: Role) -> str:
        """The organisation that somebody of this role works for, as a form holds it: no slip of theirs may be what
        stops them."""
        with self.rt.db.begin() as db:
            return str(build.belongs(db, None, build.employer_of(role)))

    def invite(self, login: str, role: Role, name: str = "Invented Person") -> tuple[int, str]:
        """Add somebody who is nobody but themselves; returns the id and the invitation that they keep."""
        fields: Fields = {
            "name": name,
            "login": login,
            "role": role.value,
            "organisation": self.employer(role),
            "number": self.number if role in caseworker.ON_ROUTES else "",
            "sms_language": "fr",
            "languages": ["fr", "sw_CD", "ln"],
            "lanes": ["child", "safety"],
            "active": "on",
        }
        slip = self.pages.post("/people/new", fields)
        assert slip.status == 200, slip.text
        with self.rt.db.read() as db:
            person = account.holder(db, login).id
        return person, secret(slip)

    def join(self, login: str, code: str) -> Visitor:
        """Join with an invitation as whoever it is for."""
        browser = Visitor(self.app)
        assert browser.post("/join", {"login": login, "invitation": code}).leads_to == "/join/account"
        (letters,) = re.findall(r'class="letters">([A-Z2-7 ]+)<', browser.get("/join/account").source)
        digits = pyotp.TOTP(letters.replace(" ", "")).at(self.rt.now())
        done = browser.post("/join/account", {"passphrase": CHOSEN, "again": CHOSEN, "code": digits})
        assert done.status == 200, done.text
        self.browsers.append(browser)
        with self.rt.db.read() as db:
            found = account.credentials(db, login)
        unlocked = found.unlock(CHOSEN)
        assert unlocked is not None
        if (pair := found.key(unlocked)) is not None:
            self.keys.append(pair)
        self.rt.directory.renew()
        return browser

    def false_supervisor(self) -> tuple[int, Visitor]:
        """A supervisor of their own invention, who has joined."""
        person, code = self.invite("invented", Role.SUPERVISOR)
        return person, self.join("invented", code)

    def confirm(self, browser: Visitor, person: int) -> Page:
        """Try to vouch for a key, by the page or without it."""
        with self.rt.db.read() as db:
            found = caseworker.one(db, person)
        assert found is not None and found.public is not None
        shown = vault.fingerprint(found.public)
        return browser.post(f"/people/{person}", {"do": "confirm", "fingerprint": shown})

    def put_on_every_plan(self, person: int) -> None:
        """Write a place in the plan of every report, and what opens its page."""
        with self.rt.db.begin() as db:
            for made in db.scalars(select(Report.id)).all():
                db.execute(delete(PlanEntry).where(PlanEntry.report_id == made, PlanEntry.caseworker_id == person))
                other = dict(db.execute(select(PlanEntry.__table__)).mappings().first() or {})
                db.execute(
                    insert(PlanEntry).values(
                        {**other, "report_id": made, "caseworker_id": person, "rank": 90, "opened": True}
                    )
                )

    def sessions_become(self, person: int, browser: Visitor) -> None:
        """Write somebody else's name into the row of a session of theirs."""
        cookie = browser.client.get_cookie("gateway")
        assert cookie is not None
        token = self.rt.vault.token("session", cookie.value)  # they find the row by its time
        self.row(SignIn, SignIn.token == token, caseworker_id=person)


def secret(page: Page) -> str:
    (found,) = re.findall(r'class="secret">([^<]+)<', page.source)
    return str(found)


def is_closed(page: Page) -> bool:
    """Whether a report is shown with nothing of what was said."""
    return page.status == 200 and "narrative" not in page.source and '<dl class="answers' not in page.source


def readable(crook: Crook, words: str) -> bool:
    """Whether these words are anywhere within reach: on a page of any session, in an SMS, or in anything that is
    stored, opened with any key of theirs, and, to be on the safe side, with the months' keys of the machine."""
    rt = crook.rt
    with rt.db.read() as db:
        reports = list(db.scalars(select(Report.id)).all())
        people = list(db.scalars(select(CaseWorker.id)).all())
        blobs = sealed(db)
    addresses = ["/", "/machine", "/people", "/people/new", "/sites", "/account", "/account/second-factor"]
    addresses += [f"/reports?shelf={shelf}" for shelf in ("to_take", "mine", "in_work", "closed")]
    addresses += [f"/reports/{made}" for made in reports] + [f"/people/{person}" for person in people]
    for browser in crook.browsers:
        for address in addresses:
            if words in html.unescape(browser.follow(browser.get(address)).source):
                return True
    if any(words in sms for to, sms in build.operator(rt).sms if to == crook.number):
        return True
    return any(words.encode() in opened for opened in everything_opened(rt, crook.keys, blobs))


def sealed(db: Any) -> dict[int, list[tuple[str, bytes]]]:
    """Every sealed part of every report with the place it is bound to, and, as `""`, every envelope of any."""
    found: dict[int, list[tuple[str, bytes]]] = {}
    for made, body in db.execute(select(Report.id, Report.body_sealed)):
        found.setdefault(made, []).append((report.place(made), body))
    for made, number, author, body in db.execute(
        select(Addition.report_id, Addition.number, Addition.author_id, Addition.body_sealed)
    ):
        found[made].append((report.addition_place(made, number, author), body))
    for made, envelope in db.execute(select(Envelope.report_id, Envelope.sealed)):
        found[made].append(("", envelope))
    return found


def everything_opened(rt: Runtime, keys: list[Pair], blobs: dict[int, list[tuple[str, bytes]]]) -> Iterator[bytes]:
    months = [rt.vault.months.key(month) for month in rt.vault.months.months()]
    with rt.db.read() as db:
        people = list(db.scalars(select(CaseWorker.id)).all())
    for made, parts in blobs.items():
        pairs = list(keys)
        for envelope in [part for place, part in parts if not place]:
            for key in keys:
                for month in months:
                    for whose in (*people, "escrow"):
                        with suppress(SealBroken):
                            pairs.append(disclose(key, f"{report.place(made)}/for/{whose}", month, envelope))
        for place, part in parts:
            for pair in pairs:
                with suppress(SealBroken):
                    yield open_with(pair, place, part)


def tell(rt: Runtime, words: str, between: Callable[[], object] = lambda: None) -> int:
    """A caller reports, then types words of their own; `between` happens while they look for the letters."""
    with rt.db.read() as db:
        before = set(db.scalars(select(Report.id)))
    phone = build.Phone(rt, session=f"ATUid_{words}")
    phone.dial()
    phone.press(*CHILD, *DETAILS)
    between()
    phone.press(words)
    phone.hang_up()
    with rt.db.read() as db:
        (made,) = set(db.scalars(select(Report.id))) - before
    dispatch.dispatch(rt, made)
    return made
