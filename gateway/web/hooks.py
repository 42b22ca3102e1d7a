"""What machines call: key presses, ends of sessions, delivery reports; and what watches over us.

`Door` answers the hooks in front of Flask, where a key press costs no session, context or template; the
blueprint registers the same paths, so that they are listed and guarded, and calls the same `handle`. A hook's
address holds a secret: whoever does not know it sees a page that does not exist.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from flask import Blueprint, Response, abort, request

from gateway import hop, inbox, log
from gateway.providers import NotAHop, Provider
from gateway.runtime import Runtime
from gateway.web import readiness, runtime

MAX_BODY = 8192
MAX_FIELDS = 20
PLAIN = "text/plain; charset=utf-8"

hooks = Blueprint("hooks", __name__)

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


class Door:
    """A WSGI application in front of another: it takes the hooks and passes everything else on."""

    def __init__(self, rt: Runtime, inner: Callable[[Environ, StartResponse], Iterable[bytes]]) -> None:
        self._rt, self._inner = rt, inner

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ["PATH_INFO"]
        found = _find(self._rt, path) if path.startswith("/hooks/") else None
        if found is None:
            return self._inner(environ, start_response)
        # Read only now: a stranger who sends a body without its end would hold a thread for as long as they like.
        answer = _answer(self._rt, *found, environ["REQUEST_METHOD"], _read(environ))
        start_response("200 OK", [("Content-Type", PLAIN), ("Content-Length", str(len(answer)))])
        return (answer,)


@hooks.route(
    "/hooks/<secret>/<provider>/<what>",
    methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
    provide_automatic_options=False,  # it would tell a stranger that there is something at this address
)
def hook(secret: str, provider: str, what: str) -> Response:
    """The same hooks by Flask's own road; to a stranger, the page that any missing page is."""
    found = _find(runtime(), request.path)
    if found is None:
        abort(404)
    return Response(_answer(runtime(), *found, request.method, _read(request.environ)), content_type=PLAIN)


def handle(rt: Runtime, path: str, method: str, body: bytes | None) -> bytes | None:
    """The answer to one post, or None for an address that is not one of ours. `body` is None when it is longer
    than 8,192 bytes. To whoever knows the secret this never raises."""
    found = _find(rt, path)
    return None if found is None else _answer(rt, *found, method, body)


def _find(rt: Runtime, path: str) -> tuple[Provider, str] | None:
    """Whose hook an address is, and which; None for whoever does not know the secret."""
    parts = path.split("/")
    if len(parts) != 5:
        return None
    _, _, secret, name, what = parts
    if not _is_ours(rt, secret) or name not in rt.providers or what not in _HOOKS:
        return None
    return rt.providers[name], what


def _answer(rt: Runtime, provider: Provider, what: str, method: str, body: bytes | None) -> bytes:
    try:
        return _HOOKS[what](rt, provider, _form(method, body))
    except NotAHop:
        log.event("hook.refused", route=what)
    except Exception as error:  # a provider that gets an error page cuts the caller off
        log.warn("hook.failed", error=error, route=what)
    return _neutral(rt, provider) if what == "ussd" else b""


def _form(method: str, body: bytes | None) -> dict[str, list[str]]:
    if method != "POST" or body is None:
        raise NotAHop("not a post of a bounded size")
    try:
        return parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:  # not a form, not UTF-8, or too many fields; its words quote what was sent
        raise NotAHop("not a form") from None


def _ussd(rt: Runtime, provider: Provider, form: dict[str, list[str]]) -> bytes:
    screen = hop.answer(rt, provider.read_hop(form))
    return provider.write_screen(screen.text, screen.ends)


def _ussd_ended(rt: Runtime, provider: Provider, form: dict[str, list[str]]) -> bytes:
    inbox.session_ended(rt, provider.read_ended(form))
    return b""


def _receipt(rt: Runtime, provider: Provider, form: dict[str, list[str]]) -> bytes:
    inbox.delivery_reported(rt, provider.read_receipt(form))
    return b""


_HOOKS: dict[str, Callable[[Runtime, Provider, dict[str, list[str]]], bytes]] = {
    "ussd": _ussd,
    "ussd-ended": _ussd_ended,
    "receipt": _receipt,
}


def _neutral(rt: Runtime, provider: Provider) -> bytes:
    screen = hop.neutral(rt)
    return provider.write_screen(screen.text, screen.ends)


def _is_ours(rt: Runtime, secret: str) -> bool:
    """Compares with every secret, in a time that does not depend on what was guessed."""
    guess = secret.encode("utf-8", "replace")
    fits = [hmac.compare_digest(guess, known.encode("ascii")) for known in rt.settings.hook_secrets]
    return any(fits)


def _read(environ: Environ) -> bytes | None:
    """The body, or None when it is too long to be a hop."""
    length: str = environ.get("CONTENT_LENGTH") or ""
    if length and not (length.isascii() and length.isdigit() and len(length) < 9 and int(length) <= MAX_BODY):
        return None
    body: bytes = environ["wsgi.input"].read(int(length) if length else MAX_BODY + 1)
    return body if len(body) <= MAX_BODY else None


@hooks.get("/healthz")
def healthz() -> Response:
    """This process answers."""
    return Response("ok\n", content_type=PLAIN)


@hooks.get("/readyz")
def readyz() -> Response:
    """Whether this process can take reports, with a line for every reason why not; warnings do not refuse."""
    faults, warnings = readiness.check(runtime())
    lines = [*(f"fault: {line}" for line in faults), *(f"warning: {line}" for line in warnings)] or ["ready"]
    return Response("\n".join(lines) + "\n", 503 if faults else 200, content_type=PLAIN)
