"""The lists: everybody sees what their plans opened to them, each report once, most urgent first, and no more."""

from __future__ import annotations

import itertools
import random
from datetime import datetime, timedelta

import pytest
from sqlalchemy import event

from gateway.casework import caseworker, plan, report, shelf, site
from gateway.casework.caseworker import Role
from gateway.casework.route import Reason
from gateway.casework.shelf import Position, Row, Shelf
from gateway.vault import SealBroken, open_with
from gateway.vault.pairs import new_pair
from tests.build import START
from tests.casework.house import House, seen


def pages(house: House, reader: int, which: Shelf, *, size: int, topics: tuple[str, ...] = ()) -> list[list[Row]]:
    """Every page of a list, first to last."""
    found: list[list[Row]] = []
    after: Position | None = None
    while True:
        rows, after = house.ask(shelf.page, reader, which, topics=topics, after=after, size=size)
        found.append(rows)
        if after is None:
            return found


def ids(found: list[list[Row]]) -> list[int]:
    return [row.id for page in found for row in page]


def crowd(house: House, reader: int, many: int) -> dict[int, tuple[str, datetime]]:
    """Reports that share few severities and few clocks, so that only their ids tell many of them apart."""
    chance = random.Random(11)
    made = {}
    for _ in range(many):
        severity, due = chance.choice(("P0", "P1", "P2", "P3")), START + timedelta(minutes=chance.randint(0, 2))
        made[house.filed([seen(reader)], severity=severity, due_at=due)] = severity, due
    return made


@pytest.mark.parametrize("size", [1, 3, 7, 39, 40, 41])
def test_pages_visit_every_report_once_most_urgent_first(house: House, size: int) -> None:
    reader = house.person()
    made = crowd(house, reader, 40)
    found = pages(house, reader, Shelf.TO_TAKE, size=size)
    assert ids(found) == sorted(made, key=lambda one: (*made[one], one))
    assert [len(page) for page in found[:-1]] == [size] * (len(found) - 1)
    assert found[-1], "no page is empty but the only one"


def test_closed_reports_come_last_closed_first(house: House) -> None:
    reader = house.person()
    made = list(crowd(house, reader, 12))
    chance, closed = random.Random(5), {}
    for one in made:
        house.accept(one, reader)
        at = START + timedelta(minutes=chance.randint(0, 2))
        house.close(one, reader, at)
        closed[one] = at
    for size in (1, 5, 12):
        found = ids(pages(house, reader, Shelf.CLOSED, size=size))
        assert found == sorted(closed, key=lambda one: (closed[one], one), reverse=True)


def test_an_empty_list_is_one_empty_page(house: House) -> None:
    assert pages(house, house.person(), Shelf.MINE, size=5) == [[]]
    assert house.ask(shelf.count, house.person(), Shelf.MINE) == 0


def test_a_report_that_comes_while_somebody_reads_moves_nothing_out_of_sight(house: House) -> None:
    reader = house.person()
    made = crowd(house, reader, 9)
    first, after = house.ask(shelf.page, reader, Shelf.TO_TAKE, size=4)
    house.filed([seen(reader)], severity="P0", due_at=START - timedelta(days=1))
    house.accept(first[0].id, reader)
    rest, _ = house.ask(shelf.page, reader, Shelf.TO_TAKE, after=after, size=20)
    assert {row.id for row in [*first, *rest]} == set(made)


def test_each_report_stands_on_the_shelves_of_its_state(house: House) -> None:
    one, other = house.person(), house.person()
    waiting, mine, others, done = (house.filed([seen(one), seen(other)]) for _ in range(4))
    house.accept(mine, one)
    house.accept(others, other)
    house.accept(done, one)
    house.close(done, one)
    assert {which: set(ids(pages(house, one, which, size=9))) for which in Shelf} == {
        Shelf.TO_TAKE: {waiting},
        Shelf.MINE: {mine},
        Shelf.IN_WORK: {mine, others},
        Shelf.CLOSED: {done},
    }
    assert {which: house.ask(shelf.count, one, which) for which in Shelf} == {
        Shelf.TO_TAKE: 1,
        Shelf.MINE: 1,
        Shelf.IN_WORK: 2,
        Shelf.CLOSED: 1,
    }


def test_topics_narrow_a_list(house: House) -> None:
    reader = house.person()
    wanted = [house.filed([seen(reader)], topic=topic) for topic in ("money", "hazard")]
    house.filed([seen(reader)], topic="idea")
    assert set(ids(pages(house, reader, Shelf.TO_TAKE, size=1, topics=("money", "hazard")))) == set(wanted)
    assert ids(pages(house, reader, Shelf.TO_TAKE, size=1, topics=("x' OR 1=1 --",))) == []


def test_a_report_is_on_no_list_count_or_page_of_anybody_it_is_not_open_to(house: House) -> None:
    """The integrity lane among others: its plan is opened to officers only."""
    officer = house.person("O", Role.INTEGRITY_OFFICER)
    others = [house.person(role.value, role) for role in Role if role is not Role.INTEGRITY_OFFICER]
    hidden = house.person("hidden")
    made = [house.filed([seen(officer, Reason.INTEGRITY), hidden], lane="integrity") for _ in range(4)]
    house.accept(made[1], officer)
    house.accept(made[2], officer)
    house.close(made[2], officer)
    for person in (*others, hidden, 999):
        for which in Shelf:
            assert ids(pages(house, person, which, size=9)) == []
            assert house.ask(shelf.count, person, which) == 0
        for one in made:
            assert house.ask(shelf.open_for, person, one) is None
    assert set(ids(pages(house, officer, Shelf.TO_TAKE, size=9))) == {made[0], made[3]}


def test_whoever_is_left_out_of_a_report_finds_it_on_no_shelf(house: House) -> None:
    reader = house.person()
    made = house.filed([seen(reader)])
    house.accept(made, reader)
    house.do(plan.leave_out, made, reader)
    assert [house.ask(shelf.count, reader, which) for which in Shelf] == [0, 0, 0, 0]
    assert house.ask(shelf.open_for, reader, made) is None


def test_counting_stops_where_it_is_told_to(house: House) -> None:
    reader = house.person()
    crowd(house, reader, 12)
    assert [house.ask(shelf.count, reader, Shelf.TO_TAKE, at_most=most) for most in (5, 11, 12, 13, 100)] == [
        5,
        11,
        12,
        12,
        12,
    ]


def test_a_list_never_reads_a_sealed_body(house: House) -> None:
    reader = house.person()
    house.filed([seen(reader)])
    statements: list[str] = []
    event.listen(house.db.engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    for which in Shelf:
        house.ask(shelf.page, reader, which)
        house.ask(shelf.count, reader, which)
    assert statements
    assert not [one for one in statements if "sealed" in one or "addition" in one or "code_token" in one]


def test_a_row_names_the_place_and_who_answers(house: House) -> None:
    worker = house.person("Worker")
    place = house.do(site.add, START, name="Kasulo", code="101")
    made = house.filed([seen(worker)], site=place)
    house.accept(made, worker)
    (row,) = pages(house, worker, Shelf.MINE, size=2)[0]
    assert (row.site, row.responsible, row.state) == ("Kasulo", "Worker", report.State.ACCEPTED)


def test_an_opened_report_holds_its_sealed_parts_in_order_with_their_authors(house: House) -> None:
    worker = house.person("Worker")
    made = house.filed([seen(worker)])
    for body, author in ((b"1", None), (b"2", worker), (b"3", None)):
        found = house.coarse(made)
        house.do(report.add, house.keys, found, START.date(), body, author=author)
    opened = house.ask(shelf.open_for, worker, made)
    assert opened is not None
    assert opened.envelope is not None
    key = house.pairs[worker]
    pair = house.keys.open_envelope(worker, key, report.place(made), opened.month, opened.envelope)
    assert [(part.author, open_with(pair, part.place, part.sealed)) for part in opened.parts] == [
        (None, b"what was said"),
        (None, b"1"),
        ("Worker", b"2"),
        (None, b"3"),
    ]
    for part, other in itertools.permutations(opened.parts, 2):
        with pytest.raises(SealBroken):  # no part passes for another
            open_with(pair, part.place, other.sealed)
    assert "what was said" not in repr(opened)
    assert repr(opened.parts[0].sealed)[2:40] not in repr(opened)


def test_a_reader_whose_new_key_nobody_has_confirmed_sees_nothing(house: House) -> None:
    """Whoever drew an invitation for a colleague could have come in with it."""
    worker = house.person("Worker")
    made = house.filed([seen(worker)])
    house.do(caseworker.set_key, worker, new_pair().public)
    assert house.ask(shelf.open_for, worker, made) is None
    assert not house.ask(plan.is_open_to, made, worker)
    for each in Shelf:
        assert house.ask(shelf.page, worker, each) == ([], None)
        assert house.ask(shelf.count, worker, each) == 0
    assert house.ask(plan.people, made) == [], "nor is anything brought to them"


def test_a_reader_whose_key_is_newer_than_the_envelope_sees_the_report_and_holds_no_key(house: House) -> None:
    worker = house.person("Worker")
    made = house.filed([seen(worker)])
    house.do(caseworker.set_key, worker, new_pair().public)
    house.do(caseworker.confirm_key, house.keys, worker)
    opened = house.ask(shelf.open_for, worker, made)
    assert opened is not None
    assert opened.envelope is None
    assert house.ask(plan.holders, made) == set()
    assert house.ask(plan.without_key, worker) == [made]


def test_there_is_nothing_to_open_where_there_is_no_report(house: House) -> None:
    assert house.ask(shelf.open_for, house.person(), 7) is None
