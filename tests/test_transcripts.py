"""Whole conversations as text: what is pressed, what is shown, what is sent and what is written.

A file under tests/transcripts is played through the hook, and what happened is written down in the same form:
`>` is sent, `<` is shown, a line in brackets is something that happens besides, `sms` and `rows` are what is left
at the end. GATEWAY_REWRITE_TRANSCRIPTS=1 writes the files anew, for a person to read what has changed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from sqlalchemy import func, select

from gateway.casework.act import ActRow
from gateway.casework.caseworker import CaseWorker
from gateway.casework.journal import Entry
from gateway.casework.message import Message
from gateway.casework.plan import Envelope, PlanEntry
from gateway.casework.referral import Referral
from gateway.casework.report import Addition, Report
from gateway.later.sweep import sweep
from gateway.runtime import Runtime
from gateway.text import septets
from tests import build

FOLDER = Path(__file__).parent / "transcripts"
NAMES = sorted(path.stem for path in FOLDER.glob("*.txt"))
REWRITE = os.environ.get("GATEWAY_REWRITE_TRANSCRIPTS") == "1"
TABLES = (Report, Addition, PlanEntry, Envelope, Referral, Message, ActRow, Entry)

_CODE = re.compile(r"\b\d{4} \d{4} \d{4}\b")
_REFERENCE = re.compile(r"\b\d{6}\b")


class Player:
    """Plays one transcript and writes down what happens."""

    def __init__(self, rt: Runtime, clock: build.Clock) -> None:
        self.rt, self.clock = rt, clock
        self.phone = build.Phone(rt)
        self.lines: list[str] = []
        self.masks: dict[str, str] = {}

    def play(self, script: str) -> str:
        for line in script.splitlines():
            if line.startswith(("#", ">", "[")):
                self.lines.append(line)
            if line.startswith(">"):
                self._send(line[1:].removeprefix(" "))
            elif line.startswith("["):
                self._happens(line.strip("[]"))
            sweep(self.rt)
        return "\n".join([*self.lines, *self._sms(), *self._rows(), ""])

    def _send(self, typed: str) -> None:
        if typed.startswith("dial"):
            screen = self.phone.dial(text=typed.removeprefix("dial").strip())
        else:
            screen = self.phone.press(typed)
        assert septets(screen) <= 160
        self.lines += [f"< {shown}".rstrip() for shown in self._masked(screen).split("\n")]
        if self.phone.ended:
            self.lines.append("  (end)")

    def _happens(self, what: str) -> None:
        match what.split():
            case ["again"]:  # the provider posts the last hop once more
                assert self.phone.call("ussd", text=self.phone.text)[4:] == self.phone.screen
            case ["hangs", "up"]:
                self.phone.hang_up()
                self.phone.ended = False
            case ["dropped"]:  # the network lost the session and nobody says so
                self.phone.ended = False
            case [minutes, "minute" | "minutes", "pass" | "passes"]:
                self.clock.go(minutes=int(minutes))
            case _:
                raise AssertionError(f"not understood: [{what}]")

    def _masked(self, words: str) -> str:
        for found in [*_CODE.findall(words), *_REFERENCE.findall(words)]:
            if found not in self.masks:
                kind = sum(len(other) == len(found) for other in self.masks) + 1
                self.masks[found] = f"CODE {kind:04} {kind:04}" if " " in found else f"REF{kind:03}"
            words = words.replace(found, self.masks[found])
        return words

    def _sms(self) -> list[str]:
        with self.rt.db.read() as db:
            people = {
                f"+2430000{at:05d}": name
                for at, name in enumerate(db.scalars(select(CaseWorker.name).order_by(CaseWorker.id)), 1)
            }
        sent = build.operator(self.rt).sms
        return ["", *(f"sms {people[number]}: {self._masked(words)}" for number, words in sent)] if sent else []

    def _rows(self) -> list[str]:
        where_it_stands = (Report.site_id, Report.language, Report.day, Report.state)
        columns = (Report.topic, Report.severity, Report.lane, *where_it_stands)
        with self.rt.db.read() as db:
            counted = {table.__tablename__: db.scalar(select(func.count()).select_from(table)) for table in TABLES}
            reports = db.execute(select(*columns).order_by(Report.topic)).all()
        counts = " ".join(f"{name}={count}" for name, count in counted.items() if count) or "none"
        coarse = [" ".join("-" if value is None else str(value) for value in row) for row in reports]
        return ["", f"rows {counts}", *(f"report {row}" for row in coarse)]


@pytest.mark.parametrize("name", NAMES)
def test_a_conversation_goes_as_it_is_written_down(name: str, tmp_path: Path) -> None:
    path = FOLDER / f"{name}.txt"
    clock = build.Clock()
    rt = build.runtime(tmp_path, clock=clock)
    build.staff(rt)
    build.sites(rt, "Site Alpha", "Site Beta", "Site Gamma", "Site Delta", "Site Epsilon", "Site Zeta")
    happened = Player(rt, clock).play(path.read_text(encoding="utf-8"))
    rt.close()
    if REWRITE:
        path.write_text(happened, encoding="utf-8")
    assert happened == path.read_text(encoding="utf-8")


def test_there_are_conversations_in_every_language() -> None:
    assert {"fr", "sw_CD", "ln"} <= {name.rpartition("-")[2] for name in NAMES}
