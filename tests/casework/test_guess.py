"""Wrong codes: few for anybody in a day, few for all together, and nobody shuts out the rest of the country."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from functools import partial

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from gateway.casework import guess
from gateway.casework.guess import GROUPS, MOST, MOST_TOGETHER, Guess, Tries
from gateway.vault import BUCKETS
from gateway.vault.code import DIGITS
from tests.casework.house import DAY, House

ONE = timedelta(days=1)
TOGETHER = BUCKETS // GROUPS
"""Buckets that are neighbours."""


def wrong(db: Session, bucket: int, day: date = DAY) -> Tries:
    """A code that nobody has, as the hop looks it up and counts it; returns where the bucket stood before."""
    tries = guess.hold(db, day, bucket)
    guess.count(db, tries, wrong=True)
    return tries


def looked_at(db: Session, buckets: Iterable[int], day: date = DAY) -> int:
    """Somebody tries in these buckets, one code each time; returns how many were not answered blindly."""
    return sum(not wrong(db, bucket, day).blocked for bucket in buckets)


def is_blocked(house: House, bucket: int, day: date = DAY) -> bool:
    return house.do(guess.hold, day, bucket).blocked


def counted(house: House, bucket: int, day: date = DAY) -> int | None:
    where = (Guess.day == day) & (Guess.bucket == bucket)
    return house.ask(lambda db: db.scalar(select(Guess.wrong).where(where)))


def use_up(house: House) -> None:
    """Forty telephones, each in a bucket of its own, with five wrong codes each: the day's common count."""
    buckets = [at // MOST for at in range(MOST_TOGETHER)]
    assert house.do(looked_at, buckets) == MOST_TOGETHER


def test_the_fifth_wrong_code_of_a_bucket_is_its_last_that_day(house: House) -> None:
    assert [house.do(wrong, 7).blocked for _ in range(MOST + 3)] == [False] * MOST + [True] * 3
    assert counted(house, 7) == MOST, "what is answered blindly is not counted on"
    assert not is_blocked(house, 8)


def test_the_next_day_a_bucket_begins_anew(house: House) -> None:
    house.do(looked_at, [7] * 9)
    assert is_blocked(house, 7)
    assert not is_blocked(house, 7, DAY + ONE)
    assert not is_blocked(house, 7, DAY - ONE), "nor does a clock set back remember what is to come"


def test_a_right_code_counts_for_nothing(house: House) -> None:
    for _ in range(MOST * 3):
        assert not is_blocked(house, 7)
    assert counted(house, 7) == 0
    assert counted(house, -1) == 0


def test_when_all_together_have_typed_too_many_nobody_else_is_shut_out(house: House) -> None:
    use_up(house)
    assert house.ask(guess.slowed, DAY)
    assert not house.ask(guess.slowed, DAY + ONE)
    used = range(MOST_TOGETHER // MOST)
    assert {bucket for bucket in range(0, BUCKETS, 31) if is_blocked(house, bucket)} == {
        bucket for bucket in range(0, BUCKETS, 31) if bucket in used
    }


def test_forty_telephones_with_five_each_shut_out_nobody_in_another_bucket(house: House) -> None:
    """They sit among the others, one in each of forty groups, and each has used up its own."""
    mine = [group * TOGETHER + 13 for group in range(MOST_TOGETHER // MOST)]
    house.do(looked_at, [bucket for bucket in mine for _ in range(MOST)])
    assert all(is_blocked(house, bucket) for bucket in mine)
    neighbours = [bucket + step for bucket in mine for step in (-13, -1, 1, TOGETHER - 14)]
    assert not any(is_blocked(house, bucket) for bucket in neighbours)


def test_one_code_less_and_a_wrong_code_is_only_a_wrong_code(house: House) -> None:
    house.do(looked_at, [at // MOST for at in range(MOST_TOGETHER - 1)])
    assert not house.ask(guess.slowed, DAY)
    # The one that reaches the number still counts as typed before it.
    assert not house.do(wrong, 3000).slowed
    assert house.do(guess.hold, DAY, 3001).slowed
    assert not is_blocked(house, 3001)


def test_then_a_groups_first_wrong_code_shuts_its_group_and_no_other(house: House) -> None:
    use_up(house)
    first = 20 * TOGETHER
    assert not house.do(wrong, first + 5).blocked
    assert all(is_blocked(house, bucket) for bucket in range(first, first + TOGETHER))
    assert not is_blocked(house, first - 1)
    assert not is_blocked(house, first + TOGETHER)
    assert all(house.do(wrong, first + at).blocked for at in (0, 5, TOGETHER - 1))
    assert counted(house, -1) == MOST_TOGETHER + 1
    assert not is_blocked(house, first + 5, DAY + ONE)


def test_whoever_mistyped_once_before_is_not_shut_out_for_it_afterwards(house: House) -> None:
    house.do(looked_at, [4000, *(at // MOST for at in range(MOST_TOGETHER - 1))])
    assert not is_blocked(house, 4000)
    assert not is_blocked(house, 4001)
    house.do(looked_at, [4000])
    assert is_blocked(house, 4000) and is_blocked(house, 4001), "the group's first late one"


def test_of_twenty_at_once_in_one_bucket_five_are_looked_at(house: House) -> None:
    before = house.together(*[partial(wrong, bucket=7)] * 20)
    blocked = [tries.blocked for tries in before if isinstance(tries, Tries)]
    assert (len(blocked), blocked.count(False)) == (20, MOST)
    assert counted(house, 7) == counted(house, -1) == MOST


def test_twenty_at_once_in_twenty_buckets_are_all_counted(house: House) -> None:
    for at in range(3):
        house.together(*[partial(wrong, bucket=bucket) for bucket in range(0, 2000, 100)])
        assert counted(house, -1) == 20 * (at + 1)
    assert {counted(house, bucket) for bucket in range(0, 2000, 100)} == {3}


def test_of_twenty_neighbours_at_once_when_one_is_left_two_are_looked_at(house: House) -> None:
    """The one that was left, and the group's late one."""
    house.do(looked_at, [at // MOST for at in range(MOST_TOGETHER - 1)])
    first = 30 * TOGETHER
    before = house.together(*[partial(wrong, bucket=first + at) for at in range(20)])
    assert [tries.blocked for tries in before if isinstance(tries, Tries)].count(False) == 2
    assert counted(house, -1) == MOST_TOGETHER + 1


# Somebody with as many telephones as they like.


def one_after_the_other() -> Iterator[int]:
    """Each bucket as often as it is let, in order."""
    yield from (at // (MOST + 1) for at in range(1000))


def once_each() -> Iterator[int]:
    """A new telephone for every code: after the common count they sit in every group."""
    yield from range(0, BUCKETS, 8)


def spread() -> Iterator[int]:
    """One of each group in turn."""
    yield from (group * TOGETHER + at for at in range(6) for group in range(GROUPS))


def patient() -> Iterator[int]:
    """The common count from the fewest telephones, and every other bucket fresh after it."""
    yield from (at // MOST for at in range(MOST_TOGETHER))
    yield from range(BUCKETS - 1, 0, -20)


def by_chance(seed: int) -> Iterator[int]:
    chance = random.Random(seed)
    yield from (chance.randrange(BUCKETS) for _ in range(600))


DAYS: list[Callable[[], Iterator[int]]] = [
    one_after_the_other,
    once_each,
    spread,
    patient,
    *[partial(by_chance, seed) for seed in range(2)],
]


def test_however_many_telephones_try_a_day_has_at_most_so_many_wrong_codes(house: House) -> None:
    """Days on which somebody does their best, each in another way. Both numbers are reached: no slack hides a
    hole."""
    most = []
    for at, tactics in enumerate(DAYS):
        day = DAY + at * ONE
        seen = house.do(looked_at, tactics(), day)
        assert seen == counted(house, -1, day)
        most.append(seen)
    assert max(most) == MOST_TOGETHER + GROUPS
    assert most[DAYS.index(patient)] == max(most)
    assert min(most) > MOST_TOGETHER


def test_a_day_that_is_used_up_looks_at_no_code_of_any_bucket_any_more(house: House) -> None:
    house.do(looked_at, patient())
    assert house.do(looked_at, range(0, BUCKETS, 11)) == 0


def test_in_a_year_such_a_somebody_hits_a_code_once_in_a_hundred_years() -> None:
    """Ten thousand reports at a time whose codes still show something, among all codes with a right check digit:
    whoever guesses knows how to make one."""
    codes, live = 10 ** (DIGITS - 1), 10_000
    tried = 366 * (MOST_TOGETHER + GROUPS)
    assert tried == 96_624
    missed = 1.0
    for at in range(tried):  # never the same code twice
        missed *= 1 - live / (codes - at)
    assert 0.009 < 1 - missed < 0.01


@pytest.mark.parametrize(("days", "left"), [(0, 2), (1, 2), (2, 0), (30, 0)])
def test_a_count_is_forgotten_when_its_day_and_the_next_are_over(house: House, days: int, left: int) -> None:
    house.do(wrong, 7)
    assert house.do(guess.forget, DAY + days * ONE) == 2 - left
    assert house.ask(lambda db: db.scalar(select(func.count()).select_from(Guess))) == left


def test_a_count_names_no_caller_and_no_code(house: House) -> None:
    house.do(wrong, 7)
    rows = house.ask(lambda db: [tuple(row) for row in db.execute(select(Guess.__table__).order_by(Guess.bucket))])
    assert rows == [(DAY, -1, 1, 0), (DAY, 7, 1, 0)]


def test_a_row_that_somebody_has_taken_away_meanwhile_is_begun_anew(house: House) -> None:
    """Forgetting runs beside the hops."""
    house.do(looked_at, [7] * 3)
    assert house.do(guess.forget, DAY + 3 * ONE) == 2
    assert not house.do(wrong, 7).blocked
    assert counted(house, 7) == 1


def test_counts_of_other_days_weigh_nothing(house: House) -> None:
    rows = [
        {"day": DAY + step, "bucket": bucket, "wrong": 500, "late": 9}
        for step in (-ONE, ONE)
        for bucket in (-1, 7)
    ]
    house.do(lambda db: db.execute(insert(Guess), rows))
    assert house.do(wrong, 7) == Tries(DAY, 7, blocked=False, slowed=False)
