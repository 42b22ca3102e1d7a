"""Who comes to the desk, and the one door to a report: it asks first whether this person may see it now. Whoever
may not is told the same as for a report that is not there."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from gateway.casework import Refused, plan, report
from gateway.runtime import Runtime, Unit
from gateway.vault import Pair, SealBroken, open_with

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reader:
    """Who is at the desk: the person, and their key as long as their session lasts."""

    id: int
    key: Pair | None = dataclasses.field(repr=False)


def change(rt: Runtime, reader: Reader, report_id: int, doing: Callable[[Unit, report.Coarse, datetime], T]) -> T:
    with rt.begin() as unit:
        found = report.lock(unit.db, report_id)
        if found is None or not plan.is_open_to(unit.db, report_id, reader.id):
            raise Refused("", "This report is not here.")
        return doing(unit, found, rt.now())


def opened_pair(rt: Runtime, reader: Reader, report_id: int, month: str, envelope: bytes | None) -> Pair | None:
    """The key of a report, None when this reader cannot open it."""
    if reader.key is None or envelope is None:
        return None
    try:
        return rt.vault.open_envelope(reader.id, reader.key, report.place(report_id), month, envelope)
    except SealBroken:
        return None


def opened_part(
    rt: Runtime, unit: Unit, reader: Reader, found: report.Coarse, place: str, sealed: bytes
) -> bytes | None:
    """What a sealed part of a report says; None when it does not open for this reader."""
    pair = opened_pair(rt, reader, found.id, found.month, plan.envelope(unit.db, found.id, reader.id))
    try:
        return open_with(pair, place, sealed) if pair is not None else None
    except SealBroken:
        return None


def held_pair(rt: Runtime, unit: Unit, reader: Reader, found: report.Coarse) -> Pair:
    pair = opened_pair(rt, reader, found.id, found.month, plan.envelope(unit.db, found.id, reader.id))
    if pair is None:
        raise Refused("", "You cannot open this report yourself, so you cannot give its key to somebody.")
    return pair
