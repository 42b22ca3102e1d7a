"""What the acts of one hop share: the transaction, the moment, what names a dialogue and each of its acts."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from gateway import flows
from gateway.casework import caseworker, exclusion, organisation, plan, referral, report, route
from gateway.providers import Ended, Hop
from gateway.runtime import Runtime, Unit
from gateway.vault import CodeKeys

QUIET = timedelta(minutes=3)
"""How long after its last answer a dialogue counts as ended, when nobody says so."""
MOST_URGENT = "P0"


@dataclass(frozen=True, slots=True)
class Stage:
    """One hop at work. `reports` are those of this dialogue so far, by where they were filed or asked for, `codes`
    what was shown or typed for each, and `letters` which letter a code has shown."""

    rt: Runtime
    unit: Unit
    hop: Hop
    now: datetime
    today: date
    language: str
    reports: dict[int, int] = field(default_factory=dict)
    codes: dict[int, str] = field(default_factory=dict, repr=False)
    letters: dict[int, int] = field(default_factory=dict)

    def locked(self, one: flows.Act) -> report.Coarse:
        """The report that an act is about, to be changed. Raises LookupError when it is not there any more."""
        found = report.lock(self.unit.db, self.reports[one.about]) if one.about in self.reports else None
        if found is None:
            raise LookupError("the report of this act is not there")
        return found

    def open(self, one: flows.Act) -> report.Coarse:
        """The same, as long as it is neither closed nor taken back by its reporter. Raises LookupError."""
        found = self.locked(one)
        if found.state is report.State.CLOSED or found.silent:
            raise LookupError("the report is closed, or was withdrawn")
        return found

    def body(self, one: flows.Act, *, to: int | None = None) -> bytes:
        """The sealed body describes itself: each answer with its field, its value and the words that were shown;
        and which letter it answers."""
        answers = [
            {"screen": answer.screen, "field": answer.field, "value": answer.value, "words": answer.words}
            for answer in one.answers
        ]
        body: dict[str, object] = {"version": 1, "book": self.rt.book.digest, "language": self.language}
        body |= {"answers": answers} | ({"to": to} if to is not None else {})
        return json.dumps(body, ensure_ascii=False).encode("utf-8")

    def steps(self, lane: str, site_id: int | None, language: str) -> list[route.Step]:
        """Nobody of it sees anything before the report is dispatched: by then it may be known who did it."""
        directory = self.rt.directory
        steps = route.plan(
            lane=lane, site=site_id, language=language, people=directory.people, load=directory.load
        )
        return [replace(step, opened=False) for step in steps]

    def screen_words(self, found: report.Coarse, one: flows.Act) -> None:
        """Whoever is named in what was written hears of the report no more, nor their organisation, nor whoever
        answers to them. The words are looked at here, in memory."""
        words = [
            answer.value
            for answer in one.answers
            if answer.field == "text" and (answer.field, answer.value) not in self.rt.book.settable
        ]
        if words:
            organisations = organisation.every(self.unit.db)
            named = exclusion.by_words(self.people(), organisations, "\n".join(words))
            if named.all:
                self.leave_out(found, named.sparing(plan.deciding(self.unit.db, found.id)))

    def people(self) -> list[caseworker.Person]:
        """Everybody as they stand now: a list that is some seconds old is no measure of who may not hear."""
        return caseworker.every(self.unit.db)

    def leave_out(self, found: report.Coarse, people: set[int]) -> None:
        """Take people off the plan with their keys; what was brought to one of them is brought to another."""
        if people and referral.leave_out(self.unit.db, found, people, self.now):
            report.set_dispatch(self.unit.db, found.id, self.now)
            self.unit.nudge("dispatch", found.id)

    def answered(self, found: report.Coarse) -> None:
        """The reporter has written: whoever answers for the report looks at it within the time they had to take
        it."""
        if found.state is report.State.ACCEPTED:
            within = self.now + self.rt.book.severities[found.severity].accept[0]
            report.set_clock(self.unit.db, found.id, min(found.due_at, within))


class Codes:
    """Codes and what they open, each slow hash made once for a hop however often its transaction is tried."""

    def __init__(self, rt: Runtime, today: date, days: Mapping[bytes, date]) -> None:
        # The day of the act's own marks, by its material: a day begun since then would give another code.
        self._rt, self._today, self._days = rt, today, days
        self._keys: dict[tuple[bytes, int], CodeKeys] = {}

    def day(self, material: bytes) -> date:
        """The day that a filing belongs to: the day keys', which no clock can put back."""
        return self._days[material]

    def keys(self, material: bytes, attempt: int) -> CodeKeys:
        key = material, attempt
        if key not in self._keys:
            vault = self._rt.vault
            code = vault.code(self._days[material], self._today, material, attempt)
            self._keys[key] = vault.code_keys(code)
        return self._keys[key]


def reference() -> str:
    """What people say to each other for a report."""
    return f"{secrets.randbelow(900_000) + 100_000}"


def dialogue(hop: Hop | Ended) -> bytes:
    """What names a dialogue."""
    return json.dumps([hop.provider, hop.session, hop.caller, hop.service_code]).encode("utf-8")


def material(hop: Hop, upto: int, kind: str) -> bytes:
    """What names an act: the dialogue, every input up to the one that caused it, and its kind."""
    return json.dumps([hop.provider, hop.session, hop.caller, hop.service_code, hop.inputs[:upto], kind]).encode(
        "utf-8"
    )
