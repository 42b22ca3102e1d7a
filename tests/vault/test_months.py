"""The months' keys: made long before, gone for every process at once, and by a kill never only half gone."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest

from gateway.vault.directory import KeyDirectory, create
from gateway.vault.months import AHEAD, MonthKeys, ahead

DAY = date(2026, 11, 21)
LATER = date(2027, 2, 1)


@pytest.fixture
def directory(tmp_path: Path) -> KeyDirectory:
    """A directory and its mirror, with the keys of this month and those ahead."""
    create(tmp_path / "keys", tmp_path / "mirror")
    made = KeyDirectory(tmp_path / "keys", tmp_path / "mirror")
    MonthKeys(made).prepare(DAY)
    made.bring_into_step()
    return made


def copies(directory: KeyDirectory, month: str) -> list[Path]:
    assert directory.mirror is not None
    paths = (root / "months" / f"{month}.key" for root in (directory.path, directory.mirror))
    return [path for path in paths if path.exists()]


def test_this_month_and_two_years_are_made_ahead_once(directory: KeyDirectory) -> None:
    months = MonthKeys(directory)
    assert months.months() == ahead(DAY)
    assert (months.months()[0], months.months()[-1], len(months.months())) == ("2026-11", "2028-11", AHEAD + 1)
    before = {month: months.key(month) for month in months.months()}
    assert len(set(before.values())) == AHEAD + 1
    assert {len(key) for key in before.values()} == {32}
    assert months.prepare(DAY) == 0
    assert months.prepare(date(2027, 1, 31)) == 2
    assert {month: months.key(month) for month in before} == before
    assert months.months()[-1] == "2029-01"


def test_a_month_that_nobody_made_is_made_by_who_files(directory: KeyDirectory) -> None:
    months = MonthKeys(directory)
    with pytest.raises(KeyError):
        months.key("2031-05")
    made = months.key("2031-05", make=True)
    assert months.key("2031-05", make=True) == months.key("2031-05") == MonthKeys(directory).key("2031-05") == made


@pytest.mark.parametrize(
    "month", ["", "2026", "2026-13", "2026-1", "../../etc", "2026-11/../x", "２０２６-11", "2026-11\n"]
)
def test_what_is_no_month_has_no_key(directory: KeyDirectory, month: str) -> None:
    for make in (False, True):
        with pytest.raises(KeyError):
            MonthKeys(directory).key(month, make=make)
    with pytest.raises(ValueError, match="2026-11"):
        MonthKeys(directory).destroy(month, LATER)


def test_many_who_file_first_in_a_month_have_one_key(directory: KeyDirectory) -> None:
    start = threading.Barrier(8)

    def file(_: int) -> bytes:
        start.wait()
        return MonthKeys(directory).key("2031-05", make=True)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(file, range(8)))) == 1


def test_a_destroyed_month_is_gone_for_every_process_and_in_the_mirror(directory: KeyDirectory) -> None:
    destroying, other = MonthKeys(directory), MonthKeys(KeyDirectory(directory.path))
    key = other.key("2026-11")
    first, second = copies(directory, "2026-11")
    with first.open("rb") as one, second.open("rb") as two:
        destroying.destroy("2026-11", LATER)
        assert directory.bring_into_step() == ""
        assert set(one.read()) == set(two.read()) == {0}, "overwritten where they lay"
    assert copies(directory, "2026-11") == []
    for months in (destroying, other):
        for make in (False, True):
            with pytest.raises(KeyError):
                months.key("2026-11", make=make)
        assert months.destroyed() == ["2026-11"]
        assert "2026-11" not in months.months()
    for root in (directory.path, directory.mirror):
        assert root is not None
        for path in root.rglob("*"):
            assert path.is_dir() or key.hex().encode() not in path.read_bytes()
    destroying.destroy("2026-11", LATER)
    assert destroying.prepare(DAY) == 0, "what is destroyed is not made again, whatever the clock says"
    assert destroying.destroyed() == ["2026-11"]


@pytest.mark.parametrize("month", ["2027-02", "2027-03", "2028-11", "9999-12"])
def test_a_month_that_is_not_past_is_not_destroyed(directory: KeyDirectory, month: str) -> None:
    before = MonthKeys(directory).months()
    with pytest.raises(ValueError, match="is not past"):
        MonthKeys(directory).destroy(month, LATER)
    assert MonthKeys(directory).months() == before
    assert MonthKeys(directory).destroyed() == []


def test_a_month_that_never_was_is_not_said_to_be_destroyed(directory: KeyDirectory) -> None:
    with pytest.raises(ValueError, match="There is no key of 2026-01"):
        MonthKeys(directory).destroy("2026-01", LATER)
    assert MonthKeys(directory).destroyed() == []


@pytest.mark.parametrize("place", ["before here", "before the mirror"])
def test_a_kill_between_the_word_and_the_deed_is_finished_at_the_next_start(
    directory: KeyDirectory, place: str
) -> None:
    """The process dies by SIGKILL, in the middle of `destroy` or before the mirror knows."""
    program = (
        "import os, sys, signal, datetime, pathlib\n"
        "from gateway.vault import directory as module\n"
        "from gateway.vault.months import MonthKeys\n"
        "def die(*_): os.kill(os.getpid(), signal.SIGKILL)\n"
        "setattr(module.KeyDirectory, sys.argv[3], die)\n"
        "home, mirror = map(pathlib.Path, sys.argv[1:3])\n"
        "directory = module.KeyDirectory(home, mirror)\n"
        "MonthKeys(directory).destroy('2026-11', datetime.date(2027, 2, 1))\n"
        "directory.bring_into_step()\n"
    )
    dies_in = "erase" if place == "before here" else "bring_into_step"
    where = [str(directory.path), str(directory.mirror), dies_in]
    killed = subprocess.run([sys.executable, "-c", program, *where], check=False, capture_output=True)
    assert (killed.returncode, killed.stderr) == (-9, b"")
    assert len(copies(directory, "2026-11")) == (2 if place == "before here" else 1)
    months = MonthKeys(directory)
    assert months.destroyed() == ["2026-11"]
    with pytest.raises(KeyError):
        months.key("2026-11", make=True)
    assert "2026-11" not in months.months()
    months.prepare(LATER)
    assert not (directory.path / "months" / "2026-11.key").exists(), "with a mirror or without"
    directory.bring_into_step()
    assert copies(directory, "2026-11") == []
    assert directory.mirror_trouble() == ""


def test_a_kill_before_the_word_changes_nothing(directory: KeyDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    months = MonthKeys(directory)
    key = months.key("2026-11")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(directory, "write", full)
    with pytest.raises(OSError):
        months.destroy("2026-11", LATER)
    assert months.key("2026-11") == key


@pytest.mark.parametrize("content", [None, b"", b"00" * 31, b"zz" * 32, b"\xff" * 64, bytes(65)])
def test_a_key_lost_or_damaged_here_comes_from_the_mirror(directory: KeyDirectory, content: bytes | None) -> None:
    """Another one would shut everything that was sealed under it."""
    months = MonthKeys(directory)
    key = months.key("2026-12")
    path = directory.path / "months" / "2026-12.key"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(KeyError):
        months.key("2026-12")
    assert months.key("2026-12", make=True) == key
    assert months.key("2026-12") == key


def test_a_key_that_is_nowhere_is_made_anew_so_that_reports_are_taken(tmp_path: Path) -> None:
    create(tmp_path)
    months = MonthKeys(KeyDirectory(tmp_path))
    (tmp_path / "months").mkdir()
    (tmp_path / "months" / "2026-12.key").write_bytes(b"\xff" * 64)
    assert months.key("2026-12", make=True) == months.key("2026-12")


def test_a_directory_that_is_gone_raises(tmp_path: Path) -> None:
    months = MonthKeys(KeyDirectory(tmp_path / "gone"))
    with pytest.raises(OSError):
        months.key("2026-11", make=True)
    with pytest.raises(OSError):
        months.prepare(DAY)


def test_the_months_ahead_go_over_the_year() -> None:
    assert ahead(date(2026, 12, 31))[:3] == ["2026-12", "2027-01", "2027-02"]
    assert ahead(date(2026, 1, 1))[11:13] == ["2026-12", "2027-01"]
