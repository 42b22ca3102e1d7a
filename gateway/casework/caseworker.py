"""Everybody who works here: case workers, supervisors, the integrity officer, administrators.

A telephone number is sealed under the server's key; the page and the sender open it, nothing else does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import JSON, LargeBinary, String, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.casework.refused import Refused
from gateway.db import Base
from gateway.vault import Vault


class Role(StrEnum):
    """What a person is here for."""

    CASE_WORKER = "case_worker"
    SUPERVISOR = "supervisor"
    INTEGRITY_OFFICER = "integrity_officer"
    ADMINISTRATOR = "administrator"


ON_ROUTES = (Role.CASE_WORKER, Role.SUPERVISOR, Role.INTEGRITY_OFFICER)
"""Roles that reports are brought to; the others have no telephone number here."""


class CaseWorker(Base):
    """One person. Empty `sites` means every site; `lanes` counts for case workers only."""

    __tablename__ = "caseworker"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    role: Mapped[str] = mapped_column(String(20))
    active: Mapped[bool]
    number_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    sms_language: Mapped[str] = mapped_column(String(8))
    lanes: Mapped[list[str]] = mapped_column(JSON)
    sites: Mapped[list[int]] = mapped_column(JSON)
    languages: Mapped[list[str]] = mapped_column(JSON)


@dataclass(frozen=True, slots=True)
class Person:
    """A person as routes and pages read it."""

    id: int
    name: str
    role: Role
    active: bool
    sms_language: str
    lanes: frozenset[str]
    sites: frozenset[int]
    languages: frozenset[str]


@dataclass(frozen=True, slots=True)
class Entered:
    """What somebody typed about a person, to be saved as a whole."""

    name: str
    role: Role
    active: bool
    number: str = field(repr=False)
    sms_language: str
    lanes: frozenset[str]
    sites: frozenset[int]
    languages: frozenset[str]


_PERSON = (
    CaseWorker.id,
    CaseWorker.name,
    CaseWorker.role,
    CaseWorker.active,
    CaseWorker.sms_language,
    CaseWorker.lanes,
    CaseWorker.sites,
    CaseWorker.languages,
)


def every(db: Session) -> list[Person]:
    """All people, active ones first, then by name."""
    rows = db.execute(select(*_PERSON).order_by(CaseWorker.active.desc(), CaseWorker.name, CaseWorker.id))
    return [_person(*row) for row in rows]


def one(db: Session, person: int) -> Person | None:
    row = db.execute(select(*_PERSON).where(CaseWorker.id == person)).one_or_none()
    return _person(*row) if row else None


def number(db: Session, vault: Vault, person: int) -> str:
    """The number in the clear, `""` when there is none. Raises vault.SealBroken."""
    sealed = db.scalar(select(CaseWorker.number_sealed).where(CaseWorker.id == person))
    return vault.open_number(_place(person), sealed) if sealed else ""


def add(db: Session, vault: Vault, entered: Entered) -> int:
    """Save a new person; returns the id. Raises Refused."""
    values = _checked(entered)
    person = db.execute(insert(CaseWorker).values(**values).returning(CaseWorker.id)).scalar_one()
    _save_number(db, vault, person, entered)
    return person


def change(db: Session, vault: Vault, person: int, entered: Entered) -> None:
    """Save a person anew. Raises Refused, also when nobody would be left to answer for reports."""
    before = one(db, person)
    if before is None:
        raise Refused("", "This person is not here any more.")
    for role in (Role.SUPERVISOR, Role.INTEGRITY_OFFICER, Role.ADMINISTRATOR):
        leaves = before.role == role and before.active and not (entered.active and entered.role == role)
        if leaves and _count_active(db, role) == 1:
            raise Refused(
                "active",
                "Nobody else has this role: reports would have nobody to answer for them. "
                "Add another person first.",
            )
    db.execute(update(CaseWorker).where(CaseWorker.id == person).values(**_checked(entered)))
    _save_number(db, vault, person, entered)


def _person(
    id_: int,
    name: str,
    role: str,
    active: bool,
    sms_language: str,
    lanes: list[str],
    sites: list[int],
    languages: list[str],
) -> Person:
    return Person(
        id_, name, Role(role), active, sms_language, frozenset(lanes), frozenset(sites), frozenset(languages)
    )


def _checked(entered: Entered) -> dict[str, object]:
    name = " ".join(entered.name.split())
    if not name or len(name) > 80:
        raise Refused("name", "Give a name of at most 80 letters.")
    on_routes = entered.role in ON_ROUTES
    if on_routes and not re.fullmatch(r"\+[1-9][0-9]{7,14}", _bare(entered.number), re.ASCII):
        raise Refused("number", "Write the number with + and the country, such as +243 and nine digits.")
    if entered.role is Role.CASE_WORKER and not entered.lanes:
        raise Refused("lanes", "Choose at least one kind of report.")
    if on_routes and not entered.languages:
        raise Refused("languages", "Choose at least one language.")
    return {
        "name": name,
        "role": entered.role.value,
        "active": entered.active,
        "sms_language": entered.sms_language,
        "lanes": sorted(entered.lanes) if entered.role is Role.CASE_WORKER else [],
        "sites": sorted(entered.sites),
        "languages": sorted(entered.languages),
    }


def _save_number(db: Session, vault: Vault, person: int, entered: Entered) -> None:
    sealed = vault.seal_number(_place(person), _bare(entered.number)) if entered.role in ON_ROUTES else None
    db.execute(update(CaseWorker).where(CaseWorker.id == person).values(number_sealed=sealed))


def _count_active(db: Session, role: Role) -> int:
    """Locked, so that of two who leave at the same time the second sees that the first has left."""
    where = (CaseWorker.role == role.value) & CaseWorker.active
    return len(db.scalars(select(CaseWorker.id).where(where).order_by(CaseWorker.id).with_for_update()).all())


def _bare(typed: str) -> str:
    return re.sub(r"[\s.()-]", "", typed)


def _place(person: int) -> str:
    return f"caseworker/{person}/number"
