"""Signing in: names without case, sessions that end, nobody inside who has left."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text, update

from gateway.casework import Refused, account, caseworker, journal
from gateway.casework.account import IDLE, LASTING, SignIn
from gateway.casework.caseworker import Role
from gateway.casework.journal import Entry
from tests import build
from tests.build import START
from tests.casework.house import House

PASSPHRASE = "a long passphrase for tests"


def member(house: House, login: str = "worker", **details: bool) -> int:
    made = house.person("S", Role.SUPERVISOR, active=details.get("active", True))
    house.do(account.save_login, made, login)
    house.do(account.set_passphrase, made, build.hashed(PASSPHRASE))
    return made


def begin(house: House, person: int, now: datetime = START) -> bytes:
    """A session; returns what it is stored under."""
    return house.keys.cookie_token(house.do(account.begin, house.keys, person, now))


def who(house: House, token: bytes, now: datetime) -> int | None:
    found = house.ask(account.who, token, now)
    return found[0].id if found else None


def test_a_person_signs_in_with_their_own_passphrase_only(house: House) -> None:
    one, other = member(house, "one"), house.person("T", Role.SUPERVISOR)
    house.do(account.save_login, other, "other")
    house.do(account.set_passphrase, other, build.hashed("something else entirely"))
    found = house.ask(account.credentials, "one")
    assert found.person == one
    assert found.fit(PASSPHRASE)
    assert not found.fit("something else entirely")
    assert not found.fit("")


@pytest.mark.parametrize("typed", ["worker", "WORKER", "  Worker ", "wORKER\n"])
def test_a_login_has_no_case_and_no_spaces_around_it(house: House, typed: str) -> None:
    made = member(house, "Worker")
    assert house.ask(account.login_of, made) == "worker"
    assert house.ask(account.credentials, typed).person == made


@pytest.mark.parametrize("typed", ["", "nobody", "work", "worker%", "worker' OR 1=1 --", "x" * 5000, "wörker"])
def test_an_unknown_name_has_credentials_that_never_fit(house: House, typed: str) -> None:
    member(house)
    found = house.ask(account.credentials, typed)
    assert found.person is None
    assert not found.fit(PASSPHRASE)
    assert not found.fit("")


def test_an_account_without_a_passphrase_lets_nobody_in(house: House) -> None:
    made = house.person("S", Role.SUPERVISOR)
    house.do(account.save_login, made, "worker")
    found = house.ask(account.credentials, "worker")
    assert not found.fit("")
    assert not found.fit(PASSPHRASE)


def test_whoever_has_left_cannot_sign_in_nor_go_on(house: House) -> None:
    made = member(house)
    house.person("T", Role.SUPERVISOR)
    token = begin(house, made)
    house.do(caseworker.change, house.keys, made, house.entered("S", Role.SUPERVISOR, active=False))
    assert who(house, token, START) is None
    assert not house.ask(account.credentials, "worker").fit(PASSPHRASE)


@pytest.mark.parametrize("login", ["", "a", "-ab", ".ab", "a b", "é" * 3, "a@b", "x" * 40, "ａｂ", "a\x00b"])
def test_a_name_that_is_hard_to_type_is_refused(house: House, login: str) -> None:
    with pytest.raises(Refused) as refused:
        house.do(account.save_login, house.person(), login)
    assert refused.value.field == "login"


def test_two_people_never_share_a_name(house: House) -> None:
    one, other = member(house, "one"), house.person()
    with pytest.raises(Refused):
        house.do(account.save_login, other, "ONE")
    house.do(account.save_login, one, "One")
    house.do(account.save_login, one, "renamed")
    house.do(account.save_login, other, "one")
    assert [house.ask(account.login_of, person) for person in (one, other)] == ["renamed", "one"]
    assert house.ask(account.credentials, "renamed").fit(PASSPHRASE), "a new name keeps the passphrase"
    assert house.ask(account.login_of, 999) == ""


def test_a_session_is_known_by_its_cookie_and_is_stored_without_it(house: House) -> None:
    made = member(house)
    cookie = house.do(account.begin, house.keys, made, START)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", cookie)
    assert who(house, house.keys.cookie_token(cookie), START) == made
    assert who(house, house.keys.cookie_token(cookie + "x"), START) is None
    assert who(house, b"", START) is None
    stored = house.ask(lambda db: db.scalar(select(SignIn.token)))
    assert cookie.encode() not in (stored or b"")
    assert house.ask(lambda db: db.scalars(select(Entry.verb)).all()) == [journal.Verb.SIGNED_IN]


def test_a_session_ends_half_an_hour_after_it_was_last_used(house: House) -> None:
    token = begin(house, member(house))
    last = START + timedelta(minutes=29)
    assert who(house, token, last) is not None
    house.do(account.seen, token, last)
    assert who(house, token, last + IDLE - timedelta(microseconds=1)) is not None
    assert who(house, token, last + IDLE) is None


def test_a_session_ends_after_eight_hours_however_much_it_is_used(house: House) -> None:
    token = begin(house, member(house))
    now = START
    while now < START + LASTING:
        assert who(house, token, now) is not None
        house.do(account.seen, token, now)
        now += timedelta(minutes=20)
    assert who(house, token, START + LASTING) is None


def test_a_use_is_written_down_once_a_minute(house: House) -> None:
    token = begin(house, member(house))
    assert house.ask(account.who, token, START + timedelta(minutes=1)) is not None
    due = [
        found[1]
        for seconds in (0, 59, 61)
        if (found := house.ask(account.who, token, START + timedelta(seconds=seconds))) is not None
    ]
    assert due == [False, False, True]


def test_signing_out_ends_one_session_and_a_new_passphrase_ends_them_all(house: House) -> None:
    made, other = member(house), member(house, "other")
    mine, also_mine, others = begin(house, made), begin(house, made), begin(house, other)
    house.do(account.end, mine)
    assert [who(house, token, START) for token in (mine, also_mine, others)] == [None, made, other]
    house.do(account.set_passphrase, made, build.hashed("another passphrase"))
    assert [who(house, token, START) for token in (also_mine, others)] == [None, other]
    assert not house.ask(account.credentials, "worker").fit(PASSPHRASE)
    assert house.ask(account.credentials, "worker").fit("another passphrase")


def test_sessions_that_time_has_ended_are_forgotten_and_no_others(house: House) -> None:
    made = member(house)
    idle, fresh, old = begin(house, made), begin(house, made), begin(house, made)
    now = START + LASTING
    for token in (fresh, old):
        house.do(account.seen, token, now)
    house.do(lambda db: db.execute(update(SignIn).where(SignIn.token == fresh).values(began_at=now)))
    assert house.do(account.forget_ended, now) == 2
    assert house.ask(lambda db: db.scalars(select(SignIn.token)).all()) == [fresh]
    assert idle != fresh


def test_a_passphrase_stands_nowhere_in_the_store_or_a_repr(house: House) -> None:
    member(house)
    row = house.ask(lambda db: db.execute(text("SELECT * FROM account")).one())
    assert PASSPHRASE not in str(tuple(row))
    found = house.ask(account.credentials, "worker")
    assert (found.passphrase_hash or "!") not in repr(found)
    assert len(found.passphrase_hash or "") <= 128, "the column's width"


def test_a_new_passphrase_is_long_and_easy_to_read_aloud() -> None:
    made = {account.new_passphrase() for _ in range(200)}
    assert len(made) == 200
    for one in made:
        assert re.fullmatch(r"([a-z2-9]{5}-){3}[a-z2-9]{5}", one)
        assert not set(one) & set("il10o")
