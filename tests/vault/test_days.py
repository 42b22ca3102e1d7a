"""The ratchet: it cannot be turned back, believes no clock that is far off, and is the same for every process."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.vault.days import CHECK, EARLIEST, FAR, LOCK, DayKeys
from gateway.vault.directory import KeyDirectory, create
from gateway.vault.months import MonthKeys
from gateway.vault.seal import keyed

DAY = date(2026, 11, 21)
ONE = timedelta(days=1)


class Ticks:
    """The clock that never jumps."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A key directory."""
    create(tmp_path / "keys")
    return tmp_path / "keys"


def ratchet(directory: Path) -> DayKeys:
    """As a process that has just begun has it."""
    return DayKeys(KeyDirectory(directory))


def write_state(directory: Path, day: date, chain: bytes = b"c" * 32) -> None:
    (directory / "day.json").write_text(json.dumps({"day": day.isoformat(), "chain": chain.hex()}))


def state_of(directory: Path) -> tuple[date, bytes]:
    state = json.loads((directory / "day.json").read_text())
    return date.fromisoformat(state["day"]), bytes.fromhex(state["chain"])


def derivable(directory: Path, steps: int) -> set[bytes]:
    """Every day key that can be had from the file by stepping forward."""
    _, chain = state_of(directory)
    found = set()
    for _ in range(steps):
        found.add(keyed(chain, b"", "day key"))
        chain = keyed(chain, b"", "day step")
    return found


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def test_days_have_different_keys(home: Path) -> None:
    days = ratchet(home)
    assert len({days.key(DAY + offset * ONE, DAY) for offset in (-1, 0, 1)}) == 3


@pytest.mark.parametrize("offset", [-400, -2, 2, 3])
def test_no_key_is_older_than_yesterday_or_later_than_tomorrow(home: Path, offset: int) -> None:
    days = ratchet(home)
    with pytest.raises(KeyError) as refused:
        days.key(DAY + offset * ONE, DAY)
    assert state_of(home)[1].hex() not in str(refused.value)


def test_a_day_has_the_same_key_as_tomorrow_as_today_and_as_yesterday(home: Path) -> None:
    days = ratchet(home)
    assert days.key(DAY, DAY - ONE) == days.key(DAY, DAY) == days.key(DAY, DAY + ONE)


def test_the_marks_of_two_days_overlap_in_one(home: Path) -> None:
    days = ratchet(home)
    _, now, _ = days.overlapping(DAY)
    _, _, before = days.overlapping(DAY + ONE)
    assert now == before


@settings(max_examples=60)
@example(walk=[0, 5, -1, 1], hosts=2)  # one that is stuck, while another steps on
@given(walk=st.lists(st.integers(min_value=-6, max_value=6), min_size=1, max_size=25), hosts=st.integers(1, 3))
def test_whatever_the_clocks_do_yesterdays_key_is_there_and_no_older_one(
    walk: list[int], hosts: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Clocks walk at random, some hosts each with its own memory; the day that counts never goes back, each day
    has one key, and what is two days gone follows from nothing on disk."""
    home = tmp_path_factory.mktemp("walk")
    create(home)
    processes = [ratchet(home) for _ in range(hosts)]
    clock, last = DAY, date.min
    known: dict[date, bytes] = {}
    for turn, step in enumerate(walk):
        clock += step * ONE
        today, now, before = processes[turn % hosts].overlapping(clock)
        # Who does not believe their own clock may be behind another's step until they look at the file again.
        assert today >= min(last, clock) or clock - today > FAR
        assert known.setdefault(today, now) == now
        assert known.setdefault(today - ONE, before) == before
        on_disk, _ = state_of(home)
        assert on_disk >= last, "the ratchet never goes back"
        assert on_disk - last <= FAR or last == date.min
        last = on_disk
        reachable = derivable(home, 60)
        assert {key for day, key in known.items() if day < on_disk - ONE}.isdisjoint(reachable)
        assert {key for day, key in known.items() if day >= on_disk - ONE} <= reachable


@settings(max_examples=25)
@given(skipped=st.integers(min_value=1, max_value=FAR.days))
def test_however_many_days_are_skipped_two_processes_agree(
    skipped: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("ratchet")
    create(home)
    later = DAY + skipped * ONE
    write_state(home, DAY)
    at_once = ratchet(home).overlapping(later)
    write_state(home, DAY)
    in_steps = ratchet(home)
    for offset in range(skipped):
        in_steps.key(DAY + offset * ONE, DAY + offset * ONE)
    assert in_steps.overlapping(later) == at_once


def test_a_key_that_is_gone_is_on_no_file_and_in_no_memory(home: Path) -> None:
    days = ratchet(home)
    gone, (_, chain) = days.key(DAY - ONE, DAY), state_of(home)
    with (home / "day.json").open("rb") as replaced:
        days.key(DAY + ONE, DAY + ONE)
        assert set(replaced.read()) == {0}, "the file that was replaced is overwritten on its blocks"
    on_disk = b"".join(path.read_bytes() for path in home.iterdir())
    for secret in (gone, chain):
        assert secret.hex().encode() not in on_disk
    assert gone not in derivable(home, 400)
    assert ratchet(home).key(DAY, DAY + ONE) in derivable(home, 400)
    assert gone not in _bytes_in(vars(days))
    assert days.key(DAY, DAY + ONE) in _bytes_in(vars(days)), "the search would have found it"


def _bytes_in(value: object) -> list[bytes]:
    if isinstance(value, bytes):
        return [value]
    if isinstance(value, dict):
        return [found for each in value.values() for found in _bytes_in(each)]
    if hasattr(type(value), "__slots__") and hasattr(value, "keys"):
        return _bytes_in(value.keys)
    return []


def test_a_key_shows_in_no_repr(home: Path) -> None:
    days = ratchet(home)
    key = days.key(DAY, DAY)
    for shown in (repr(days), *map(repr, vars(days).values())):
        assert repr(key)[2:-1] not in shown
        assert key.hex() not in shown


# Clocks that are wrong


@pytest.mark.parametrize("behind", [1, 30, 20_000])
def test_a_clock_behind_uses_the_day_of_the_ratchet(home: Path, behind: int) -> None:
    right = ratchet(home).overlapping(DAY)
    assert ratchet(home).overlapping(DAY - behind * ONE) == right
    assert state_of(home)[0] == DAY
    assert ratchet(home).overlapping(DAY) == right


def test_a_clock_a_day_ahead_that_is_put_right_loses_no_key_that_counts(home: Path) -> None:
    days = ratchet(home)
    _, today, _ = days.overlapping(DAY)
    _, tomorrow, before = days.overlapping(DAY + ONE)
    assert before == today
    for process in (days, ratchet(home)):
        assert process.overlapping(DAY) == (DAY + ONE, tomorrow, today)
        assert process.key(DAY, DAY) == today
        assert process.overlapping(DAY + ONE) == (DAY + ONE, tomorrow, today)
        assert not process.far_behind(DAY)


@pytest.mark.parametrize("clock", [DAY + FAR + ONE, date(2099, 1, 1), date.max])
def test_a_clock_far_ahead_steps_nothing_and_is_told_of_once(
    home: Path, clock: date, caplog: pytest.LogCaptureFixture
) -> None:
    right = ratchet(home).overlapping(DAY)
    days = ratchet(home)
    for _ in range(5):
        assert days.overlapping(clock) == right
        assert days.far_ahead(clock)
    assert state_of(home)[0] == DAY
    assert warnings(caplog) == ["keys.clock_ahead"]
    assert not days.far_ahead(DAY)
    assert days.overlapping(DAY + ONE)[0] == DAY + ONE, "a clock that is right again steps as ever"


def test_a_weekend_without_power_is_believed(home: Path) -> None:
    write_state(home, DAY)
    days = ratchet(home)
    assert not days.far_ahead(DAY + FAR)
    assert days.overlapping(DAY + FAR)[0] == DAY + FAR


def test_a_day_far_ahead_asks_the_directory_no_more_than_any_other(home: Path) -> None:
    days = ratchet(home)
    right = days.overlapping(DAY)
    assert days.overlapping(date(2099, 1, 1)) == right
    (home / "day.json").unlink()
    assert days.overlapping(date(2099, 1, 1)) == right
    assert not (home / "day.json").exists()


def test_a_start_in_1970_without_a_ratchet_takes_reports_and_follows_the_clock(home: Path) -> None:
    days = ratchet(home)
    today, now, _ = days.overlapping(date(1970, 1, 1))
    assert today == EARLIEST
    assert ratchet(home).overlapping(date(1970, 1, 1))[:2] == (today, now)
    assert days.overlapping(DAY)[0] == DAY
    assert ratchet(home).overlapping(DAY) == days.overlapping(DAY)
    assert not days.far_ahead(DAY)


def test_a_start_in_2099_without_a_ratchet_takes_reports_until_a_person_steps_it(home: Path) -> None:
    days, other = ratchet(home), ratchet(home)
    wrong = days.overlapping(date(2099, 1, 1))
    assert wrong[0] == date(2099, 1, 1)
    assert other.overlapping(DAY) == days.overlapping(DAY) == wrong
    assert days.far_behind(DAY)
    days.step(DAY)
    assert days.overlapping(DAY)[0] == DAY
    assert not days.far_behind(DAY)
    assert set(days.overlapping(DAY)[1:]).isdisjoint(wrong[1:])


def test_a_person_steps_a_ratchet_that_a_clock_outran(home: Path) -> None:
    days = ratchet(home)
    before = days.overlapping(DAY)
    later = DAY + 30 * ONE
    assert days.overlapping(later) == before
    days.step(later)
    assert days.overlapping(later)[0] == later
    assert not days.far_ahead(later)


def test_two_hosts_a_day_apart_that_write_in_turn_keep_one_ratchet(home: Path) -> None:
    right, ahead = ratchet(home), ratchet(home)
    keys: dict[date, bytes] = {}
    for offset in range(20):
        for host, clock in ((right, DAY + offset * ONE), (ahead, DAY + (offset + 1) * ONE)):
            today, now, before = host.overlapping(clock)
            assert keys.setdefault(today, now) == now
            assert keys.setdefault(today - ONE, before) == before
            assert DAY + offset * ONE in (today, today - ONE), "the true day's key is there"
    assert not right.far_behind(DAY + 19 * ONE)


# Several processes and one file


def test_two_processes_agree_whichever_comes_first(home: Path) -> None:
    program = (
        "import sys, datetime, pathlib; from gateway.vault.days import DayKeys\n"
        "from gateway.vault.directory import KeyDirectory\n"
        "day = datetime.date.fromisoformat(sys.argv[2])\n"
        "print(DayKeys(KeyDirectory(pathlib.Path(sys.argv[1]))).key(day, day).hex())"
    )
    command = [sys.executable, "-c", program, str(home), DAY.isoformat()]
    others = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    mine = ratchet(home).key(DAY, DAY).hex()
    assert [other.communicate()[0].strip() for other in others] == [mine, mine]


def test_threads_that_meet_midnight_lose_no_key(home: Path) -> None:
    """One thread still has yesterday's date while another steps the ratchet."""
    days = ratchet(home)
    first = days.overlapping(DAY)
    found: list[tuple[date, bytes, bytes]] = []
    start = threading.Barrier(6)

    def meet(thread: int) -> None:
        start.wait()
        found.extend(days.overlapping(DAY + (offset + thread % 2) * ONE) for offset in range(40))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(meet, range(6)))
    by_day: dict[date, set[tuple[bytes, bytes]]] = {first[0]: {first[1:]}}
    for today, now, before in found:
        by_day.setdefault(today, set()).add((now, before))
    assert {len(pairs) for pairs in by_day.values()} == {1}
    ordered = sorted(by_day)
    for earlier, later in pairwise(ordered):
        if later - earlier == ONE:
            assert next(iter(by_day[earlier]))[0] == next(iter(by_day[later]))[1]


def test_within_a_day_the_directory_is_asked_once(home: Path) -> None:
    days = ratchet(home)
    first = days.overlapping(DAY)
    (home / "day.json").unlink()
    assert days.overlapping(DAY) == days.overlapping(DAY - ONE) == first
    assert not (home / "day.json").exists()


@pytest.mark.parametrize("how", ["lost", "begun anew elsewhere", "stepped by a person"])
def test_a_process_follows_the_file_when_it_is_another(home: Path, how: str) -> None:
    ticks = Ticks()
    days = DayKeys(KeyDirectory(home), ticks)
    before = days.overlapping(DAY)
    if how == "lost":
        (home / "day.json").unlink()
    elif how == "begun anew elsewhere":
        (home / "day.json").unlink()
        ratchet(home).overlapping(DAY)
    else:
        ratchet(home).step(DAY)
    ticks.at = CHECK - 1
    assert days.overlapping(DAY) == before
    ticks.at = CHECK + 1
    after = days.overlapping(DAY)
    assert after[0] == DAY
    assert after[1] != before[1]
    assert ratchet(home).overlapping(DAY) == after


def test_a_file_that_did_not_change_is_not_read_again(home: Path) -> None:
    ticks = Ticks()
    days = DayKeys(KeyDirectory(home), ticks)
    first = days.overlapping(DAY)
    (home / "day.lock").unlink()
    for at in range(1, 5):
        ticks.at = at * (CHECK + 1)
        assert days.overlapping(DAY) == first
    assert not (home / "day.lock").exists()


@pytest.mark.parametrize("left", ["nothing", "an empty directory", "a file"])
def test_a_directory_that_goes_away_during_the_day_turns_nobody_away(home: Path, left: str) -> None:
    """As when a disk is unmounted: the empty directory under it is not begun anew."""
    ticks = Ticks()
    days = DayKeys(KeyDirectory(home), ticks)
    first = days.overlapping(DAY)
    home.rename(home.parent / "elsewhere")
    if left == "an empty directory":
        home.mkdir()
    elif left == "a file":
        home.write_text("no directory")
    ticks.at = CHECK + 1
    assert days.overlapping(DAY) == first
    with pytest.raises(OSError):
        days.overlapping(DAY + ONE)
    assert not (home / "day.json").exists()


def test_a_full_disk_at_midnight_steps_in_memory_and_on_disk_when_there_is_room(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ticks, directory = Ticks(), KeyDirectory(home)
    days = DayKeys(directory, ticks)
    _, now, _ = days.overlapping(DAY)

    monkeypatch.setattr(directory, "write", _full)
    today, _, before = midnight = days.overlapping(DAY + ONE)
    assert (today, before) == (DAY + ONE, now)
    assert state_of(home)[0] == DAY
    assert "keys.day_unwritten" in warnings(caplog)
    monkeypatch.undo()
    ticks.at = CHECK + 1
    assert days.overlapping(DAY + ONE) == midnight
    assert state_of(home)[0] == DAY + ONE
    assert ratchet(home).overlapping(DAY + ONE) == midnight


def test_a_ratchet_that_can_be_neither_read_nor_written_raises(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys that no other process can know would file everything twice."""
    with pytest.raises(OSError):
        ratchet(home / "gone").key(DAY, DAY)
    monkeypatch.setattr("gateway.vault.disk.os.fsync", _full)
    with pytest.raises(OSError):
        ratchet(home).overlapping(DAY)


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


BROKEN = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"{}",
    b'{"day": "2026-11-21"}',
    b'{"day": 7, "chain": "00"}',
    b'{"day": "2026-11-21", "chain": "00"}',
    b'{"day": "2026-11-21", "chain": 7}',
    b'{"day": "yesterday", "chain": "' + b"00" * 32 + b'"}',
    b'{"day": "9999-12-31", "chain": "' + b"00" * 32 + b'"}',
    b'{"day": "0001-01-01", "chain": "' + b"00" * 32 + b'"}',
    b"\xff" * 40,
    bytes(90),
]


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_ratchet_is_begun_anew_and_the_same_for_the_next_process(home: Path, content: bytes) -> None:
    (home / "day.json").write_bytes(content)
    first = ratchet(home).overlapping(DAY)
    assert first[0] == DAY
    assert ratchet(home).overlapping(DAY) == first


def test_a_write_that_was_cut_off_before_its_rename_changes_nothing(home: Path) -> None:
    first = ratchet(home).overlapping(DAY)
    (home / "day.new").write_text("half a sta")
    assert ratchet(home).overlapping(DAY) == first
    ratchet(home).overlapping(DAY + ONE)
    assert not (home / "day.new").exists()


def test_processes_killed_while_they_step_leave_a_ratchet_that_goes_on(home: Path) -> None:
    program = (
        "import sys, datetime, pathlib; from gateway.vault.days import DayKeys\n"
        "from gateway.vault.directory import KeyDirectory\n"
        "day, days = datetime.date(2026, 11, 21), DayKeys(KeyDirectory(pathlib.Path(sys.argv[1])))\n"
        "print('begun', flush=True)\n"
        "for each in range(100000): days.overlapping(day + datetime.timedelta(days=each))\n"
    )
    for _ in range(6):
        child = subprocess.Popen([sys.executable, "-c", program, str(home)], stdout=subprocess.PIPE)
        try:
            assert child.stdout is not None
            child.stdout.readline()
            while state_after(home) <= DAY:
                pass
            threading.Event().wait(random.random() / 50)
        finally:
            child.kill()
            child.communicate()
        day, chain = state_of(home)
        assert day > DAY
        assert len(chain) == 32
        first = ratchet(home).overlapping(day)
        assert first[0] == day
        assert ratchet(home).overlapping(day) == first
        (home / "day.json").unlink()


def state_after(directory: Path) -> date:
    """The day of a file that another process is stepping."""
    try:
        with KeyDirectory(directory).locked(LOCK):
            return state_of(directory)[0]
    except FileNotFoundError:
        return date.min


def test_the_keys_of_a_known_state_never_change(home: Path) -> None:
    """Known answers: a changed step or purpose would cut every running dialogue in two at the next release."""
    write_state(home, DAY, bytes(range(32)))
    days = ratchet(home)
    assert {offset: days.key(DAY + offset * ONE, DAY).hex() for offset in (-1, 0, 1)} == KNOWN


KNOWN = {
    -1: "6aaefc081bd3d1260c18bcfa2030dacaf271575ead02bcfdcb55aa9bf4ed625d",
    0: "a874c2043da60ef2df6d7d950502f3809604572d0d15f6b0e7d17459b8ec7cad",
    1: "45be64ca0ce1bcbc09532c7ecde37e63ddf7d7c606d1fa38a73a7982bf40bf8a",
}


def test_a_ratchet_that_was_lost_and_begun_far_ahead_is_doubted_until_a_person_steps_it(home: Path) -> None:
    """Every restored directory has lost it; a wrong clock at that moment must not make everything old."""
    directory = KeyDirectory(home)
    MonthKeys(directory).prepare(DAY)
    ratchet(home).overlapping(DAY)
    assert not ratchet(home).doubted(DAY)
    for later, doubted in ((DAY + 31 * ONE, False), (date(2030, 5, 1), True)):
        (home / "day.json").unlink()
        assert ratchet(home).doubted(later) is doubted
        assert ratchet(home).doubted(later) is doubted, "for the next process too"
    assert ratchet(home).overlapping(date(2030, 5, 1))[0] == date(2030, 5, 1), "and reports are taken"
    assert ratchet(home).doubted(date(2030, 5, 3)), "also when it has stepped on"
    ratchet(home).step(date(2030, 5, 3))
    assert not ratchet(home).doubted(date(2030, 5, 3))


def test_a_new_directory_believes_whatever_clock_it_begins_with(home: Path) -> None:
    assert not ratchet(home).doubted(date(2030, 5, 1))
