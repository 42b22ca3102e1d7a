"""Joining takes two: one who invites, one who confirms; and nobody but its owner ever knows a secret."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pyotp
import pytest
from sqlalchemy import select

from gateway import vault
from gateway.casework import Refused, account, caseworker, joining, session
from gateway.casework.caseworker import Role
from gateway.casework.joining import LASTS
from gateway.casework.journal import Entry
from gateway.casework.verb import Verb
from tests import build
from tests.build import PASSPHRASE, START
from tests.casework.house import House

SEED = pyotp.random_base32()
DIGITS = pyotp.TOTP(SEED).at(START)


def newcomer(house: House, login: str = "new", role: Role = Role.CASE_WORKER) -> int:
    """Somebody who has been added, and has no key yet."""
    entered = house.entered(login, role)
    made = house.do(lambda db: caseworker.add(db, house.keys, entered))
    house.do(account.save_login, made, login)
    return made


def enter(house: House, login: str, code: str, now: datetime = START) -> bytes | None:
    """What the session of somebody joining is stored under; None when the invitation does not let them in."""
    person = house.ask(joining.invited, house.keys, login, code, now)
    if person is None:
        return None
    cookie = house.do(lambda db: session.begin(db, house.keys, person, now, joining=True))
    return session.token_of(house.keys, cookie)


def join(house: House, person: int, by: int | None = None, login: str = "new") -> vault.Enrolment:
    """The whole way from an invitation to an account."""
    code = house.do(joining.invite, house.keys, person, by, START)
    token = enter(house, login, code)
    assert token is not None
    made = vault.enrol(person, PASSPHRASE)
    house.do(joining.join, house.keys, token, made, "", "", START)
    return made


def shown(house: House, person: int) -> str:
    found = house.ask(caseworker.one, person)
    assert found is not None and found.public is not None
    return vault.fingerprint(found.public)


def confirmed(house: House, person: int) -> bool:
    found = house.ask(caseworker.one, person)
    return found is not None and joining.confirmed(house.keys, found)


def confirm(house: House, person: int, by: int | None, number: str | None = None) -> None:
    """Somebody (nobody: the operator) vouches, their own key open; for `number` they were read the right one."""
    key = house.pairs.get(by) if by is not None else None
    number = shown(house, person) if number is None else number
    house.do(joining.confirm, house.keys, person, by, key, number, START)


def refused(change: Callable[[], object]) -> str:
    with pytest.raises(Refused) as why:
        change()
    return why.value.why


def test_an_invitation_lets_in_whoever_it_names_until_it_is_used(house: House) -> None:
    made, inviter = newcomer(house), house.person("I", Role.ADMINISTRATOR)
    other = newcomer(house, "other")
    code = house.do(joining.invite, house.keys, made, inviter, START)
    theirs = house.do(joining.invite, house.keys, other, inviter, START)
    for login, wrong in (("new", theirs), ("other", code), ("nobody", code), ("new", ""), ("new", code[:-1])):
        assert enter(house, login, wrong) is None
    token = enter(house, " NEW ", code.upper().replace("-", " "))
    assert token is not None
    enrolment = vault.enrol(made, PASSPHRASE)
    codes = house.do(joining.join, house.keys, token, enrolment, SEED, DIGITS, START)
    assert len(codes) == 10
    found = house.ask(account.credentials, "new")
    unlocked = found.unlock(PASSPHRASE)
    assert unlocked is not None and found.key(unlocked) == enrolment.key
    assert found.recover(enrolment.recovery_code) == enrolment.key
    assert enter(house, "new", code) is None, "it works once"
    verbs = house.ask(lambda db: db.scalars(select(Entry.verb).where(Entry.subject_id == made)).all())
    assert verbs == [Verb.INVITED, Verb.SECOND_FACTOR_CHANGED, Verb.JOINED]


def test_an_invitation_grows_too_old(house: House) -> None:
    made = newcomer(house)
    code = house.do(joining.invite, house.keys, made, None, START)
    assert enter(house, "new", code, START + LASTS - timedelta(seconds=1)) is not None
    assert enter(house, "new", code, START + LASTS) is None


def test_whoever_has_left_does_not_join(house: House) -> None:
    made = newcomer(house)
    code = house.do(joining.invite, house.keys, made, None, START)
    house.do(caseworker.change, house.keys, made, house.entered("new", active=False))
    assert enter(house, "new", code) is None


def test_a_newer_invitation_ends_the_older_one_and_what_it_began(house: House) -> None:
    made = newcomer(house)
    older = house.do(joining.invite, house.keys, made, None, START)
    begun = enter(house, "new", older)
    assert begun is not None
    newer = house.do(joining.invite, house.keys, made, None, START)
    assert enter(house, "new", older) is None
    enrolment = vault.enrol(made, PASSPHRASE)
    refused(lambda: house.do(joining.join, house.keys, begun, enrolment, "", "", START))
    assert enter(house, "new", newer) is not None


def test_of_two_who_use_an_invitation_at_once_one_joins(house: House) -> None:
    made = newcomer(house)
    code = house.do(joining.invite, house.keys, made, None, START)
    tokens = [enter(house, "new", code) for _ in range(3)]
    enrolments = [vault.enrol(made, PASSPHRASE) for _ in tokens]
    done = house.together(
        *[
            lambda db, token=token, mine=mine: joining.join(db, house.keys, token, mine, "", "", START)
            for token, mine in zip(tokens, enrolments, strict=True)
        ]
    )
    assert sum(isinstance(one, Refused) for one in done) == 2
    winner = enrolments[next(at for at, one in enumerate(done) if not isinstance(one, Refused))]
    person = house.ask(caseworker.one, made)
    assert person is not None and person.public == winner.public
    assert house.ask(account.credentials, "new").recover(winner.recovery_code) == winner.key


def test_only_a_session_of_joining_joins(house: House) -> None:
    made = newcomer(house)
    house.do(joining.invite, house.keys, made, None, START)
    cookie = house.do(session.begin, house.keys, made, START)
    enrolment = vault.enrol(made, PASSPHRASE)
    for token in (session.token_of(house.keys, cookie), b"", b"x" * 32):
        refused(lambda token=token: house.do(joining.join, house.keys, token, enrolment, "", "", START))  # type: ignore[misc]


def test_six_digits_that_do_not_fit_leave_everything_as_it_was(house: House) -> None:
    made = newcomer(house)
    old = join(house, made)
    code = house.do(joining.invite, house.keys, made, None, START)
    token = enter(house, "new", code)
    assert token is not None
    refused(
        lambda: house.do(joining.join, house.keys, token, vault.enrol(made, PASSPHRASE), SEED, "123456", START)
    )
    assert house.ask(account.credentials, "new").recover(old.recovery_code) == old.key
    assert house.ask(session.who, token, START) is not None, "they may type them again"


def test_joining_anew_replaces_all_that_was_there(house: House) -> None:
    made = newcomer(house)
    old = join(house, made)
    house.do(account.set_seed, house.keys, made, SEED)
    confirm(house, made, None)
    token = session.token_of(house.keys, house.do(session.begin, house.keys, made, START, old.key))
    house.do(joining.invite, house.keys, made, None, START)
    assert confirmed(house, made) and house.ask(session.who, token, START), "until it is used all goes on"
    new = join(house, made)
    assert not confirmed(house, made)
    assert house.ask(session.who, token, START) is None
    assert not house.ask(account.standing, made).second_factor
    assert house.ask(account.credentials, "new").recover(old.recovery_code) is None
    assert new.public != old.public


def test_a_key_is_confirmed_by_a_second_person_with_a_confirmed_key(house: House) -> None:
    inviter, second = house.person("I", Role.ADMINISTRATOR), house.person("C", Role.SUPERVISOR)
    worker = house.person("W")
    house.person("D", Role.INTEGRITY_OFFICER)
    made = newcomer(house)
    join(house, made, by=inviter)
    unjoined = newcomer(house, "later", Role.SUPERVISOR)
    unconfirmed = newcomer(house, "unconfirmed", Role.SUPERVISOR)
    join(house, unconfirmed, inviter, "unconfirmed")
    number = shown(house, made)
    for by in (made, inviter, worker, unjoined, unconfirmed, None):
        refused(lambda by=by: confirm(house, made, by, number))  # type: ignore[misc]
        assert not confirmed(house, made)
    confirm(house, made, second, number)
    assert confirmed(house, made)
    assert house.ask(joining.unconfirmable, house.keys, unjoined, second, house.pairs[second]) is not None


def test_no_administrator_confirms_for_a_second_account_costs_them_nothing(house: House) -> None:
    inviter, other = house.person("I", Role.ADMINISTRATOR), house.person("J", Role.ADMINISTRATOR)
    technician = house.person("T", Role.TECHNICIAN)
    made = newcomer(house)
    join(house, made, by=inviter)
    for by in (other, technician):
        refused(lambda by=by: confirm(house, made, by))  # type: ignore[misc]
    assert not confirmed(house, made)


def test_whoever_confirms_has_their_own_key_open(house: House) -> None:
    """A session whose row another hand gave somebody else's name opens nothing, or a key that is not theirs."""
    second, third = house.person("C", Role.SUPERVISOR), house.person("D", Role.SUPERVISOR)
    made = newcomer(house)
    key = join(house, made).key
    for open_ in (None, key, house.pairs[third]):
        why = refused(
            lambda open_=open_: house.do(  # type: ignore[misc]
                joining.confirm, house.keys, made, second, open_, shown(house, made), START
            )
        )
        assert "not open here" in why
    with house.db.begin() as db:  # the row of who confirms, changed to hold the key that is open
        caseworker.set_key(db, second, key.public)
    refused(lambda: house.do(joining.confirm, house.keys, made, second, key, shown(house, made), START))
    assert not confirmed(house, made)


def test_whoever_invited_cannot_have_somebody_else_take_the_blame(house: House) -> None:
    """They join under a false name, and let a colleague invite anew, to be free to confirm their own forgery."""
    forger, colleague = house.person("F", Role.SUPERVISOR), house.person("C", Role.SUPERVISOR)
    made = newcomer(house)
    join(house, made, by=forger)
    house.do(joining.invite, house.keys, made, colleague, START)
    refused(lambda: confirm(house, made, forger))
    assert not confirmed(house, made)


def test_a_number_that_was_read_out_before_the_key_changed_confirms_nothing(house: House) -> None:
    second, made = house.person("C", Role.SUPERVISOR), newcomer(house)
    join(house, made)
    number = shown(house, made)
    join(house, made)
    refused(lambda: confirm(house, made, second, number))
    refused(lambda: confirm(house, made, second, ""))
    assert not confirmed(house, made)


def test_the_machine_confirms_the_first_two_and_no_more(house: House) -> None:
    people = [newcomer(house, login, Role.SUPERVISOR) for login in ("one", "two", "three")]
    for person, login in zip(people, ("one", "two", "three"), strict=True):
        house.pairs[person] = join(house, person, login=login).key
    for person in people[:2]:
        confirm(house, person, None)
    refused(lambda: confirm(house, people[2], None))
    confirm(house, people[2], people[0])
    assert all(confirmed(house, person) for person in people)


def test_the_machine_confirms_until_two_are_there_who_can(house: House) -> None:
    for name in ("V", "W", "X"):
        house.person(name)
    made = newcomer(house, role=Role.INTEGRITY_OFFICER)
    join(house, made)
    confirm(house, made, None)
    assert confirmed(house, made), "case workers do not confirm: without this nobody could"


def test_whoever_gets_no_reports_joins_without_a_key(house: House) -> None:
    made = house.person("A", Role.ADMINISTRATOR)
    house.do(account.save_login, made, "new")
    token = enter(house, "new", house.do(joining.invite, house.keys, made, None, START))
    assert token is not None
    house.do(joining.join, house.keys, token, build.locked(), SEED, DIGITS, START)
    person = house.ask(caseworker.one, made)
    assert person is not None and person.public is None
    refused(lambda: confirm(house, made, None, ""))
