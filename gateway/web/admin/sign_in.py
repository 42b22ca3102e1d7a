"""Signing in and out. A session is a cookie here and a row in the store, which any request may find ended.

Another cookie, kept for months, tells that somebody has signed in from this browser before: whoever tries
passphrases elsewhere then cannot make them wait.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import replace
from datetime import timedelta
from typing import cast

from flask import Blueprint, flash, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from gateway.casework import Refused, account, attempt
from gateway.casework import session as sessions
from gateway.casework.session import PROVED, SignedIn
from gateway.desk import Reader
from gateway.vault import Pair, SealBroken
from gateway.web import reader as reading
from gateway.web import runtime

KNOWN_FOR = timedelta(days=90)
_PEOPLE = 4
"""How many people one browser is known for: a telephone is shared."""

sign_in = Blueprint("sign_in", __name__)


def me() -> SignedIn:
    """Whoever asks; the guard has seen to it that there is somebody."""
    return cast(SignedIn, g.person)


def reader() -> Reader:
    """Whoever asks, with the key that opens what is sealed to them."""
    return Reader(me().id, key())


def key() -> Pair | None:
    """The key pair of whoever asks, for this request only; None for a role without one."""
    sealed = me().key_sealed
    if sealed is None:
        return None
    try:
        return runtime().vault.session_open(cookie(), sealed)
    except SealBroken:
        return None


def here() -> SignedIn | None:
    """Whose session the cookie belongs to, be they still joining; None when it has ended."""
    rt, now = runtime(), runtime().now()
    if not cookie():
        return None
    with rt.db.read() as db:
        found = sessions.who(db, token(), now)
    if found is None:
        return None
    person, seen_due = found
    if seen_due:
        with rt.begin() as unit:
            sessions.seen(unit.db, token(), now)
    return person


def who() -> SignedIn | None:
    """Who is signed in; nobody is while they are still joining."""
    person = here()
    return None if person is None or person.joining else person


def cookie() -> str:
    """What the browser shows for its session, `""` for nothing that could be one."""
    shown = request.cookies.get(_name("gateway"), "")
    return shown if len(shown) <= 100 else ""


def token() -> bytes:
    """What this session is stored under."""
    return sessions.token_of(runtime().vault, cookie())


@sign_in.get("/sign-in")
def form() -> ResponseReturnValue:
    if g.person is not None:
        return redirect("/")
    return _page(reading.local_path(request.args.get("next", "")))


@sign_in.post("/sign-in")
def enter() -> ResponseReturnValue:
    """One error for every failure, after the same work."""
    rt = runtime()
    login, code = request.form.get("login", "")[:80], request.form.get("code", "")[:40]
    onward = reading.local_path(request.form.get("next", ""))
    try:
        of = take(login, code)
    except Refused as slow:
        return _page(onward, login, slow=reading.refusal(slow)), 429
    with rt.db.read() as db:
        found = account.credentials(db, login)
    unlocked = found.unlock(request.form.get("passphrase", ""))
    made = ""
    with rt.begin() as unit:
        whose = account.NOBODY if unlocked is None else found
        fits = account.use_code(unit.db, rt.vault, whose, code, rt.now(), needed=not rt.settings.demo)
        if fits and unlocked is not None and found.person is not None:
            attempt.succeeded(unit.db, of)
            sessions.end(unit.db, token())
            made = sessions.begin(unit.db, rt.vault, found.person, rt.now(), found.key(unlocked))
    if not made:
        return _page(
            onward, login, reading.say("This name, this passphrase and this code do not fit together.")
        ), 422
    session.clear()
    return let_in(redirect(onward or "/", 303), made, login)


@sign_in.post("/sign-out")
def leave() -> ResponseReturnValue:
    """End this session, or one that has ended already."""
    rt = runtime()
    with rt.begin() as unit:
        sessions.end(unit.db, token())
    return let_out("signed_out")


def take(login: str, code: str = "", field: str = "login") -> attempt.Source:
    """Begin a try with this name; whoever is right says so with `attempt.succeeded`. Raises Refused at `field`
    when there were too many."""
    rt = runtime()
    printed = account.is_printed(code)
    of = attempt.source(rt.vault, login, request.remote_addr or "", _device(login), alone=printed)
    with rt.begin() as unit:
        seconds = attempt.take(unit.db, of, rt.now())
    if seconds:
        raise Refused(field, "Too many tries. Wait %(seconds)s s, then try again.", seconds=seconds)
    return of


def my_login() -> str:
    """The name that whoever asks signs in with."""
    with runtime().db.read() as db:
        return account.login_of(db, me().id)


def needs_proof() -> bool:
    """Whether the passphrase has to be typed again for what must not be done at a telephone left lying open."""
    person = g.get("person")
    return person is not None and runtime().now() - person.proved_at >= PROVED


def prove(at: str = "proof", *, always: bool = False) -> None:
    """The passphrase was typed within ten minutes, or stands in the form's field `proof`, which has the id `at` on
    its page. Raises Refused there."""
    if not always and not needs_proof():
        return
    rt, typed = runtime(), request.form.get("proof", "")
    if not typed:
        raise Refused(at, "Type your passphrase once more.")
    login = my_login()
    with rt.db.read() as db:
        found = account.credentials(db, login)
    of = take(login, field=at)
    if found.unlock(typed) is None or found.person != me().id:
        raise Refused(at, "This is not your passphrase.")
    with rt.begin() as unit:
        attempt.succeeded(unit.db, of)
        sessions.proved(unit.db, token(), rt.now())
    g.person = replace(me(), proved_at=rt.now())


def let_in(response: Response, made: str, login: str) -> Response:
    """Give a browser its new session, and let it be known for this name."""
    keep(response, made)
    known = [mark for mark in _marks() if mark and not _is_for(mark, login)][: _PEOPLE - 1]
    until = str(int((runtime().now() + KNOWN_FOR).timestamp()))
    chance = secrets.token_urlsafe(12)
    marks = [f"{until}.{chance}.{_proof(login, until, chance)}", *known]
    _set_cookie(response, "gateway_known", "~".join(marks), max_age=int(KNOWN_FOR.total_seconds()))
    return response


def keep(response: Response, made: str) -> Response:
    """Give a browser a session, without its being known for a name."""
    _set_cookie(response, "gateway", made)
    return response


def let_out(done: str) -> Response:
    """Back to the first page, with nothing left behind but the choice of a language and who is known here."""
    session.clear()
    flash(done)
    response = redirect(url_for("admin.sign_in.form"), 303)
    response.delete_cookie(_name("gateway"), path="/", secure=_is_secure(), httponly=True, samesite="Strict")
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def _page(onward: str, login: str = "", error: str = "", slow: str = "") -> str:
    return render_template("sign_in.html", login=login, next=onward, error=error or slow, slow=slow, lost="")


def _device(login: str) -> str:
    """What this browser is known by for a name, `""` when nobody has signed in here with it."""
    return next((mark for mark in _marks() if _is_for(mark, login)), "")


def _marks() -> list[str]:
    return request.cookies.get(_name("gateway_known"), "")[:1000].split("~")


def _is_for(mark: str, login: str) -> bool:
    until, _, rest = mark.partition(".")
    chance, _, proof = rest.partition(".")
    if not (until.isascii() and until.isdigit() and len(until) < 12):
        return False
    fits = hmac.compare_digest(proof.encode(), _proof(login, until, chance).encode())
    return fits and int(until) > runtime().now().timestamp()


def _proof(login: str, until: str, chance: str) -> str:
    return runtime().vault.token("device", login.strip().casefold(), until, chance).hex()


def _set_cookie(response: Response, name: str, value: str, max_age: int | None = None) -> None:
    response.set_cookie(
        _name(name), value, max_age=max_age, path="/", secure=_is_secure(), httponly=True, samesite="Strict"
    )


def _is_secure() -> bool:
    return runtime().settings.public_url.startswith("https://")


def _name(cookie_name: str) -> str:
    # The prefix makes a browser refuse the cookie from any other host or path, and over plain HTTP.
    return f"__Host-{cookie_name}" if _is_secure() else cookie_name
