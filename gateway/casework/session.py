"""Sessions: a row that any request may find ended. A person's key pair lies in it under what the cookie gives."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, ForeignKey, Index, LargeBinary, delete, func, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.casework import journal
from gateway.casework.caseworker import CaseWorker, Role
from gateway.casework.verb import Verb
from gateway.db import Base, UtcTime
from gateway.vault import Pair, Vault

IDLE = timedelta(minutes=30)
LASTING = timedelta(hours=8)
PROVED = timedelta(minutes=10)
"""How long a passphrase, once typed, stands for what must not be done by whoever finds a phone lying open."""
_SEEN_EVERY = timedelta(minutes=1)
"""A session's last use is written down this often, so that reading pages does not write each time."""


class SignIn(Base):
    """One session: found by the hash of what the cookie holds. Of somebody `joining`, it opens nothing yet."""

    __tablename__ = "sign_in"
    __table_args__ = (
        Index("ix_sign_in_caseworker_id", "caseworker_id"),
        {
            "comment": "Holds: who is signed in, since when; their key pair under what only their cookie gives.\n"
            "Kept: until they sign out, half an hour without use, or eight hours.\n"
            "Read by: every page, to know who asks."
        },
    )

    token: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    caseworker_id: Mapped[int] = mapped_column(ForeignKey("caseworker.id"))
    began_at: Mapped[datetime] = mapped_column(UtcTime)
    seen_at: Mapped[datetime] = mapped_column(UtcTime)
    proved_at: Mapped[datetime] = mapped_column(UtcTime)
    key_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    joining: Mapped[bool]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is asking, since when, and when their passphrase was last typed."""

    id: int
    name: str
    role: Role
    began_at: datetime
    proved_at: datetime
    joining: bool
    key_sealed: bytes | None = field(repr=False)


def token_of(vault: Vault, cookie: str) -> bytes:
    """What a session is stored under."""
    return vault.token("session", cookie)


def begin(
    db: Session, vault: Vault, person: int, now: datetime, key: Pair | None = None, *, joining: bool = False
) -> str:
    """Begin a session; returns what the cookie holds (43 characters)."""
    cookie = secrets.token_urlsafe(32)
    db.execute(
        insert(SignIn).values(
            token=token_of(vault, cookie),
            caseworker_id=person,
            began_at=now,
            seen_at=now,
            proved_at=now,
            key_sealed=vault.session_seal(cookie, key) if key else None,
            joining=joining,
        )
    )
    if not joining:
        journal.write(db, now, Verb.SIGNED_IN, actor=person)
    return cookie


def who(db: Session, token: bytes, now: datetime) -> tuple[SignedIn, bool] | None:
    """Whose session this is, and whether `seen` is due; None when it has ended or the person may not enter."""
    row = db.execute(
        select(
            CaseWorker.id,
            CaseWorker.name,
            CaseWorker.role,
            SignIn.began_at,
            SignIn.proved_at,
            SignIn.joining,
            SignIn.key_sealed,
            SignIn.seen_at,
        )
        .join(CaseWorker, CaseWorker.id == SignIn.caseworker_id)
        .where(SignIn.token == token, _is_living(now), CaseWorker.active)
    ).one_or_none()
    if row is None:
        return None
    return SignedIn(row[0], row[1], Role(row[2]), *row[3:7]), row[7] < now - _SEEN_EVERY


def seen(db: Session, token: bytes, now: datetime) -> None:
    """The session was used."""
    db.execute(update(SignIn).where(SignIn.token == token).values(seen_at=now))


def proved(db: Session, token: bytes, now: datetime) -> None:
    """The passphrase was typed again in this session."""
    db.execute(update(SignIn).where(SignIn.token == token).values(proved_at=now))


def count(db: Session, person: int, now: datetime) -> int:
    """How many sessions a person has."""
    mine = select(func.count()).select_from(SignIn).where(SignIn.caseworker_id == person, _is_living(now))
    return db.scalar(mine.where(~SignIn.joining)) or 0


def end(db: Session, token: bytes) -> None:
    """End one session."""
    db.execute(delete(SignIn).where(SignIn.token == token))


def end_all(db: Session, person: int, *, but: bytes | None = None, joining: bool = False) -> None:
    """End every session of a person but one, or only those in which somebody is `joining` as this person."""
    where = (SignIn.caseworker_id == person) & (SignIn.token != (but or b""))
    db.execute(delete(SignIn).where(where & SignIn.joining if joining else where))


def forget_ended(db: Session, now: datetime) -> int:
    """Delete sessions that time has ended; returns how many."""
    return len(db.execute(delete(SignIn).where(~_is_living(now)).returning(SignIn.token)).scalars().all())


def _is_living(now: datetime) -> ColumnElement[bool]:
    return (SignIn.seen_at > now - IDLE) & (SignIn.began_at > now - LASTING)
