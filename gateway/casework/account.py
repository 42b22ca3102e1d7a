"""Accounts: what a person signs in with. Everything secret in it is theirs alone.

What is checked with a slow hash is read before it and written after it, so that no transaction waits.
"""

from __future__ import annotations

import base64
import hmac
import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import pyotp
from sqlalchemy import JSON, ForeignKey, LargeBinary, String, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.casework import attempt, caseworker, journal, passphrase, session
from gateway.casework.caseworker import CaseWorker, Person
from gateway.casework.refused import Refused
from gateway.casework.verb import Verb
from gateway.db import Base, UtcTime
from gateway.vault import (
    Enrolment,
    Pair,
    SealBroken,
    Unlocked,
    Vault,
    new_code,
    plain_code,
    recover,
    unlock,
)

CODES: Final = 10
"""One-time codes on a printed sheet."""
_CODE = 9
"""Letters of a one-time code."""
_STEP = 30
"""Seconds that a six-digit code stands; the one before and the one after count too."""


class Account(Base):
    """How one person signs in; whoever has not joined has no `lock`. `invited_by` is empty when the machine's
    operator invited, and stays after joining: whoever invited does not confirm."""

    __tablename__ = "account"
    __table_args__ = (
        {
            "comment": "Holds: how a person signs in: locks that their passphrase, recovery code and the server "
            "open, and keyed hashes of codes.\n"
            "Kept: as long as the person.\n"
            "Read by: the pages for signing in, joining and the own account."
        },
    )

    caseworker_id: Mapped[int] = mapped_column(ForeignKey("caseworker.id"), primary_key=True)
    login: Mapped[str] = mapped_column(String(40), unique=True)
    lock: Mapped[bytes | None] = mapped_column(LargeBinary)
    private_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    recovery_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    seed_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    step: Mapped[int]
    codes: Mapped[list[str]] = mapped_column(JSON)
    invitation: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    invited_by: Mapped[int | None] = mapped_column(ForeignKey("caseworker.id"))
    invited_until: Mapped[datetime | None] = mapped_column(UtcTime)


journal.watch("person", Account.__table__, Account.__table__.c.caseworker_id, but=("step", "codes"))


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a check of somebody's secrets needs, read before the slow hash. Of nobody, it fits nothing, after the
    same work."""

    person: int | None
    lock: bytes | None = field(repr=False)
    private_sealed: bytes | None = field(repr=False)
    recovery_sealed: bytes | None = field(repr=False)

    def unlock(self, typed: str) -> Unlocked | None:
        return unlock(self.lock, passphrase.plain(typed))

    def key(self, unlocked: Unlocked) -> Pair | None:
        """The person's key pair; None for a role without one, and when it does not open any more."""
        if self.person is None or self.private_sealed is None:
            return None
        try:
            return unlocked.open(self.person, self.private_sealed)
        except SealBroken:
            return None

    def recover(self, code: str) -> Pair | None:
        """The key pair that a recovery code opens; None when it opens none."""
        if self.person is None or self.recovery_sealed is None:
            return None
        try:
            return recover(self.person, self.recovery_sealed, code)
        except SealBroken:
            return None


NOBODY: Final = Credentials(None, None, None, None)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far somebody has come: invited until when, joined, with which second factor."""

    login: str
    joined: bool
    invited_until: datetime | None
    second_factor: bool
    codes_left: int


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
        db.execute(insert(Account).values(caseworker_id=person, login=login, step=0, codes=[]))


def login_of(db: Session, person: int) -> str:
    """The name a person signs in with, `""` when there is none."""
    return db.scalar(select(Account.login).where(Account.caseworker_id == person)) or ""


def holder(db: Session, login: str) -> Person:
    """Who signs in with this name, as long as they are at work. Raises Refused."""
    person = credentials(db, login).person
    found = caseworker.one(db, person) if person is not None else None
    if found is None:
        raise Refused("login", "Nobody at work signs in with this name.")
    return found


def standings(db: Session) -> dict[int, Standing]:
    """How far each person has come."""
    rows = db.execute(
        select(
            Account.caseworker_id,
            Account.login,
            Account.lock.is_not(None),
            Account.invited_until,
            Account.seed_sealed.is_not(None),
            Account.codes,
        )
    )
    return {row[0]: Standing(row[1], bool(row[2]), row[3], bool(row[4]), len(row[5])) for row in rows}


def standing(db: Session, person: int) -> Standing:
    """How far one person has come."""
    return standings(db).get(person) or Standing("", False, None, False, 0)


def credentials(db: Session, login: str) -> Credentials:
    """The credentials of an active person; of nobody when there is none of that name."""
    row = db.execute(
        select(Account.caseworker_id, Account.lock, Account.private_sealed, Account.recovery_sealed)
        .join(CaseWorker, CaseWorker.id == Account.caseworker_id)
        .where(Account.login == login.strip().casefold(), CaseWorker.active)
    ).one_or_none()
    return Credentials(*row) if row else NOBODY


# Their secrets.


def enrolled(db: Session, person: int, made: Enrolment | bytes) -> None:
    """Store what somebody made when they joined: all of an Enrolment, or the lock alone for a role without a key.
    What they had before is gone, also their second factor; nobody vouches for the new key yet."""
    nothing: dict[str, object] = {
        "seed_sealed": None,
        "step": 0,
        "codes": [],
        "invitation": None,
        "invited_until": None,
    }
    if isinstance(made, bytes):
        _set(db, person, lock=made, private_sealed=None, recovery_sealed=None, **nothing)
        _drop_public(db, person)
        return
    kept = {"private_sealed": made.private_sealed, "recovery_sealed": made.recovery_sealed}
    _set(db, person, lock=made.lock, **kept, **nothing)
    caseworker.set_key(db, person, made.public)


def drop_key(db: Session, person: int) -> None:
    """Somebody whose new role brings them no reports has no key any more: nothing opens for them."""
    _set(db, person, private_sealed=None, recovery_sealed=None)
    _drop_public(db, person)
    session.end_all(db, person)


def set_passphrase(
    db: Session, person: int, key: Pair | None, made: tuple[bytes, bytes | None], now: datetime
) -> None:
    """Another passphrase for the same key pair, as `relock` (or `lock`) made it. Raises Refused when the key pair
    has been replaced meanwhile."""
    _same_key(db, person, key)
    _set(db, person, lock=made[0], private_sealed=made[1])
    journal.write(db, now, Verb.PASSPHRASE_CHANGED, actor=person, subject=person)


def set_recovery(db: Session, person: int, key: Pair, recovery_sealed: bytes, now: datetime) -> None:
    """Another recovery code, as `new_recovery` made it. Raises Refused when the key pair has been replaced."""
    _same_key(db, person, key)
    _set(db, person, recovery_sealed=recovery_sealed)
    journal.write(db, now, Verb.KEYS_CHANGED, actor=person, subject=person)


def set_second_factor(db: Session, vault: Vault, person: int, seed: str, code: str, now: datetime) -> list[str]:
    """Another second factor in place of any old one, with new one-time codes, to be shown once. Raises Refused
    when the six digits do not fit it."""
    step = _step_of(seed, code, now, after=0)
    if step is None:
        raise Refused("code", "These six digits do not fit. Check the hour of this phone, and type the newest.")
    set_seed(db, vault, person, seed)
    _set(db, person, step=step)
    return new_codes(db, vault, person, now)


def new_codes(db: Session, vault: Vault, person: int, now: datetime) -> list[str]:
    """Ten one-time codes in place of those that are left."""
    codes = [new_code(_CODE) for _ in range(CODES)]
    _set(db, person, codes=[_code_token(vault, person, code) for code in codes])
    journal.write(db, now, Verb.SECOND_FACTOR_CHANGED, actor=person, subject=person)
    return codes


def set_seed(db: Session, vault: Vault, person: int, seed: str) -> None:
    """The second factor: base 32, as an authenticator takes it."""
    _set(db, person, seed_sealed=vault.seal_number(_place(person), seed), step=0)


def offered_seed(db: Session, vault: Vault, person: int, cookie: str) -> str:
    """A second factor to offer in this session: the same until it is taken, though nothing of it is stored."""
    before = db.scalar(select(Account.seed_sealed).where(Account.caseworker_id == person)) or b""
    return base64.b32encode(vault.token("seed", cookie, before.hex())[:20]).decode("ascii")


# The second factor.


def is_printed(code: str) -> bool:
    """Whether this was typed from a sheet of one-time codes, not read from a telephone."""
    return len(plain_code(code)) == _CODE


def use_code(db: Session, vault: Vault, of: Credentials, typed: str, now: datetime, *, needed: bool) -> bool:
    """Whether this code is right for credentials that still stand; it is never right again. Without a second
    factor no code is, unless none is `needed`."""
    row = db.execute(
        select(Account.seed_sealed, Account.step, Account.codes, Account.lock)
        .where(Account.caseworker_id == of.person)
        .with_for_update()
    ).one_or_none()
    if of.person is None or row is None or row.lock is None or row.lock != of.lock:
        return False
    (seed_sealed, step, codes, _), person = row, of.person
    if seed_sealed is None:
        return not needed
    if is_printed(typed):
        token = _code_token(vault, person, typed)
        if token not in codes:
            return False
        _set(db, person, codes=[one for one in codes if one != token])
        return True
    try:
        used = _step_of(vault.open_number(_place(person), seed_sealed), typed, now, after=step)
    except SealBroken:
        return False
    if used is None:
        return False
    _set(db, person, step=used)
    return True


def reseal(db: Session, vault: Vault) -> None:
    """Seal second factors under the newest server key, and end all sessions; the caller writes each person's line.
    What is kept as a token (one-time codes, invitations, known devices) fits no more: people get new ones."""
    for person, sealed in db.execute(select(Account.caseworker_id, Account.seed_sealed)).all():
        _set(db, person, codes=[], invitation=None, invited_until=None)
        session.end_all(db, person)
        if sealed is not None:
            with suppress(SealBroken):  # it opened before no more than now: its owner has to join anew
                _set(
                    db,
                    person,
                    seed_sealed=vault.seal_number(_place(person), vault.open_number(_place(person), sealed)),
                )


def forget_ended(db: Session, now: datetime) -> int:
    """Delete sessions that time has ended, and failures that are forgotten; returns how many."""
    return session.forget_ended(db, now) + attempt.forget(db, now)


def _step_of(seed: str, typed: str, now: datetime, *, after: int) -> int | None:
    """Which of the half minutes around now these six digits stand for, if it comes after the last one used."""
    digits = re.sub(r"[\s-]", "", typed)
    present = int(now.timestamp()) // _STEP
    fitting = [
        step
        for step in (present - 1, present, present + 1)
        if hmac.compare_digest(pyotp.HOTP(seed).at(step).encode(), digits.encode())
    ]
    return next((step for step in fitting if step > after), None)


def _code_token(vault: Vault, person: int, code: str) -> str:
    return vault.token("one-time code", person, plain_code(code)).hex()


def _same_key(db: Session, person: int, key: Pair | None) -> None:
    # The account first, then the person: everything that changes both takes them in this order.
    db.execute(select(Account.step).where(Account.caseworker_id == person).with_for_update())
    public = db.scalar(select(CaseWorker.public).where(CaseWorker.id == person))
    if public != (key.public if key else None):
        raise Refused("", "Your account has changed meanwhile. Sign in again.")


def _drop_public(db: Session, person: int) -> None:
    db.execute(update(CaseWorker).where(CaseWorker.id == person).values(public=None, attest=None))


def _set(db: Session, person: int, **values: object) -> None:
    db.execute(update(Account).where(Account.caseworker_id == person).values(**values))


def _place(person: int) -> str:
    return f"account/{person}/seed"
