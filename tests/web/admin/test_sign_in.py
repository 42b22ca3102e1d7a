"""Signing in and out."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from gateway.app import create_app
from gateway.casework import account, caseworker
from gateway.casework.account import SignIn
from gateway.runtime import Runtime
from tests import build
from tests.web.visitor import Visitor, file, first

NEUTRAL = "Ce nom et cette phrase secrète ne vont pas ensemble."


def sessions(rt: Runtime) -> int:
    with rt.db.read() as db:
        return db.scalar(select(func.count()).select_from(SignIn)) or 0


def test_a_person_signs_in_and_lands_on_their_page(app: Flask) -> None:
    visitor = Visitor(app)
    page = visitor.follow(visitor.sign_in("worker"))
    assert page.status == 200
    assert page.title == "Signalements"
    assert "Worker" in page.text


def test_every_failure_looks_the_same(app: Flask, light: Runtime) -> None:
    build.person(light, "Gone", active=False)
    unset = build.person(light, "Unset")
    with light.begin() as unit:
        unit.db.execute(
            update(account.Account).where(account.Account.caseworker_id == unset).values(passphrase_hash="")
        )
    visitor = Visitor(app)
    seen = set()
    for login, passphrase in (
        ("worker", "wrong"),
        ("nobody", build.PASSPHRASE),
        ("gone", build.PASSPHRASE),
        ("unset", ""),
        ("unset", build.PASSPHRASE),
        ("", ""),
        ("x" * 5000, "y" * 5000),
    ):
        page = visitor.sign_in(login, passphrase)
        assert page.status == 422
        assert NEUTRAL in page.text
        seen.add(page.text)
    assert len(seen) == 1
    assert sessions(light) == 0


def test_the_name_stays_and_the_passphrase_does_not(app: Flask) -> None:
    page = Visitor(app).sign_in("worker", "a secret that is wrong")
    assert page.value("login") == "worker"
    assert "a secret that is wrong" not in page.source


def test_the_fields_let_a_passphrase_manager_work(app: Flask) -> None:
    source = Visitor(app).get("/sign-in").source
    assert 'autocomplete="username"' in source and 'autocomplete="current-password"' in source
    assert "onpaste" not in source


@pytest.mark.parametrize(
    ("onward", "lands"),
    [
        ("/reports?shelf=mine", "/reports?shelf=mine"),
        ("//evil.example/", "/"),
        ("https://evil.example", "/"),
        ("", "/"),
    ],
)
def test_signing_in_goes_on_to_a_page_of_ours_only(app: Flask, onward: str, lands: str) -> None:
    assert Visitor(app).sign_in("worker", next=onward).leads_to == lands


def test_who_is_not_signed_in_is_led_to_sign_in_and_back(app: Flask) -> None:
    visitor = Visitor(app)
    led = visitor.get("/reports?shelf=mine")
    assert led.leads_to == "/sign-in?next=/reports?shelf%3Dmine"
    onward = visitor.get(led.leads_to).value("next")
    assert onward == "/reports?shelf=mine"
    assert visitor.sign_in("worker", next=onward).leads_to == onward


def test_signing_in_begins_a_new_session_and_ends_the_old_one(app: Flask, light: Runtime) -> None:
    visitor = Visitor(app, "worker")
    before = visitor.client.get_cookie("gateway")
    visitor.sign_in("supervisor")
    after = visitor.client.get_cookie("gateway")
    assert before and after and before.value != after.value
    assert sessions(light) == 1


def test_signing_out_ends_the_row_so_that_a_kept_cookie_is_worth_nothing(app: Flask, light: Runtime) -> None:
    visitor = Visitor(app, "worker")
    kept = visitor.client.get_cookie("gateway")
    page = visitor.follow(visitor.post("/sign-out"))
    assert "Vous êtes déconnecté." in page.text
    assert sessions(light) == 0
    assert kept is not None
    visitor.client.set_cookie("gateway", kept.value)
    assert visitor.get("/reports").leads_to.startswith("/sign-in")


def test_a_session_ends_when_nobody_uses_it_and_after_a_working_day(
    app: Flask, light: Runtime, clock: build.Clock
) -> None:
    visitor = Visitor(app, "worker")
    for _ in range(18):
        clock.go(minutes=25)
        assert visitor.get("/reports").status == 200
    clock.go(minutes=31)
    assert visitor.get("/reports").status == 302
    visitor.sign_in("worker")
    clock.go(minutes=31)
    assert visitor.get("/reports").status == 302


def test_somebody_who_leaves_is_out_on_the_next_request(app: Flask, light: Runtime, staff: dict[str, int]) -> None:
    visitor = Visitor(app, "worker")
    with light.begin() as unit:
        unit.db.execute(
            update(caseworker.CaseWorker).where(caseworker.CaseWorker.id == staff["worker"]).values(active=False)
        )
    assert visitor.get("/reports").leads_to.startswith("/sign-in")


def test_a_note_that_outlives_its_session_can_be_copied(
    app: Flask, light: Runtime, staff: dict[str, int], clock: build.Clock
) -> None:
    file(light, "2 1 1 1 1")
    report = first(light, staff["supervisor"])
    visitor = Visitor(app, "supervisor")
    token = visitor.token()
    clock.go(minutes=40)
    page = visitor.post(f"/reports/{report.id}", {"do": "note", "words": "Une longue note"}, token=token)
    assert page.status == 401
    assert "Une longue note" in page.text and "Votre session a expiré" in page.text
    assert page.value("next") == f"/reports/{report.id}"


def test_a_cookie_of_nonsense_is_nobody(app: Flask) -> None:
    for value in ("x", "x" * 5000, "é", "%00", '"'):
        visitor = Visitor(app, Cookie=f"gateway={value}")
        assert visitor.get("/reports").leads_to.startswith("/sign-in")


def test_only_who_is_signed_in_is_sent_on_from_the_sign_in_page(light: Runtime, staff: dict[str, int]) -> None:
    app = create_app(light)
    assert Visitor(app).get("/sign-in").status == 200
    assert Visitor(app, "worker").get("/sign-in").leads_to == "/"
