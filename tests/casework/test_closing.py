"""How a report ends: what its end destroys, what it leaves, and how it begins once more."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from gateway.casework import Refused, closing, contact, journal, letter, plan, referral, report, shelf
from gateway.casework.contact import How, Reach
from gateway.casework.report import Addition, Outcome, Report, State
from gateway.casework.shelf import Shelf
from gateway.casework.verb import Verb
from gateway.db import Conflict
from tests.build import START
from tests.casework.house import DAY, SOON, House, seen

LATER = START + timedelta(days=3)


def taken(house: House, **details: Any) -> tuple[int, int]:
    """A report that somebody answers for, with something in every place, and who that is."""
    worker = house.person()
    made = house.filed([worker], **details)
    house.offer(made, worker)
    house.accept(made, worker)

    def fill(db: Session) -> None:
        found = house.lock(db, made)
        report.add(db, house.keys, found, DAY, b"more")
        letter.write(db, house.keys, found, DAY, letter.Kind.QUESTION, b"a question", worker)
        letter.answer(db, house.keys, found, DAY, b"an answer", 1)
        contact.keep(db, house.keys, found, DAY, Reach(How.SMS, "+243990000001", "", "12"))
        db.execute(update(Report).where(Report.id == made).values(escrow_sealed=b"for two of three"))

    house.do(fill)
    return made, worker


def withdraw(house: House, made: int) -> None:
    house.do(lambda db: closing.withdraw(db, house.lock(db, made), LATER))


def reopen(house: House, made: int, reference: str = "999999") -> None:
    house.do(lambda db: closing.reopen(db, house.lock(db, made), reference, SOON, LATER))


def verbs(house: House, made: int) -> list[Verb]:
    return [line.verb for line in house.ask(journal.of_report, made)]


def stored(house: House, made: int) -> tuple[bytes, bytes | None, int, int]:
    """The story, the escrow's part, and how many additions and letters there are."""
    row = house.ask(
        lambda db: db.execute(select(Report.body_sealed, Report.escrow_sealed).where(Report.id == made)).one()
    )
    added = house.ask(lambda db: db.scalars(select(Addition.number).where(Addition.report_id == made)).all())
    return row[0], row[1], len(added), len(house.ask(letter.of_report, made))


def listed(house: House, reader: int, on: Shelf) -> list[int]:
    return [row.id for row in house.ask(shelf.page, reader, on)[0]]


def test_whoever_answers_for_it_closes_it_with_a_reason(house: House) -> None:
    made, worker = taken(house)
    house.do(lambda db: closing.close(db, house.lock(db, made), worker, Outcome.REFERRED, LATER))
    found = house.coarse(made)
    assert (found.state, found.outcome, found.due_at) == (State.CLOSED, Outcome.REFERRED, LATER)
    assert (found.dispatch_at, found.responsible_id, found.silent) == (None, worker, False)
    assert listed(house, worker, Shelf.CLOSED) == [made]
    assert listed(house, worker, Shelf.MINE) == []
    assert verbs(house, made)[-1] is Verb.CLOSED


def test_nobody_else_closes_it_and_nobody_twice(house: House) -> None:
    made, worker = taken(house)
    other = house.person("Other")
    with pytest.raises(Refused) as refused:
        house.close(made, other)
    assert "Only the person" in refused.value.why
    house.close(made, worker)
    for person in (worker, other):
        with pytest.raises(Refused) as refused:
            house.close(made, person)
        assert "closed already" in refused.value.why
    waiting = house.filed([seen(worker)])
    with pytest.raises(Refused):
        house.close(waiting, worker)


def test_closing_erases_how_to_reach_the_reporter_and_nothing_that_was_told(house: House) -> None:
    made, worker = taken(house)
    before = stored(house, made)
    house.close(made, worker)
    assert house.ask(contact.how, made, DAY) is None
    assert stored(house, made) == before
    assert house.ask(plan.holds, made) == {worker}
    assert verbs(house, made)[-2:] == [Verb.NUMBER_ERASED, Verb.CLOSED]
    without, person = taken(house)
    house.do(contact.erase, without)
    house.close(without, person)
    assert Verb.NUMBER_ERASED not in verbs(house, without)


def test_of_closing_and_withdrawing_at_once_both_end_closed(house: House) -> None:
    for _ in range(4):
        made, worker = taken(house)

        def close(db: Session, made: int = made, worker: int = worker) -> None:
            closing.close(db, house.lock(db, made), worker, Outcome.HELPED, LATER)

        def withdraw(db: Session, made: int = made) -> None:
            found = house.lock(db, made)
            if found.state is not State.CLOSED:
                closing.withdraw(db, found, LATER)

        house.together(close, withdraw)
        found = house.coarse(made)
        assert (found.state, found.outcome) in {(State.CLOSED, Outcome.HELPED), (State.CLOSED, Outcome.WITHDRAWN)}
        assert (stored(house, made)[0] == b"") is (found.outcome is Outcome.WITHDRAWN)


def test_withdrawing_destroys_what_was_told_and_every_key_and_leaves_what_is_coarse(house: House) -> None:
    made, worker = taken(house)
    before = house.coarse(made)
    withdraw(house, made)
    assert stored(house, made) == (b"", None, 0, 0)
    assert house.ask(plan.holds, made) == set()
    assert house.ask(report.sealed_to_escrow, made) is None
    assert house.ask(contact.how, made, DAY) is None
    found = house.coarse(made)
    assert (found.state, found.outcome, found.silent) == (State.CLOSED, Outcome.WITHDRAWN, True)
    assert (found.due_at, found.dispatch_at) == (LATER, None)
    assert (found.topic, found.severity, found.lane, found.day) == (
        before.topic,
        before.severity,
        before.lane,
        before.day,
    )
    assert listed(house, worker, Shelf.CLOSED) == [made]
    assert verbs(house, made)[-1] is Verb.WITHDRAWN


def test_withdrawing_tells_that_the_number_was_erased(house: House) -> None:
    made, _ = taken(house)
    withdraw(house, made)
    assert Verb.NUMBER_ERASED in verbs(house, made)


def test_withdrawing_touches_no_other_report(house: House) -> None:
    made, _ = taken(house)
    other, worker = taken(house)
    before = stored(house, other)
    withdraw(house, made)
    assert stored(house, other) == before
    assert house.ask(plan.holds, other) == {worker}
    assert house.ask(contact.how, other, DAY) is How.SMS


def test_a_report_that_nobody_has_taken_can_be_withdrawn(house: House) -> None:
    worker = house.person()
    made = house.filed([worker])
    withdraw(house, made)
    assert house.coarse(made).state is State.CLOSED
    assert house.ask(report.to_dispatch, LATER, 10) == [], "and is brought to nobody"


def test_a_report_that_was_closed_is_opened_once_more_and_brought_to_somebody(house: House) -> None:
    made, worker = taken(house)
    before = house.coarse(made)
    other = house.person("Other")
    house.do(lambda db: report.extend_plan(db, made, [seen(other)]))
    house.close(made, worker)
    house.do(closing.silence, made)
    reopen(house, made)
    found = house.coarse(made)
    assert (found.state, found.outcome, found.silent) == (State.RECEIVED, None, False)
    assert (found.responsible_id, found.dispatch_at, found.due_at) == (None, LATER, SOON)
    assert found.reference == before.reference, "which nobody else has meanwhile"
    assert house.ask(report.to_dispatch, LATER, 10) == [made]
    assert listed(house, worker, Shelf.TO_TAKE) == [made]
    assert listed(house, worker, Shelf.CLOSED) == []
    asked = house.ask(referral.asked, made)
    assert [person for person, _ in house.ask(plan.people, made) if person not in asked] == [other]
    assert verbs(house, made)[-1] is Verb.REOPENED
    assert house.accept(made, other)


def test_it_has_another_reference_when_its_own_was_given_to_another_meanwhile(house: House) -> None:
    made, worker = taken(house, reference="123456")
    house.close(made, worker)
    newer = house.filed([], reference="123456")
    reopen(house, made, "654321")
    assert house.coarse(made).reference == "654321"
    assert house.coarse(newer).reference == "123456"


def test_a_reference_that_only_closed_reports_have_is_its_own_again(house: House) -> None:
    made, worker = taken(house, reference="123456")
    house.close(made, worker)
    newer, person = taken(house, reference="123456")
    house.close(newer, person)
    reopen(house, made, "654321")
    assert house.coarse(made).reference == "123456"


def test_when_the_other_reference_is_taken_as_well_nothing_is_changed_and_the_hop_tries_again(
    house: House,
) -> None:
    made, worker = taken(house, reference="123456")
    house.close(made, worker)
    for reference in ("123456", "654321"):
        house.filed([], reference=reference)
    with pytest.raises(Conflict):
        reopen(house, made, "654321")
    assert house.coarse(made).state is State.CLOSED
    reopen(house, made, "777777")
    assert house.coarse(made).reference == "777777"


def test_of_two_old_reports_of_one_reference_opened_at_once_both_are_open_under_their_own(house: House) -> None:
    """Both may look before either has written: then the store tells one of them, who tries again."""
    made = []
    for _ in range(2):
        one, worker = taken(house, reference="123456")
        house.close(one, worker)
        made.append(one)

    def once_more(one: int, another: str) -> bool:
        for _ in range(2):
            with suppress(Conflict):
                reopen(house, one, another)
                return True
        return False

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(once_more, made, ("654321", "654322"))) == [True, True]
    assert {house.coarse(one).state for one in made} == {State.RECEIVED}
    references = sorted(house.coarse(one).reference for one in made)
    assert references[0] == "123456"
    assert references[1] in ("654321", "654322")


def test_it_can_be_closed_and_opened_over_and_over(house: House) -> None:
    made, worker = taken(house)
    for at in range(3):
        house.close(made, worker)
        reopen(house, made, str(900_000 + at))
        house.offer(made, worker)
        assert house.accept(made, worker)
    assert house.coarse(made).state is State.ACCEPTED


def test_silence_is_all_that_silencing_changes(house: House) -> None:
    made, worker = taken(house)
    before = house.coarse(made)
    house.do(closing.silence, made)
    after = house.coarse(made)
    assert after.silent
    assert (after.state, after.due_at, after.responsible_id) == (
        before.state,
        before.due_at,
        before.responsible_id,
    )
    assert stored(house, made)[2:] == (1, 2)
    assert listed(house, worker, Shelf.MINE) == [made]


def test_destroying_the_keys_leaves_rows_that_nobody_opens_and_no_letters(house: House) -> None:
    """What the reporter's code opens has no key here that could be destroyed."""
    made, _ = taken(house)
    body = stored(house, made)[0]
    house.do(closing.destroy_keys, made)
    assert stored(house, made) == (body, None, 1, 0)
    assert house.ask(plan.holds, made) == set()
