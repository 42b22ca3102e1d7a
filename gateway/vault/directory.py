"""The key directory: small files outside the database and its backups, and one mirror of them elsewhere.

    server.keys          what this installation's other keys derive from, the newest first, a line each
    months/2026-11.key   what every envelope of that month is locked with once more
    weeks/2026-w48.key   what locks how the reporters of that week can be reached
    destroyed            months and weeks whose key is gone for good, a line each
    escrow.json          the escrows' public halves and envelopes, the newest first, a line each
    day.json             the ratchet of the day keys; never in the mirror, which would keep yesterday alive

Whoever writes or erases holds the lock, on whichever host. Readers need none: a file is replaced whole.
"""

from __future__ import annotations

import errno
import secrets
from contextlib import AbstractContextManager
from pathlib import Path

from gateway.vault import disk
from gateway.vault.mirror import DAY, DESTROYED, ESCROW, LOCK, SERVER, Mirror

__all__ = ["DAY", "DESTROYED", "ESCROW", "SERVER", "KeyDirectory", "KeysMissing", "create"]


class KeysMissing(Exception):
    """The key directory is not there or not whole; the message says what to do and holds no key."""


def create(path: Path, mirror: Path | None = None) -> None:
    """Make a key directory, mode 0700, and its mirror. A mirror that holds keys already gives them back.

    Raises FileExistsError when the directory already holds a server key, KeysMissing when it holds other keys or
    the mirror's cannot be read, OSError when a directory cannot be made."""
    disk.make(path)
    directory = KeyDirectory(path, mirror)
    with directory.locked():  # of two that begin at once, the second must not replace the first's key
        if directory.read(SERVER) is not None:
            raise FileExistsError(str(path))
        if mirror is not None and (mirror / SERVER).exists():
            try:
                _keys(disk.read(mirror / SERVER) or "", mirror)
                Mirror(path, mirror).restore()
            except ValueError:
                raise KeysMissing(f"the keys in the mirror {mirror} cannot be read") from None
        elif disk.months_in(path):
            raise KeysMissing(
                f"{path} holds keys of months but no server key: put server.keys back from a copy, or begin in an "
                "empty directory"
            )
        else:
            directory.write(SERVER, secrets.token_hex(32) + "\n")
    if mirror is not None:
        disk.make(mirror)
        directory.begin_mirror()


class KeyDirectory:
    """The files of one key directory, and of its mirror when there is one."""

    def __init__(self, path: Path, mirror: Path | None = None) -> None:
        self.path, self.mirror = path, mirror
        self._mirrored = Mirror(path, mirror) if mirror is not None else None

    def server_keys(self) -> list[bytes]:
        """32 bytes each, the newest first. Raises KeysMissing."""
        try:
            text = self.read(SERVER)
        except (OSError, ValueError):
            raise KeysMissing(f"the server key in {self.path} cannot be read") from None
        if text is not None:
            return _keys(text, self.path)
        if self._mirrored is not None and self._mirrored.holds_keys():
            raise KeysMissing(
                f"no server key in {self.path}, but its mirror has one: "
                "`python3 -m gateway keys init` restores it from there"
            )
        raise KeysMissing(
            f"no server key in {self.path}: make one with `python3 -m gateway keys init`, or point "
            "KEYS_DIR at the directory this database was used with"
        )

    def add_server_key(self) -> None:
        """A new one in front; the older stay. The mirror has it after `bring_into_step`. Raises OSError."""
        with self.locked():
            self.write(SERVER, f"{secrets.token_hex(32)}\n{self.read(SERVER) or ''}")

    def locked(self, name: str = LOCK) -> AbstractContextManager[None]:
        """Held by one thread of one process of one host at a time. Raises OSError without the directory."""
        return disk.locked(self.path, name)

    def read(self, name: str) -> str | None:
        """A file's text, None when there is none. Raises OSError; ValueError when it is no text."""
        return disk.read(self.path / name)

    def seen(self, name: str) -> tuple[int, int, int] | None:
        """What changes whenever a file does; None when there is none. Raises OSError."""
        try:
            found = (self.path / name).stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def write(self, name: str, text: str) -> None:
        """Whole or not at all, flushed, mode 0600. The mirror has it after `bring_into_step`. Hold the lock.
        Raises OSError, also when there is no server key: then the disk that holds the keys is not mounted, and
        what was written would be out of sight when it is."""
        if name != SERVER and self.seen(SERVER) is None:
            raise FileNotFoundError(errno.ENOENT, "no server key here: is its disk mounted?", str(self.path))
        disk.put(self.path, name, text, blank=name == DAY)

    def erase(self, name: str) -> None:
        """Overwritten, flushed, unlinked, flushed. Hold the lock. Raises OSError."""
        disk.erase(self.path / name)

    def month_names(self) -> list[str]:
        """The months that have a file here, oldest first."""
        return disk.months_in(self.path)

    def week_names(self) -> list[str]:
        """The weeks that have a file here, oldest first."""
        return disk.weeks_in(self.path)

    def destroyed(self) -> set[str]:
        """Months and weeks whose key is gone for good."""
        return set((self.read(DESTROYED) or "").split())

    def in_mirror(self, name: str) -> str | None:
        """The mirror's copy of a file; None when there is none, or it cannot be read."""
        return self._mirrored.read(name) if self._mirrored is not None else None

    def mirror_trouble(self) -> str:
        """Why the mirror is no copy of this directory, in plain words; `""` when it is, or there is none. Takes at
        most some seconds, whatever the mirror does."""
        return self._mirrored.trouble() if self._mirrored is not None else ""

    def bring_into_step(self, patience: float = 30.0) -> str:
        """Copy what either lacks, erase in both what is destroyed; what is still wrong, as `mirror_trouble`. After
        `patience` seconds it goes on behind our back. Hold no lock."""
        return self._mirrored.bring_into_step(patience) if self._mirrored is not None else ""

    def begin_mirror(self) -> str:
        """Fill a mirror that holds no keys yet: only a person knows that its disk is mounted. Answers as
        `mirror_trouble`."""
        return self._mirrored.begin() if self._mirrored is not None else ""


def _keys(text: str, where: Path) -> list[bytes]:
    try:
        keys = [bytes.fromhex(line) for line in text.split()]
    except ValueError:
        raise KeysMissing(f"the server key in {where} cannot be read") from None
    if not keys or any(len(key) != 32 for key in keys):
        raise KeysMissing(f"the server key in {where} is not whole")
    return keys
