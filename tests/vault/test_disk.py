"""Files of keys: the owner's alone, whole or not at all, and nothing left of them where they lay."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gateway.vault import disk


def modes(root: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in (root, *root.rglob("*"))}


def test_what_is_made_is_the_owners_alone_whatever_the_mask(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "keys"
    before = os.umask(0)
    try:
        disk.make(root)
        with disk.locked(root, "lock"):
            disk.put(root, "server.keys", "text")
            disk.put(root, "months/2026-11.key", "text")
    finally:
        os.umask(before)
    assert modes(root) == {
        "keys": 0o700,
        "lock": 0o600,
        "months": 0o700,
        "server.keys": 0o600,
        "2026-11.key": 0o600,
    }


def test_a_directory_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    root = tmp_path / "keys"
    root.mkdir(mode=0o755)
    disk.make(root)
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_what_root_makes_belongs_to_the_owner_of_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A technician who ran a command as root must not lock the server out of its own keys."""
    given: list[tuple[int, int]] = []
    monkeypatch.setattr("gateway.vault.disk.os.geteuid", lambda: 0)
    monkeypatch.setattr("gateway.vault.disk.os.chown", lambda _, user, group: given.append((user, group)))
    with disk.locked(tmp_path, "lock"):
        disk.put(tmp_path, "months/2026-11.key", "text")
    owner = tmp_path.stat()
    assert given == [(owner.st_uid, owner.st_gid)] * 3, "the lock, the folder and the file"


def test_a_missing_file_is_none_and_a_damaged_one_no_text(tmp_path: Path) -> None:
    assert disk.read(tmp_path / "nothing") is None
    (tmp_path / "damaged").write_bytes(b"\xff")
    with pytest.raises(ValueError):
        disk.read(tmp_path / "damaged")
    with pytest.raises(OSError):
        disk.read(tmp_path)


def test_a_replaced_file_is_another_one_so_that_a_reader_sees_either_whole(tmp_path: Path) -> None:
    disk.put(tmp_path, "file", "older")
    with (tmp_path / "file").open() as reading:
        disk.put(tmp_path, "file", "newer")
        assert reading.read() == "older"
    assert disk.read(tmp_path / "file") == "newer"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("failing", ["os.fsync", "Path.replace"])
def test_a_write_that_fails_leaves_the_older_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    disk.put(tmp_path, "file", "older")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"gateway.vault.disk.{failing}", full)
    with pytest.raises(OSError):
        disk.put(tmp_path, "file", "newer", blank=True)
    assert disk.read(tmp_path / "file") == "older"


def test_a_blanked_file_is_overwritten_where_it_lay(tmp_path: Path) -> None:
    disk.put(tmp_path, "file", "older secret")
    with (tmp_path / "file").open("rb") as lay:
        disk.put(tmp_path, "file", "newer", blank=True)
        assert lay.read() == bytes(len("older secret"))
    assert disk.read(tmp_path / "file") == "newer"


def test_an_erased_file_is_overwritten_and_gone_with_what_lay_beside_it(tmp_path: Path) -> None:
    disk.put(tmp_path, "months/2026-11.key", "secret")
    cut_off = tmp_path / "months" / "2026-11.new"
    cut_off.write_text("secret")
    with (tmp_path / "months/2026-11.key").open("rb") as one, cut_off.open("rb") as other:
        disk.erase(tmp_path / "months/2026-11.key")
        assert one.read() == other.read() == bytes(len("secret"))
    assert list((tmp_path / "months").iterdir()) == []
    disk.erase(tmp_path / "months/2026-11.key")


def test_everything_is_flushed_before_it_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file before its rename, the directory after; the overwriting before the unlinking."""
    done: list[str] = []
    fsync, replace, unlink = os.fsync, Path.replace, Path.unlink

    def flush(descriptor: int) -> None:
        done.append("flush folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "flush file")
        fsync(descriptor)

    def rename(self: Path, to: Path) -> Path:
        done.append("rename")
        return replace(self, to)

    def remove(self: Path, missing_ok: bool = False) -> None:
        done.append("unlink")
        unlink(self, missing_ok=missing_ok)

    monkeypatch.setattr("gateway.vault.disk.os.fsync", flush)
    monkeypatch.setattr(Path, "replace", rename)
    monkeypatch.setattr(Path, "unlink", remove)
    disk.put(tmp_path, "file", "text")
    assert done == ["flush file", "rename", "flush folder"]
    done.clear()
    disk.erase(tmp_path / "file")
    assert done == ["flush file", "unlink", "flush folder"]


def test_the_lock_holds_out_threads_and_processes(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from gateway.vault import disk\n"
        "with disk.locked(pathlib.Path(sys.argv[1]), 'lock'): print('mine', flush=True)"
    )
    entered = threading.Event()

    def enter() -> None:
        with disk.locked(tmp_path, "lock"):
            entered.set()

    thread = threading.Thread(target=enter)
    with disk.locked(tmp_path, "lock"):
        child = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        thread.start()
        assert not entered.wait(0.3)
        assert child.poll() is None
    assert child.communicate()[0] == "mine\n"
    thread.join()
    assert entered.is_set()


def test_only_months_count_as_months(tmp_path: Path) -> None:
    for name in ("2026-11.key", "2026-01.key", "2026-13.key", "2026-12.new", "x.key", "..key"):
        disk.put(tmp_path, f"months/{name}", "text")
    assert disk.months_in(tmp_path) == ["2026-01", "2026-11"]
    assert disk.months_in(tmp_path / "nowhere") == []
    assert disk.period_file("2026-11") == "months/2026-11.key"
