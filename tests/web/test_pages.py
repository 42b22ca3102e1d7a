"""What all pages share: headers, words, errors, weight."""

from __future__ import annotations

import gzip
import logging
from dataclasses import replace

import pytest
from flask import Flask

from gateway.app import create_app
from gateway.runtime import Runtime
from gateway.web.pages import HEADERS
from tests import build
from tests.web.visitor import Visitor, file

PAGES = ("/", "/sign-in", "/reports", "/people", "/people/new", "/sites", "/sites/new", "/nothing", "/healthz")


@pytest.mark.parametrize("path", PAGES)
def test_every_page_tells_the_browser_to_be_careful(app: Flask, path: str) -> None:
    for visitor in (Visitor(app), Visitor(app, "supervisor")):
        page = visitor.get(path)
        for name, value in HEADERS.items():
            assert page.headers[name] == value
        assert "script" not in page.source
        assert " style=" not in page.source


def test_the_style_is_kept_for_ever_under_the_address_that_names_its_content(app: Flask) -> None:
    visitor = Visitor(app)
    (address,) = visitor.get("/sign-in").links(r"/static/.*")
    assert "immutable" in visitor.get(address).headers["Cache-Control"]
    assert visitor.get("/static/gateway.css").headers["Cache-Control"] == "no-cache"
    assert visitor.get("/static/other.css").headers["Cache-Control"] == "no-cache"


def test_https_brings_secure_cookies_and_strict_transport(light: Runtime, staff: dict[str, int]) -> None:
    light = replace(light, settings=replace(light.settings, public_url="https://gateway.example"))
    visitor = Visitor(create_app(light))
    assert "max-age=" in visitor.get("/sign-in").headers["Strict-Transport-Security"]
    entered = visitor.sign_in("worker")
    cookies = entered.headers.getlist("Set-Cookie")
    (session,) = [cookie for cookie in cookies if cookie.startswith("__Host-gateway=")]
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Strict"} <= {part.strip() for part in session.split(";")}
    assert "Domain" not in session
    chosen = visitor.post("/language", {"language": "en"})
    for cookie in cookies + chosen.headers.getlist("Set-Cookie"):
        assert "Secure" in cookie


def test_plain_http_works_on_this_machine(app: Flask) -> None:
    visitor = Visitor(app)
    page = visitor.sign_in("worker")
    (session,) = [cookie for cookie in page.headers.getlist("Set-Cookie") if cookie.startswith("gateway=")]
    assert "HttpOnly" in session and "Secure" not in session
    assert "Strict-Transport-Security" not in page.headers


def test_french_is_the_default_and_the_choice_of_english_is_kept_without_signing_in(app: Flask) -> None:
    visitor = Visitor(app, **{"Accept-Language": "en"})
    assert '<html lang="fr">' in visitor.get("/sign-in").source
    chosen = visitor.post("/language", {"language": "en", "next": "/sign-in?next=/sites"})
    assert (chosen.status, chosen.leads_to) == (303, "/sign-in?next=/sites")
    page = visitor.get("/sign-in")
    assert '<html lang="en">' in page.source
    assert "Passphrase" in page.text and "Phrase de passe" not in page.text
    visitor.post("/language", {"language": "klingon"})
    assert '<html lang="en">' in visitor.get("/sign-in").source


def test_a_choice_of_language_leads_back_to_the_same_shelf_and_never_elsewhere(app: Flask) -> None:
    visitor = Visitor(app, "supervisor")
    assert visitor.get("/reports?shelf=closed&topic=money").value("next") == "/reports?shelf=closed&topic=money"
    for elsewhere in (
        "https://example.org/",
        "//example.org/",
        "/\\example.org",
        "javascript:1",
        "/\t/example.org",
        "",
    ):
        assert visitor.post("/language", {"language": "fr", "next": elsewhere}).leads_to == "/"


def test_the_first_page_is_that_of_the_role(app: Flask) -> None:
    assert Visitor(app).get("/").leads_to == "/sign-in"
    for login, home in (
        ("worker", "/reports"),
        ("supervisor", "/reports"),
        ("integrity", "/reports"),
        ("administrator", "/people"),
    ):
        assert Visitor(app, login).get("/").leads_to == home


def test_the_demonstration_says_so_on_every_page(light: Runtime, staff: dict[str, int]) -> None:
    demo = create_app(replace(light, settings=replace(light.settings, demo=True)))
    visitor = Visitor(demo, "supervisor")
    for path in (*PAGES[2:-1], "/phone", "/reports/1"):
        assert "Démonstration : données fictives" in visitor.get(path).text
    assert "Démonstration" not in Visitor(create_app(light)).get("/sign-in").text


def test_a_form_without_its_token_is_refused_in_plain_words(app: Flask) -> None:
    visitor = Visitor(app, "worker")
    page = visitor.post("/sign-out", token="forged")
    assert page.status == 400
    assert "Cet envoi n'a pas pu être lu" in page.text
    assert visitor.get("/reports").status == 200


@pytest.mark.parametrize(
    ("path", "method", "status", "words"),
    [
        ("/nothing", "GET", 404, "Il n'y a rien ici"),
        ("/reports/9223372036854775808", "GET", 404, "Il n'y a rien ici"),
        ("/language", "GET", 405, "Cette page ne s'emploie pas ainsi"),
        ("/hooks/a/b/c/d", "GET", 404, "Il n'y a rien ici"),
    ],
)
def test_errors_are_pages_in_the_readers_language(
    app: Flask, path: str, method: str, status: int, words: str
) -> None:
    page = Visitor(app, "supervisor").get(path)
    assert page.status == status
    assert words in page.text
    assert '<html lang="fr">' in page.source


def test_a_post_that_is_far_too_long_is_refused(app: Flask) -> None:
    page = Visitor(app).post("/sign-in", {"login": "x" * 70_000})
    assert page.status == 413
    assert "C'est trop long" in page.text


def test_a_fault_shows_no_detail_and_logs_no_words(
    light: Runtime, staff: dict[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(light)

    def broken() -> str:
        raise RuntimeError("+243990000001 said something")

    app.add_url_rule("/broken", "broken", broken)
    with caplog.at_level(logging.INFO):
        page = Visitor(app).get("/broken")
    assert page.status == 500
    assert "Une erreur est survenue de notre côté" in page.text
    assert "243" not in page.source and "RuntimeError" not in page.source
    assert [(record.name, record.getMessage()) for record in caplog.records] == [("gateway", "page.failed")]


def test_browsers_that_ask_for_an_icon_ask_once(app: Flask) -> None:
    page = Visitor(app).get("/favicon.ico")
    assert (page.status, page.body) == (204, b"")
    assert "immutable" in page.headers["Cache-Control"]


def test_a_first_visit_weighs_at_most_30_kb_and_a_later_page_8(
    light: Runtime, staff: dict[str, int], app: Flask
) -> None:
    file(light, *["2 1 1 1 1", "3 2 2 2 1", "4 2 4 1 1"] * 9)
    visitor = Visitor(app, "supervisor")
    page = visitor.get("/reports")
    assert len(page.links(r"/reports/\d+")) == 25
    requested = ["/reports", *page.links(r"/static/.*"), "/favicon.ico"]
    assert len(requested) <= 4 and "<img" not in page.source
    packed = [visitor.get(path, **{"Accept-Encoding": "gzip"}) for path in requested]
    assert [each.headers.get("Content-Encoding") for each in packed] == ["gzip", "gzip", None]
    assert sum(len(each.body) for each in packed) <= 30_000
    assert len(packed[0].body) <= 8_000
    assert len(packed[1].body) <= 6_000
    (report, *_) = page.links(r"/reports/\d+")
    for path in (report, "/people", "/people/new", "/sites", f"/people/{staff['worker']}"):
        assert len(visitor.get(path, **{"Accept-Encoding": "gzip"}).body) <= 8_000


def test_what_is_packed_is_what_would_have_been_sent(app: Flask) -> None:
    visitor = Visitor(app)
    (address,) = visitor.get("/sign-in").links(r"/static/.*")
    packed = visitor.get(address, **{"Accept-Encoding": "gzip, br"})
    assert packed.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(packed.body) == visitor.get(address).body
    assert "Content-Encoding" not in visitor.get(address, **{"Accept-Encoding": "gzip;q=0"}).headers


def test_the_hooks_need_no_token_of_a_form(light: Runtime, app: Flask) -> None:
    answer = app.test_client().post(f"/hooks/{build.SECRET}/africastalking/ussd-ended", data={})
    assert answer.status_code == 200
