"""The desk: everything that a person at a page does with a report."""

from gateway.desk.doing import (
    NOTE_LETTERS,
    accept,
    agree_to_hold,
    ask_to_hold,
    close,
    grant,
    grant_from_escrow,
    hand_on,
    leave_out,
    note,
)
from gateway.desk.entry import Reader
from gateway.desk.reading import Answer, Letter, Note, Reading, read
from gateway.desk.writing import OWN, REASON_LETTERS, Draft, draft, open_number, write

__all__ = [
    "NOTE_LETTERS",
    "OWN",
    "REASON_LETTERS",
    "Answer",
    "Draft",
    "Letter",
    "Note",
    "Reader",
    "Reading",
    "accept",
    "agree_to_hold",
    "ask_to_hold",
    "close",
    "draft",
    "grant",
    "grant_from_escrow",
    "hand_on",
    "leave_out",
    "note",
    "open_number",
    "read",
    "write",
]
