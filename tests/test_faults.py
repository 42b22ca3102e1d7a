"""Processes that are killed in mid-dialogue, one after the other: nobody who was told "arrived" is forgotten."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.casework.report import Report
from tests import processes
from tests.processes import Caller, House, until

URGENT = ("1", "1", "1", "1", "1")


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house with everything running; in a folder whose name leaves room for a socket's."""
    with processes.house(tmp_path_factory.mktemp("h"), *processes.RUNNING) as made:
        yield made


def halfway(house: House, session: str) -> Caller:
    """A caller in the middle of an urgent report."""
    caller = Caller(house, session)
    caller.dial()
    caller.press(*URGENT[:3])
    return caller


def arrives(caller: Caller) -> str:
    """The caller presses on and is told that the report has arrived; returns the code."""
    screen = caller.press(*URGENT[3:])
    assert screen.startswith("Bien arrivé"), screen
    return screen.split("\n")[1]


def alerts(house: House, at_least: int) -> None:
    """Each report was brought to somebody, and the SMS of each reached the operator."""
    until(lambda: len({sms.message for sms in house.operator.messages}) >= at_least, f"{at_least} alerts")
    rt = house.runtime()
    with rt.db.read() as db:
        references = set(db.scalars(select(Report.reference)))
    rt.close()
    assert len(references) == at_least
    told = " ".join(sms.message for sms in house.operator.messages)
    assert {reference for reference in references if reference not in told} == set()


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not yet buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_whatever_is_killed_in_mid_dialogue_the_dialogue_goes_on_and_its_alert_arrives(house: House) -> None:
    callers = {name: halfway(house, f"ATUid_{name}") for name in ("child", "web", "worker", "clock", "valkey")}
    codes = set()

    workers = house.children("web")
    os.kill(workers[0], signal.SIGKILL)
    codes.add(arrives(callers["child"]))
    new = until(lambda: set(house.children("web")) - set(workers), "a new web worker")

    # At once, while the new worker may not be up yet: it must not survive the server it belongs to.
    workers = house.children("web")
    assert new <= set(workers)
    house.kill("web")
    until(lambda: not any(map(alive, workers)), "the workers to end with their server")
    house.start("web")
    codes.add(arrives(callers["web"]))

    house.kill("worker")
    codes.add(arrives(callers["worker"]))
    alerts(house, 3)  # by the clock
    house.start("worker")

    house.kill("valkey")
    codes.add(arrives(callers["valkey"]))
    alerts(house, 4)  # by the clock
    house.start("valkey")
    house.kill("worker")  # if it has not ended with Valkey: a supervisor starts it again
    house.start("worker")

    house.kill("clock")
    codes.add(arrives(callers["clock"]))
    house.start("clock")
    alerts(house, 5)  # by the worker, or by the new clock when the old one's lease has run out
    assert len(codes) == 5

    # Every caller can go on, and sees the same code again.
    for caller in callers.values():
        again = caller.press("3")
        assert any(code in again for code in codes)


def test_with_valkey_gone_for_good_every_report_is_taken_and_every_alert_leaves(house: House) -> None:
    house.stop("valkey")
    for number in range(4):
        arrives(halfway(house, f"ATUid_{number}"))
    quiet = Caller(house, "ATUid_quiet")
    quiet.dial()
    assert quiet.press("2", "2", "2", "1", "1").startswith("Bien arrivé")
    quiet.hang_up()
    alerts(house, 5)
    status, lines = house.get("/readyz")
    assert status == 200
    assert b"warning: Redis does not answer" in lines


def test_a_house_that_was_killed_as_a_whole_goes_on_where_it_stood_and_ends_in_good_order(house: House) -> None:
    caller = halfway(house, "ATUid_whole")
    code = arrives(caller)
    for name in processes.RUNNING:
        house.kill(name)
    house.start(*processes.RUNNING)
    assert code in caller.press("3")
    assert code in arrives(halfway(house, "ATUid_whole"))
    alerts(house, 1)
    workers = house.children("web")
    endings = {name: house.stop(name) for name in ("web", "clock", "worker", "valkey")}
    assert endings == dict.fromkeys(endings, 0)
    assert not any(map(alive, workers))
    for name in ("web", "clock", "worker"):
        assert "Traceback" not in house.log_of(name).read_text()
