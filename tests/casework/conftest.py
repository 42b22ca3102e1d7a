"""A store for every test: the nouns need a database and keys, no flows and no provider."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway import vault
from gateway.db import Base, Database
from gateway.vault import Vault
from tests import build
from tests.casework.house import House

if TYPE_CHECKING:
    from tests.servers import Postgres


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A migrated database, on SQLite and on PostgreSQL in turn. One for all these tests, emptied for each: making
    and opening one takes longer than most of them."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('store') / 'gateway.sqlite'}"
        build.migrated(url)
        made = Database(url)
        yield made
        made.dispose()
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.create(build.migrated)
    made = Database(url.replace("postgresql://", "postgresql+psycopg://"))
    yield made
    made.dispose()
    server.drop(url)


@pytest.fixture
def keys(tmp_path: Path) -> Vault:
    """A vault on a key directory of its own."""
    vault.create(tmp_path / "keys")
    return Vault.open_directory(tmp_path / "keys")


@pytest.fixture
def house(store: Database, keys: Vault) -> House:
    """An empty store."""
    with store.begin() as db:
        for table in reversed(Base.metadata.sorted_tables):
            db.execute(table.delete())
    return House(store, keys)
