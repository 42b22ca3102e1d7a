"""The people who work here: who may change whom, and what is shown when."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import select

from gateway.casework import account, caseworker, joining, journal
from gateway.casework.caseworker import Role
from gateway.casework.journal import Entry
from gateway.casework.verb import Verb
from gateway.runtime import Runtime
from tests import build
from tests.web.visitor import Fields, Page, Visitor, file, first

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
    "organisation": "1",
}
FROM_A_SUPERVISOR: Fields = {name: value for name, value in NEW.items() if name != "organisation"}
"""What a form holds whose reader places nobody in an organisation."""


def invitation(page: Page) -> str:
    (found,) = re.findall(r'class="secret">([^<]+)<', page.source)
    return str(found)


def everybody(rt: Runtime) -> dict[str, caseworker.Person]:
    with rt.db.read() as db:
        return {person.name: person for person in caseworker.every(db)}


def test_the_list_shows_who_does_what_and_no_number(app: Flask) -> None:
    page = Visitor(app, "administrator").get("/people")
    for words in (
        "Worker Conseiller",
        "Supervisor Superviseur",
        "Integrity Responsable de l'intégrité",
        "Français, Swahili, Lingala",
        "Tous les sites",
        "En service",
    ):
        assert words in page.text
    assert "243" not in page.source


def test_an_added_person_is_invited_and_the_invitation_is_shown_once(app: Flask, light: Runtime) -> None:
    administrator = Visitor(app, "administrator")
    page = administrator.post("/people/new", NEW)
    assert page.status == 200
    shown = invitation(page)
    assert "http://localhost:8000/join" in page.text and "new.person" in page.text
    assert "28/11/2026" in page.text, "a week from now"
    person = everybody(light)["New Person"]
    assert (person.role, person.lanes, person.sites) == (
        Role.CASE_WORKER,
        frozenset({"child", "safety"}),
        frozenset({2}),
    )
    assert (person.languages, person.sms_language, person.active) == (frozenset({"fr", "ln"}), "ln", True)
    assert Visitor(app).sign_in("new.person").status == 422, "there is nothing to sign in with yet"
    assert Visitor(app).post("/join", {"login": "new.person", "invitation": shown}).status == 303
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
    changed = {**FROM_A_SUPERVISOR, "do": "save", "name": "Worker Two", "login": "worker.two"}
    page = visitor.follow(visitor.post(f"/people/{staff['worker']}", changed))
    assert "Enregistré." in page.text and "Worker Two" in page.text
    with light.db.read() as db:
        assert account.login_of(db, staff["worker"]) == "worker.two"
        entries = db.execute(select(Entry.actor_id, Entry.subject_id).where(Entry.verb == "person_saved")).all()
    assert [tuple(entry) for entry in entries] == [(staff["supervisor"], staff["worker"])]


def test_a_refused_change_changes_nothing(app: Flask, light: Runtime, staff: dict[str, int]) -> None:
    page = Visitor(app, "supervisor").post(
        f"/people/{staff['worker']}", {**FROM_A_SUPERVISOR, "do": "save", "name": "Renamed", "login": "supervisor"}
    )
    assert page.status == 422
    assert page.value("name") == "Renamed"
    assert "Worker" in everybody(light)


def test_a_new_invitation_leaves_what_is_there_until_it_is_used(app: Flask, staff: dict[str, int]) -> None:
    worker, supervisor = Visitor(app, "worker"), Visitor(app, "supervisor")
    page = supervisor.post(f"/people/{staff['worker']}", {"do": "invite"})
    assert "jusqu'à ce que l'invitation serve" in page.text
    assert worker.get("/reports").status == 200
    assert Visitor(app).post("/join", {"login": "worker", "invitation": invitation(page)}).status == 303
    assert worker.get("/reports").status == 200


def test_nobody_invites_themselves(app: Flask, staff: dict[str, int]) -> None:
    visitor, path = Visitor(app, "administrator"), f"/people/{staff['administrator']}"
    assert 'value="invite"' not in visitor.get(path).source
    assert visitor.post(path, {"do": "invite"}).status == 422


@pytest.mark.parametrize("by", ["integrity", "supervisor"])
def test_a_key_is_confirmed_by_somebody_who_did_not_invite(
    app: Flask, light: Runtime, staff: dict[str, int], by: str
) -> None:
    inviter, second = Visitor(app, "administrator"), Visitor(app, by)
    joined(light, inviter, "supervisor" if by == "integrity" else "integrity", staff)
    person = staff["supervisor" if by == "integrity" else "integrity"]
    path = f"/people/{person}"
    assert "Clé à confirmer" in second.get("/people").text
    page = inviter.get(path)
    assert "Vous avez invité cette personne" in page.text and 'value="confirm"' not in page.source
    number = second.get(path).value("fingerprint")
    assert re.fullmatch(r"(\d{4} ){4}\d{4}", number)
    assert inviter.post(path, {"do": "confirm", "fingerprint": number}).status == 404, "and is no reader"
    assert not confirmed(light, person)
    assert second.post(path, {"do": "confirm", "fingerprint": "0000 0000 0000 0000 0000"}).status == 422
    assert not confirmed(light, person)
    done = second.follow(second.post(path, {"do": "confirm", "fingerprint": number}))
    assert done.status == 200 and confirmed(light, person)
    assert "Clé à confirmer" not in second.get("/people").text
    with light.db.read() as db:
        entries = db.execute(select(Entry.actor_id, Entry.subject_id).where(Entry.verb == "key_confirmed")).all()
    assert [tuple(entry) for entry in entries] == [(staff[by], person)]


def joined(rt: Runtime, inviter: Visitor, login: str, staff: dict[str, int]) -> None:
    """Somebody is invited and joins anew."""
    assert inviter.post(f"/people/{staff[login]}", {"do": "invite"}).status == 200
    with rt.begin() as unit:
        account.enrolled(unit.db, staff[login], build.enrolment(staff[login]))
        journal.write(unit.db, rt.now(), Verb.JOINED, actor=staff[login])


def confirmed(rt: Runtime, person: int) -> bool:
    with rt.db.read() as db:
        found = caseworker.one(db, person)
    return found is not None and joining.confirmed(rt.vault, found)


def test_who_only_confirms_sees_no_number_and_changes_nothing(
    app: Flask, light: Runtime, staff: dict[str, int]
) -> None:
    visitor = Visitor(app, "integrity")
    assert "/people/new" not in visitor.get("/people").source
    assert visitor.get("/people/new").status == 404
    assert visitor.post("/people/new", NEW).status == 404
    path = f"/people/{staff['worker']}"
    page = visitor.get(path)
    assert page.status == 200 and "243" not in page.source.replace(light.settings.public_url, "")
    assert 'name="number"' not in page.source and 'value="invite"' not in page.source
    for do in ("save", "invite"):
        assert visitor.post(path, {**NEW, "do": do}).status == 404
    assert everybody(light)["Worker"].id == staff["worker"]
    assert visitor.get(f"/people/{staff['administrator']}").status == 404
    worker = Visitor(app, "worker")
    assert worker.get("/people").status == worker.get(path).status == 404


def test_whoever_moves_to_the_office_loses_their_key_and_gets_none_by_moving_back(
    app: Flask, light: Runtime, staff: dict[str, int]
) -> None:
    worker, administrator = Visitor(app, "worker"), Visitor(app, "administrator")
    path = f"/people/{staff['worker']}"
    moved: Fields = {**NEW, "do": "save", "name": "Worker", "login": "worker"}
    assert administrator.post(path, {**moved, "role": "supervisor"}).status == 303
    assert not confirmed(light, staff["worker"]), "nobody vouched for a supervisor"
    assert everybody(light)["Worker"].public is not None, "the key stays, to be confirmed once more"
    assert administrator.post(path, {**moved, "role": "technician", "number": ""}).status == 303
    assert everybody(light)["Worker"].public is None
    assert worker.get("/account").status == 302
    assert worker.sign_in("worker").status == 303
    assert worker.get("/account").status == 200 and worker.get("/reports").status == 404
    assert administrator.post(path, {**moved, "role": "case_worker"}).status == 303
    assert everybody(light)["Worker"].public is None


def test_whoever_comes_back_does_not_find_an_old_session_open(app: Flask, staff: dict[str, int]) -> None:
    worker, supervisor = Visitor(app, "worker"), Visitor(app, "supervisor")
    path = f"/people/{staff['worker']}"
    here: Fields = {**FROM_A_SUPERVISOR, "do": "save", "login": "worker"}
    away = {name: value for name, value in here.items() if name != "active"}
    for fields in (away, here):
        assert supervisor.post(path, fields).status == 303
    assert worker.get("/reports").status == 302


def test_what_was_typed_outlives_the_question_for_the_passphrase(
    app: Flask, light: Runtime, clock: build.Clock
) -> None:
    visitor = Visitor(app, "administrator")
    clock.go(minutes=11)
    page = visitor.post("/people/new", NEW)
    assert page.status == 422 and 'href="#proof-save"' in page.source
    assert page.value("name") == "New Person" and page.value("number") == NEW["number"]
    assert "New Person" not in everybody(light)
    assert visitor.post("/people/new", {**NEW, "proof": build.PASSPHRASE}).status == 200


def test_somebody_not_at_work_cannot_sign_in(app: Flask, staff: dict[str, int]) -> None:
    leaving = {name: value for name, value in FROM_A_SUPERVISOR.items() if name != "active"}
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
    visitor, path = Visitor(app, "supervisor"), f"/people/{staff[whom]}"
    seen = visitor.get(path)
    assert seen.status == (200 if whom == "integrity" else 404)
    assert 'name="number"' not in seen.source
    assert (path in visitor.get("/people").links(".*")) is (whom == "integrity")
    forms: tuple[Fields, ...] = ({**FROM_A_SUPERVISOR, "do": "save"}, {"do": "invite"})
    for typed in forms:
        assert visitor.post(path, typed).status == 404
    role = {"integrity": "integrity_officer"}.get(whom, whom)
    assert visitor.post("/people/new", {**FROM_A_SUPERVISOR, "role": role}).status == 400
    assert (
        visitor.post(
            f"/people/{staff['worker']}", {**FROM_A_SUPERVISOR, "do": "save", "role": "administrator"}
        ).status
        == 400
    )


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
    assert visitor.post("/people/999", {"do": "invite"}).status == 404
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


def test_a_supervisor_changes_nobody_of_another_organisation(
    app: Flask, light: Runtime, staff: dict[str, int]
) -> None:
    """Whoever is left out of a report could send its alerts to their own telephone, or come in as somebody who is
    not."""
    stranger = build.person(light, "Stranger", works_for="Elsewhere")
    visitor, path = Visitor(app, "supervisor"), f"/people/{stranger}"
    seen = visitor.get(path)
    assert seen.status == 200
    assert 'name="number"' not in seen.source and "+243" not in seen.source
    forms: tuple[Fields, ...] = ({**FROM_A_SUPERVISOR, "do": "save", "login": "stranger"}, {"do": "invite"})
    for typed in forms:
        assert visitor.post(path, typed).status == 404
    assert Visitor(app, "administrator").post(path, {"do": "invite"}).status == 200
    assert visitor.post(f"/people/{staff['worker']}", {"do": "invite"}).status == 200


def test_whoever_comes_in_anew_sees_no_report_before_somebody_has_confirmed_it(
    app: Flask, light: Runtime, staff: dict[str, int]
) -> None:
    """Whoever drew the invitation may be the one who came in with it."""
    file(light, "1 1 1 1 1")
    made = first(light, staff["worker"]).id
    joined(light, Visitor(app, "supervisor"), "worker", staff)
    assert not confirmed(light, staff["worker"])
    worker = Visitor(app)
    worker.sign_in("worker")
    page = worker.get("/reports")
    assert "Personne n'a encore confirmé votre clé" in page.text
    assert f"/reports/{made}" not in page.source
    assert worker.get(f"/reports/{made}").status == 404
    for button in ("accept", "note", "hand_on", "close"):
        assert worker.post(f"/reports/{made}", {"do": button}).status in (404, 422)


def test_no_name_that_somebody_had_is_pushed_out_by_others(
    app: Flask, light: Runtime, staff: dict[str, int]
) -> None:
    """An exclusion looks for every one of them."""
    visitor, path = Visitor(app, "supervisor"), f"/people/{staff['worker']}"
    names = ["Worker", *(f"Name {chr(65 + at)}" for at in range(12)), "N" * 79]
    status = [
        visitor.post(path, {**FROM_A_SUPERVISOR, "do": "save", "login": "worker", "name": name}).status
        for name in names[1:]
    ]
    assert status == [303] * 12 + [422]
    person = next(one for one in everybody(light).values() if one.id == staff["worker"])
    assert person.name == names[12]
    assert person.aliases == tuple(names[:12])


def test_a_long_name_that_somebody_had_does_not_keep_them_from_being_saved_again(
    app: Flask, light: Runtime, staff: dict[str, int]
) -> None:
    visitor, path = Visitor(app, "supervisor"), f"/people/{staff['worker']}"
    for name in ("L" * 80, "Worker", "Worker B"):
        typed = {**FROM_A_SUPERVISOR, "do": "save", "login": "worker", "name": name}
        assert visitor.post(path, typed).status == 303
    person = next(one for one in everybody(light).values() if one.id == staff["worker"])
    assert person.aliases == ("Worker", "L" * 60)
