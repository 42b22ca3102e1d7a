"""The demonstration's phone: a caller's view, in the browser of whoever tries this out.

It goes through the same hook as a real provider, with the same form fields. The whole state of a call is in
hidden fields of its page, so nothing of it is in an address, a cookie or the store.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request

from gateway import text
from gateway.flows.definition import SCREEN_SEPTETS
from gateway.providers.simulator import messages_at
from gateway.web import hooks, runtime

_FRAMING: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-src 'self'; frame-ancestors 'none'"
)
_FRAMED: Final = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_CALLER: Final = re.compile(r"\+2430009[0-9]{5}", re.ASCII)
_SESSION: Final = re.compile(r"ATUid_[0-9a-f]{32}", re.ASCII)
_KEYS: Final = (*"123456789", "*", "0", "#")
_TYPED = 160
_SMS_SHOWN = 20

phone = Blueprint("phone", __name__)


@dataclass(frozen=True, slots=True)
class Call:
    """One phone and what is on its screen; without a session nobody is on the line."""

    caller: str = field(repr=False)
    session: str = field(default="", repr=False)
    text: str = field(default="", repr=False)
    screen: str = field(default="", repr=False)
    hops: int = 0


@phone.get("/phone")
def pick_up() -> Response:
    return _page(_idle())


@phone.post("/phone")
def press() -> Response:
    """One press. The same press twice is the same hop twice, as from a provider."""
    call = _held()
    do, key = request.form.get("do", ""), request.form.get("key", "")
    if do == "dial":
        return _page(_hop(replace(call, session=f"ATUid_{secrets.token_hex(16)}", text="", hops=0)))
    if not call.session:
        return _page(call)
    if do == "hang_up":
        _ended(call, "Incomplete")
        return _page(Call(call.caller))
    typed = key if key in _KEYS else request.form.get("typed", "")[:_TYPED]
    if typed:
        call = replace(call, text=f"{call.text}*{typed}" if call.text else typed)
    return _page(_hop(call))


@phone.get("/phone/sms")
def sms() -> Response:
    """What reached the phones of case workers, newest first. Asks the simulator, never a real provider."""
    url = runtime().settings.at_url
    found = messages_at(url) if url else None
    page = render_template(
        "phone_sms.html",
        simulated=bool(url),
        reachable=bool(found is not None and found.reachable),
        messages=list(reversed(found or []))[:_SMS_SHOWN],
    )
    return Response(page, headers={"Content-Security-Policy": _FRAMED})


def _page(call: Call) -> Response:
    codes = runtime().settings.ussd_codes
    page = render_template(
        "phone.html",
        call=call,
        keys=_KEYS,
        code=min(codes),
        most=SCREEN_SEPTETS,
        septets=text.septets(call.screen),
        longest=_TYPED,
    )
    return Response(page, headers={"Content-Security-Policy": _FRAMING})


def _idle() -> Call:
    """A phone nobody has: no network gives out such numbers."""
    return Call(f"+2430009{secrets.randbelow(100_000):05}")


def _held() -> Call:
    """The call that the page held; a new phone when its fields are not ours."""
    caller, session = request.form.get("caller", ""), request.form.get("session", "")
    hops = request.form.get("hops", "")
    if not _CALLER.fullmatch(caller):
        return _idle()
    if not _SESSION.fullmatch(session):
        return Call(caller)
    return Call(
        caller, session, request.form.get("text", ""), hops=int(hops) if re.fullmatch("[0-9]{1,3}", hops) else 0
    )


def _hop(call: Call) -> Call:
    answer = _post("ussd", call, text=call.text)
    call = replace(call, screen=answer[4:], hops=call.hops + 1)
    if answer.startswith("END "):
        _ended(call, "Success")
        return replace(call, session="", text="")
    return call


def _ended(call: Call, status: str) -> None:
    now = runtime().now().astimezone(runtime().settings.local_zone)
    _post(
        "ussd-ended",
        call,
        date=f"{now:%Y-%m-%d %H:%M:%S}",
        status=status,
        cost="0",
        durationInMillis="0",
        hopsCount=str(call.hops),
        input=call.text,
        lastAppResponse=call.screen,
        errorMessage="",
    )


def _post(what: str, call: Call, **fields: str) -> str:
    """What Africa's Talking would post, and what it would be answered."""
    rt = runtime()
    form = {
        "sessionId": call.session,
        "phoneNumber": call.caller,
        "networkCode": "99999",
        "serviceCode": min(rt.settings.ussd_codes),
        **fields,
    }
    path = f"/hooks/{rt.settings.hook_secrets[0]}/{rt.provider.name}/{what}"
    answer = hooks.handle(rt, path, "POST", urlencode(form).encode("utf-8"))
    return (answer or b"").decode("utf-8")
