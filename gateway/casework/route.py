"""Who may act on a report, in which order, and why: pure, from facts and people.

The plan is what is stored; who was left out of it, and why, is not. It always holds the supervisors and the
integrity officers, so it never runs dry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.casework.caseworker import Person, Role
from gateway.casework.organisation import Kind

INTEGRITY = "integrity"
"""The lane of complaints about a case worker or this service: nobody of the ordinary chain is on it."""


class Reason(StrEnum):
    """Why somebody stands where they stand."""

    ON_DUTY = "on_duty"
    SUPERVISOR = "supervisor"
    INTEGRITY = "integrity"


@dataclass(frozen=True, slots=True)
class Step:
    """One person of a plan; `opened`: sees the report at once, not only when it is offered to them."""

    person: int
    reason: Reason
    opened: bool


def plan(
    *, lane: str, site: int | None, language: str, people: Iterable[Person], load: Mapping[int, int]
) -> list[Step]:
    """The plan for one report, first person first. Whoever has no confirmed key yet could not read it, and is not
    on it.

    On duty is whoever is active, of that lane, that site (or every site) and that language; those with the
    fewest open reports (`load`, by person) come first. Then supervisors, those of the site first, who see it at
    once if their organisation is not one of those at the mines; last the integrity officers.
    """
    active = sorted((one for one in people if one.active and one.reader is not None), key=lambda one: one.id)
    seen = at_once(lane, active)
    officers = [
        Step(person.id, Reason.INTEGRITY, person.id in seen)
        for person in active
        if person.role is Role.INTEGRITY_OFFICER
    ]
    if lane == INTEGRITY:
        return officers
    on_duty = [
        person
        for person in active
        if person.role is Role.CASE_WORKER
        and lane in person.lanes
        and _covers(person, site)
        and language in person.languages
    ]
    on_duty.sort(key=lambda person: load.get(person.id, 0))
    supervisors = [person for person in active if person.role is Role.SUPERVISOR]
    supervisors.sort(key=lambda person: (not _covers(person, site), language not in person.languages))
    return [
        *(Step(person.id, Reason.ON_DUTY, False) for person in on_duty),
        *(Step(person.id, Reason.SUPERVISOR, person.id in seen) for person in supervisors),
        *officers,
    ]


def at_once(lane: str, people: Iterable[Person]) -> set[int]:
    """Who of a plan sees a report as soon as it is dispatched, without its being offered to them."""
    if lane == INTEGRITY:
        return {one.id for one in people if one.role is Role.INTEGRITY_OFFICER}
    return {one.id for one in people if one.role is Role.SUPERVISOR and one.kind is Kind.INDEPENDENT}


def _covers(person: Person, site: int | None) -> bool:
    return not person.sites or site is None or site in person.sites
