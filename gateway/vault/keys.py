"""The key directory: the server's key, and the day keys that a one-way ratchet steps.

The directory lies outside the database and its backups. The ratchet's file holds only the chain value of
yesterday; from it today's follows, and tomorrow's, never an older one. So a hash made under a day's key says
nothing once that day is two days gone.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

from nacl import encoding
from nacl import hash as nacl_hash

ONE_DAY = timedelta(days=1)


class KeysMissing(Exception):
    """The key directory is not there or not whole; the message says what to do and holds no key."""


class ServerKey:
    """The 32 bytes that this installation's other keys derive from."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose (1 to 16 ASCII letters)."""
        return keyed(self._key, b"", purpose)


def keyed(key: bytes, data: bytes, purpose: str, size: int = 32) -> bytes:
    """BLAKE2b of `data` under `key`, personalised with `purpose`."""
    return nacl_hash.blake2b(
        data, digest_size=size, key=key, person=purpose.encode("ascii"), encoder=encoding.RawEncoder
    )


def create(directory: Path) -> None:
    """Make a key directory, mode 0700. Raises FileExistsError when it already holds a server key."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    path = directory / "server.key"
    with _locked(directory):  # of two that begin at once, the second must not replace the first's key
        if path.exists():
            raise FileExistsError(str(path))
        _write(path, secrets.token_bytes(32).hex())


def open_server_key(directory: Path) -> ServerKey:
    """Read the server's key. Raises KeysMissing."""
    path = directory / "server.key"
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        raise KeysMissing(
            f"no server key in {directory}: make one with `python3 -m gateway keys init`, or point "
            "KEYS_DIR at the directory this database was used with"
        ) from None
    except (OSError, ValueError):
        raise KeysMissing(f"the server key in {directory} cannot be read") from None
    if len(key) != 32:
        raise KeysMissing(f"the server key in {directory} is not whole")
    return ServerKey(key)


class DayKeys:
    """The keys of yesterday, today and tomorrow. A clock behind the ratchet's day uses the ratchet's day."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        # The ratchet's day and the keys around it, under one name, so that threads see both parts or neither.
        self._state: tuple[date, dict[date, bytes]] | None = None

    def key(self, day: date, clock: date) -> bytes:
        """The 32-byte key of a day, which is yesterday, today or tomorrow. Raises KeyError for another."""
        return self._stepped(clock)[1][day]

    def overlapping(self, clock: date) -> tuple[date, bytes, bytes]:
        """The day that counts, its key and the key of the day before, all of one moment: a thread that steps the
        ratchet at midnight must not take the older key away from another."""
        today, keys = self._stepped(clock)
        return today, keys[today], keys[today - ONE_DAY]

    def _stepped(self, clock: date) -> tuple[date, dict[date, bytes]]:
        state = self._state
        if state is not None and clock <= state[0]:
            return state
        with _locked(self._directory):
            day, chain = self._load(clock)
            if clock > day:
                for _ in range((clock - day).days):
                    chain = keyed(chain, b"", "day step")
                day = clock
            # Written even when nothing stepped: a ratchet begun anew must be the same for every process.
            _write(self._directory / "day.json", json.dumps({"day": day.isoformat(), "chain": chain.hex()}))
        keys: dict[date, bytes] = {}
        for each in (day - ONE_DAY, day, day + ONE_DAY):
            keys[each] = keyed(chain, b"", "day key")
            chain = keyed(chain, b"", "day step")
        self._state = state = day, keys
        return state

    def _load(self, clock: date) -> tuple[date, bytes]:
        """The ratchet's day and yesterday's chain value; a lost or broken file is begun anew."""
        try:
            state = json.loads((self._directory / "day.json").read_text(encoding="ascii"))
            day, chain = date.fromisoformat(state["day"]), bytes.fromhex(state["chain"])
            if len(chain) == 32 and date.min < day < date.max:
                return day, chain
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return clock - ONE_DAY, secrets.token_bytes(32)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    handle = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(path: Path, text: str) -> None:
    """Whole or not at all: a new file of mode 0600, flushed, then renamed into place."""
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
