"""Alembic, set up in code: `upgrade` a database, ask whether it is at the newest migration.

Migrations are numbered and named in words; `HEAD` names the newest, so that two people's collide in git.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from gateway.db import Database

HERE = Path(__file__).resolve().parent


def upgrade(db: Database) -> None:
    """Bring a database to the newest migration, in one transaction. Running it again changes nothing."""
    _run(db, "upgrade", "head")


def downgrade(db: Database, to: str = "base") -> None:
    """Go back; for the tests of the migrations."""
    _run(db, "downgrade", to)


def head() -> str:
    """The newest migration's number."""
    return ScriptDirectory.from_config(config()).get_current_head() or ""


def is_current(db: Database) -> bool:
    """Whether the database is at the newest migration. Raises db.Unavailable."""
    with db.read() as session:
        return MigrationContext.configure(session.connection()).get_current_revision() == head()


def config() -> Config:
    """Alembic's configuration, without a file."""
    made = Config()
    made.set_main_option("script_location", str(HERE))
    return made


def _run(db: Database, step: str, revision: str) -> None:
    with db.engine.begin() as connection:
        made = config()
        made.attributes["connection"] = connection
        getattr(command, step)(made, revision)
