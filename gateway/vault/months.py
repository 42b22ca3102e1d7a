"""The months' keys: 32 random bytes each, made long before, outside the database. What a month's reports hold
expires when its key is destroyed, in every copy of the database at once.
"""

from __future__ import annotations

import secrets
from datetime import date

from gateway.vault.directory import DESTROYED, KeyDirectory
from gateway.vault.disk import MONTH, month_file

AHEAD = 24
"""Months made ahead, so that a directory that takes no writing for long still takes reports."""


class MonthKeys:
    """The months of one key directory. Nothing is kept in memory: what is destroyed is gone for every process."""

    def __init__(self, directory: KeyDirectory) -> None:
        self._directory = directory

    def key(self, month: str, *, make: bool = False) -> bytes:
        """The key of a month (`2026-11`); with `make`, made when it never was. Raises KeyError when it was
        destroyed or never made, OSError when the directory cannot be read or written."""
        if not MONTH.fullmatch(month):
            raise KeyError(month)
        found = self._whole(self._read(month))
        if found is None and make:
            with self._directory.locked():
                found = self._whole(self._read(month)) or self._make(month)
        if found is None or month in self._directory.destroyed():
            raise KeyError(month)
        return found

    def to_file(self, day: date) -> tuple[str, bytes]:
        """The month that locks a report filed on `day`, and its key, made when it never was. When that month was
        destroyed the clock is far behind: then it is the month after the newest destroyed one, because nobody is
        turned away for a clock. Raises OSError."""
        month = f"{day:%Y-%m}"
        try:
            return month, self.key(month, make=True)
        except KeyError:
            newest = max(self._directory.destroyed())
            month = ahead(date.fromisoformat(f"{newest}-01"))[1]
            return month, self.key(month, make=True)

    def prepare(self, today: date) -> int:
        """Make the keys of this month and of AHEAD more, and finish what a kill left half destroyed; returns how
        many were made. Raises OSError."""
        made = 0
        with self._directory.locked():
            gone = self._directory.destroyed()
            there = self._directory.month_names()
            for month in gone.intersection(there):
                self._directory.erase(month_file(month))
            for month in ahead(today):
                if month not in there and month not in gone:
                    made += self._make(month) is not None
        return made

    def months(self) -> list[str]:
        """The months that still open, oldest first."""
        gone = self._directory.destroyed()
        return [month for month in self._directory.month_names() if month not in gone]

    def destroyed(self) -> list[str]:
        """The months whose key is gone for good, oldest first."""
        return sorted(self._directory.destroyed())

    def destroy(self, month: str, today: date) -> None:
        """Erase a month's key, here and in the mirror (in one that is away, when it is back); doing it again does
        no harm. Raises ValueError, with words for a person, for a month that is not past or never was."""
        if not MONTH.fullmatch(month):
            raise ValueError("Write the month as a year and two digits: 2026-11.")
        if month >= f"{today:%Y-%m}":
            raise ValueError(f"{month} is not past: its key is still needed.")
        with self._directory.locked():
            gone = self._directory.destroyed()
            if month not in gone and month not in self._directory.month_names():
                raise ValueError(f"There is no key of {month}.")
            # Said before it is done: who is killed in between finishes it at the next start.
            self._directory.write(DESTROYED, "".join(f"{each}\n" for each in sorted({*gone, month})))
            self._directory.erase(month_file(month))
        self._directory.bring_into_step()

    def _read(self, month: str) -> str | None:
        try:
            return self._directory.read(month_file(month))
        except ValueError:
            return None

    def _make(self, month: str) -> bytes | None:
        """A key where none is; None when it was destroyed. The mirror's, when only this copy was lost: another
        would shut what was sealed under it."""
        if month in self._directory.destroyed():
            return None
        made = self._whole(self._directory.in_mirror(month_file(month))) or secrets.token_bytes(32)
        self._directory.write(month_file(month), made.hex() + "\n")
        return made

    @staticmethod
    def _whole(text: str | None) -> bytes | None:
        """A key of 32 bytes; None of a file that is missing, damaged or just being overwritten."""
        try:
            key = bytes.fromhex(text or "")
        except ValueError:
            return None
        return key if len(key) == 32 else None


def ahead(today: date) -> list[str]:
    """This month and the AHEAD after it."""
    first = today.year * 12 + today.month - 1
    return [f"{at // 12:04d}-{at % 12 + 1:02d}" for at in range(first, first + AHEAD + 1)]
