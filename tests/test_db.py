"""Transactions on both databases: nothing is lost in silence, and whoever only reads does not wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, event, insert, make_url, select, text, update
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session

from gateway.db import Conflict, Database, Unavailable, UtcTime

COUNTER = Table(
    "counter", MetaData(), Column("id", Integer, primary_key=True), Column("count", Integer), Column("at", UtcTime)
)
MOMENT = datetime(2026, 11, 21, 8, 30, 0, 123456, tzinfo=UTC)


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    made = Database(database_url.replace("postgresql://", "postgresql+psycopg://"))
    COUNTER.create(made.engine)
    with made.begin() as session:
        session.execute(insert(COUNTER).values(id=1, count=0, at=MOMENT))
    yield made
    made.dispose()


def count(session: Session) -> int:
    return session.scalar(select(COUNTER.c.count).where(COUNTER.c.id == 1)) or 0


def test_a_transaction_is_there_whole_or_not_at_all(db: Database) -> None:
    def fail() -> None:
        with db.begin() as session:
            session.execute(update(COUNTER).values(count=5))
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    with db.read() as session:
        assert count(session) == 0
    with db.begin() as session:
        session.execute(update(COUNTER).values(count=5))
    with db.read() as session:
        assert count(session) == 5


def test_no_update_is_lost_between_threads_that_read_first_and_write_later(db: Database) -> None:
    """SQLite loses them in a transaction that begins without the write lock; PostgreSQL without FOR UPDATE."""
    start = threading.Barrier(8)

    def add(_: int) -> None:
        start.wait()
        for _ in range(10):
            with db.begin() as session:
                seen = session.scalar(select(COUNTER.c.count).where(COUNTER.c.id == 1).with_for_update()) or 0
                session.execute(update(COUNTER).where(COUNTER.c.id == 1).values(count=seen + 1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
    with db.read() as session:
        assert count(session) == 80


def test_whoever_reads_does_not_wait_for_whoever_writes(db: Database) -> None:
    with db.begin() as writing:
        writing.execute(update(COUNTER).values(count=7))
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(read_count, db).result() == 0, "and sees what was committed"
    with db.read() as session:
        assert count(session) == 7


def read_count(db: Database) -> int:
    with db.read() as session:
        return count(session)


def test_whoever_reads_a_still_store_sees_one_moment_however_long_it_takes(db: Database) -> None:
    with db.read(still=True) as reading:
        assert count(reading) == 0
        with ThreadPoolExecutor(1) as pool:
            pool.submit(write_count, db, 7).result()
        assert count(reading) == 0
    assert read_count(db) == 7


def write_count(db: Database, value: int) -> None:
    with db.begin() as session:
        session.execute(update(COUNTER).values(count=value))


def test_whoever_writes_does_not_wait_for_whoever_reads(db: Database) -> None:
    def write() -> None:
        with db.begin() as session:
            session.execute(update(COUNTER).values(count=3))

    with db.read() as reading:
        count(reading)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(write).result()


def test_what_is_written_while_reading_is_not_kept(db: Database) -> None:
    with db.read() as session:
        session.execute(update(COUNTER).values(count=9))
    assert read_count(db) == 0


def test_a_second_row_of_a_key_is_a_conflict(db: Database) -> None:
    with pytest.raises(Conflict), db.begin() as session:
        session.execute(insert(COUNTER).values(id=1, count=0, at=MOMENT))


def test_what_a_database_cannot_do_is_unavailable_and_shows_no_value(db: Database) -> None:
    with pytest.raises(Unavailable) as failed, db.begin() as session:
        session.execute(text("UPDATE nowhere SET number = :number"), {"number": "+243990000001"})
    assert "243990000001" not in str(failed.value)


def test_a_database_that_is_not_there_is_unavailable(db: Database) -> None:
    gone = Database(
        "sqlite:////nowhere/at/all.sqlite"
        if db.dialect == "sqlite"
        else "postgresql+psycopg://nobody@/nothing?host=/nowhere"
    )
    with pytest.raises(Unavailable):
        read_count(gone)
    with pytest.raises(Unavailable), gone.begin() as session:
        count(session)


def test_a_database_whose_every_connection_is_busy_is_unavailable(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db.engine.pool, "_timeout", 0.05)
    held = [db.engine.connect() for _ in range(15)]
    with pytest.raises(Unavailable):
        read_count(db)
    with pytest.raises(Unavailable), db.begin() as session:
        count(session)
    for one in held:
        one.close()
    assert read_count(db) == 0


def test_committed_means_flushed(db: Database) -> None:
    with db.read() as session:
        if db.dialect == "sqlite":
            assert session.scalar(text("PRAGMA synchronous")) == 2
            assert session.scalar(text("PRAGMA journal_mode")) == "wal"
        else:
            assert session.scalar(text("SHOW synchronous_commit")) == "on"


def test_every_connection_keeps_the_rules_of_the_house(db: Database) -> None:
    with db.read() as session:
        if db.dialect == "sqlite":
            assert session.scalar(text("PRAGMA foreign_keys")) == 1
            assert session.scalar(text("PRAGMA secure_delete")) == 1
            assert session.scalar(text("PRAGMA trusted_schema")) == 0
        else:
            assert session.scalar(text("SHOW statement_timeout")) == "10s"
            assert session.scalar(text("SHOW lock_timeout")) == "5s"


def test_on_sqlite_a_write_takes_its_lock_at_the_start_and_a_read_takes_none(db: Database) -> None:
    if db.dialect != "sqlite":
        assert db.engine.dialect.name == "postgresql"
        return
    begun: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *told: begun.append(told[2]))
    with db.begin() as session:
        count(session)
    with db.read() as session:
        count(session)
    assert [one for one in begun if one.startswith("BEGIN")] == ["BEGIN IMMEDIATE", "BEGIN"]


# Moments


def stored(db: Database, moment: datetime | None) -> datetime | None:
    with db.begin() as session:
        session.execute(update(COUNTER).values(at=moment))
    with db.read() as session:
        return session.scalar(select(COUNTER.c.at))


@pytest.mark.parametrize("hours", [-12, 0, 2, 14])
def test_a_moment_comes_back_in_utc_whatever_its_zone_was(db: Database, hours: int) -> None:
    there = MOMENT.astimezone(timezone(timedelta(hours=hours)))
    back = stored(db, there)
    assert back == MOMENT
    assert back is not None
    assert back.tzinfo is UTC or back.utcoffset() == timedelta(0)


def test_a_moment_keeps_its_microseconds_and_nothing_stays_nothing(db: Database) -> None:
    for microsecond in (0, 1, 999_999):
        moment = MOMENT.replace(microsecond=microsecond)
        assert stored(db, moment) == moment
    assert stored(db, None) is None


def test_a_moment_without_a_zone_is_refused(db: Database) -> None:
    with pytest.raises(StatementError, match="without a zone"):
        stored(db, MOMENT.replace(tzinfo=None))


def test_moments_are_compared_as_moments(db: Database) -> None:
    stored(db, MOMENT)
    for other, earlier in ((MOMENT + timedelta(microseconds=1), True), (MOMENT, False)):
        elsewhere = other.astimezone(timezone(timedelta(hours=9)))
        with db.read() as session:
            assert bool(session.scalar(select(COUNTER.c.id).where(COUNTER.c.at < elsewhere))) is earlier


@given(
    microseconds=st.integers(min_value=0, max_value=7_000_000_000_000_000),
    minutes=st.integers(min_value=-14 * 60, max_value=14 * 60),
)
def test_every_moment_is_bound_and_read_back_the_same(microseconds: int, minutes: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    there = moment.astimezone(timezone(timedelta(minutes=minutes)))
    kind = UtcTime()
    for url in ("sqlite://", "postgresql+psycopg://"):
        dialect = make_url(url).get_dialect()()
        assert kind.process_result_value(kind.process_bind_param(there, dialect), dialect) == moment


def test_a_checkpoint_leaves_nothing_of_what_was_replaced_in_the_log(tmp_path: Path) -> None:
    made = Database(f"sqlite:///{tmp_path / 'gateway.sqlite'}")
    with made.begin() as session:
        session.execute(text("CREATE TABLE kept (word TEXT)"))
        session.execute(text("INSERT INTO kept VALUES ('replaced-since')"))
    with made.begin() as session:
        session.execute(text("UPDATE kept SET word = 'newer'"))
    log = tmp_path / "gateway.sqlite-wal"
    assert b"replaced-since" in log.read_bytes()
    made.checkpoint()
    assert log.stat().st_size == 0
    assert b"replaced-since" not in (tmp_path / "gateway.sqlite").read_bytes()
    made.dispose()
