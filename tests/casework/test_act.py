"""Acts: claimed once, whoever comes, on whichever side of midnight; forgotten when their keys are."""

from __future__ import annotations

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gateway.casework import act
from gateway.casework.act import ActRow, Done
from gateway.vault import Marks
from tests.casework.house import DAY, House

ONE = timedelta(days=1)


def days(count: int = 3) -> list[Marks]:
    """The marks of one act on days running: each shares one with the next."""
    keys = [secrets.token_bytes(32) for _ in range(count + 1)]
    return [Marks(DAY + at * ONE, keys[at + 1], keys[at]) for at in range(count)]


def do(db: Session, marks: Marks, dialogue: Marks, made: int, attempt: int = 0) -> Done | None:
    """An act as a hop does it."""
    was = act.begin(db, marks, "file", dialogue)
    if was is None:
        act.finish(db, marks, report=made, attempt=attempt)
    return was


def rows(house: House) -> int:
    return house.ask(lambda db: db.scalar(select(func.count()).select_from(ActRow))) or 0


def test_an_act_is_new_once_and_then_known(house: House) -> None:
    (marks,), (dialogue,) = days(1), days(1)
    assert house.ask(act.find, [marks]) == [None]
    assert house.do(do, marks, dialogue, 7, 2) is None
    assert house.do(do, marks, dialogue, 8, 0) == Done(DAY, 7, 2)
    assert house.ask(act.find, [marks]) == [Done(DAY, 7, 2)]
    assert rows(house) == 2


def test_an_act_that_is_undone_with_its_transaction_is_new_again(house: House) -> None:
    (marks,), (dialogue,) = days(1), days(1)
    try:
        with house.db.begin() as db:
            do(db, marks, dialogue, 7)
            raise LookupError
    except LookupError:
        pass
    assert rows(house) == 0
    assert house.do(do, marks, dialogue, 8) is None


def test_what_was_done_before_midnight_is_known_after_it_and_stays_of_its_day(house: House) -> None:
    (before, after), (dialogue, later) = days(2), days(2)
    assert house.do(do, before, dialogue, 7, 1) is None
    assert house.do(do, after, later, 8) == Done(DAY, 7, 1)
    assert house.ask(act.find, [after]) == [Done(DAY, 7, 1)]


def test_what_was_done_after_midnight_is_known_to_a_clock_that_is_behind(house: House) -> None:
    (before, after), (dialogue, later) = days(2), days(2)
    assert house.do(do, after, later, 7, 1) is None
    assert house.do(do, before, dialogue, 8) == Done(DAY + ONE, 7, 1)
    assert house.ask(act.find, [before]) == [Done(DAY + ONE, 7, 1)]


def test_a_question_keeps_its_sealed_answer_for_the_hops_that_follow(house: House) -> None:
    (marks, after), (dialogue, later) = days(2), days(2)

    def ask(db: Session, marks: Marks, dialogue: Marks, reply: bytes) -> Done | None:
        was = act.begin(db, marks, "code", dialogue)
        if was is None:
            act.finish(db, marks, report=None, reply=reply)
        return was

    assert house.do(ask, marks, dialogue, b"sealed") is None
    assert house.do(ask, after, later, b"another") == Done(DAY, None, 0, b"sealed")
    assert house.ask(act.find, [marks, after]) == [Done(DAY, None, 0, b"sealed")] * 2
    assert house.ask(act.reports_of, dialogue) == []


def test_acts_are_found_in_the_order_asked(house: House) -> None:
    (first,), (second,), (never,), (dialogue,) = days(1), days(1), days(1), days(1)
    house.do(do, first, dialogue, 1)
    house.do(do, second, dialogue, 2)
    assert house.ask(act.find, [second, never, first]) == [Done(DAY, 2, 0), None, Done(DAY, 1, 0)]
    assert house.ask(act.find, []) == []


def test_twins_on_both_sides_of_midnight_do_an_act_once(house: House) -> None:
    for _ in range(6):
        marks, dialogue = days(2), days(2)
        start = threading.Barrier(6)
        made: list[int] = []

        def twin(
            at: int,
            marks: list[Marks] = marks,
            dialogue: list[Marks] = dialogue,
            start: threading.Barrier = start,
            made: list[int] = made,
        ) -> int:
            start.wait()
            with house.db.begin() as db:
                was = do(db, marks[at % 2], dialogue[at % 2], at)
                if was is None:
                    made.append(at)
                    return at
                assert was.report_id is not None
                return was.report_id

        with ThreadPoolExecutor(6) as pool:
            said = set(pool.map(twin, range(6)))
        assert len(made) == 1
        assert said == set(made)


def test_a_dialogue_knows_the_reports_it_made_today_and_yesterday(house: House) -> None:
    dialogue, other = days(3), days(1)
    for made in (1, 2):
        (marks,) = days(1)
        house.do(do, marks, dialogue[0], made)
    (marks,) = days(1)
    house.do(do, marks, other[0], 3)
    assert sorted(house.ask(act.reports_of, dialogue[0])) == [1, 2]
    assert sorted(house.ask(act.reports_of, dialogue[1])) == [1, 2]
    assert house.ask(act.reports_of, dialogue[2]) == []


def test_acts_are_forgotten_when_their_keys_are_gone_and_not_before(house: House) -> None:
    for back in range(6):
        marks, dialogue = days(1)[0], days(1)[0]
        house.do(do, Marks(DAY - back * ONE, marks.now, marks.before), dialogue, back)
    assert house.do(act.forget, DAY) == 6
    kept: list[date] = sorted(set(house.ask(lambda db: db.scalars(select(ActRow.day)).all())))
    assert kept == [DAY - 2 * ONE, DAY - ONE, DAY]
    assert house.do(act.forget, DAY) == 0


def test_a_row_has_no_place_for_a_caller_a_session_or_an_input() -> None:
    assert {column.name: str(column.type) for column in ActRow.__table__.columns} == {
        "mark": "BLOB",
        "dialogue": "BLOB",
        "day": "DATE",
        "kind": "VARCHAR(12)",
        "report_id": "BIGINT",
        "attempt": "SMALLINT",
        "reply_sealed": "BLOB",
    }
