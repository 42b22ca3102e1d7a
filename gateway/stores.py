"""What each store holds, for how long, and who can read it: one page, from the tables' own comments.

`gateway/casework/README.md` is that page. A table without such a comment, or a page that is not up to date, does
not pass the tests.
"""

from __future__ import annotations

from typing import Final

import gateway.casework  # noqa: F401 -- the tables are known once their nouns are loaded
from gateway.db import Base
from gateway.settings import ROOT

PAGE: Final = ROOT / "gateway/casework/README.md"
PARTS: Final = ("Holds: ", "Kept: ", "Read by: ")

_HEAD: Final = """\
# What each store holds, for how long, and who can read it

The tables come from their own comments in `gateway/casework/`; write this page anew with
`python3 -m gateway stores`. What a theft of each thing surrenders stands in `gateway/vault/README.md`.

## The database
"""

_ELSEWHERE: Final = (
    (
        "Redis or Valkey",
        "names of jobs and ids of rows",
        "until the job is done; a failed job a week, without its words",
        "the workers",
    ),
    (
        "key directory",
        "the server's keys, those of months and weeks, the chain of the day keys, the escrow's public half",
        "the day chain two days; a week five weeks; a month until its last report is gone; the rest for good",
        "the processes",
    ),
    (
        "mirror of the key directory",
        "the same, but for the day chain",
        "written and erased together with it",
        "whoever restores it",
    ),
    (
        "logs (standard error)",
        "names of events, counts, ids of rows, types of exceptions",
        "as your platform keeps them",
        "technicians",
    ),
    (
        "memory of a web process",
        "one caller's key presses, for one request; an opened report, for one page",
        "milliseconds",
        "whoever controls the machine",
    ),
    (
        "a colleague's browser",
        "a cookie that opens one session; no page is stored",
        "until they sign out, 8 hours at most",
        "whoever holds the phone while it is signed in",
    ),
    (
        "a reporter's phone, if they asked for an SMS",
        "one sentence, the same for everybody, that says neither from whom nor why",
        "as they keep it",
        "whoever holds the phone",
    ),
    (
        "SMS, at the operator and on a colleague's phone",
        "a six-digit reference and a deadline",
        "as they keep it",
        "whoever holds the phone",
    ),
    (
        "the phone company and the provider",
        "the number, the place, the hour, every key and every screen",
        "as they keep it",
        "they, and whoever can order them to; nothing here changes that",
    ),
)


def page() -> str:
    """The page as it should be. Raises ValueError for a table whose comment does not say all three things."""
    lines = [_HEAD, "| table | holds | kept | read by |", "|---|---|---|---|"]
    for table in sorted(Base.metadata.sorted_tables, key=lambda one: one.name):
        said = (table.comment or "").split("\n")
        if len(said) != len(PARTS) or not all(map(str.startswith, said, PARTS)):
            raise ValueError(f"the comment of the table {table.name} must say: {' … '.join(PARTS)}…")
        cells = (line.removeprefix(part) for line, part in zip(said, PARTS, strict=True))
        lines.append(f"| `{table.name}` | " + " | ".join(cells) + " |")
    lines += ["", "## Outside the database", "", "| store | holds | kept | read by |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in _ELSEWHERE]
    return "\n".join(lines) + "\n"


def write() -> None:
    """Bring the page up to date."""
    PAGE.write_text(page(), encoding="utf-8")
