"""A supervisor in a process of its own, with small Python programs as its services."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# What every service below can do: note a word in a file that all share, and live until it is ended.
SERVICE = """
import os, pathlib, signal, subprocess, sys, time
name, shared = sys.argv[1], pathlib.Path(sys.argv[2])

def note(word):
    with open(shared / "notes", "a") as notes:
        notes.write(f"{name} {word}\\n")

def times(word):
    return (shared / "notes").read_text().split("\\n").count(f"{name} {word}")

def live():
    def stop(*_):
        note("stopped")
        sys.exit(0)
    signal.signal(signal.SIGTERM, stop)
    note(f"runs {os.getpid()}")
    while True:
        time.sleep(600)
"""

SUPERVISOR = """
import json, os, pathlib, sys
from gateway import supervisor

shared = pathlib.Path(sys.argv[1])

def notes():
    return (shared / "notes").read_text()

services = [
    supervisor.Service(
        name,
        (sys.executable, str(shared / f"{name}.py"), name, str(shared)),
        (lambda word=f"{name} ready": word in notes()) if waits else None,
    )
    for name, waits in json.loads(sys.argv[2])
]
sys.exit(
    supervisor.run(
        services,
        {"PATH": os.environ["PATH"], "WORD": "given"},
        logs=shared / "log",
        announce=lambda: print("all ready", flush=True),
        out=lambda line: print(line, flush=True),
        patience=supervisor.Patience(**json.loads(sys.argv[3])),
    )
)
"""


class Supervised:
    """A supervisor, what it printed, and what its services noted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes_file = folder / "notes"
        self.printed_file = folder / "printed"
        self._names: list[tuple[str, bool]] = []
        self.process: subprocess.Popen[bytes]
        self.notes_file.touch()

    def service(self, name: str, code: str = "live()", *, waits: bool = False) -> None:
        program = SERVICE + textwrap.dedent(code)
        (self.folder / f"{name}.py").write_text(program, encoding="utf-8")
        self._names.append((name, waits))

    def start(self, before: str = "", **patience: float) -> None:
        """Nothing is killed for being slow, unless a test says so: a machine may stand still for seconds."""
        arguments = [str(self.folder), json.dumps(self._names), json.dumps({"stopping": 60.0} | patience)]
        with self.printed_file.open("wb") as printed:
            self.process = subprocess.Popen(
                [sys.executable, "-c", before + SUPERVISOR, *arguments],
                cwd=ROOT,
                stdout=printed,
                stderr=subprocess.STDOUT,
            )

    def notes(self) -> list[str]:
        return self.notes_file.read_text(encoding="utf-8").splitlines()

    def printed(self) -> str:
        return self.printed_file.read_text(encoding="utf-8")

    def runs(self, name: str) -> list[int]:
        """The process ids that `name` ran under, oldest first."""
        return [int(line.split()[-1]) for line in self.notes() if line.startswith(f"{name} runs ")]

    def until(self, true: Callable[[], object]) -> None:
        while not true():
            assert self.process.poll() is None, self.printed()
            time.sleep(0.01)

    def until_all_ready(self) -> None:
        self.until(lambda: "all ready" in self.printed())

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait()

    def stopped(self) -> list[str]:
        return [line.split()[0] for line in self.notes() if line.endswith(" stopped")]


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Supervised]:
    made = Supervised(tmp_path)
    yield made
    made.process.kill()
    made.process.wait()


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not yet waited for does not."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    return False


def test_services_start_in_their_order_each_when_the_one_before_is_ready(supervised: Supervised) -> None:
    supervised.service("valkey", "note('begins'); time.sleep(0.2); note('ready'); live()", waits=True)
    supervised.service("web", "note('begins'); note('ready'); live()", waits=True)
    supervised.start()
    supervised.until_all_ready()
    begun = [line for line in supervised.notes() if line.endswith(("begins", "ready"))]
    assert begun == ["valkey begins", "valkey ready", "web begins", "web ready"]


def test_ctrl_c_stops_all_in_the_order_of_stopping_and_is_no_failure(supervised: Supervised) -> None:
    for name in ("valkey", "simulator", "worker", "clock", "web"):
        supervised.service(name)
    supervised.start()
    supervised.until(lambda: sum(" runs " in line for line in supervised.notes()) == 5)
    assert supervised.stop() == 0
    assert supervised.stopped() == ["web", "clock", "worker", "simulator", "valkey"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_requests_to_stop_are_heard_too(supervised: Supervised, number: signal.Signals) -> None:
    supervised.service("web")
    supervised.start()
    supervised.until(lambda: supervised.runs("web"))
    assert supervised.stop(number) == 0
    assert supervised.stopped() == ["web"], supervised.printed()


def test_ctrl_c_is_heard_by_a_supervisor_that_a_script_started_in_the_background(
    supervised: Supervised,
) -> None:
    supervised.service("web")
    supervised.start("import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n")
    supervised.until(lambda: supervised.runs("web"))
    assert supervised.stop() == 0


def test_ctrl_c_while_a_service_gets_ready_stops_what_has_begun(supervised: Supervised) -> None:
    supervised.service("valkey")
    supervised.service("web", waits=True)
    supervised.start()
    supervised.until(lambda: supervised.runs("web") and supervised.runs("valkey"))
    assert supervised.stop() == 0
    assert supervised.stopped() == ["web", "valkey"]
    assert "all ready" not in supervised.printed()


def test_closing_the_terminal_stops_nothing_when_that_is_ignored(supervised: Supervised) -> None:
    supervised.service("web")
    supervised.start("import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n")
    supervised.until(lambda: supervised.runs("web"))
    supervised.process.send_signal(signal.SIGHUP)
    os.kill(supervised.runs("web")[0], signal.SIGKILL)
    supervised.until(lambda: len(supervised.runs("web")) == 2)
    assert supervised.stop() == 0


def test_what_dies_is_started_again_and_that_is_said_in_one_line(supervised: Supervised) -> None:
    supervised.service("web")
    supervised.service("worker")
    supervised.start()
    supervised.until(lambda: supervised.runs("web") and supervised.runs("worker"))
    os.kill(supervised.runs("web")[0], signal.SIGKILL)
    supervised.until(lambda: len(supervised.runs("web")) == 2)
    said = [line for line in supervised.printed().splitlines() if line.startswith("web ")]
    assert len(said) == 1
    assert "signal 9" in said[0]
    assert "0.5 s" in said[0]
    assert len(supervised.runs("worker")) == 1


def pauses(printed: str) -> list[str]:
    """The pauses that were said, in seconds."""
    return [line.split()[0] for line in printed.split(" again in ")[1:]]


def test_the_pause_before_a_new_start_doubles_up_to_the_longest(supervised: Supervised) -> None:
    supervised.service("web", "note('ready'); note('fails'); times('fails') > 4 and live()", waits=True)
    supervised.start(first_pause=0.01, longest_pause=0.04)
    supervised.until(lambda: supervised.runs("web"))
    assert pauses(supervised.printed()) == ["0.01", "0.02", "0.04", "0.04"]


def test_the_pause_is_the_first_again_once_a_service_has_settled(supervised: Supervised) -> None:
    supervised.service("web", "note('ready'); note('fails'); times('fails') > 3 and live()", waits=True)
    supervised.start(first_pause=0.01, settled=0)
    supervised.until(lambda: supervised.runs("web"))
    assert pauses(supervised.printed()) == ["0.01", "0.01", "0.01"]


def test_a_service_that_was_ready_once_is_started_again_however_often_it_dies(
    supervised: Supervised,
) -> None:
    supervised.service("web", "note('ready'); note('fails'); times('fails') > 8 and live()", waits=True)
    supervised.start(first_pause=0.01, longest_pause=0.01)
    supervised.until(lambda: supervised.runs("web"))


def test_waiting_for_a_slow_service_is_said(supervised: Supervised) -> None:
    supervised.service("web", waits=True)
    supervised.start(still_waiting=0.01)
    supervised.until(lambda: "Still waiting for web" in supervised.printed())


def test_what_a_dead_service_left_running_is_ended_before_it_is_started_again(
    supervised: Supervised,
) -> None:
    supervised.service(
        "web",
        """
        if times("left") == 0:
            left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            note("left")
            note(f"runs {left.pid}")
            sys.exit(3)
        live()
        """,
    )
    supervised.start()
    supervised.until(lambda: len(supervised.runs("web")) == 2)
    assert not is_alive(supervised.runs("web")[0])


def test_a_service_that_never_gets_ready_stops_everything_and_shows_its_last_words(
    supervised: Supervised,
) -> None:
    supervised.service("valkey")
    supervised.service("web", "note('tries'); print('no such table'); sys.exit(3)", waits=True)
    supervised.start(first_pause=0.01)
    assert supervised.process.wait() == 1
    assert supervised.notes().count("web tries") == 5
    assert "web cannot be started" in supervised.printed()
    assert "    no such table" in supervised.printed()
    assert supervised.stopped() == ["valkey"]


def test_a_service_without_a_sign_of_being_ready_may_not_die_at_once_for_ever(supervised: Supervised) -> None:
    supervised.service("worker", "note('tries'); sys.exit(3)")
    supervised.start(first_pause=0.01)
    assert supervised.process.wait() == 1
    assert supervised.notes().count("worker tries") == 5


def test_a_program_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from gateway import supervisor;"
        "sys.exit(supervisor.run([supervisor.Service('web', ('/nowhere/web',))], {},"
        "logs=pathlib.Path(sys.argv[1]), announce=print, out=print))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "web cannot be started" in done.stdout


def test_a_killed_supervisor_leaves_nothing_running(supervised: Supervised) -> None:
    supervised.service("valkey")
    supervised.service("web", "signal.signal(signal.SIGTERM, signal.SIG_IGN); note(f'runs {os.getpid()}')\n"
                              "while True: time.sleep(600)")  # fmt: skip
    supervised.start()
    supervised.until(lambda: supervised.runs("web") and supervised.runs("valkey"))
    supervised.stop(signal.SIGKILL)
    while any(is_alive(pid) for pid in supervised.runs("web") + supervised.runs("valkey")):
        time.sleep(0.01)


def test_a_second_ctrl_c_ends_a_service_that_does_not_listen(supervised: Supervised) -> None:
    supervised.service("web", "signal.signal(signal.SIGTERM, lambda *_: note('asked')); note('runs 0')\n"
                              "while True: time.sleep(600)")  # fmt: skip
    supervised.service("valkey")
    supervised.start()
    supervised.until(lambda: supervised.runs("web") and supervised.runs("valkey"))
    supervised.process.send_signal(signal.SIGINT)
    supervised.until(lambda: "web asked" in supervised.notes())
    assert supervised.stop() == 0
    assert "web is killed" in supervised.printed()


def test_a_service_that_does_not_listen_is_killed_and_the_next_still_stops_well(
    supervised: Supervised,
) -> None:
    supervised.service("web", "signal.signal(signal.SIGTERM, signal.SIG_IGN); note('runs 0')\n"
                              "while True: time.sleep(600)")  # fmt: skip
    supervised.service("valkey")
    supervised.start(stopping=1)
    supervised.until(lambda: supervised.runs("web") and supervised.runs("valkey"))
    assert supervised.stop() == 0
    assert "web is killed" in supervised.printed()
    assert supervised.stopped() == ["valkey"]


def test_a_service_gets_the_environment_it_is_given_and_no_terminal(supervised: Supervised) -> None:
    supervised.service(
        "web",
        """
        note("HOME" in os.environ)
        note(os.environ["WORD"])
        note(repr(sys.stdin.read()))
        note(os.getsid(0) == os.getpid())
        live()
        """,
    )
    supervised.start()
    supervised.until(lambda: supervised.runs("web"))
    assert supervised.notes()[:4] == ["web False", "web given", "web ''", "web True"]


def test_the_log_of_the_run_before_is_kept_beside_that_of_this_one(supervised: Supervised) -> None:
    supervised.service("web", "print('second run', flush=True); live()")
    log = supervised.folder / "log"
    log.mkdir()
    (log / "web.log").write_text("first run\n", encoding="utf-8")
    supervised.start()
    supervised.until(lambda: supervised.runs("web"))
    assert (log / "web.log").read_text(encoding="utf-8") == "second run\n"
    assert (log / "web.before.log").read_text(encoding="utf-8") == "first run\n"
    assert (log / "web.log").stat().st_mode & 0o077 == 0
