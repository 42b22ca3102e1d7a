"""How a reporter is reached: kept for a month at most, and opened by nobody without report and week."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from gateway.casework import contact, plan, report
from gateway.casework.contact import LASTS, Contact, How, Reach
from gateway.casework.report import Report
from gateway.vault import Pair, SealBroken
from gateway.vault.pairs import new_pair
from gateway.vault.weeks import week_of
from tests.casework.house import DAY, House, seen

ONE = timedelta(days=1)
NUMBER = "+243990123456"
CALL = Reach(How.CALL, NUMBER, "evening", "47")
SMS = Reach(How.SMS, "+243810000001", "", "12")


def keep(house: House, made: int, reach: Reach = CALL, day: date = DAY) -> None:
    house.do(lambda db: contact.keep(db, house.keys, house.lock(db, made), day, reach))


def told(house: House) -> tuple[int, Pair]:
    """A report, and its own pair as its worker opens it."""
    worker = house.person()
    made = house.filed([seen(worker)])
    envelope = house.ask(plan.envelope, made, worker)
    assert envelope is not None
    place = report.place(made)
    return made, house.keys.open_envelope(worker, house.pairs[worker], place, "2026-11", envelope)


def opened(house: House, made: int, pair: Pair, day: date = DAY) -> Reach | None:
    return house.ask(contact.open_, house.keys, made, pair, day)


def rows(house: House) -> int:
    return house.ask(lambda db: db.scalar(select(func.count()).select_from(Contact))) or 0


def test_whoever_has_the_report_s_key_reads_what_was_asked_for(house: House) -> None:
    made, pair = told(house)
    assert house.ask(contact.how, made, DAY) is None
    assert opened(house, made, pair) is None
    keep(house, made)
    assert house.ask(contact.how, made, DAY) is How.CALL
    assert opened(house, made, pair) == CALL


def test_a_later_yes_takes_the_place_of_an_earlier(house: House) -> None:
    made, pair = told(house)
    keep(house, made)
    keep(house, made, SMS, DAY + 8 * ONE)
    assert rows(house) == 1
    assert house.ask(contact.how, made, DAY + 8 * ONE) is How.SMS
    assert opened(house, made, pair, DAY + 8 * ONE) == SMS
    assert opened(house, made, pair, DAY + 35 * ONE) == SMS, "and its month begins anew"


def test_at_the_end_of_its_month_it_is_gone_whether_or_not_anybody_has_erased_it(house: House) -> None:
    made, pair = told(house)
    keep(house, made)
    last = DAY + LASTS - ONE
    assert house.ask(contact.how, made, last) is How.CALL
    assert opened(house, made, pair, last) == CALL
    assert house.do(contact.erase_old, last) == []
    assert house.ask(contact.how, made, last + ONE) is None
    assert opened(house, made, pair, last + ONE) is None
    assert house.do(contact.erase_old, last + ONE) == [made]
    assert house.do(contact.erase_old, last + ONE) == []
    assert rows(house) == 0


def test_old_ones_go_and_younger_ones_stay(house: House) -> None:
    made = [told(house)[0] for _ in range(3)]
    for at, one in enumerate(made):
        keep(house, one, day=DAY + at * ONE)
    assert set(house.do(contact.erase_old, DAY + LASTS + ONE)) == set(made[:2])
    assert house.ask(contact.how, made[2], DAY + LASTS + ONE) is How.CALL


def test_erasing_says_whether_there_was_something(house: House) -> None:
    (made, pair), (other, theirs) = told(house), told(house)
    keep(house, made)
    keep(house, other, SMS)
    assert house.do(contact.erase, made)
    assert not house.do(contact.erase, made)
    assert opened(house, made, pair) is None
    assert opened(house, other, theirs) == SMS


def test_the_store_says_call_or_sms_and_nothing_else(house: House) -> None:
    made, _ = told(house)
    keep(house, made)
    stored = house.ask(lambda db: db.execute(text("SELECT * FROM contact")).all())
    whole = b"".join(part if isinstance(part, bytes) else str(part).encode() for row in stored for part in row)
    for form in (NUMBER, NUMBER[1:], NUMBER[4:], NUMBER[-6:], "evening"):
        assert form.encode() not in whole
        assert form.encode().hex().encode() not in whole
    long = Reach(How.CALL, "+243990123456789"[:16], "a much longer hour", "47")
    other, _ = told(house)
    keep(house, other, long)
    sizes = house.ask(lambda db: db.scalars(select(func.length(Contact.sealed))).all())
    assert len(set(sizes)) == 1


def test_no_other_key_opens_it_and_it_opens_nowhere_else(house: House) -> None:
    (made, pair), (other, theirs) = told(house), told(house)
    keep(house, made)
    for wrong in (theirs, new_pair()):
        with pytest.raises(SealBroken):
            opened(house, made, wrong)
    keep(house, other, SMS)
    moved = house.ask(lambda db: db.scalar(select(Contact.sealed).where(Contact.report_id == made)))
    house.do(lambda db: db.execute(update(Contact).where(Contact.report_id == other).values(sealed=moved)))
    for key in (pair, theirs):
        with pytest.raises(SealBroken):
            opened(house, other, key)


def test_when_the_week_s_key_is_destroyed_it_opens_for_nobody(house: House) -> None:
    """In no copy of the database either."""
    made, pair = told(house)
    keep(house, made)
    later = DAY + 7 * ONE
    assert house.keys.weeks.destroy_before(DAY) == []
    assert opened(house, made, pair) == CALL
    assert house.keys.weeks.destroy_before(later) == [week_of(DAY)]
    with pytest.raises(SealBroken):
        opened(house, made, pair)


def test_with_a_clock_behind_a_destroyed_week_nothing_is_kept_rather_than_kept_for_ever(house: House) -> None:
    made, _ = told(house)
    keep(house, made)
    house.keys.weeks.destroy_before(DAY + 7 * ONE)
    with pytest.raises(KeyError):
        keep(house, made, SMS)
    assert house.ask(contact.how, made, DAY) is How.CALL, "what was there is as it was"


@given(days=st.integers(min_value=0, max_value=365 * 20))
def test_a_week_is_destroyed_only_when_nothing_of_it_is_kept_any_more(days: int) -> None:
    """As the clock's round does it: the keys of all weeks before the day a month ago."""
    today = DAY + days * ONE
    kept = [today - at * ONE for at in range(LASTS.days)]
    assert all(week_of(day) >= week_of(today - LASTS) for day in kept)
    assert week_of(today - LASTS - 7 * ONE) < week_of(today - LASTS), "and at most a week later than it might"


@pytest.mark.parametrize("column", ["public", "reply", "attest"])
def test_when_another_hand_has_changed_a_key_nothing_is_sealed_to_it(house: House, column: str) -> None:
    made, _ = told(house)
    theirs = new_pair().public
    house.do(lambda db: db.execute(update(Report).values({column: theirs})))
    with pytest.raises(SealBroken):
        keep(house, made)
    assert rows(house) == 0


def test_two_that_are_kept_at_once_leave_one(house: House) -> None:
    made, pair = told(house)

    def with_(reach: Reach, db: Session) -> None:
        contact.keep(db, house.keys, house.lock(db, made), DAY, reach)

    house.together(*[lambda db, reach=reach: with_(reach, db) for reach in (CALL, SMS, CALL, SMS)])
    assert rows(house) == 1
    assert opened(house, made, pair) in (CALL, SMS)
    assert house.ask(contact.how, made, DAY) is getattr(opened(house, made, pair), "how", None)


def test_printed_it_shows_no_number_and_no_digits() -> None:
    assert NUMBER not in repr(CALL)
    assert "47" not in repr(CALL)
