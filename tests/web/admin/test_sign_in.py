"""Signing in and out, the second factor, the slow-down, and the passphrase asked for again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask, g
from sqlalchemy import func, select, update

from gateway.app import create_app
from gateway.casework import account, caseworker, journal
from gateway.casework.attempt import FREE, FREE_TOGETHER
from gateway.casework.caseworker import Entered, Role
from gateway.casework.session import SignIn
from gateway.casework.verb import Verb
from gateway.desk import Reader
from gateway.runtime import Runtime
from gateway.vault import Pair
from gateway.web.admin import sign_in
from tests import build
from tests.web.visitor import Fields, Visitor, file, first, six_digits

NEUTRAL = "Ce nom, cette phrase de passe et ce code ne vont pas ensemble."
SLOW = "Trop d'essais."


def sessions(rt: Runtime) -> int:
    with rt.db.read() as db:
        return db.scalar(select(func.count()).select_from(SignIn)) or 0


def unjoined(rt: Runtime, name: str) -> int:
    """Somebody who has been added and has not joined."""
    with rt.begin() as unit:
        entered = Entered(name, Role.ADMINISTRATOR, True, "", "fr", frozenset(), frozenset(), frozenset())
        added = caseworker.add(unit.db, rt.vault, entered)
        account.save_login(unit.db, added, name.lower())
        journal.write(unit.db, rt.now(), Verb.PERSON_SAVED, subject=added)
    return added


def test_a_person_signs_in_and_lands_on_their_page(app: Flask) -> None:
    visitor = Visitor(app)
    page = visitor.follow(visitor.sign_in("worker"))
    assert page.status == 200
    assert page.title == "Signalements"
    assert "Worker" in page.text


def test_every_failure_looks_the_same(app: Flask, light: Runtime) -> None:
    build.person(light, "Gone", active=False)
    unjoined(light, "Unjoined")
    seen = set()
    right = six_digits(light, "worker")
    for login, passphrase, code in (
        ("worker", "wrong", right),
        ("worker", build.PASSPHRASE, "000000"),
        ("worker", build.PASSPHRASE, ""),
        ("worker", build.PASSPHRASE, "abc-def-ghj"),
        ("nobody", build.PASSPHRASE, right),
        ("gone", build.PASSPHRASE, right),
        ("unjoined", "", ""),
        ("unjoined", build.PASSPHRASE, right),
        ("", "", ""),
        ("x" * 5000, "y" * 5000, "z" * 5000),
    ):
        page = Visitor(app).sign_in(login, passphrase, code=code)
        assert page.status == 422
        assert NEUTRAL in page.text
        seen.add(page.text)
    assert len(seen) == 1
    assert sessions(light) == 0


def test_a_refused_sign_in_uses_no_code_up(app: Flask, light: Runtime) -> None:
    visitor, code = Visitor(app), six_digits(light, "worker")
    again: Fields = {"login": "worker", "passphrase": build.PASSPHRASE, "code": code}
    assert visitor.post("/sign-in", {**again, "passphrase": "wrong"}).status == 422
    assert visitor.post("/sign-in", again).status == 303
    assert Visitor(app).post("/sign-in", again).status == 422, "it was good once"


def test_a_printed_code_takes_the_place_of_the_telephone_once(app: Flask, light: Runtime) -> None:
    six_digits(light, "worker")
    with light.begin() as unit:
        person = account.holder(unit.db, "worker").id
        codes = account.new_codes(unit.db, light.vault, person, light.now())
    assert Visitor(app).sign_in("worker", code=codes[0].upper()).status == 303
    assert Visitor(app).sign_in("worker", code=codes[0]).status == 422


def test_without_a_second_factor_nobody_signs_in_but_in_the_demonstration(app: Flask, light: Runtime) -> None:
    typed: Fields = {"login": "worker", "passphrase": build.PASSPHRASE, "code": ""}
    assert Visitor(app).post("/sign-in", typed).status == 422
    demo = create_app(replace(light, settings=replace(light.settings, demo=True)))
    assert Visitor(demo).post("/sign-in", typed).status == 303


def test_who_fails_often_is_told_how_long_to_wait(app: Flask, clock: build.Clock) -> None:
    visitor = Visitor(app)
    for login in ("worker", "nobody"):
        told = []
        for _ in range(FREE + 2):
            page = visitor.sign_in(login, "wrong")
            told.append((page.status, page.text))
        assert [status for status, _ in told] == [422] * FREE + [429] * 2
        assert f"{SLOW} Attendez 1 s" in told[-1][1]
        assert page.value("login") == login
    assert "L'heure de votre téléphone" not in told[-1][1], "it has nothing to do with it"
    assert visitor.sign_in("worker").status == 429, "the right one too: it was not even looked at"
    clock.go(seconds=1)
    assert visitor.sign_in("worker").status == 303


def test_the_duty_officer_is_not_shut_out_by_somebody_elsewhere(app: Flask, clock: build.Clock) -> None:
    known = Visitor(app, "worker")
    known.post("/sign-out")
    for at in range(FREE_TOGETHER + 10):
        wrong = Visitor(app, address=f"203.0.113.{at}").sign_in("worker", "wrong")
    assert wrong.status == 429
    assert Visitor(app, address="198.51.100.7").sign_in("worker").status == 429
    assert known.sign_in("worker").status == 303


def test_a_printed_code_passes_the_wait_that_others_have_made(app: Flask, light: Runtime) -> None:
    six_digits(light, "worker")
    with light.begin() as unit:
        person = account.holder(unit.db, "worker").id
        code = account.new_codes(unit.db, light.vault, person, light.now())[0]
    for at in range(FREE_TOGETHER + 10):
        Visitor(app, address=f"203.0.113.{at}").sign_in("worker", "wrong")
    assert Visitor(app, address="198.51.100.7").sign_in("worker", code=code).status == 303


def test_a_browser_is_known_for_those_who_signed_in_there(app: Flask, light: Runtime, clock: build.Clock) -> None:
    visitor = Visitor(app, "worker")
    visitor.sign_in("supervisor")
    visitor.sign_in("worker")
    kept = visitor.client.get_cookie("gateway_known")
    assert kept is not None and kept.value.count("~") == 1, "one mark for each of the two"
    assert "worker" not in kept.value and kept.http_only and kept.same_site == "Strict"
    for forged in ("", "x", "~", "1.2", "9999999999..", f"x{kept.value}", kept.value.replace("~", "."), "é" * 9):
        other = Visitor(app)
        other.client.set_cookie("gateway_known", forged)
        assert other.get("/sign-in").status == 200
        assert other.sign_in("worker").status == 303
    assert known(app, light, kept.value, "worker") and known(app, light, kept.value, "supervisor")
    assert not known(app, light, kept.value, "integrity")
    clock.go(days=91)
    assert not known(app, light, kept.value, "worker")


def known(app: Flask, rt: Runtime, cookie: str, login: str) -> bool:
    with app.test_request_context(headers={"Cookie": f"gateway_known={cookie}"}):
        return bool(sign_in._device(login))


def test_behind_a_proxy_the_address_is_the_callers_and_cannot_be_forged(light: Runtime) -> None:
    bare = create_app(light)
    behind = create_app(replace(light, settings=replace(light.settings, proxies=1)))
    for app, slowed in ((bare, True), (behind, False)):
        statuses = [
            Visitor(app, **{"X-Forwarded-For": f"203.0.113.{at}"}).sign_in("nobody", "wrong").status
            for at in range(FREE + 1)
        ]
        assert (statuses[-1] == 429) is slowed
    forged = [
        Visitor(behind, **{"X-Forwarded-For": f"203.0.113.{at}, 192.0.2.9"}).sign_in("nobody", "wrong").status
        for at in range(FREE + 1)
    ]
    assert forged[-1] == 429, "only what our own proxy wrote counts"


def test_the_name_stays_and_the_passphrase_does_not(app: Flask) -> None:
    page = Visitor(app).sign_in("worker", "a secret that is wrong")
    assert page.value("login") == "worker"
    assert "a secret that is wrong" not in page.source


def test_the_fields_let_a_passphrase_manager_work(app: Flask) -> None:
    source = Visitor(app).get("/sign-in").source
    for purpose in ("username", "current-password", "one-time-code"):
        assert f'autocomplete="{purpose}"' in source
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
    assert visitor.post("/sign-out").headers["Clear-Site-Data"] == '"cache", "storage"', "once more does no harm"
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


def test_the_key_is_there_for_whoever_has_one(app: Flask, light: Runtime, staff: dict[str, int]) -> None:
    visitor = Visitor(app, "worker")
    cookie = visitor.client.get_cookie("gateway")
    assert cookie is not None
    assert opened(app, cookie.value) == build.enrolment(staff["worker"]).key
    administrator = Visitor(app, "administrator").client.get_cookie("gateway")
    assert administrator is not None and opened(app, administrator.value) is None


def opened(app: Flask, cookie: str) -> Pair | None:
    with app.test_request_context("/reports", headers={"Cookie": f"gateway={cookie}"}):
        g.person = sign_in.who()
        assert sign_in.reader() == Reader(sign_in.me().id, sign_in.key())
        return sign_in.key()


def test_a_passphrase_stands_for_ten_minutes_and_is_then_asked_for_again(
    app: Flask, clock: build.Clock, staff: dict[str, int]
) -> None:
    visitor = Visitor(app, "administrator")
    path = f"/people/{staff['worker']}"
    assert 'name="proof"' not in visitor.get(path).source
    clock.go(minutes=11)
    assert 'name="proof"' in visitor.get(path).source
    for typed, words in (
        (None, "Tapez encore une fois votre phrase de passe."),
        ("wrong", "Ce n'est pas votre phrase de passe."),
    ):
        page = visitor.post(path, {"do": "invite", **({"proof": typed} if typed else {})})
        assert page.status == 422 and words in page.text
        assert 'href="#proof-invite"' in page.source and 'id="proof-invite-wrong"' in page.source
    assert visitor.post(path, {"do": "invite", "proof": build.PASSPHRASE}).status == 200
    assert 'name="proof"' not in visitor.get(path).source


def test_the_passphrase_asked_for_again_cannot_be_guessed_either(
    app: Flask, clock: build.Clock, staff: dict[str, int]
) -> None:
    visitor = Visitor(app, "administrator")
    clock.go(minutes=11)
    path = f"/people/{staff['worker']}"
    for _ in range(FREE):
        assert "Ce n'est pas votre phrase" in visitor.post(path, {"do": "invite", "proof": "wrong"}).text
    assert SLOW in visitor.post(path, {"do": "invite", "proof": build.PASSPHRASE}).text
    clock.go(seconds=1)
    assert visitor.post(path, {"do": "invite", "proof": build.PASSPHRASE}).status == 200


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
        visitor = Visitor(app, Cookie=f"gateway={value}; gateway_known={value}")
        assert visitor.get("/reports").leads_to.startswith("/sign-in")


def test_only_who_is_signed_in_is_sent_on_from_the_sign_in_page(light: Runtime, staff: dict[str, int]) -> None:
    app = create_app(light)
    assert Visitor(app).get("/sign-in").status == 200
    assert Visitor(app, "worker").get("/sign-in").leads_to == "/"
