from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator

import pytest
import requests

from gateway.providers import Hop, Kind, NotAHop, Receipt, SendFailed, State
from gateway.providers.africastalking import AfricasTalking
from gateway.providers.simulator import Fault, Simulator
from tests.providers.contract import CODE, NUMBER, TEXT, ProviderContract, Sends, a_server_that_says, http

KEY = "atsk_not-a-real-key"


def hop_form(text: str = "", **changed: list[str]) -> dict[str, list[str]]:
    form = {
        "sessionId": ["S1"],
        "phoneNumber": [NUMBER],
        "networkCode": ["63002"],
        "serviceCode": [CODE],
        "text": [text],
    }
    return form | changed


def ended_form(**changed: list[str]) -> dict[str, list[str]]:
    form = {
        "date": ["2026-08-20 09:15:00"],
        "sessionId": ["S1"],
        "serviceCode": [CODE],
        "networkCode": ["63002"],
        "phoneNumber": [NUMBER],
        "status": ["Incomplete"],
        "cost": ["0"],
        "durationInMillis": ["41000"],
        "hopsCount": ["3"],
        "input": ["1*2*secret"],
        "lastAppResponse": ["CON secret"],
        "errorMessage": [""],
    }
    return form | changed


def receipt_form(**changed: list[str]) -> dict[str, list[str]]:
    form = {
        "id": ["M1"],
        "status": ["Success"],
        "phoneNumber": [NUMBER],
        "networkCode": ["63002"],
        "retryCount": ["0"],
    }
    return form | changed


def provider_at(url: str | None, timeout: tuple[float, float] = (3.05, 9.05)) -> AfricasTalking:
    return AfricasTalking("mine", KEY, "ALERTE", url, frozenset({CODE}), timeout=timeout)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def sends(simulator: Simulator) -> Sends:
    return provider_at(simulator.url).send_sms


class TestAfricasTalking(ProviderContract):
    provider = provider_at(None)
    hop_form = staticmethod(hop_form)
    ended_form = staticmethod(ended_form)
    receipt_form = staticmethod(receipt_form)
    fields = tuple({**hop_form(), **ended_form(), **receipt_form(), "failureReason": []})


# What the wire says and what we read.


@pytest.mark.parametrize(
    ("text", "inputs"),
    [
        ("", ()),
        ("1", ("1",)),
        ("1*2*3", ("1", "2", "3")),
        ("*", ("", "")),
        ("1*", ("1", "")),
        ("1**2", ("1", "", "2")),
        ("1*the wall * fell", ("1", "the wall ", " fell")),
        ("1*#", ("1", "#")),
        (" 1 *2", (" 1 ", "2")),
        ("1*mbelé ya búpɔtu", ("1", "mbelé ya búpɔtu")),
        ("1*\x00\n", ("1", "\x00\n")),
        ("*".join("9" * 60), ("9",) * 60),
        ("x" * 1_000, ("x" * 1_000,)),
    ],
)
def test_a_text_is_divided_at_every_star_and_otherwise_kept(text: str, inputs: tuple[str, ...]) -> None:
    assert provider_at(None).read_hop(hop_form(text)) == Hop("africastalking", "S1", NUMBER, CODE, inputs)


@pytest.mark.parametrize(
    "changed",
    [
        {"networkCode": ["99999"]},
        {"networkCode": [""]},
        {"networkCode": []},
        {"phoneNumber": ["d4f1c0ffee-masked"]},
        {"phoneNumber": [" 243970000001"]},
        {"sessionId": ["ATUid_" + "a" * 122]},
        {"somethingNew": ["1", "2"]},
    ],
    ids=str,
)
def test_a_hop_need_not_look_usual(changed: dict[str, list[str]]) -> None:
    form = {name: values for name, values in hop_form("1", **changed).items() if values}
    assert provider_at(None).read_hop(form).inputs == ("1",)


@pytest.mark.parametrize(
    "changed",
    [
        {"sessionId": []},
        {"sessionId": [""]},
        {"sessionId": ["S1", "S1"]},
        {"sessionId": ["S" * 129]},
        {"sessionId": ["S1\x00"]},
        {"sessionId": ["S1\nS2"]},
        {"phoneNumber": []},
        {"phoneNumber": [""]},
        {"phoneNumber": ["1" * 65]},
        {"phoneNumber": [NUMBER, NUMBER]},
        {"phoneNumber": ["\x7f243"]},
        {"serviceCode": []},
        {"serviceCode": ["*384*9999#"]},
        {"serviceCode": [CODE, CODE]},
        {"text": []},
        {"text": ["1", "1"]},
        {"text": ["x" * 1_001]},
        {"text": ["*" * 60]},
        {"text": ["\ud800"]},
        {"networkCode": ["63002", "63002"]},
    ],
    ids=ascii,
)
def test_what_cannot_be_a_hop_is_refused_without_being_repeated(changed: dict[str, list[str]]) -> None:
    ((name, values),) = changed.items()
    with pytest.raises(NotAHop) as refused:
        provider_at(None).read_hop(hop_form() | changed)
    assert name in str(refused.value)
    assert not any(len(value) > 1 and value in str(refused.value) for value in values)
    assert refused.value.__context__ is None


def test_a_field_that_is_not_there_is_refused() -> None:
    for name in ("sessionId", "phoneNumber", "serviceCode", "text"):
        form = hop_form("1")
        del form[name]
        with pytest.raises(NotAHop, match=name):
            provider_at(None).read_hop(form)


def test_with_no_service_code_of_ours_every_hop_is_refused() -> None:
    with pytest.raises(NotAHop, match="serviceCode"):
        AfricasTalking("mine", KEY).read_hop(hop_form("1"))


def test_an_end_needs_nothing_but_whose_it_is() -> None:
    short = {name: ended_form()[name] for name in ("sessionId", "phoneNumber", "serviceCode")}
    assert provider_at(None).read_ended(short) == provider_at(None).read_ended(ended_form())


@pytest.mark.parametrize("name", ["sessionId", "phoneNumber", "serviceCode"])
def test_an_end_of_nobody_is_refused(name: str) -> None:
    with pytest.raises(NotAHop, match=name):
        provider_at(None).read_ended(ended_form() | {name: []})


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("Sent", "sent"),
        ("Submitted", "sent"),
        ("Buffered", "sent"),
        ("AbsentSubscriber", "sent"),
        ("Success", "delivered"),
        ("success", "delivered"),
        ("Failed", "failed"),
        ("Rejected", "failed"),
        ("Expired", "failed"),
        ("SomethingNew", None),
        ("", None),
    ],
)
def test_a_status_is_one_of_our_states_or_none(status: str, state: State | None) -> None:
    assert provider_at(None).read_receipt(receipt_form(status=[status])) == Receipt("M1", state)


@pytest.mark.parametrize(
    "changed",
    [
        {"id": []},
        {"id": [""]},
        {"id": ["M1", "M1"]},
        {"id": ["M" * 129]},
        {"id": ["M\x00"]},
        {"status": []},
        {"status": ["Success", "Failed"]},
    ],
    ids=ascii,
)
def test_a_receipt_for_no_message_is_refused(changed: dict[str, list[str]]) -> None:
    with pytest.raises(NotAHop):
        provider_at(None).read_receipt(receipt_form() | changed)


def test_a_screen_is_written_as_the_contract_says() -> None:
    provider = provider_at(None)
    assert provider.write_screen("Bienvenue\n1 Français", False) == "CON Bienvenue\n1 Français".encode()
    assert provider.write_screen("Merci", True) == b"END Merci"
    assert provider.content_type.startswith("text/plain")
    assert provider.screen_limit == 160


# What a real SDK does with a real answer over real HTTP.

FAULTS: list[tuple[Fault, Kind, str]] = [
    ("invalid_sender", "held", "InvalidSenderId"),
    ("blacklist", "refused", "406"),
    ("dnd", "refused", "409"),
    ("unknown_code", "refused", "499"),
    ("broken_json", "unknown", "HTTP 201, unreadable"),
    ("unauthorised", "held", "HTTP 401"),
    ("unavailable", "retry", "HTTP 503"),
    ("hang", "unknown", "ReadTimeout"),
    ("accept_then_hang", "unknown", "ReadTimeout"),
    ("reset", "unknown", "ConnectionError"),
]


@pytest.mark.parametrize(("fault", "kind", "code"), FAULTS)
def test_each_fault_of_the_provider_has_its_meaning(
    simulator: Simulator, caplog: pytest.LogCaptureFixture, fault: Fault, kind: Kind, code: str
) -> None:
    caplog.set_level(logging.DEBUG)
    simulator.fault = fault
    with pytest.raises(SendFailed) as failed:
        provider_at(simulator.url, timeout=(3.05, 0.2)).send_sms(NUMBER, TEXT)
    assert (failed.value.kind, failed.value.code) == (kind, code)
    assert failed.value.__context__ is failed.value.__cause__ is None
    for said in (repr(failed.value), caplog.text):
        assert not any(held in said for held in (NUMBER, NUMBER[1:], TEXT, "Dossier", KEY))
    assert len(simulator.messages) == (fault in ("accept_then_hang", "broken_json"))


def test_a_message_arrives_as_it_was_written(simulator: Simulator, sends: Sends) -> None:
    text = "Référence 4 & 5 = 9 + 1 ?\nMbelé ya búpɔtu €"
    sent = sends(NUMBER, text)
    (arrived,) = simulator.messages
    assert (arrived.to, arrived.message, arrived.message_id) == (NUMBER, text, sent.message_id)


def test_a_longer_content_type_is_no_fault(simulator: Simulator, sends: Sends) -> None:
    simulator.fault = "charset"
    assert sends(NUMBER, TEXT).message_id == simulator.messages[0].message_id


def test_a_slow_provider_is_waited_for(simulator: Simulator, sends: Sends) -> None:
    simulator.delay_ms = 150
    assert sends(NUMBER, TEXT).message_id == simulator.messages[0].message_id


def test_a_provider_that_is_not_there_was_never_reached(simulator: Simulator, sends: Sends) -> None:
    sends(NUMBER, TEXT)
    simulator.stop()
    for _ in range(2):
        with pytest.raises(SendFailed) as failed:
            sends(NUMBER, TEXT)
        assert failed.value.kind == "retry"
    simulator.start()
    sends(NUMBER, TEXT)
    assert len(simulator.messages) == 2


def test_an_address_that_cannot_be_one_waits_for_a_person() -> None:
    with pytest.raises(SendFailed) as failed:
        provider_at("nowhere").send_sms(NUMBER, TEXT)
    assert (failed.value.kind, failed.value.code) == ("held", "MissingSchema")


def test_a_text_that_is_not_unicode_waits_for_a_person(sends: Sends) -> None:
    with pytest.raises(SendFailed) as failed:
        sends(NUMBER, "\ud800")
    assert failed.value.kind == "held"


def test_connections_are_kept(simulator: Simulator, sends: Sends) -> None:
    for _ in range(5):
        sends(NUMBER, TEXT)
    assert (simulator.posts, simulator.connections) == (5, 1)


def test_connections_outlive_the_threads_that_used_them(simulator: Simulator, sends: Sends) -> None:
    for _ in range(3):
        thread = threading.Thread(target=sends, args=(NUMBER, TEXT))
        thread.start()
        thread.join()
    assert (simulator.posts, simulator.connections) == (3, 1)


def test_a_connection_is_not_trusted_after_a_long_rest(simulator: Simulator) -> None:
    seconds = [0.0]
    provider = AfricasTalking("mine", KEY, url=simulator.url, clock=lambda: seconds[0])
    for at, opened in ((0, 1), (29, 1), (58, 1), (88, 2)):
        seconds[0] = at
        provider.send_sms(NUMBER, TEXT)
        assert simulator.connections == opened


def test_a_connection_is_not_kept_after_a_fault(simulator: Simulator) -> None:
    provider = provider_at(simulator.url, timeout=(3.05, 0.2))
    simulator.fault = "hang"
    with pytest.raises(SendFailed):
        provider.send_sms(NUMBER, TEXT)
    simulator.fault = "normal"
    provider.send_sms(NUMBER, TEXT)
    assert simulator.connections == 2


@pytest.mark.parametrize("username", ["mine", "sandbox"])
def test_a_warning_of_the_sdk_is_never_seen(simulator: Simulator, username: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        AfricasTalking(username, KEY, url=simulator.url + "/").send_sms(NUMBER, TEXT)
    assert len(simulator.messages) == 1


@pytest.mark.parametrize(
    ("username", "key"),
    [
        ("", KEY),
        ("mine", ""),
        ("mine", "line\nbreak"),
        ("mine", "clé-secrète"),
    ],
)
def test_credentials_that_no_header_can_carry_are_refused_unseen(username: str, key: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII") as refused:
        AfricasTalking(username, key)
    assert not key or key not in str(refused.value)


# Answers that the simulator has no reason to give.


def recipients(inside: bytes) -> bytes:
    return b'{"SMSMessageData": {"Message": "Sent", "Recipients": [%s]}}' % inside


def recipient(code: bytes, message_id: bytes = b'"ATXid_1"') -> bytes:
    return recipients(b'{"statusCode": %s, "number": "+243", "messageId": %s}' % (code, message_id))


ANSWERS: list[tuple[str, bytes, Kind]] = [
    ("a redirect", http(302, b"", b"Location: http://127.0.0.1:1/elsewhere"), "held"),
    ("a bad request", http(400, b"+243970000001"), "held"),
    ("a forbidden account", http(403, b""), "held"),
    ("another address", http(404, b""), "held"),
    ("too many at once", http(429, b""), "retry"),
    ("a failing machine", http(500, b"+243970000001"), "retry"),
    ("a failing front", http(502, b""), "retry"),
    ("not JSON", http(200, b"OK"), "unknown"),
    ("not UTF-8", http(201, b"\xff\xfe\xfd"), "unknown"),
    ("very deep", http(201, b"[" * 100_000), "unknown"),
    ("another shape", http(201, b'{"SMSMessageData": []}'), "unknown"),
    ("nothing at all", http(201, b""), "unknown"),
    ("two for one", http(201, recipients(b'{"statusCode": 101}, {"statusCode": 101}')), "unknown"),
    ("nobody, for a new reason", http(201, recipients(b"")), "held"),
    ("taken without an id", http(201, recipient(b"101", b'"None"')), "unknown"),
    ("taken with no id", http(201, recipient(b"101", b"null")), "unknown"),
    ("held for risk", http(201, recipient(b"401")), "held"),
    ("sender not registered", http(201, recipient(b"402")), "held"),
    ("not a number", http(201, recipient(b"403")), "refused"),
    ("not a kind of number", http(201, recipient(b"404")), "refused"),
    ("no balance", http(201, recipient(b"405")), "held"),
    ("no route", http(201, recipient(b"407")), "refused"),
    ("their error", http(201, recipient(b"500")), "retry"),
    ("their gateway", http(201, recipient(b"501")), "retry"),
    ("their gateway said no", http(201, recipient(b"502")), "retry"),
    ("another error of theirs", http(201, recipient(b"599")), "retry"),
    ("a code of no kind", http(201, recipient(b"103")), "unknown"),
    ("a code that is a number of ours", http(201, recipient(b'"+243970000001"')), "unknown"),
    ("a code that is true", http(201, recipient(b"true")), "unknown"),
    ("cut in the body", http(201, recipient(b"101"))[:-5], "unknown"),
    ("cut in the head", b"HTTP/1.1 201 Cre", "unknown"),
    ("not HTTP", b"hello\r\n\r\n", "unknown"),
    ("gone at once", b"", "unknown"),
]


@pytest.mark.parametrize(("what", "answer", "kind"), ANSWERS, ids=[case[0] for case in ANSWERS])
def test_every_answer_has_a_meaning_and_is_never_repeated(what: str, answer: bytes, kind: Kind) -> None:
    with a_server_that_says(answer) as (url, _), pytest.raises(SendFailed) as failed:
        provider_at(url).send_sms(NUMBER, TEXT)
    assert failed.value.kind == kind, what
    assert NUMBER not in repr(failed.value)
    assert failed.value.__context__ is failed.value.__cause__ is None


@pytest.mark.parametrize("code", [b"100", b"101", b"102", b'"101"'])
def test_a_message_is_taken_with_each_accepting_code(code: bytes) -> None:
    with a_server_that_says(http(201, recipient(code))) as (url, _):
        assert provider_at(url).send_sms(NUMBER, TEXT).message_id == "ATXid_1"


def test_the_request_is_the_one_that_is_documented() -> None:
    with a_server_that_says(http(201, recipient(b"101"))) as (url, heard):
        provider_at(url).send_sms(NUMBER, "Dossier é")
    head, _, body = heard[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /version1/messaging HTTP/1.1\r\n")
    assert f"apiKey: {KEY}".encode() in head
    assert b"Content-Type: application/x-www-form-urlencoded" in head
    assert body == b"username=mine&to=%2B243970000001&message=Dossier+%C3%A9&bulkSMSMode=1&from=ALERTE"


def test_a_tls_handshake_that_fails_sent_nothing(simulator: Simulator) -> None:
    with pytest.raises(SendFailed) as failed:
        provider_at(simulator.url.replace("http:", "https:")).send_sms(NUMBER, TEXT)
    assert (failed.value.kind, failed.value.code) == ("retry", requests.exceptions.SSLError.__name__)
    assert simulator.posts == 0


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    provider_at(simulator.url).send_sms(NUMBER, TEXT)
    assert len(simulator.messages) == 1
