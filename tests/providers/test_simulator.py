from __future__ import annotations

import errno
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from urllib.parse import parse_qs

import pytest
import requests

from gateway.providers.africastalking import AfricasTalking
from gateway.providers.simulator import KEPT, Reports, Simulator, messages_at

ROOT = Path(__file__).parents[2]
NUMBER = "+243970000001"
FORM = {"username": "sandbox", "to": NUMBER, "message": "Dossier 7", "bulkSMSMode": "1"}


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(now=lambda: datetime(2026, 8, 20, 9, tzinfo=UTC)) as running:
        yield running


def post(simulator: Simulator, **changed: str) -> requests.Response:
    return requests.post(simulator.url + "/version1/messaging", data=FORM | changed, timeout=10)


@contextmanager
def a_hook() -> Iterator[tuple[str, Queue[dict[str, list[str]]]]]:
    """Something that delivery reports can be posted to, and what arrived there."""
    arrived: Queue[dict[str, list[str]]] = Queue()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            arrived.put(parse_qs(body, keep_blank_values=True))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/receipt", arrived
        finally:
            server.shutdown()
            thread.join()


def test_an_accepted_message_is_answered_as_recorded(simulator: Simulator) -> None:
    answer = post(simulator)
    (kept,) = simulator.messages
    assert (answer.status_code, answer.headers["Content-Type"]) == (201, "application/json")
    assert re.fullmatch("ATXid_[0-9a-f]{32}", kept.message_id)
    assert answer.json() == {
        "SMSMessageData": {
            "Message": "Sent to 1/1 Total Cost: USD 0.0079 Message parts: 1",
            "Recipients": [
                {
                    "cost": "KES 0.8000",
                    "messageId": kept.message_id,
                    "number": NUMBER,
                    "status": "Success",
                    "statusCode": 101,
                }
            ],
        }
    }


def test_a_queued_message_and_several_recipients_are_answered_one_by_one(simulator: Simulator) -> None:
    data = post(simulator, to=f"{NUMBER},+243970000002", enqueue="1").json()["SMSMessageData"]
    assert [(one["number"], one["statusCode"]) for one in data["Recipients"]] == [
        (NUMBER, 102),
        ("+243970000002", 102),
    ]
    assert data["Message"].startswith("Sent to 2/2")


def test_a_sender_that_is_not_registered_is_answered_with_success_and_nobody(simulator: Simulator) -> None:
    simulator.fault = "invalid_sender"
    answer = post(simulator)
    assert answer.status_code == 201
    assert answer.json() == {"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}}
    assert simulator.messages == []


def test_a_refused_number_has_the_word_none_for_an_id(simulator: Simulator) -> None:
    simulator.fault = "blacklist"
    assert post(simulator).json() == {
        "SMSMessageData": {
            "Message": "Sent to 0/1 Total Cost: 0",
            "Recipients": [
                {
                    "cost": "0",
                    "messageId": "None",
                    "number": NUMBER,
                    "status": "UserInBlacklist",
                    "statusCode": 406,
                }
            ],
        }
    }


def test_a_wrong_key_is_answered_in_plain_text(simulator: Simulator) -> None:
    simulator.fault = "unauthorised"
    answer = post(simulator)
    assert (answer.status_code, answer.headers["Content-Type"]) == (401, "text/plain")
    assert answer.text == "The supplied authentication is invalid"


@pytest.mark.parametrize("missing", ["username", "to", "message"])
def test_a_request_that_lacks_a_field_is_bad(simulator: Simulator, missing: str) -> None:
    assert post(simulator, **{missing: ""}).status_code == 400
    assert simulator.messages == []


def test_nothing_else_is_served(simulator: Simulator) -> None:
    assert requests.post(simulator.url + "/version1/user", data=FORM, timeout=10).status_code == 404
    assert requests.get(simulator.url + "/", timeout=10).status_code == 404


def test_it_listens_to_this_machine_alone(simulator: Simulator) -> None:
    assert simulator.url.startswith("http://127.0.0.1:")


def test_the_messages_can_be_read_over_http(simulator: Simulator) -> None:
    post(simulator)
    post(simulator, message="Dossier 8")
    read = messages_at(simulator.url)
    assert read.reachable
    assert [sms.message for sms in read] == ["Dossier 7", "Dossier 8"]
    assert read == simulator.messages
    assert read[0].time == datetime(2026, 8, 20, 9, tzinfo=UTC)


def test_a_kept_message_does_not_show_what_it_holds(simulator: Simulator) -> None:
    post(simulator)
    shown = repr(messages_at(simulator.url))
    assert not any(held in shown for held in (NUMBER, "Dossier", "ATXid"))


def test_only_the_last_thousand_are_kept(simulator: Simulator) -> None:
    many = [f"+2439{place:08}" for place in range(KEPT + 5)]
    post(simulator, to=",".join(many))
    assert [sms.to for sms in simulator.messages] == many[5:]


def test_a_simulator_that_is_not_there_is_not_reachable() -> None:
    with Simulator() as gone:
        pass
    for address in (gone.url, "nonsense"):
        read = messages_at(address)
        assert read == []
        assert not read.reachable


def test_something_else_at_the_address_is_not_reachable() -> None:
    with a_hook() as (url, _):
        assert not messages_at(url).reachable


REPORTS: list[tuple[Reports, list[str]]] = [
    ("normal", ["Success"]),
    ("none", []),
    ("twice", ["Success", "Success"]),
    ("out_of_order", ["Success", "Sent"]),
    ("failed", ["Failed"]),
    ("expired", ["Expired"]),
    ("no_network_code", ["Success"]),
]


@pytest.mark.parametrize(("wanted", "statuses"), REPORTS)
def test_delivery_reports_come_as_they_were_asked_for(
    simulator: Simulator, wanted: Reports, statuses: list[str]
) -> None:
    provider = AfricasTalking("mine", "key", url=simulator.url)
    with a_hook() as (url, arrived):
        simulator.receipts_to = url
        simulator.receipt_delay_ms = 1
        simulator.receipts = wanted
        message_id = provider.send_sms(NUMBER, "Dossier 7").message_id
        simulator.receipts = "normal"
        last = provider.send_sms(NUMBER, "Dossier 8").message_id
        reports = [arrived.get() for _ in range(len(statuses) + 1)]
    assert [report["status"][0] for report in reports[:-1]] == statuses
    assert all(report["id"] == [message_id] for report in reports[:-1])
    assert reports[-1]["id"] == [last]
    assert all(("networkCode" in report) == (wanted != "no_network_code") for report in reports[:-1])
    assert all(("failureReason" in report) == (wanted == "failed") for report in reports[:-1])
    for report in reports:
        assert provider.read_receipt(report).message_id == report["id"][0]


def test_a_hook_that_is_not_there_only_loses_its_report(simulator: Simulator) -> None:
    with a_hook() as (closed, _):
        pass
    simulator.receipt_delay_ms = 1
    simulator.receipts_to = closed
    post(simulator)
    with a_hook() as (url, arrived):
        while arrived.empty():
            simulator.receipts_to = url
            post(simulator)
            simulator.wait(0.05)
    assert len(simulator.messages) > 1


def test_a_stop_cuts_kept_connections_and_those_that_wait(simulator: Simulator) -> None:
    simulator.fault = "hang"
    port = int(simulator.url.rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port)) as idle,
        socket.create_connection(("127.0.0.1", port)) as waiting,
    ):
        waiting.sendall(b"POST /version1/messaging HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        idle.sendall(b"GET /simulator/messages HTTP/1.1\r\n\r\n")
        assert idle.recv(1_000).startswith(b"HTTP/1.1 200")
        while simulator.posts == 0:
            simulator.wait(0.01)
        simulator.stop()
        assert (idle.recv(1_000), waiting.recv(1_000)) == (b"", b"")


def test_a_second_start_takes_the_same_port_and_keeps_the_messages(simulator: Simulator) -> None:
    post(simulator)
    before = simulator.url
    simulator.stop()
    simulator.stop()
    simulator.start()
    post(simulator)
    assert (simulator.url, len(simulator.messages)) == (before, 2)


def test_a_taken_port_is_an_error(simulator: Simulator) -> None:
    with pytest.raises(OSError, match=str(errno.EADDRINUSE)):
        Simulator(int(simulator.url.rpartition(":")[2])).start()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_as_a_process_it_ends_on_a_signal_and_prints_nothing(stop: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = [sys.executable, "-c", f"from gateway.providers.simulator import serve; serve({port})"]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
        try:
            while not messages_at(f"http://127.0.0.1:{port}").reachable:
                assert child.poll() is None
            requests.post(f"http://127.0.0.1:{port}/version1/messaging", data=FORM, timeout=10)
        finally:
            child.send_signal(stop)
            said, _ = child.communicate()
    assert (child.returncode, said) == (0, b"")
