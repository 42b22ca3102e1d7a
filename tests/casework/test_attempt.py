"""Slowing down who tries: fast for the tired, slow for a machine, and no way to shut out somebody else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from gateway.casework import attempt
from gateway.casework.attempt import FORGOTTEN, FREE, FREE_TOGETHER, LONGEST, LONGEST_TOGETHER, Attempt, Source
from tests.build import START
from tests.casework.house import House


def source(
    house: House, login: str = "duty", address: str = "192.0.2.1", device: str = "", *, alone: bool = False
) -> Source:
    return attempt.source(house.keys, login, address, device, alone=alone)


def take(house: House, of: Source, after: float = 0) -> int:
    """A try so many seconds after the start; returns how long it has to wait."""
    return house.do(attempt.take, of, START + timedelta(seconds=after))


def fail(house: House, of: Source, times: int) -> float:
    """Fail so often, each time as soon as one may; returns when the last was."""
    at = 0.0
    for _ in range(times):
        if wait := take(house, of, at):
            at += wait
            assert take(house, of, at) == 0
    return at


def test_five_failures_are_free_and_then_each_wait_is_twice_as_long(house: House) -> None:
    one = source(house)
    waits, at = [], 0.0
    for _ in range(FREE + 11):
        wait = take(house, one, at)
        waits.append(wait)
        if wait:
            assert take(house, one, at + wait - 0.5) > 0, "half a second early"
            at += wait
            assert take(house, one, at) == 0
    assert waits == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, LONGEST, LONGEST]


def test_a_try_while_waiting_is_not_counted(house: House) -> None:
    one = source(house)
    at = fail(house, one, FREE + 4)
    first = take(house, one, at)
    for later in range(1, first):
        assert take(house, one, at + later) == first - later
    assert take(house, one, at + first) == 0


def test_many_at_once_are_all_counted(house: House) -> None:
    one = source(house)
    taken = house.together(*[lambda db: attempt.take(db, one, START)] * 12)
    assert taken.count(0) == FREE


def test_whoever_is_right_begins_anew(house: House) -> None:
    one = source(house)
    fail(house, one, FREE - 1)
    house.do(attempt.succeeded, one)
    fail(house, one, FREE)
    assert take(house, one) == 1


def test_an_hour_of_rest_wipes_failures_out(house: House) -> None:
    one = source(house)
    at = fail(house, one, FREE + 3)
    rested = at + FORGOTTEN.total_seconds()
    assert take(house, one, rested) == 0
    assert house.ask(lambda db: db.scalar(select(Attempt.failures).where(Attempt.bucket == one.own))) == 1
    assert house.do(attempt.forget, START + timedelta(seconds=rested) + FORGOTTEN) == 2
    assert house.ask(lambda db: db.scalar(select(func.count()).select_from(Attempt))) == 0


def test_one_who_fails_elsewhere_slows_nobody_down_until_very_many_have(house: House) -> None:
    mine = source(house, address="198.51.100.7")
    fail(house, source(house), FREE + 3)
    assert take(house, mine) == 0
    for at in range(FREE_TOGETHER):
        take(house, source(house, address=f"203.0.113.{at}"))
    assert 0 < take(house, mine) <= LONGEST_TOGETHER
    assert take(house, source(house, login="another", address="198.51.100.7")) == 0, "another name"


def test_a_browser_known_for_the_name_waits_for_its_own_failures_only(house: House) -> None:
    """The duty officer whom somebody tries to shut out."""
    mine = source(house, device="a mark")
    for at in range(FREE_TOGETHER * 2):
        take(house, source(house, address=f"10.0.{at // 250}.{at % 250}"), at)
    assert take(house, source(house, address="198.51.100.7"), FREE_TOGETHER * 2) > 0
    assert take(house, mine, FREE_TOGETHER * 2) == 0
    fail(house, source(house, device="another mark"), FREE + 2)
    assert take(house, mine, FREE_TOGETHER * 2) == 0


def test_a_printed_code_passes_the_wait_of_all_but_not_its_own(house: House) -> None:
    for at in range(FREE_TOGETHER + 5):
        take(house, source(house, address=f"203.0.113.{at}"), at * 60)
    later = (FREE_TOGETHER + 5) * 60.0
    assert take(house, source(house, address="198.51.100.7"), later - 59) > 0
    printed = source(house, address="198.51.100.7", alone=True)
    assert take(house, printed, later - 59) == 0
    for _ in range(FREE):
        take(house, printed, later)
    assert take(house, printed, later) > 0


def test_a_success_gives_back_what_it_took_from_all_together(house: House) -> None:
    for at in range(200):
        one = source(house, address=f"10.0.0.{at}")
        assert take(house, one) == 0
        house.do(attempt.succeeded, one)
    assert take(house, source(house)) == 0


def test_a_clock_set_back_makes_nobody_wait_for_days(house: House) -> None:
    one = source(house)
    fail(house, one, FREE + 1)
    assert 0 < take(house, one, -3 * 24 * 3600) <= LONGEST


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "not an address", True),
    ],
)
def test_a_version_6_subscriber_is_one_source(house: House, one: str, other: str, same: bool) -> None:
    assert (source(house, address=one).own == source(house, address=other).own) is same


def test_names_are_compared_as_signing_in_compares_them(house: House) -> None:
    assert source(house, login=" DUTY ") == source(house, login="duty")
    assert source(house, login="x" * 5000).own == source(house, login="x" * 6000).own


def test_no_name_and_no_address_can_be_read_from_the_store(house: House) -> None:
    take(house, source(house))
    rows = house.ask(lambda db: db.execute(select(Attempt.bucket)).scalars().all())
    assert [len(row) for row in rows] == [32, 32]
    assert not any(word in bytes(row) for row in rows for word in (b"duty", b"192.0.2.1"))
