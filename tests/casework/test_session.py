"""Sessions: known by a cookie that is not stored, ended by time, by their owner, by leaving."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from gateway.casework import caseworker, session
from gateway.casework.caseworker import Role
from gateway.casework.journal import Entry
from gateway.casework.session import IDLE, LASTING, SignIn
from gateway.casework.verb import Verb
from gateway.vault import SealBroken
from tests.build import START
from tests.casework.house import House


def begin(house: House, person: int, now: datetime = START) -> bytes:
    """A session; returns what it is stored under."""
    return session.token_of(house.keys, house.do(session.begin, house.keys, person, now))


def who(house: House, token: bytes, now: datetime) -> int | None:
    found = house.ask(session.who, token, now)
    return found[0].id if found else None


def test_a_session_is_known_by_its_cookie_and_is_stored_without_it(house: House) -> None:
    made = house.person()
    cookie = house.do(session.begin, house.keys, made, START)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", cookie)
    assert who(house, session.token_of(house.keys, cookie), START) == made
    assert who(house, session.token_of(house.keys, cookie + "x"), START) is None
    assert who(house, b"", START) is None
    stored = house.ask(lambda db: db.scalar(select(SignIn.token)))
    assert cookie.encode() not in (stored or b"")
    assert house.ask(lambda db: db.scalars(select(Entry.verb)).all()) == [Verb.SIGNED_IN]


def test_a_key_lies_in_a_session_so_that_only_its_cookie_opens_it(house: House) -> None:
    made = house.person()
    pair = house.pairs[made]
    cookie = house.do(session.begin, house.keys, made, START, pair)
    found = house.ask(session.who, session.token_of(house.keys, cookie), START)
    assert found is not None
    sealed = found[0].key_sealed
    assert sealed is not None and pair.private not in sealed
    assert house.keys.session_open(cookie, sealed) == pair
    with pytest.raises(SealBroken):
        house.keys.session_open(cookie + "x", sealed)
    assert repr(sealed) not in repr(found[0])


def test_joining_is_told_apart_and_is_not_signing_in(house: House) -> None:
    made = house.person()
    cookie = house.do(lambda db: session.begin(db, house.keys, made, START, joining=True))
    found = house.ask(session.who, session.token_of(house.keys, cookie), START)
    assert found is not None and found[0].joining
    assert house.ask(session.count, made, START) == 0
    assert house.ask(lambda db: db.scalars(select(Entry.verb)).all()) == []


def test_whoever_has_left_cannot_go_on(house: House) -> None:
    made = house.person("S", Role.SUPERVISOR)
    house.person("T", Role.SUPERVISOR)
    token = begin(house, made)
    house.do(caseworker.change, house.keys, made, house.entered("S", Role.SUPERVISOR, active=False))
    assert who(house, token, START) is None


def test_a_session_ends_half_an_hour_after_it_was_last_used(house: House) -> None:
    token = begin(house, house.person())
    last = START + timedelta(minutes=29)
    assert who(house, token, last) is not None
    house.do(session.seen, token, last)
    assert who(house, token, last + IDLE - timedelta(microseconds=1)) is not None
    assert who(house, token, last + IDLE) is None


def test_a_session_ends_after_eight_hours_however_much_it_is_used(house: House) -> None:
    token = begin(house, house.person())
    now = START
    while now < START + LASTING:
        assert who(house, token, now) is not None
        house.do(session.seen, token, now)
        now += timedelta(minutes=20)
    assert who(house, token, START + LASTING) is None


def test_a_use_is_written_down_once_a_minute(house: House) -> None:
    token = begin(house, house.person())
    due = [
        found[1]
        for seconds in (0, 59, 61)
        if (found := house.ask(session.who, token, START + timedelta(seconds=seconds))) is not None
    ]
    assert due == [False, False, True]


def test_a_proof_is_of_its_session(house: House) -> None:
    made = house.person()
    one, other = begin(house, made), begin(house, made)
    later = START + timedelta(minutes=11)
    house.do(session.proved, one, later)
    at = [found[0].proved_at for token in (one, other) if (found := house.ask(session.who, token, later))]
    assert at == [later, START]


def test_ending_one_some_or_all(house: House) -> None:
    made, other = house.person("A"), house.person("B")
    one, two, three, others = (begin(house, person) for person in (made, made, made, other))
    joining = house.do(lambda db: session.begin(db, house.keys, made, START, joining=True))
    assert house.ask(session.count, made, START) == 3
    house.do(session.end, one)
    assert who(house, one, START) is None
    house.do(lambda db: session.end_all(db, made, joining=True))
    assert who(house, session.token_of(house.keys, joining), START) is None
    assert who(house, two, START) == made
    house.do(lambda db: session.end_all(db, made, but=three))
    assert [who(house, token, START) for token in (two, three, others)] == [None, made, other]
    house.do(session.end_all, made)
    assert [who(house, token, START) for token in (three, others)] == [None, other]


def test_sessions_that_time_has_ended_are_forgotten_and_no_others(house: House) -> None:
    made = house.person()
    idle, fresh, old = begin(house, made), begin(house, made), begin(house, made)
    now = START + LASTING
    for token in (fresh, old):
        house.do(session.seen, token, now)
    house.do(lambda db: db.execute(update(SignIn).where(SignIn.token == fresh).values(began_at=now)))
    assert house.do(session.forget_ended, now) == 2
    assert house.ask(lambda db: db.scalars(select(SignIn.token)).all()) == [fresh]
    assert idle != fresh
