"""Somebody with a browser: keeps cookies, sends forms with their token, and reads pages."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field

import pyotp
from flask import Flask
from sqlalchemy import update
from werkzeug.datastructures import Headers

from gateway.casework import account, journal, report, shelf
from gateway.casework.account import Account
from gateway.casework.verb import Verb
from gateway.later import dispatch
from gateway.runtime import Runtime
from tests import build

SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
"""The second factor of everybody here who has not chosen another."""
END = "3"
"""The key of the screen that says "arrived" which ends the dialogue."""


@dataclass(frozen=True)
class Page:
    """An answer: `text` is what stands between the tags, on one line."""

    status: int
    headers: Headers
    source: str
    body: bytes = field(repr=False)

    @property
    def text(self) -> str:
        bare = re.sub(r"<[^>]*>", " ", re.sub(r"<head>.*?</head>", " ", self.source, flags=re.DOTALL))
        return " ".join(html.unescape(bare).split())

    @property
    def title(self) -> str:
        return html.unescape(re.findall(r"<title>(.*?)</title>", self.source)[0])

    @property
    def leads_to(self) -> str:
        return self.headers.get("Location", "")

    def links(self, pattern: str) -> list[str]:
        """The addresses of links that fit a pattern."""
        return [
            href
            for href in map(html.unescape, re.findall(r'href="([^"]*)"', self.source))
            if re.fullmatch(pattern, href)
        ]

    def value(self, name: str) -> str:
        """What a field holds; of several with this name, the last."""
        for tag in reversed(re.findall(r"<input[^>]*>", self.source)):
            if f'name="{name}"' in tag:
                found = re.search(r' value="([^"]*)"', tag)
                return html.unescape(found[1]) if found else ""
        raise AssertionError(f"no field {name}")


Fields = dict[str, str | list[str]]


class Visitor:
    """A browser of somebody."""

    def __init__(self, app: Flask, login: str | None = None, address: str = "192.0.2.1", **headers: str) -> None:
        self.client = app.test_client()
        self.client.environ_base["REMOTE_ADDR"] = address
        self.headers = headers
        if login:
            entered = self.sign_in(login)
            assert entered.status == 303, entered.text

    def get(self, path: str, **headers: str) -> Page:
        return self._page(path, "GET", None, headers)

    def post(self, path: str, fields: Fields | None = None, token: str | None = None) -> Page:
        token = self.token() if token is None else token
        return self._page(path, "POST", {"csrf_token": token, **(fields or {})}, {})

    def follow(self, page: Page) -> Page:
        """Where a redirect leads, to its end."""
        while page.status in (302, 303):
            page = self.get(page.leads_to)
        return page

    def token(self) -> str:
        """The token of the forms, which every page carries."""
        return self.get("/nowhere").value("csrf_token")

    def sign_in(self, login: str, passphrase: str = build.PASSPHRASE, **fields: str) -> Page:
        code = six_digits(self.client.application.extensions["gateway"], login)
        return self.post("/sign-in", {"login": login, "passphrase": passphrase, "code": code, **fields})

    def _page(self, path: str, method: str, data: Fields | None, headers: dict[str, str]) -> Page:
        # Over https, so that a browser's rules for secure cookies do not stand in the way of any test.
        answer = self.client.open(
            path, method=method, data=data, headers={**self.headers, **headers}, base_url="https://localhost"
        )
        body = answer.get_data()
        answer.close()
        packed = answer.headers.get("Content-Encoding") == "gzip"
        return Page(answer.status_code, answer.headers, "" if packed else body.decode("utf-8", "replace"), body)


def six_digits(rt: Runtime, login: str) -> str:
    """What somebody's second factor shows now. The clock of a test stands still: what was typed before is
    forgotten, so that it may be typed again; whoever has no second factor gets one."""
    with rt.begin() as unit:
        person = account.credentials(unit.db, login).person
        if person is None:
            return "000000"
        if not account.standing(unit.db, person).second_factor:
            account.set_seed(unit.db, rt.vault, person, SEED)
            journal.write(unit.db, rt.now(), Verb.SECOND_FACTOR_CHANGED, subject=person)
        unit.db.execute(update(Account).where(Account.caseworker_id == person).values(step=0))
    return pyotp.TOTP(SEED).at(rt.now())


def file(rt: Runtime, *dialogues: str) -> None:
    """File a report for each dialogue (its keys, divided by spaces), and bring it to somebody."""
    for at, keys in enumerate(dialogues):
        phone = build.Phone(rt, session=f"ATUid_{rt.now():%H%M%S}_{at}")
        phone.dial()
        phone.press(*keys.split(), END)
    with rt.db.read() as db:
        due = report.to_dispatch(db, rt.now(), 1000)
    for one in due:
        dispatch.dispatch(rt, one)


def first(rt: Runtime, person: int, on: shelf.Shelf = shelf.Shelf.TO_TAKE) -> shelf.Row:
    """The first report on somebody's shelf."""
    with rt.db.read() as db:
        return shelf.page(db, person, on)[0][0]
