"""Small files that hold keys: read in one go, replaced whole or not at all, erased as well as a disk allows."""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

MONTH: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])", re.ASCII)
"""How a month is written, `2026-11`."""
WEEK: Final = re.compile(r"[0-9]{4}-w(0[1-9]|[1-4][0-9]|5[0-3])", re.ASCII)
"""How a week of ISO 8601 is written, in small letters: `2026-w48`."""


@contextmanager
def locked(root: Path, name: str) -> Iterator[None]:
    """Held by one thread of one process of one host at a time. Raises OSError when `root` is not there."""
    handle = os.open(root / name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _give(handle, root)
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def make(root: Path) -> None:
    """A directory of mode 0700, also when it was there and open to others. Raises OSError."""
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:  # which would say that keys are there
        raise NotADirectoryError(errno.ENOTDIR, "Not a directory", str(root)) from None
    root.chmod(0o700)


def read(path: Path) -> str | None:
    """A file's text, None when there is none. Raises OSError; ValueError when it is no text."""
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        return None


def put(root: Path, name: str, text: str, *, blank: bool = False) -> None:
    """Whole or not at all: a new file of mode 0600, flushed, then renamed into place. With `blank` the older file
    is overwritten, which only those may ask who read it under a lock. Hold a lock. Raises OSError."""
    path = root / name
    if path.parent != root:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _give(path.parent, root)
        _flush(root)
    fresh = _fresh(path)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as handle:
        _give(handle.fileno(), root)
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    if blank and path.is_file():
        with path.open("r+b", buffering=0) as older:
            fresh.replace(path)
            _flush(path.parent)
            _blank(older.fileno())
    else:
        fresh.replace(path)
        _flush(path.parent)


def erase(path: Path) -> None:
    """Overwritten, flushed, unlinked, flushed, with what a cut-off `put` left beside it; nothing when there is
    nothing. Hold a lock. Raises OSError."""
    for each in (path, _fresh(path)):
        try:
            with each.open("r+b", buffering=0) as handle:
                _blank(handle.fileno())
        except FileNotFoundError:
            continue
        each.unlink(missing_ok=True)
        _flush(each.parent)


def period_file(period: str) -> str:
    """Where the key of a month or a week lies in a directory."""
    return f"{'weeks' if WEEK.fullmatch(period) else 'months'}/{period}.key"


def months_in(root: Path) -> list[str]:
    """The months that have a file, oldest first."""
    return sorted(path.stem for path in (root / "months").glob("*.key") if MONTH.fullmatch(path.stem))


def weeks_in(root: Path) -> list[str]:
    """The weeks that have a file, oldest first."""
    return sorted(path.stem for path in (root / "weeks").glob("*.key") if WEEK.fullmatch(path.stem))


def periods_in(root: Path) -> list[str]:
    """The months and the weeks that have a file."""
    return [*months_in(root), *weeks_in(root)]


def _fresh(path: Path) -> Path:
    return path.with_suffix(".new")


def _blank(descriptor: int) -> None:
    """Nought over all of it: no key is read from that, and a plain disk keeps none."""
    os.pwrite(descriptor, bytes(os.fstat(descriptor).st_size), 0)
    os.fsync(descriptor)


def _give(file: int | Path, root: Path) -> None:
    """What root makes by hand must stay readable to the user whose directory it is."""
    if os.geteuid() == 0:
        owner = root.stat()
        os.chown(file, owner.st_uid, owner.st_gid)


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
