"""Once the key of a month is destroyed, nothing that was told in it opens: for nobody, from no copy, nowhere."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway import desk, vault
from gateway.casework import Refused, journal, plan, session
from gateway.casework.referral import HandOnReason
from gateway.casework.verb import Verb
from gateway.later.dispatch import dispatch
from gateway.later.purge import purge
from gateway.runtime import Runtime
from gateway.vault import escrow
from tests import build
from tests.later import story
from tests.servers import NewDatabase
from tests.thief import lived
from tests.thief.kit import Kit, Loot

WORDS = {"2026-11": "mvula kubwa novemba", "2026-12": "mvula ndogo desemba"}
LATER = datetime(2027, 2, 1, 8, tzinfo=UTC)


@dataclass
class House:
    """Two months with a report each, in February."""

    rt: Runtime
    staff: dict[str, int]
    reports: dict[str, int]
    sheets: tuple[str, str, str]
    before: Loot
    """Database and key directory as they were before anything was destroyed."""

    def opens(self, rt: Runtime, reader: desk.Reader) -> set[str]:
        """The months whose report this reader reads, words and all."""
        found = set()
        for month, made in self.reports.items():
            reading = desk.read(rt, reader, made)
            assert reading is not None
            if WORDS[month] in [answer.words for answer in reading.answers]:
                found.add(month)
            else:
                assert (reading.locked, reading.answers) == (True, [])
        return found

    def destroy(self) -> None:
        self.rt.vault.months.destroy("2026-11", self.rt.today())
        self.rt.vault.directory.bring_into_step()

    @property
    def homes(self) -> tuple[Path, Path]:
        """The key directory and its mirror."""
        assert self.rt.settings.keys_mirror is not None
        return self.rt.settings.keys_dir, self.rt.settings.keys_mirror


def lived_in(tmp_path: Path, database_url: str | None) -> House:
    rt = build.runtime(tmp_path, database_url, keys_mirror=tmp_path / "mirror")
    rt.vault.directory.begin_mirror()
    staff = story.staff(rt)
    sheets = escrow.establish(rt.vault.directory)
    reports = {}
    for at, (month, words) in enumerate(WORDS.items()):
        story.clock(rt).at = datetime.fromisoformat(f"{month}-25T08:00:00+00:00")
        rt.vault.days.step(rt.today())  # as the clock does every day
        rt.directory.renew()
        purge(rt)
        reports[month] = story.tell(rt, ("2", "2", "4", "1", "1", "1", "1", "7", "7", words), f"dialogue {at}")
    story.clock(rt).at = LATER
    rt.vault.days.step(rt.today())
    for made in reports.values():
        dispatch(rt, made)
    return House(rt, staff, reports, sheets, taken(rt))


def taken(rt: Runtime) -> Loot:
    return Loot(lived.rows(rt.db), [], lived.key_files(rt.settings.keys_dir))


@pytest.fixture
def house(tmp_path: Path, new_database: NewDatabase) -> Iterator[House]:
    made = lived_in(tmp_path, new_database(build.migrated))
    yield made
    made.rt.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[House]:
    """On SQLite alone, for what does not depend on the database."""
    made = lived_in(tmp_path, None)
    yield made
    made.rt.close()


def stolen(loot: Loot, *secrets: str) -> set[str]:
    """Which months' words a thief reads with this loot, everybody's passphrase, and sheets of the escrow."""
    kit = Kit(Loot(loot.tables, loot.stores))
    kit.take(loot.files)
    kit.passphrase(build.PASSPHRASE)
    kit.sheets(*secrets)
    words = kit.work().words()
    return {month for month, said in WORDS.items() if said.encode() in words}


def test_whoever_could_read_a_month_reads_only_the_others(house: House) -> None:
    readers = [build.reader(house.staff[name]) for name in ("worker", "supervisor")]
    assert [house.opens(house.rt, reader) for reader in readers] == [set(WORDS)] * 2
    house.destroy()
    assert [house.opens(house.rt, reader) for reader in readers] == [{"2026-12"}] * 2


def test_a_process_that_runs_on_opens_nothing_of_it_any_more(house: House) -> None:
    other = build.another(house.rt)
    reader = build.reader(house.staff["worker"])
    assert house.opens(other, reader) == set(WORDS)
    house.destroy()
    assert house.opens(other, reader) == {"2026-12"}
    other.close()


def test_a_session_from_before_opens_nothing_of_it_any_more(house: House) -> None:
    rt, worker = house.rt, house.staff["worker"]
    with rt.begin() as unit:
        cookie = session.begin(unit.db, rt.vault, worker, rt.now(), build.reader(worker).key)
    house.destroy()
    with rt.db.read() as db:
        found = session.who(db, session.token_of(rt.vault, cookie), rt.now())
    assert found is not None
    assert found[0].key_sealed is not None
    key = rt.vault.session_open(cookie, found[0].key_sealed)
    assert house.opens(rt, desk.Reader(worker, key)) == {"2026-12"}


def test_two_sheets_and_those_who_give_keys_bring_nothing_of_it_back(house: House) -> None:
    rt, worker, officer = house.rt, house.staff["worker"], house.staff["integrity"]
    pairs = escrow.open_pairs(rt.vault.directory, *house.sheets[:2])
    house.destroy()
    lost = plan.Enclosed(bytes(32), b"of a key that somebody has no more")
    with rt.begin() as unit:
        for made in house.reports.values():
            plan.enclose(unit.db, made, {worker: lost, officer: lost})
            journal.write(unit.db, rt.now(), Verb.GRANTED, report=made)
    gone, supervisor = house.reports["2026-11"], build.reader(house.staff["supervisor"])
    with pytest.raises(Refused) as told:
        desk.grant(rt, supervisor, gone, worker)
    assert "cannot open" in told.value.why
    with pytest.raises(Refused) as told:
        desk.hand_on(rt, supervisor, gone, HandOnReason.AWAY, officer)
    assert "cannot open" in told.value.why
    assert list(desk.grant_from_escrow(rt, worker, pairs))[-1] == (1, 1, 2)
    assert house.opens(rt, build.reader(worker)) == {"2026-12"}


def test_a_thief_with_every_copy_every_passphrase_and_every_sheet_reads_only_the_others(house: House) -> None:
    assert stolen(house.before) == set(WORDS), "before, they would read all"
    house.destroy()
    now = taken(house.rt)
    for tables in (house.before.tables, now.tables):
        for files in (now.files, lived.key_files(house.homes[1])):
            assert stolen(Loot(tables, [], files), *house.sheets) == {"2026-12"}
    assert not [name for name in now.files if "2026-11" in name]


def test_an_older_copy_of_the_database_put_back_opens_nothing_of_it(small: House, tmp_path: Path) -> None:
    live = Path(small.rt.db.engine.url.database or "")
    with closing(sqlite3.connect(live)) as db, closing(sqlite3.connect(tmp_path / "backup.sqlite")) as backup:
        db.backup(backup)
    small.destroy()
    small.rt.db.dispose()
    for path in live.parent.glob(f"{live.name}-*"):
        path.unlink()
    shutil.copy(tmp_path / "backup.sqlite", live)
    restored = build.another(small.rt)
    assert small.opens(restored, build.reader(small.staff["worker"])) == {"2026-12"}
    pairs = escrow.open_pairs(restored.vault.directory, *small.sheets[1:])
    assert restored.vault.months.destroyed() == ["2026-11"]
    assert stolen(taken(restored), *small.sheets) == {"2026-12"}
    assert len(pairs) == 1
    restored.close()


def test_an_older_copy_of_the_month_s_file_put_back_opens_nothing_and_goes_again(small: House) -> None:
    """Somebody restores what should have been in no backup: the list of what is gone says no."""
    small.destroy()
    for home in small.homes:
        (home / "months" / "2026-11.key").write_text(small.before.files["months/2026-11.key"])
    other = build.another(small.rt)
    assert small.opens(other, build.reader(small.staff["worker"])) == {"2026-12"}
    purge(other)
    assert [home for home in small.homes if (home / "months" / "2026-11.key").exists()] == []
    other.close()


@pytest.mark.parametrize("dies_in", ["erase", "bring_into_step"])
def test_a_kill_between_the_word_and_the_deed_finishes_itself_at_the_next_start(
    small: House, dies_in: str
) -> None:
    program = (
        "import os, sys, signal, datetime, pathlib\n"
        "from gateway.vault import Vault, directory\n"
        "def die(*_): os.kill(os.getpid(), signal.SIGKILL)\n"
        "home, mirror = map(pathlib.Path, sys.argv[1:3])\n"
        "vault = Vault.open_directory(home, mirror)\n"
        "setattr(directory.KeyDirectory, sys.argv[3], die)\n"
        "vault.months.destroy('2026-11', datetime.date(2027, 2, 1))\n"
        "vault.directory.bring_into_step()\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", program, *map(str, small.homes), dies_in], check=False, capture_output=True
    )
    assert (killed.returncode, killed.stderr) == (-9, b"")
    left = [home for home in small.homes if (home / "months" / "2026-11.key").exists()]
    assert left == list(small.homes if dies_in == "erase" else small.homes[1:])
    reader = build.reader(small.staff["worker"])
    assert small.opens(small.rt, reader) == {"2026-12"}, "at once, whatever still lies there"
    started = build.another(small.rt)
    purge(started)
    assert [home for home in small.homes if (home / "months" / "2026-11.key").exists()] == []
    assert small.opens(started, reader) == {"2026-12"}
    key = small.before.files["months/2026-11.key"].strip().encode()
    for path in (path for home in small.homes for path in home.rglob("*") if path.is_file()):
        assert key not in path.read_bytes()
    started.close()


def test_a_mirror_that_was_away_is_erased_when_it_is_back(small: House, tmp_path: Path) -> None:
    home, mirror = small.homes
    mirror.rename(tmp_path / "away")
    small.destroy()
    (tmp_path / "away").rename(mirror)
    assert (mirror / "months" / "2026-11.key").exists()
    assert small.opens(small.rt, build.reader(small.staff["worker"])) == {"2026-12"}
    purge(small.rt)
    assert not (mirror / "months" / "2026-11.key").exists()
    assert not (mirror / "day.json").exists()
    # A directory that is lost afterwards comes back from the mirror without it.
    shutil.rmtree(home)
    vault.create(home, mirror)
    restored = build.another(small.rt)
    assert small.opens(restored, build.reader(small.staff["worker"])) == {"2026-12"}
    restored.close()


def test_what_is_added_to_it_afterwards_is_read_by_nobody_either(small: House) -> None:
    small.destroy()
    reader = build.reader(small.staff["supervisor"])
    desk.note(small.rt, reader, small.reports["2026-11"], "mvula ndogo desemba")
    loot = taken(small.rt)
    loot.tables["report"] = [row for row in loot.tables["report"] if row["month"] == "2026-11"]
    assert stolen(loot, *small.sheets) == set()
