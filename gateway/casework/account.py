"""Accounts and sessions: how people sign in. A session is a row that any request may find ended."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, LargeBinary, String, delete, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.casework import journal
from gateway.casework.caseworker import CaseWorker, Role
from gateway.casework.journal import Verb
from gateway.casework.refused import Refused
from gateway.db import Base, UtcTime
from gateway.vault import Vault, passphrase_fits

IDLE = timedelta(minutes=30)
LASTING = timedelta(hours=8)
_SEEN_EVERY = timedelta(minutes=1)
"""A session's last use is written down this often, so that reading pages does not write each time."""


class Account(Base):
    """How one person signs in."""

    __tablename__ = "account"

    caseworker_id: Mapped[int] = mapped_column(ForeignKey("caseworker.id"), primary_key=True)
    login: Mapped[str] = mapped_column(String(40), unique=True)
    passphrase_hash: Mapped[str] = mapped_column(String(128))


class SignIn(Base):
    """One session: found by the hash of what the cookie holds."""

    __tablename__ = "sign_in"
    __table_args__ = (Index("ix_sign_in_caseworker_id", "caseworker_id"),)

    token: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    caseworker_id: Mapped[int] = mapped_column(ForeignKey("caseworker.id"))
    began_at: Mapped[datetime] = mapped_column(UtcTime)
    seen_at: Mapped[datetime] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is asking."""

    id: int
    name: str
    role: Role


def new_passphrase() -> str:
    """Twenty letters and digits in groups, easy to read aloud: 98 bits."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))


def save_login(db: Session, person: int, login: str) -> None:
    """Give a person a name to sign in with. Raises Refused."""
    login = login.strip().casefold()
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,38}", login):
        raise Refused("login", "Use 2 to 39 letters without accents, digits, dots or hyphens.")
    holder = db.scalar(select(Account.caseworker_id).where(Account.login == login))
    if holder not in (None, person):
        raise Refused("login", "Another person signs in with this name.")
    changed = db.execute(
        update(Account).where(Account.caseworker_id == person).values(login=login).returning(Account.caseworker_id)
    ).scalar_one_or_none()
    if changed is None:
        db.execute(insert(Account).values(caseworker_id=person, login=login, passphrase_hash=""))


def login_of(db: Session, person: int) -> str:
    """The name a person signs in with, `""` when there is none."""
    return db.scalar(select(Account.login).where(Account.caseworker_id == person)) or ""


def set_passphrase(db: Session, person: int, passphrase_hash: str) -> None:
    """Change a passphrase, given as vault.hash_passphrase made it before this transaction, and end every session
    of the person."""
    db.execute(update(Account).where(Account.caseworker_id == person).values(passphrase_hash=passphrase_hash))
    end_all(db, person)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a check of a passphrase needs, read before the slow hash so that no transaction waits for it."""

    person: int | None
    passphrase_hash: str | None = field(repr=False)

    def fit(self, passphrase: str) -> bool:
        """Takes the same time whether or not there is such an account."""
        return passphrase_fits(self.passphrase_hash or None, passphrase) and self.person is not None


def credentials(db: Session, login: str) -> Credentials:
    """The credentials of an active person; of nobody when there is none of that name."""
    row = db.execute(
        select(Account.caseworker_id, Account.passphrase_hash)
        .join(CaseWorker, CaseWorker.id == Account.caseworker_id)
        .where(Account.login == login.strip().casefold(), CaseWorker.active)
    ).one_or_none()
    return Credentials(*row) if row else Credentials(None, None)


def begin(db: Session, vault: Vault, person: int, now: datetime) -> str:
    """Begin a session; returns what the cookie holds (43 characters)."""
    cookie = secrets.token_urlsafe(32)
    db.execute(
        insert(SignIn).values(token=vault.cookie_token(cookie), caseworker_id=person, began_at=now, seen_at=now)
    )
    journal.write(db, now, Verb.SIGNED_IN, actor=person)
    return cookie


def who(db: Session, token: bytes, now: datetime) -> tuple[SignedIn, bool] | None:
    """Whose session this is, and whether `seen` is due; None when it has ended or the person may not enter."""
    row = db.execute(
        select(CaseWorker.id, CaseWorker.name, CaseWorker.role, SignIn.seen_at)
        .join(CaseWorker, CaseWorker.id == SignIn.caseworker_id)
        .where(
            SignIn.token == token,
            SignIn.seen_at > now - IDLE,
            SignIn.began_at > now - LASTING,
            CaseWorker.active,
        )
    ).one_or_none()
    return (SignedIn(row[0], row[1], Role(row[2])), row[3] < now - _SEEN_EVERY) if row else None


def seen(db: Session, token: bytes, now: datetime) -> None:
    """The session was used."""
    db.execute(update(SignIn).where(SignIn.token == token).values(seen_at=now))


def end(db: Session, token: bytes) -> None:
    """End one session."""
    db.execute(delete(SignIn).where(SignIn.token == token))


def end_all(db: Session, person: int) -> None:
    """End every session of a person."""
    db.execute(delete(SignIn).where(SignIn.caseworker_id == person))


def forget_ended(db: Session, now: datetime) -> int:
    """Delete sessions that time has ended; returns how many."""
    ended = (SignIn.seen_at <= now - IDLE) | (SignIn.began_at <= now - LASTING)
    return len(db.execute(delete(SignIn).where(ended).returning(SignIn.token)).scalars().all())
