"""Sites: added, renamed, closed; their places never change."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import delete, select

from gateway.casework import site
from gateway.casework.journal import Entry
from gateway.runtime import Runtime
from tests.web.visitor import Visitor


def every(rt: Runtime) -> list[site.SiteRow]:
    with rt.db.read() as db:
        return site.every(db)


def test_sites_stand_in_the_order_of_the_phone_with_their_keys(app: Flask, light: Runtime) -> None:
    visitor = Visitor(app, "supervisor")
    for number in range(3, 8):
        visitor.post("/sites/new", {"name": f"Site {number}", "code": f"20{number}"})
    text = visitor.get("/sites").text
    for row in (
        "page 1, touche 1 Kasulo 101 Ouvert",
        "page 1, touche 5 Site 5 205",
        "page 2, touche 2 Site 7 207",
    ):
        assert row in text


def test_a_new_site_takes_the_next_key_and_says_when_callers_see_it(app: Flask, light: Runtime) -> None:
    visitor = Visitor(app, "administrator")
    page = visitor.follow(visitor.post("/sites/new", {"name": " Kapata  2 ", "code": "204"}))
    assert "On le verra au téléphone dans deux minutes." in page.text
    assert every(light)[-1] == site.SiteRow(3, "Kapata 2", "204", 3, True)
    with light.db.read() as db:
        assert list(db.scalars(select(Entry.subject_id).where(Entry.verb == "site_saved")))[-1] == 3


@pytest.mark.parametrize(
    ("name", "code", "field", "words"),
    [
        ("", "204", "name", "Donnez un nom au site."),
        ("Thirteen long", "204", "name", "Au plus 12 lettres"),
        ("Ŋoma", "204", "name", "Un téléphone ne peut pas afficher ces lettres : Ŋ."),
        ("A|B", "204", "name", "Employez seulement des lettres"),
        ("Kapata", "20", "code", "Le code compte trois chiffres"),
        ("Kapata", "2O4", "code", "Le code compte trois chiffres"),
        ("Kapata", "101", "code", "Un autre site a déjà ce code."),
    ],
)
def test_a_refused_site_is_told_at_the_field_and_loses_nothing(
    app: Flask, light: Runtime, name: str, code: str, field: str, words: str
) -> None:
    page = Visitor(app, "supervisor").post("/sites/new", {"name": name, "code": code})
    assert page.status == 422
    assert words in page.text and f'id="{field}-wrong"' in page.source
    assert (page.value("name"), page.value("code")) == (name, code)
    assert len(every(light)) == 2


def test_a_site_is_renamed_and_closed_but_keeps_its_place_and_code(app: Flask, light: Runtime) -> None:
    visitor = Visitor(app, "supervisor")
    assert "ne changent jamais" in visitor.get("/sites/1").text
    page = visitor.follow(visitor.post("/sites/1", {"name": "Kasulo Nord"}))
    for name in ("code", "phone_place"):
        assert visitor.post("/sites/1", {"name": "Kasulo Sud", name: "999"}).status == 400
    assert "Kasulo Nord 101 Fermé" in page.text
    assert every(light)[0] == site.SiteRow(1, "Kasulo Nord", "101", 1, False)
    visitor.post("/sites/1", {"name": "Kasulo Nord", "open": "on"})
    assert every(light)[0].open


def test_a_refused_name_keeps_what_was_chosen_beside_it(app: Flask, light: Runtime) -> None:
    page = Visitor(app, "supervisor").post("/sites/1", {"name": "Much too long a name"})
    assert page.status == 422
    assert page.value("name") == "Much too long a name"
    assert "checked" not in page.source
    assert every(light)[0].open


def test_a_site_that_is_not_there_has_no_page(app: Flask) -> None:
    visitor = Visitor(app, "supervisor")
    assert visitor.get("/sites/99").status == 404
    assert visitor.post("/sites/99", {"name": "x"}).status == 404


def test_no_site_yet_says_what_callers_can_do(app: Flask, light: Runtime) -> None:
    with light.begin() as unit:
        unit.db.execute(delete(site.Site))
    assert "Aucun site." in Visitor(app, "supervisor").get("/sites").text
