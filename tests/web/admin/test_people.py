"""The people who work here: who may change whom, and what is shown when."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import select

from gateway.casework import account, caseworker
from gateway.casework.caseworker import Role
from gateway.casework.journal import Entry
from gateway.runtime import Runtime
from tests.web.visitor import Page, Visitor

Fields = dict[str, str | list[str]]
NEW: Fields = {
    "name": "New Person",
    "login": "new.person",
    "role": "case_worker",
    "number": "+243 99 000 0123",
    "sms_language": "ln",
    "languages": ["fr", "ln"],
    "lanes": ["child", "safety"],
    "sites": ["2"],
    "active": "on",
}


def passphrase(page: Page) -> str:
    (found,) = re.findall(r'class="passphrase">([^<]+)<', page.source)
    return str(found)


def everybody(rt: Runtime) -> dict[str, caseworker.Person]:
    with rt.db.read() as db:
        return {person.name: person for person in caseworker.every(db)}


def test_the_list_shows_who_does_what_and_no_number(app: Flask) -> None:
    page = Visitor(app, "administrator").get("/people")
    for words in (
        "Worker Conseiller",
        "Supervisor Superviseur",
        "Integrity Chargé d'intégrité",
        "Français, Swahili, Lingala",
        "Tous les sites",
        "En service",
    ):
        assert words in page.text
    assert "243" not in page.source


def test_an_added_person_can_sign_in_with_the_passphrase_shown_once(app: Flask, light: Runtime) -> None:
    administrator = Visitor(app, "administrator")
    page = administrator.post("/people/new", NEW)
    assert page.status == 200
    assert "Elle n'est montrée que cette fois." in page.text
    shown = passphrase(page)
    person = everybody(light)["New Person"]
    assert (person.role, person.lanes, person.sites) == (
        Role.CASE_WORKER,
        frozenset({"child", "safety"}),
        frozenset({2}),
    )
    assert (person.languages, person.sms_language, person.active) == (frozenset({"fr", "ln"}), "ln", True)
    assert Visitor(app).sign_in("new.person", shown).status == 303
    assert shown not in administrator.get(f"/people/{person.id}").source
    again = administrator.post("/people/new", NEW)
    assert again.status == 422 and len(everybody(light)) == 5


def test_a_number_is_shown_on_the_persons_own_page_only(app: Flask, light: Runtime) -> None:
    administrator = Visitor(app, "administrator")
    administrator.post("/people/new", NEW)
    person = everybody(light)["New Person"].id
    assert administrator.get(f"/people/{person}").value("number") == "+243990000123"
    assert "990000123" not in administrator.get("/people").source


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"name": ""}, "name", "Donnez un nom de 80 lettres au plus."),
        ({"number": "099"}, "number", "Écrivez le numéro avec +"),
        ({"lanes": []}, "lanes", "Choisissez au moins un type de signalement."),
        ({"languages": []}, "languages", "Choisissez au moins une langue."),
        ({"login": "worker"}, "login", "Une autre personne se connecte avec ce nom."),
        ({"login": "É!"}, "login", "Employez 2 à 39 caractères"),
    ],
)
def test_a_refused_person_is_told_at_the_field_and_loses_nothing(
    app: Flask, light: Runtime, changes: Fields, field: str, words: str
) -> None:
    typed = {**NEW, **changes}
    page = Visitor(app, "administrator").post("/people/new", typed)
    assert page.status == 422
    assert words in page.text
    assert (
        f'href="#{field}"' in page.source
        and f'id="{field}"' in page.source
        and f'id="{field}-wrong"' in page.source
    )
    for name in ("name", "login", "number"):
        assert page.value(name) == typed[name]
    for name in ("lanes", "languages", "sites"):
        for value in typed[name]:
            assert re.search(rf'name="{name}" value="{value}" checked', page.source)
    assert "New Person" not in everybody(light)


def test_a_change_is_saved_and_journalled(app: Flask, light: Runtime, staff: dict[str, int]) -> None:
    visitor = Visitor(app, "supervisor")
    changed = {**NEW, "do": "save", "name": "Worker Two", "login": "worker.two"}
    page = visitor.follow(visitor.post(f"/people/{staff['worker']}", changed))
    assert "Enregistré." in page.text and "Worker Two" in page.text
    with light.db.read() as db:
        assert account.login_of(db, staff["worker"]) == "worker.two"
        entries = db.execute(select(Entry.actor_id, Entry.subject_id).where(Entry.verb == "person_saved")).all()
    assert [tuple(entry) for entry in entries] == [(staff["supervisor"], staff["worker"])]


def test_a_refused_change_changes_nothing(app: Flask, light: Runtime, staff: dict[str, int]) -> None:
    page = Visitor(app, "supervisor").post(
        f"/people/{staff['worker']}", {**NEW, "do": "save", "name": "Renamed", "login": "supervisor"}
    )
    assert page.status == 422
    assert page.value("name") == "Renamed"
    assert "Worker" in everybody(light)


def test_a_new_passphrase_ends_the_old_one_and_every_session(app: Flask, staff: dict[str, int]) -> None:
    worker = Visitor(app, "worker")
    page = Visitor(app, "supervisor").post(f"/people/{staff['worker']}", {"do": "passphrase"})
    assert "L'ancienne phrase ne marche plus" in page.text
    assert worker.get("/reports").status == 302
    assert worker.sign_in("worker").status == 422
    assert worker.sign_in("worker", passphrase(page)).status == 303


def test_somebody_not_at_work_cannot_sign_in(app: Flask, staff: dict[str, int]) -> None:
    leaving = {name: value for name, value in NEW.items() if name != "active"}
    Visitor(app, "supervisor").post(f"/people/{staff['worker']}", {**leaving, "login": "worker", "do": "save"})
    assert Visitor(app).sign_in("worker").status == 422


def test_the_last_who_answers_for_reports_stays(app: Flask, light: Runtime, staff: dict[str, int]) -> None:
    page = Visitor(app, "administrator").post(
        f"/people/{staff['supervisor']}", {**NEW, "do": "save", "login": "supervisor", "name": "Supervisor"}
    )
    assert page.status == 422
    assert "Personne d'autre n'a ce rôle" in page.text
    assert everybody(light)["Supervisor"].role is Role.SUPERVISOR


@pytest.mark.parametrize("whom", ["integrity", "administrator"])
def test_a_supervisor_changes_neither_those_who_watch_nor_those_who_run(
    app: Flask, staff: dict[str, int], whom: str
) -> None:
    visitor = Visitor(app, "supervisor")
    assert f"/people/{staff[whom]}" not in visitor.get("/people").links(".*")
    assert visitor.get(f"/people/{staff[whom]}").status == 404
    assert visitor.post(f"/people/{staff[whom]}", {"do": "passphrase"}).status == 404
    assert (
        visitor.post("/people/new", {**NEW, "role": {"integrity": "integrity_officer"}.get(whom, whom)}).status
        == 400
    )
    assert visitor.post(f"/people/{staff['worker']}", {**NEW, "do": "save", "role": "administrator"}).status == 400


def test_nobody_gives_themselves_another_role(app: Flask, light: Runtime, staff: dict[str, int]) -> None:
    visitor = Visitor(app, "administrator")
    page = visitor.get(f"/people/{staff['administrator']}")
    assert 'name="role"' not in page.source and 'name="active"' not in page.source
    visitor.post(
        f"/people/{staff['administrator']}",
        {"do": "save", "name": "Administrator", "login": "administrator", "role": "supervisor"},
    )
    person = everybody(light)["Administrator"]
    assert (person.role, person.active) == (Role.ADMINISTRATOR, True)


def test_who_is_not_there_has_no_page(app: Flask) -> None:
    visitor = Visitor(app, "administrator")
    assert visitor.get("/people/999").status == 404
    assert visitor.post("/people/999", {"do": "passphrase"}).status == 404
    assert visitor.get("/people/99999999999").status == 404


def test_what_no_form_holds_is_refused_or_left_out(app: Flask, light: Runtime, staff: dict[str, int]) -> None:
    visitor = Visitor(app, "administrator")
    assert visitor.post(f"/people/{staff['worker']}", {"do": "erase"}).status == 400
    odd: Fields = {
        **NEW,
        "lanes": ["child", "integrity", "x"],
        "languages": ["fr", "xx"],
        "sites": ["1", "77", "x"],
        "sms_language": "xx",
    }
    assert visitor.post("/people/new", odd).status == 200
    person = everybody(light)["New Person"]
    assert (person.lanes, person.languages, person.sites, person.sms_language) == (
        frozenset({"child"}),
        frozenset({"fr"}),
        frozenset({1}),
        "fr",
    )
