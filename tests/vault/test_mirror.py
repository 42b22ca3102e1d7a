"""The mirror: a copy that may be away, late, wrong or hung, and that never brings a destroyed month back."""

from __future__ import annotations

import shutil
import threading
from datetime import date
from pathlib import Path

import pytest

from gateway.vault import disk, escrow
from gateway.vault import mirror as module
from gateway.vault.days import DayKeys
from gateway.vault.directory import KeyDirectory, create
from gateway.vault.mirror import AWAY, FOREIGN, SILENT, UNUSABLE
from gateway.vault.months import MonthKeys
from tests.vault.test_directory import files, furnished

DAY = date(2026, 11, 21)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A furnished directory and its mirror, in step."""
    furnished(tmp_path / "keys", tmp_path / "mirror")
    return tmp_path / "keys", tmp_path / "mirror"


def without_ratchet(root: Path) -> dict[str, bytes]:
    return {name: text for name, text in files(root).items() if name != "day.json"}


def test_the_mirror_holds_everything_but_the_ratchet(pair: tuple[Path, Path]) -> None:
    home, mirror = pair
    assert "day.json" in files(home)
    assert files(mirror) == without_ratchet(home)
    assert len(files(mirror)) > 25
    assert KeyDirectory(home, mirror).mirror_trouble() == ""


def test_without_a_mirror_nothing_is_wrong_with_it(tmp_path: Path) -> None:
    create(tmp_path)
    directory = KeyDirectory(tmp_path)
    assert directory.mirror_trouble() == directory.bring_into_step() == directory.begin_mirror() == ""
    assert directory.in_mirror("server.keys") is None


@pytest.mark.parametrize("left", ["nothing", "an empty directory"])
def test_a_mirror_that_is_away_is_told_of_and_caught_up_with_when_it_is_back(
    pair: tuple[Path, Path], left: str
) -> None:
    home, mirror = pair
    directory = KeyDirectory(home, mirror)
    months = MonthKeys(directory)
    mirror.rename(mirror.parent / "unmounted")
    if left == "an empty directory":
        mirror.mkdir()
    with directory.locked():
        directory.write("months/2026-10.key", "0b" * 32 + "\n")
    months.prepare(date(2027, 3, 1))
    months.destroy("2026-10", DAY)
    directory.add_server_key()
    escrow.establish(directory, replace=True)
    DayKeys(directory).overlapping(date(2026, 11, 22))
    assert directory.mirror_trouble() == directory.bring_into_step() == AWAY
    if left == "an empty directory":
        assert list(mirror.iterdir()) == [], "the directory under an unmounted disk is left alone"
        mirror.rmdir()
    (mirror.parent / "unmounted").rename(mirror)
    assert directory.mirror_trouble().startswith("the mirror is out of step in")
    assert directory.bring_into_step() == ""
    assert files(mirror) == without_ratchet(home)
    assert months.destroyed() == ["2026-09", "2026-10"]
    assert directory.mirror_trouble() == ""


def test_a_month_destroyed_while_the_mirror_was_away_is_erased_there_and_never_comes_back(
    pair: tuple[Path, Path],
) -> None:
    home, mirror = pair
    directory = KeyDirectory(home, mirror)
    away = mirror.parent / "unmounted"
    mirror.rename(away)
    MonthKeys(directory).destroy("2026-11", date(2026, 12, 1))
    with (away / "months" / "2026-11.key").open("rb") as lay:
        away.rename(mirror)
        assert directory.bring_into_step() == ""
        assert set(lay.read()) == {0}
    for root in pair:
        assert "months/2026-11.key" not in files(root)
        assert b"2026-11\n" in files(root)["destroyed"]


def test_what_the_mirror_remembers_as_destroyed_goes_from_an_old_copy_of_the_directory(
    pair: tuple[Path, Path],
) -> None:
    """Somebody put a copy of the directory back that was made before."""
    home, mirror = pair
    directory = KeyDirectory(home, mirror)
    copy = home.parent / "copy"
    shutil.copytree(home, copy)
    MonthKeys(directory).destroy("2026-11", date(2026, 12, 1))
    directory.add_server_key()
    newest = directory.server_keys()
    escrow.establish(directory, replace=True)
    assert directory.bring_into_step() == ""
    shutil.rmtree(home)
    copy.rename(home)
    assert "months/2026-11.key" in files(home)
    assert directory.bring_into_step() == ""
    assert "months/2026-11.key" not in files(home)
    assert directory.server_keys() == newest
    assert without_ratchet(home) == files(mirror)


def test_a_file_lost_on_either_side_comes_back_from_the_other(pair: tuple[Path, Path]) -> None:
    home, mirror = pair
    directory = KeyDirectory(home, mirror)
    before = files(mirror)
    for root in pair:
        for name in ("months/2026-12.key", "escrow.json", "destroyed"):
            (root / name).unlink()
            assert directory.mirror_trouble() == "the mirror is out of step in 1 files"
            assert directory.bring_into_step() == ""
            assert files(mirror) == without_ratchet(home) == before


def test_a_copy_made_by_hand_loses_its_ratchet(pair: tuple[Path, Path]) -> None:
    home, mirror = pair
    shutil.copy(home / "day.json", mirror)
    directory = KeyDirectory(home, mirror)
    assert directory.mirror_trouble() != ""
    with (mirror / "day.json").open("rb") as lay:
        assert directory.bring_into_step() == ""
        assert set(lay.read()) == {0}
    assert not (mirror / "day.json").exists()


def test_another_installations_mirror_is_left_alone(pair: tuple[Path, Path], tmp_path: Path) -> None:
    home, _ = pair
    furnished(tmp_path / "other", tmp_path / "others mirror")
    before = files(home), files(tmp_path / "others mirror")
    directory = KeyDirectory(home, tmp_path / "others mirror")
    for _ in range(2):
        assert directory.bring_into_step() == directory.mirror_trouble() == directory.begin_mirror() == FOREIGN
    assert (files(home), files(tmp_path / "others mirror")) == before


@pytest.mark.parametrize("name", ["escrow.json", "months/2026-12.key"])
def test_two_that_contradict_each_other_are_left_for_a_person(pair: tuple[Path, Path], name: str) -> None:
    home, mirror = pair
    text = (mirror / name).read_text()
    (mirror / name).write_text(text.replace(text[-10:], text[-10:][::-1]))
    before = files(home), files(mirror)
    directory = KeyDirectory(home, mirror)
    for said in (directory.bring_into_step(), directory.mirror_trouble()):
        assert "compare them by hand" in said
        assert text[-20:].strip() not in said
    assert (files(home), files(mirror)) == before


def test_a_mirror_begun_later_is_filled_only_when_a_person_says_so(tmp_path: Path) -> None:
    create(tmp_path / "keys")
    directory = KeyDirectory(tmp_path / "keys", tmp_path / "mirror")
    MonthKeys(directory).prepare(DAY)
    assert directory.bring_into_step() == AWAY
    assert not (tmp_path / "mirror").exists()
    assert directory.begin_mirror() == ""
    assert files(tmp_path / "mirror") == files(tmp_path / "keys")
    assert directory.begin_mirror() == ""


def test_a_mirror_that_cannot_be_read_is_told_of(pair: tuple[Path, Path]) -> None:
    home, mirror = pair
    (mirror / "destroyed").unlink()
    (mirror / "destroyed").mkdir()
    assert KeyDirectory(home, mirror).bring_into_step() == UNUSABLE
    (mirror / "destroyed").rmdir()
    (mirror / "destroyed").write_bytes(b"\xff")
    assert KeyDirectory(home, mirror).mirror_trouble() == UNUSABLE


def test_a_mirror_that_hangs_keeps_nobody_waiting(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither who looks, nor who steps the day, destroys a month or files: and one thread hangs, not one each."""
    home, mirror = pair
    directory = KeyDirectory(home, mirror)
    awake, hanging = threading.Event(), threading.Event()
    read = disk.read

    def hang(path: Path) -> str | None:
        if path.is_relative_to(mirror):
            hanging.set()
            awake.wait()
        return read(path)

    monkeypatch.setattr(module, "read", hang)
    monkeypatch.setattr(module, "_LOOK", 0.05)
    threads = threading.active_count()
    try:
        assert directory.bring_into_step(0.05) == SILENT
        assert hanging.is_set()
        for _ in range(5):
            assert directory.mirror_trouble() == SILENT
            assert directory.in_mirror("server.keys") is None
        assert threading.active_count() == threads + 1
        assert DayKeys(directory).overlapping(date(2026, 11, 22))[0] == date(2026, 11, 22)
        months = MonthKeys(directory)
        assert months.prepare(date(2027, 1, 1)) == 2
        assert len(months.key("2031-01", make=True)) == 32
    finally:
        awake.set()
    assert directory.bring_into_step() == ""
    assert files(mirror) == without_ratchet(home)


def test_a_month_destroyed_while_it_is_being_copied_back_stays_destroyed(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was lost here; while the mirror's copy is on its way, somebody destroys it."""
    home, mirror = pair
    directory = KeyDirectory(home, mirror)
    with directory.locked():
        directory.write("months/2026-10.key", "0b" * 32 + "\n")
    assert directory.bring_into_step() == ""
    (home / "months" / "2026-10.key").unlink()
    locked = disk.locked

    def destroyed_meanwhile(root: Path, name: str):  # type: ignore[no-untyped-def]
        if name == "lock":
            with locked(root, name):
                directory.write("destroyed", "2026-09\n2026-10\n")
        return locked(root, name)

    monkeypatch.setattr(module, "locked", destroyed_meanwhile)
    directory.bring_into_step()
    assert "months/2026-10.key" not in files(home)
    monkeypatch.undo()
    assert directory.bring_into_step() == ""
    for root in pair:
        assert "months/2026-10.key" not in files(root)
