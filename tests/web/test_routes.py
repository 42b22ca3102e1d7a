"""Every page is guarded, or named here as open to all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask
from werkzeug.routing import Rule

from gateway.app import create_app
from gateway.casework.caseworker import Role
from gateway.runtime import Runtime
from gateway.web.admin.permissions import JOINING, LETTERS, NOBODY, OUTSIDE, TABLE, open_to
from tests import build
from tests.web.visitor import Visitor

LOGINS = {
    Role.CASE_WORKER: "worker",
    Role.SUPERVISOR: "supervisor",
    Role.INTEGRITY_OFFICER: "integrity",
    Role.TECHNICIAN: "technician",
    Role.ADMINISTRATOR: "administrator",
}
OPEN = open_to(NOBODY) | open_to(JOINING)


@pytest.fixture
def demo(light: Runtime, staff: dict[str, int]) -> Flask:
    """The application with the demonstration's phone, so that every route is there, and a technician."""
    build.person(light, "Technician", Role.TECHNICIAN)
    return create_app(replace(light, settings=replace(light.settings, demo=True)))


def guarded(app: Flask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint not in OUTSIDE]


def address(rule: Rule) -> str:
    """An address of a rule; the things with id 1 are there for those who may see them."""
    built = rule.build(dict.fromkeys(rule.arguments, 1))
    assert built is not None
    return built[1]


def test_every_route_is_guarded_or_named_here(demo: Flask) -> None:
    endpoints = {rule.endpoint for rule in demo.url_map.iter_rules()}
    assert endpoints == {*OUTSIDE, *(row.page for row in TABLE)}


def test_whoever_is_not_signed_in_is_asked_to(demo: Flask) -> None:
    visitor = Visitor(demo)
    for rule in guarded(demo):
        if rule.endpoint in OPEN:
            continue
        if "GET" in (rule.methods or ()):
            assert visitor.get(address(rule)).leads_to.startswith("/sign-in?next=/"), rule
        else:
            page = visitor.post(address(rule))
            assert page.status == 401 and "Se connecter" in page.text, rule


@pytest.mark.parametrize("role", list(Role))
def test_a_role_that_may_not_open_a_page_sees_one_that_does_not_exist(demo: Flask, role: Role) -> None:
    visitor = Visitor(demo, LOGINS[role])
    nothing = visitor.get("/nowhere").text
    for rule in guarded(demo):
        if rule.endpoint in OPEN or rule.endpoint in open_to(LETTERS[role]):
            continue
        page = visitor.get(address(rule)) if "GET" in (rule.methods or ()) else visitor.post(address(rule))
        assert page.status == 404, rule
        assert page.text.endswith(nothing[nothing.index("Il n'y a rien ici") :])


def test_nobody_but_those_who_answer_for_reports_opens_one_or_confirms_a_key() -> None:
    for row in TABLE:
        if row.page.startswith("admin.reports.") or row.button == "confirm":
            assert not {"T", "A", NOBODY, JOINING} & set(row.who), row


def test_the_phone_is_part_of_the_demonstration_only(app: Flask) -> None:
    assert not [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("phone.")]
    visitor = Visitor(app, "supervisor")
    assert visitor.get("/phone").status == 404
    assert visitor.get("/phone/sms").status == 404


def test_every_post_needs_the_token_of_its_form(demo: Flask) -> None:
    visitor = Visitor(demo, "supervisor")
    for rule in demo.url_map.iter_rules():
        if "POST" in (rule.methods or ()) and not rule.endpoint.startswith("hooks."):
            assert visitor.post(address(rule), token="").status == 400, rule
