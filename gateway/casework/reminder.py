"""Reminders: the one neutral SMS to a reporter who asked for it. This table is their outbox.

A row holds the number under the server's key, from the moment a letter is written until the SMS leaves, an hour at
most. No column says whose it is; but whoever reads the journal as well finds of which report it says, in that
minute, that a reminder is leaving. It is taken out before it is sent: at most once, whatever happens.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, LargeBinary, String, delete, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.db import Base, UtcTime
from gateway.vault import SealBroken, Vault

LASTS = timedelta(hours=1)
"""How long a number waits for a provider that is away; then the reminder is given up."""
AGAIN = timedelta(minutes=2)


class Reminder(Base):
    """One SMS that has not left yet."""

    __tablename__ = "reminder"
    __table_args__ = (
        {
            "comment": "Holds: numbers of reporters who asked for an SMS that is leaving now, under the server's "
            "key; whose it is tells only the minute, beside the journal.\n"
            "Kept: until it leaves, an hour at most.\n"
            "Read by: the senders."
        },
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    language: Mapped[str] = mapped_column(String(8))
    due_at: Mapped[datetime] = mapped_column(UtcTime)
    until: Mapped[datetime] = mapped_column(UtcTime)
    number_sealed: Mapped[bytes] = mapped_column(LargeBinary)


@dataclass(frozen=True, slots=True)
class Taken:
    """A reminder that this process has taken out and must send now."""

    number: str = field(repr=False)
    language: str
    until: datetime


def queue(
    db: Session, vault: Vault, number: str, language: str, now: datetime, until: datetime | None = None
) -> None:
    """Write a reminder, due at once; with `until`, one that could not leave, due again in a little while."""
    made = secrets.token_hex(16)
    db.execute(
        insert(Reminder).values(
            id=made,
            language=language,
            due_at=now if until is None else now + AGAIN,
            until=until or now + LASTS,
            number_sealed=vault.seal_number(_place(made), number),
        )
    )


def is_due(db: Session, now: datetime) -> bool:
    return db.scalar(select(select(Reminder.id).where(_due(now)).exists())) or False


def take(db: Session, vault: Vault, now: datetime) -> Taken | None:
    """Take one out; whoever has taken it must send it. What has waited too long, or does not open, is erased."""
    # Written by a clock some way ahead of this one it is as good as any; by one gone wild it would stay for ever.
    db.execute(delete(Reminder).where((Reminder.until <= now) | (Reminder.until > now + 2 * LASTS)))
    while True:
        chosen = db.scalar(select(Reminder.id).where(_due(now)).limit(1).with_for_update(skip_locked=True))
        if chosen is None:
            return None
        columns = (Reminder.id, Reminder.number_sealed, Reminder.language, Reminder.until)
        row = db.execute(delete(Reminder).where(Reminder.id == chosen).returning(*columns)).one()
        with suppress(SealBroken):  # one that does not open is gone, and holds nobody up
            return Taken(vault.open_number(_place(row.id), row.number_sealed), row.language, row.until)


def _due(now: datetime) -> ColumnElement[bool]:
    return (Reminder.due_at <= now) | (Reminder.due_at > now + LASTS)


def _place(reminder: str) -> str:
    return f"reminder/{reminder}/number"
