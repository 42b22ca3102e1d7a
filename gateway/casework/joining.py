"""Joining: somebody invites, the person makes secrets of their own, somebody else vouches for their key.

Nobody ever sets or learns another's passphrase. Whoever invites gives a code; who joins with it makes secrets
and a key pair, and nothing is sealed to that key until a second person has compared its fingerprint. So it takes
two to bring in somebody who can read.

Only who can read vouches, with their own key open: a role is a word in a row, and an administrator could make a
second account of their own, or put somebody's name on their own session. A key is neither made nor moved so.
"""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from gateway.casework import account, caseworker, journal, session
from gateway.casework.account import Account
from gateway.casework.caseworker import CaseWorker, Person, Role
from gateway.casework.refused import Refused
from gateway.casework.session import SignIn
from gateway.casework.verb import Verb
from gateway.vault import Enrolment, Pair, Vault, fingerprint, new_code, plain_code

LASTS = timedelta(days=7)
"""How long an invitation can be used."""
CONFIRMERS: Final = (Role.SUPERVISOR, Role.INTEGRITY_OFFICER)
ENOUGH = 2
"""People who can confirm, with whom no key is confirmed on the machine any more."""
_LETTERS = 18


def invite(db: Session, vault: Vault, person: int, by: int | None, now: datetime) -> str:
    """A code to join with, shown once; it takes the place of an older one. What the person has goes on until it is
    used. `by` is empty for the machine's operator."""
    code = new_code(_LETTERS)
    invitation = vault.token("invitation", person, plain_code(code))
    db.execute(
        update(Account)
        .where(Account.caseworker_id == person)
        .values(invitation=invitation, invited_by=by, invited_until=now + LASTS)
    )
    session.end_all(db, person, joining=True)
    journal.write(db, now, Verb.INVITED, actor=by, subject=person)
    return code


def invited(db: Session, vault: Vault, login: str, code: str, now: datetime) -> int | None:
    """Whom this invitation lets in; None when it is another's, used or too old."""
    row = db.execute(
        select(Account.caseworker_id, Account.invitation)
        .join(CaseWorker, CaseWorker.id == Account.caseworker_id)
        .where(Account.login == login.strip().casefold(), CaseWorker.active, Account.invited_until > now)
    ).one_or_none()
    person, invitation = row or (0, None)
    given = vault.token("invitation", person, plain_code(code))
    return person if invitation is not None and hmac.compare_digest(invitation, given) else None


def join(
    db: Session, vault: Vault, token: bytes, made: Enrolment | bytes, seed: str, code: str, now: datetime
) -> list[str]:
    """Whoever is joining in the session `token` gets a new account in place of any older one: `made` before
    this transaction, and the second factor `seed` (none when empty; then no codes are given). Returns the one-time
    codes, to be shown once. Raises Refused when the invitation was used or replaced, or the six digits do not
    fit."""
    person = db.scalar(select(SignIn.caseworker_id).where(SignIn.token == token))
    waiting = person and db.scalar(
        select(Account.invitation).where(Account.caseworker_id == person).with_for_update()
    )
    # Asked again behind the lock: a newer invitation ends what an older one began.
    mine = db.scalar(select(SignIn.joining).where(SignIn.token == token))
    if person is None or waiting is None or not mine:
        raise Refused("", "This invitation was used, or another one has taken its place. Ask for a new one.")
    account.enrolled(db, person, made)
    session.end_all(db, person)
    codes = account.set_second_factor(db, vault, person, seed, code, now) if seed else []
    journal.write(db, now, Verb.JOINED, actor=person, subject=person)
    return codes


def unconfirmable(db: Session, vault: Vault, person: int, by: int | None, key: Pair | None) -> Refused | None:
    """Why this key cannot be confirmed by this person, with `key` open in their session (by nobody: the machine's
    operator, who has none); None when it can."""
    found, confirmer = caseworker.one(db, person), caseworker.one(db, by) if by is not None else None
    invitation = db.execute(
        select(Account.invitation, Account.invited_by).where(Account.caseworker_id == person)
    ).one_or_none()
    if found is None or invitation is None or found.public is None:
        return Refused("", "This person has not joined yet.")
    if invitation.invitation is not None:
        return Refused("", "A new invitation is waiting: the key that comes with it is the one to confirm.")
    if confirmer is None:
        able = [one for one in caseworker.every(db) if one.active and one.role in CONFIRMERS]
        if sum(confirmed(vault, each) for each in able) >= ENOUGH:
            return Refused("", "Two people can confirm keys: from now on one of them does, on its page.")
        return None
    if confirmer.id == person:
        return Refused("", "Nobody confirms their own key.")
    if confirmer.id == invitation.invited_by:
        return Refused("", "You invited this person: somebody else confirms the key.")
    if confirmer.role not in CONFIRMERS:
        return Refused("", "A supervisor or an integrity officer confirms this key.")
    if not confirmed(vault, confirmer):
        return Refused("", "Your own key has to be confirmed first.")
    if key is None or key.public != confirmer.public:
        return Refused("", "Your own key is not open here. Sign in again.")
    return None


def confirm(
    db: Session, vault: Vault, person: int, by: int | None, key: Pair | None, shown: str, now: datetime
) -> None:
    """Vouch for a person's key whose fingerprint was `shown` and compared: from now on reports are sealed to it.
    `key` is open in the session of who vouches. Raises Refused."""
    why_not = unconfirmable(db, vault, person, by, key)
    if why_not is not None:
        raise why_not
    caseworker.confirm_key(db, vault, person)
    found = caseworker.one(db, person)
    # Asked once the row is locked: they may have joined anew since the fingerprint was read out.
    if found is None or found.public is None or fingerprint(found.public) != shown:
        raise Refused("", "This key has changed since the page was opened. Compare the new number.")
    journal.write(db, now, Verb.KEY_CONFIRMED, actor=by, subject=person)


def confirmed(vault: Vault, person: Person) -> bool:
    """Whether reports are sealed to this person."""
    return person.reader is not None and vault.is_attested(person.reader)
