"""Alembic, set up in code: `upgrade` a database, ask whether it is at the newest migration.

Migrations are numbered and named in words; `HEAD` names the newest, so that two people's collide in git.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from gateway.db import Database

if TYPE_CHECKING:  # Alembic is loaded when it has something to do: a web worker only asks where it stands
    from alembic.config import Config

HERE = Path(__file__).resolve().parent


def upgrade(db: Database) -> None:
    """Bring a database to the newest migration, in one transaction. Running it again changes nothing."""
    _run(db, "upgrade", "head")


def downgrade(db: Database, to: str = "base") -> None:
    """Go back; for the tests of the migrations."""
    _run(db, "downgrade", to)


def head() -> str:
    """The newest migration's number, as `HEAD` names it."""
    return (HERE / "HEAD").read_text(encoding="ascii").partition("_")[0]


def is_current(db: Database) -> bool:
    """Whether the database is at the newest migration. Raises db.Unavailable."""
    with db.read() as session:
        if not inspect(session.connection()).has_table("alembic_version"):
            return False
        return bool(session.scalar(text("SELECT version_num FROM alembic_version")) == head())


def config() -> Config:
    """Alembic's configuration, without a file."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(HERE))
    return made


def _run(db: Database, step: str, revision: str) -> None:
    from alembic import command

    with db.engine.begin() as connection:
        made = config()
        made.attributes["connection"] = connection
        getattr(command, step)(made, revision)
