"""The weeks' keys: made when somebody asks to be called, and gone for every process when their month is over."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.vault.directory import KeyDirectory, create
from gateway.vault.months import MonthKeys
from gateway.vault.weeks import WeekKeys, week_of

DAY = date(2026, 11, 21)
THIS, NEXT = "2026-w47", "2026-w48"
ONE = timedelta(days=1)
WEEK = timedelta(weeks=1)
DAYS = st.dates(date(2026, 1, 1), date(2199, 12, 31))


@pytest.fixture
def directory(tmp_path: Path) -> KeyDirectory:
    """A directory and its mirror, with the keys of two weeks and of one month."""
    create(tmp_path / "keys", tmp_path / "mirror")
    made = KeyDirectory(tmp_path / "keys", tmp_path / "mirror")
    for week in (THIS, NEXT):
        WeekKeys(made).key(week, make=True)
    MonthKeys(made).key("2026-11", make=True)
    made.bring_into_step()
    return made


def copies(directory: KeyDirectory, week: str) -> list[Path]:
    assert directory.mirror is not None
    paths = (root / "weeks" / f"{week}.key" for root in (directory.path, directory.mirror))
    return [path for path in paths if path.exists()]


@pytest.mark.parametrize(
    ("day", "week"),
    [
        ("2026-11-21", THIS),
        ("2026-11-22", THIS),
        ("2026-11-23", NEXT),
        ("2026-12-31", "2026-w53"),  # a Thursday
        ("2027-01-01", "2026-w53"),
        ("2027-01-03", "2026-w53"),
        ("2027-01-04", "2027-w01"),
        ("2024-12-30", "2025-w01"),
        ("2028-01-01", "2027-w52"),
    ],
)
def test_a_week_begins_on_monday_and_belongs_to_the_year_of_its_thursday(day: str, week: str) -> None:
    assert week_of(date.fromisoformat(day)) == week


@given(day=DAYS, days=st.integers(min_value=0, max_value=900))
def test_weeks_stand_in_the_order_of_their_days(day: date, days: int) -> None:
    """They are compared as they are written."""
    later = day + timedelta(days=days)
    assert week_of(day) <= week_of(later)
    assert (week_of(day) == week_of(later)) is (later - day < WEEK and later.weekday() >= day.weekday())
    assert WeekKeys.FORM.fullmatch(week_of(day))


def test_a_key_is_made_once_and_for_every_process(directory: KeyDirectory) -> None:
    weeks, other = WeekKeys(directory), WeekKeys(KeyDirectory(directory.path))
    with pytest.raises(KeyError):
        weeks.key("2026-w50")
    made = weeks.key("2026-w50", make=True)
    assert len(made) == 32
    assert other.key("2026-w50") == weeks.key("2026-w50", make=True) == made
    assert made not in (weeks.key(THIS), weeks.key(NEXT), MonthKeys(directory).key("2026-11"))


@pytest.mark.parametrize(
    "week",
    [
        "",
        "2026",
        "2026-w54",
        "2026-w00",
        "2026-w1",
        "2026-W47",
        "2026-11",
        "../../etc",
        "2026-w47\n",
        "２０２６-w47",
    ],
)
def test_what_is_no_week_has_no_key(directory: KeyDirectory, week: str) -> None:
    for make in (False, True):
        with pytest.raises(KeyError):
            WeekKeys(directory).key(week, make=make)


def test_many_who_ask_first_in_a_week_have_one_key(directory: KeyDirectory) -> None:
    start = threading.Barrier(8)

    def ask(_: int) -> bytes:
        start.wait()
        return WeekKeys(directory).key("2026-w52", make=True)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1


def test_a_week_before_the_day_s_own_is_destroyed_and_no_other(directory: KeyDirectory) -> None:
    weeks = WeekKeys(directory)
    key = weeks.key(NEXT)
    assert weeks.destroy_before(DAY) == []
    assert weeks.destroy_before(date(2026, 11, 22)) == [], "the last day of the week"
    assert weeks.destroy_before(date(2026, 11, 23)) == [THIS]
    assert weeks.destroyed() == [THIS]
    assert weeks.key(NEXT) == key
    assert MonthKeys(directory).months() == ["2026-11"], "nor a month"
    assert MonthKeys(directory).destroyed() == []
    assert weeks.destroy_before(date(2026, 11, 23)) == [], "and once"


def test_a_destroyed_week_is_gone_for_every_process_overwritten_and_in_the_mirror(directory: KeyDirectory) -> None:
    destroying, other = WeekKeys(directory), WeekKeys(KeyDirectory(directory.path))
    key = other.key(THIS)
    (first, second) = copies(directory, THIS)
    with first.open("rb") as one, second.open("rb") as two:
        destroying.destroy_before(DAY + WEEK)
        assert set(one.read()) == {0}, "overwritten where it lay"
        assert len(copies(directory, THIS)) == 1, "the mirror's is the caller's to bring into step"
        directory.bring_into_step()
        assert set(two.read()) == {0}
    assert copies(directory, THIS) == []
    for weeks in (destroying, other):
        for make in (False, True):
            with pytest.raises(KeyError):
                weeks.key(THIS, make=make)
    for root in (directory.path, directory.mirror):
        assert root is not None
        for path in root.rglob("*"):
            assert path.is_dir() or key.hex().encode() not in path.read_bytes()
    assert directory.mirror_trouble() == ""


def test_it_does_not_come_back_from_a_mirror_that_was_away(directory: KeyDirectory) -> None:
    mirror = directory.mirror
    assert mirror is not None
    mirror.rename(mirror.with_name("unmounted"))
    WeekKeys(directory).destroy_before(DAY + WEEK)
    assert directory.bring_into_step() != ""
    mirror.with_name("unmounted").rename(mirror)
    with pytest.raises(KeyError):
        WeekKeys(directory).key(THIS, make=True)
    assert directory.bring_into_step() == ""
    assert copies(directory, THIS) == []


def test_a_key_lost_here_comes_back_from_the_mirror(directory: KeyDirectory) -> None:
    key = WeekKeys(directory).key(THIS)
    (directory.path / "weeks" / f"{THIS}.key").unlink()
    assert WeekKeys(directory).key(THIS, make=True) == key


def test_a_kill_between_the_word_and_the_deed_is_finished_next_time(
    directory: KeyDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    weeks = WeekKeys(directory)
    with monkeypatch.context() as patch:
        patch.setattr(KeyDirectory, "erase", die)
        with pytest.raises(KeyboardInterrupt):
            weeks.destroy_before(DAY + 2 * WEEK)
    assert len(copies(directory, THIS)) == len(copies(directory, NEXT)) == 2
    for week in (THIS, NEXT):
        with pytest.raises(KeyError):
            weeks.key(week, make=True)
    assert weeks.destroy_before(DAY + 2 * WEEK) == [THIS, NEXT]
    directory.bring_into_step()
    assert copies(directory, THIS) == copies(directory, NEXT) == []
    assert weeks.destroyed() == [THIS, NEXT]


def test_a_kill_before_the_word_changes_nothing(directory: KeyDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    weeks = WeekKeys(directory)
    key = weeks.key(THIS)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(KeyDirectory, "write", full)
    with pytest.raises(OSError):
        weeks.destroy_before(DAY + WEEK)
    assert weeks.key(THIS) == key


def test_a_directory_that_is_away_raises_and_destroys_nothing(directory: KeyDirectory) -> None:
    weeks, home = WeekKeys(directory), directory.path
    home.rename(home.with_name("unmounted"))
    with pytest.raises(OSError):
        weeks.key("2026-w50", make=True)
    with pytest.raises(OSError):
        weeks.destroy_before(DAY + WEEK)
    home.with_name("unmounted").rename(home)
    assert weeks.destroyed() == []
    assert weeks.key(THIS)


def test_what_else_lies_among_the_weeks_is_let_alone(directory: KeyDirectory) -> None:
    stray = directory.path / "weeks" / "notes.key"
    stray.write_text("x")
    assert WeekKeys(directory).destroy_before(DAY + WEEK) == [THIS]
    assert stray.exists()
