"""What a dialogue does to the store: the right rows, once, sealed, and to nobody it accuses."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select, text

from gateway import desk
from gateway.casework import plan, report
from gateway.casework.caseworker import Role
from gateway.casework.referral import HandOnReason
from gateway.casework.report import Addition, Report
from gateway.casework.verb import Verb
from gateway.db import Base
from gateway.later.dispatch import dispatch
from gateway.later.send import send
from gateway.runtime import Runtime
from gateway.vault import CodeKeys, Marks, Vault, create, open_with
from tests import build
from tests.later import story

STAFF = dict[str, int]
ONE = timedelta(days=1)


@pytest.fixture
def staff(rt: Runtime) -> STAFF:
    return story.staff(rt)


def bodies(rt: Runtime, made: int) -> list[dict[str, object]]:
    """Everything that was said in a report, opened: its body, then each addition."""
    with rt.db.read() as db:
        story_of, month = db.execute(select(Report.body_sealed, Report.month).where(Report.id == made)).one()
        parts = [(report.place(made), story_of)]
        parts += [
            (report.addition_place(made, one.number, one.author_id), one.body_sealed)
            for one in db.scalars(select(Addition).where(Addition.report_id == made).order_by(Addition.number))
        ]
        person = min(plan.holders(db, made))
        envelope = plan.envelope(db, made, person) or b""
    key = build.enrolment(person).key
    pair = rt.vault.open_envelope(person, key, report.place(made), month, envelope)
    return [json.loads(open_with(pair, place, sealed)) for place, sealed in parts]


TOLD = {
    story.DANGER: ("danger_child", "P0", "child", True),
    story.HAZARD: ("hazard", "P2", "safety", True),
    story.COLLAPSE: ("hazard", "P0", "safety", True),
    story.SEXUAL: ("violence", "P0", "gbv", True),
    story.COMPLAINT: ("service_complaint", "P1", "integrity", False),
    story.ACCUSED: ("danger_child", "P0", "integrity", True),
    ("3", *story.HAZARD[1:]): ("hazard", "P2", "safety", True),
    ("2", "2", "2", "7", "1"): ("hazard", "P2", "safety", False),
}


def test_the_coarse_columns_say_what_was_answered(light: Runtime) -> None:
    story.staff(light)
    for keys, expected in TOLD.items():
        found = story.coarse(light, story.tell(light, keys, session=str(keys)))
        assert (found.topic, found.severity, found.lane, found.site_id is not None) == expected
        assert found.language == ("sw_CD" if keys[0] == "3" else "fr")
        assert found.state is report.State.RECEIVED


def test_a_body_describes_itself(rt: Runtime, staff: STAFF) -> None:
    first, *additions = bodies(rt, story.tell(rt, story.COLLAPSE))
    assert (first["version"], first["book"], first["language"]) == (1, rt.book.digest, "fr")
    assert first["answers"] == [
        {"screen": "category", "field": "topic", "value": "hazard", "words": "Danger, accident"},
        {"screen": "site", "field": "site", "value": "1", "words": "Site A"},
    ]
    assert [one["answers"] for one in additions] == [
        [{"screen": "hazard", "field": "detail", "value": "pit_collapse", "words": "Éboulement, coincés"}]
    ]


def test_nothing_a_caller_gave_stands_in_any_table(rt: Runtime, staff: STAFF) -> None:
    caller, session, said = "+243990077665", "ATUid_very_special", "mon frere est dessous"
    words = (*story.COLLAPSE, "7", "7", "7", "7", said)
    for at in range(len(words) + 1):
        screen = story.press(rt, words[:at], session, caller)
    code = story.press(rt, story.HAZARD, session, caller).text.split("\n")[1]
    assert screen
    (made,) = story.reports(rt)
    assert said in json.dumps(bodies(rt, made)), "it was said, and is kept"
    whole = b""
    with rt.db.read() as db:
        for table in Base.metadata.sorted_tables:
            for row in db.execute(text(f"SELECT * FROM {table.name}")):
                whole += b"\n".join(part if isinstance(part, bytes) else str(part).encode() for part in row)
    for planted in (caller, caller[1:], caller[4:], session, "dessous", code, code.replace(" ", ""), "boulement"):
        assert planted.encode() not in whole, planted
        assert planted.encode().hex().encode() not in whole


def test_the_day_of_a_report_is_the_local_one(rt: Runtime, staff: STAFF) -> None:
    story.clock(rt).at = datetime(2026, 11, 21, 22, 30, tzinfo=UTC)
    made = story.tell(rt)
    with rt.db.read() as db:
        assert db.scalar(select(Report.day).where(Report.id == made)) == date(2026, 11, 22)


def test_the_code_on_the_screen_finds_the_report(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt)
    assert found_by(rt, story.press(rt, story.DANGER).text) == [made]


def found_by(rt: Runtime, screen: str) -> list[int]:
    token = rt.vault.code_keys(screen.split("\n")[1].replace(" ", "")).token
    with rt.db.read() as db:
        return list(db.scalars(select(Report.id).where(Report.code_token == token)))


class Midnight(Vault):
    """A vault that another thread uses with tomorrow's date right after each mark."""

    def mark(self, clock: date, material: bytes) -> Marks:
        made = super().mark(clock, material)
        super().mark(clock + ONE, material)
        return made


def test_the_code_finds_the_report_when_midnight_falls_between_its_mark_and_its_code(
    light: Runtime,
) -> None:
    story.staff(light)
    rt = replace(light, vault=Midnight.open_directory(light.settings.keys_dir))
    screen = story.press(rt, story.DANGER).text
    (made,) = story.reports(rt)
    assert found_by(rt, screen) == [made]
    assert story.press(light, story.DANGER).text == screen


class Counting(Vault):
    """A vault that counts its slow hashes."""

    slow = 0

    def code_keys(self, code: str) -> CodeKeys:
        self.slow += 1
        return super().code_keys(code)


def test_the_slow_hash_is_paid_by_the_hop_that_files_and_by_no_other(light: Runtime) -> None:
    story.staff(light)
    vault = Counting.open_directory(light.settings.keys_dir)
    rt = replace(light, vault=vault)
    paid = []
    keys = (*story.COLLAPSE, "5", "1", "2")
    for at in range(len(keys) + 1):
        before = vault.slow
        story.press(rt, keys[:at])
        paid.append(vault.slow - before)
    assert paid == [1 if at == len(story.HAZARD) else 0 for at in range(len(keys) + 1)]


# Dispatch


def test_an_emergency_is_nudged_as_it_is_filed_and_anything_else_when_its_dialogue_ends(
    rt: Runtime, staff: STAFF
) -> None:
    rt, nudges = story.watched(rt)
    emergency = story.tell(rt)
    assert nudges == [("dispatch", emergency)]
    nudges.clear()
    other = story.tell(rt, story.HAZARD, "two")
    assert nudges == []
    assert story.coarse(rt, other).dispatch_at == rt.now() + timedelta(minutes=3)
    story.press(rt, (*story.HAZARD, "3"), "two")
    assert nudges == [("dispatch", other)]
    assert story.coarse(rt, other).dispatch_at == rt.now()
    story.press(rt, (*story.HAZARD, "3"), "two")
    assert nudges == [("dispatch", other)], "a repeated end nudges nothing more"


def test_every_addition_puts_off_a_dispatch_that_still_waits(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt, story.HAZARD)
    story.clock(rt).go(minutes=2)
    story.press(rt, (*story.HAZARD, "1", "2"))
    assert story.coarse(rt, made).dispatch_at == rt.now() + timedelta(minutes=3)


def test_what_turns_out_to_be_an_emergency_waits_no_longer(rt: Runtime, staff: STAFF) -> None:
    rt, nudges = story.watched(rt)
    made = story.tell(rt, story.COLLAPSE)
    assert nudges == [("dispatch", made)]
    assert story.coarse(rt, made).dispatch_at == rt.now()


def test_what_turns_out_to_be_an_emergency_after_somebody_was_told_is_brought_on_at_once(
    rt: Runtime, staff: STAFF
) -> None:
    rt, nudges = story.watched(rt)
    made = story.tell(rt, story.HAZARD)
    story.clock(rt).go(minutes=4)
    dispatch(rt, made)
    assert story.due_at(rt, made) == rt.now() + timedelta(days=1)
    nudges.clear()
    story.press(rt, story.COLLAPSE)
    assert nudges == [("dispatch", made)]
    dispatch(rt, made)
    assert story.asked(rt, made) == [("Worker", "revoked"), ("Supervisor", "pending")]
    assert story.due_at(rt, made) == rt.now() + timedelta(minutes=15)
    nudges.clear()
    story.press(rt, (*story.COLLAPSE, "1"))
    assert nudges == [], "once is enough"


def test_what_turns_out_to_be_an_emergency_is_not_taken_from_who_has_it(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt, story.HAZARD)
    story.brought(rt, made)
    desk.accept(rt, build.reader(staff["supervisor"]), made)
    story.press(rt, story.COLLAPSE)
    found = story.coarse(rt, made)
    assert (found.severity, found.responsible_id, found.dispatch_at) == ("P0", staff["supervisor"], None)


def test_the_end_of_a_dialogue_hastens_what_it_filed_and_nothing_else(rt: Runtime, staff: STAFF) -> None:
    mine, others = story.tell(rt, story.HAZARD, "mine"), story.tell(rt, story.HAZARD, "others")
    rt, nudges = story.watched(rt)
    story.clock(rt).go(seconds=10)
    for _ in range(2):
        story.ended(rt, "mine")
    story.ended(rt, "never heard of")
    story.ended(rt, "others", caller="+243990000001")
    assert nudges == [("dispatch", mine)]
    assert story.coarse(rt, mine).dispatch_at == rt.now()
    assert story.coarse(rt, others).dispatch_at != rt.now()


def test_an_end_that_comes_after_midnight_is_known_for_the_same_dialogue(rt: Runtime, staff: STAFF) -> None:
    story.clock(rt).at = datetime(2026, 11, 21, 21, 59, 50, tzinfo=UTC)
    made = story.tell(rt, story.HAZARD)
    story.clock(rt).go(seconds=20)
    story.ended(rt)
    assert story.coarse(rt, made).dispatch_at == rt.now()


# Whom it is about


def test_a_case_worker_who_is_accused_loses_the_report_and_hears_no_more_of_it(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt)
    dispatch(rt, made)
    for at in range(len(story.DANGER), len(story.ACCUSED) + 1):
        story.press(rt, story.ACCUSED[:at])
    assert story.plan(rt, made) == [(staff["integrity"], False)]
    assert story.asked(rt, made) == [("Worker", "revoked")]
    assert desk.read(rt, build.reader(staff["worker"]), made) is None
    assert desk.read(rt, build.reader(staff["supervisor"]), made) is None
    assert send(rt) == 0, "the SMS that still waited for its turn"
    dispatch(rt, made)
    assert story.asked(rt, made)[-1] == ("Integrity", "pending")
    assert story.verbs(rt, made).count(Verb.MOVED) == 1


def test_a_report_that_was_taken_is_taken_away_from_the_accused(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt)
    story.brought(rt, made)
    desk.accept(rt, build.reader(staff["supervisor"]), made)
    story.press(rt, story.ACCUSED)
    found = story.coarse(rt, made)
    assert (found.state, found.responsible_id, found.lane) == (report.State.RECEIVED, None, "integrity")


def test_there_is_no_way_back_from_the_integrity_lane(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt, story.ACCUSED)
    story.press(rt, (*story.ACCUSED, "0", "1"))
    assert story.coarse(rt, made).lane == "integrity"
    assert story.plan(rt, made) == [(staff["integrity"], False)]
    story.brought(rt, made)
    assert story.plan(rt, made) == [(staff["integrity"], True)]


def test_a_new_plan_does_not_bring_back_who_knows_somebody(rt: Runtime, staff: STAFF) -> None:
    second = story.person(rt, "Second", Role.SUPERVISOR)
    made = story.tell(rt, story.SEXUAL[:5])
    story.brought(rt, made)
    desk.hand_on(rt, build.reader(second), made, HandOnReason.KNOWS_SOMEBODY, None)
    story.press(rt, story.SEXUAL)
    assert story.coarse(rt, made).lane == "gbv"
    assert [person for person, _ in story.plan(rt, made)] == [
        staff["worker"],
        staff["supervisor"],
        staff["integrity"],
    ]


def test_every_deed_of_a_dialogue_is_in_the_journal_in_order(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt, story.ACCUSED)
    assert story.verbs(rt, made) == [Verb.FILED, Verb.ADDED, Verb.MOVED, Verb.ADDED]


def test_everybody_to_whom_a_later_answer_may_bring_the_report_holds_its_key_from_the_first(
    light: Runtime,
) -> None:
    """After the hop that files, nobody can read the report who was not given its key then."""
    child = build.person(light, "Child", lanes=frozenset({"child"}))
    focal = build.person(light, "Focal", lanes=frozenset({"gbv"}))
    build.person(light, "Safety", lanes=frozenset({"safety"}))
    officer = build.person(light, "Officer", Role.INTEGRITY_OFFICER)
    build.sites(light, "Site A")
    made = story.tell(light, story.DANGER)
    with light.db.read() as db:
        assert plan.holders(db, made) == {child, focal, officer}
        assert [person for person, _ in plan.people(db, made)] == [child, officer]
    assert desk.read(light, build.reader(focal), made) is None, "a key without a place in the plan shows nothing"
    story.press(light, (*story.DANGER, "1", "1", "1"))
    complaint = story.tell(light, story.COMPLAINT, session="two")
    with light.db.read() as db:
        assert plan.holders(db, complaint) == {officer}, "nobody of the ordinary chain holds a key of a complaint"


def test_a_report_that_moves_can_be_read_where_it_came_and_no_longer_where_it_was(
    rt: Runtime, staff: STAFF
) -> None:
    made = story.tell(rt, story.ACCUSED)
    with rt.db.read() as db:
        assert plan.holders(db, made) == {staff["integrity"]}
        assert plan.envelope(db, made, staff["worker"]) is None
    assert desk.read(rt, build.reader(staff["integrity"]), made) is None, "not before its dialogue is over"
    story.brought(rt, made)
    reading = desk.read(rt, build.reader(staff["integrity"]), made)
    assert reading is not None
    assert (reading.locked, reading.broken) == (False, 0)
    assert len(reading.answers) > 3


def test_an_installation_with_other_keys_takes_reports_but_opens_no_old_ones(
    light: Runtime, tmp_path_factory: pytest.TempPathFactory
) -> None:
    staff = story.staff(light)
    made = story.tell(light)
    elsewhere = tmp_path_factory.mktemp("keys")
    create(elsewhere)
    other = replace(light, vault=Vault.open_directory(elsewhere))
    story.brought(light, made)
    reading = desk.read(other, build.reader(staff["supervisor"]), made)
    assert reading is not None
    assert (reading.answers, reading.locked) == ([], True)
    assert story.tell(other, session="two")
