"""The demonstration's phone: the same road as a real one."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from gateway.app import create_app
from gateway.casework import report, shelf
from gateway.later.sweep import sweep
from gateway.providers.simulator import Simulator
from gateway.runtime import Runtime
from tests import build
from tests.web.visitor import Page, Visitor

FIELDS = ("caller", "session", "text", "hops")


@pytest.fixture
def rt(tmp_path: Path) -> Iterator[Runtime]:
    """The runtime of a demonstration."""
    made = build.runtime(tmp_path, demo=True)
    build.staff(made)
    build.sites(made, "Kasulo", "Mashamba")
    yield made
    made.close()


@pytest.fixture
def handset(rt: Runtime) -> Handset:
    return Handset(create_app(rt))


class Handset(Visitor):
    """Somebody with the page of the phone open."""

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self.page = self.get("/phone")

    def do(self, **pressed: str) -> str:
        """Press a button; returns the screen."""
        held: dict[str, str | list[str]] = {name: self.page.value(name) for name in FIELDS}
        self.page = self.post("/phone", {**held, **pressed})
        assert self.page.status == 200
        return self.screen

    def keys(self, *keys: str) -> str:
        return [self.do(key=key) for key in keys][-1]

    @property
    def screen(self) -> str:
        (shown,) = re.findall(r"<pre[^>]*>(.*?)</pre>", self.page.source, re.DOTALL)
        return html.unescape(shown)


def reports(rt: Runtime) -> list[shelf.Row]:
    """What the supervisor can take once every report has been brought to somebody."""
    sweep(rt)
    with rt.db.read() as db:
        return shelf.page(db, 2, shelf.Shelf.TO_TAKE)[0]


def test_six_presses_file_an_urgent_report(rt: Runtime, handset: Handset) -> None:
    assert handset.screen == build.CODE
    assert handset.do(do="dial").startswith("Info Mine")
    screen = handset.keys(*"11111")
    assert screen.startswith("Bien arrivé.")
    (row,) = reports(rt)
    assert (row.topic, row.severity, row.site) == ("danger_child", "P0", "Kasulo")


def test_it_shows_how_much_of_a_screen_is_used(handset: Handset) -> None:
    handset.do(do="dial")
    assert re.search(r"\d+/160", handset.page.text)


def test_several_digits_and_words_are_typed_and_sent(handset: Handset) -> None:
    handset.do(do="dial")
    handset.keys("2", "2", "1", "6")
    assert "101" not in handset.screen
    assert "Kasulo" in handset.do(typed="101", do="send")


def test_sending_nothing_shows_the_same_screen_again(handset: Handset) -> None:
    handset.do(do="dial")
    shown = handset.keys("2", "2")
    assert handset.do(typed="", do="send") == shown


def test_pressing_reload_files_nothing_twice(rt: Runtime, handset: Handset) -> None:
    handset.do(do="dial")
    handset.keys(*"1111")
    before = handset.page
    shown = handset.do(key="1")
    handset.page = before
    assert handset.do(key="1") == shown
    assert len(reports(rt)) == 1


def test_hanging_up_ends_the_session_and_dispatches_at_once(rt: Runtime, handset: Handset) -> None:
    handset.do(do="dial")
    handset.keys("2", "2", "1", "1", "1")
    assert handset.do(do="hang_up") == build.CODE
    with rt.db.read() as db:
        assert len(report.to_dispatch(db, rt.now(), 10)) == 1
    assert handset.do(key="1") == build.CODE


def test_an_end_leaves_its_screen_and_takes_no_more_keys(handset: Handset) -> None:
    handset.do(do="dial")
    handset.keys("2")
    end = handset.do(typed="99")
    assert "La session est finie" in handset.page.text
    assert handset.page.value("session") == ""
    assert end.startswith("Info Mine")
    assert handset.do(do="dial") != end


def test_every_call_is_a_session_of_its_own_from_the_same_invented_number(handset: Handset) -> None:
    handset.do(do="dial")
    first = {name: handset.page.value(name) for name in FIELDS}
    handset.do(do="dial")
    assert handset.page.value("session") != first["session"]
    assert handset.page.value("caller") == first["caller"]
    assert first["caller"].startswith("+2430009")


@pytest.mark.parametrize(
    "held",
    [
        {"caller": "+243990000001"},
        {"caller": ""},
        {"session": "ATUid_x"},
        {"hops": "x"},
        {"text": "\ud800".encode("utf-8", "replace").decode()},
        {"text": "*" * 5000},
    ],
)
def test_fields_that_are_not_ours_break_nothing(rt: Runtime, handset: Handset, held: dict[str, str]) -> None:
    handset.do(do="dial")
    fields: dict[str, str | list[str]] = {name: handset.page.value(name) for name in FIELDS}
    page = handset.post("/phone", {**fields, **held, "key": "1"})
    assert page.status == 200
    assert page.value("caller").startswith("+2430009")
    assert reports(rt) == []


def test_nothing_of_a_call_is_in_an_address_or_a_cookie(handset: Handset) -> None:
    handset.do(do="dial")
    caller, session = handset.page.value("caller"), handset.page.value("session")
    assert "?" not in "".join(handset.page.links("/phone.*"))
    for name in ("gateway_form", "gateway"):
        cookie = handset.client.get_cookie(name)
        assert cookie is None or not {caller, session} & {cookie.value, cookie.decoded_value}
    assert handset.get(f"/phone?caller={caller}").value("caller") != caller


def test_the_phone_alone_frames_its_own_list_of_sms(handset: Handset) -> None:
    policy = handset.page.headers["Content-Security-Policy"]
    assert "frame-src 'self'" in policy and "frame-ancestors 'none'" in policy
    framed = handset.get("/phone/sms").headers["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in framed and "frame-src" not in framed


def listed(rt: Runtime, at_url: str | None) -> Page:
    return Visitor(create_app(replace(rt, settings=replace(rt.settings, at_url=at_url)))).get("/phone/sms")


def test_the_sms_that_arrived_are_listed_newest_first_and_kept_fresh(rt: Runtime) -> None:
    with Simulator() as simulator:
        for message in ("first message", "second message"):
            simulator.take({"username": ["sandbox"], "to": ["+243000000001"], "message": [message]})
        page = listed(rt, simulator.url)
    assert page.text.index("second message") < page.text.index("first message")
    assert '<meta http-equiv="refresh" content="2">' in page.source


def test_a_simulator_that_does_not_answer_is_said(rt: Runtime) -> None:
    with Simulator() as simulator:
        url = simulator.url
    assert "Le simulateur de SMS ne répond pas." in listed(rt, url).text


def test_sms_to_a_real_provider_are_not_shown(rt: Runtime) -> None:
    page = listed(rt, None)
    assert "Les SMS partent chez le vrai opérateur" in page.text
    assert "refresh" not in page.source


def test_a_newcomer_is_told_what_to_do_in_both_languages(handset: Handset) -> None:
    assert "Appuyez sur Appeler, puis cinq fois sur 1" in handset.page.text
    assert "/reports" in handset.page.links(".*")
    handset.post("/language", {"language": "en", "next": "/phone"})
    assert "Press the call key, then 1 five times" in handset.get("/phone").text
