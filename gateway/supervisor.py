"""Keeps the demo's processes alive, and leaves none behind.

Each service leads a session of its own, so that a terminal's Ctrl-C reaches only the supervisor,
which then stops them in order. What a service prints goes to `<logs>/<name>.log`. Production uses
the `Procfile` and the platform's own supervisor instead.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

from gateway.process import die_with_parent

STOP_ORDER = ("web", "clock", "worker", "simulator", "valkey")

_GLANCE = 0.02  # seconds between two looks at a service that is getting ready
_TAIL = 20  # lines of a log shown when a service cannot be started


@dataclass(frozen=True)
class Patience:
    """How long to wait for what, in seconds; `tries` is a count."""

    first_pause: float = 0.5  # before a service that died is started again; doubles each time
    longest_pause: float = 10.0
    settled: float = 30.0  # alive so long, the next pause is the first one again
    started: float = 3.0  # alive so long, a service without `ready` counts as started
    tries: int = 5  # deaths without ever having started, after which everything stops
    still_waiting: float = 15.0  # between two lines about a service that is not ready
    stopping: float = 8.0  # from the wish to stop to the last SIGKILL, all services together


@dataclass(frozen=True)
class Service:
    """One process to keep running.

    `ready` says whether it can be used; it is asked again and again, so it must be quick and must
    not raise. Without it, the next service is started at once.
    """

    name: str
    argv: tuple[str, ...]
    ready: Callable[[], bool] | None = None


def run(
    services: Sequence[Service],
    environment: Mapping[str, str],
    *,
    logs: Path,
    announce: Callable[[], None],
    out: Callable[[str], None],
    stop_order: Sequence[str] = STOP_ORDER,
    patience: Patience = Patience(),
) -> int:
    """Start `services` in their order, keep them running, and stop them on SIGINT, SIGTERM or SIGHUP.

    A service starts when the one before it is ready. `environment` is all that the services get.
    `announce` is called once, when all are ready; `out` gets each line of what happens otherwise.
    Services are stopped in `stop_order`; one that it does not name goes first. A second signal
    ends them all at once. Only the main thread may call this: the kernel ties a service's life to
    the thread that started it.
    Returns 0 after a stop that was asked for, 1 when a service could not be started at all.
    """
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _signals() as asked:
        kept = [_Kept(service, logs / f"{service.name}.log") for service in services]
        keeper = _Keeper(kept, environment, patience, asked, partial(_say, out))
        try:
            running = keeper.start_all()
            if running:
                announce()
            while running and not asked.count:
                running = keeper.look_after()
                if running:
                    asked.wait(keeper.next_look())
            return 0 if asked.count else 1
        finally:
            keeper.stop(stop_order)


class _Asked:
    """How many times this process was asked to stop, and a way to sleep until it is or a child ends."""

    def __init__(self, pipe: int) -> None:
        self.count = 0
        self._pipe = pipe

    def note(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1

    def wait(self, seconds: float) -> None:
        ready, _, _ = select.select([self._pipe], [], [], max(0.0, seconds))
        if ready:
            os.read(self._pipe, 512)


@contextmanager
def _signals() -> Iterator[_Asked]:
    """Handlers for as long as we run; a byte in a pipe for each signal ends a wait early."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    asked = _Asked(reading)
    # Explicitly, for a process that a script starts in the background inherits SIGINT as ignored.
    handlers: dict[signal.Signals, Callable[[int, FrameType | None], None]]
    handlers = {signal.SIGINT: asked.note, signal.SIGTERM: asked.note, signal.SIGCHLD: lambda *_: None}
    # Whoever ignored the closing of the terminal (nohup) wants us to go on.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        handlers[signal.SIGHUP] = asked.note
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield asked
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)


@dataclass
class _Kept:
    """A service and what became of it so far. Times are seconds of the monotonic clock."""

    service: Service
    log: Path
    process: subprocess.Popen[bytes] | None = None
    since: float = 0.0
    pause: float = 0.0
    again_at: float = 0.0
    deaths: int = 0
    started: bool = False
    told_at: float = 0.0

    @property
    def name(self) -> str:
        return self.service.name

    def start(self, environment: Mapping[str, str]) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.service.argv,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=partial(die_with_parent, os.getpid()),
            )
        self.since = self.told_at = time.monotonic()

    def ended(self) -> bool:
        """Whether its process has ended; what that left behind is killed then."""
        if self.process is None:
            return True
        if self.process.poll() is None:
            return False
        self.kill()
        return True

    def signal(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """Kill the whole group: a server's workers may outlive the process that led them."""
        if self.process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def is_ready(self) -> bool:
        ready = self.service.ready
        if self.process is None or (ready is not None and not ready()):
            return False
        self.started = self.started or ready is not None
        return True


class _Keeper:
    """The services in their start order, and what is done with all of them."""

    def __init__(
        self,
        kept: list[_Kept],
        environment: Mapping[str, str],
        patience: Patience,
        asked: _Asked,
        say: Callable[[str], None],
    ) -> None:
        self._kept = kept
        self._environment = environment
        self._patience = patience
        self._asked = asked
        self._say = say
        self._begun: list[_Kept] = []

    def start_all(self) -> bool:
        """Start one after another; false when one cannot be, or when we are asked to stop."""
        for kept in self._kept:
            with suppress(FileNotFoundError):
                kept.log.replace(kept.log.with_suffix(".before.log"))
            os.close(os.open(kept.log, os.O_CREAT | os.O_WRONLY, 0o600))
            if not self._start(kept):
                return False
            self._begun.append(kept)
            while not kept.is_ready():
                if self._asked.count or not self.look_after():
                    return False
                self._wait_for(kept)
        return not self._asked.count

    def look_after(self) -> bool:
        """Start again what died and has paused; false when a service cannot be started at all."""
        now = time.monotonic()
        for kept in self._begun:
            if kept.process is None:
                if now >= kept.again_at and not self._start(kept):
                    return False
            elif kept.ended():
                if not self._bury(kept, now):
                    return False
            elif kept.service.ready is None and now - kept.since >= self._patience.started:
                kept.started = True
        return True

    def next_look(self) -> float:
        """Seconds until something is due; the end of a child wakes us earlier."""
        now = time.monotonic()
        due = [kept.again_at - now for kept in self._begun if kept.process is None]
        unsure = [kept for kept in self._begun if kept.process and not kept.started]
        due += [kept.since + self._patience.started - now for kept in unsure]
        return max(0.0, min(due, default=60.0))

    def stop(self, order: Sequence[str]) -> None:
        """End everything that runs, in `order`, within the budget; at once when asked twice."""
        rank = {name: place for place, name in enumerate(order)}
        left = sorted((k for k in self._kept if k.process), key=lambda kept: rank.get(kept.name, -1))
        if not left:
            return
        self._say("Stopping " + ", ".join(kept.name for kept in left) + " …")
        asked, budget = self._asked.count, self._patience.stopping
        end = time.monotonic() + budget
        for after, kept in zip(reversed(range(len(left))), left, strict=True):
            # Each of those after it keeps a share, for a data store must still write its last words.
            until = end - after * budget / (2 * len(left))
            kept.signal(signal.SIGTERM)
            while not kept.ended():
                if self._asked.count > asked or time.monotonic() >= until:
                    self._say(f"{kept.name} is killed")
                    kept.kill()
                else:
                    self._asked.wait(until - time.monotonic())
            kept.process = None
        self._say("Stopped.")

    def _start(self, kept: _Kept) -> bool:
        try:
            kept.start(self._environment)
        except (OSError, subprocess.SubprocessError) as problem:
            self._say(f"{kept.name} cannot be started: {problem}")
            return False
        return True

    def _bury(self, kept: _Kept, now: float) -> bool:
        process, kept.process = kept.process, None
        ending = _ending(process.returncode if process else 0)
        kept.deaths += 1
        if not kept.started and kept.deaths >= self._patience.tries:
            self._say(f"{kept.name} cannot be started: it {ending}, {kept.deaths} times. Its last words:")
            for line in _last_lines(kept.log):
                self._say(f"    {line}")
            self._say(f"(all of them are in {kept.log})")
            return False
        patience = self._patience
        first = kept.pause == 0 or now - kept.since >= patience.settled
        kept.pause = patience.first_pause if first else min(2 * kept.pause, patience.longest_pause)
        kept.again_at = now + kept.pause
        self._say(f"{kept.name} {ending}; starting it again in {kept.pause:g} s (see {kept.log})")
        return True

    def _wait_for(self, kept: _Kept) -> None:
        now = time.monotonic()
        if kept.process and now - kept.told_at >= self._patience.still_waiting:
            kept.told_at = now
            self._say(f"Still waiting for {kept.name} (see {kept.log})")
        self._asked.wait(_GLANCE)


def _say(out: Callable[[str], None], line: str) -> None:
    # A closed terminal or pipe must not keep us from stopping what runs.
    with suppress(OSError):
        out(line)


def _ending(returncode: int) -> str:
    if returncode < 0:
        return f"was ended by signal {-returncode} ({signal.strsignal(-returncode)})"
    return f"ended with code {returncode}"


def _last_lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL:]
