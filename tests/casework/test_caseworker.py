"""People: numbers are checked and sealed, and somebody always answers for what others cannot."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from gateway.casework import Refused, caseworker
from gateway.casework.caseworker import CaseWorker, Entered, Role
from gateway.vault import SealBroken
from tests.casework.house import House

NUMBER = "+243990123456"


def change(house: House, person: int, entered: Entered) -> None:
    house.do(caseworker.change, house.keys, person, entered)


def test_a_person_is_read_as_they_were_entered(house: House) -> None:
    made = house.person(
        "  Nom   Postnom ",
        lanes=frozenset({"child", "gbv"}),
        sites=frozenset({2, 1}),
        languages=frozenset({"fr", "ln"}),
    )
    person = house.ask(caseworker.one, made)
    assert person is not None
    assert (person.name, person.role, person.active) == ("Nom Postnom", Role.CASE_WORKER, True)
    assert (person.lanes, person.sites, person.languages) == (
        frozenset({"child", "gbv"}),
        frozenset({1, 2}),
        frozenset({"fr", "ln"}),
    )
    assert house.ask(caseworker.every) == [person]
    assert house.ask(caseworker.one, 999) is None


def test_active_people_come_first_then_by_name(house: House) -> None:
    for name, active in (("B", True), ("A", False), ("C", True), ("A", True)):
        house.person(name, active=active)
    assert [(one.name, one.active) for one in house.ask(caseworker.every)] == [
        ("A", True),
        ("B", True),
        ("C", True),
        ("A", False),
    ]


def test_the_clear_number_stands_nowhere_in_the_store(house: House) -> None:
    made = house.person(number=NUMBER)
    assert house.ask(caseworker.number, house.keys, made) == NUMBER
    stored = house.ask(lambda db: db.execute(text("SELECT * FROM caseworker")).all())
    whole = b"".join(part if isinstance(part, bytes) else str(part).encode() for row in stored for part in row)
    for form in (NUMBER, NUMBER[1:], NUMBER[4:], "0" + NUMBER[4:], NUMBER[-8:]):
        assert form.encode() not in whole
        assert form.encode().hex().encode() not in whole


def test_a_sealed_number_opens_for_its_own_person_only(house: House) -> None:
    one, other = house.person(number=NUMBER), house.person()
    sealed = house.ask(lambda db: db.scalar(select(CaseWorker.number_sealed).where(CaseWorker.id == one)))
    house.do(lambda db: db.execute(update(CaseWorker).values(number_sealed=sealed)))
    assert house.ask(caseworker.number, house.keys, one) == NUMBER
    with pytest.raises(SealBroken):
        house.ask(caseworker.number, house.keys, other)


@pytest.mark.parametrize(
    "typed", ["+243 990 123 456", "+243-990-123-456", "+243.990.123.456", " +243 (990) 123456 "]
)
def test_a_number_may_be_written_as_people_write_it(house: House, typed: str) -> None:
    assert house.ask(caseworker.number, house.keys, house.person(number=typed)) == NUMBER


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "0990123456",
        "243990123456",
        "+0990123456",
        "+243",
        "+2439901234567890",
        "+243 99O 123 456",
        "++243990123456",
        "+243990123456,+243990123457",
        "+٢٤٣٩٩٠١٢٣٤٥٦",
        "+243990123456\x00",
        "+243990123456x1",
    ],
)
def test_what_is_no_number_is_refused_and_not_repeated(house: House, typed: str) -> None:
    with pytest.raises(Refused) as refused:
        house.person(number=typed)
    assert refused.value.field == "number"
    assert not refused.value.values
    assert house.ask(caseworker.every) == []


def test_a_new_number_takes_the_place_of_the_old(house: House) -> None:
    made = house.person()
    change(house, made, house.entered(number=NUMBER))
    assert house.ask(caseworker.number, house.keys, made) == NUMBER


def test_an_administrator_has_no_number_here_and_whoever_becomes_one_loses_it(house: House) -> None:
    house.person("S", Role.SUPERVISOR)
    made = house.person(number=NUMBER)
    change(house, made, house.entered(role=Role.ADMINISTRATOR, number=NUMBER))
    assert house.ask(caseworker.number, house.keys, made) == ""
    assert house.ask(lambda db: db.scalar(select(CaseWorker.number_sealed).where(CaseWorker.id == made))) is None
    assert house.ask(caseworker.number, house.keys, 999) == ""


def test_only_case_workers_have_lanes(house: House) -> None:
    made = house.person("S", Role.SUPERVISOR)
    person = house.ask(caseworker.one, made)
    assert person is not None
    assert person.lanes == frozenset()


@pytest.mark.parametrize("name", ["", "   ", "x" * 81])
def test_a_name_is_needed_and_fits_its_column(house: House, name: str) -> None:
    with pytest.raises(Refused) as refused:
        house.person(name)
    assert refused.value.field == "name"


def test_a_case_worker_without_a_lane_or_a_language_would_never_be_asked(house: House) -> None:
    for field, entered in (
        ("lanes", house.entered(lanes=frozenset())),
        ("languages", house.entered(languages=frozenset())),
        ("languages", house.entered(role=Role.SUPERVISOR, languages=frozenset())),
    ):
        with pytest.raises(Refused) as refused:
            house.do(caseworker.add, house.keys, entered)
        assert refused.value.field == field


def test_somebody_who_is_not_there_cannot_be_changed(house: House) -> None:
    with pytest.raises(Refused):
        change(house, 999, house.entered())


LAST = [Role.SUPERVISOR, Role.INTEGRITY_OFFICER, Role.ADMINISTRATOR]


@pytest.mark.parametrize("role", LAST)
def test_the_last_of_a_role_that_answers_can_neither_leave_nor_change_it(house: House, role: Role) -> None:
    last = house.person("Last", role)
    house.person("Gone", role, active=False)
    other = Role.SUPERVISOR if role is not Role.SUPERVISOR else Role.ADMINISTRATOR
    for entered in (house.entered("Last", role, active=False), house.entered("Last", other)):
        with pytest.raises(Refused) as refused:
            change(house, last, entered)
        assert refused.value.field == "active"
    change(house, last, house.entered("Renamed", role))
    second = house.person("Second", role)
    change(house, last, house.entered("Last", role, active=False))
    with pytest.raises(Refused):
        change(house, second, house.entered("Second", other))


def test_the_last_case_worker_may_leave_because_supervisors_answer(house: House) -> None:
    last = house.person()
    change(house, last, house.entered(active=False))
    person = house.ask(caseworker.one, last)
    assert person is not None
    assert not person.active


@pytest.mark.parametrize("role", LAST)
def test_of_two_who_leave_at_the_same_time_one_stays(house: House, role: Role) -> None:
    for _ in range(3):
        two = [one.id for one in house.ask(caseworker.every) if one.role is role and one.active]
        while len(two) < 2:
            two.append(house.person("One", role))
        leaving = house.entered("One", role, active=False)
        outcomes = house.together(*[partial(_leave, house, one, leaving) for one in two])
        assert sum(isinstance(outcome, Refused) for outcome in outcomes) == 1
        assert sum(one.active for one in house.ask(caseworker.every)) == 1


def _leave(house: House, person: int, leaving: Entered, db: Session) -> None:
    caseworker.change(db, house.keys, person, leaving)


def test_no_number_shows_in_a_repr(house: House) -> None:
    entered = house.entered(number=NUMBER)
    assert NUMBER[1:] not in repr(entered)
    person = house.ask(caseworker.one, house.do(caseworker.add, house.keys, entered))
    assert NUMBER[1:] not in repr(person)


@given(typed=st.text(alphabet="+0123456789 .()-a٣", max_size=20))
def test_whatever_is_let_through_is_one_international_number(typed: str) -> None:
    try:
        checked = caseworker._checked(
            Entered("N", Role.SUPERVISOR, True, typed, "fr", frozenset(), frozenset(), frozenset({"fr"}))
        )
    except Refused:
        return
    assert "number" not in checked
    bare = caseworker._bare(typed)
    assert bare.isascii()
    assert bare[0] == "+"
    assert bare[1:].isdigit()
    assert 9 <= len(bare) <= 16


def test_another_role_needs_somebody_to_vouch_for_the_key_once_more(house: House) -> None:
    person = house.person("Worker")
    house.do(caseworker.change, house.keys, person, house.entered("Worker"))
    assert house.reader(person), "a new name or number does not touch the key"
    house.do(caseworker.change, house.keys, person, house.entered("Worker", Role.SUPERVISOR))
    changed = house.ask(caseworker.one, person)
    assert changed is not None
    assert changed.reader is None
    assert changed.public == house.pairs[person].public
