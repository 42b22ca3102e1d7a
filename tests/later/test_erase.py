"""Erasing: what was kept for long enough goes for good, wherever the job is killed, and nothing else goes."""

from __future__ import annotations

import itertools
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from gateway.casework import (
    caseworker,
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
)
from gateway.casework.contact import How, Reach
from gateway.casework.report import Outcome, Report
from gateway.casework.route import Reason, Step
from gateway.casework.verb import Verb
from gateway.db import Base
from gateway.later import erase as job
from gateway.later.erase import erase
from gateway.later.purge import purge
from gateway.runtime import Runtime
from gateway.vault import KeyDirectory, SealBroken, escrow, open_with
from gateway.vault.pairs import new_pair
from tests import build
from tests.later import story

WORDS = b"what was told"
LONG_AGO = datetime(2024, 10, 1, 8, tzinfo=UTC)
"""More than two years before the clock of these tests."""
KEYS = ("write", "erase", "bring_into_step")
"""Where the vault touches its directory when it destroys the key of a month."""


@dataclass
class World:
    """Some staff and some reports, and all that lies in store and key directory, to be laid back."""

    rt: Runtime
    staff: dict[str, int]
    due: list[int] = field(default_factory=list)
    stays: set[int] = field(default_factory=set)
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def copy(self) -> Path:
        return self.rt.settings.keys_dir.with_name("keys before")

    def keep(self) -> None:
        """Remember how everything lies now."""
        self.rows = snapshot(self.rt)
        shutil.copytree(self.rt.settings.keys_dir, self.copy)

    def lay_back(self) -> None:
        with self.rt.db.begin() as db:
            for table in reversed(Base.metadata.sorted_tables):
                db.execute(table.delete())
            for table in Base.metadata.sorted_tables:
                if self.rows[table.name]:
                    db.execute(table.insert(), self.rows[table.name])
        home, before = self.rt.settings.keys_dir, files(self.copy)
        for name, content in files(home).items():
            if name not in before:
                (home / name).unlink()
            elif content != before.pop(name):
                (home / name).write_bytes((self.copy / name).read_bytes())
        for name, content in before.items():
            (home / name).write_bytes(content)


def files(home: Path) -> dict[str, bytes]:
    """A key directory as it lies on the disk."""
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in home.rglob("*") if path.is_file()}


def snapshot(rt: Runtime) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table."""
    with rt.db.read() as db:
        return {
            table.name: [
                dict(row) for row in db.execute(select(table).order_by(*table.primary_key.columns)).mappings()
            ]
            for table in Base.metadata.sorted_tables
        }


def of_report(rows: dict[str, list[dict[str, Any]]], made: int) -> dict[str, list[dict[str, Any]]]:
    """What lies of one report, in whichever table; the journal's lines stay for good and name nothing else."""
    referrals = {row["id"] for row in rows["referral"] if row["report_id"] == made}
    found = {
        name: [
            row
            for row in table
            if row.get("report_id") == made
            or (name == "report" and row["id"] == made)
            or row.get("referral_id") in referrals
        ]
        for name, table in rows.items()
        if name != "journal"
    }
    return {name: table for name, table in found.items() if table}


def without_keys(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """The same report after the first of the two steps."""
    rest = {name: table for name, table in rows.items() if name not in ("envelope", "letter")}
    return rest | {"report": [row | {"escrow_sealed": None} for row in rows["report"]]}


def filed(rt: Runtime, staff: dict[str, int], day: date, lane: str = "child", *, full: bool = False) -> int:
    """A report that the worker has taken; `full`: with something in every table that can hold anything of it."""
    made = secrets.randbits(62) + 1
    place = report.place(made)
    at = datetime(day.year, day.month, day.day, 8, tzinfo=UTC)
    with rt.begin() as unit:
        db = unit.db
        people = [caseworker.one(db, staff[name]) for name in ("worker", "supervisor")]
        readers = [person.reader for person in people if person is not None and person.reader is not None]
        key = rt.vault.report_key(place, day, readers, new_pair().public)
        filing = report.Filing(
            id=made,
            reference=f"{secrets.randbelow(900_000) + 100_000}",
            code_token=secrets.token_bytes(32),
            topic="child_work",
            severity="P2",
            lane=lane,
            site_id=None,
            language="fr",
            day=day,
            key=key,
            body=WORDS,
            dispatch_at=at,
            due_at=at,
        )
        steps = [Step(staff["worker"], Reason.ON_DUTY, False), Step(staff["supervisor"], Reason.SUPERVISOR, True)]
        report.file(db, filing, steps, {reader.id: reader.public for reader in readers})
        journal.write(db, at, Verb.FILED, report=made)
    with rt.begin() as unit:
        db = unit.db
        found = report.lock(db, made)
        assert found is not None
        offered = referral.offer(db, made, staff["worker"], at, at)
        referral.accept(db, found, staff["worker"], at, at)
        if full:
            message.queue(db, offered, message.Kind.ALERT, at)
            report.add(db, rt.vault, found, day, b"more")
            letter.write(db, rt.vault, found, day, letter.Kind.QUESTION, b"a question", staff["worker"])
            letter.answer(db, rt.vault, found, day, b"an answer", 1)
            journal.write(db, at, Verb.ANSWERED, report=made)
    return made


def close(rt: Runtime, made: int, person: int, at: datetime) -> None:
    with rt.begin() as unit:
        found = report.lock(unit.db, made)
        assert found is not None
        closing.close(unit.db, found, person, Outcome.HELPED, at)


def asked(rt: Runtime, made: int) -> None:
    """How to reach its reporter lies there all the same, as it might after a mistake of ours."""
    with rt.begin() as unit:
        found = report.lock(unit.db, made)
        assert found is not None
        contact.keep(unit.db, rt.vault, found, rt.today(), Reach(How.CALL, "+243990000001", "evening", "12"))


def held(world: World, made: int, until: date, *, agreed: bool = True) -> None:
    """Two people hold a report, or one only asks; as they might have done a while ago."""
    before = until - timedelta(days=10)
    with world.rt.begin() as unit:
        hold.ask(unit.db, made, world.staff["supervisor"], until, before, world.rt.now())
        if agreed:
            hold.agree(unit.db, made, world.staff["integrity"], until, before, world.rt.now())


@pytest.fixture
def world(rt: Runtime) -> World:
    """Of each sort one: to be erased are one with everything in it, one of a lane that is kept for a year, and one
    whose hold has ended. All others stay."""
    made = World(rt, story.staff(rt))
    escrow.establish(rt.vault.directory)
    worker = made.staff["worker"]

    def one(day: date, closed: datetime | None, lane: str = "child", *, full: bool = False) -> int:
        new = filed(rt, made.staff, day, lane, full=full)
        if closed is not None:
            close(rt, new, worker, closed)
        if full:
            asked(rt, new)
        return new

    year = datetime(2025, 11, 20, 8, tzinfo=UTC)
    ended = one(date(2024, 7, 9), LONG_AGO)
    kept = one(date(2024, 6, 9), LONG_AGO, full=True)
    held(made, ended, rt.today() - timedelta(days=1))
    held(made, kept, rt.today())
    made.due = [one(date(2024, 9, 9), LONG_AGO, full=True), one(date(2025, 9, 9), year, "safety"), ended]
    made.stays = {
        kept,
        one(date(2024, 8, 9), None),  # still open, however old
        one(date(2024, 10, 9), datetime(2024, 11, 22, 8, tzinfo=UTC)),  # a day too young
        one(date(2025, 9, 10), year),  # closed with the second, on a lane that is kept longer
    }
    rt.vault.months.key("2024-05", make=True)  # in which nothing was ever filed
    rt.vault.months.prepare(rt.today())
    made.keep()
    return made


GONE_MONTHS = ["2024-05", "2024-07", "2024-09"]
"""Whose reports are all erased, and older than anything that could still be erased late."""


def opens(rt: Runtime, made: int, person: int, rows: dict[str, list[dict[str, Any]]]) -> bool:
    """Whether somebody with the rows, the key directory and this person's key reads the report."""
    mine = [one for one in of_report(rows, made).get("envelope", []) if one["caseworker_id"] == person]
    if not mine:
        return False
    (row,) = [row for row in rows["report"] if row["id"] == made]
    try:
        key = build.enrolment(person).key
        pair = rt.vault.open_envelope(person, key, report.place(made), row["month"], mine[0]["sealed"])
        return open_with(pair, report.place(made), row["body_sealed"]) == WORDS
    except SealBroken:
        return False


def check_what_stays(world: World, rows: dict[str, list[dict[str, Any]]]) -> None:
    """Not a byte of it has changed, and it opens for whoever it opened for."""
    for made in world.stays:
        assert of_report(rows, made) == of_report(world.rows, made)
        assert opens(world.rt, made, world.staff["worker"], rows)
        assert opens(world.rt, made, world.staff["supervisor"], rows)


def check_journal(rt: Runtime) -> None:
    with rt.db.read(still=True) as db:
        assert chain.verify(db, rt.vault.journal_key).faults == []


def check_all_done(world: World) -> None:
    """As a job that nobody disturbs leaves it."""
    rt, rows = world.rt, snapshot(world.rt)
    check_what_stays(world, rows)
    for made in world.due:
        assert of_report(rows, made) == {}
    assert len(rows["remains"]) == len(world.due), "counted once, however often the job was begun"
    assert not {row["id"] for row in rows["remains"]}.intersection(world.due)
    assert rt.vault.months.destroyed() == GONE_MONTHS
    assert not [month for month in GONE_MONTHS if month in rt.vault.directory.month_names()]
    assert {"2024-06", "2024-08", "2024-10", "2025-09", "2026-11"} <= set(rt.vault.months.months())
    # And no older copy of the database opens what lay under a key that is gone; under the others it would.
    for made in world.due:
        (row,) = of_report(world.rows, made)["report"]
        assert opens(rt, made, world.staff["worker"], world.rows) is (row["month"] not in GONE_MONTHS)
    check_journal(rt)


def test_what_was_kept_for_long_enough_goes_and_nothing_else(world: World) -> None:
    for made in (*world.due, *world.stays):
        assert opens(world.rt, made, world.staff["worker"], world.rows)
    full = {"addition", "contact", "envelope", "letter", "message", "plan", "referral", "report"}
    assert set(of_report(world.rows, world.due[0])) == full
    assert erase(world.rt) == 3
    check_all_done(world)


def test_running_it_again_does_nothing(world: World) -> None:
    erase(world.rt)
    before = snapshot(world.rt)
    keys = files(world.rt.settings.keys_dir)
    assert [erase(world.rt), erase(world.rt)] == [0, 0]
    assert snapshot(world.rt) == before
    assert files(world.rt.settings.keys_dir) == keys


# Killed.


class Killed(BaseException):
    """Nothing in the house catches it, as nothing catches a kill."""


@contextmanager
def killed_at(rt: Runtime, step: int) -> Iterator[None]:
    """Dies before this statement, this commit or this act on the key directory, counted together. What was not
    committed is undone, as the database does for whoever dies."""
    at = itertools.count(1)

    def count(*_: Any) -> None:
        if next(at) == step:
            raise Killed

    def before(name: str) -> Callable[..., Any]:
        real = getattr(KeyDirectory, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            count()
            return real(*args, **kwargs)

        return counted

    with pytest.MonkeyPatch.context() as patch:
        for name in KEYS:
            patch.setattr(KeyDirectory, name, before(name))
        event.listen(rt.db.engine, "before_cursor_execute", count)
        event.listen(rt.db.engine, "commit", count)
        try:
            yield
        finally:
            event.remove(rt.db.engine, "before_cursor_execute", count)
            event.remove(rt.db.engine, "commit", count)


def check_half_done(world: World) -> None:
    """Each report is whole, or has no keys any more, or is gone with its line left; no other half."""
    rows = snapshot(world.rt)
    check_what_stays(world, rows)
    gone = 0
    for made in world.due:
        before, now = of_report(world.rows, made), of_report(rows, made)
        assert now in (before, without_keys(before), {})
        gone += not now
        if now == before:
            assert opens(world.rt, made, world.staff["worker"], rows), "its key goes after it"
    assert len(rows["remains"]) == gone


def killed_at_each_step(world: World, round_: Callable[[Runtime], object]) -> Iterator[None]:
    """Kills a round at each of its steps in turn, each time from the beginning, until it gets through."""
    for step in itertools.count(1):
        world.lay_back()
        with killed_at(world.rt, step):
            try:
                round_(world.rt)
            except Killed:
                pass
            else:
                return
        yield


def test_killed_at_any_step_it_leaves_nothing_half_readable_and_goes_on_next_time(world: World) -> None:
    steps = 0
    for _ in killed_at_each_step(world, erase):
        steps += 1
        check_half_done(world)
        purge(world.rt)
        check_all_done(world)
    assert steps > 130, "every statement of three reports, and every file of three months"
    check_all_done(world)


def test_killed_twice_running_it_goes_on_all_the_same(world: World) -> None:
    """Each time a little further than where it began."""
    for first in (5, 30, 60):
        for second in range(1, 40, 13):
            world.lay_back()
            for step in (first, second):
                with killed_at(world.rt, step), pytest.raises(Killed):
                    erase(world.rt)
                check_half_done(world)
            purge(world.rt)
            check_all_done(world)


def test_from_the_first_commit_on_nothing_opens_though_rows_still_lie_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(erasure, "erase", die)
    with pytest.raises(Killed):
        erase(world.rt)
    rows = snapshot(world.rt)
    (made,) = [made for made in world.due if of_report(rows, made) != of_report(world.rows, made)]
    assert of_report(rows, made) == without_keys(of_report(world.rows, made))
    with world.rt.db.read() as db:
        assert plan.holds(db, made) == set()
        assert report.sealed_to_escrow(db, made) is None
        assert journal.of_report(db, made)[-1].verb is Verb.KEYS_DESTROYED


# What changes meanwhile, and what fails.


def test_one_that_fails_holds_up_no_other_and_has_its_turn_next_time(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad, real = world.due[0], erasure.erase

    def fail(db: Any, report_id: int, now: datetime) -> None:
        if report_id == bad:
            raise ValueError("this one")
        real(db, report_id, now)

    with monkeypatch.context() as patch:
        patch.setattr(erasure, "erase", fail)
        assert erase(world.rt) == 3
    rows = snapshot(world.rt)
    assert {made for made in world.due if of_report(rows, made)} == {bad}
    assert not opens(world.rt, bad, world.staff["worker"], rows)
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == ["row.failed"]
    assert erase(world.rt) == 1
    check_all_done(world)


def test_a_whole_batch_that_fails_ends_the_round(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever keeps it from being erased, the clock's thread has other things to do."""
    tried = 0

    def fail(*_: object) -> None:
        nonlocal tried
        tried += 1
        if tried > 20:
            raise Killed
        raise ValueError

    monkeypatch.setattr(job, "BATCH", 1)
    monkeypatch.setattr(erasure, "destroy_keys", fail)
    try:
        erase(world.rt)
    except Killed:
        pytest.fail("it tries the same report again and again")
    assert tried <= 3


def test_more_than_a_batch_is_erased_in_one_round(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "BATCH", 1)
    assert erase(world.rt) == 3
    check_all_done(world)


@pytest.mark.parametrize("meanwhile", ["opened again", "held"])
def test_what_was_opened_again_or_held_since_it_was_found_stays(
    world: World, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    """Somebody is quicker, after the job has looked and before it has locked."""
    saved, real = world.due[0], erasure.due

    def due(db: Any, *args: Any) -> list[int]:
        found = real(db, *args)
        if saved in found and meanwhile == "held":
            held(world, saved, world.rt.today() + timedelta(days=30))
        elif saved in found:
            with world.rt.begin() as unit:
                coarse = report.lock(unit.db, saved)
                assert coarse is not None
                closing.reopen(unit.db, coarse, "999999", world.rt.now(), world.rt.now())
        return found

    monkeypatch.setattr(erasure, "due", due)
    erase(world.rt)
    rows = snapshot(world.rt)
    assert opens(world.rt, saved, world.staff["worker"], rows)
    assert len(rows["remains"]) == 2
    check_what_stays(world, rows)
    check_journal(world.rt)


def test_a_report_is_erased_a_lane_s_months_after_it_was_closed_and_not_before(rt: Runtime) -> None:
    """To the second, by every lane of the flows."""
    staff = story.staff(rt)
    closed = datetime(2024, 2, 29, 8, tzinfo=UTC)
    made = {lane: filed(rt, staff, date(2024, 2, 1), lane) for lane in rt.book.kept}
    for one in made.values():
        close(rt, one, staff["worker"], closed)
    for months in sorted(set(rt.book.kept.values())):
        mine = {one for lane, one in made.items() if rt.book.kept[lane] == months}
        story.clock(rt).at = closed.replace(year=2024 + months // 12, day=28)
        rt.vault.days.step(rt.today())
        assert erase(rt) == 0, "the last day of February stands for the 29th, and its second is not over"
        story.clock(rt).go(seconds=1)
        assert mine <= set(story.reports(rt))
        assert erase(rt) == 0
        story.clock(rt).go(days=1)
        assert erase(rt) == len(mine)
        assert not mine & set(story.reports(rt))
    assert story.reports(rt) == []


def test_a_month_in_which_something_was_filed_late_keeps_its_key(world: World) -> None:
    """A report may lie under the key of a month long before its own day: the clock was wrong, and no month's key
    that any row names is destroyed."""
    (late,) = [row["id"] for row in world.rows["report"] if row["month"] == "2024-10"]
    with world.rt.begin() as unit:
        unit.db.get_one(Report, late).month = "2024-09"
        journal.write(unit.db, world.rt.now(), Verb.CLOCK_SET, report=late)
    erase(world.rt)
    assert world.rt.vault.months.destroyed() == ["2024-05", "2024-07", "2024-10"]


def test_without_the_key_directory_rows_are_erased_and_the_months_wait(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    home = world.rt.settings.keys_dir
    home.rename(home.with_name("unmounted"))
    home.mkdir()  # where its disk would be mounted
    erase(world.rt)
    assert {made for made in world.due if of_report(snapshot(world.rt), made)} == set()
    home.rmdir()
    home.with_name("unmounted").rename(home)
    erase(world.rt)
    check_all_done(world)


def test_a_month_s_key_goes_with_its_last_report_however_short_its_lane_is_kept(world: World) -> None:
    """Two reports of one lane and month: the key outlives neither, though another lane is kept for longer."""
    rt, worker = world.rt, world.staff["worker"]
    early, late = (datetime(2025, 12, day, 8, tzinfo=UTC) for day in (12, 28))
    for at in (early, late):
        close(rt, filed(rt, world.staff, date(2025, 7, 9), "safety"), worker, at)
    for at, there in ((early, True), (late, False)):
        story.clock(rt).at = at + timedelta(days=366)
        rt.vault.days.step(rt.today())
        purge(rt)
        assert ("2025-07" in rt.vault.months.months()) is there
    assert rt.vault.months.destroyed().count("2025-07") == 1


def test_an_empty_database_beside_the_keys_destroys_no_month_that_is_kept(world: World) -> None:
    """Somebody has laid the wrong one there; the right one must open when it is back."""
    rt = world.rt
    with rt.db.begin() as db:
        for table in reversed(Base.metadata.sorted_tables):
            db.execute(table.delete())
    purge(rt)
    assert {"2025-09", "2026-11"} <= set(rt.vault.months.months())


def test_a_ratchet_that_was_lost_while_the_clock_is_wrong_erases_nothing(world: World) -> None:
    """Every restored directory has lost it."""
    rt = world.rt
    rt.vault.days.overlapping(rt.today())
    (rt.settings.keys_dir / "day.json").unlink()
    other = build.another(rt, clock=lambda: rt.now().replace(year=2030))
    before = snapshot(rt)
    purge(other)
    after = snapshot(rt)
    assert {name for name in after if after[name] != before[name]} <= {"act", "guess"}
    check_what_stays(world, after)
    assert "2026-11" in other.vault.months.months()
    other.vault.days.step(other.today())  # a person says that the clock is right
    purge(other)
    assert len(snapshot(rt)["remains"]) > len(world.due)
    other.close()


def test_a_clock_gone_wild_erases_nothing_that_cannot_be_brought_back(world: World) -> None:
    """The ratchet of the days does not believe it; what is done only once and for good must not either."""
    world.rt.vault.days.overlapping(world.rt.today())
    story.clock(world.rt).at = story.clock(world.rt).at.replace(year=2099)
    purge(world.rt)
    check_what_stays(world, snapshot(world.rt))


def test_the_log_says_how_many_and_names_no_report(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    purge(world.rt)
    told = [(record.getMessage(), vars(record).get("fields")) for record in caplog.records]
    assert told == [("purged", {"count": 3})]
