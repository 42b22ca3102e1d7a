"""Reports: filed whole or not at all, opened to whom the plan says, taken by one, closed by that one."""

from __future__ import annotations

import secrets
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from gateway.casework import Refused, closing, journal, plan, report
from gateway.casework.caseworker import Role
from gateway.casework.plan import PlanEntry
from gateway.casework.report import Addition, Outcome, Report, State
from gateway.casework.route import Reason, Step
from gateway.casework.verb import Verb
from gateway.db import Conflict
from gateway.vault import SealBroken
from gateway.vault.pairs import new_pair
from tests.build import START
from tests.casework.house import DAY, SOON, House, seen


def test_a_report_begins_received_with_its_plan_in_order(house: House) -> None:
    first, second, supervisor = house.person("A"), house.person("B"), house.person("C", Role.SUPERVISOR)
    made = house.filed([second, first, seen(supervisor)])
    found = house.coarse(made)
    assert (found.state, found.responsible_id, found.dispatch_at) == (State.RECEIVED, None, START)
    assert house.ask(plan.people, made) == [
        (second, "on_duty"),
        (first, "on_duty"),
        (supervisor, "supervisor"),
    ]


def test_only_whom_the_plan_has_opened_it_to_may_read(house: House) -> None:
    hidden, shown, stranger = house.person(), house.person(), house.person()
    made = house.filed([hidden, seen(shown)])

    def readers() -> list[bool]:
        return [house.ask(plan.is_open_to, made, who) for who in (hidden, shown, stranger)]

    assert readers() == [False, True, False]
    house.do(plan.show_to, made, hidden, "received")
    assert readers() == [True, True, False]
    house.do(plan.show_to, made, stranger, "received")
    assert readers() == [True, True, False], "nobody is shown what they are not planned for"


def test_whoever_is_left_out_is_gone_from_the_plan_and_cannot_be_shown_it_again(house: House) -> None:
    one, other = house.person(), house.person()
    made = house.filed([seen(one), seen(other)])
    house.do(plan.leave_out, made, one)
    house.do(plan.show_to, made, one, "received")
    assert not house.ask(plan.is_open_to, made, one)
    assert house.ask(plan.people, made) == [(other, "supervisor")]


def test_people_who_left_the_house_are_passed_over(house: House) -> None:
    gone, here = house.person(active=False), house.person()
    made = house.filed([gone, here])
    assert house.ask(plan.people, made) == [(here, "on_duty")]


def test_a_plan_that_ran_dry_is_extended_behind_its_end_and_twice_changes_nothing(house: House) -> None:
    old, fresh, next_ = house.person(), house.person(), house.person()
    made = house.filed([old])
    steps = [Step(next_, Reason.ON_DUTY, False), Step(old, Reason.ON_DUTY, False), seen(fresh)]
    for _ in range(2):
        house.do(report.extend_plan, made, steps)
    assert [person for person, _ in house.ask(plan.people, made)] == [old, next_, fresh]


def test_people_come_behind_the_end_of_a_plan_that_somebody_was_left_out_of(house: House) -> None:
    first, second, third, fresh = (house.person() for _ in range(4))
    made = house.filed([first, second, third])
    house.do(plan.leave_out, made, first)
    house.do(report.extend_plan, made, [Step(fresh, Reason.ON_DUTY, False)])
    assert [person for person, _ in house.ask(plan.people, made)] == [second, third, fresh]


def test_a_code_belongs_to_one_report_for_ever(house: House) -> None:
    token = secrets.token_bytes(32)
    made = house.filed(code_token=token)
    with pytest.raises(Conflict):
        house.filed(code_token=token)
    worker = house.person()
    house.accept(made, worker)
    house.close(made, worker)
    with pytest.raises(Conflict):
        house.filed(code_token=token)
    assert house.ask(report.is_taken, reference="000000", code_token=token) == (False, True)


def test_a_reference_belongs_to_one_open_report_and_is_free_once_it_is_closed(house: House) -> None:
    worker = house.person()
    made = house.filed(reference="123456")
    assert house.ask(report.is_taken, reference="123456", code_token=b"") == (True, False)
    with pytest.raises(Conflict):
        house.filed(reference="123456")
    house.accept(made, worker)
    house.close(made, worker)
    assert house.ask(report.is_taken, reference="123456", code_token=b"") == (False, False)
    house.filed(reference="123456")


def test_a_filing_that_fails_leaves_neither_report_nor_plan(house: House) -> None:
    token = secrets.token_bytes(32)
    worker = house.person()
    house.filed([worker], code_token=token)
    with pytest.raises(Conflict):
        house.filed([worker], code_token=token)
    assert len(house.ask(lambda db: db.scalars(select(PlanEntry.report_id)).all())) == 1


def test_a_lock_on_no_report_is_nothing(house: House) -> None:
    assert house.do(report.lock, 7) is None


def test_a_severity_is_only_ever_raised(house: House) -> None:
    made = house.filed(severity="P2")
    for said, is_now in (("P3", "P2"), ("P1", "P1"), ("P2", "P1"), ("P0", "P0"), ("P3", "P0")):
        house.do(report.reconsider, house.coarse(made), severity=said, dispatch_at=None)
        assert house.coarse(made).severity == is_now


def test_dispatch_is_hastened_only_where_it_is_still_to_come(house: House) -> None:
    waiting = house.filed(dispatch_at=START + timedelta(minutes=3))
    due, done = house.filed(dispatch_at=START), house.filed()
    house.do(report.set_dispatch, done, None)
    hastened = house.do(report.hasten, [waiting, due, done, 7], START)
    assert hastened == [waiting]
    assert house.do(report.hasten, [waiting, due, done], START) == []
    assert set(house.ask(report.to_dispatch, START, 10)) == {waiting, due}


def test_nothing_is_hastened_for_no_report(house: House) -> None:
    assert house.do(report.hasten, [], START) == []


def test_what_waited_longest_is_dispatched_first(house: House) -> None:
    made = [house.filed(dispatch_at=START - timedelta(minutes=at)) for at in (1, 3, 2)]
    house.filed(dispatch_at=START + timedelta(seconds=1))
    assert house.ask(report.to_dispatch, START, 2) == [made[1], made[2]]


def test_a_load_counts_open_reports_only(house: House) -> None:
    busy, idle = house.person(), house.person()
    made = [house.filed() for _ in range(3)]
    for one in made:
        house.accept(one, busy)
    house.filed([idle])
    assert house.ask(report.load) == {busy: 3}
    house.do(lambda db: closing.close(db, house.lock(db, made[0]), busy, Outcome.REFERRED, START))
    assert house.ask(report.load) == {busy: 2}


def test_only_who_answers_for_a_report_closes_it_and_once(house: House) -> None:
    worker, other = house.person(), house.person()
    made = house.filed([worker, other])

    def close(by: int) -> None:
        house.do(lambda db: closing.close(db, house.lock(db, made), by, Outcome.HELPED, SOON))

    for too_early in (worker, other):
        with pytest.raises(Refused):
            close(too_early)
    house.accept(made, worker)
    with pytest.raises(Refused):
        close(other)
    close(worker)
    with pytest.raises(Refused) as again:
        close(worker)
    assert "closed already" in again.value.why
    found = house.coarse(made)
    assert (found.state, found.due_at, found.dispatch_at) == (State.CLOSED, SOON, None)
    assert [line.verb for line in house.ask(journal.of_report, made)].count(Verb.CLOSED) == 1


def test_two_who_close_at_the_same_time_close_once(house: House) -> None:
    worker = house.person()
    made = house.filed([worker])
    house.accept(made, worker)

    def close(outcome: Outcome, db: Session) -> None:
        closing.close(db, house.lock(db, made), worker, outcome, START)

    outcomes = house.together(*[partial(close, one) for one in (Outcome.HELPED, Outcome.REFERRED, Outcome.UNSAFE)])
    assert sum(isinstance(outcome, Refused) for outcome in outcomes) == 2


def test_a_report_that_moves_lane_begins_anew_with_another_plan(house: House) -> None:
    worker, officer = house.person(), house.person("O", Role.INTEGRITY_OFFICER)
    made = house.filed([seen(worker)])
    house.accept(made, worker)
    house.close(made, worker)
    house.do(report.move, made, "integrity", [seen(officer, Reason.INTEGRITY)], SOON)
    found = house.coarse(made)
    assert (found.state, found.lane, found.responsible_id, found.dispatch_at) == (
        State.RECEIVED,
        "integrity",
        None,
        SOON,
    )
    assert house.ask(lambda db: db.scalar(select(Report.outcome).where(Report.id == made))) is None
    assert not house.ask(plan.is_open_to, made, worker)
    assert house.ask(plan.people, made) == [(officer, "integrity")]


def test_a_report_keeps_no_time_of_arrival() -> None:
    """A moment would match a call in an operator's records; clocks say when something is due."""
    assert {column.name for column in Report.__table__.columns if "UtcTime" in repr(column.type)} == {
        "dispatch_at",
        "due_at",
    }


def test_ids_of_reports_count_nothing(house: House) -> None:
    made = house.filed()
    assert house.coarse(made).id == made
    assert not Report.__table__.c.id.autoincrement
    assert house.ask(lambda db: db.scalar(select(Report.day).where(Report.id == made))) == DAY


def test_the_places_of_sealed_parts_name_one_part_each() -> None:
    places = {report.place(7), report.place(77), report.place(71)}
    places |= {
        report.addition_place(made, number, author)
        for made in (7, 77, 71)
        for number in (1, 11, 2)
        for author in (None, 1, 11)
    }
    assert len(places) == 3 + 27


def test_additions_are_numbered_from_one_without_a_gap_also_when_they_come_together(house: House) -> None:
    made = house.filed()

    def add(db: Session) -> None:
        report.add(db, house.keys, house.lock(db, made), DAY, b"more")

    house.together(*[add] * 6)
    numbers = house.ask(lambda db: db.scalars(select(Addition.number).where(Addition.report_id == made)).all())
    assert sorted(numbers) == [1, 2, 3, 4, 5, 6]
    assert house.ask(report.last_addition, made)[0] == 6  # type: ignore[index]


def test_nothing_is_sealed_to_a_key_that_another_hand_put_into_the_row(house: House) -> None:
    made, other = house.filed(), house.filed()
    theirs, forged = house.coarse(other), new_pair().public
    for public, attest in (
        (forged, house.coarse(made).attest),
        (forged, bytes(32)),
        (forged, b""),
        (theirs.public, theirs.attest),
    ):
        with house.db.begin() as db:
            db.execute(update(Report).where(Report.id == made).values(public=public, attest=attest))
        with pytest.raises(SealBroken):
            house.do(lambda db: report.add(db, house.keys, house.lock(db, made), DAY, b"more"))
    assert house.ask(report.last_addition, made) is None
