"""What tests of acts, jobs and pages share: dialogues that file a report, and what the rows say afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import select, update

from gateway import acts, hop
from gateway.casework import caseworker, journal, referral, report
from gateway.casework.caseworker import Role
from gateway.casework.message import Message
from gateway.casework.plan import PlanEntry
from gateway.casework.referral import Referral
from gateway.casework.report import Report
from gateway.casework.verb import Verb
from gateway.later.dispatch import dispatch
from gateway.providers import Ended, Hop
from gateway.runtime import Nudger, Runtime
from tests import build

DANGER = ("1", "1", "1", "1", "1")
"""A child in danger: P0, dispatched at once."""
HAZARD = ("2", "2", "2", "1", "1")
"""A danger or accident: P2, dispatched when the dialogue is over."""
COLLAPSE = (*HAZARD, "1", "1")
"""The same, and then it is a collapse with people in it: P0."""
SEXUAL = ("2", "2", "3", "1", "1", "1", "1")
"""Violence, and then it is sexual violence: P0, on the lane of its own."""
COMPLAINT = ("2", "2", "6", "1", "1")
"""A complaint about a case worker: P1, on the integrity lane."""
ACCUSED = (*DANGER, "1", "1", "5")
"""A child in danger, and then: a case worker did it."""


def person(rt: Runtime, name: str, role: Role = Role.CASE_WORKER) -> int:
    """Somebody who can do everything here."""
    with rt.db.read() as db:
        number = f"+2430001{len(caseworker.every(db)):05d}"
    return build.person(rt, name, role, number=number)


def staff(rt: Runtime) -> dict[str, int]:
    """A case worker, a supervisor, an integrity officer, and a site."""
    build.sites(rt, "Site A")
    return {
        "worker": person(rt, "Worker"),
        "supervisor": person(rt, "Supervisor", Role.SUPERVISOR),
        "integrity": person(rt, "Integrity", Role.INTEGRITY_OFFICER),
    }


def press(rt: Runtime, keys: tuple[str, ...], session: str = "one", caller: str = "+243990000009") -> hop.Screen:
    """One hop with its whole history."""
    return hop.answer(rt, Hop("africastalking", session, caller, build.CODE, keys))


def tell(rt: Runtime, keys: tuple[str, ...] = DANGER, session: str = "one") -> int:
    """A dialogue from its first key to its last; returns the report."""
    before = set(reports(rt))
    for at in range(len(keys) + 1):
        press(rt, keys[:at], session)
    (made,) = set(reports(rt)) - before
    return made


def brought(rt: Runtime, made: int) -> None:
    """Its dialogue is over: it is brought to the first of its plan, and those who see it at once see it."""
    with rt.begin() as unit:
        report.set_dispatch(unit.db, made, rt.now())
        journal.write(unit.db, rt.now(), Verb.CLOCK_SET, report=made)
    dispatch(rt, made)


def ended(rt: Runtime, session: str = "one", caller: str = "+243990000009") -> None:
    """The provider says that a dialogue is over."""
    acts.hasten(rt, Ended("africastalking", session, caller, build.CODE))


def reports(rt: Runtime) -> list[int]:
    with rt.db.read() as db:
        return list(db.scalars(select(Report.id)).all())


def coarse(rt: Runtime, made: int) -> report.Coarse:
    with rt.db.begin() as db:
        found = report.lock(db, made)
    assert found is not None
    return found


def asked(rt: Runtime, made: int) -> list[tuple[str, str]]:
    """Every referral of a report in order: whom by name, and where it stands."""
    query = (
        select(caseworker.CaseWorker.name, Referral.state)
        .join(caseworker.CaseWorker, caseworker.CaseWorker.id == Referral.caseworker_id)
        .where(Referral.report_id == made)
        .order_by(Referral.id)
    )
    with rt.db.read() as db:
        return [(row[0], row[1]) for row in db.execute(query)]


def messages(rt: Runtime) -> list[tuple[str, str, str | None]]:
    """Every message in order: which, its state, why it failed."""
    with rt.db.read() as db:
        rows = db.execute(select(Message.kind, Message.state, Message.failure).order_by(Message.id))
        return [(row[0], row[1], row[2]) for row in rows]


def plan(rt: Runtime, made: int) -> list[tuple[int, bool]]:
    """The people of a plan in order, and whether they may read."""
    query = (
        select(PlanEntry.caseworker_id, PlanEntry.opened)
        .where(PlanEntry.report_id == made)
        .order_by(PlanEntry.rank)
    )
    with rt.db.read() as db:
        return [(row[0], row[1]) for row in db.execute(query)]


def verbs(rt: Runtime, made: int) -> list[Verb]:
    with rt.db.read() as db:
        return [line.verb for line in journal.of_report(db, made)]


def due_at(rt: Runtime, made: int) -> datetime:
    """When the pending referral of a report runs out."""
    query = select(Referral.due_at).where(
        Referral.report_id == made, Referral.state == referral.State.PENDING.value
    )
    with rt.db.read() as db:
        found = db.scalar(query)
    assert found is not None
    return found


def leave(rt: Runtime, *people: int) -> None:
    """These people are not active any more, whatever that leaves."""
    with rt.db.begin() as db:
        for person in people:
            db.get_one(caseworker.CaseWorker, person).active = False
    rt.directory.renew()


def come_back(rt: Runtime, *people: int) -> None:
    """And now they are again."""
    with rt.db.begin() as db:
        for person in people:
            db.get_one(caseworker.CaseWorker, person).active = True
    rt.directory.renew()


def clock(rt: Runtime) -> build.Clock:
    """The clock of a runtime made for tests."""
    assert isinstance(rt.now, build.Clock)
    return rt.now


def watched(rt: Runtime) -> tuple[Runtime, list[tuple[str, int | None]]]:
    """The same runtime, and a list of every nudge it hands over from now on."""
    nudges: list[tuple[str, int | None]] = []

    class Listening(Nudger):
        def hand_over(self, job: str, row: int | None) -> None:
            nudges.append((job, row))

    return replace(rt, nudger=Listening(None)), nudges


def spoil(rt: Runtime, report_id: int) -> None:
    """Give a report a severity that the flows do not know (any more)."""
    _set(rt, report_id, "P9")


def mend(rt: Runtime, report_id: int) -> None:
    """Give it a known one again."""
    _set(rt, report_id, "P0")


def _set(rt: Runtime, report_id: int, severity: str) -> None:
    with rt.begin() as unit:
        unit.db.execute(update(Report).where(Report.id == report_id).values(severity=severity))
