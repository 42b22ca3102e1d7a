"""The commands besides the demonstration, the tests and the benchmark. Each is one process of the Procfile, or
one chore."""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from datetime import timedelta

from gateway import catalogues, flows, log, migrations, process, vault
from gateway.casework import Refused, account, caseworker, installation
from gateway.casework.caseworker import Entered, Role
from gateway.db import Database, Unavailable
from gateway.flows import draw, play
from gateway.later.purge import purge
from gateway.later.sweep import sweep
from gateway.runtime import Runtime
from gateway.settings import ROOT, Settings, SettingsError

ROUND = 0.5
"""Seconds between two rounds of the clock: how late an alert leaves when nothing else does it."""
LEASE = timedelta(seconds=6)
RENEW_EVERY = 4
PURGE_EVERY = 3600 / ROUND


def main(argv: Sequence[str]) -> int:
    """Run one command; returns the exit code. What is wrong is said on standard error, without a traceback."""
    arguments = _parser().parse_args(argv)
    try:
        code: int | None = arguments.run(arguments)
    except (SettingsError, flows.BadFlow, vault.KeysMissing, installation.OtherKind, Refused) as error:
        print(error.why % error.values if isinstance(error, Refused) else error, file=sys.stderr)
        return 1
    except Unavailable as error:  # its words quote a statement, or where the database is
        print(
            f"The database cannot be used ({type(error.orig).__name__}). Is DATABASE_URL right, does the database "
            "run, and was `python3 -m gateway migrate` run on it?",
            file=sys.stderr,
        )
        return 1
    return code or 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m gateway", description="An anonymous grievance and referral gateway by USSD and SMS."
    )
    commands = parser.add_subparsers(metavar="command", required=True)

    def command(name: str, run: object, help_: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help_, description=help_)
        made.set_defaults(run=run)
        return made

    command("web", _web, "the web server: hooks and pages")
    command("worker", _worker, "the worker that sends what is due as soon as it is nudged")
    command("clock", _clock, "the clock: does whatever is due and no worker has done")
    command("migrate", _migrate, "bring the database to its newest form")
    keys = command("keys", _keys, "make the key directory")
    keys.add_argument("what", choices=["init"])
    flow = command("flows", _flows, "check, draw or play the dialogue")
    flow.add_argument("what", choices=["check", "draw", "play"])
    people = command("account", _account, "add an administrator, who adds everybody else")
    people.add_argument("what", choices=["add"])
    people.add_argument("login", help="the name to sign in with")
    people.add_argument("name", help="the name that colleagues see")
    operator = command("simulator", _simulator, "a stand-in for the operator's SMS service, on this machine only")
    operator.add_argument("port", type=int)
    command("messages", _messages, "bring the translators' catalogues up to date with the texts")
    command("lock", _lock, "write the lock files anew (needs uv)")
    return parser


def _runtime(name: str) -> Runtime:
    """A runtime for a process that works: silent, undumpable, on a database of the right kind."""
    process.no_core_dumps()
    log.configure(name)
    rt = Runtime.build(Settings.read())
    with rt.db.begin() as db:
        installation.declare(db, demo=rt.settings.demo)
    return rt


def _web(arguments: argparse.Namespace) -> int:
    os.chdir(ROOT)  # before anything is looked for: the server that follows looks from there
    settings = Settings.read()
    flows.load(settings.flows_dir, settings.locales_dir, charset=settings.ussd_charset)
    vault.Vault.open_directory(settings.keys_dir)
    # Each worker asks this too; here it is answered in one line, there in a crash loop of the server.
    db = Database(settings.database_url)
    with db.begin() as session:
        installation.declare(session, demo=settings.demo)
    db.dispose()
    host = "127.0.0.1" if settings.demo else "0.0.0.0"
    try:
        # The server itself would share the port with another, and each would answer some of the key presses.
        socket.create_server((host, settings.port)).close()
    except OSError as error:
        print(f"Port {settings.port} cannot be used: {error.strerror}", file=sys.stderr)
        return 1
    return os.execv(sys.executable, process.server(host, settings.port, ROOT))


def _worker(arguments: argparse.Namespace) -> None:
    from gateway import worker

    rt = _runtime("worker")
    if rt.settings.redis_url is None:
        log.warn("worker.idle", reason="no REDIS_URL")
        _wait_for_signal().wait()
        return
    worker.run(rt)


def _clock(arguments: argparse.Namespace) -> None:
    rt = _runtime("clock")
    stopping = _wait_for_signal()
    holder = secrets.token_hex(8)
    rounds, leading = 0, False
    log.event("clock.began")
    while not stopping.wait(ROUND):
        try:
            if rounds % RENEW_EVERY == 0 or not leading:
                with rt.begin() as unit:
                    leading = installation.take_lease(unit.db, "clock", holder, rt.now(), LEASE)
            if leading:
                sweep(rt)
                if rounds % PURGE_EVERY == 0:
                    purge(rt)
            rounds += 1
        except Exception as error:  # the clock outlives whatever a round meets
            leading = False
            log.warn("clock.failed", error=error)
    if leading:
        with rt.begin() as unit:
            installation.give_up_lease(unit.db, "clock", holder, rt.now())
    rt.close()


def _wait_for_signal() -> threading.Event:
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


def _migrate(arguments: argparse.Namespace) -> None:
    db = Database(Settings.read().database_url)
    migrations.upgrade(db)
    print(f"The database is at migration {migrations.head()}.")


def _keys(arguments: argparse.Namespace) -> int:
    directory = Settings.read().keys_dir
    try:
        vault.create(directory)
    except FileExistsError:
        print(f"{directory} holds a server key already; nothing was changed.", file=sys.stderr)
        return 1
    print(
        f"Made a server key in {directory}. Keep a copy of server.key apart from the database and its backups:\n"
        "without it no report can be opened. day.json must be in no backup."
    )
    return 0


def _flows(arguments: argparse.Namespace) -> None:
    book = flows.load(ROOT / "flows", ROOT / "locales")
    if arguments.what == "draw":
        print(draw.mermaid(book))
    elif arguments.what == "play":
        play.play(book, input, print)
    else:
        print(f"{len(book.screens)} screens in {len(book.languages)} languages: no problem. Digest {book.digest}.")


def _account(arguments: argparse.Namespace) -> None:
    rt = _runtime("account")
    passphrase = account.new_passphrase()
    hashed = vault.hash_passphrase(passphrase)
    nobody = Entered(arguments.name, Role.ADMINISTRATOR, True, "", "fr", frozenset(), frozenset(), frozenset())
    with rt.begin() as unit:
        person = caseworker.add(unit.db, rt.vault, nobody)
        account.save_login(unit.db, person, arguments.login)
        account.set_passphrase(unit.db, person, hashed)
    print(f"Passphrase, shown this once: {passphrase}")


def _simulator(arguments: argparse.Namespace) -> int:
    from gateway.providers import simulator

    process.no_core_dumps()
    log.configure("simulator")
    settings = Settings.read()
    secret = settings.hook_secrets[0]
    try:
        simulator.serve(arguments.port, f"http://127.0.0.1:{settings.port}/hooks/{secret}/africastalking/receipt")
    except (OSError, OverflowError) as error:
        print(f"Port {arguments.port} cannot be used: {error}", file=sys.stderr)
        return 1
    return 0


def _messages(arguments: argparse.Namespace) -> None:
    for line in catalogues.update():
        print(line)


def _lock(arguments: argparse.Namespace) -> int:
    import subprocess

    compile_ = [
        "uv",
        "pip",
        "compile",
        "pyproject.toml",
        "--universal",
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
        "--python-version",
        "3.11",
        "--quiet",
    ]
    runs = (
        ["-o", "requirements.txt"],
        ["--group", "test", "--constraint", "requirements.txt", "-o", "tests/requirements.txt"],
    )
    for run in runs:
        try:
            if code := subprocess.run([*compile_, *run], cwd=ROOT, check=False).returncode:
                return code
        except FileNotFoundError:
            print("uv is not installed; the locks are written with it (`pip install uv`).", file=sys.stderr)
            return 1
    return 0
