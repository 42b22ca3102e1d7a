"""Keys of periods: 32 random bytes each, outside the database. What was locked with one expires when it is
destroyed, in every copy of the database at once. Months lock what reports hold, weeks how a reporter is reached.
"""

from __future__ import annotations

import re
import secrets
from typing import ClassVar

from gateway.vault.directory import DESTROYED, KeyDirectory
from gateway.vault.disk import period_file


class PeriodKeys:
    """The keys of one kind of period. Nothing is kept in memory: what is destroyed is gone for every process."""

    FORM: ClassVar[re.Pattern[str]]

    def __init__(self, directory: KeyDirectory) -> None:
        self._directory = directory

    def key(self, period: str, *, make: bool = False) -> bytes:
        """The key of a period; with `make`, made when it never was. Raises KeyError when it was destroyed or never
        made, OSError when the directory cannot be read or written."""
        if not self.FORM.fullmatch(period):
            raise KeyError(period)
        found = self._whole(self._read(period))
        if found is None and make:
            with self._directory.locked():
                found = self._whole(self._read(period)) or self._make(period)
        if found is None or period in self._directory.destroyed():
            raise KeyError(period)
        return found

    def destroyed(self) -> list[str]:
        """The periods whose key is gone for good, oldest first."""
        return sorted(period for period in self._directory.destroyed() if self.FORM.fullmatch(period))

    def _erase(self, *periods: str) -> None:
        """Hold the lock."""
        # Said before it is done: who is killed in between finishes it at the next start.
        gone = {*self._directory.destroyed(), *periods}
        self._directory.write(DESTROYED, "".join(f"{each}\n" for each in sorted(gone)))
        for period in periods:
            self._directory.erase(period_file(period))

    def _read(self, period: str) -> str | None:
        try:
            return self._directory.read(period_file(period))
        except ValueError:
            return None

    def _make(self, period: str) -> bytes | None:
        """A key where none is; None when it was destroyed. The mirror's, when only this copy was lost: another
        would shut what was sealed under it."""
        if period in self._directory.destroyed():
            return None
        made = self._whole(self._directory.in_mirror(period_file(period))) or secrets.token_bytes(32)
        self._directory.write(period_file(period), made.hex() + "\n")
        return made

    @staticmethod
    def _whole(text: str | None) -> bytes | None:
        """A key of 32 bytes; None of a file that is missing, damaged or just being overwritten."""
        try:
            key = bytes.fromhex(text or "")
        except ValueError:
            return None
        return key if len(key) == 32 else None
