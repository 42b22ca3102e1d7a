"""How a reporter can be reached, if they asked for it: a number and safe hours, sealed, for a month at most.

It is sealed to the report and locked by the key of its week, which lies outside the database. When the report is
closed or withdrawn, when its one SMS has been sent, or after thirty days it is erased.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import cast

from sqlalchemy import Date, ForeignKey, LargeBinary, String, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.casework import report
from gateway.casework.report import Coarse
from gateway.db import Base
from gateway.vault import Pair, Vault
from gateway.vault.weeks import week_of

LASTS = timedelta(days=30)
"""Given by the protocol of call-backs: a reporter who was not reached within a month is not looked for."""
DIGITS = 2
"""How many digits of the code tell a reporter that a caller is true."""


class How(StrEnum):
    """How a reporter wants to be reached: a call, or one neutral SMS when a message waits for them."""

    CALL = "call"
    SMS = "sms"


class Contact(Base):
    """How to reach the reporter of one report; a later yes takes the place of an earlier."""

    __tablename__ = "contact"
    __table_args__ = (
        {
            "comment": "Holds: how a reporter who asked for it can be reached: call or SMS; the number and the "
            "hours, sealed to the report and locked by the key of the week.\n"
            "Kept: until the report is closed or withdrawn or the SMS is sent; thirty days at most.\n"
            "Read by: whoever has taken the report, one at a time, with a reason and their passphrase."
        },
    )

    report_id: Mapped[int] = mapped_column(ForeignKey("report.id"), primary_key=True)
    how: Mapped[str] = mapped_column(String(4))
    day: Mapped[date] = mapped_column(Date)
    week: Mapped[str] = mapped_column(String(8))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


_TABLE = cast(Table, Contact.__table__)


@dataclass(frozen=True, slots=True)
class Reach:
    """A contact as it lies open; `hours` is a value of the flow, empty for an SMS. `digits` are the last of the
    code, which a true caller says first."""

    how: How
    number: str = field(repr=False)
    hours: str
    digits: str = field(repr=False)


def keep(db: Session, vault: Vault, found: Coarse, day: date, reach: Reach) -> None:
    """Keep how to reach a reporter, in place of what they said before. Lock the report first. Raises
    vault.SealBroken when another hand has changed its keys, KeyError or OSError when the week has no key."""
    report.check_keys(vault, found)
    week = week_of(day)
    body = json.dumps({"version": 1, "number": reach.number, "hours": reach.hours, "digits": reach.digits}).encode(
        "utf-8"
    )
    row = {
        "report_id": found.id,
        "how": reach.how.value,
        "day": day,
        "week": week,
        "sealed": vault.seal_contact(place(found.id), found.public, week, body),
    }
    write = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
    kept = write(_TABLE).values(row)
    db.execute(kept.on_conflict_do_update(index_elements=["report_id"], set_=row))


def how(db: Session, report_id: int, today: date) -> How | None:
    """How the reporter wants to be reached; None when they did not ask, or it is erased."""
    mine = (Contact.report_id == report_id) & (Contact.day > today - LASTS)
    found = db.scalar(select(Contact.how).where(mine))
    return How(found) if found else None


def open_(db: Session, vault: Vault, report_id: int, pair: Pair, today: date) -> Reach | None:
    """What the report's pair opens; None when there is nothing any more. Raises vault.SealBroken."""
    mine = (Contact.report_id == report_id) & (Contact.day > today - LASTS)
    row = db.execute(select(Contact.how, Contact.week, Contact.sealed).where(mine)).one_or_none()
    if row is None:
        return None
    body = json.loads(vault.open_contact(pair, place(report_id), row.week, row.sealed))
    return Reach(How(row.how), body["number"], body["hours"], body["digits"])


def erase(db: Session, report_id: int) -> bool:
    """Whether there was something to erase."""
    return bool(
        db.scalars(delete(Contact).where(Contact.report_id == report_id).returning(Contact.report_id)).all()
    )


def erase_old(db: Session, today: date) -> list[int]:
    """Erase what has been kept for long enough; returns the reports. Destroy the keys of the weeks first."""
    old = Contact.day <= today - LASTS
    return list(db.scalars(delete(Contact).where(old).returning(Contact.report_id)))


def place(report_id: int) -> str:
    """The place that a contact is bound to."""
    return f"{report.place(report_id)}/contact"
