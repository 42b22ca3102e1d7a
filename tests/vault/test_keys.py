"""The key directory: a server key that is there or says so, and a ratchet that cannot be turned back."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.vault import keys
from gateway.vault.keys import DayKeys, KeysMissing, keyed

DAY = date(2026, 11, 21)
ONE = timedelta(days=1)


def write_state(directory: Path, day: date, chain: bytes) -> None:
    (directory / "day.json").write_text(json.dumps({"day": day.isoformat(), "chain": chain.hex()}))


def chain_of(directory: Path) -> bytes:
    return bytes.fromhex(json.loads((directory / "day.json").read_text())["chain"])


def test_a_new_directory_is_the_owners_alone(tmp_path: Path) -> None:
    home = tmp_path / "deep" / "keys"
    before = os.umask(0)
    try:
        keys.create(home)
        DayKeys(home).key(DAY, DAY)
    finally:
        os.umask(before)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()} == {
        "server.key": 0o600,
        "day.json": 0o600,
        "lock": 0o600,
    }


def test_a_directory_that_was_open_to_others_is_closed_when_a_key_goes_in(tmp_path: Path) -> None:
    home = tmp_path / "keys"
    home.mkdir(mode=0o755)
    keys.create(home)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_a_server_key_is_never_made_twice(tmp_path: Path) -> None:
    keys.create(tmp_path)
    first = (tmp_path / "server.key").read_bytes()
    with pytest.raises(FileExistsError):
        keys.create(tmp_path)
    assert (tmp_path / "server.key").read_bytes() == first


def test_of_many_that_make_a_key_at_the_same_time_one_does(tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def make(_: int) -> bytes | None:
        start.wait()
        try:
            keys.create(tmp_path)
        except FileExistsError:
            return None
        return (tmp_path / "server.key").read_bytes()

    with ThreadPoolExecutor(8) as pool:
        made = [key for key in pool.map(make, range(8)) if key is not None]
    assert made == [(tmp_path / "server.key").read_bytes()]


def test_a_missing_server_key_says_where_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(KeysMissing, match="keys init") as missing:
        keys.open_server_key(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in str(missing.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"ab", b"5e" * 31, b"5e" * 33, b"5e" * 31 + b"zz", b"\xff\xfe" * 32, b"5e" * 31 + b"5"],
    ids=["empty", "a letter", "short", "long", "not hex", "not text", "half a byte"],
)
def test_a_damaged_server_key_is_refused_without_showing_any_of_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "server.key").write_bytes(content)
    with pytest.raises(KeysMissing) as missing:
        keys.open_server_key(tmp_path)
    told = str(missing.value).removeprefix("the server key in ").replace(str(tmp_path), "")
    assert "5e" not in told
    assert "zz" not in told
    beneath = missing.value.__context__  # it quotes what stood there
    assert beneath is None or missing.value.__suppress_context__


def test_a_server_key_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "server.key").mkdir()
    with pytest.raises(KeysMissing, match="cannot be read"):
        keys.open_server_key(tmp_path)


def test_a_server_key_with_a_line_break_is_the_same_key(tmp_path: Path) -> None:
    (tmp_path / "server.key").write_text("5e" * 32)
    plain = keys.open_server_key(tmp_path).derive("a purpose")
    (tmp_path / "server.key").write_text("5E" * 32 + "\r\n")
    assert keys.open_server_key(tmp_path).derive("a purpose") == plain


def test_every_purpose_has_a_key_of_its_own(tmp_path: Path) -> None:
    keys.create(tmp_path)
    server = keys.open_server_key(tmp_path)
    made = {server.derive(purpose) for purpose in ("a", "b", "report content", "staff numbers")}
    assert len(made) == 4
    assert {len(key) for key in made} == {32}


def test_a_key_shows_in_no_repr(tmp_path: Path) -> None:
    keys.create(tmp_path)
    secret = (tmp_path / "server.key").read_text().strip()
    days = DayKeys(tmp_path)
    days.key(DAY, DAY)
    assert secret not in repr(keys.open_server_key(tmp_path))
    assert chain_of(tmp_path).hex() not in repr(days)


# The ratchet


def test_days_have_different_keys(tmp_path: Path) -> None:
    days = DayKeys(tmp_path)
    made = {days.key(DAY + offset * ONE, DAY) for offset in (-1, 0, 1)}
    assert len(made) == 3


@pytest.mark.parametrize("offset", [-400, -2, 2, 3])
def test_no_key_is_older_than_yesterday_or_later_than_tomorrow(tmp_path: Path, offset: int) -> None:
    days = DayKeys(tmp_path)
    with pytest.raises(KeyError) as refused:
        days.key(DAY + offset * ONE, DAY)
    assert chain_of(tmp_path).hex() not in str(refused.value)


def test_a_day_has_the_same_key_as_tomorrow_as_today_and_as_yesterday(tmp_path: Path) -> None:
    days = DayKeys(tmp_path)
    assert days.key(DAY, DAY - ONE) == days.key(DAY, DAY) == days.key(DAY, DAY + ONE)


@settings(max_examples=25)
@given(skipped=st.integers(min_value=1, max_value=1500))
def test_however_many_days_are_skipped_two_processes_agree(
    skipped: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("ratchet")
    write_state(home, DAY, b"c" * 32)
    later = DAY + skipped * ONE
    at_once = DayKeys(home).overlapping(later)
    write_state(home, DAY, b"c" * 32)
    in_steps = DayKeys(home)
    for offset in range(0, skipped, max(1, skipped // 3)):
        in_steps.key(DAY + offset * ONE, DAY + offset * ONE)
    assert in_steps.overlapping(later) == at_once


def test_yesterday_cannot_be_recomputed_from_what_is_on_disk(tmp_path: Path) -> None:
    """From every secret on disk, every step forward is tried: none gives the key that is gone."""
    days = DayKeys(tmp_path)
    gone = days.key(DAY - ONE, DAY)
    chains = [chain_of(tmp_path)]
    days.key(DAY + ONE, DAY + ONE)
    on_disk = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert chains[0].hex().encode() not in on_disk
    assert gone.hex().encode() not in on_disk
    chain = chain_of(tmp_path)
    reached = set()
    for _ in range(400):
        reached |= {chain, keyed(chain, b"", "day key"), keyed(chain, b"", "day step")}
        chain = keyed(chain, b"", "day step")
    assert gone not in reached
    assert DayKeys(tmp_path).key(DAY, DAY + ONE) in reached, "the search would have found a key that is there"
    with pytest.raises(KeyError):
        DayKeys(tmp_path).key(DAY - ONE, DAY)


def test_a_process_lets_go_of_a_key_when_its_day_is_past(tmp_path: Path) -> None:
    days = DayKeys(tmp_path)
    gone = days.key(DAY - ONE, DAY)
    days.key(DAY + ONE, DAY + ONE)
    assert gone not in [value for state in vars(days).values() if state for value in _bytes_in(state)]


def _bytes_in(value: object) -> list[bytes]:
    if isinstance(value, bytes):
        return [value]
    if isinstance(value, dict):
        return [found for each in value.values() for found in _bytes_in(each)]
    if isinstance(value, tuple):
        return [found for each in value for found in _bytes_in(each)]
    return []


def test_a_clock_behind_uses_the_day_of_the_ratchet(tmp_path: Path) -> None:
    ahead = DayKeys(tmp_path).overlapping(DAY)
    for behind in (1, 30, 20_000):
        assert DayKeys(tmp_path).overlapping(DAY - behind * ONE) == ahead
    assert json.loads((tmp_path / "day.json").read_text())["day"] == DAY.isoformat()


def test_the_marks_of_two_days_overlap_in_one(tmp_path: Path) -> None:
    days = DayKeys(tmp_path)
    _, now, _ = days.overlapping(DAY)
    _, _, before = days.overlapping(DAY + ONE)
    assert now == before


def test_two_processes_agree_whichever_comes_first(tmp_path: Path) -> None:
    program = (
        "import sys, datetime, pathlib; from gateway.vault.keys import DayKeys\n"
        "day = datetime.date.fromisoformat(sys.argv[2])\n"
        "print(DayKeys(pathlib.Path(sys.argv[1])).key(day, day).hex())"
    )
    command = [sys.executable, "-c", program, str(tmp_path), DAY.isoformat()]
    others = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    mine = DayKeys(tmp_path).key(DAY, DAY).hex()
    assert [other.communicate()[0].strip() for other in others] == [mine, mine]


def test_threads_that_meet_midnight_lose_no_key(tmp_path: Path) -> None:
    """One thread still has yesterday's date while another steps the ratchet."""
    days = DayKeys(tmp_path)
    expected = {}
    for offset in range(40):
        today, now, before = DayKeys(tmp_path).overlapping(DAY + offset * ONE)
        expected[today] = now, before
    (tmp_path / "day.json").unlink()
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
]


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_ratchet_is_begun_anew_and_the_same_for_the_next_process(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "day.json").write_bytes(content)
    first = DayKeys(tmp_path).overlapping(DAY)
    assert first[0] == DAY
    assert DayKeys(tmp_path).overlapping(DAY) == first


def test_a_lost_ratchet_is_begun_anew_with_other_keys(tmp_path: Path) -> None:
    first = DayKeys(tmp_path).key(DAY, DAY)
    (tmp_path / "day.json").unlink()
    second = DayKeys(tmp_path).key(DAY, DAY)
    assert second != first
    assert DayKeys(tmp_path).key(DAY, DAY) == second


def test_within_a_day_the_directory_is_asked_once(tmp_path: Path) -> None:
    days = DayKeys(tmp_path)
    first = days.overlapping(DAY)
    (tmp_path / "day.json").unlink()
    assert days.overlapping(DAY) == first
    assert days.overlapping(DAY - ONE) == first
    assert not (tmp_path / "day.json").exists()


def test_a_write_that_was_cut_off_before_its_rename_changes_nothing(tmp_path: Path) -> None:
    first = DayKeys(tmp_path).overlapping(DAY)
    (tmp_path / "day.new").write_text("half a sta")
    assert DayKeys(tmp_path).overlapping(DAY) == first
    assert not (tmp_path / "day.new").exists()


def test_a_directory_that_is_gone_raises_rather_than_marking_with_another_key(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        DayKeys(tmp_path / "gone").key(DAY, DAY)


def test_the_keys_of_a_known_state_never_change(tmp_path: Path) -> None:
    """Known answers: a changed step or purpose would cut every running dialogue in two at the next release."""
    write_state(tmp_path, DAY, bytes(range(32)))
    days = DayKeys(tmp_path)
    assert {offset: days.key(DAY + offset * ONE, DAY).hex() for offset in (-1, 0, 1)} == KNOWN_DAY_KEYS
    (tmp_path / "server.key").write_text(bytes(range(32)).hex())
    assert keys.open_server_key(tmp_path).derive("report content").hex() == KNOWN_SERVER_KEY


KNOWN_DAY_KEYS = {
    -1: "6aaefc081bd3d1260c18bcfa2030dacaf271575ead02bcfdcb55aa9bf4ed625d",
    0: "a874c2043da60ef2df6d7d950502f3809604572d0d15f6b0e7d17459b8ec7cad",
    1: "45be64ca0ce1bcbc09532c7ecde37e63ddf7d7c606d1fa38a73a7982bf40bf8a",
}
KNOWN_SERVER_KEY = "d7017c18e18506d48322577d0096177d80f72d2d616d43bad31be60d4c37a8b3"
