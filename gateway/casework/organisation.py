"""Organisations: whom people work for. Where one is accused, nobody who belongs to it hears of the report."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import JSON, String, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.casework.refused import Refused
from gateway.db import Base

NAME_LETTERS = 80
MOST_ALIASES, ALIAS_LETTERS = 12, 60


class Kind(StrEnum):
    """What an organisation is at a site. All but the first are values of the flow's field `accused`: whoever is
    said to have done it, or to be in charge."""

    INDEPENDENT = "independent"
    COOPERATIVE = "cooperative"
    BUYER_COMPANY = "buyer_company"
    POLICE_ARMY_GUARD = "police_army_guard"
    MINE_SERVICE = "mine_service"


ACCUSED = {kind.value: kind for kind in Kind if kind is not Kind.INDEPENDENT} | {"pit_boss": Kind.COOPERATIVE}
"""Which kind of organisation an answer accuses: a pit boss works under a cooperative."""


class Organisation(Base):
    """One organisation; `aliases` are other names that people call it by."""

    __tablename__ = "organisation"
    __table_args__ = (
        {
            "comment": "Holds: whom people here work for, what it is at the mines, what else it is called.\n"
            "Kept: for good.\n"
            "Read by: supervisors and administrators; the screening of what callers write."
        },
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_LETTERS), unique=True)
    kind: Mapped[str] = mapped_column(String(20))
    aliases: Mapped[list[str]] = mapped_column(JSON)


@dataclass(frozen=True, slots=True)
class Row:
    """An organisation as pages and the screening read it."""

    id: int
    name: str
    kind: Kind
    aliases: tuple[str, ...]


_ROW = (Organisation.id, Organisation.name, Organisation.kind, Organisation.aliases)


def every(db: Session) -> list[Row]:
    """All organisations by name."""
    rows = db.execute(select(*_ROW).order_by(Organisation.name))
    return [Row(id_, name, Kind(kind), tuple(aliases)) for id_, name, kind, aliases in rows]


def one(db: Session, organisation: int) -> Row | None:
    return next((row for row in every(db) if row.id == organisation), None)


def add(db: Session, *, name: str, kind: Kind, aliases: str) -> int:
    """Save a new organisation; returns the id. Raises Refused."""
    values = _checked(db, None, name, kind, aliases)
    return db.execute(insert(Organisation).values(**values).returning(Organisation.id)).scalar_one()


def change(db: Session, organisation: int, *, name: str, kind: Kind, aliases: str) -> None:
    """Save an organisation anew. Raises Refused."""
    values = _checked(db, organisation, name, kind, aliases)
    db.execute(update(Organisation).where(Organisation.id == organisation).values(**values))


def read_aliases(typed: str) -> tuple[str, ...]:
    """Other names as they were typed, one a line or divided by commas. Raises Refused."""
    found = tuple(dict.fromkeys(" ".join(one.split()) for one in re.split(r"[\n,;]", typed) if one.strip()))
    if len(found) > MOST_ALIASES or any(len(one) > ALIAS_LETTERS for one in found):
        raise Refused(
            "aliases",
            "At most %(most)s other names of at most %(letters)s letters each.",
            most=MOST_ALIASES,
            letters=ALIAS_LETTERS,
        )
    return found


def _checked(db: Session, organisation: int | None, name: str, kind: Kind, aliases: str) -> dict[str, object]:
    name = " ".join(name.split())
    if not name or len(name) > NAME_LETTERS:
        raise Refused("name", "Give a name of at most 80 letters.")
    if db.scalar(select(Organisation.id).where(Organisation.name == name)) not in (None, organisation):
        raise Refused("name", "Another organisation has this name.")
    return {"name": name, "kind": kind.value, "aliases": list(read_aliases(aliases))}
