"""Organisations on the pages: added, changed, refused with what was typed kept."""

from __future__ import annotations

import pytest
from flask import Flask

from gateway.casework import caseworker, chain, organisation
from gateway.casework.organisation import Kind
from gateway.runtime import Runtime
from tests.web.visitor import Fields, Visitor

NEW: Fields = {"name": "Coopérative Kiboko", "kind": "cooperative", "aliases": "Kiboko Mining\nCOKI"}


def by_name(rt: Runtime, name: str) -> organisation.Row:
    with rt.db.read() as db:
        (found,) = [row for row in organisation.every(db) if row.name == name]
    return found


def test_an_organisation_is_added_with_the_names_people_call_it_by(app: Flask, light: Runtime) -> None:
    visitor = Visitor(app, "administrator")
    page = visitor.follow(visitor.post("/organisations/new", NEW))
    assert "Enregistré." in page.text and "Coopérative Kiboko" in page.text and "COKI" in page.text
    assert "0 personne en service" in page.text
    found = by_name(light, "Coopérative Kiboko")
    assert (found.kind, found.aliases) == (Kind.COOPERATIVE, ("Kiboko Mining", "COKI"))
    with light.db.read(still=True) as db:
        assert chain.verify(db, light.vault.journal_key).faults == []


def test_an_organisation_is_changed(app: Flask, light: Runtime) -> None:
    visitor = Visitor(app, "administrator")
    visitor.post("/organisations/new", NEW)
    path = f"/organisations/{by_name(light, 'Coopérative Kiboko').id}"
    assert visitor.get(path).value("name") == "Coopérative Kiboko"
    changed: Fields = {**NEW, "name": "Société Kiboko", "kind": "buyer_company", "aliases": ""}
    assert visitor.post(path, changed).status == 303
    found = by_name(light, "Société Kiboko")
    assert (found.kind, found.aliases) == (Kind.BUYER_COMPANY, ())


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"name": " "}, "Donnez un nom"),
        ({"name": "House"}, "Une autre organisation porte déjà ce nom."),
        ({"aliases": "\n".join(f"Jina {at}" for at in range(13))}, "Au plus 12 autres noms"),
    ],
)
def test_a_refused_organisation_is_told_at_the_field_and_loses_nothing(
    app: Flask, light: Runtime, typed: Fields, words: str
) -> None:
    page = Visitor(app, "administrator").post("/organisations/new", {**NEW, **typed})
    assert page.status == 422 and words in page.text
    assert 'value="cooperative" checked' in page.source
    with light.db.read() as db:
        assert len(organisation.every(db)) == 2


def test_where_an_integrity_officer_works_stays_independent(app: Flask, light: Runtime) -> None:
    watch = by_name(light, "Watch")
    page = Visitor(app, "administrator").post(f"/organisations/{watch.id}", {**NEW, "name": "Watch"})
    assert (
        page.status == 422
        and "Un responsable de l'intégrité appartient à une organisation indépendante." in page.text
    )
    assert by_name(light, "Watch").kind is Kind.INDEPENDENT


def test_a_kind_that_is_not_there_is_refused(app: Flask) -> None:
    assert Visitor(app, "administrator").post("/organisations/new", {**NEW, "kind": "family"}).status == 400


def test_a_page_of_no_organisation_does_not_exist(app: Flask) -> None:
    assert Visitor(app, "administrator").get("/organisations/999").status == 404


def test_whoever_reads_reports_moves_nobody_out_of_the_way_of_an_exclusion(
    app: Flask, light: Runtime, staff: dict[str, int]
) -> None:
    """A supervisor who is accused could call their own organisation independent, or leave it."""
    supervisor = Visitor(app, "supervisor")
    house, watch = by_name(light, "House"), by_name(light, "Watch")
    assert supervisor.get("/organisations").status == 404
    assert supervisor.post(f"/organisations/{house.id}", {**NEW, "name": "House"}).status == 404
    page = supervisor.get(f"/people/{staff['worker']}")
    assert page.status == 200 and 'name="organisation"' not in page.source
    moved: Fields = {"do": "save", "organisation": str(watch.id)}
    assert supervisor.post(f"/people/{staff['worker']}", moved).status == 400


def test_whom_a_supervisor_adds_works_where_they_do_and_answers_to_them(
    app: Flask, light: Runtime, staff: dict[str, int]
) -> None:
    new: Fields = {
        "name": "New Person",
        "login": "new.person",
        "role": "case_worker",
        "number": "+243990000123",
        "sms_language": "fr",
        "languages": ["fr"],
        "lanes": ["child"],
        "active": "on",
    }
    assert Visitor(app, "supervisor").post("/people/new", new).status == 200
    with light.db.read() as db:
        (added,) = [one for one in caseworker.every(db) if one.name == "New Person"]
    assert (added.organisation, added.supervisor) == (by_name(light, "House").id, staff["supervisor"])


def test_a_name_that_is_changed_stays_known_and_another_organisation_needs_a_key_confirmed_anew(
    app: Flask, light: Runtime, staff: dict[str, int]
) -> None:
    administrator = Visitor(app, "administrator")
    administrator.post("/organisations/new", {**NEW, "kind": "independent"})
    elsewhere = by_name(light, "Coopérative Kiboko").id
    saved: Fields = {
        "do": "save",
        "name": "Renamed",
        "login": "worker",
        "role": "case_worker",
        "number": "+243990000123",
        "sms_language": "fr",
        "languages": ["fr"],
        "lanes": ["child"],
        "active": "on",
        "organisation": str(elsewhere),
    }
    assert administrator.post(f"/people/{staff['worker']}", saved).status == 303
    with light.db.read() as db:
        found = caseworker.one(db, staff["worker"])
    assert found is not None
    assert (found.name, found.aliases, found.reader) == ("Renamed", ("Worker",), None)
