"""The mirror of a key directory, on another disk or host: a copy without the ratchet, erased together with it.

A mirror may be away, or so far away that it hangs. So nobody waits for it long, and nobody holds the directory's
lock meanwhile: what is written is written here, and the mirror is brought into step at once, or when it is back.
What is destroyed is listed, here and there, and the list only grows: nothing on it is ever copied back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.vault.disk import erase, locked, make, period_file, periods_in, put, read

SERVER, ESCROW, DESTROYED, DAY, LOCK = "server.keys", "escrow.json", "destroyed", "day.json", "lock"
_LOOK, _BEGIN = 2.0, 60.0
"""Seconds that a look, and filling a mirror, may take before the mirror is said not to answer."""
AWAY: Final = "the mirror is away, or was never begun: mount it, or begin it with `python3 -m gateway keys init`"
SILENT: Final = "the mirror does not answer"
UNUSABLE: Final = "the mirror cannot be read or written"
FOREIGN: Final = "the mirror belongs to another installation: it is left alone"


class Mirror:
    """What stands between a key directory and its mirror. Safe to share between threads."""

    def __init__(self, here: Path, there: Path) -> None:
        self._here, self._there = here, there
        self._asking = threading.Lock()

    def trouble(self) -> str:
        """Why the mirror is no copy of the directory, in plain words; `""` when it is one."""
        return self._asked(lambda: self._compare(mend=False), _LOOK)

    def bring_into_step(self, patience: float) -> str:
        """Copy what either lacks, erase in both what is destroyed; then as `trouble`.

        A mirror without keys is left alone: its disk may not be mounted. Hold no lock."""
        return self._asked(self._mend, patience)

    def begin(self) -> str:
        """Fill a mirror that holds no keys yet, which only a person may ask for; then as `trouble`."""
        return self._asked(self._begin, _BEGIN)

    def holds_keys(self) -> bool:
        """Whether it answers and holds a server's key."""
        return self._asked(lambda: "" if self._begun() else AWAY, _LOOK) == ""

    def read(self, name: str) -> str | None:
        """The mirror's copy of a file; None when there is none, or it cannot be read."""
        found: list[str | None] = []

        def look() -> str:
            found.append(read(self._there / name))
            return ""

        self._asked(look, _LOOK)
        return found[0] if found else None

    def restore(self) -> None:
        """Everything but the ratchet, into a directory that lost its keys; the server's key last, so that who is
        cut off begins again. Hold the directory's lock. Raises OSError; ValueError when a file is no text."""
        gone = self._gone()
        if gone:
            put(self._here, DESTROYED, _listed(gone))
        for name in (
            *(period_file(period) for period in periods_in(self._there) if period not in gone),
            ESCROW,
            SERVER,
        ):
            text = read(self._there / name)
            if text and read(self._here / name) is None:
                put(self._here, name, text)

    def _asked(self, work: Callable[[], str], patience: float) -> str:
        """What `work` says, in a thread that may hang while we do not."""
        said: list[str] = []

        def ask() -> None:
            try:
                said.append(work())
            except (OSError, ValueError):
                said.append(UNUSABLE)
            finally:
                self._asking.release()

        if not self._asking.acquire(timeout=patience):
            return SILENT
        thread = threading.Thread(target=ask, name="mirror", daemon=True)
        thread.start()
        thread.join(patience)
        return said[0] if said else SILENT

    def _begun(self) -> bool:
        return (self._there / SERVER).exists()

    def _begin(self) -> str:
        if not self._begun():
            make(self._there)
            put(self._there, SERVER, read(self._here / SERVER) or "")
        return self._mend()

    def _mend(self) -> str:
        with locked(self._here, "mirror.lock"):  # one host at a time; whoever only writes here need not wait
            return self._compare(mend=True)

    def _compare(self, *, mend: bool) -> str:
        if not self._begun():
            return AWAY
        if _newer(_lines(self._here, SERVER), _lines(self._there, SERVER)) is None:
            return FOREIGN
        lags: set[str] = set()
        gone = self._gone()
        for root in (self._here, self._there):
            if gone - set(_lines(root, DESTROYED)):
                lags.add(DESTROYED)
                if mend:
                    self._put(root, DESTROYED, _listed(gone))
            for period in gone.intersection(periods_in(root)):
                lags.add(period)
                if mend:
                    self._erase(root, period_file(period))
        for name in (SERVER, ESCROW):
            here, there = _lines(self._here, name), _lines(self._there, name)
            newer = _newer(here, there)
            if newer is None:
                return f"{name} is not the mirror's: compare them by hand"
            if here != there:
                lags.add(name)
                if mend:
                    self._put(self._there if newer is here else self._here, name, "\n".join(newer) + "\n")
        for period in sorted({*periods_in(self._here), *periods_in(self._there)} - gone):
            name = period_file(period)
            here, there = _lines(self._here, name), _lines(self._there, name)
            if here and there and here != there:
                return f"the key of {period} is not the mirror's: compare them by hand"
            if here != there:
                lags.add(period)
                if mend:
                    self._put(self._there if here else self._here, name, "\n".join(here or there) + "\n")
        if (self._there / DAY).exists():  # somebody copied the directory by hand
            lags.add(DAY)
            if mend:
                erase(self._there / DAY)
        return f"the mirror is out of step in {len(lags)} files" if lags and not mend else ""

    def _put(self, root: Path, name: str, text: str) -> None:
        if root == self._there:
            put(root, name, text)
            return
        with locked(root, LOCK):
            # Somebody may have destroyed it, or added to it, since it was read: the next round sees to the rest.
            if name == DESTROYED:
                put(root, name, _listed({*_lines(root, name), *text.split()}))
            elif name not in map(period_file, _lines(root, DESTROYED)) and (
                _newer(_lines(root, name), text.splitlines()) == text.splitlines()
            ):
                put(root, name, text)

    def _erase(self, root: Path, name: str) -> None:
        if root == self._there:
            erase(root / name)
            return
        with locked(root, LOCK):
            erase(root / name)

    def _gone(self) -> set[str]:
        return {*_lines(self._here, DESTROYED), *_lines(self._there, DESTROYED)}


def _lines(root: Path, name: str) -> list[str]:
    """A copy typed from paper may have capitals."""
    return (read(root / name) or "").lower().splitlines()


def _newer(one: list[str], other: list[str]) -> list[str] | None:
    """The newer of two lists that grow at the front only; None when neither is the end of the other."""
    shorter, longer = sorted((one, other), key=len)
    return longer if longer[len(longer) - len(shorter) :] == shorter else None


def _listed(periods: set[str]) -> str:
    return "".join(f"{period}\n" for period in sorted(periods))
