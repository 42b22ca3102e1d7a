"""The installation's page: what its technician must know, and nothing of anybody."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from gateway import vault
from gateway.app import create_app
from gateway.casework import chain
from gateway.casework.caseworker import Role
from gateway.runtime import Runtime
from tests import build
from tests.web.visitor import Visitor


@pytest.fixture
def app(light: Runtime) -> Flask:
    build.staff(light)
    build.person(light, "Technician", Role.TECHNICIAN)
    return create_app(light)


def test_a_technician_begins_there_and_sees_the_head_of_the_journal(app: Flask, light: Runtime) -> None:
    visitor = Visitor(app, "technician")
    assert visitor.follow(visitor.get("/")).title == "Installation"
    page = visitor.get("/machine")
    with light.db.read() as db:
        assert str(chain.head(db)) in page.text
    assert "Elle reçoit les signalements." in page.text


def test_what_is_wrong_is_said_first(app: Flask, light: Runtime) -> None:
    (light.settings.keys_dir / "months" / "2026-12.key").unlink(missing_ok=True)
    page = Visitor(app, "administrator").get("/machine")
    assert "no escrow" in page.text and "no KEYS_MIRROR" in page.text
    vault.escrow.establish(light.vault.directory)
    page = Visitor(app, "administrator").get("/machine")
    held = vault.escrow.public(light.vault.directory)
    assert held is not None
    assert vault.fingerprint(held) in page.text
    assert "no escrow" not in page.text


def test_destroyed_months_are_counted(app: Flask, light: Runtime) -> None:
    light.vault.months.prepare(light.today())
    light.vault.months.destroy("2026-11", light.today() + timedelta(days=40))
    page = Visitor(app, "technician").get("/machine")
    assert "2026-12 – 2028-11" in page.text
    assert "Mois détruits 1" in page.text


def test_nobody_else_finds_it(app: Flask) -> None:
    for login in ("worker", "supervisor", "integrity"):
        assert Visitor(app, login).get("/machine").status == 404
