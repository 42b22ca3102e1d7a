"""Sites: a key on the phone means one place for ever, and its name fits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.casework import Refused, site
from gateway.db import Conflict
from gateway.text import offenders, septets, to_ascii
from tests.build import START
from tests.casework.house import House


def add(house: House, name: str, code: str) -> int:
    return house.do(site.add, START, name=name, code=code)


def test_places_on_the_phone_are_given_in_order_and_once(house: House) -> None:
    made = [add(house, f"Site {at}", f"10{at}") for at in range(3)]
    assert [(row.id, row.phone_place, row.code) for row in house.ask(site.every)] == [
        (made[0], 1, "100"),
        (made[1], 2, "101"),
        (made[2], 3, "102"),
    ]


def change(house: House, made: int, name: str, *, open_: bool, now: datetime = START) -> None:
    house.do(site.change, now, made, name=name, open_=open_)


def offered(house: House, now: datetime) -> list[tuple[int, int]]:
    return [(row.id, row.phone_place) for row in house.ask(site.offered, now)]


def test_a_closed_site_leaves_its_key_empty_and_a_new_one_comes_last(house: House) -> None:
    first, second, third = (add(house, f"Site {at}", f"10{at}") for at in range(3))
    change(house, third, "Site 2", open_=False)
    change(house, first, "Site 0", open_=False)
    fourth = add(house, "Site 3", "103")
    later = START + timedelta(hours=1)
    assert offered(house, later) == [(second, 2), (fourth, 4)]
    change(house, first, "Site 0", open_=True)
    assert offered(house, later) == [(first, 1), (second, 2), (fourth, 4)]


def test_a_site_that_closes_stays_on_its_key_until_running_dialogues_are_over(house: House) -> None:
    made = add(house, "Site", "101")
    closing = START + timedelta(hours=1)
    change(house, made, "Site", open_=False, now=closing)
    change(house, made, "Renamed", open_=False, now=closing + timedelta(minutes=9))
    end = closing + site.CLOSED_AFTER
    assert offered(house, end - timedelta(microseconds=1)) == [(made, 1)]
    assert offered(house, end) == [], "saving it once more has not kept it open"
    row = house.ask(site.one, made)
    assert row is not None
    assert not row.open


def test_a_site_is_offered_two_minutes_after_it_was_saved(house: House) -> None:
    made = add(house, "Site", "101")
    when = START + timedelta(minutes=2)
    assert house.ask(site.offered, when - timedelta(microseconds=1)) == []
    assert [row.id for row in house.ask(site.offered, when)] == [made]


def test_a_name_changes_and_the_key_and_the_code_stay(house: House) -> None:
    made = add(house, "Site", "101")
    change(house, made, "  Autre   nom ", open_=True)
    row = house.ask(site.one, made)
    assert row is not None
    assert (row.name, row.code, row.phone_place, row.open) == ("Autre nom", "101", 1, True)


def test_there_is_no_site_of_another_id(house: House) -> None:
    assert house.ask(site.one, 7) is None


@pytest.mark.parametrize("code", ["", "1", "12", "1234", "12a", "１２３", "١٢٣", "-12", "1.2", "12\n3"])
def test_a_code_is_three_digits(house: House, code: str) -> None:
    with pytest.raises(Refused) as refused:
        add(house, "Site", code)
    assert refused.value.field == "code"


def test_a_code_belongs_to_one_site_even_when_it_is_closed(house: House) -> None:
    made = add(house, "Site", "101")
    change(house, made, "Site", open_=False)
    with pytest.raises(Refused) as refused:
        add(house, "Other", "101")
    assert refused.value.field == "code"


def test_of_many_that_are_added_at_the_same_time_none_takes_anothers_key(house: House) -> None:
    start = Barrier(4)

    def one(at: int) -> int | None:
        start.wait()
        try:
            return add(house, f"Site {at}", f"10{at}")
        except Conflict:
            return None

    with ThreadPoolExecutor(4) as pool:
        made = [row for row in pool.map(one, range(4)) if row is not None]
    rows = house.ask(site.every)
    assert {row.id for row in rows} == set(made)
    assert [row.phone_place for row in rows] == list(range(1, len(made) + 1))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "\u00a0",
        "Site 123456789",
        "Kasulo {1}",
        "a[b]",
        "a~b",
        "a^b",
        "a|b",
        "a\\b",
        "10€",
        "Мина",
        "Site 😀",
        "a\x00b",
    ],
)
def test_a_name_a_phone_cannot_show_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(Refused) as refused:
        site.checked_name(name)
    assert refused.value.field == "name"
    assert refused.value.why % refused.value.values


@given(name=st.text(max_size=16))
@example("Kolwezi  N°1")
@example("ééééééééééééé")
def test_whatever_name_is_let_through_fits_its_key_in_both_alphabets(name: str) -> None:
    try:
        checked = site.checked_name(name)
    except Refused:
        return
    assert checked
    assert not offenders(checked)
    assert septets(checked) <= site.NAME_SEPTETS
    assert septets(to_ascii(checked)) <= site.NAME_SEPTETS
    assert not set(checked) & set("{}[]~\\^|€\r\n\t\f")
    assert site.checked_name(checked) == checked
