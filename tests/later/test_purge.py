"""Forgetting: what is past goes, what is not yet past stays, and a second round does nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from gateway import inbox
from gateway.casework import session
from gateway.casework.act import ActRow
from gateway.casework.message import EarlyReceipt
from gateway.casework.session import SignIn
from gateway.later.purge import purge
from gateway.providers import Receipt
from gateway.runtime import Runtime
from gateway.vault import Vault
from tests.later import story


def left(rt: Runtime) -> tuple[int, int, int]:
    """Acts, sessions and stray delivery reports that are still there."""
    with rt.db.read() as db:
        acts = db.scalar(select(func.count()).select_from(ActRow)) or 0
        sessions = db.scalar(select(func.count()).select_from(SignIn)) or 0
        strays = db.scalar(select(func.count()).select_from(EarlyReceipt)) or 0
    return acts, sessions, strays


def test_everything_is_forgotten_in_its_time_and_not_before(rt: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    staff = story.staff(rt)
    made = story.tell(rt)
    with rt.begin() as unit:
        session.begin(unit.db, rt.vault, staff["supervisor"], rt.now())
    inbox.delivery_reported(rt, Receipt("a stray", "delivered"))
    purge(rt)
    assert left(rt) == (2, 1, 1)

    story.clock(rt).at += session.IDLE
    purge(rt)
    assert left(rt) == (2, 0, 1)

    story.clock(rt).at += timedelta(days=1)
    purge(rt)
    assert left(rt) == (2, 0, 0)

    story.clock(rt).at += timedelta(days=1)
    purge(rt)
    assert left(rt) == (2, 0, 0), "yesterday's acts and the day before's may still be repeated"

    story.clock(rt).at += timedelta(days=1)
    for _ in range(2):
        purge(rt)
    assert left(rt) == (0, 0, 0)
    assert story.reports(rt) == [made], "a report is nothing that is past"
    counts = [vars(record)["fields"]["count"] for record in caplog.records if record.getMessage() == "purged"]
    assert counts == [1, 1, 2]


def test_a_repeated_hop_after_its_acts_are_forgotten_is_a_new_report(rt: Runtime) -> None:
    """Its key is gone, so nobody can know it for one: it must not fail, nor show the old code."""
    story.staff(rt)
    first = story.tell(rt)
    code = story.press(rt, story.DANGER).text.split("\n")[1]
    story.clock(rt).go(days=4)
    purge(rt)
    again = story.press(rt, story.DANGER).text.split("\n")[1]
    assert again != code
    assert len(set(story.reports(rt)) - {first}) == 1


def test_the_keys_are_looked_after_when_nobody_calls(
    light: Runtime, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The day's key steps on, months are made ahead, the mirror catches up; nothing stops the rest of a round."""
    mirror = tmp_path / "mirror"
    kept = replace(light, vault=Vault(light.settings.keys_dir, mirror))
    kept.vault.directory.begin_mirror()
    purge(kept)
    state = light.settings.keys_dir / "day.json"
    assert light.today().isoformat() in state.read_text()
    assert len(kept.vault.months.months()) == 25
    assert kept.vault.directory.mirror_trouble() == ""
    story.clock(light).at += timedelta(days=1)
    mirror.rename(tmp_path / "unmounted")
    purge(kept)
    assert light.today().isoformat() in state.read_text(), "and yesterday's can no longer be had"
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "keys.mirror_out_of_step"
    ]
    (tmp_path / "unmounted").rename(mirror)
    story.clock(light).at += timedelta(days=31)
    kept.vault.days.step(light.today())
    purge(kept)
    assert kept.vault.directory.mirror_trouble() == ""
    assert len(kept.vault.months.months()) == 26


def test_a_clock_gone_wild_forgets_no_act_whose_key_is_there(rt: Runtime) -> None:
    """The same dialogue would file a second report when it goes on."""
    story.staff(rt)
    made = story.tell(rt)
    acts, _, _ = left(rt)
    right = story.clock(rt).at
    story.clock(rt).at = right.replace(year=2099)
    purge(rt)
    story.clock(rt).at = right
    assert left(rt)[0] == acts > 0
    story.press(rt, story.DANGER)
    assert story.reports(rt) == [made]


def test_a_key_directory_that_is_away_does_not_keep_rows_from_being_forgotten(
    light: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    inbox.delivery_reported(light, Receipt("a stray", "delivered"))
    light.vault.days.overlapping(light.today())
    light.settings.keys_dir.rename(light.settings.keys_dir.with_name("unmounted"))
    story.clock(light).at += timedelta(days=1, minutes=1)
    purge(light)
    assert left(light) == (0, 0, 0)
    assert "keys.not_kept" in [record.getMessage() for record in caplog.records]
