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
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from gateway import catalogues, flows, keys, log, migrations, process, stores, vault
from gateway.casework import Refused, account, caseworker, chain, installation, joining, journal
from gateway.casework.caseworker import ON_ROUTES, Entered, Role
from gateway.casework.verb import Verb
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
SHOWN = 100
"""Faults of the journal that are listed one by one."""


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
    except Exception as error:  # its words may quote what nobody may read
        if log.configured():
            raise  # the log says what it was, without them
        print("An error of this program:", *log.scrub(error), sep="\n  ", file=sys.stderr)
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
    keys.commands(command("keys", keys.run, "the key directory: make it, look at it, rotate, escrow, destroy"))
    lines = command("journal", _journal, "check the journal, or print its head for outsiders to keep")
    lines.add_argument("what", choices=["verify", "heads"])
    lines.add_argument(
        "file", nargs="?", type=Path, help="verify: heads that outsiders kept, as they were printed"
    )
    flow = command("flows", _flows, "check, draw or play the dialogue")
    flow.add_argument("what", choices=["check", "draw", "play"])
    people = command(
        "account", _account, "invite an administrator, who adds everybody else; confirm the first keys"
    )
    does = people.add_subparsers(dest="what", metavar="what", required=True)
    added = does.add_parser("add", help="add an administrator or a technician, and print their invitation")
    added.add_argument("login", help="the name to sign in with")
    added.add_argument("name", help="the name that colleagues see")
    added.add_argument("--role", choices=["administrator", "technician"], default="administrator")
    for what, help_ in (
        ("invite", "print a new invitation of an administrator or a technician"),
        ("confirm", "confirm the key of one of the first two who can confirm all others"),
    ):
        does.add_parser(what, help=help_).add_argument("login", help="the name to sign in with")
    operator = command("simulator", _simulator, "a stand-in for the operator's SMS service, on this machine only")
    operator.add_argument("port", type=int)
    command("stores", _stores, "write anew the page of what each store holds, for how long, and who can read it")
    command("messages", _messages, "bring the translators' catalogues up to date with the texts")
    command("lock", _lock, "write the lock files anew (needs uv)")
    return parser


def _runtime(name: str) -> Runtime:
    """A runtime for a process that works: silent, undumpable, on a database of the right kind."""
    process.no_core_dumps()
    log.configure(name)
    rt = Runtime.build(Settings.read())
    rt.declare()
    return rt


def _web(arguments: argparse.Namespace) -> int:
    os.chdir(ROOT)  # before anything is looked for: the server that follows looks from there
    settings = Settings.read()
    flows.load(settings.flows_dir, settings.locales_dir, charset=settings.ussd_charset)
    opened = vault.Vault.open_directory(settings.keys_dir, settings.keys_mirror)
    # Each worker asks this too; here it is answered in one line, there in a crash loop of the server.
    db = Database(settings.database_url)
    with db.begin() as session:
        installation.declare(session, demo=settings.demo, keys=opened.check())
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
    keys.begin(rt.settings)
    if rt.settings.redis_url is None:
        log.warn("worker.idle", reason="no_redis_url")
        _wait_for_signal().wait()
        return
    worker.run(rt)


def _clock(arguments: argparse.Namespace) -> None:
    rt = _runtime("clock")
    keys.begin(rt.settings)
    stopping = _wait_for_signal()
    holder = secrets.token_hex(8)
    rounds, leading = 0, False
    log.event("clock.began")
    log.hush()
    while not stopping.wait(ROUND):
        try:
            if rounds % RENEW_EVERY == 0 or not leading:
                with rt.begin() as unit:
                    leading = installation.take_lease(unit.db, "clock", holder, rt.now(), LEASE)
            if leading:
                sweep(rt)
            rounds += 1
            if leading and rounds % PURGE_EVERY == 1:  # counted first: one that fails waits for its next turn
                purge(rt)
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


def _journal(arguments: argparse.Namespace) -> int:
    rt = _runtime("journal")
    with rt.db.read(still=True) as db:
        if arguments.what == "heads":
            print(chain.head(db) or "The journal has no line yet.")
            return 0
        try:
            kept = chain.read_heads(arguments.file.read_text(encoding="utf-8")) if arguments.file else []
        except (OSError, UnicodeDecodeError) as error:
            print(f"{arguments.file} cannot be read: {error}", file=sys.stderr)
            return 1
        verdict = chain.verify(db, rt.vault.journal_key, kept, _walked)
    for fault in verdict.faults[:SHOWN]:
        print(f"{fault.where}: {fault.what}.")
    if len(verdict.faults) > SHOWN:
        print(f"… and {len(verdict.faults) - SHOWN} more.")
    count = "{lines} lines, {report} reports, {person} people, {site} sites".format(
        lines=verdict.lines, **verdict.things
    )
    print(f"{count}: {'something does not fit' if verdict.faults else 'all fit'}.")
    return 1 if verdict.faults else 0


def _walked(lines: int) -> None:
    if lines % 50_000 == 0:
        print(f"{lines} lines …", file=sys.stderr)


def _flows(arguments: argparse.Namespace) -> None:
    book = flows.load(ROOT / "flows", ROOT / "locales")
    if arguments.what == "draw":
        print(draw.mermaid(book))
    elif arguments.what == "play":
        play.play(book, input, print)
    else:
        print(f"{len(book.screens)} screens in {len(book.languages)} languages: no problem. Digest {book.digest}.")


def _account(arguments: argparse.Namespace) -> int:
    rt = _runtime("account")
    if arguments.what == "confirm":
        return _confirm(rt, arguments.login)
    with rt.begin() as unit:
        if arguments.what == "add":
            role = Role(arguments.role)
            nobody = Entered(arguments.name, role, True, "", "fr", frozenset(), frozenset(), frozenset())
            person = caseworker.add(unit.db, rt.vault, nobody)
            account.save_login(unit.db, person, arguments.login)
            journal.write(unit.db, rt.now(), Verb.PERSON_SAVED, subject=person)
        else:
            found = account.holder(unit.db, arguments.login)
            if found.role in ON_ROUTES:
                raise Refused(
                    "login", "Reports are brought to them: an administrator invites them, on their page."
                )
            person = found.id
        code = joining.invite(unit.db, rt.vault, person, None, rt.now())
        login = account.login_of(unit.db, person)
    until = (rt.now() + joining.LASTS).astimezone(rt.settings.local_zone)
    print(
        f"Invitation for {login}, shown this once: {code}\n"
        f"Good until {until:%Y-%m-%d %H:%M}, at {rt.settings.public_url}/join. "
        "A telephone with a code app is needed."
    )
    return 0


def _confirm(rt: Runtime, login: str) -> int:
    """The first keys: nobody is there yet who could confirm them on a page."""
    with rt.db.read() as db:
        found = account.holder(db, login)
        why_not = joining.unconfirmable(db, rt.vault, found.id, None, None)
    if why_not is not None or found.public is None:
        raise why_not or Refused("", "This person has not joined yet.")
    shown = vault.fingerprint(found.public)
    print(f"The key of {found.name}: {shown}\nLet them read you this number from their page My account.")
    with suppress(EOFError):
        if input("Is every digit the same? Type yes: ").strip().casefold() == "yes":
            with rt.begin() as unit:
                joining.confirm(unit.db, rt.vault, found.id, None, None, shown, rt.now())
            print("Confirmed: reports filed from now on can be brought to them.")
            return 0
    print("Nothing was confirmed.", file=sys.stderr)
    return 1


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


def _stores(arguments: argparse.Namespace) -> None:
    stores.write()
    print(f"{stores.PAGE.relative_to(ROOT)} is what the tables say.")


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
