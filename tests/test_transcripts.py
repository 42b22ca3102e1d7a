"""Whole conversations as text: what is pressed, what is shown, what is sent and what is written.

A file under tests/transcripts is played through the hook, and what happened is written down in the same form:
`>` is sent, `<` is shown, a line in brackets is something that happens besides, `sms` and `rows` are what is left
at the end. A code is masked as it is shown, `CODE 0001 0001`, and typed by its mask.
GATEWAY_REWRITE_TRANSCRIPTS=1 writes the files anew, for a person to read what has changed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from sqlalchemy import func, select

from gateway import desk
from gateway.casework import chain
from gateway.casework.act import ActRow
from gateway.casework.caseworker import CaseWorker
from gateway.casework.contact import Contact
from gateway.casework.journal import Entry
from gateway.casework.letter import Letter
from gateway.casework.message import Message
from gateway.casework.plan import Envelope, PlanEntry
from gateway.casework.referral import Referral
from gateway.casework.reminder import Reminder
from gateway.casework.report import Addition, Outcome, Report
from gateway.later.purge import purge
from gateway.later.sweep import sweep
from gateway.runtime import Runtime
from gateway.text import septets
from tests import build
from tests.later import story

FOLDER = Path(__file__).parent / "transcripts"
NAMES = sorted(path.stem for path in FOLDER.glob("*.txt"))
REWRITE = os.environ.get("GATEWAY_REWRITE_TRANSCRIPTS") == "1"
TABLES = (
    Report, Addition, Letter, Contact, PlanEntry, Envelope, Referral, Message, Reminder, ActRow, Entry,
)  # fmt: skip
WAY_BACK = (
    "status_received", "status_waiting", "in_work", "letter", "question", "closed_settled", "closed_reopened",
    "withdrawn", "withdrawn_emergency", "unknown_code", "expired_code", "settled_code", "blocked_code",
    "call_back", "call_back_other_number", "reminder", "call_back_stuck",
)  # fmt: skip
"""What whoever comes back with a code, or asks to be called, sees and does."""
ACCUSING = ("accused_case_worker", "accused_after_dispatch", "complaint")
"""What whoever says that a case worker did it sees, and to whom it goes."""
STAFF = ("worker", "supervisor", "integrity")

_CODE = re.compile(r"\b\d{4} \d{4} \d{4}\b")
_REFERENCE = re.compile(r"\b\d{6}\b")


class Player:
    """Plays one transcript and writes down what happens."""

    def __init__(self, rt: Runtime, clock: build.Clock, staff: dict[str, int]) -> None:
        self.rt, self.clock, self.staff = rt, clock, staff
        self.phone = build.Phone(rt)
        self.phones = self.calls = 1
        self.lines: list[str] = []
        self.masks: dict[str, str] = {}
        self.reports: list[int] = []
        """Those that were filed so far, the newest last; what people do, they do with that one."""

    def play(self, script: str) -> str:
        for line in script.splitlines():
            if line.startswith(("#", ">", "[")):
                self.lines.append(line)
            if line.startswith(">"):
                self._send(line[1:].removeprefix(" "))
            elif line.startswith("["):
                self._happens(line.strip("[]"))
            sweep(self.rt)
        with self.rt.db.read(still=True) as db:
            assert chain.verify(db, self.rt.vault.journal_key).faults == []
        return "\n".join([*self.lines, *self._sms(), *self._rows(), ""])

    def _send(self, typed: str) -> None:
        if typed.startswith("dial"):
            screen = self.phone.dial(f"ATUid_{self.calls:04}", typed.removeprefix("dial").strip())
            self.calls += 1
        else:
            screen = self.phone.press(self._unmasked(typed))
        assert septets(screen) <= 160
        self.lines += [f"< {shown}".rstrip() for shown in self._masked(screen).split("\n")]
        if self.phone.ended:
            self.lines.append("  (end)")
        self.reports += [made for made in story.reports(self.rt) if made not in self.reports]

    def _happens(self, what: str) -> None:
        match what.split():
            case ["again"]:  # the provider posts the last hop once more
                assert self.phone.call("ussd", text=self.phone.text)[4:] == self.phone.screen
            case ["hangs", "up"]:
                self.phone.hang_up()
                self.phone.ended = False
            case ["dropped"]:  # the network lost the session and nobody says so
                self.phone.ended = False
            case ["somebody", "dials", "from", "elsewhere"]:
                self.phones += 1
                self.phone = build.Phone(self.rt, caller=f"+24399{self.phones:07}")
            case [minutes, "minute" | "minutes", "pass" | "passes"]:
                self.clock.go(minutes=int(minutes))
            case [days, "day" | "days", "pass" | "passes"]:
                self.clock.go(days=int(days))
                purge(self.rt)
            case [person, *_] if person in STAFF:
                self._does(self.staff[person], what.removeprefix(person).strip())
            case _:
                raise AssertionError(f"not understood: [{what}]")

    def _does(self, person: int, what: str) -> None:
        """What somebody at the desk does; what they see of it is indented."""
        rt, reader, made = self.rt, build.reader(person), self.reports[-1]
        doing, _, words = what.partition(": ")
        match doing.split():
            case ["takes", "it"]:
                assert desk.accept(rt, reader, made)
            case ["writes"]:
                desk.write(rt, reader, made, desk.OWN, words)
            case ["asks" | "sends", ready]:
                desk.write(rt, reader, made, ready, "")
            case ["closes", "it", outcome]:
                desk.close(rt, reader, made, Outcome(outcome), words)
            case ["opens", "the", "number"]:
                reach = desk.open_number(rt, reader, made, words)
                mine = any(code.replace(" ", "").endswith(reach.digits) for code in self.masks if " " in code)
                self.lines.append(f"  {reach.number} {reach.hours} {'true digits' if mine else 'WRONG DIGITS'}")
            case ["reads", "it"]:
                self._reads(reader, made)
            case _:
                raise AssertionError(f"not understood: {what}")

    def _reads(self, reader: desk.Reader, made: int) -> None:
        read = desk.read(self.rt, reader, made)
        if read is None:
            self.lines.append("  not here")
            return
        asks = "the reporter wants to withdraw" if read.row.silent and read.row.state != "closed" else ""
        self.lines += [
            *(f"  {each.field}: {each.words}" for each in read.answers),
            *(f"  {one.author or 'reporter'}: {one.words}" for one in read.letters),
            *(["  no story"] if not read.answers else []),
            *([f"  contact: {read.contact}"] if read.contact else []),
            *([f"  {asks}"] if asks else []),
        ]

    def _masked(self, words: str) -> str:
        for found in [*_CODE.findall(words), *_REFERENCE.findall(words)]:
            if found not in self.masks:
                kind = sum(len(other) == len(found) for other in self.masks) + 1
                self.masks[found] = f"CODE {kind:04} {kind:04}" if " " in found else f"REF{kind:03}"
            words = words.replace(found, self.masks[found])
        return words

    def _unmasked(self, typed: str) -> str:
        """The twelve digits for the mask of a code."""
        for code, mask in self.masks.items():
            typed = typed.replace(mask, code.replace(" ", ""))
        return typed

    def _sms(self) -> list[str]:
        with self.rt.db.read() as db:
            people = {
                f"+2430000{at:05d}": name
                for at, name in enumerate(db.scalars(select(CaseWorker.name).order_by(CaseWorker.id)), 1)
            }
        sent = build.operator(self.rt).sms
        return [
            *([""] if sent else []),
            *(f"sms {people.get(number, 'reporter')}: {self._masked(words)}" for number, words in sent),
        ]

    def _rows(self) -> list[str]:
        where_it_stands = (Report.site_id, Report.language, Report.day, Report.state)
        columns = (Report.topic, Report.severity, Report.lane, *where_it_stands)
        with self.rt.db.read() as db:
            counted = {table.__tablename__: db.scalar(select(func.count()).select_from(table)) for table in TABLES}
            reports = db.execute(select(*columns, Report.outcome, Report.silent).order_by(Report.topic)).all()
        counts = " ".join(f"{name}={count}" for name, count in counted.items() if count) or "none"
        coarse = [
            " ".join([
                *("-" if value is None else str(value) for value in row[: len(columns)]),
                *([row.outcome] if row.outcome else []),
                *(["silent"] if row.silent else []),
            ])
            for row in reports
        ]  # fmt: skip
        return ["", f"rows {counts}", *(f"report {row}" for row in coarse)]


@pytest.mark.parametrize("name", NAMES)
def test_a_conversation_goes_as_it_is_written_down(name: str, tmp_path: Path) -> None:
    path = FOLDER / f"{name}.txt"
    clock = build.Clock()
    rt = build.runtime(tmp_path, clock=clock)
    staff = build.staff(rt)
    build.sites(rt, "Site Alpha", "Site Beta", "Site Gamma", "Site Delta", "Site Epsilon", "Site Zeta")
    happened = Player(rt, clock, staff).play(path.read_text(encoding="utf-8"))
    rt.close()
    if REWRITE:
        path.write_text(happened, encoding="utf-8")
    assert happened == path.read_text(encoding="utf-8")


def test_there_are_conversations_in_every_language() -> None:
    assert {"fr", "sw_CD", "ln"} <= {name.rpartition("-")[2] for name in NAMES}


@pytest.mark.parametrize("language", ["fr", "sw_CD", "ln"])
def test_every_conversation_of_the_way_back_and_about_a_case_worker_is_there_in_every_language(
    language: str,
) -> None:
    assert {f"{name}-{language}" for name in (*WAY_BACK, *ACCUSING)} <= set(NAMES)
