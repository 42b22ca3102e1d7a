"""What every test may ask for by name, and how they all run."""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

# Before 3.11.8 CPython fails to build a syntax tree deep in the stack (cpython #106905). Hypothesis
# imports modules late, where pytest rewrites them at such a depth while their bytecode is not cached
# yet; imported here, it has them early.
import hypothesis
import pytest

from gateway import log
from gateway.runtime import Runtime
from gateway.vault import people
from gateway.vault.people import Cost
from tests import build

if TYPE_CHECKING:  # as a plugin it must not have been imported before
    from tests.servers import NewDatabase

pytest_plugins = ["tests.servers"]

# No test is measured against a clock, nor is how long its examples take to make.
hypothesis.settings.register_profile(
    "gateway", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("gateway")


# Hundreds of tests sign somebody in: here a guess is cheap. tests/vault/test_people.py looks at the real cost, and
# processes of their own pay it.
people.COST = Cost(passes=1, mebibytes=1)


@pytest.fixture(autouse=True)
def the_log_as_it_was() -> Iterator[None]:
    """A command that a test runs in this process sends all logging through the allow-list, and for good."""
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
    yield
    root = logging.getLogger()
    root.handlers[:] = [handler for handler in root.handlers if not type(handler).__module__.startswith("gateway")]
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the log of a process would hold: every logger of this one through the allow-list."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(log._Lines("test"))
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield written
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.fixture
def rt(tmp_path: Path, new_database: NewDatabase) -> Iterator[Runtime]:
    """A runtime on an empty, migrated database, on SQLite and on PostgreSQL in turn."""
    made = build.runtime(tmp_path, new_database(build.migrated))
    yield made
    made.close()


@pytest.fixture
def light(tmp_path: Path) -> Iterator[Runtime]:
    """A runtime on SQLite alone, for what does not depend on the database."""
    made = build.runtime(tmp_path)
    yield made
    made.close()
