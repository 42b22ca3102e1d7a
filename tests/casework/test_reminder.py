"""Reminders: a number leaves once, or is given up within the hour; nothing says whose it was."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from gateway.casework import reminder
from gateway.casework.reminder import AGAIN, LASTS, Reminder, Taken
from gateway.db import Base
from tests.build import START
from tests.casework.house import House

NUMBER = "+243990123456"
MOMENT = timedelta(microseconds=1)


def queue(house: House, number: str = NUMBER, now: datetime = START, until: datetime | None = None) -> None:
    house.do(reminder.queue, house.keys, number, "ln", now, until)


def take(house: House, now: datetime = START) -> Taken | None:
    return house.do(reminder.take, house.keys, now)


def left(house: House) -> int:
    return house.ask(lambda db: db.scalar(select(func.count()).select_from(Reminder))) or 0


def test_a_reminder_is_due_at_once_and_taken_once(house: House) -> None:
    assert not house.ask(reminder.is_due, START)
    assert take(house) is None
    queue(house)
    assert house.ask(reminder.is_due, START)
    taken = take(house)
    assert taken is not None
    assert (taken.number, taken.language, taken.until) == (NUMBER, "ln", START + LASTS)
    assert take(house) is None
    assert not house.ask(reminder.is_due, START)
    assert left(house) == 0, "it is out of the store before it leaves"


def test_one_written_by_a_clock_that_is_ahead_of_the_sender_s_is_not_thrown_away(house: House) -> None:
    """The number is in no other place any more."""
    ahead = START + timedelta(minutes=3)
    house.do(reminder.queue, house.keys, NUMBER, "fr", ahead)
    assert house.do(reminder.take, house.keys, START) is None
    taken = house.do(reminder.take, house.keys, ahead)
    assert taken is not None
    assert taken.number == NUMBER


def test_what_is_undone_with_its_transaction_is_still_there(house: House) -> None:
    """Whoever dies before the commit has sent nothing."""
    queue(house)

    def die(db: Session) -> None:
        assert reminder.take(db, house.keys, START) is not None
        raise LookupError

    with pytest.raises(LookupError):
        house.do(die)
    assert take(house) is not None


def test_takers_at_the_same_time_take_each_at_most_once_and_together_all(house: House) -> None:
    numbers = [f"+24399000{at:04d}" for at in range(12)]
    for number in numbers:
        queue(house, number)
    taken: list[str] = []
    while left(house):
        found = house.together(*[lambda db: reminder.take(db, house.keys, START)] * 8)
        taken += [one.number for one in found if isinstance(one, Taken)]
    assert sorted(taken) == numbers


def test_one_that_eight_want_is_given_to_one(house: House) -> None:
    for _ in range(5):
        queue(house)
        found = house.together(*[lambda db: reminder.take(db, house.keys, START)] * 8)
        assert len([one for one in found if isinstance(one, Taken)]) == 1


def test_what_could_not_leave_is_put_back_for_a_little_while_and_not_a_moment_longer(house: House) -> None:
    queue(house)
    taken = take(house)
    assert taken is not None
    later = START + timedelta(minutes=10)
    queue(house, now=later, until=taken.until)
    assert not house.ask(reminder.is_due, later + AGAIN - MOMENT)
    assert take(house, later + AGAIN - MOMENT) is None
    assert left(house) == 1
    again = take(house, later + AGAIN)
    assert again == taken, "the hour runs from the letter, however often it is put back"


def test_after_an_hour_it_is_erased_and_not_sent(house: House) -> None:
    queue(house)
    assert take(house, START + LASTS) is None
    assert left(house) == 0
    queue(house)
    assert take(house, START + LASTS - MOMENT) is not None


def test_put_back_in_its_last_minute_it_is_erased_and_not_sent(house: House) -> None:
    last = START + LASTS - timedelta(minutes=1)
    queue(house, now=last, until=START + LASTS)
    assert take(house, last) is None
    assert take(house, START + LASTS) is None
    assert left(house) == 0


def test_a_clock_gone_wild_that_is_set_right_again_leaves_no_number_behind(house: House) -> None:
    queue(house, now=START + timedelta(days=4000))
    assert house.ask(reminder.is_due, START), "so that somebody looks"
    assert take(house) is None
    assert left(house) == 0


def test_one_that_does_not_open_is_erased_and_holds_up_no_other(house: House) -> None:
    """Another hand has written it, or it is another row's."""
    values = {"id": "0" * 32, "language": "fr", "due_at": START, "until": START + LASTS}
    house.do(lambda db: db.execute(insert(Reminder).values(**values, number_sealed=b"\1" * 600)))
    queue(house)
    taken = [take(house) for _ in range(2)]
    assert [one.number for one in taken if one is not None] == [NUMBER]
    assert left(house) == 0


def test_a_number_moved_to_another_row_does_not_open(house: House) -> None:
    queue(house)

    def move(db: Session) -> None:
        row = db.execute(select(Reminder.number_sealed)).scalar_one()
        db.execute(Reminder.__table__.delete())  # type: ignore[attr-defined]
        values = {"id": "1" * 32, "language": "fr", "due_at": START, "until": START + LASTS}
        db.execute(insert(Reminder).values(**values, number_sealed=row))

    house.do(move)
    assert take(house) is None
    assert left(house) == 0


def test_no_row_says_whose_it_is_and_none_holds_a_number_in_the_clear(house: House) -> None:
    queue(house)
    columns = {column.name for column in Base.metadata.tables["reminder"].columns}
    assert columns == {"id", "language", "due_at", "until", "number_sealed"}
    assert not Base.metadata.tables["reminder"].foreign_keys
    stored = house.ask(lambda db: db.execute(text("SELECT * FROM reminder")).all())
    whole = b"".join(part if isinstance(part, bytes) else str(part).encode() for row in stored for part in row)
    for form in (NUMBER, NUMBER[1:], NUMBER[4:], NUMBER[-6:]):
        assert form.encode() not in whole


def test_printed_it_shows_no_number() -> None:
    assert NUMBER not in repr(Taken(NUMBER, "fr", START))
