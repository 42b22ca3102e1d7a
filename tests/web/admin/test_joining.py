"""Joining: from an invitation on paper to an account that only its owner knows."""

from __future__ import annotations

import re
from dataclasses import replace

import pyotp
import pytest
from flask import Flask

from gateway.app import create_app
from gateway.casework import account, caseworker, joining
from gateway.casework.attempt import FREE
from gateway.runtime import Runtime
from tests import build
from tests.web.visitor import Fields, Page, Visitor

CHOSEN = "four goats below a bridge"
NEUTRAL = "Ce nom et cette invitation ne vont pas ensemble, ou elle n'est plus valable."


def invite(rt: Runtime, login: str = "worker") -> str:
    """A new invitation for somebody of the staff."""
    with rt.begin() as unit:
        person = account.holder(unit.db, login).id
        return joining.invite(unit.db, rt.vault, person, None, rt.now())


def entered(app: Flask, rt: Runtime, login: str = "worker") -> Visitor:
    """Somebody who has come in with an invitation."""
    visitor = Visitor(app)
    page = visitor.post("/join", {"login": login, "invitation": invite(rt, login)})
    assert page.leads_to == "/join/account"
    return visitor


def seed(page: Page) -> str:
    """The second factor that a page offers, typed from its letters."""
    (letters,) = re.findall(r'class="letters">([A-Z2-7 ]+)<', page.source)
    return str(letters).replace(" ", "")


def filled(rt: Runtime, page: Page, **changes: str) -> Fields:
    code = pyotp.TOTP(seed(page)).at(rt.now())
    return {"passphrase": CHOSEN, "again": CHOSEN, "code": code, **changes}


def secrets(page: Page) -> list[str]:
    """What a sheet shows once: the recovery code and the number of the key, then the one-time codes."""
    return re.findall(r"<code[^>]*>([^<]+)</code>", page.source)


def test_from_an_invitation_to_an_account(app: Flask, light: Runtime, staff: dict[str, int]) -> None:
    old = Visitor(app, "worker")
    visitor = entered(app, light)
    page = visitor.get("/join/account")
    assert "Bienvenue, Worker" in page.text and "<svg" in page.source and "otpauth://totp/" in page.source
    typed = filled(light, page)
    sheet = visitor.post("/join/account", typed)
    assert sheet.status == 200 and "Cette page n'est montrée qu'une fois." in sheet.text
    recovery, *codes, number = secrets(sheet)
    assert len(codes) == 10 and re.fullmatch(r"(\d{4} ){4}\d{4}", number)
    assert visitor.get("/reports").status == 200, "they are signed in"
    assert old.get("/reports").status == 302, "nobody else is any more"
    for secret in (recovery, *codes, CHOSEN):
        assert secret not in visitor.get("/account").source
    with light.db.read() as db:
        found = account.credentials(db, "worker")
        person = caseworker.one(db, staff["worker"])
    assert found.recover(recovery) is not None
    assert person is not None and person.reader is None, "nobody vouches for the key yet"
    assert Visitor(app).post("/sign-in", {"login": "worker", "passphrase": CHOSEN, "code": codes[0]}).status == 303
    assert (
        Visitor(app).post("/sign-in", {"login": "worker", "passphrase": CHOSEN, "code": str(typed["code"])}).status
        == 422
    ), "the code that proved the second factor is used"


def test_every_failure_at_the_door_looks_the_same(app: Flask, light: Runtime) -> None:
    code, theirs = invite(light), invite(light, "supervisor")
    seen = set()
    for login, typed in (
        ("worker", theirs),
        ("worker", ""),
        ("worker", "x" * 5000),
        ("nobody", code),
        ("integrity", code),
        ("", ""),
        ("x" * 5000, "é"),
    ):
        page = Visitor(app, address=f"203.0.113.{len(typed) % 200}").post(
            "/join", {"login": login, "invitation": typed}
        )
        assert page.status == 422 and NEUTRAL in page.text
        assert page.value("invitation") == ""
        seen.add(page.text)
    assert len(seen) == 1


def test_guessing_an_invitation_is_slowed_down(app: Flask, light: Runtime) -> None:
    code, visitor = invite(light), Visitor(app)
    for _ in range(FREE):
        assert visitor.post("/join", {"login": "worker", "invitation": "wrong"}).status == 422
    assert visitor.post("/join", {"login": "worker", "invitation": code}).status == 429


def test_whoever_is_joining_opens_nothing_else(app: Flask, light: Runtime) -> None:
    visitor = entered(app, light, "administrator")
    for path in ("/reports", "/people", "/account", "/sites", "/account/second-factor"):
        assert visitor.get(path).leads_to.startswith("/sign-in")
    assert visitor.get("/").leads_to == "/sign-in"
    assert visitor.post("/people/new", {}).status == 401
    assert "Administrator" not in visitor.get("/sign-in").text
    assert visitor.post("/sign-out").status == 303
    assert visitor.get("/join/account").leads_to == "/join"
    assert visitor.post("/join/account", {}).leads_to == "/join"


def test_without_an_invitation_there_is_no_account_to_make(app: Flask) -> None:
    for visitor in (Visitor(app), Visitor(app, "worker")):
        assert visitor.get("/join/account").leads_to == "/join"
        assert visitor.post("/join/account", {"passphrase": CHOSEN, "again": CHOSEN}).leads_to == "/join"
    assert Visitor(app, "worker").get("/join").leads_to == "/"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"passphrase": "short", "again": "short"}, "passphrase"),
        ({"passphrase": "worker worker worker", "again": "worker worker worker"}, "passphrase"),
        ({"again": "something else entirely"}, "again"),
        ({"code": "000000"}, "code"),
        ({"code": ""}, "code"),
    ],
)
def test_a_mistake_is_told_at_its_field_and_the_square_stays_good(
    app: Flask, light: Runtime, staff: dict[str, int], changes: dict[str, str], field: str
) -> None:
    visitor = entered(app, light)
    first = visitor.get("/join/account")
    page = visitor.post("/join/account", filled(light, first, **changes))
    assert page.status == 422
    assert f'href="#{field}"' in page.source and f'id="{field}-wrong"' in page.source
    assert CHOSEN not in page.source
    assert seed(page) == seed(first), "it was photographed already"
    with light.db.read() as db:
        assert account.credentials(db, "worker").unlock(build.PASSPHRASE), "the old account goes on"
    assert visitor.post("/join/account", filled(light, page)).status == 200


def test_the_demonstration_lets_one_do_without_a_second_factor(light: Runtime, staff: dict[str, int]) -> None:
    app = create_app(replace(light, settings=replace(light.settings, demo=True)))
    visitor = entered(app, light)
    page = visitor.post("/join/account", {"passphrase": CHOSEN, "again": CHOSEN, "code": ""})
    assert page.status == 200 and len(secrets(page)) == 2
    assert Visitor(app).post("/sign-in", {"login": "worker", "passphrase": CHOSEN}).status == 303


def test_an_administrator_joins_without_a_key(app: Flask, light: Runtime) -> None:
    visitor = entered(app, light, "administrator")
    page = visitor.post("/join/account", filled(light, visitor.get("/join/account")))
    assert page.status == 200 and len(secrets(page)) == 10
    assert "Code de secours" not in page.text
    own = visitor.get("/account")
    assert own.status == 200 and "Code de secours" not in own.text


def test_an_invitation_that_was_replaced_meanwhile_leads_back_to_the_door(app: Flask, light: Runtime) -> None:
    visitor = entered(app, light)
    page = visitor.get("/join/account")
    invite(light)
    assert visitor.post("/join/account", filled(light, page)).leads_to == "/join"


def test_no_two_browsers_are_offered_the_same_second_factor(app: Flask, light: Runtime) -> None:
    code = invite(light)
    offered = set()
    for _ in range(3):
        visitor = Visitor(app)
        visitor.post("/join", {"login": "worker", "invitation": code})
        offered.add(seed(visitor.get("/join/account")))
    assert len(offered) == 3
