"""What people at a page may do with a report, and what everybody else is told: that it is not here."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier

import pytest
from sqlalchemy import func, insert, select, update

from gateway import desk, vault
from gateway.casework import Refused, account, caseworker, journal, plan, report, shelf
from gateway.casework.caseworker import Role
from gateway.casework.referral import HandOnReason
from gateway.casework.report import Addition, Outcome, Report
from gateway.casework.verb import Verb
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
    reading = desk.read(rt, build.reader(staff["worker"]), made)
    assert reading is not None
    assert [(one.field, one.value, one.words, one.later) for one in reading.answers] == [
        ("topic", "danger_child", "Enfant en danger", False),
        ("site", "1", "Site A", False),
        ("detail", "hurt", "Blessé ou malade", True),
    ]
    assert (reading.broken, reading.responsible_id) == (0, None)
    assert reading.colleagues == [(staff["supervisor"], "Supervisor"), (staff["integrity"], "Integrity")]
    assert Verb.OPENED not in [line.verb for line in reading.story]
    assert story.verbs(rt, made)[-1] is Verb.OPENED
    assert "Blessé" not in repr(reading)


def test_whoever_may_not_see_a_report_is_told_what_is_told_of_no_report(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    outsider = story.person(rt, "Outsider", Role.ADMINISTRATOR)
    for person in (outsider, staff["integrity"], 999):
        assert desk.read(rt, build.reader(person), made) is None
        assert desk.read(rt, build.reader(person), 7) is None
        for change in (
            partial(desk.accept, rt, build.reader(person)),
            lambda one, person=person: desk.note(rt, build.reader(person), one, "words"),
            lambda one, person=person: desk.hand_on(rt, build.reader(person), one, HandOnReason.AWAY, None),
            lambda one, person=person: desk.close(rt, build.reader(person), one, Outcome.HELPED),
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
            return desk.accept(rt, build.reader(person), made)
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
    desk.note(rt, build.reader(staff["supervisor"]), made, "  vu\r\navec lui \n")
    assert story.coarse(rt, made).due_at == before
    desk.accept(rt, build.reader(staff["worker"]), made)
    desk.note(rt, build.reader(staff["supervisor"]), made, "encore")
    assert story.coarse(rt, made).due_at == rt.now() + timedelta(hours=1)
    desk.note(rt, build.reader(staff["worker"]), made, "fait")
    assert story.coarse(rt, made).due_at == rt.now() + timedelta(days=1)
    reading = desk.read(rt, build.reader(staff["worker"]), made)
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
        assert refused(partial(desk.note, rt, build.reader(staff["worker"]), made, words)).field == "words"


def test_a_note_may_be_long_but_not_endless(rt: Runtime, staff: STAFF, made: int) -> None:
    desk.note(rt, build.reader(staff["worker"]), made, "é" * desk.NOTE_LETTERS)
    told = refused(lambda: desk.note(rt, build.reader(staff["worker"]), made, "é" * (desk.NOTE_LETTERS + 1)))
    assert told.why % told.values == "At most 2000 letters; this note has 2001."


def test_a_note_that_is_sent_twice_is_kept_once_and_a_broken_one_hinders_no_other(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    for words in ("vu", "vu", "encore", "vu"):
        desk.note(rt, build.reader(staff["worker"]), made, words)
    with rt.db.begin() as db:
        newest = db.scalar(select(func.max(Addition.number)))
        db.execute(update(Addition).where(Addition.number == newest).values(body_sealed=b"\x01" * 600))
    desk.note(rt, build.reader(staff["worker"]), made, "vu")
    reading = desk.read(rt, build.reader(staff["worker"]), made)
    assert reading is not None
    assert ([one.words for one in reading.notes], reading.broken) == (["vu", "encore", "vu"], 1)


# Handing on


def test_a_report_is_handed_to_a_colleague_who_is_told_and_may_take_it(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    desk.accept(rt, build.reader(staff["worker"]), made)
    desk.hand_on(rt, build.reader(staff["worker"]), made, HandOnReason.TOO_MANY, staff["integrity"])
    assert story.asked(rt, made) == [("Worker", "handed_on"), ("Integrity", "pending")]
    assert story.coarse(rt, made).responsible_id == staff["worker"]
    sweep(rt)
    assert len(build.operator(rt).sms) == 1, "the first alert is not sent any more"
    assert desk.accept(rt, build.reader(staff["integrity"]), made)
    assert refused(lambda: desk.close(rt, build.reader(staff["worker"]), made, Outcome.HELPED)).why
    desk.close(rt, build.reader(staff["integrity"]), made, Outcome.HELPED)


def test_nobody_outside_the_plan_and_not_oneself_can_be_chosen(rt: Runtime, staff: STAFF, made: int) -> None:
    outsider = story.person(rt, "Outsider")
    for to in (outsider, staff["worker"], 999, 0):
        told = refused(partial(desk.hand_on, rt, build.reader(staff["worker"]), made, HandOnReason.AWAY, to))
        assert told.field == "to"
    assert story.asked(rt, made) == [("Worker", "pending")], "what was refused has changed nothing"


def test_whoever_hands_on_unasked_is_not_asked_in_turn(rt: Runtime, staff: STAFF, made: int) -> None:
    desk.hand_on(rt, build.reader(staff["supervisor"]), made, HandOnReason.OTHER_WORK, None)
    assert story.asked(rt, made) == [("Worker", "revoked"), ("Supervisor", "handed_on"), ("Integrity", "pending")]


def test_with_nobody_else_there_a_report_stays_with_who_has_it(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt, (*story.COMPLAINT, "3"))
    dispatch(rt, made)
    for reason in HandOnReason:
        told = refused(partial(desk.hand_on, rt, build.reader(staff["integrity"]), made, reason, None))
        assert told.field == ("reason" if reason is HandOnReason.KNOWS_SOMEBODY else "to")
    assert desk.read(rt, build.reader(staff["integrity"]), made) is not None
    assert story.asked(rt, made) == [("Integrity", "pending")]


def test_whoever_knows_somebody_never_sees_the_report_again(rt: Runtime, staff: STAFF, made: int) -> None:
    """Not by a colleague's choice, not by escalation however often it goes round."""
    desk.hand_on(rt, build.reader(staff["supervisor"]), made, HandOnReason.KNOWS_SOMEBODY, None)
    told = refused(
        partial(desk.hand_on, rt, build.reader(staff["worker"]), made, HandOnReason.AWAY, staff["supervisor"])
    )
    assert told.field == "to"
    for _ in range(5):
        story.clock(rt).go(hours=1)
        sweep(rt)
    assert [name for name, _ in story.asked(rt, made)].count("Supervisor") == 1
    assert desk.read(rt, build.reader(staff["supervisor"]), made) is None
    assert staff["supervisor"] not in [person for person, _ in story.plan(rt, made)]
    reading = desk.read(rt, build.reader(staff["integrity"]), made)
    assert reading is not None
    assert reading.colleagues == [(staff["worker"], "Worker")]


def test_whoever_has_a_report_and_knows_somebody_loses_it_from_sight_while_the_next_is_asked(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    desk.accept(rt, build.reader(staff["worker"]), made)
    desk.hand_on(rt, build.reader(staff["worker"]), made, HandOnReason.KNOWS_SOMEBODY, None)
    assert desk.read(rt, build.reader(staff["worker"]), made) is None
    assert (
        refused(lambda: desk.close(rt, build.reader(staff["worker"]), made, Outcome.HELPED)).why
        == "This report is not here."
    )
    assert desk.accept(rt, build.reader(staff["supervisor"]), made)


# Closing


def test_a_closed_report_waits_for_nobody(rt: Runtime, staff: STAFF, made: int) -> None:
    desk.accept(rt, build.reader(staff["worker"]), made)
    desk.hand_on(rt, build.reader(staff["worker"]), made, HandOnReason.AWAY, None)
    desk.close(rt, build.reader(staff["worker"]), made, Outcome.REFERRED)
    assert story.asked(rt, made)[-1] == ("Supervisor", "revoked")
    assert (
        refused(lambda: desk.accept(rt, build.reader(staff["supervisor"]), made)).why
        == "This report is closed already."
    )
    story.clock(rt).go(days=30)
    assert sweep(rt) <= 1
    assert build.operator(rt).sms == []
    reading = desk.read(rt, build.reader(staff["worker"]), made)
    assert reading is not None
    assert (reading.outcome, reading.row.state) == (Outcome.REFERRED, report.State.CLOSED)


def test_a_report_nobody_took_is_closed_by_nobody(rt: Runtime, staff: STAFF, made: int) -> None:
    for person in (staff["worker"], staff["supervisor"]):
        assert (
            "Only the person" in refused(partial(desk.close, rt, build.reader(person), made, Outcome.HELPED)).why
        )


# Keys


def joined_anew(rt: Runtime, person: int) -> desk.Reader:
    """The person lost every secret of theirs and has joined once more; somebody has confirmed the new key."""
    again = vault.enrol(person, "another passphrase")
    with rt.begin() as unit:
        account.enrolled(unit.db, person, again)
        caseworker.confirm_key(unit.db, rt.vault, person)
        journal.write(unit.db, rt.now(), Verb.KEY_CONFIRMED, subject=person)
    return desk.Reader(person, again.key)


def test_without_a_key_of_a_session_nothing_of_the_story_is_shown(rt: Runtime, staff: STAFF, made: int) -> None:
    for key in (None, build.reader(staff["supervisor"]).key):
        reading = desk.read(rt, desk.Reader(staff["worker"], key), made)
        assert reading is not None
        assert (reading.locked, reading.answers, reading.notes) == (True, [], [])


def test_who_lost_their_key_is_given_it_again_by_whoever_can_open_the_report(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    worker, supervisor = joined_anew(rt, staff["worker"]), build.reader(staff["supervisor"])
    locked = desk.read(rt, worker, made)
    assert locked is not None
    assert (locked.locked, locked.holders, locked.keyless) == (True, ["Supervisor", "Integrity"], [])
    seen = desk.read(rt, supervisor, made)
    assert seen is not None
    assert seen.keyless == [(staff["worker"], "Worker")]
    desk.grant(rt, supervisor, made, staff["worker"])
    desk.grant(rt, supervisor, made, staff["worker"])
    again = desk.read(rt, worker, made)
    assert again is not None
    assert (again.locked, again.broken, len(again.answers)) == (False, 0, 3)
    assert [line.verb for line in again.story].count(Verb.GRANTED) == 1


def test_nobody_gives_what_they_cannot_open_nor_to_whom_the_plan_does_not_name(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    worker, supervisor = joined_anew(rt, staff["worker"]), build.reader(staff["supervisor"])
    stranger = build.person(rt, "Stranger", lanes=frozenset({"money"}))
    assert "cannot open" in refused(partial(desk.grant, rt, worker, made, staff["worker"])).why
    assert "cannot take" in refused(partial(desk.grant, rt, supervisor, made, stranger)).why
    assert "not here" in refused(partial(desk.grant, rt, build.reader(stranger), made, stranger)).why
    assert "not here" in refused(partial(desk.grant, rt, supervisor, 7, staff["worker"])).why


def test_a_key_that_nobody_confirmed_is_given_nothing(rt: Runtime, staff: STAFF, made: int) -> None:
    again = vault.enrol(staff["worker"], "another passphrase")
    with rt.begin() as unit:
        account.enrolled(unit.db, staff["worker"], again)
        journal.write(unit.db, rt.now(), Verb.JOINED, subject=staff["worker"])
    supervisor = build.reader(staff["supervisor"])
    seen = desk.read(rt, supervisor, made)
    assert seen is not None
    assert seen.keyless == []
    assert "cannot take" in refused(partial(desk.grant, rt, supervisor, made, staff["worker"])).why


def test_handing_on_to_a_colleague_hands_the_key_on_too(rt: Runtime, staff: STAFF, made: int) -> None:
    supervisor = joined_anew(rt, staff["supervisor"])
    worker = build.reader(staff["worker"])
    desk.accept(rt, worker, made)
    desk.hand_on(rt, worker, made, HandOnReason.AWAY, staff["supervisor"])
    reading = desk.read(rt, supervisor, made)
    assert reading is not None
    assert not reading.locked


def test_two_holders_of_the_escrow_give_back_every_report_of_a_plan_and_no_other(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    one, two, _ = vault.escrow.establish(rt.vault.directory)
    later = story.tell(rt, session="later")
    complaint = story.tell(rt, story.COMPLAINT, session="complaint")
    worker = joined_anew(rt, staff["worker"])
    pairs = vault.escrow.open_pairs(rt.vault.directory, two, one)
    steps = list(desk.grant_from_escrow(rt, staff["worker"], pairs))
    assert steps[-1] == (1, 1, 2), "what was filed before there was an escrow does not open with it"
    with rt.db.read() as db:
        assert plan.holders(db, later) >= {staff["worker"]}
        assert staff["worker"] not in plan.holders(db, made) | plan.holders(db, complaint)
        envelope = plan.envelope(db, later, staff["worker"])
        month = db.scalar(select(Report.month).where(Report.id == later))
    assert envelope is not None
    assert month is not None
    assert rt.vault.open_envelope(staff["worker"], worker.key, report.place(later), month, envelope)  # type: ignore[arg-type]
    assert list(desk.grant_from_escrow(rt, staff["worker"], pairs))[-1] == (0, 1, 1)


def test_once_the_key_of_a_month_is_gone_the_report_says_so_and_takes_notes_still(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    rt.vault.months.destroy("2026-11", rt.today() + timedelta(days=31))
    reading = desk.read(rt, build.reader(staff["worker"]), made)
    assert reading is not None
    assert reading.locked
    desk.note(rt, build.reader(staff["worker"]), made, "fini")
    joined_anew(rt, staff["worker"])
    given = partial(desk.grant, rt, build.reader(staff["supervisor"]), made, staff["worker"])
    assert "cannot open" in refused(given).why


# Changed rows


def test_what_a_stranger_seals_to_a_report_is_broken_and_hides_nothing_else(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    """Whoever can write rows can seal to a public key; what they seal must look like ours to be shown at all, and
    the journal tells."""
    with rt.db.begin() as db:
        public = db.scalar(select(Report.public)) or b""
        number = db.scalar(select(func.max(Addition.number))) or 0
        for at, body in enumerate((b"no json", b"[]", b"3", b'{"answers": 1}', b'{"answers": [{}]}', b"\xff")):
            place = report.addition_place(made, number + 1 + at, None)
            row = {"report_id": made, "number": number + 1 + at, "author_id": None, "day": rt.today()}
            db.execute(insert(Addition).values(**row, body_sealed=vault.seal_to(public, place, body)))
    reading = desk.read(rt, build.reader(staff["worker"]), made)
    assert reading is not None
    assert (reading.broken, len(reading.answers)) == (6, 3)


def test_a_changed_part_is_counted_as_broken_and_the_rest_still_opens(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    desk.note(rt, build.reader(staff["worker"]), made, "une note")
    with rt.db.begin() as db:
        sealed = db.scalar(select(Report.body_sealed).where(Report.id == made)) or b""
        changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
        db.execute(update(Report).where(Report.id == made).values(body_sealed=changed))
    reading = desk.read(rt, build.reader(staff["worker"]), made)
    assert reading is not None
    assert (reading.broken, len(reading.answers), len(reading.notes)) == (1, 1, 1)


def test_a_part_of_another_report_does_not_open_here(rt: Runtime, staff: STAFF, made: int) -> None:
    other = story.tell(rt, session="two")
    with rt.db.begin() as db:
        foreign = db.scalar(select(Report.body_sealed).where(Report.id == other))
        db.execute(update(Report).where(Report.id == made).values(body_sealed=foreign))
    reading = desk.read(rt, build.reader(staff["worker"]), made)
    assert reading is not None
    assert (reading.broken, [one.later for one in reading.answers]) == (1, [True])


def test_a_note_in_the_place_of_an_answer_is_broken_and_hides_nothing_else(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    desk.note(rt, build.reader(staff["worker"]), made, "une note")
    with rt.db.begin() as db:
        db.execute(update(Addition).where(Addition.author_id.is_not(None)).values(author_id=None))
    reading = desk.read(rt, build.reader(staff["worker"]), made)
    assert reading is not None
    assert (reading.broken, reading.notes, len(reading.answers)) == (1, [], 3)
    with rt.db.begin() as db:
        db.execute(update(Addition).values(author_id=staff["worker"]))
    reading = desk.read(rt, build.reader(staff["worker"]), made)
    assert reading is not None
    assert (reading.broken, [one.words for one in reading.notes]) == (1, ["une note"])


def test_what_was_handed_on_stays_to_take_whatever_the_one_in_charge_notes(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt)
    dispatch(rt, made)
    desk.accept(rt, build.reader(staff["worker"]), made)
    desk.hand_on(rt, build.reader(staff["worker"]), made, HandOnReason.AWAY, staff["supervisor"])
    desk.note(rt, build.reader(staff["worker"]), made, "Rien de nouveau.")
    with rt.db.read() as db:
        rows, _ = shelf.page(db, staff["supervisor"], shelf.Shelf.TO_TAKE)
    assert [row.id for row in rows] == [made]


def test_only_who_decides_takes_over_a_report_whose_clock_has_run_out(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    other = build.person(rt, "Other")
    new = story.tell(rt, session="new")
    dispatch(rt, new)
    desk.accept(rt, build.reader(staff["worker"]), new)
    shown(rt, new, staff["supervisor"], staff["integrity"], other)
    take = partial(desk.accept, rt, build.reader(staff["supervisor"]), new)
    assert refused(take).why == "Somebody else has taken this report."
    story.clock(rt).at = story.coarse(rt, new).due_at
    assert refused(partial(desk.accept, rt, build.reader(other), new)).why.startswith("Somebody else")
    assert take()
    assert story.coarse(rt, new).responsible_id == staff["supervisor"]
    assert refused(partial(desk.accept, rt, build.reader(staff["integrity"]), new)).why, "its clock runs anew"


def shown(rt: Runtime, made: int, *people: int) -> None:
    """These see the report as well."""
    with rt.begin() as unit:
        plan.show_at_once(unit.db, made, people)
        journal.write(unit.db, rt.now(), Verb.CLOCK_SET, report=made)


def test_the_last_who_decides_cannot_step_aside(rt: Runtime, staff: STAFF, made: int) -> None:
    """Or a withdrawal would wait for somebody who is not there."""
    shown(rt, made, staff["integrity"])
    aside = HandOnReason.KNOWS_SOMEBODY
    desk.hand_on(rt, build.reader(staff["supervisor"]), made, aside, None)
    assert (
        refused(partial(desk.hand_on, rt, build.reader(staff["integrity"]), made, aside, None)).field == "reason"
    )
    assert [person for person, _ in story.plan(rt, made)] == [staff["worker"], staff["integrity"]]


def test_no_note_is_kept_of_what_its_reporter_has_withdrawn(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt, story.HAZARD, "hazard")
    story.brought(rt, made)
    code = story.press(rt, story.HAZARD, "hazard").text.split("\n")[1].replace(" ", "")
    story.press(rt, ("2", "3", code, "5", "1"), "withdraws")
    told = refused(partial(desk.note, rt, build.reader(staff["supervisor"]), made, "too late"))
    assert told.why.startswith("The reporter has withdrawn")
    with rt.db.read() as db:
        assert report.last_addition(db, made) is None


def test_nothing_is_closed_by_a_clock_that_is_behind(rt: Runtime, staff: STAFF, made: int) -> None:
    """Its two weeks would be over as soon as the clock is right."""
    desk.accept(rt, build.reader(staff["worker"]), made)
    now = story.clock(rt).at
    rt.vault.days.overlapping(rt.today())
    story.clock(rt).at = now.replace(year=2020)
    close = partial(desk.close, rt, build.reader(staff["worker"]), made, Outcome.HELPED)
    assert "clock" in refused(close).why
    story.clock(rt).at = now
    close()
