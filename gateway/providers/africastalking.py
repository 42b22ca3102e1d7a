"""Africa's Talking: every fact about its wire, and the only place that knows one.

Sources: docs.africastalking.com (ussd, sms/sending, sms/deliveryreports); the source of the `africastalking`
SDK 2.0.3; answers of the live service recorded in github.com/SamuelMwangiW/africastalking-laravel. Posts to
us are not signed: whoever knows the address may send anything, so all is bounded and nothing is believed.
"""

# The SDK ships no types, so to the type checker its classes could be anything.
# mypy: allow-subclassing-any, disable-error-code=import-untyped

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from io import BytesIO
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import requests
from africastalking.Service import DEFAULT_TIMEOUT_S
from africastalking.SMS import SMSService
from urllib3.exceptions import HTTPError

from gateway.providers import Ended, Form, Hop, Kind, NotAHop, Receipt, SendFailed, Sent, State

MOST_INPUTS = 60
MOST_TEXT = 1_000

_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_STATUS_CODE = re.compile(r"[0-9]{3}")

_STATES: dict[str, State] = {
    "sent": "sent",
    "submitted": "sent",
    "buffered": "sent",
    # The phone is away. Sources differ on whether this is the end: silence is escalated, a false end is not.
    "absentsubscriber": "sent",
    "success": "delivered",
    "failed": "failed",
    "rejected": "failed",
    "expired": "failed",
}

_ACCEPTED = {"100", "101", "102"}  # Processed, Sent, Queued
_KINDS: dict[str, Kind] = {
    "401": "held",  # RiskHold: their people stopped it
    "402": "held",  # InvalidSenderId
    "403": "refused",  # InvalidPhoneNumber
    "404": "refused",  # UnsupportedNumberType
    "405": "held",  # InsufficientBalance
    "406": "refused",  # UserInBlacklist: the person opted out of this sender
    "407": "refused",  # CouldNotRoute
    "409": "refused",  # DoNotDisturbRejection
    "500": "retry",  # InternalServerError
    "501": "retry",  # GatewayError
    "502": "retry",  # RejectedByGateway
}
# Any other code is taken for its hundred, as they group these.
_GROUPS: dict[str, Kind] = {"4": "refused", "5": "retry"}

_IDLE_SECONDS = 30.0


class AfricasTalking:
    """The provider. `service_codes` are ours: a hop for any other is refused, so an empty set takes none.

    `url` takes the place of `https://api.africastalking.com`; the account `sandbox` has an address of its
    own.
    `timeout` is in seconds, to connect and to wait for bytes. `clock` is any clock of seconds that never goes
    back. Raises ValueError for credentials that no header can carry, without showing them.
    """

    name = "africastalking"
    # No limit is documented; 160 is what the gateways of other operators keep to and where Kannel cuts.
    screen_limit = 160
    # What the response helper of their Node SDK sends (africastalking-node.js, lib/ussd.js).
    content_type = "text/plain; charset=utf-8"

    def __init__(
        self,
        username: str,
        api_key: str,
        sender_id: str | None = None,
        url: str | None = None,
        service_codes: frozenset[str] = frozenset(),
        *,
        timeout: tuple[float, float] = DEFAULT_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for what, value in (("username", username), ("API key", api_key)):
            if not (value and value.isascii() and value.isprintable()):
                raise ValueError(f"the Africa's Talking {what} must be printable ASCII")
        self._sender_id = sender_id
        self._service_codes = service_codes
        self._timeout = timeout
        self._sms = _Sms(username, api_key, url, clock)

    def read_hop(self, form: Form) -> Hop:
        """See Provider. At most 60 inputs in 1,000 characters; longer histories are not a person's."""
        session, caller, service_code = self._whose(form)
        if len(form.get("networkCode", ())) > 1:
            raise NotAHop("networkCode comes more than once")
        text = _once(form, "text")
        if len(text) > MOST_TEXT or text.count("*") >= MOST_INPUTS:
            raise NotAHop("text is too long")
        if not _encodes(text):
            raise NotAHop("text is not Unicode")
        # The first text is not always empty: `*384*1*2#` dialled at once may arrive as "1*2".
        inputs = tuple(text.split("*")) if text else ()
        return Hop(self.name, session, caller, service_code, inputs)

    def write_screen(self, text: str, ends: bool) -> bytes:
        """See Provider. A body that begins with neither word cuts the caller off, as an HTTP error does."""
        return (b"END " if ends else b"CON ") + text.encode()

    def read_ended(self, form: Form) -> Ended:
        """See Provider. The post also holds all that was typed and the last screen: neither is looked at."""
        session, caller, service_code = self._whose(form)
        return Ended(self.name, session, caller, service_code)

    def read_receipt(self, form: Form) -> Receipt:
        """See Provider. The number in the post is not looked at."""
        message_id = _once(form, "id", 128)
        return Receipt(message_id, _STATES.get(_once(form, "status").lower()))

    def send_sms(self, number: str, text: str) -> Sent:
        """See Provider. One recipient a call, so that each id has its own receipts."""
        # The SDK's own check lets a line break, digits of other scripts and an empty message through.
        if not _NUMBER.fullmatch(number):
            raise SendFailed("refused", "not E.164")
        if not text:
            raise SendFailed("refused", "empty")
        answer = self._sms.send(text, [number], sender_id=self._sender_id, timeout=self._timeout)
        return _taken(answer)

    def _whose(self, form: Form) -> tuple[str, str, str]:
        session = _once(form, "sessionId", 128)
        caller = _once(form, "phoneNumber", 64)
        service_code = _once(form, "serviceCode", 64)
        if service_code not in self._service_codes:
            raise NotAHop("serviceCode is not one of ours")
        return session, caller, service_code


def _once(form: Form, name: str, limit: int | None = None) -> str:
    """The only value of a field; with a limit, of 1 to `limit` characters that can all be printed."""
    values = form.get(name, ())
    if len(values) != 1:
        raise NotAHop(f"{name} must come exactly once")
    value = values[0]
    if limit is not None and not (0 < len(value) <= limit and value.isprintable()):
        raise NotAHop(f"{name} is malformed")
    return value


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Answer(NamedTuple):
    status: int
    body: bytes


def _taken(answer: _Answer) -> Sent:
    """What an answer means. Success of the HTTP exchange is not yet success of the message."""
    status = answer.status
    if not 200 <= status < 300:
        # A recipient's fault comes inside a 201; a 4xx or a redirect is about the account or the address.
        again = status >= 500 or status in (408, 429)
        raise SendFailed("retry" if again else "held", f"HTTP {status}")
    match _parsed(answer.body):
        case {"SMSMessageData": {"Recipients": []} as data}:
            known = data.get("Message") == "InvalidSenderId"
            raise SendFailed("held", "InvalidSenderId" if known else "no recipient")
        case {"SMSMessageData": {"Recipients": [{"statusCode": int() | str() as said, **recipient}]}}:
            code = str(said)
            if code in _ACCEPTED:
                return _sent(recipient.get("messageId"), code)
            if not _STATUS_CODE.fullmatch(code):
                raise SendFailed("unknown", "no status code")
            raise SendFailed(_KINDS.get(code) or _GROUPS.get(code[0], "unknown"), code)
    raise SendFailed("unknown", f"HTTP {status}, unreadable")


def _sent(message_id: object, code: str) -> Sent:
    # On a refusal the id is the word "None"; a message without one could never be matched to a receipt.
    if isinstance(message_id, str) and 0 < len(message_id) <= 128 and message_id != "None":
        return Sent(message_id)
    raise SendFailed("unknown", f"{code}, no id")


def _parsed(body: bytes) -> object:
    """The JSON in a body, whatever its Content-Type says; None when there is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


class _Sms(SMSService):
    """The SDK's SMS service, which builds the request, on a transport of our own.

    The SDK's loses the HTTP status of an error, reads JSON only under one exact Content-Type and opens a new
    connection for each message.
    """

    def __init__(self, username: str, api_key: str, url: str | None, clock: Callable[[], float]) -> None:
        super().__init__(username, api_key)
        if url is not None:
            self._baseUrl = url.rstrip("/") + "/version1"
        nearby = urlsplit(self._baseUrl).hostname in ("127.0.0.1", "::1", "localhost")
        self._connections = _Connections(through_proxy=not nearby, clock=clock)

    def _make_request(
        self,
        url: str,
        method: str,
        *,
        headers: Mapping[str, str],
        data: Mapping[str, object],
        timeout: tuple[float, float],
        **_: object,
    ) -> _Answer:
        """What the SDK calls to speak HTTP. Raises SendFailed."""
        body = BytesIO()
        try:
            body = BytesIO(urlencode(data).encode())
            with self._connections.borrow() as session:
                # The key and the number go to no other address, so a redirect is an answer like any other.
                response = session.request(
                    method,
                    url,
                    data=body,
                    timeout=timeout,
                    allow_redirects=False,
                    headers={**headers, "Content-Type": "application/x-www-form-urlencoded"},
                )
                return _Answer(response.status_code, response.content)
        except (OSError, ValueError, HTTPException, HTTPError) as error:
            # Any of them may quote what was being sent.
            failed = _cut_off(error, begun=body.tell() > 0)
        # Raised out here, so that the library's error does not hang on this one as its context.
        raise failed


def _cut_off(error: Exception, begun: bool) -> SendFailed:
    """What an exchange without an answer means; `begun` when the form had been taken up for sending.

    The form is sent after the connection stands and after the headers, so while it is untouched the provider
    has certainly seen no message, whatever the library calls its error.
    """
    kind: Kind
    if begun:
        kind = "unknown"
    elif isinstance(error, requests.ConnectionError | requests.Timeout):
        kind = "retry"
    else:
        kind = "held"
    return SendFailed(kind, type(error).__name__)


class _Connections:
    """Open connections at rest, lent to one thread at a time and kept when the exchange went well.

    They outlive the threads, which come and go with each batch of messages. One that rested for 30 seconds is
    closed: a network that forgot it in silence would swallow a message and leave its fate unknown.
    """

    def __init__(self, through_proxy: bool, clock: Callable[[], float]) -> None:
        self._through_proxy = through_proxy
        self._clock = clock
        self._resting: deque[tuple[requests.Session, float]] = deque()

    @contextmanager
    def borrow(self) -> Iterator[requests.Session]:
        session = self._rested() or self._opened()
        try:
            yield session
        except BaseException:
            session.close()
            raise
        self._resting.append((session, self._clock()))

    def _rested(self) -> requests.Session | None:
        while True:
            try:
                session, since = self._resting.pop()
            except IndexError:
                return None
            if self._clock() - since < _IDLE_SECONDS:
                return session
            session.close()

    def _opened(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = self._through_proxy
        return session
