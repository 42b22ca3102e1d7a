"""The months' keys, made long before. What a month's reports hold expires when its key is destroyed."""

from __future__ import annotations

from datetime import date

from gateway.vault.directory import KeyDirectory
from gateway.vault.disk import MONTH, period_file
from gateway.vault.periods import PeriodKeys

AHEAD = 24
"""Months made ahead, so that a directory that takes no writing for long still takes reports."""
SURE = 1
"""Months that a lost clock may be ahead of the last one that is known to have come, and be believed."""


class MonthKeys(PeriodKeys):
    """The months of one key directory, each `2026-11`."""

    FORM = MONTH

    def to_file(self, day: date) -> tuple[str, bytes]:
        """The month that locks a report filed on `day`, and its key, made when it never was. When that month was
        destroyed the clock is far behind: then it is the month after the newest destroyed one, because nobody is
        turned away for a clock. Raises OSError."""
        month = f"{day:%Y-%m}"
        try:
            return month, self.key(month, make=True)
        except KeyError:
            newest = max(self.destroyed())
            month = ahead(date.fromisoformat(f"{newest}-01"))[1]
            return month, self.key(month, make=True)

    def prepare(self, today: date) -> int:
        """Make the keys of this month and of AHEAD more, and finish what a kill left half destroyed; returns how
        many were made. Raises OSError."""
        made = 0
        with self._directory.locked():
            gone = set(self.destroyed())
            there = self._directory.month_names()
            for month in gone.intersection(there):
                self._directory.erase(period_file(month))
            for month in ahead(today):
                if month not in there and month not in gone:
                    made += self._make(month) is not None
        return made

    def months(self) -> list[str]:
        """The months that still open, oldest first."""
        gone = set(self.destroyed())
        return [month for month in self._directory.month_names() if month not in gone]

    def destroy(self, month: str, today: date) -> None:
        """Erase a month's key; the mirror is brought into step by the caller. Doing it again does no harm. Raises
        ValueError, with words for a person, for a month that is not past or never was."""
        if not MONTH.fullmatch(month):
            raise ValueError("Write the month as a year and two digits: 2026-11.")
        if month >= f"{today:%Y-%m}":
            raise ValueError(f"{month} is not past: its key is still needed.")
        with self._directory.locked():
            if month not in self.destroyed() and month not in self._directory.month_names():
                raise ValueError(f"There is no key of {month}.")
            self._erase(month)


def is_beyond(directory: KeyDirectory, clock: date) -> bool:
    """Whether this clock is further on than the months that were made tell: they reach AHEAD of the last one that
    came. A directory without any tells nothing."""
    names = directory.month_names()
    if not names:
        return False
    year, month = map(int, names[-1].split("-"))
    return clock.year * 12 + clock.month > year * 12 + month - AHEAD + SURE


def ahead(today: date) -> list[str]:
    """This month and the AHEAD after it."""
    first = today.year * 12 + today.month - 1
    return [f"{at // 12:04d}-{at % 12 + 1:02d}" for at in range(first, first + AHEAD + 1)]
