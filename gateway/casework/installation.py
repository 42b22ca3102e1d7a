"""What this database is: a demonstration or the real thing; and who holds the clock.

A demonstration's accounts and codes must never serve real callers, so each process refuses a database of the
other kind.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import String, inspect, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.casework.caseworker import CaseWorker, Role
from gateway.db import Base, UtcTime


class Installation(Base):
    """One row: whether this database holds a demonstration."""

    __tablename__ = "installation"

    id: Mapped[int] = mapped_column(primary_key=True)
    demo: Mapped[bool]


class Lease(Base):
    """Who may do a thing that one process does at a time, and until when."""

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    holder: Mapped[str] = mapped_column(String(40))
    until: Mapped[datetime] = mapped_column(UtcTime)


class OtherKind(Exception):
    """The database is a demonstration's and the process is not, or the other way round."""


def kind(db: Session) -> bool | None:
    """True for a demonstration, False for the real thing, None while nobody has said."""
    return db.scalar(select(Installation.demo))


def declare(db: Session, *, demo: bool) -> None:
    """Say what an unmarked database is; raises OtherKind when it is already the other."""
    # Processes start together: whoever comes second finds what the first has said.
    write = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
    db.execute(write(Installation).values(id=1, demo=demo).on_conflict_do_nothing())
    known = kind(db)
    if known != demo:
        raise OtherKind(
            "this database holds a demonstration: it cannot serve real callers"
            if known
            else "this database is not a demonstration: the demonstration does not touch it"
        )


def is_empty(db: Session) -> bool:
    """Whether the database has no table at all, of ours or anybody's."""
    return not inspect(db.connection()).get_table_names()


def is_ours(db: Session) -> bool:
    """Whether the tables that are there are this product's."""
    return Installation.__tablename__ in inspect(db.connection()).get_table_names()


def take_lease(db: Session, name: str, holder: str, now: datetime, lasting: timedelta) -> bool:
    """Take or keep a lease; False while another holder's has not run out."""
    lease = db.get(Lease, name, with_for_update=True)
    if lease is None:
        db.add(Lease(name=name, holder=holder, until=now + lasting))
        db.flush()
        return True
    if lease.holder != holder and lease.until > now:
        return False
    db.execute(update(Lease).where(Lease.name == name).values(holder=holder, until=now + lasting))
    return True


def give_up_lease(db: Session, name: str, holder: str, now: datetime) -> None:
    """Let another holder begin at once, when a process stops in good order."""
    db.execute(update(Lease).where(Lease.name == name, Lease.holder == holder).values(until=now))


def faults(db: Session) -> list[str]:
    """Why this database cannot serve now: it takes no write, or nobody would answer. Call it in a transaction
    that is rolled back."""
    db.execute(update(Installation).values(demo=Installation.demo))
    found = []
    for role, missing in (
        (Role.SUPERVISOR, "no active supervisor"),
        (Role.INTEGRITY_OFFICER, "no active integrity officer"),
    ):
        if not db.scalar(select(CaseWorker.id).where(CaseWorker.role == role.value, CaseWorker.active).limit(1)):
            found.append(f"{missing}: nobody would answer for reports")
    return found
