"""Migrations: one road up, the same road down, and at its end exactly what the models say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from gateway import casework, migrations
from gateway.db import Base, Database

VERSIONS = Path(migrations.__file__).parent / "versions"


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    made = Database(database_url.replace("postgresql://", "postgresql+psycopg://"))
    yield made
    made.dispose()


def tables(db: Database) -> set[str]:
    with db.read() as session:
        return set(inspect(session.connection()).get_table_names())


def schema(db: Database) -> list[str]:
    """Every table, column, index and constraint, as the database itself tells them."""
    with db.read() as session:
        if db.dialect == "sqlite":
            return sorted(map(str, session.scalars(text("SELECT sql FROM sqlite_master")).all()))
        seen = inspect(session.connection())
        return sorted(
            f"{table}: {kind} {one}"
            for table in seen.get_table_names()
            for kind, found in (
                ("column", seen.get_columns(table)),
                ("index", seen.get_indexes(table)),
                ("unique", seen.get_unique_constraints(table)),
                ("foreign", seen.get_foreign_keys(table)),
                ("primary", [seen.get_pk_constraint(table)]),
            )
            for one in map(str, found)
        )


def test_there_is_one_head_and_its_file_names_it() -> None:
    scripts = ScriptDirectory.from_config(migrations.config())
    assert len(scripts.get_heads()) == 1
    newest = max(VERSIONS.glob("[0-9]*.py")).stem
    assert (VERSIONS.parent / "HEAD").read_text(encoding="utf-8").strip() == newest
    assert newest.split("_")[0] == migrations.head()


def test_migrations_are_numbered_without_a_gap_and_named_in_words() -> None:
    names = sorted(path.stem for path in VERSIONS.glob("*.py"))
    for number, name in enumerate(names, 1):
        assert re.fullmatch(rf"{number:04d}(_[a-z]+)+", name)
    scripts = list(ScriptDirectory.from_config(migrations.config()).walk_revisions())
    assert [(one.revision, one.down_revision) for one in reversed(scripts)] == [
        (f"{number:04d}", f"{number - 1:04d}" if number > 1 else None) for number in range(1, len(names) + 1)
    ]
    assert all((one.doc or "").strip() for one in scripts)


def test_the_newest_migration_is_what_the_models_say(db: Database) -> None:
    migrations.upgrade(db)
    with db.read() as session:
        context = MigrationContext.configure(
            session.connection(), opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, Base.metadata) == []
    assert tables(db) == {*Base.metadata.tables, "alembic_version"}
    assert casework.report.Report.__tablename__ in tables(db)


def test_going_up_twice_changes_nothing(db: Database) -> None:
    assert not migrations.is_current(db)
    migrations.upgrade(db)
    assert migrations.is_current(db)
    before = schema(db)
    migrations.upgrade(db)
    assert schema(db) == before


def test_the_road_down_leads_back_to_nothing_and_up_again_to_the_same(db: Database) -> None:
    migrations.upgrade(db)
    before = schema(db)
    migrations.downgrade(db)
    assert tables(db) == {"alembic_version"}
    assert not migrations.is_current(db)
    migrations.upgrade(db)
    assert schema(db) == before


def test_every_step_goes_down_and_up_again(db: Database) -> None:
    migrations.upgrade(db)
    scripts = list(ScriptDirectory.from_config(migrations.config()).walk_revisions())
    for script in scripts:
        below = script.down_revision or "base"
        assert isinstance(below, str)
        migrations.downgrade(db, below)
    migrations.upgrade(db)
    assert migrations.is_current(db)


def test_a_migration_that_fails_leaves_nothing_behind(db: Database) -> None:
    with db.begin() as session:
        session.execute(text("CREATE TABLE plan (id INTEGER)"))
    with pytest.raises(Exception, match="plan"):
        migrations.upgrade(db)
    assert tables(db) <= {"plan", "alembic_version"}
    assert not migrations.is_current(db)


def test_every_constraint_has_a_name_that_a_later_migration_can_call(db: Database) -> None:
    migrations.upgrade(db)
    with db.read() as session:
        seen = inspect(session.connection())
        for table in Base.metadata.tables:
            for constraint in (*seen.get_unique_constraints(table), *seen.get_foreign_keys(table)):
                assert constraint["name"], (table, constraint)
