"""Africa's Talking's SMS service, played over real HTTP on this machine, for the demo and for the tests.

It answers as the live service was recorded to (fixtures of github.com/SamuelMwangiW/africastalking-laravel),
listens to this machine alone, keeps the last thousand messages in memory and posts delivery reports back.
What can go wrong with the real one can be asked of it: `fault`, `delay_ms`, `receipts` and `receipt_delay_ms`
may be set at any time and hold for every later message.

`POST /version1/messaging` is theirs. `GET /simulator/messages` is ours: what arrived, for the demo's phone.
"""

from __future__ import annotations

import json
import secrets
import signal
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from queue import SimpleQueue
from typing import Any, Literal, Self
from urllib.parse import parse_qs

import requests

Fault = Literal[
    "normal",
    "invalid_sender",  # 201 and nobody on the list: the sender is not registered
    "blacklist",  # 406: the person opted out
    "dnd",  # 409: the network keeps advertisements from them
    "unknown_code",  # a code that is in no list
    "charset",  # all is well, and the Content-Type says more than usual
    "broken_json",  # taken, and the answer stops in the middle
    "unauthorised",  # 401: the key is wrong
    "unavailable",  # 503
    "hang",  # not taken, and no answer
    "accept_then_hang",  # taken, and no answer
    "reset",  # the connection is torn down after the request
]

Reports = Literal["normal", "none", "twice", "out_of_order", "failed", "expired", "no_network_code"]

KEPT = 1_000
_LARGEST_BODY = 1_000_000


@dataclass(frozen=True, slots=True)
class SimulatedSms:
    """A message that was taken. `time` is in UTC."""

    time: datetime
    to: str = field(repr=False)
    message: str = field(repr=False)
    message_id: str = field(repr=False)


class Messages(list[SimulatedSms]):
    """What a simulator keeps, newest last; empty and not `reachable` when it gave no answer."""

    def __init__(self, messages: Iterable[SimulatedSms] = (), *, reachable: bool) -> None:
        super().__init__(messages)
        self.reachable = reachable


def messages_at(url: str) -> Messages:
    """The messages of the simulator at `url`. Never raises; waits half a second to connect, two to read."""
    address = url.rstrip("/") + "/simulator/messages"
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(address, timeout=(0.5, 2), allow_redirects=False)
        answer.raise_for_status()
        return Messages(map(_from_json, answer.json()), reachable=True)
    except (requests.RequestException, ValueError, TypeError, KeyError):
        return Messages(reachable=False)


def _from_json(kept: dict[str, str]) -> SimulatedSms:
    return SimulatedSms(datetime.fromisoformat(kept["time"]), kept["to"], kept["message"], kept["messageId"])


def serve(port: int, receipts_to: str | None = None) -> None:
    """Run a simulator until SIGTERM or SIGINT; the body of a process. Prints nothing.

    Call it from the main thread. Raises OSError when the port is taken.
    """
    asked = {signal.SIGTERM, signal.SIGINT}
    # Blocked before any thread starts, so that every thread inherits it and only `sigwait` is told.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, asked)
    try:
        with Simulator(port, receipts_to):
            signal.sigwait(asked)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Simulator:
    """The service. Port 0 takes a free one, and keeps it over a stop and another start.

    `receipts_to` is the whole address of the hook for delivery reports; it may be set later. `posts` and
    `connections` count what came in.
    """

    def __init__(
        self,
        port: int = 0,
        receipts_to: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.receipts_to = receipts_to
        self.fault: Fault = "normal"
        self.delay_ms = 0
        self.receipts: Reports = "normal"
        self.receipt_delay_ms = 200
        self.posts = 0
        self._port = port
        self._now = now
        self._kept: deque[SimulatedSms] = deque(maxlen=KEPT)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._due: SimpleQueue[tuple[float, dict[str, str]] | None] = SimpleQueue()
        self._server: _Server | None = None
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        """Where it listens; known once it has started."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def messages(self) -> list[SimulatedSms]:
        """The messages taken, newest last."""
        with self._lock:
            return list(self._kept)

    @property
    def connections(self) -> int:
        """How many connections were opened since the last start."""
        return self._server.accepted if self._server else 0

    def start(self) -> Self:
        """Listen. Raises OSError when the port is taken."""
        self._server = _Server(self, self._port)
        self._port = self._server.server_port
        self._stopping.clear()
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True),
            threading.Thread(target=self._report, daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """Stop listening and cut every connection: the provider is gone. Reports not yet due are lost."""
        if self._server is None:
            return
        self._stopping.set()
        self._due.put(None)
        self._server.shutdown()
        self._server.cut()
        for thread in self._threads:
            thread.join()
        self._server = None
        self._due = SimpleQueue()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until `stop` was called, or so long; whether it was called."""
        return self._stopping.wait(seconds)

    def take(self, form: dict[str, list[str]]) -> tuple[int, str, bytes] | None:
        """Status, Content-Type and body for one post to the messaging address; None to give no answer."""
        with self._lock:
            self.posts += 1
        match self.fault:
            case "unauthorised":
                return 401, "text/plain", b"The supplied authentication is invalid"
            case "unavailable":
                return 503, "text/plain", b"Service Unavailable"
            case "hang" | "reset":
                return None
            case "invalid_sender":
                return 201, "application/json", _listing("InvalidSenderId", [])
            case "blacklist":
                return self._refuse(form, 406, "UserInBlacklist")
            case "dnd":
                return self._refuse(form, 409, "DoNotDisturbRejection")
            case "unknown_code":
                return self._refuse(form, 499, "SomethingNew")
            case fault:
                if not form.get("username") or not form.get("to") or not form.get("message"):
                    return 400, "text/plain", b"Request is missing a required form field"
                body = self._accept(form["to"][0].split(","), form["message"][0], "enqueue" in form)
                if fault == "accept_then_hang":
                    return None
                kind = "application/json; charset=utf-8" if fault == "charset" else "application/json"
                return 201, kind, body[: len(body) // 2] if fault == "broken_json" else body

    def _accept(self, numbers: Sequence[str], message: str, queued: bool) -> bytes:
        recipients = []
        for number in numbers:
            taken = SimulatedSms(self._now(), number, message, f"ATXid_{secrets.token_hex(16)}")
            with self._lock:
                self._kept.append(taken)
            code = 102 if queued else 101
            recipients.append(_recipient(number, "Success", code, taken.message_id, "KES 0.8000"))
            for form in _reports(taken, self.receipts):
                self._due.put((time.monotonic() + self.receipt_delay_ms / 1000, form))
        counted = f"Sent to {len(numbers)}/{len(numbers)} Total Cost: USD {0.0079 * len(numbers):.4f}"
        return _listing(f"{counted} Message parts: 1", recipients)

    def _refuse(self, form: dict[str, list[str]], code: int, status: str) -> tuple[int, str, bytes]:
        numbers = form.get("to", [""])[0].split(",")
        recipients = [_recipient(number, status, code, "None", "0") for number in numbers]
        return 201, "application/json", _listing(f"Sent to 0/{len(numbers)} Total Cost: 0", recipients)

    def _report(self) -> None:
        """Post what is due, one after the other, once each; a hook that is not there has lost its report."""
        due = self._due
        with requests.Session() as session:
            session.trust_env = False
            while (item := due.get()) is not None:
                at, form = item
                if self.wait(max(0.0, at - time.monotonic())):
                    return
                if self.receipts_to is not None:
                    with suppress(requests.RequestException):
                        session.post(self.receipts_to, data=form, timeout=(1, 5), allow_redirects=False)


def _reports(taken: SimulatedSms, wanted: Reports) -> list[dict[str, str]]:
    """The delivery reports of one message, in the order in which they are posted."""
    report = {
        "id": taken.message_id,
        "status": "Success",
        "phoneNumber": taken.to,
        "networkCode": "63002",
        "retryCount": "0",
    }
    match wanted:
        case "none":
            return []
        case "twice":
            return [report, report]
        case "out_of_order":
            return [report, {**report, "status": "Sent"}]
        case "failed":
            return [{**report, "status": "Failed", "failureReason": "DeliveryFailure"}]
        case "expired":
            return [{**report, "status": "Expired"}]
        case "no_network_code":
            del report["networkCode"]
    return [report]


def _recipient(number: str, status: str, code: int, message_id: str, cost: str) -> dict[str, object]:
    return {"cost": cost, "messageId": message_id, "number": number, "status": status, "statusCode": code}


def _listing(message: str, recipients: list[dict[str, object]]) -> bytes:
    return json.dumps({"SMSMessageData": {"Message": message, "Recipients": recipients}}).encode()


class _Server(ThreadingHTTPServer):
    """Remembers its open connections, because a kept one would go on being served after the end."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, simulator: Simulator, port: int) -> None:
        self.simulator = simulator
        self.accepted = 0
        self._open: set[Any] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.accepted += 1
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def cut(self) -> None:
        self.server_close()
        for connection in tuple(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that gave up waiting is what several of the faults are for.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"  # connections are kept, as by the real one
    wbufsize = 65_536  # head and body leave in one piece

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.path != "/version1/messaging" or not length.isdecimal() or int(length) > _LARGEST_BODY:
            self.close_connection = True
            return self._answer(404, "text/plain", b"")
        sent = self.rfile.read(int(length)).decode("utf-8", "replace")
        simulator = self.server.simulator
        answer = simulator.take(parse_qs(sent))
        if answer is None:
            return self._fall_silent(torn=simulator.fault == "reset")
        if simulator.delay_ms:
            simulator.wait(simulator.delay_ms / 1000)
        return self._answer(*answer)

    def do_GET(self) -> None:
        if self.path != "/simulator/messages":
            return self._answer(404, "text/plain", b"")
        kept = [
            {"time": sms.time.isoformat(), "to": sms.to, "message": sms.message, "messageId": sms.message_id}
            for sms in self.server.simulator.messages
        ]
        return self._answer(200, "application/json", json.dumps(kept).encode())

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def _fall_silent(self, torn: bool) -> None:
        self.close_connection = True
        if not torn:
            self.server.simulator.wait()
            return
        # With no time to linger, closing sends a reset in place of an orderly end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for stream in (self.rfile, self.wfile, self.connection):
            stream.close()
        self.wfile = BytesIO()  # the caller still flushes it

    def log_message(self, *_: object) -> None:
        """Nothing: a log line would be the only trace of a message outside this process."""
