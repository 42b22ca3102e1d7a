"""What a process asks of the operating system about itself: when to die, and what never to write.

Linux is where these mean something; elsewhere they do as much as the system knows.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

# From <linux/prctl.h>; see prctl(2).
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4


def die_with_parent(parent: int | None = None, ending: signal.Signals = signal.SIGKILL) -> None:
    """Have this process sent `ending` when the thread that started it ends, even by SIGKILL.

    `parent` is the process id of whoever started this one, taken before the fork; when it has
    ended already, this process ends at once. Without `parent` it is read now, so a parent that
    ended earlier goes unseen. The request survives exec, but no change of user and no fork.
    Only Linux knows it (prctl(2), PR_SET_PDEATHSIG); elsewhere nothing happens.
    Raises OSError when the kernel refuses.
    """
    if sys.platform != "linux":
        return
    expected = os.getppid() if parent is None else parent
    _prctl(_PR_SET_PDEATHSIG, ending)
    if os.getppid() != expected:
        os.kill(os.getpid(), ending)


def no_core_dumps() -> None:
    """Keep what this process holds in memory off every disk, for itself and for what it starts.

    A size limit of nought is inherited by children but says nothing to a `core_pattern` that is a
    pipe (core(5)), such as a crash reporter; so on Linux the process also becomes undumpable.
    That also hides its memory and environment from other processes of the same user, debuggers
    included. exec makes a process dumpable again: each process that opens sealed words calls this
    itself. Raises OSError when the kernel refuses.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        _prctl(_PR_SET_DUMPABLE, 0)


def server(host: str, port: int, directory: Path) -> list[str]:
    """The command of the web server, over the `wsgi.py` in `directory`.

    Without --respawn-failed-workers one killed worker ends the server. The access log stays off: it would hold
    the secret address of a hook.
    """
    where = ["--host", host, "--port", str(port), "--working-dir", str(directory)]
    how = ["--interface", "wsgi", "--http", "1", "--no-ws", "--workers", "2", "--blocking-threads", "4"]
    care = ["--respawn-failed-workers", "--no-access-log", "--log-level", "warning"]
    return [sys.executable, "-m", "granian", *where, *how, *care, "wsgi:app"]


def _prctl(option: int, argument: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, ctypes.c_ulong(argument), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
