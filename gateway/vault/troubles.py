"""What is wrong with keys that still take reports, in words for whoever reads /readyz or `keys status`."""

from __future__ import annotations

from datetime import date

from gateway.vault import escrow
from gateway.vault.days import DayKeys
from gateway.vault.directory import KeyDirectory
from gateway.vault.months import MonthKeys

LEAST = 2
"""Months ahead below which nobody has made new ones for nearly two years."""


def troubles(directory: KeyDirectory, days: DayKeys, months: MonthKeys, today: date, *, demo: bool) -> list[str]:
    """One line each, with what to do. A demonstration needs no mirror and no escrow. Raises OSError."""
    found = []
    day = days.overlapping(today)[0]
    ahead = sum(month > f"{day:%Y-%m}" for month in months.months())
    if ahead < LEAST:
        found.append(
            f"the keys of only {ahead} months are made ahead: is the clock running, may it write KEYS_DIR?"
        )
    if trouble := directory.mirror_trouble():
        found.append(trouble)
    if directory.mirror is None and not demo:
        found.append("no KEYS_MIRROR: a lost disk would lose every report")
    if days.far_ahead(today) or days.far_behind(today):
        found.append(
            f"the day keys are at {day} and the clock at {today}: set the clock right, then "
            "`python3 -m gateway keys step`"
        )
    elif days.doubted(today):
        found.append(
            f"the day keys were lost and begun anew at {day}, later than expected, and nothing is erased: is the "
            "clock right? Then `python3 -m gateway keys step`"
        )
    if escrow.public(directory) is None and not demo:
        found.append(
            "no escrow: reports whose readers lose their keys are lost; `python3 -m gateway keys escrow new`"
        )
    return found
