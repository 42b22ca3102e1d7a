"""Tries to sign in that failed: whoever fails often waits, and nobody can make somebody else wait for long.

A try is counted where it comes from: a browser that has signed in with this name before is counted alone; any
other by its address, and together with all other unknown ones. What is stored is a keyed hash of both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final, cast

from sqlalchemy import LargeBinary, Table, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.db import Base, UtcTime
from gateway.vault import Vault

FREE, LONGEST = 5, 300
"""Tries of one source that cost nothing, and the longest wait after more, in seconds."""
FREE_TOGETHER, LONGEST_TOGETHER = 50, 60
"""The same for all unknown sources of one name together."""
FORGOTTEN = timedelta(hours=1)


class Attempt(Base):
    """How often a source has failed with a name, without an hour's rest between."""

    __tablename__ = "attempt"
    __table_args__ = (
        {
            "comment": "Holds: how often signing in failed from one place, as a keyed hash of name and place.\n"
            "Kept: until an hour has passed without another failure.\n"
            "Read by: the sign-in page."
        },
    )

    bucket: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a try is counted: on its own, and (from an unknown browser) with all others of the name."""

    own: bytes
    together: bytes | None


_TABLE = cast(Table, Attempt.__table__)
_NEW: Final = {
    "postgresql": postgresql.insert(_TABLE).on_conflict_do_nothing(),
    "sqlite": sqlite.insert(_TABLE).on_conflict_do_nothing(),
}


def source(vault: Vault, login: str, address: str, device: str, *, alone: bool) -> Source:
    """`login` as typed, the address it came from, and what a browser known for this login showed (or `""`). A try
    with a code from a printed sheet stands `alone`: others cannot make it wait."""
    login = login.strip().casefold()[:80]
    if device:
        return Source(vault.token("attempt", "device", login, device), None)
    own = vault.token("attempt", "address", login, _network(address))
    return Source(own, None if alone else vault.token("attempt", "all", login))


def take(db: Session, of: Source, now: datetime) -> int:
    """Seconds to wait; 0 when the try may be made. It counts as failed until `succeeded`, so that many at once
    count too."""
    buckets = [(of.own, FREE, LONGEST)]
    if of.together is not None:
        buckets.append((of.together, FREE_TOGETHER, LONGEST_TOGETHER))
    found: list[tuple[bytes, int]] = []
    for bucket, free, longest in buckets:
        failures, wait = _standing(db, bucket, free, longest, now)
        if wait:
            return wait
        found.append((bucket, failures))
    for bucket, failures in found:
        db.execute(update(Attempt).where(Attempt.bucket == bucket).values(failures=failures + 1, last_at=now))
    return 0


def succeeded(db: Session, of: Source) -> None:
    """The try that was taken was right: nothing is held against its source, nor this one against the others."""
    db.execute(delete(Attempt).where(Attempt.bucket == of.own))
    if of.together is not None:
        db.execute(
            update(Attempt)
            .where(Attempt.bucket == of.together, Attempt.failures > 0)
            .values(failures=Attempt.failures - 1)
        )


def forget(db: Session, now: datetime) -> int:
    """Delete what an hour's rest has wiped out; returns how many rows."""
    gone = db.execute(delete(Attempt).where(Attempt.last_at <= now - FORGOTTEN).returning(Attempt.bucket))
    return len(gone.scalars().all())


def _standing(db: Session, bucket: bytes, free: int, longest: int, now: datetime) -> tuple[int, int]:
    """Failures of a bucket, its row locked, and the seconds that are left to wait."""
    db.execute(_NEW[db.get_bind().dialect.name], {"bucket": bucket, "failures": 0, "last_at": now})
    failures, last_at = db.execute(
        select(Attempt.failures, Attempt.last_at).where(Attempt.bucket == bucket).with_for_update()
    ).one()
    if last_at <= now - FORGOTTEN:
        return 0, 0
    if failures < free:
        return failures, 0
    due = last_at + timedelta(seconds=min(2 ** min(failures - free, 16), longest))
    # A clock set back must not make anybody wait longer than the longest wait.
    return failures, min(max(0, math.ceil((due - now).total_seconds())), longest)


def _network(address: str) -> str:
    """An address, or of a version 6 address the network that one subscriber is given."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    return str(ip_network((parsed, 64), strict=False)) if isinstance(parsed, IPv6Address) else str(parsed)
