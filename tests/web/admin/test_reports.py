"""The inbox, and what is done with one report."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from gateway import desk
from gateway.casework import report, shelf
from gateway.casework.referral import HandOnReason
from gateway.casework.shelf import Shelf
from gateway.runtime import Runtime
from gateway.web.admin.reports import _position, _written
from tests import build
from tests.web.visitor import Visitor, file, first

URGENT, CHILD, HAZARD, MONEY, COMPLAINT = "1 1 1 1 1", "2 2 1 1 1", "3 2 2 2 1", "4 2 4 1 1", "2 2 6 1 1"


@pytest.fixture
def taken(app: Flask, light: Runtime, staff: dict[str, int]) -> int:
    """A report that the worker has taken."""
    file(light, CHILD)
    found = first(light, staff["worker"]).id
    desk.accept(light, build.reader(staff["worker"]), found)
    return found


# The inbox


def test_the_inbox_shows_the_most_urgent_first_with_its_clock_in_words(
    app: Flask, light: Runtime, clock: build.Clock
) -> None:
    file(light, MONEY, URGENT, HAZARD)
    page = Visitor(app, "supervisor").get("/reports")
    assert page.title == "Signalements"
    order = [page.text.index(word) for word in ("▲ Critique", "■ Sérieux", "● Normal")]
    assert order == sorted(order)
    assert "Les plus urgents d'abord" in page.text
    assert "Enfant en danger Kasulo Français aujourd'hui reste 15 min 10:15 Personne encore" in page.text
    clock.go(minutes=27)
    assert "dépassé de 12 min 10:15" in Visitor(app, "supervisor").get("/reports").text


def test_shelves_are_tabs_with_counts(app: Flask, light: Runtime, staff: dict[str, int]) -> None:
    file(light, CHILD, HAZARD, MONEY)
    worker = staff["worker"]
    desk.accept(light, build.reader(worker), first(light, worker).id)
    closing = first(light, worker).id
    desk.accept(light, build.reader(worker), closing)
    desk.close(light, build.reader(worker), closing, report.Outcome.HELPED)
    page = Visitor(app, "supervisor").get("/reports?shelf=in_work")
    assert "À prendre 1 Les miens 0 En cours 1 Clos 1" in page.text
    assert re.findall(r'shelf=(\w+)" aria-current="page"', page.source) == ["in_work"]
    assert "Worker" in page.text
    closed = Visitor(app, "worker").get("/reports?shelf=closed").text
    assert "Les derniers clos d'abord." in closed and "Clos le" in closed


def test_counts_stop_at_99(app: Flask, light: Runtime) -> None:
    file(light, *[MONEY] * 101)
    assert "À prendre 99+" in Visitor(app, "supervisor").get("/reports").text


def test_a_topic_filters_and_the_address_holds_the_state(app: Flask, light: Runtime) -> None:
    file(light, CHILD, HAZARD, MONEY)
    page = Visitor(app, "supervisor").get("/reports?shelf=to_take&topic=money")
    assert len(page.links(r"/reports/\d+")) == 1
    assert '<option value="money" selected>' in page.source
    unknown = Visitor(app, "supervisor").get("/reports?topic=unheard&shelf=nothing")
    assert len(unknown.links(r"/reports/\d+")) == 3


def test_pages_follow_each_other_without_a_gap_and_lead_back(app: Flask, light: Runtime) -> None:
    file(light, *[HAZARD, MONEY, CHILD] * 20)
    visitor = Visitor(app, "supervisor")
    page = visitor.get("/reports")
    seen: list[str] = []
    pages = 0
    while True:
        seen += page.links(r"/reports/\d+")
        pages += 1
        onward = page.links(r"/reports\?.*after=.*")
        if not onward:
            break
        page = visitor.get(onward[0])
        assert "Première page" in page.text
    assert pages == 3
    assert len(seen) == len(set(seen)) == 60


@pytest.mark.parametrize(
    "after",
    [
        "x",
        "P0-1",
        "P9-1-1",
        "P0-9999999999999999-9223372036854775808",
        "P0--1",
        "P0-1-1;",
        "P0-9999999999999999-9223372036854775807",
        "٣",
        "P0-1-1\n",
    ],
)
def test_a_garbled_position_is_no_error(app: Flask, light: Runtime, after: str) -> None:
    file(light, MONEY)
    assert Visitor(app, "supervisor").get(f"/reports?after={after}").status == 200
    assert Visitor(app, "supervisor").get(f"/reports?shelf=closed&after={after}").status == 200


@given(
    st.sampled_from(["P0", "P3"]),
    st.datetimes(min_value=build.START.replace(tzinfo=None)).map(lambda at: at.replace(tzinfo=build.START.tzinfo)),
    st.integers(1, 2**63 - 1),
)
def test_a_position_is_read_as_it_was_written(severity: str, due_at: datetime, report_id: int) -> None:
    position = (severity, due_at, report_id)
    assert _position(_written(position)) in (position, None)
    if due_at.year < 2200:
        assert _position(_written(position)) == position


@given(st.text(max_size=40))
def test_any_text_is_a_position_or_none(after: str) -> None:
    _position(after)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("?shelf=to_take", "Rien à prendre."),
        ("?shelf=mine", "Vous n'avez aucun signalement en cours."),
        ("?shelf=in_work", "Aucun signalement n'est en cours"),
        ("?shelf=closed", "Aucun signalement n'est encore clos"),
    ],
)
def test_an_empty_shelf_says_so(app: Flask, address: str, words: str) -> None:
    assert words in Visitor(app, "worker").get(f"/reports{address}").text


def test_a_filter_without_a_hit_can_be_cleared(app: Flask) -> None:
    page = Visitor(app, "worker").get("/reports?shelf=closed&topic=money")
    assert "Aucun signalement ici sur « Argent ou poids »." in page.text
    assert "/reports?shelf=closed" in page.links(r".*")


def test_who_may_not_see_a_report_sees_neither_its_row_nor_its_page(
    app: Flask, light: Runtime, staff: dict[str, int]
) -> None:
    file(light, COMPLAINT)
    hidden = first(light, staff["integrity"]).id
    for login in ("worker", "supervisor"):
        visitor = Visitor(app, login)
        assert str(hidden) not in visitor.get("/reports").source
        missing, other = visitor.get(f"/reports/{hidden}"), visitor.get("/reports/1")
        assert (missing.status, missing.text) == (404, other.text)
        assert visitor.post(f"/reports/{hidden}", {"do": "accept"}).status == 404
    assert Visitor(app, "integrity").get(f"/reports/{hidden}").status == 200
    assert Visitor(app, "administrator").get(f"/reports/{hidden}").status == 404


# One report


def test_a_report_shows_what_was_said_in_the_readers_language(
    app: Flask, light: Runtime, staff: dict[str, int]
) -> None:
    phone = build.Phone(light)
    phone.dial()
    phone.press("3", "2", "1", "1", "1", "1", "1", "2", "1", "2", "3", "1", "Batoto <b>babili</b>")
    file(light)
    row = first(light, staff["supervisor"])
    page = Visitor(app, "supervisor").get(f"/reports/{row.id}")
    assert page.title == "Un signalement"
    assert "Sujet Enfant au travail" in page.text
    assert "Lieu Kasulo" in page.text
    assert "Au fond du puits ajouté ensuite" in page.text
    assert '<q lang="sw-CD">Batoto &lt;b&gt;babili&lt;/b&gt;</q>' in page.source
    assert "aujourd'hui, Swahili" in page.text


def test_an_answer_that_was_changed_is_marked_and_the_newest_counts(
    app: Flask, light: Runtime, staff: dict[str, int]
) -> None:
    phone = build.urgent(light)
    phone.press("1", "1", "0", "2")
    file(light)
    text = Visitor(app, "supervisor").get(f"/reports/{first(light, staff['supervisor']).id}").text
    assert text.index("changé depuis") < text.index("Quoi précisément", text.index("changé depuis"))
    assert text.count("changé depuis") == 1


def test_a_part_that_does_not_open_is_said_and_the_rest_is_shown(app: Flask, light: Runtime, taken: int) -> None:
    with light.begin() as unit:
        found = report.lock(unit.db, taken)
        assert found is not None
        report.add(unit.db, light.vault, found, light.today(), b"not what we sealed")
    page = Visitor(app, "worker").get(f"/reports/{taken}")
    assert "1 partie ne peut pas être ouverte." in page.text
    assert "Enfant au travail" in page.text


def test_the_story_is_told_in_words(app: Flask, light: Runtime, taken: int) -> None:
    visitor = Visitor(app, "supervisor")
    for _ in range(3):
        page = visitor.get(f"/reports/{taken}")
    for step in ("Le signalement est arrivé", "Proposé à Worker", "Worker l'a pris", "Supervisor l'a ouvert"):
        assert step in page.text
    assert page.text.count("Supervisor l'a ouvert") == 1
    assert "21/11/2026 10:00" in page.text


def test_taking_a_report_moves_it_and_says_so_once(app: Flask, light: Runtime, staff: dict[str, int]) -> None:
    file(light, CHILD)
    found = first(light, staff["worker"]).id
    visitor = Visitor(app, "worker")
    page = visitor.get(f"/reports/{found}")
    assert page.source.count('class="primary"') == 1 and "Prendre ce signalement" in page.text
    done = visitor.post(f"/reports/{found}", {"do": "accept"})
    assert (done.status, done.leads_to) == (303, f"/reports/{found}")
    page = visitor.follow(done)
    assert "Vous avez pris ce signalement." in page.text and "Responsable Vous" in page.text
    assert page.source.count('class="primary"') == 1 and "Prendre ce signalement" not in page.text
    assert "Vous avez pris" not in visitor.get(f"/reports/{found}").text


def test_taking_twice_is_no_error(app: Flask, taken: int) -> None:
    visitor = Visitor(app, "worker")
    page = visitor.follow(visitor.post(f"/reports/{taken}", {"do": "accept"}))
    assert "Vous aviez déjà pris ce signalement." in page.text


def test_of_two_who_take_it_at_once_the_second_is_told(app: Flask, taken: int) -> None:
    page = Visitor(app, "supervisor").post(f"/reports/{taken}", {"do": "accept"})
    assert page.status == 422
    assert "Quelqu'un d'autre a pris ce signalement." in page.text
    assert "Responsable Worker" in page.text


def test_a_note_is_kept_and_shown(app: Flask, light: Runtime, taken: int) -> None:
    visitor = Visitor(app, "worker")
    page = visitor.follow(
        visitor.post(f"/reports/{taken}", {"do": "note", "words": "Vu.\r\nL'école est d'accord <i>"})
    )
    assert "Votre note est enregistrée." in page.text
    assert "Vu.\nL&#39;école est d&#39;accord &lt;i&gt;" in page.source
    assert "L'école" not in visitor.get("/reports").text


def test_a_note_that_is_refused_stays_in_its_field(app: Flask, taken: int) -> None:
    visitor = Visitor(app, "worker")
    long = "é" * (desk.NOTE_LETTERS + 1)
    page = visitor.post(f"/reports/{taken}", {"do": "note", "words": long})
    assert page.status == 422
    assert f"Au plus 2000 lettres ; cette note en a {desk.NOTE_LETTERS + 1}." in page.text
    assert long in page.source
    assert '<a href="#words">' in page.source and 'aria-invalid="true"' in page.source
    assert "La note est vide." in visitor.post(f"/reports/{taken}", {"do": "note"}).text


def test_handing_on_needs_a_reason_and_tells_the_colleague(
    app: Flask, light: Runtime, taken: int, staff: dict[str, int]
) -> None:
    visitor = Visitor(app, "worker")
    page = visitor.post(f"/reports/{taken}", {"do": "hand_on", "to": str(staff["supervisor"])})
    assert page.status == 422
    assert "Choisissez une raison." in page.text
    assert f'<option value="{staff["supervisor"]}" selected>' in page.source
    done = visitor.post(f"/reports/{taken}", {"do": "hand_on", "reason": "away", "to": str(staff["supervisor"])})
    page = visitor.follow(done)
    assert "Votre collègue est prévenu par SMS." in page.text
    assert "Worker l'a transmis" in page.text and "Proposé à Supervisor" in page.text


def test_what_was_handed_on_can_be_taken_by_the_colleague(
    app: Flask, light: Runtime, taken: int, staff: dict[str, int]
) -> None:
    desk.hand_on(light, build.reader(staff["worker"]), taken, HandOnReason.AWAY, staff["supervisor"])
    waiting = "Il a été transmis et attend qu'un collègue le prenne."
    assert waiting in Visitor(app, "worker").get(f"/reports/{taken}").text
    visitor = Visitor(app, "supervisor")
    page = visitor.get(f"/reports/{taken}")
    assert waiting in page.text and "Prendre ce signalement" in page.text
    assert f"/reports/{taken}" in visitor.get("/reports?shelf=to_take").source
    assert f"/reports/{taken}" not in visitor.get("/reports?shelf=in_work").source
    page = visitor.follow(visitor.post(f"/reports/{taken}", {"do": "accept"}))
    assert "Responsable Vous" in page.text and waiting not in page.text


def test_handing_on_to_somebody_outside_the_plan_is_refused(app: Flask, taken: int, staff: dict[str, int]) -> None:
    visitor = Visitor(app, "worker")
    page = visitor.post(
        f"/reports/{taken}", {"do": "hand_on", "reason": "away", "to": str(staff["administrator"])}
    )
    assert page.status == 422
    assert "Ce collègue ne peut pas prendre ce signalement." in page.text
    assert visitor.post(f"/reports/{taken}", {"do": "hand_on", "reason": "away", "to": "x"}).status == 400


def test_who_knows_somebody_in_it_loses_sight_of_it(app: Flask, taken: int) -> None:
    visitor = Visitor(app, "worker")
    done = visitor.post(
        f"/reports/{taken}", {"do": "hand_on", "reason": HandOnReason.KNOWS_SOMEBODY.value, "to": ""}
    )
    page = visitor.follow(done)
    assert done.leads_to == "/reports"
    assert "Vous ne le voyez plus." in page.text
    assert visitor.get(f"/reports/{taken}").status == 404


def test_closing_needs_a_reason_and_ends_the_forms(app: Flask, taken: int) -> None:
    visitor = Visitor(app, "worker")
    assert "Choisissez une raison." in visitor.post(f"/reports/{taken}", {"do": "close"}).text
    page = visitor.follow(visitor.post(f"/reports/{taken}", {"do": "close", "outcome": "helped"}))
    assert "Le signalement est clos." in page.text
    assert "Clos: Une aide a été apportée" in page.text
    assert 'name="do"' not in page.source
    again = visitor.post(f"/reports/{taken}", {"do": "close", "outcome": "helped"})
    assert again.status == 422 and "Ce signalement est déjà clos." in again.text
    taking = Visitor(app, "supervisor").post(f"/reports/{taken}", {"do": "accept"})
    assert taking.status == 422 and "Ce signalement est déjà clos." in taking.text


def test_only_who_took_it_closes_it(app: Flask, taken: int) -> None:
    visitor = Visitor(app, "supervisor")
    assert "Clore ce signalement" not in visitor.get(f"/reports/{taken}").text
    page = visitor.post(f"/reports/{taken}", {"do": "close", "outcome": "helped"})
    assert page.status == 422
    assert "Seule la personne qui a pris le signalement peut le clore." in page.text


def test_what_no_form_holds_is_refused(app: Flask, taken: int) -> None:
    visitor = Visitor(app, "worker")
    assert visitor.post(f"/reports/{taken}", {"do": "erase"}).status == 400
    assert visitor.post(f"/reports/{taken}").status == 400
    assert visitor.post(f"/reports/{taken}", {"do": "close", "outcome": "other"}).status == 422


def test_nothing_of_a_report_is_in_a_cookie_a_title_or_an_address(app: Flask, light: Runtime, taken: int) -> None:
    visitor = Visitor(app, "worker")
    visitor.post(f"/reports/{taken}", {"do": "note", "words": "mot-temoin"})
    cookie = visitor.client.get_cookie("gateway_form")
    assert cookie is not None and "mot-temoin" not in cookie.decoded_value
    page = visitor.get(f"/reports/{taken}")
    assert page.title == "Un signalement"
    with light.db.read() as db:
        (row,), _ = shelf.page(db, 1, Shelf.MINE)
    assert row.topic not in page.value("next")


def test_a_button_pressed_twice_on_a_slow_line_does_a_thing_once(
    app: Flask, light: Runtime, taken: int, staff: dict[str, int]
) -> None:
    visitor = Visitor(app, "worker")
    visitor.get(f"/reports/{taken}")
    for _ in range(2):
        assert visitor.post(f"/reports/{taken}", {"do": "note", "words": "Une visite est faite."}).status == 303
    assert visitor.get(f"/reports/{taken}").text.count("Une visite est faite.") == 1
    on: dict[str, str | list[str]] = {"do": "hand_on", "reason": "away", "to": ""}
    assert visitor.post(f"/reports/{taken}", on).status == 303
    again = visitor.post(f"/reports/{taken}", on)
    assert again.status == 422
    assert "Ce signalement a déjà été transmis." in again.text
