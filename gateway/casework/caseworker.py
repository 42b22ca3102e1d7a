"""Everybody who works here: case workers, supervisors, integrity officers, technicians, administrators.

A telephone number is sealed under the server's key; the page and the sender open it, nothing else does. Reports
are sealed to a person's public key once two people have vouched for it: whoever holds `attest`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import JSON, ColumnElement, LargeBinary, String, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.casework.organisation import ALIAS_LETTERS, MOST_ALIASES, Kind, Organisation, read_aliases
from gateway.casework.refused import Refused
from gateway.db import Base
from gateway.vault import Reader, SealBroken, Vault


class Role(StrEnum):
    """What a person is here for."""

    CASE_WORKER = "case_worker"
    SUPERVISOR = "supervisor"
    INTEGRITY_OFFICER = "integrity_officer"
    TECHNICIAN = "technician"
    ADMINISTRATOR = "administrator"


ON_ROUTES = (Role.CASE_WORKER, Role.SUPERVISOR, Role.INTEGRITY_OFFICER)
"""Roles that reports are brought to; the others have no telephone number and no key here."""
DECIDE = (Role.SUPERVISOR, Role.INTEGRITY_OFFICER)
"""Who decides about a withdrawal that is not the reporter's alone, holds a report for a court, and takes over one
that nobody goes on with."""


class CaseWorker(Base):
    """One person. Empty `sites` means every site; `lanes` counts for case workers only. `supervisor_id` is whom
    they answer to; `aliases` are other names that people call them by. `moved`: they have come to stand where they
    may not hear of what they heard of before, and have not been taken off all of it yet."""

    __tablename__ = "caseworker"
    __table_args__ = (
        {
            "comment": "Holds: who works here, for whom, under whom, what they do, their sealed number, their "
            "public key.\n"
            "Kept: as long as they are named by a report or a line of the journal.\n"
            "Read by: colleagues, the name and role; supervisors and administrators, on one page, the number."
        },
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    role: Mapped[str] = mapped_column(String(20))
    active: Mapped[bool]
    number_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    public: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    attest: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    sms_language: Mapped[str] = mapped_column(String(8))
    lanes: Mapped[list[str]] = mapped_column(JSON)
    sites: Mapped[list[int]] = mapped_column(JSON)
    languages: Mapped[list[str]] = mapped_column(JSON)
    # No foreign keys: SQLite can give none to a column that comes later, and neither is ever deleted.
    organisation_id: Mapped[int | None]
    supervisor_id: Mapped[int | None]
    aliases: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    moved: Mapped[bool | None]


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
    public: bytes | None
    attest: bytes | None
    organisation: int | None = None
    kind: Kind | None = None
    """Of the organisation."""
    supervisor: int | None = None
    aliases: tuple[str, ...] = ()

    @property
    def reader(self) -> Reader | None:
        """Whom reports may be sealed to; None until the person has joined and somebody else has confirmed it."""
        if self.public is None or self.attest is None:
            return None
        return Reader(self.id, self.public, self.attest)


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
    organisation: int | None = None
    supervisor: int | None = None
    aliases: str = ""


ANSWERING = (
    CaseWorker.active
    & CaseWorker.role.in_([role.value for role in ON_ROUTES])
    & CaseWorker.attest.is_not(None)
    & CaseWorker.moved.is_(None)
)
"""Who may be asked about a report, and sees any at all: at work, in a role that answers for reports, with a key
that somebody else has confirmed. Whoever came in with an invitation that they drew for a colleague has none."""

_PERSON = (
    CaseWorker.id,
    CaseWorker.name,
    CaseWorker.role,
    CaseWorker.active,
    CaseWorker.sms_language,
    CaseWorker.lanes,
    CaseWorker.sites,
    CaseWorker.languages,
    CaseWorker.public,
    CaseWorker.attest,
    CaseWorker.organisation_id,
    Organisation.kind,
    CaseWorker.supervisor_id,
    CaseWorker.aliases,
)
_PEOPLE = select(*_PERSON).join(Organisation, Organisation.id == CaseWorker.organisation_id, isouter=True)


def every(db: Session) -> list[Person]:
    """All people, active ones first, then by name."""
    rows = db.execute(_PEOPLE.order_by(CaseWorker.active.desc(), CaseWorker.name, CaseWorker.id))
    return [_person(row) for row in rows]


def one(db: Session, person: int) -> Person | None:
    row = db.execute(_PEOPLE.where(CaseWorker.id == person)).one_or_none()
    return _person(row) if row else None


def answers(person: int) -> ColumnElement[bool]:
    """The condition that this person is ANSWERING."""
    return select(CaseWorker.id).where(CaseWorker.id == person, ANSWERING).exists()


def decides(db: Session, person: int | None) -> bool:
    """Whether this person is one of those who DECIDE, and at work."""
    return db.scalar(select(CaseWorker.role).where(CaseWorker.id == person, CaseWorker.active)) in DECIDE


def number(db: Session, vault: Vault, person: int) -> str:
    """The number in the clear, `""` when there is none. Raises vault.SealBroken."""
    sealed = db.scalar(select(CaseWorker.number_sealed).where(CaseWorker.id == person))
    return vault.open_number(_place(person), sealed) if sealed else ""


def add(db: Session, vault: Vault, entered: Entered) -> int:
    """Save a new person; returns the id. Raises Refused."""
    values = _checked(entered) | _placed(db, None, entered)
    person = db.execute(insert(CaseWorker).values(**values).returning(CaseWorker.id)).scalar_one()
    _save_number(db, vault, person, entered)
    return person


def change(db: Session, vault: Vault, person: int, entered: Entered) -> None:
    """Save a person anew. Raises Refused, also when nobody would be left to answer for reports."""
    _one_at_a_time(db)
    before = one(db, person)
    if before is None:
        raise Refused("", "This person is not here any more.")
    for role in (Role.SUPERVISOR, Role.INTEGRITY_OFFICER, Role.ADMINISTRATOR):
        counts = before.active and (role not in ON_ROUTES or before.reader is not None)
        leaves = before.role == role and counts and not (entered.active and entered.role == role)
        if leaves and _count_active(db, role) == 1:
            raise Refused(
                "active",
                "Nobody else has this role: reports would have nobody to answer for them. "
                "Add another person first.",
            )
    values = _checked(entered) | _placed(db, person, entered)
    if values["name"] != before.name:
        values["aliases"] = _also_called(before.name, cast("list[str] | None", values["aliases"]) or [])
    if entered.role != before.role or before.organisation not in (None, entered.organisation):
        # Who vouched for the key vouched for somebody in that role, of that organisation: another needs a second
        # person once more.
        values["attest"] = None
    db.execute(update(CaseWorker).where(CaseWorker.id == person).values(**values))
    _save_number(db, vault, person, entered)


def check_kind(db: Session, organisation: int, kind: Kind) -> None:
    """Whether an organisation can be of this kind with the people who work for it. Raises Refused."""
    _one_at_a_time(db)
    if kind is Kind.INDEPENDENT:
        return
    if any(one.organisation == organisation and one.role is Role.INTEGRITY_OFFICER for one in every(db)):
        raise Refused("kind", "An integrity officer belongs to an independent organisation.")


def mark_moved(db: Session, people: Collection[int]) -> None:
    """From now on these see no report, until they have been taken off what they may not hear of any more."""
    db.execute(update(CaseWorker).where(CaseWorker.id.in_(people)).values(moved=True))


def moved(db: Session) -> list[int]:
    """Who has to be taken off reports."""
    return list(db.scalars(select(CaseWorker.id).where(CaseWorker.moved.is_not(None))))


def settle(db: Session, person: int) -> None:
    """This person has been taken off all that they may not hear of."""
    db.execute(update(CaseWorker).where(CaseWorker.id == person).values(moved=None))


def set_key(db: Session, person: int, public: bytes) -> None:
    """The public key that a person made when they joined; nobody vouches for it yet."""
    db.execute(update(CaseWorker).where(CaseWorker.id == person).values(public=public, attest=None))


def confirm_key(db: Session, vault: Vault, person: int) -> None:
    """Somebody else vouches that this key is this person's: from now on reports are sealed to it. Raises
    Refused."""
    public = db.scalar(select(CaseWorker.public).where(CaseWorker.id == person).with_for_update())
    if public is None:
        raise Refused("", "This person has not joined yet.")
    attest = vault.attest(person, public)
    db.execute(update(CaseWorker).where(CaseWorker.id == person).values(attest=attest))


def reseal(db: Session, vault: Vault) -> None:
    """Put numbers and what vouches for keys under the server's newest key. What opened under none of them, or was
    vouched for by nobody, stays as it is."""
    columns = (CaseWorker.id, CaseWorker.number_sealed, CaseWorker.public, CaseWorker.attest)
    for person, sealed, public, attest in db.execute(select(*columns).with_for_update()).all():
        values: dict[str, bytes] = {}
        with suppress(SealBroken):
            if sealed:
                clear = vault.open_number(_place(person), sealed)
                values["number_sealed"] = vault.seal_number(_place(person), clear)
        if public and attest and vault.is_attested(Reader(person, public, attest)):
            values["attest"] = vault.attest(person, public)
        if values:
            db.execute(update(CaseWorker).where(CaseWorker.id == person).values(**values))


def _person(row: Any) -> Person:
    id_, name, role, active, sms_language, lanes, sites, languages, public, attest, *where = row
    areas = frozenset(lanes), frozenset(sites), frozenset(languages)
    organisation, kind, supervisor, aliases = where
    return Person(
        id_,
        name,
        Role(role),
        active,
        sms_language,
        *areas,
        public,
        attest,
        organisation,
        Kind(kind) if kind else None,
        supervisor,
        tuple(aliases or ()),
    )


def _also_called(name: str, aliases: list[str]) -> list[str]:
    """Other names, with one that a person had: what people called them yesterday they may write tomorrow. None is
    ever pushed out by another. Raises Refused."""
    name = name[:ALIAS_LETTERS]
    if name not in aliases and len(aliases) == MOST_ALIASES:
        raise Refused(
            "name",
            "The old name stays among the other names, and there are %(most)s already. An administrator takes "
            "one out first.",
            most=MOST_ALIASES,
        )
    return [*aliases, *([name] if name not in aliases else [])]


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


def _placed(db: Session, person: int | None, entered: Entered) -> dict[str, object]:
    """For whom and under whom somebody works: what an exclusion follows."""
    _one_at_a_time(db)
    people = {one.id: one for one in every(db)}
    kind = db.scalar(select(Organisation.kind).where(Organisation.id == entered.organisation))
    if kind is None and (entered.role in ON_ROUTES or entered.organisation is not None):
        raise Refused("organisation", "Choose the organisation this person works for.")
    officer = entered.role is Role.INTEGRITY_OFFICER
    if officer and kind != Kind.INDEPENDENT.value:
        raise Refused("organisation", "An integrity officer belongs to an independent organisation.")
    apart = (Role.CASE_WORKER, Role.SUPERVISOR) if officer else (Role.INTEGRITY_OFFICER,)
    if entered.active and entered.role in ON_ROUTES:
        for other in people.values():
            together = other.organisation == entered.organisation and other.id != person
            if together and other.active and other.role in apart:
                raise Refused(
                    "organisation",
                    "Complaints go to another organisation: an integrity officer and those who work on reports "
                    "never belong to the same.",
                )
    above, chain = entered.supervisor, {person}
    while above is not None:
        if above in chain or above not in people:
            raise Refused("supervisor", "Nobody can answer to themselves, nor to somebody who answers to them.")
        if officer and people[above].role in (Role.CASE_WORKER, Role.SUPERVISOR):
            raise Refused("supervisor", "An integrity officer answers to nobody who works on reports.")
        chain.add(above)
        above = people[above].supervisor
    aliases = list(read_aliases(entered.aliases))
    return {
        "organisation_id": entered.organisation,
        "supervisor_id": entered.supervisor,
        "aliases": aliases or None,
    }


def _one_at_a_time(db: Session) -> None:
    """Of two who put people into places at the same time, the second sees what the first has done."""
    db.execute(select(Organisation.id).order_by(Organisation.id).with_for_update()).all()


def _save_number(db: Session, vault: Vault, person: int, entered: Entered) -> None:
    sealed = vault.seal_number(_place(person), _bare(entered.number)) if entered.role in ON_ROUTES else None
    db.execute(update(CaseWorker).where(CaseWorker.id == person).values(number_sealed=sealed))


def _count_active(db: Session, role: Role) -> int:
    """Those who can be reached: on routes, with a confirmed key. Locked, so that of two who leave at the same time
    the second sees that the first has left."""
    where = (CaseWorker.role == role.value) & CaseWorker.active
    if role in ON_ROUTES:
        where &= CaseWorker.attest.is_not(None)
    return len(db.scalars(select(CaseWorker.id).where(where).order_by(CaseWorker.id).with_for_update()).all())


def _bare(typed: str) -> str:
    return re.sub(r"[\s.()-]", "", typed)


def _place(person: int) -> str:
    return f"caseworker/{person}/number"
