"""What the tests of the pages may ask for by name."""

from __future__ import annotations

import pytest
from flask import Flask

from gateway.app import create_app
from gateway.runtime import Runtime
from tests import build


@pytest.fixture
def clock(light: Runtime) -> build.Clock:
    """The clock that the application goes by."""
    assert isinstance(light.now, build.Clock)
    return light.now


@pytest.fixture
def staff(light: Runtime) -> dict[str, int]:
    """Ids by role: worker, supervisor, integrity, administrator; two sites."""
    people = build.staff(light)
    build.sites(light, "Kasulo", "Mashamba")
    return people


@pytest.fixture
def app(light: Runtime, staff: dict[str, int]) -> Flask:
    """The application, with `staff` at work."""
    return create_app(light)
