"""What this database is: a demonstration or the real thing, and whose keys it was made with; and who holds the
clock.

A demonstration's accounts and codes must never serve real callers, and with other keys nothing here would open:
each process refuses a database that is not its own.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, LargeBinary, String, inspect, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.casework.caseworker import ON_ROUTES, CaseWorker, Role
from gateway.db import Base, UtcTime


class Installation(Base):
    """One row: whether this database holds a demonstration, and what its keys are recognised by."""

    __tablename__ = "installation"
    __table_args__ = (
        {
            "comment": "Holds: demonstration or not, and a check of the server's key that tells nothing of it.\n"
            "Kept: as long as the database.\n"
            "Read by: every process, at its start."
        },
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    demo: Mapped[bool]
    keys: Mapped[bytes] = mapped_column(LargeBinary(32))


class Lease(Base):
    """Who may do a thing that one process does at a time, and until when."""

    __tablename__ = "lease"
    __table_args__ = (
        {
            "comment": "Holds: which process does what only one may do at a time, under a random name.\n"
            "Kept: seconds.\n"
            "Read by: the processes."
        },
    )

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    holder: Mapped[str] = mapped_column(String(40))
    until: Mapped[datetime] = mapped_column(UtcTime)


WILD = 20
"""A lease that has this many times its own length to run was taken by a clock gone wild. Clocks of several hosts
may differ by less."""


class OtherKind(Exception):
    """The database is a demonstration's and the process is not, or the other way round; or it has other keys."""


def kind(db: Session) -> bool | None:
    """True for a demonstration, False for the real thing, None while nobody has said."""
    return db.scalar(select(Installation.demo))


def declare(db: Session, *, demo: bool, keys: bytes) -> None:
    """Say what an unmarked database is and what its keys are recognised by (vault.check); raises OtherKind when it
    is another's already."""
    # Processes start together: whoever comes second finds what the first has said.
    write = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
    db.execute(write(Installation).values(id=1, demo=demo, keys=keys).on_conflict_do_nothing())
    known = kind(db)
    if known != demo:
        raise OtherKind(
            "this database holds a demonstration: it cannot serve real callers"
            if known
            else "this database is not a demonstration: the demonstration does not touch it"
        )
    if db.scalar(select(Installation.keys)) != keys:
        raise OtherKind(
            "this database was made with other keys: point KEYS_DIR at them, or give an empty database"
        )


def is_empty(db: Session) -> bool:
    """Whether the database has no table at all, of ours or anybody's."""
    return not inspect(db.connection()).get_table_names()


def is_ours(db: Session) -> bool:
    """Whether the tables that are there are this product's."""
    return Installation.__tablename__ in inspect(db.connection()).get_table_names()


def take_lease(db: Session, name: str, holder: str, now: datetime, lasting: timedelta) -> bool:
    """Take or keep a lease; False while another holder's has not run out. One that far
    outlasts a fresh one was taken by a clock gone wild, and holds nobody up."""
    lease = db.get(Lease, name, with_for_update=True)
    if lease is None:
        db.add(Lease(name=name, holder=holder, until=now + lasting))
        db.flush()
        return True
    if lease.holder != holder and now < lease.until <= now + WILD * lasting:
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
        if not db.scalar(select(CaseWorker.id).where(_reachable(role)).limit(1)):
            found.append(f"{missing} with a confirmed key: nobody would answer for reports")
    officers = select(CaseWorker.organisation_id).where(_reachable(Role.INTEGRITY_OFFICER))
    ordinary = select(CaseWorker.organisation_id).where(
        CaseWorker.active,
        CaseWorker.role.in_([Role.CASE_WORKER.value, Role.SUPERVISOR.value]),
        CaseWorker.organisation_id.is_not(None),
    )
    apart = set(db.scalars(officers)) - {None, *db.scalars(ordinary)}
    placed = CaseWorker.active & CaseWorker.role.in_([role.value for role in ON_ROUTES])
    if db.scalar(select(CaseWorker.id).where(placed, CaseWorker.organisation_id.is_(None)).limit(1)):
        found.append("somebody whom reports are brought to works for no organisation: say on their page for which")
    if not found and not apart:
        # The screen says that a complaint goes to another organisation: that must be true.
        found.append("no integrity officer of another organisation: complaints would go to whom they are about")
    return found


def _reachable(role: Role) -> ColumnElement[bool]:
    return (CaseWorker.role == role.value) & CaseWorker.active & CaseWorker.attest.is_not(None)
