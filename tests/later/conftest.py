"""The same runtime as everywhere, made faster: these tests are many, and making one took longer than most."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from gateway import flows
from gateway.db import Base
from gateway.runtime import Runtime
from tests import build

if TYPE_CHECKING:
    from tests.servers import NewDatabase, Postgres


@pytest.fixture(scope="package", autouse=True)
def compiled_once() -> Iterator[None]:
    """The flows do not change while these tests run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flows, "load", functools.cache(flows.load))
        yield


@pytest.fixture(scope="package")
def migrated_postgres(postgres: Postgres) -> Iterator[str]:
    """One migrated database, to be emptied for each test."""
    url = postgres.create(build.migrated)
    yield url
    postgres.drop(url)


@pytest.fixture
def rt(request: pytest.FixtureRequest, tmp_path: Path, new_database: NewDatabase) -> Iterator[Runtime]:
    """A runtime on an empty, migrated database, on SQLite and on PostgreSQL in turn."""
    if request.node.callspec.params["new_database"] == "sqlite":
        url = new_database(build.migrated)
    else:
        url = request.getfixturevalue("migrated_postgres")
        with psycopg.connect(url) as connection:
            for table in reversed(Base.metadata.sorted_tables):
                connection.execute(f"DELETE FROM {table.name}".encode())
    made = build.runtime(tmp_path, url)
    yield made
    made.close()
