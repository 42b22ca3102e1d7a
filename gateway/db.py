"""Engines, transactions and kinds of column. Knows SQLite and PostgreSQL; knows no table.

Durable means the same on both: a commit returns after the flush. On SQLite every writing transaction takes
the write lock at its start (BEGIN IMMEDIATE), because a transaction that reads first and writes later loses
updates there without an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import DateTime, Dialect, Engine, MetaData, TypeDecorator, create_engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session

Unavailable = DBAPIError
"""What a statement raises when the database cannot serve it."""
Conflict = IntegrityError
"""What a statement raises when a row of that key is already there."""

_SILENCE: Final = {
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",  # without DETAIL, which quotes the values of a key or of a whole row
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_parameter_max_length": "0",
}


class UtcTime(TypeDecorator[datetime]):
    """A moment, in UTC with its zone on this side and whole microseconds in the store."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The tables of casework. Constraints have names, so that a migration can name what it drops."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Database:
    """One database: an engine and its two kinds of transaction."""

    ERASED = ("report", "addition", "letter", "contact", "envelope", "reminder")

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self._reading = self.engine.execution_options(reads_only=True)
        self._still = self._reading
        if self.dialect == "postgresql":  # a reading transaction of SQLite stands still anyway
            self._still = self._reading.execution_options(isolation_level="REPEATABLE READ")

    @property
    def dialect(self) -> str:
        return self.engine.dialect.name

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """One writing transaction: committed and flushed to disk when the block ends, undone if it raises."""
        with _served(), Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def read(self, *, still: bool = False) -> Iterator[Session]:
        """One reading transaction, which never waits for a writer; `still`: all of it sees one moment."""
        with _served(), Session(self._still if still else self._reading) as session:
            yield session

    def checkpoint(self) -> None:
        """Empty SQLite's write-ahead log, where what was replaced would stay readable until it is written over. It
        gives up when somebody reads. In PostgreSQL, clean the tables that people's words are deleted from."""
        if self.dialect == "sqlite":
            with self.engine.connect() as connection:
                connection.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return
        # Rows that were deleted lie in the heap until somebody cleans it, which the server does when it likes.
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("SET statement_timeout = 0")
            for table in self.ERASED:
                connection.exec_driver_sql(f"VACUUM {table}")
            connection.exec_driver_sql("RESET statement_timeout")

    def dispose(self) -> None:
        self.engine.dispose()


@contextmanager
def _served() -> Iterator[None]:
    """A pool whose every connection is busy is a database that cannot serve; the library calls it otherwise."""
    try:
        yield
    except PoolTimeout as error:
        raise OperationalError(None, None, error) from None


def _engine(url: str) -> Engine:
    if url.startswith("sqlite"):
        engine = create_engine(url, hide_parameters=True, pool_timeout=5, connect_args={"timeout": 5})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    # A statement or a lock that hangs must not hang a caller: the provider waits 15 s at the most.
    options = "-c statement_timeout=10000 -c lock_timeout=5000 -c synchronous_commit=on"
    options += " -c log_parameter_max_length_on_error=0"
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_timeout=5,
        connect_args={"connect_timeout": 5, "options": options},
    )
    event.listen(engine, "connect", _silence_postgres)
    return engine


def _silence_postgres(connection: Any, record: Any) -> None:
    """Keep values out of the server's own log, as far as this role may say so: a superuser may, and whoever was
    granted it (PostgreSQL 15). README says what a superuser sets for a role that may not."""
    if connection.info.server_version < 150000:
        return
    connection.autocommit = True  # what is set in a transaction that is rolled back would be forgotten
    connection.execute(
        "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS wanted (name, value) "
        "WHERE has_parameter_privilege(name, 'SET')",
        (list(_SILENCE), list(_SILENCE.values())),
    )
    connection.autocommit = False


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
        "trusted_schema=OFF",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    reads_only = connection.get_execution_options().get("reads_only", False)
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")
