"""What people at a page may do with a report, and what everybody else is told: that it is not here."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier

import pytest
from sqlalchemy import func, select, update

from gateway import desk
from gateway.casework import Refused, report, shelf
from gateway.casework.caseworker import Role
from gateway.casework.journal import Verb
from gateway.casework.referral import HandOnReason
from gateway.casework.report import Addition, Outcome, Report
from gateway.later.dispatch import dispatch
from gateway.later.sweep import sweep
from gateway.runtime import Runtime
from tests import build
from tests.later import story

STAFF = dict[str, int]


@pytest.fixture
def staff(rt: Runtime) -> STAFF:
    return story.staff(rt)


@pytest.fixture
def made(rt: Runtime, staff: STAFF) -> int:
    """An emergency with one answer added, brought to the case worker."""
    found = story.tell(rt, (*story.DANGER, "1", "4"))
    dispatch(rt, found)
    return found


def refused(change: Callable[[], object]) -> Refused:
    with pytest.raises(Refused) as told:
        change()
    return told.value


def test_a_report_is_read_with_its_answers_in_order_and_reading_is_written_down(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    reading = desk.read(rt, staff["worker"], made)
    assert reading is not None
    assert [(one.field, one.value, one.words, one.later) for one in reading.answers] == [
        ("topic", "danger_child", "Enfant en danger", False),
        ("site", "1", "Site A", False),
        ("detail", "hurt", "Blessé ou malade", True),
    ]
    assert (reading.broken, reading.responsible_id, reading.lane) == (0, None, "child")
    assert reading.colleagues == [(staff["supervisor"], "Supervisor"), (staff["integrity"], "Integrity")]
    assert Verb.OPENED not in [line.verb for line in reading.story]
    assert story.verbs(rt, made)[-1] is Verb.OPENED
    assert "Blessé" not in repr(reading)


def test_whoever_may_not_see_a_report_is_told_what_is_told_of_no_report(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    outsider = story.person(rt, "Outsider", Role.ADMINISTRATOR)
    for person in (outsider, staff["integrity"], 999):
        assert desk.read(rt, person, made) is None
        assert desk.read(rt, person, 7) is None
        for change in (
            partial(desk.accept, rt, person),
            lambda one, person=person: desk.note(rt, person, one, "words"),
            lambda one, person=person: desk.hand_on(rt, person, one, HandOnReason.AWAY, None),
            lambda one, person=person: desk.close(rt, person, one, Outcome.HELPED),
        ):
            there, nowhere = refused(partial(change, made)), refused(partial(change, 7))
            assert (there.field, there.why, there.values) == (nowhere.field, nowhere.why, nowhere.values)
    assert Verb.OPENED not in story.verbs(rt, made)


def test_of_people_who_accept_at_the_same_time_one_has_it_and_the_rest_are_told(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    start = Barrier(4)

    def accept(person: int) -> bool | str:
        start.wait()
        try:
            return desk.accept(rt, person, made)
        except Refused as told:
            return told.why

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(accept, [staff["worker"], staff["supervisor"]] * 2))
    has = story.coarse(rt, made).responsible_id
    mine = [said[at] for at in range(4) if [staff["worker"], staff["supervisor"]][at % 2] == has]
    others = [said[at] for at in range(4) if [staff["worker"], staff["supervisor"]][at % 2] != has]
    assert sorted(map(str, mine)) == ["False", "True"]
    assert others == ["Somebody else has taken this report."] * 2
    assert story.coarse(rt, made).due_at == rt.now() + timedelta(hours=1)


# Notes


def test_a_note_is_sealed_and_to_who_answers_it_is_a_step_done(rt: Runtime, staff: STAFF, made: int) -> None:
    before = story.coarse(rt, made).due_at
    desk.note(rt, staff["supervisor"], made, "  vu\r\navec lui \n")
    assert story.coarse(rt, made).due_at == before
    desk.accept(rt, staff["worker"], made)
    desk.note(rt, staff["supervisor"], made, "encore")
    assert story.coarse(rt, made).due_at == rt.now() + timedelta(hours=1)
    desk.note(rt, staff["worker"], made, "fait")
    assert story.coarse(rt, made).due_at == rt.now() + timedelta(days=1)
    reading = desk.read(rt, staff["worker"], made)
    assert reading is not None
    assert [(one.author, one.words) for one in reading.notes] == [
        ("Supervisor", "vu\navec lui"),
        ("Supervisor", "encore"),
        ("Worker", "fait"),
    ]
    with rt.db.read() as db:
        assert not [one for one in db.scalars(select(Addition.body_sealed)) if b"encore" in one]


def test_an_empty_note_is_refused(rt: Runtime, staff: STAFF, made: int) -> None:
    for words in ("", "   ", "\r\n\t"):
        assert refused(partial(desk.note, rt, staff["worker"], made, words)).field == "words"


def test_a_note_may_be_long_but_not_endless(rt: Runtime, staff: STAFF, made: int) -> None:
    desk.note(rt, staff["worker"], made, "é" * desk.NOTE_LETTERS)
    told = refused(lambda: desk.note(rt, staff["worker"], made, "é" * (desk.NOTE_LETTERS + 1)))
    assert told.why % told.values == "At most 2000 letters; this note has 2001."


def test_a_note_that_is_sent_twice_is_kept_once_and_a_broken_one_hinders_no_other(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    for words in ("vu", "vu", "encore", "vu"):
        desk.note(rt, staff["worker"], made, words)
    with rt.db.begin() as db:
        newest = db.scalar(select(func.max(Addition.id)))
        db.execute(update(Addition).where(Addition.id == newest).values(body_sealed=b"\x01" * 600))
    desk.note(rt, staff["worker"], made, "vu")
    reading = desk.read(rt, staff["worker"], made)
    assert reading is not None
    assert ([one.words for one in reading.notes], reading.broken) == (["vu", "encore", "vu"], 1)


# Handing on


def test_a_report_is_handed_to_a_colleague_who_is_told_and_may_take_it(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    desk.accept(rt, staff["worker"], made)
    desk.hand_on(rt, staff["worker"], made, HandOnReason.TOO_MANY, staff["integrity"])
    assert story.asked(rt, made) == [("Worker", "handed_on"), ("Integrity", "pending")]
    assert story.coarse(rt, made).responsible_id == staff["worker"]
    sweep(rt)
    assert len(build.operator(rt).sms) == 1, "the first alert is not sent any more"
    assert desk.accept(rt, staff["integrity"], made)
    assert refused(lambda: desk.close(rt, staff["worker"], made, Outcome.HELPED)).why
    desk.close(rt, staff["integrity"], made, Outcome.HELPED)


def test_nobody_outside_the_plan_and_not_oneself_can_be_chosen(rt: Runtime, staff: STAFF, made: int) -> None:
    outsider = story.person(rt, "Outsider")
    for to in (outsider, staff["worker"], 999, 0):
        told = refused(partial(desk.hand_on, rt, staff["worker"], made, HandOnReason.AWAY, to))
        assert told.field == "to"
    assert story.asked(rt, made) == [("Worker", "pending")], "what was refused has changed nothing"


def test_whoever_hands_on_unasked_is_not_asked_in_turn(rt: Runtime, staff: STAFF, made: int) -> None:
    desk.hand_on(rt, staff["supervisor"], made, HandOnReason.OTHER_WORK, None)
    assert story.asked(rt, made) == [("Worker", "revoked"), ("Supervisor", "handed_on"), ("Integrity", "pending")]


def test_with_nobody_else_there_a_report_stays_with_who_has_it(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt, (*story.COMPLAINT, "3"))
    dispatch(rt, made)
    for reason in HandOnReason:
        told = refused(partial(desk.hand_on, rt, staff["integrity"], made, reason, None))
        assert told.field == "to"
    assert desk.read(rt, staff["integrity"], made) is not None
    assert story.asked(rt, made) == [("Integrity", "pending")]


def test_whoever_knows_somebody_never_sees_the_report_again(rt: Runtime, staff: STAFF, made: int) -> None:
    """Not by a colleague's choice, not by escalation however often it goes round."""
    desk.hand_on(rt, staff["supervisor"], made, HandOnReason.KNOWS_SOMEBODY, None)
    told = refused(partial(desk.hand_on, rt, staff["worker"], made, HandOnReason.AWAY, staff["supervisor"]))
    assert told.field == "to"
    for _ in range(5):
        story.clock(rt).go(hours=1)
        sweep(rt)
    assert [name for name, _ in story.asked(rt, made)].count("Supervisor") == 1
    assert desk.read(rt, staff["supervisor"], made) is None
    assert staff["supervisor"] not in [person for person, _ in story.plan(rt, made)]
    reading = desk.read(rt, staff["integrity"], made)
    assert reading is not None
    assert reading.colleagues == [(staff["worker"], "Worker")]


def test_whoever_has_a_report_and_knows_somebody_loses_it_from_sight_while_the_next_is_asked(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    desk.accept(rt, staff["worker"], made)
    desk.hand_on(rt, staff["worker"], made, HandOnReason.KNOWS_SOMEBODY, None)
    assert desk.read(rt, staff["worker"], made) is None
    assert refused(lambda: desk.close(rt, staff["worker"], made, Outcome.HELPED)).why == "This report is not here."
    assert desk.accept(rt, staff["supervisor"], made)


# Closing


def test_a_closed_report_waits_for_nobody(rt: Runtime, staff: STAFF, made: int) -> None:
    desk.accept(rt, staff["worker"], made)
    desk.hand_on(rt, staff["worker"], made, HandOnReason.AWAY, None)
    desk.close(rt, staff["worker"], made, Outcome.REFERRED)
    assert story.asked(rt, made)[-1] == ("Supervisor", "revoked")
    assert refused(lambda: desk.accept(rt, staff["supervisor"], made)).why == "This report is closed already."
    story.clock(rt).go(days=30)
    assert sweep(rt) <= 1
    assert build.operator(rt).sms == []
    reading = desk.read(rt, staff["worker"], made)
    assert reading is not None
    assert (reading.outcome, reading.row.state) == (Outcome.REFERRED, report.State.CLOSED)


def test_a_report_nobody_took_is_closed_by_nobody(rt: Runtime, staff: STAFF, made: int) -> None:
    for person in (staff["worker"], staff["supervisor"]):
        assert "Only the person" in refused(partial(desk.close, rt, person, made, Outcome.HELPED)).why


# Changed rows


def test_a_changed_part_is_counted_as_broken_and_the_rest_still_opens(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    desk.note(rt, staff["worker"], made, "une note")
    with rt.db.begin() as db:
        sealed = db.scalar(select(Report.body_sealed).where(Report.id == made)) or b""
        changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
        db.execute(update(Report).where(Report.id == made).values(body_sealed=changed))
    reading = desk.read(rt, staff["worker"], made)
    assert reading is not None
    assert (reading.broken, len(reading.answers), len(reading.notes)) == (1, 1, 1)


def test_a_part_of_another_report_does_not_open_here(rt: Runtime, staff: STAFF, made: int) -> None:
    other = story.tell(rt, session="two")
    with rt.db.begin() as db:
        foreign = db.scalar(select(Report.body_sealed).where(Report.id == other))
        db.execute(update(Report).where(Report.id == made).values(body_sealed=foreign))
    reading = desk.read(rt, staff["worker"], made)
    assert reading is not None
    assert (reading.broken, [one.later for one in reading.answers]) == (1, [True])


def test_a_note_in_the_place_of_an_answer_is_broken_and_hides_nothing_else(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    desk.note(rt, staff["worker"], made, "une note")
    with rt.db.begin() as db:
        db.execute(update(Addition).where(Addition.author_id.is_not(None)).values(author_id=None))
    reading = desk.read(rt, staff["worker"], made)
    assert reading is not None
    assert (reading.broken, reading.notes, len(reading.answers)) == (1, [], 3)
    with rt.db.begin() as db:
        db.execute(update(Addition).values(author_id=staff["worker"]))
    reading = desk.read(rt, staff["worker"], made)
    assert reading is not None
    assert (reading.broken, [one.words for one in reading.notes]) == (1, ["une note"])


def test_what_was_handed_on_stays_to_take_whatever_the_one_in_charge_notes(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt)
    dispatch(rt, made)
    desk.accept(rt, staff["worker"], made)
    desk.hand_on(rt, staff["worker"], made, HandOnReason.AWAY, staff["supervisor"])
    desk.note(rt, staff["worker"], made, "Rien de nouveau.")
    with rt.db.read() as db:
        rows, _ = shelf.page(db, staff["supervisor"], shelf.Shelf.TO_TAKE)
    assert [row.id for row in rows] == [made]
