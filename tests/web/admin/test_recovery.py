"""A forgotten passphrase, and the printed code that opens the same key."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from gateway.casework import account, caseworker
from gateway.casework.attempt import FREE
from gateway.runtime import Runtime
from tests import build
from tests.web.visitor import Fields, Visitor, six_digits

CHOSEN = "four goats below a bridge"
NEUTRAL = "Ce nom, ce code de secours et ce code ne vont pas ensemble."


def typed(rt: Runtime, staff: dict[str, int], **changes: str) -> Fields:
    code = build.enrolment(staff["worker"]).recovery_code
    digits = six_digits(rt, "worker")
    return {
        "login": "worker",
        "recovery": code,
        "code": digits,
        "passphrase": CHOSEN,
        "again": CHOSEN,
        **changes,
    }


def test_a_recovery_code_gives_a_new_passphrase_and_loses_nothing(
    app: Flask, light: Runtime, staff: dict[str, int]
) -> None:
    old, visitor = Visitor(app, "worker"), Visitor(app)
    spelled = build.enrolment(staff["worker"]).recovery_code.upper().replace("-", " ")
    page = visitor.post("/recover", typed(light, staff, recovery=spelled))
    assert page.status == 200
    (renewed,) = re.findall(r'class="secret">([^<]+)<', page.source)
    assert visitor.get("/reports").status == 200
    assert old.get("/reports").status == 302
    with light.db.read() as db:
        found, person = account.credentials(db, "worker"), caseworker.one(db, staff["worker"])
    pair = build.enrolment(staff["worker"]).key
    unlocked = found.unlock(CHOSEN)
    assert unlocked is not None and found.key(unlocked) == pair == found.recover(renewed)
    assert found.unlock(build.PASSPHRASE) is None
    assert person is not None and person.reader is not None, "the key is the same, and still confirmed"
    assert Visitor(app).post("/recover", typed(light, staff)).status == 422, "the old code is used"


@pytest.mark.parametrize(
    "changes",
    [
        {"login": "nobody"},
        {"login": "administrator"},
        {"login": "supervisor"},
        {"recovery": "x" * 27},
        {"recovery": ""},
        {"code": "000000"},
        {"code": ""},
    ],
)
def test_every_failure_looks_the_same_and_changes_nothing(
    app: Flask, light: Runtime, staff: dict[str, int], changes: dict[str, str]
) -> None:
    page = Visitor(app).post("/recover", typed(light, staff, **changes))
    assert page.status == 422 and NEUTRAL in page.text
    assert page.value("recovery") == "" and CHOSEN not in page.source
    assert Visitor(app).sign_in("worker").status == 303


def test_whoever_finds_the_printed_sheet_opens_nothing_with_it_alone(
    app: Flask, light: Runtime, staff: dict[str, int]
) -> None:
    fields = typed(light, staff)
    with light.begin() as unit:
        code = account.new_codes(unit.db, light.vault, staff["worker"], light.now())[0]
    page = Visitor(app).post("/recover", {**fields, "code": code})
    assert page.status == 422 and NEUTRAL in page.text
    assert Visitor(app).sign_in("worker", code=code).status == 303, "nor was it used up"


def test_a_passphrase_that_is_refused_uses_nothing_up(app: Flask, light: Runtime, staff: dict[str, int]) -> None:
    visitor = Visitor(app)
    fields = typed(light, staff)
    for changes in ({"passphrase": "short", "again": "short"}, {"again": "another one entirely"}):
        assert visitor.post("/recover", {**fields, **changes}).status == 422
    page = visitor.post("/recover", fields)
    assert page.status == 200


def test_guessing_a_recovery_code_is_slowed_down(app: Flask, light: Runtime, staff: dict[str, int]) -> None:
    visitor = Visitor(app)
    for _ in range(FREE):
        assert visitor.post("/recover", typed(light, staff, recovery="y" * 27)).status == 422
    page = visitor.post("/recover", typed(light, staff))
    assert page.status == 429 and page.value("login") == "worker"


def test_only_who_is_signed_in_is_sent_on_from_the_page(app: Flask) -> None:
    assert Visitor(app).get("/recover").status == 200
    assert Visitor(app, "worker").get("/recover").leads_to == "/"
