"""The keys of yesterday, today and tomorrow: a one-way ratchet, and a clock that is not always believed.

The ratchet's file holds only the chain value of its yesterday; from it today's follows, and tomorrow's, never an
older one. So a hash made under a day's key says nothing once that day is two days gone.

The file decides. A process that holds other keys than the file (it was lost, or begun anew by somebody) takes up
the file's within CHECK seconds; in between, a dialogue that crosses two processes may file twice, and nothing is
lost.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from gateway import log
from gateway.vault.directory import DAY, SERVER, KeyDirectory
from gateway.vault.months import is_beyond
from gateway.vault.seal import keyed

ONE_DAY = timedelta(days=1)
FAR = timedelta(days=4)
"""A clock this far ahead of the ratchet's day is still believed: a long weekend without power."""
EARLIEST, LATEST = date(2026, 1, 1), date(9999, 12, 1)
"""No clock before this program was written is right: such a day counts as the first, and a ratchet begun on it
follows the next clock however far it goes."""
CHECK = 60.0
"""Seconds for which what is in memory is used without looking at the file."""
LOCK = "day.lock"
"""The ratchet's own: nobody who writes other keys keeps a caller waiting at midnight."""


@dataclass(frozen=True, slots=True)
class _State:
    """All that a thread may need, under one name, so that it sees all of it or none."""

    day: date
    keys: dict[date, bytes] = field(repr=False)
    ahead: date | None
    """The clock that was last found too far ahead to be believed."""
    doubted: bool
    """Begun anew on a clock that nothing in the directory vouches for."""
    seen: object
    until: float


class DayKeys:
    """The ratchet of one key directory. Safe to share between threads."""

    def __init__(self, directory: KeyDirectory, ticks: Callable[[], float] = time.monotonic) -> None:
        self._directory, self._ticks = directory, ticks
        self._state: _State | None = None
        self._warned = False

    def key(self, day: date, clock: date) -> bytes:
        """The 32-byte key of the ratchet's yesterday, today or tomorrow. Raises KeyError for another day."""
        return self._stepped(clock).keys[day]

    def overlapping(self, clock: date) -> tuple[date, bytes, bytes]:
        """The day that counts, its key and the key of the day before, all of one moment: a thread that steps the
        ratchet at midnight must not take the older key away from another."""
        state = self._stepped(clock)
        return state.day, state.keys[state.day], state.keys[state.day - ONE_DAY]

    def far_ahead(self, clock: date) -> bool:
        """Whether the clock is too far ahead of the ratchet's day to be believed: nothing steps until `step`."""
        return self._stepped(clock).day < _bounded(clock)

    def far_behind(self, clock: date) -> bool:
        """Whether the ratchet's day is more than a day ahead of the clock: nothing steps until that day comes."""
        return self._stepped(clock).day - clock > ONE_DAY

    def doubted(self, clock: date) -> bool:
        """Whether the ratchet was lost and begun anew on a clock far ahead of the months that were made: reports
        are taken on it, but nothing is erased by it until `step`."""
        return self._stepped(clock).doubted

    def step(self, clock: date) -> None:
        """Begin anew at the clock's day, whichever way the ratchet was wrong: a person says that it is right."""
        with self._directory.locked(LOCK):
            self._keep(_bounded(clock), secrets.token_bytes(32), write=True)

    def _stepped(self, clock: date) -> _State:
        state = self._state
        if state is not None and (clock <= state.day or clock == state.ahead):
            if self._ticks() < state.until:
                return state
            if self._unchanged(state):
                self._state = state = replace(state, until=self._ticks() + CHECK)
                return state
        clock = _bounded(clock)
        with self._directory.locked(LOCK):
            loaded = self._load()
            day, chain, doubted = loaded or (clock, secrets.token_bytes(32), is_beyond(self._directory, clock))
            known = day
            if day < clock and (clock - day <= FAR or day == EARLIEST):
                for _ in range((clock - day).days):
                    chain = keyed(chain, b"", "day step")
                day = clock
            try:
                return self._keep(day, chain, clock, doubted=doubted, write=loaded is None or day != known)
            except OSError as error:
                if loaded is None:
                    raise  # keys that nobody else can know would file everything twice
                # Whoever steps the same file has the same keys; it is written when the disk takes it again.
                log.warn("keys.day_unwritten", error=error)
                return self._keep(day, chain, clock, doubted=doubted, write=None)

    def _keep(
        self, day: date, chain: bytes, clock: date | None = None, *, doubted: bool = False, write: bool | None
    ) -> _State:
        """The state in memory; on disk as well, or there already, or (None) not to be had there."""
        if write:
            said = {"day": day.isoformat(), "chain": chain.hex()} | ({"doubted": True} if doubted else {})
            self._directory.write(DAY, json.dumps(said))
        ahead = clock if clock is not None and clock > day else None
        if ahead is not None and not self._warned:
            log.warn("keys.clock_ahead", count=(ahead - day).days)
        self._warned = ahead is not None
        keys: dict[date, bytes] = {}
        for each in (day - ONE_DAY, day, day + ONE_DAY):
            keys[each] = keyed(chain, b"", "day key")
            chain = keyed(chain, b"", "day step")
        seen = "nothing" if write is None else self._directory.seen(DAY)
        self._state = state = _State(day, keys, ahead, doubted, seen, self._ticks() + CHECK)
        return state

    def _unchanged(self, state: _State) -> bool:
        try:
            if self._directory.seen(SERVER) is not None:
                return self._directory.seen(DAY) == state.seen
        except OSError:
            pass
        return True  # a directory that is away changes nothing before the next day

    def _load(self) -> tuple[date, bytes, bool] | None:
        """The ratchet's day, yesterday's chain value, and whether the day is doubted; None for a lost or broken
        file."""
        try:
            state = json.loads(self._directory.read(DAY) or "")
            day, chain = date.fromisoformat(state["day"]), bytes.fromhex(state["chain"])
            if len(chain) == 32 and EARLIEST <= day <= LATEST:
                return day, chain, "doubted" in state
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return None


def _bounded(clock: date) -> date:
    return max(EARLIEST, min(clock, LATEST))
