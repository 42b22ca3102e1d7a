"""Signing in and out. A session is a cookie here and a row in the store, which any request may find ended."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, flash, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from gateway.casework import account
from gateway.casework.account import SignedIn
from gateway.web import reader, runtime

_LONGEST = 1000
"""More than anybody types: a longer passphrase is cut, so that its hash costs no more."""

sign_in = Blueprint("sign_in", __name__)


def me() -> SignedIn:
    """Whoever asks; the guard has seen to it that there is somebody."""
    return cast(SignedIn, g.person)


def who() -> SignedIn | None:
    """Whose session the cookie belongs to, None when it has ended."""
    rt = runtime()
    cookie = request.cookies.get(_cookie_name(), "")
    if not cookie or len(cookie) > 100:
        return None
    token, now = rt.vault.cookie_token(cookie), rt.now()
    with rt.db.read() as db:
        found = account.who(db, token, now)
    if found is None:
        return None
    person, seen_due = found
    if seen_due:
        with rt.begin() as unit:
            account.seen(unit.db, token, now)
    return person


@sign_in.get("/sign-in")
def form() -> ResponseReturnValue:
    if g.person is not None:
        return redirect("/")
    return _page(reader.local_path(request.args.get("next", "")))


@sign_in.post("/sign-in")
def enter() -> ResponseReturnValue:
    """One error for every failure, after the same work."""
    rt = runtime()
    login = request.form.get("login", "")[:80]
    onward = reader.local_path(request.form.get("next", ""))
    with rt.db.read() as db:
        credentials = account.credentials(db, login)
    if not credentials.fit(request.form.get("passphrase", "")[:_LONGEST]) or credentials.person is None:
        return _page(onward, login, reader.say("This name and passphrase do not fit together.")), 422
    old = request.cookies.get(_cookie_name(), "")[:100]
    with rt.begin() as unit:
        if old:
            account.end(unit.db, rt.vault.cookie_token(old))
        cookie = account.begin(unit.db, rt.vault, credentials.person, rt.now())
    session.clear()
    response = redirect(onward or "/", 303)
    response.set_cookie(_cookie_name(), cookie, path="/", secure=_is_secure(), httponly=True, samesite="Strict")
    return response


@sign_in.post("/sign-out")
def leave() -> ResponseReturnValue:
    rt = runtime()
    with rt.begin() as unit:
        account.end(unit.db, rt.vault.cookie_token(request.cookies[_cookie_name()]))
    session.clear()
    flash("signed_out")
    response = redirect(url_for("admin.sign_in.form"), 303)
    response.delete_cookie(_cookie_name(), path="/", secure=_is_secure(), httponly=True, samesite="Strict")
    return response


def _page(onward: str, login: str = "", error: str = "") -> str:
    return render_template("sign_in.html", login=login, next=onward, error=error, lost="")


def _is_secure() -> bool:
    return runtime().settings.public_url.startswith("https://")


def _cookie_name() -> str:
    # The prefix makes a browser refuse the cookie from any other host or path, and over plain HTTP.
    return "__Host-gateway" if _is_secure() else "gateway"
