"""A change that a rule of the house forbids."""

from __future__ import annotations


class Refused(Exception):
    """`field` names the answer to mend (empty: the change as a whole), `why` is an English msgid with
    `%(name)s` places that `values` fill. It holds nothing that was typed unless a place says so."""

    def __init__(self, field: str, why: str, **values: str | int) -> None:
        super().__init__(field)
        self.field, self.why, self.values = field, why, values
