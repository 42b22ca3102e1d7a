"""From the answer that shows the emergency screen to the SMS at the operator, over real processes.

    .venv/bin/python -m tests.latency

prints p50 and p95 in milliseconds, with a worker and with nothing but the clock. A figure, not a test: what it
comes to depends on the machine, so it is stated and not asserted.
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from gateway.providers.simulator import SimulatedSms
from tests import processes
from tests.processes import Caller, House, until

REPORTS = 60


def latencies(house: House, reports: int) -> list[float]:
    """Milliseconds, one a report, each filed when the alert before has arrived; sorted."""
    found = []
    for number in range(reports):
        before = len(house.operator.messages)
        caller = Caller(house, f"ATUid_{time.monotonic_ns()}_{number}")
        caller.dial()
        caller.press("1", "1", "1", "1", "1")
        shown = datetime.now(UTC)
        sms = until(partial(_since, house, before), "the SMS")[0]
        found.append((sms.time - shown).total_seconds() * 1000)
        time.sleep(0.05 + 0.007 * number % 0.5)  # out of step with the clock's rounds
    return sorted(found)


def _since(house: House, before: int) -> list[SimulatedSms]:
    return list(house.operator.messages[before:])


def main() -> None:
    """Measure both ways and print them."""
    with processes.house(Path(tempfile.mkdtemp(prefix="gateway-")), *processes.RUNNING) as house:
        time.sleep(1.5)
        latencies(house, 3)
        _tell("worker and Valkey", latencies(house, REPORTS))
        house.stop("worker")
        house.stop("valkey")
        latencies(house, 3)
        _tell("the clock alone, worker and Valkey stopped", latencies(house, REPORTS))


def _tell(name: str, sorted_ms: list[float]) -> None:
    p50, p95 = sorted_ms[len(sorted_ms) // 2], sorted_ms[int(len(sorted_ms) * 0.95)]
    sys.stdout.write(f"{name}: p50 {p50:.0f} ms, p95 {p95:.0f} ms, worst {sorted_ms[-1]:.0f} ms\n")


if __name__ == "__main__":
    main()
