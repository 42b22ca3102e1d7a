"""The journal: one line a deed, in order, to the minute, without content."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from gateway.casework import journal
from gateway.casework.journal import Entry, Line, Verb
from tests.build import START
from tests.casework.house import House


def test_a_story_is_told_in_the_order_it_was_written_with_names(house: House) -> None:
    one, other = house.person("One"), house.person("Other")
    made = house.filed()
    house.do(journal.write, START, Verb.FILED, report=made)
    house.do(journal.write, START - timedelta(hours=1), Verb.OFFERED, report=made, subject=other)
    house.do(journal.write, START, Verb.ACCEPTED, report=made, actor=one)
    house.do(journal.write, START, Verb.SIGNED_IN, actor=one)
    house.do(journal.write, START, Verb.FILED, report=house.filed())
    assert house.ask(journal.of_report, made) == [
        Line(START, Verb.FILED, None, None),
        Line(START - timedelta(hours=1), Verb.OFFERED, None, "Other"),
        Line(START, Verb.ACCEPTED, "One", None),
    ]


def test_times_are_whole_minutes_so_that_no_second_matches_a_call(house: House) -> None:
    house.do(journal.write, START + timedelta(seconds=59, microseconds=999_999), Verb.FILED)
    assert house.ask(lambda db: db.scalar(select(Entry.at))) == START


def test_every_verb_fits_its_column_and_is_read_back(house: House) -> None:
    made = house.filed()
    for verb in Verb:
        house.do(journal.write, START, verb, report=made)
    assert [line.verb for line in house.ask(journal.of_report, made)] == list(Verb)


def test_a_line_that_is_undone_with_its_deed_was_never_written(house: House) -> None:
    made = house.filed()
    try:
        with house.db.begin() as db:
            journal.write(db, START, Verb.CLOSED, report=made)
            raise LookupError
    except LookupError:
        pass
    assert house.ask(journal.of_report, made) == []


def test_a_line_has_no_place_for_words() -> None:
    assert {column.name for column in Entry.__table__.columns} == {
        "id",
        "at",
        "actor_id",
        "verb",
        "report_id",
        "subject_id",
    }
