"""What is wrong with the keys, said before it hurts."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from gateway.vault import Vault, create, escrow
from gateway.vault.troubles import troubles

DAY = date(2026, 11, 21)


def said(opened: Vault, today: date = DAY, *, demo: bool = False) -> list[str]:
    return troubles(opened.directory, opened.days, opened.months, today, demo=demo)


def whole(tmp_path: Path, mirror: Path | None) -> Vault:
    create(tmp_path / "keys", mirror)
    opened = Vault(tmp_path / "keys", mirror)
    opened.months.prepare(opened.days.overlapping(DAY)[0])
    escrow.establish(opened.directory)
    return opened


def test_of_whole_keys_nothing_is_said(tmp_path: Path) -> None:
    opened = whole(tmp_path, tmp_path / "mirror")
    for offset in (-1, 0, 1, 4):
        assert said(opened, DAY + timedelta(days=offset)) == []


def test_a_demonstration_needs_no_mirror_and_no_escrow(tmp_path: Path) -> None:
    create(tmp_path)
    opened = Vault(tmp_path)
    opened.months.prepare(DAY)
    assert said(opened, demo=True) == []
    assert [line.split(":")[0] for line in said(opened)] == ["no KEYS_MIRROR", "no escrow"]


def test_a_mirror_out_of_step_is_told_of(tmp_path: Path) -> None:
    opened = whole(tmp_path, tmp_path / "mirror")
    opened.directory.add_server_key()
    assert said(opened) == ["the mirror is out of step in 1 files"]
    (tmp_path / "mirror").rename(tmp_path / "unmounted")
    assert [line for line in said(opened) if "the mirror is away" in line] == said(opened) != []


def test_months_that_nobody_makes_are_missed_in_time(tmp_path: Path) -> None:
    opened = whole(tmp_path, tmp_path / "mirror")
    opened.days.step(date(2028, 9, 30))
    assert said(opened, date(2028, 9, 30)) == []
    opened.days.step(date(2028, 10, 1))
    (line,) = said(opened, date(2028, 10, 1))
    assert "only 1 months are made ahead" in line


def test_a_clock_and_day_keys_that_are_apart_are_told_with_what_to_do(tmp_path: Path) -> None:
    opened = whole(tmp_path, tmp_path / "mirror")
    for today in (DAY + timedelta(days=5), DAY - timedelta(days=2), date(1970, 1, 1), date(2099, 1, 1)):
        (line,) = said(opened, today)
        assert f"at {DAY}" in line
        assert str(today) in line
        assert "keys step" in line
