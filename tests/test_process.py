"""Each test asks a real child process, for these settings cannot be taken back in this one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import process

ROOT = Path(__file__).parent.parent


def _python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_child_ends_with_its_parent_and_its_pipe_closes() -> None:
    child = (
        "import os, sys, time; from gateway.process import die_with_parent;"
        "die_with_parent(int(sys.argv[1])); print('ready', flush=True); time.sleep(600)"
    )
    parent = (
        "import os, signal, subprocess, sys;"
        f"p = subprocess.Popen([sys.executable, '-c', {child!r}, str(os.getpid())], stdout=subprocess.PIPE);"
        "p.stdout.readline(); print(p.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    # The child inherits our standard error, so this returns only when both have ended.
    done = _python(parent)
    assert done.returncode == -9
    assert done.stdout.strip().isdigit()


def test_a_child_whose_parent_has_gone_already_ends_at_once() -> None:
    done = _python("from gateway.process import die_with_parent; die_with_parent(1 << 30); print('still here')")
    assert done.returncode == -9
    assert done.stdout == ""


def test_a_child_with_its_parent_alive_goes_on() -> None:
    done = _python(
        "import sys; from gateway.process import die_with_parent;"
        "die_with_parent(int(sys.argv[1])); die_with_parent(); print('still here')",
        str(os.getpid()),
    )
    assert done.stdout.strip() == "still here"


def test_the_ending_may_be_another_signal() -> None:
    done = _python(
        "import signal; from gateway.process import die_with_parent; die_with_parent(1 << 30, signal.SIGTERM)"
    )
    assert done.returncode == -15


@pytest.mark.parametrize("fact", ["limit", "undumpable", "inherited", "own_files"])
def test_no_core_is_dumped(fact: str) -> None:
    facts = {
        "limit": "import resource; print(resource.getrlimit(resource.RLIMIT_CORE) == (0, 0))",
        "undumpable": "import ctypes; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0)",
        "inherited": (
            "import subprocess, sys; print(subprocess.run([sys.executable, '-c', "
            "'import resource; print(resource.getrlimit(resource.RLIMIT_CORE))'], "
            "capture_output=True, text=True).stdout.strip() == '(0, 0)')"
        ),
        "own_files": "import os; print(bool(os.listdir('/proc/self/fd')))",
    }
    done = _python(f"from gateway.process import no_core_dumps; no_core_dumps(); {facts[fact]}")
    assert done.stdout.strip() == "True", done.stderr


def test_the_web_server_is_started_so_that_it_outlives_a_worker_and_logs_no_address(tmp_path: Path) -> None:
    command = process.server("127.0.0.1", 8123, tmp_path)
    assert {"--respawn-failed-workers", "--no-access-log", "127.0.0.1", "8123", str(tmp_path)} <= set(command)
