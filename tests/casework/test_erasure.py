"""Erasing: due by a lane's months, unless somebody holds it; what remains names nobody, and the journal fits."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from gateway.casework import (
    chain,
    closing,
    contact,
    erasure,
    hold,
    journal,
    letter,
    message,
    plan,
    referral,
    report,
    site,
)
from gateway.casework.caseworker import Role
from gateway.casework.contact import How, Reach
from gateway.casework.erasure import RARE, Remains, before
from gateway.casework.report import Outcome, Report
from gateway.casework.verb import Verb
from gateway.db import Base, Conflict
from gateway.vault import SealBroken
from tests.build import START
from tests.casework.house import DAY, House

KEPT = {"child": 24, "safety": 12, "integrity": 24, "gbv": 24}
SECOND = timedelta(seconds=1)
MOMENTS = st.integers(min_value=0, max_value=75 * 366 * 24 * 3600).map(
    lambda seconds: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
MONTHS = st.integers(min_value=1, max_value=60)


def closed(house: House, at: datetime, lane: str = "child") -> int:
    """A report that was filed and closed then."""
    worker = house.person()
    made = house.filed([worker], lane=lane, day=at.date())
    house.do(lambda db: journal.write(db, START, Verb.FILED, report=made))
    house.offer(made, worker)
    house.accept(made, worker)
    house.close(made, worker, at)
    return made


def due(house: House, now: datetime = START, limit: int = 100) -> list[int]:
    """The reports that are due; each is also due behind its lock, and no other is."""
    found = house.ask(erasure.due, KEPT, now.date(), now, limit)
    for one in house.ask(lambda db: db.scalars(select(Report.id)).all()):
        is_due = house.do(erasure.is_due, one, KEPT, now.date(), now)
        assert is_due is (one in found) or len(found) == limit
    return found


def erase(house: House, made: int) -> None:
    house.do(erasure.destroy_keys, made, START)
    house.do(erasure.erase, made, START)


def hold_it(house: House, made: int, until: date, *, agreed: bool = True) -> None:
    one, other = house.person("S", Role.SUPERVISOR), house.person("T", Role.SUPERVISOR)
    today = until - timedelta(days=30)
    house.do(hold.ask, made, one, until, today, START)
    if agreed:
        house.do(hold.agree, made, other, until, today, START)


# When.


@pytest.mark.parametrize(
    ("now", "months", "then"),
    [
        ("2026-11-21", 24, "2024-11-21"),
        ("2026-11-21", 12, "2025-11-21"),
        ("2026-01-31", 1, "2025-12-31"),
        ("2026-03-31", 1, "2026-02-28"),
        ("2028-03-31", 1, "2028-02-29"),
        ("2028-02-29", 12, "2027-02-28"),
        ("2028-02-29", 24, "2026-02-28"),
        ("2028-02-29", 48, "2024-02-29"),
        ("2026-05-31", 1, "2026-04-30"),
        ("2026-12-31", 12, "2025-12-31"),
        ("2026-01-01", 13, "2024-12-01"),
        ("2101-03-31", 12, "2100-03-31"),
        ("2100-03-31", 1, "2100-02-28"),
    ],
)
def test_so_many_months_ago_is_the_same_day_or_the_last_of_a_shorter_month(
    now: str, months: int, then: str
) -> None:
    at = datetime.fromisoformat(f"{now}T08:15:30+00:00")
    assert before(at, months) == datetime.fromisoformat(f"{then}T08:15:30+00:00")


@given(now=MOMENTS, months=MONTHS)
def test_so_many_months_ago_lies_in_that_month_at_the_same_time_of_day(now: datetime, months: int) -> None:
    then = before(now, months)
    assert (now.year * 12 + now.month) - (then.year * 12 + then.month) == months
    assert then.timetz() == now.timetz()
    last = calendar.monthrange(then.year, then.month)[1]
    assert then.day == min(now.day, last)


@given(now=MOMENTS, months=MONTHS)
def test_going_forward_again_never_comes_out_later(now: datetime, months: int) -> None:
    """What is kept is never kept for longer than the months that were promised, give or take the days that a
    shorter month lacks."""
    then = before(now, months)
    back = then.year * 12 + then.month - 1 + months
    year, month = divmod(back, 12)
    assert date(year, month + 1, min(then.day, calendar.monthrange(year, month + 1)[1])) <= now.date()
    assert timedelta(0) <= now - then - timedelta(days=28 * months) <= timedelta(days=3 * months + 3)


@given(now=MOMENTS, months=MONTHS, days=st.integers(min_value=0, max_value=800))
def test_what_is_due_today_is_due_on_every_later_day(now: datetime, months: int, days: int) -> None:
    later = now + timedelta(days=days)
    assert before(later, months) >= before(now, months)
    assert before(now, months + 1) < before(now, months)


def test_a_report_is_due_when_its_lane_s_months_are_over_and_not_a_second_before(house: House) -> None:
    child, safety = before(START, 24), before(START, 12)
    on_time = closed(house, child)
    old = closed(house, child - SECOND)
    closed(house, safety - SECOND)
    short = closed(house, safety - SECOND, "safety")
    late = closed(house, safety, "safety")
    assert sorted(due(house)) == sorted([old, short])
    assert sorted(due(house, START + SECOND)) == sorted([old, short, on_time, late])


def test_what_is_open_is_never_due_however_old(house: House) -> None:
    worker = house.person()
    received = house.filed([worker], due_at=before(START, 60))
    taken = house.filed([worker])
    house.offer(taken, worker)
    house.do(lambda db: referral.accept(db, house.lock(db, taken), worker, before(START, 60), START))
    assert due(house) == []
    assert house.coarse(received).due_at < before(START, 24)


def test_what_was_opened_once_more_begins_its_time_anew(house: House) -> None:
    made = closed(house, before(START, 30))
    assert due(house) == [made]
    house.do(lambda db: closing.reopen(db, house.lock(db, made), "999999", START, START))
    assert due(house) == []


def test_what_was_withdrawn_is_due_like_anything_else(house: House) -> None:
    then = before(START, 24) - SECOND
    made = house.filed([house.person()], day=then.date())
    house.do(lambda db: closing.withdraw(db, house.lock(db, made), then))
    assert due(house) == [made]


def test_a_lane_that_the_flows_do_not_know_any_more_is_left_alone(house: House) -> None:
    closed(house, before(START, 60), "gone")
    assert due(house) == []


def test_a_hold_keeps_it_while_two_people_want_and_no_longer(house: House) -> None:
    old = before(START, 30)
    free, asked, ended, held = (closed(house, old) for _ in range(4))
    hold_it(house, asked, DAY + timedelta(days=1), agreed=False)
    hold_it(house, ended, DAY - timedelta(days=1))
    hold_it(house, held, DAY)
    assert sorted(due(house)) == sorted([free, asked, ended])
    assert sorted(due(house, START + timedelta(days=1))) == sorted([free, asked, ended, held])


def test_the_oldest_of_a_lane_come_first_and_no_more_than_are_wanted(house: House) -> None:
    old = [closed(house, before(START, 30 - at)) for at in (2, 0, 1)]
    safety = closed(house, before(START, 30), "safety")
    assert house.ask(erasure.due, KEPT, DAY, START, 2) == [old[1], old[2]]
    assert house.ask(erasure.due, KEPT, DAY, START, 4) == [old[1], old[2], old[0], safety]
    assert house.ask(erasure.due, KEPT, DAY, START, 3) == [old[1], old[2], old[0]]


def test_what_is_not_there_is_not_due(house: House) -> None:
    assert not house.do(erasure.is_due, 999, KEPT, DAY, START)


def test_what_a_clock_that_was_behind_has_closed_is_not_old(house: House) -> None:
    """The month of its key tells how old it can be."""
    worker = house.person()
    made = house.filed([worker])
    house.offer(made, worker)
    house.accept(made, worker)
    house.close(made, worker, before(START, 70))
    assert due(house) == []
    assert due(house, before(START, -24) - timedelta(days=31)) == []
    assert due(house, before(START, -24)) == [made]


# What goes, and what remains.


def test_the_first_step_takes_every_key_and_leaves_the_rows(house: House) -> None:
    made = closed(house, before(START, 30))
    house.do(lambda db: db.execute(update(Report).values(escrow_sealed=b"for two of three")))
    assert house.ask(plan.holds, made)
    house.do(erasure.destroy_keys, made, START)
    assert house.ask(plan.holds, made) == set()
    assert house.ask(report.sealed_to_escrow, made) is None
    assert house.coarse(made).id == made
    assert house.ask(journal.of_report, made)[-1].verb is Verb.KEYS_DESTROYED
    assert due(house) == [made], "and whoever is killed here finds it again"


def test_the_second_step_takes_every_row_of_every_table_but_the_journal_s(house: House) -> None:
    made, other = closed(house, before(START, 30)), closed(house, before(START, 30))
    for one in (made, other):

        def fill(db: Session, one: int = one) -> None:
            found = house.lock(db, one)
            worker = found.responsible_id
            assert worker is not None
            message.queue(db, referral.offer(db, one, worker, START, START), message.Kind.ALERT, START)
            report.add(db, house.keys, found, DAY, b"more")
            letter.write(db, house.keys, found, DAY, letter.Kind.CLOSING, b"last words", worker)
            letter.answer(db, house.keys, found, DAY, b"an answer", 1)
            contact.keep(db, house.keys, found, DAY, Reach(How.SMS, "+243990000001", "", "12"))

        house.do(fill)
        hold_it(house, one, DAY - timedelta(days=1))
    before_it = {name: count for name, count in rows(house).items() if name != "journal"}
    # Every table that can hold something of a report does hold something of both.
    held = {table.name for table in Base.metadata.sorted_tables if "report_id" in table.columns}
    held = held - {"act", "journal"} | {"report", "message"}
    assert all(before_it[name] for name in held)
    erase(house, made)
    after = rows(house)
    for name, count in before_it.items():
        if name == "remains":
            assert after[name] == 1
        elif name in held:
            assert after[name] * 2 == count, name
        elif name != "chain":
            assert after[name] == count, name
    assert house.coarse(other).id == other


def rows(house: House) -> dict[str, int]:
    """How many there are of each table."""

    def count(db: Session) -> dict[str, int]:
        tables = Base.metadata.sorted_tables
        return {table.name: db.scalar(select(func.count()).select_from(table)) or 0 for table in tables}

    return house.ask(count)


def test_a_report_that_still_has_keys_is_not_erased(house: House) -> None:
    """Rows before keys would leave an envelope of which nobody knows whose it is: the store refuses."""
    made = closed(house, before(START, 30))
    with pytest.raises(Conflict):
        house.do(erasure.erase, made, START)
    assert house.coarse(made).id == made


@pytest.mark.parametrize("lane", KEPT)
def test_what_remains_is_coarse_under_a_number_of_its_own(house: House, lane: str) -> None:
    place = house.do(site.add, START, name="Site A", code="101")
    worker = house.person()
    made = house.filed([worker], lane=lane, topic="hazard", severity="P1", site=place)
    house.offer(made, worker)
    house.accept(made, worker)
    house.do(lambda db: closing.close(db, house.lock(db, made), worker, Outcome.REFERRED, before(START, 30)))
    reference, token = house.ask(
        lambda db: db.execute(select(Report.reference, Report.code_token).where(Report.id == made)).one()
    )
    erase(house, made)
    (row,) = house.ask(lambda db: db.execute(select(Remains.__table__)).mappings().all())
    kept = dict(row)
    assert kept.pop("id") != made
    assert kept == {
        "topic": "hazard",
        "severity": "P1",
        "lane": lane,
        "site_id": None if lane in RARE else place,
        "month": f"{DAY:%Y-%m}",
        "outcome": "referred",
    }
    stored = house.ask(lambda db: db.execute(text("SELECT * FROM remains")).all())
    whole = b"".join(part if isinstance(part, bytes) else str(part).encode() for one in stored for part in one)
    assert reference.encode() not in whole
    assert token not in whole


def test_a_report_without_a_site_or_an_outcome_is_counted_too(house: House) -> None:
    made = house.filed([])
    house.do(lambda db: db.execute(update(Report).values(state="closed", due_at=before(START, 30))))
    erase(house, made)
    assert house.ask(lambda db: db.execute(select(Remains.site_id, Remains.outcome)).one()) == (None, None)


def test_the_journal_fits_after_every_step(house: House) -> None:
    """And tells of the report still: that there was one, and that it was erased."""

    def faults() -> list[chain.Fault]:
        with house.db.read(still=True) as db:
            told = chain.verify(db, house.keys.journal_key).faults
        return [fault for fault in told if fault.where.startswith(("report", "line", "the head", "table"))]

    made, other = closed(house, before(START, 30)), closed(house, before(START, 30))
    assert faults() == []
    house.do(erasure.destroy_keys, made, START)
    assert faults() == []
    house.do(erasure.erase, made, START)
    assert faults() == []
    assert house.ask(journal.of_report, made)[-1].verb is Verb.ERASED
    erase(house, other)
    assert faults() == []


def test_a_report_that_somebody_else_took_away_is_missed_all_the_same(house: House) -> None:
    """Only a line that says so lets it be gone."""
    made, other = closed(house, before(START, 30)), closed(house, before(START, 30))
    erase(house, made)

    def away(db: Session) -> None:
        for table in ("envelope", "plan", "referral"):
            db.execute(text(f"DELETE FROM {table} WHERE report_id = {other}"))
        db.execute(text(f"DELETE FROM report WHERE id = {other}"))

    house.do(away)
    with house.db.read(still=True) as db:
        faults = chain.verify(db, house.keys.journal_key).faults
    assert [fault.where for fault in faults if fault.where.startswith("report")] == [f"report {other}"]


def test_a_report_that_comes_back_from_an_old_copy_is_found_out(house: House) -> None:
    made = closed(house, before(START, 30))
    row = house.ask(lambda db: dict(db.execute(select(Report.__table__)).mappings().one()))
    erase(house, made)
    house.do(lambda db: db.execute(Report.__table__.insert(), [row]))  # type: ignore[attr-defined]
    with house.db.read(still=True) as db:
        faults = chain.verify(db, house.keys.journal_key).faults
    assert f"report {made}" in [fault.where for fault in faults]


def test_the_months_that_reports_still_need_are_told(house: House) -> None:
    assert house.ask(erasure.months_in_use) == set()
    made = closed(house, before(START, 30))
    assert house.ask(erasure.months_in_use) == {"2024-05"}
    house.do(erasure.destroy_keys, made, START)
    assert house.ask(erasure.months_in_use) == {"2024-05"}, "until its rows are gone"
    assert house.ask(erasure.months_erased) == set()
    house.do(erasure.erase, made, START)
    assert house.ask(erasure.months_in_use) == set()
    assert house.ask(erasure.months_erased) == {"2024-05"}


def test_an_old_copy_of_an_envelope_opens_until_its_month_is_destroyed(house: House) -> None:
    """That is why the month goes last, and why it goes."""
    worker = house.person()
    made = house.filed([worker])
    house.do(lambda db: db.execute(update(Report).values(state="closed", due_at=before(START, 30))))
    envelope = house.ask(plan.envelope, made, worker)
    assert envelope is not None
    erase(house, made)
    month = f"{DAY:%Y-%m}"
    args = (worker, house.pairs[worker], report.place(made), month, envelope)
    assert house.keys.open_envelope(*args)
    house.keys.months.destroy(month, DAY + timedelta(days=60))
    with pytest.raises(SealBroken):
        house.keys.open_envelope(*args)


def test_of_many_who_erase_at_once_one_does_and_one_line_remains(house: House) -> None:
    """Two clocks, or a clock and a command."""
    for at in range(8):
        made = closed(house, before(START, 30))
        house.do(erasure.destroy_keys, made, START)
        house.together(*[partial(erasure.erase, report_id=made, now=START)] * 4)
        assert rows(house)["remains"] == at + 1
        told = [line.verb for line in house.ask(journal.of_report, made)]
        assert told.count(Verb.ERASED) == 1
