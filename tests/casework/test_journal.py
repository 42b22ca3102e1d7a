"""The journal: one line a deed, in order, to the minute, without content, tied to the line before it."""

from __future__ import annotations

import multiprocessing
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from gateway.casework import chain, journal, site
from gateway.casework.caseworker import CaseWorker
from gateway.casework.journal import Entry, Head, Line
from gateway.casework.plan import PlanEntry
from gateway.casework.report import Report
from gateway.casework.verb import ATTESTS, Verb
from gateway.db import Database
from gateway.vault import Vault
from tests.build import START
from tests.casework.house import House


def lines(house: House) -> list[tuple[int, str]]:
    return house.ask(
        lambda db: [(row[0], row[1]) for row in db.execute(select(Entry.id, Entry.verb).order_by(Entry.id))]
    )


def digests(house: House) -> list[bool]:
    """Of every line in order, whether it attests something."""
    return house.ask(lambda db: [row is not None for row in db.scalars(select(Entry.digest).order_by(Entry.id))])


def test_a_story_is_told_in_the_order_it_was_written_with_names(house: House) -> None:
    one, other = house.person("One"), house.person("Other")
    made = house.filed()
    house.do(journal.write, START, Verb.FILED, report=made)
    house.do(journal.write, START - timedelta(hours=1), Verb.OFFERED, report=made, subject=other)
    house.do(journal.write, START, Verb.CLOCK_SET, report=made)
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
    told = [verb for verb in Verb if verb is not Verb.CLOCK_SET]
    assert [line.verb for line in house.ask(journal.of_report, made)] == told


def test_a_line_that_is_undone_with_its_deed_was_never_written_and_leaves_no_gap(house: House) -> None:
    made = house.filed()

    def undone(db: Session) -> None:
        journal.write(db, START, Verb.CLOSED, report=made)
        journal.settle(db, house.keys.journal_key)
        raise LookupError

    house.do(journal.write, START, Verb.FILED, report=made)
    with pytest.raises(LookupError):
        house.do(undone)
    house.do(journal.write, START, Verb.OPENED, report=made)
    assert lines(house) == [(1, "filed"), (2, "opened")]


def test_a_transaction_that_forgets_its_lines_is_not_committed(house: House) -> None:
    made = house.filed()

    def forgetful() -> None:
        with house.db.begin() as db:
            db.execute(update(Report).values(severity="P0"))
            journal.write(db, START, Verb.ADDED, report=made)

    with pytest.raises(AssertionError, match="settle"):
        forgetful()
    assert house.coarse(made).severity == "P2"
    assert lines(house) == []


def test_a_line_has_no_place_for_words() -> None:
    assert {column.name for column in Entry.__table__.columns} == {
        "id",
        "at",
        "actor_id",
        "verb",
        "report_id",
        "subject_id",
        "digest",
        "hash",
    }


def test_lines_are_numbered_from_one_without_a_gap_and_the_head_is_the_last(house: House) -> None:
    made = house.filed()

    def several(db: Session) -> None:
        for verb in (Verb.FILED, Verb.OFFERED, Verb.SENT):
            journal.write(db, START, verb, report=made)

    house.do(several)
    house.do(journal.write, START, Verb.SIGNED_IN)
    assert [number for number, _ in lines(house)] == [1, 2, 3, 4]
    last = house.ask(lambda db: db.execute(select(Entry.id, Entry.hash).order_by(Entry.id.desc())).first())
    assert house.ask(lambda db: db.execute(select(Head.seq, Head.head)).all()) == [last]


def test_only_the_last_line_of_a_transaction_attests_and_only_when_something_changed(house: House) -> None:
    person, made, other = house.person(), house.filed(), house.filed()

    def several(db: Session) -> None:
        journal.write(db, START, Verb.OFFERED, report=made, subject=person)
        journal.write(db, START, Verb.PERSON_SAVED, subject=person)
        journal.write(db, START, Verb.ADDED, report=other)
        journal.write(db, START, Verb.EXPIRED, report=made, subject=person)
        journal.write(db, START, Verb.OPENED, report=other)

    house.do(several)
    assert digests(house) == [False, True, True, True, False]


def test_looking_and_telling_vouch_for_nothing(house: House) -> None:
    assert set(Verb) - ATTESTS.keys() == {
        Verb.OPENED,
        Verb.REMINDED,
        Verb.NUMBER_ERASED,
        Verb.SENT,
        Verb.DELIVERED,
        Verb.FAILED,
        Verb.SIGNED_IN,
        Verb.SESSIONS_ENDED,
    }
    made = house.filed()
    house.do(journal.write, START, Verb.FILED, report=made)
    with house.db.begin() as db:
        db.execute(update(Report).values(severity="P3"))
    for verb in set(Verb) - ATTESTS.keys():
        house.do(journal.write, START, verb, report=made)
    assert [fault.what for fault in verify(house).faults if fault.where.startswith("report")] == [
        "changed after its last line"
    ]


def test_a_clock_set_by_the_way_has_no_line_of_its_own(house: House) -> None:
    made, other = house.filed(), house.filed()

    def several(db: Session) -> None:
        journal.write(db, START, Verb.CLOCK_SET, report=made)
        journal.write(db, START, Verb.CLOCK_SET, report=other)
        journal.write(db, START, Verb.CLOCK_SET, report=other)
        journal.write(db, START, Verb.SENT, report=other)
        journal.write(db, START, Verb.EXPIRED, report=made)

    house.do(several)
    assert lines(house) == [(1, "clock_set"), (2, "sent"), (3, "expired")]


def test_whoever_changes_their_own_account_is_what_the_line_attests(house: House) -> None:
    person = house.person()
    house.do(journal.write, START, Verb.PASSPHRASE_CHANGED, actor=person)
    assert digests(house) == [True]
    assert house.ask(lambda db: db.scalar(select(Entry.subject_id))) == person


def test_what_is_attested_reads_the_same_from_every_store(house: House) -> None:
    person = house.person("Ouvrière", sites=frozenset({2}), active=False)
    place = house.do(site.add, START, name="Site A", code="101")
    house.do(lambda db: db.execute(update(CaseWorker).values(number_sealed=b"\x00\xff", attest=None)))
    state = house.ask(journal.states, "person", [person])[person]
    assert state.startswith(b'["caseworker",{"active":0,')
    assert b'"attest"' not in state  # empty, as a column that is added later is
    for cell in (
        b'"languages":"[\\"fr\\", \\"ln\\", \\"sw_CD\\"]"',
        b'"name":"Ouvri\\u00e8re"',
        b'"number_sealed":{"bytes":"00ff"}',
        b'"sites":"[2]"',
    ):
        assert cell in state
    assert house.ask(journal.states, "site", [place]) == {
        place: b'["site",{"added_at":"2026-11-21 08:00:00.000000","code":"101","id":%d,"name":"Site A",'
        b'"phone_place":1}]' % place
    }


def test_what_a_line_attests_does_not_hang_on_where_rows_lie(house: House) -> None:
    one, other = house.person("One"), house.person("Other")
    made = house.filed([one, other])
    before = house.ask(journal.states, "report", [made])
    assert before[made].count(b'["plan",') == before[made].count(b'["envelope",') == 2
    for rank in (7, 0):  # a row that was changed lies behind the others, on PostgreSQL
        with house.db.begin() as db:
            db.execute(update(PlanEntry).where(PlanEntry.caseworker_id == one).values(rank=rank))
    assert house.ask(journal.states, "report", [made]) == before


def busy(url: str, keys: Path, mine: int, theirs: int) -> None:
    """A process that changes its own report and tells of another's, thirty times."""
    db, key = Database(url), Vault.open_directory(keys).journal_key
    for step in range(30):
        with db.begin() as session:
            session.execute(update(Report).where(Report.id == mine).values(severity=f"P{step % 4}"))
            journal.write(session, START, Verb.ADDED, report=mine)
            journal.write(session, START, Verb.ADDED, report=theirs)
            journal.settle(session, key)
    db.dispose()


def test_processes_that_write_at_once_keep_one_chain_without_a_gap(house: House) -> None:
    made = [house.filed(), house.filed()]
    for one in made:
        house.do(journal.write, START, Verb.FILED, report=one)
    url = house.db.engine.url.render_as_string(hide_password=False)
    start = multiprocessing.get_context("spawn").Process
    others = [start(target=busy, args=(url, house.keys.directory.path, *pair)) for pair in (made, made[::-1])]
    for process in others:
        process.start()
    for process in others:
        process.join()
    assert [process.exitcode for process in others] == [0, 0]
    assert [number for number, _ in lines(house)] == list(range(1, 2 + 2 * 30 * 2 + 1))
    assert verify(house).faults == []


def test_whoever_holds_a_person_and_whoever_names_them_do_not_wait_for_each_other(house: House) -> None:
    person, made = house.person(), house.filed()
    # Two who write the very first line at the same time are another matter: one of them has to try again.
    house.do(journal.write, START, Verb.FILED, report=made)
    held, told = threading.Event(), threading.Event()

    def hold(db: Session) -> None:
        db.execute(select(CaseWorker.id).where(CaseWorker.id == person).with_for_update()).all()
        held.set()
        told.wait(1 if house.db.dialect == "sqlite" else 30)  # SQLite has one writer at a time
        journal.write(db, START, Verb.PERSON_SAVED, subject=person)

    def tell(db: Session) -> None:
        held.wait(30)
        journal.write(db, START, Verb.OFFERED, actor=person, report=made, subject=person)
        journal.settle(db, house.keys.journal_key)
        told.set()

    house.together(hold, tell)
    assert len(lines(house)) == 3


def verify(house: House) -> chain.Verdict:
    with house.db.read(still=True) as db:
        return chain.verify(db, house.keys.journal_key)
