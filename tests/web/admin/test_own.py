"""One's own account: sessions, passphrase, second factor, sheets."""

from __future__ import annotations

import re

import pyotp
import pytest
from flask import Flask
from sqlalchemy import select, update

from gateway import vault
from gateway.casework import account, caseworker
from gateway.casework.account import Account
from gateway.casework.caseworker import Entered, Role
from gateway.casework.journal import Entry
from gateway.runtime import Runtime
from tests import build
from tests.web.visitor import Fields, Page, Visitor

CHOSEN = "four goats below a bridge"
PATH = "/account/second-factor"


def codes(page: Page) -> list[str]:
    return re.findall(r"<code>([^<]+)</code>", page.source)


def seed(page: Page) -> str:
    (letters,) = re.findall(r'class="letters">([A-Z2-7 ]+)<', page.source)
    return str(letters).replace(" ", "")


def verbs(rt: Runtime, person: int) -> list[str]:
    with rt.db.read() as db:
        where = (Entry.actor_id == person) & (Entry.verb != "signed_in")
        return list(db.scalars(select(Entry.verb).where(where).order_by(Entry.id)).all())


def test_everybody_sees_where_they_are_signed_in_and_what_their_key_is(
    app: Flask, light: Runtime, staff: dict[str, int]
) -> None:
    visitor = Visitor(app, "worker")
    page = visitor.get("/account")
    assert "Vous n'êtes connecté nulle part ailleurs." in page.text
    assert vault.fingerprint(build.enrolment(staff["worker"]).public) in page.text
    assert "Confirmée : des signalements peuvent vous être confiés." in page.text
    Visitor(app, "worker"), Visitor(app, "worker")
    assert "2 autres navigateurs" in visitor.get("/account").text
    with light.begin() as unit:
        caseworker.set_key(unit.db, staff["worker"], build.enrolment(staff["worker"]).public)
    assert "Pas encore confirmée." in visitor.get("/account").text


def test_the_number_of_ones_key_is_that_of_the_key_one_has_whatever_the_row_says(
    app: Flask, light: Runtime, staff: dict[str, int]
) -> None:
    visitor = Visitor(app, "worker")
    with light.db.begin() as db:
        caseworker.set_key(db, staff["worker"], build.enrolment(staff["supervisor"]).public)
    page = visitor.get("/account")
    assert vault.fingerprint(build.enrolment(staff["worker"]).public) in page.text
    assert page.source.count('class="wrong"') == 1 and "Confirmée" not in page.text
    with light.db.begin() as db:
        db.execute(update(Account).where(Account.caseworker_id == staff["worker"]).values(private_sealed=b""))
    page = Visitor(app, "worker").get("/account")
    assert 'data-field="fingerprint"' not in page.source and page.source.count('class="wrong"') == 1
    assert 'data-field="fingerprint"' not in Visitor(app, "administrator").get("/account").source


def test_one_press_ends_every_session(app: Flask, light: Runtime, staff: dict[str, int]) -> None:
    here, there, other = Visitor(app, "worker"), Visitor(app, "worker"), Visitor(app, "supervisor")
    page = here.post("/account", {"do": "end"})
    assert page.leads_to == "/sign-in" and page.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert here.get("/reports").status == there.get("/reports").status == 302
    assert other.get("/reports").status == 200
    assert verbs(light, staff["worker"])[-1] == "sessions_ended"


def test_the_old_passphrase_gives_a_new_one_and_ends_the_other_sessions(
    app: Flask, light: Runtime, staff: dict[str, int]
) -> None:
    here, there = Visitor(app, "worker"), Visitor(app, "worker")
    fields: Fields = {"do": "passphrase", "proof": build.PASSPHRASE, "passphrase": CHOSEN, "again": CHOSEN}
    for proof, field in (("", "proof-passphrase"), ("wrong", "proof-passphrase")):
        page = here.post("/account", {**fields, "proof": proof})
        assert page.status == 422 and f'href="#{field}"' in page.source, "however lately they signed in"
    assert here.post("/account", {**fields, "again": "x"}).status == 422
    assert here.post("/account", fields).status == 303
    assert here.get("/reports").status == 200
    assert there.get("/reports").status == 302
    assert Visitor(app).sign_in("worker").status == 422
    assert Visitor(app).sign_in("worker", CHOSEN).status == 303
    with light.db.read() as db:
        found = account.credentials(db, "worker")
    unlocked = found.unlock(CHOSEN)
    assert unlocked is not None and found.key(unlocked) == build.enrolment(staff["worker"]).key
    assert "passphrase_changed" in verbs(light, staff["worker"])


def test_an_administrator_changes_theirs_too(app: Flask) -> None:
    visitor = Visitor(app, "administrator")
    fields: Fields = {"do": "passphrase", "proof": build.PASSPHRASE, "passphrase": CHOSEN, "again": CHOSEN}
    assert visitor.post("/account", fields).status == 303
    assert Visitor(app).sign_in("administrator", CHOSEN).status == 303
    assert visitor.post("/account", {"do": "recovery"}).status == 404, "there is nothing to recover"


def test_a_new_recovery_code_is_shown_once_and_ends_the_old_one(
    app: Flask, light: Runtime, staff: dict[str, int], clock: build.Clock
) -> None:
    visitor = Visitor(app, "worker")
    clock.go(minutes=11)
    asked = visitor.post("/account", {"do": "recovery"})
    assert asked.status == 422 and 'href="#proof-recovery"' in asked.source
    page = visitor.post("/account", {"do": "recovery", "proof": build.PASSPHRASE})
    (renewed,) = re.findall(r'class="secret">([^<]+)<', page.source)
    assert renewed not in visitor.get("/account").source
    with light.db.read() as db:
        found = account.credentials(db, "worker")
    old = build.enrolment(staff["worker"])
    assert found.recover(old.recovery_code) is None and found.recover(renewed) == old.key


def test_a_new_sheet_of_codes_ends_the_old_one(app: Flask) -> None:
    visitor = Visitor(app, "worker")
    first = codes(visitor.post("/account", {"do": "codes"}))
    assert Visitor(app).sign_in("worker", code=first[0]).status == 303
    assert "9 sur 10" in visitor.get("/account").text
    second = codes(visitor.post("/account", {"do": "codes"}))
    assert len(second) == 10 and not set(first) & set(second)
    assert Visitor(app).sign_in("worker", code=first[1]).status == 422
    assert Visitor(app).sign_in("worker", code=second[1]).status == 303


def test_a_second_factor_is_verified_before_it_replaces_the_old_one(
    app: Flask, light: Runtime, staff: dict[str, int], clock: build.Clock
) -> None:
    here, there = Visitor(app, "worker"), Visitor(app, "worker")
    page = here.get(PATH)
    for wrong in ("", "000000"):
        refused = here.post(PATH, {"code": wrong})
        assert refused.status == 422 and 'href="#code"' in refused.source
        assert seed(refused) == seed(page)
    assert Visitor(app).sign_in("worker").status == 303, "the old one goes on"
    sheet = here.post(PATH, {"code": pyotp.TOTP(seed(page)).at(clock())})
    assert sheet.status == 200 and len(codes(sheet)) == 10
    assert there.get("/reports").status == 302 and here.get("/reports").status == 200
    assert Visitor(app).sign_in("worker").status == 422
    clock.go(seconds=30)
    newer = pyotp.TOTP(seed(page)).at(clock())
    assert Visitor(app).sign_in("worker", code=newer).status == 303
    assert seed(here.get(PATH)) != seed(page)
    assert verbs(light, staff["worker"]).count("second_factor_changed") >= 1


def test_in_the_demonstration_one_may_have_no_second_factor_and_then_has_no_codes(
    app: Flask, light: Runtime
) -> None:
    visitor = Visitor(app, "worker")
    with light.begin() as unit:
        person = account.holder(unit.db, "worker").id
        unit.db.execute(update(Account).where(Account.caseworker_id == person).values(seed_sealed=None))
    assert "Ajouter une application de codes" in visitor.get("/account").text
    assert visitor.post("/account", {"do": "codes"}).status == 400


@pytest.mark.parametrize("do", ["", "erase", "role"])
def test_what_no_form_holds_is_refused(app: Flask, do: str) -> None:
    assert Visitor(app, "worker").post("/account", {"do": do}).status == 400


def test_a_technician_has_an_account_and_sees_nobody(app: Flask, light: Runtime) -> None:
    with light.begin() as unit:
        entered = Entered("Tech", Role.TECHNICIAN, True, "", "fr", frozenset(), frozenset(), frozenset())
        person = caseworker.add(unit.db, light.vault, entered)
        account.save_login(unit.db, person, "tech")
        account.enrolled(unit.db, person, build.locked())
    visitor = Visitor(app, "tech")
    assert visitor.get("/account").status == 200
    for path in ("/reports", "/people", "/sites"):
        assert visitor.get(path).status == 404
