"""A store of its own for every test: the nouns need a database and keys, no flows and no provider."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from gateway import vault
from gateway.db import Base
from gateway.vault import Vault
from tests import build
from tests.casework.house import House

if TYPE_CHECKING:
    from tests.servers import NewDatabase, Postgres


@pytest.fixture
def keys(tmp_path: Path) -> Vault:
    """A vault on a key directory of its own."""
    vault.create(tmp_path / "keys")
    return Vault.open_directory(tmp_path / "keys")


@pytest.fixture(scope="session")
def migrated_postgres(postgres: Postgres) -> Iterator[str]:
    """One database for all these tests, emptied for each: making one takes longer than most of them."""
    url = postgres.create(build.migrated)
    yield url
    postgres.drop(url)


@pytest.fixture
def house(request: pytest.FixtureRequest, new_database: NewDatabase, keys: Vault) -> Iterator[House]:
    """An empty, migrated store, on SQLite and on PostgreSQL in turn."""
    if request.node.callspec.params["new_database"] == "sqlite":
        made = House(new_database(build.migrated), keys)
    else:
        made = House(request.getfixturevalue("migrated_postgres"), keys)
        tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
        made.do(lambda db: db.execute(text(f"TRUNCATE {tables} RESTART IDENTITY")))
    yield made
    made.db.dispose()
