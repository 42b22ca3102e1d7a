"""The weeks' keys: each locks how the reporters of that week can be reached, and is destroyed soon after."""

from __future__ import annotations

from datetime import date

from gateway.vault.disk import WEEK
from gateway.vault.periods import PeriodKeys


class WeekKeys(PeriodKeys):
    """The weeks of one key directory, each `2026-w48`."""

    FORM = WEEK

    def destroy_before(self, day: date) -> list[str]:
        """Erase the keys of all weeks before that of `day`, and what a kill left half destroyed; returns which
        were erased. The mirror is brought into step by the caller. Raises OSError."""
        with self._directory.locked():
            past = [week for week in self._directory.week_names() if week < week_of(day)]
            if past:
                self._erase(*past)
        return past


def week_of(day: date) -> str:
    """The week of ISO 8601 that a day lies in."""
    year, week, _ = day.isocalendar()
    return f"{year:04d}-w{week:02d}"
