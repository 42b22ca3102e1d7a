"""The key directory: a server key that is there or says so, made once, and restored from the mirror."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest

from gateway.vault import disk, escrow
from gateway.vault.days import DayKeys
from gateway.vault.directory import KeyDirectory, KeysMissing, create
from gateway.vault.months import MonthKeys

DAY = date(2026, 11, 21)


def files(root: Path) -> dict[str, bytes]:
    """Everything but locks."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.endswith("lock")
    }


def furnished(path: Path, mirror: Path) -> KeyDirectory:
    """A directory with everything in it, and its mirror."""
    create(path, mirror)
    directory = KeyDirectory(path, mirror)
    months = MonthKeys(directory)
    months.prepare(DAY)
    with directory.locked():
        directory.write("months/2026-09.key", "0a" * 32 + "\n")
    months.destroy("2026-09", DAY)
    escrow.establish(directory)
    DayKeys(directory).overlapping(DAY)
    assert directory.bring_into_step() == ""
    return directory


def test_a_new_directory_and_its_mirror_are_the_owners_alone(tmp_path: Path) -> None:
    home, mirror = tmp_path / "deep" / "keys", tmp_path / "far" / "mirror"
    create(home, mirror)
    for root in (home, mirror):
        assert stat.S_IMODE(root.stat().st_mode) == 0o700
        assert stat.S_IMODE((root / "server.keys").stat().st_mode) == 0o600
    assert files(home) == files(mirror)


def test_a_server_key_is_never_made_twice(tmp_path: Path) -> None:
    create(tmp_path)
    first = files(tmp_path)
    with pytest.raises(FileExistsError):
        create(tmp_path)
    assert files(tmp_path) == first


def test_of_many_that_make_a_key_at_the_same_time_one_does(tmp_path: Path) -> None:
    home, mirror, start = tmp_path / "keys", tmp_path / "mirror", threading.Barrier(8)

    def make(_: int) -> bool:
        start.wait()
        try:
            create(home, mirror)
        except FileExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(make, range(8))) == 1
    assert KeyDirectory(home, mirror).bring_into_step() == ""
    assert files(home) == files(mirror)
    assert len(KeyDirectory(home).server_keys()) == 1


def test_two_processes_that_make_and_prepare_at_once_have_one_key_of_each(tmp_path: Path) -> None:
    program = (
        "import sys, datetime, pathlib\n"
        "from gateway.vault.directory import KeyDirectory, create\n"
        "from gateway.vault.months import MonthKeys\n"
        "home, mirror = map(pathlib.Path, sys.argv[1:])\n"
        "try: create(home, mirror)\n"
        "except FileExistsError: pass\n"
        "directory = KeyDirectory(home, mirror)\n"
        "print(MonthKeys(directory).prepare(datetime.date(2026, 11, 21)))\n"
        "directory.bring_into_step()\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "keys"), str(tmp_path / "mirror")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sum(int(each.communicate()[0]) for each in both) == 25
    assert [each.returncode for each in both] == [0, 0, 0]
    assert files(tmp_path / "keys") == files(tmp_path / "mirror")
    assert len(files(tmp_path / "keys")) == 26


def test_a_missing_server_key_says_where_and_what_to_do(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    for mirror in (None, tmp_path / "no mirror"):
        with pytest.raises(KeysMissing, match=r"make one with .*keys init") as missing:
            KeyDirectory(nowhere, mirror).server_keys()
        assert str(nowhere) in str(missing.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"ab",
        b"5e" * 31,
        b"5e" * 33,
        b"5e" * 31 + b"zz",
        b"\xff\xfe" * 32,
        b"5e" * 31 + b"5",
        bytes(64),
    ],
    ids=["empty", "a line", "a letter", "short", "long", "not hex", "not text", "half a byte", "nought"],
)
def test_a_damaged_server_key_is_refused_without_showing_any_of_it(tmp_path: Path, content: bytes) -> None:
    for text in (content, b"5e" * 32 + b"\n" + content):
        (tmp_path / "server.keys").write_bytes(text)
        if text.split() == [b"5e" * 32]:
            continue
        with pytest.raises(KeysMissing) as missing:
            KeyDirectory(tmp_path).server_keys()
        told = str(missing.value).replace(str(tmp_path), "")
        assert "5e" not in told
        assert "zz" not in told
        beneath = missing.value.__context__  # it quotes what stood there
        assert beneath is None or missing.value.__suppress_context__


def test_a_server_key_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "server.keys").mkdir()
    with pytest.raises(KeysMissing, match="cannot be read"):
        KeyDirectory(tmp_path).server_keys()


def test_a_server_key_typed_from_paper_is_the_same_key(tmp_path: Path) -> None:
    (tmp_path / "server.keys").write_bytes(b"5E" * 32 + b"\r\n" + b"6f" * 32)
    assert KeyDirectory(tmp_path).server_keys() == [b"\x5e" * 32, b"\x6f" * 32]


def test_a_new_server_key_stands_before_the_older_ones(tmp_path: Path) -> None:
    create(tmp_path)
    directory = KeyDirectory(tmp_path)
    first = directory.server_keys()
    directory.add_server_key()
    directory.add_server_key()
    assert directory.server_keys()[2:] == first
    assert len(set(directory.server_keys())) == 3


def test_what_changes_a_file_shows(tmp_path: Path) -> None:
    create(tmp_path)
    directory = KeyDirectory(tmp_path)
    assert directory.seen("escrow.json") is None
    with directory.locked():
        directory.write("escrow.json", "one")
        first = directory.seen("escrow.json")
        directory.write("escrow.json", "two")
    assert None not in (first, directory.seen("escrow.json"))
    assert directory.seen("escrow.json") != first


def test_nothing_is_written_where_the_disk_of_the_keys_is_not_mounted(tmp_path: Path) -> None:
    """It would be out of sight when the disk is back, and everything sealed under it shut."""
    directory = KeyDirectory(tmp_path)
    with directory.locked(), pytest.raises(OSError, match="mounted"):
        directory.write("months/2026-11.key", "00" * 32)
    assert files(tmp_path) == {}


def test_keys_of_months_without_a_server_key_are_not_passed_over(tmp_path: Path) -> None:
    create(tmp_path)
    MonthKeys(KeyDirectory(tmp_path)).prepare(DAY)
    (tmp_path / "server.keys").unlink()
    with pytest.raises(KeysMissing, match="back from a copy"):
        create(tmp_path)
    assert not (tmp_path / "server.keys").exists()


# Restored from the mirror


def test_a_lost_directory_is_restored_from_the_mirror_without_its_ratchet(tmp_path: Path) -> None:
    home, mirror = tmp_path / "keys", tmp_path / "mirror"
    furnished(home, mirror)
    before = files(home)
    shutil.rmtree(home)
    with pytest.raises(KeysMissing, match="keys init` restores it from there"):
        KeyDirectory(home, mirror).server_keys()
    create(home, mirror)
    assert files(home) == {name: text for name, text in before.items() if name != "day.json"}
    assert MonthKeys(KeyDirectory(home)).destroyed() == ["2026-09"]


def test_a_restore_brings_no_destroyed_month_back(tmp_path: Path) -> None:
    """Killed between the word and the deed, the mirror may still hold it."""
    home, mirror = tmp_path / "keys", tmp_path / "mirror"
    furnished(home, mirror)
    (mirror / "months" / "2026-09.key").write_text("0a" * 32)
    shutil.rmtree(home)
    create(home, mirror)
    for root in (home, mirror):
        assert "months/2026-09.key" not in files(root)
    with pytest.raises(KeyError):
        MonthKeys(KeyDirectory(home)).key("2026-09", make=True)


def test_a_restore_that_was_cut_off_begins_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, mirror = tmp_path / "keys", tmp_path / "mirror"
    furnished(home, mirror)
    before = files(mirror)
    shutil.rmtree(home)
    puts = 0

    def put(root: Path, name: str, text: str) -> None:
        nonlocal puts
        puts += 1
        if puts % 5 == 0:
            raise OSError(28, "No space left on device")
        disk.put(root, name, text)

    monkeypatch.setattr("gateway.vault.mirror.put", put)
    for _ in range(20):
        with suppress(OSError):
            create(home, mirror)
            break
        assert "server.keys" not in files(home)
    assert puts > 20
    assert files(home) == before


def test_a_mirror_whose_keys_are_damaged_restores_nothing(tmp_path: Path) -> None:
    home, mirror = tmp_path / "keys", tmp_path / "mirror"
    mirror.mkdir()
    for content in (b"\xff" * 64, b"5e" * 31, b""):
        (mirror / "server.keys").write_bytes(content)
        with pytest.raises(KeysMissing):
            create(home, mirror)
        assert files(home) == {}


def test_a_key_shows_in_no_repr(tmp_path: Path) -> None:
    create(tmp_path)
    directory = KeyDirectory(tmp_path, tmp_path / "mirror")
    assert directory.server_keys()[0].hex() not in repr(directory) + repr(vars(directory))
