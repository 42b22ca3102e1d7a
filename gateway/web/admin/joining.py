"""Joining with an invitation: whoever was invited chooses what nobody else will ever know."""

from __future__ import annotations

from flask import Blueprint, g, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from gateway import vault
from gateway.casework import Refused, account, attempt, caseworker, passphrase
from gateway.casework import joining as nouns
from gateway.casework import session as sessions
from gateway.casework.session import SignedIn
from gateway.web import reader, runtime
from gateway.web.admin import second_factor
from gateway.web.admin.sign_in import cookie, here, keep, let_in, take, token

joining = Blueprint("joining", __name__)


@joining.get("/join")
def blank() -> ResponseReturnValue:
    if g.person is not None:
        return redirect("/")
    return _door()


@joining.post("/join")
def enter() -> ResponseReturnValue:
    """A session that opens nothing but the page where an account is made; one error for every failure."""
    rt, login = runtime(), request.form.get("login", "")[:80]
    made = ""
    try:
        of = take(login)
    except Refused as slow:
        return _door(login, reader.refusal(slow)), 429
    with rt.begin() as unit:
        person = nouns.invited(unit.db, rt.vault, login, request.form.get("invitation", "")[:80], rt.now())
        if person is not None:
            attempt.succeeded(unit.db, of)
            sessions.end(unit.db, token())
            made = sessions.begin(unit.db, rt.vault, person, rt.now(), joining=True)
    if not made:
        return _door(
            login, reader.say("This name and this invitation do not fit together, or it is too old.")
        ), 422
    session.clear()
    return keep(redirect(url_for(".form"), 303), made)


@joining.get("/join/account")
def form() -> ResponseReturnValue:
    person = _joiner()
    return redirect(url_for(".blank")) if person is None else _page(person)


@joining.post("/join/account")
def finish() -> ResponseReturnValue:
    """Make the account, and show this once what only its owner may keep."""
    rt, person, code = runtime(), _joiner(), request.form.get("code", "")[:40]
    if person is None:
        return redirect(url_for(".blank"), 303)
    with rt.db.read() as db:
        login = account.login_of(db, person.id)
        seed = account.offered_seed(db, rt.vault, person.id, cookie())
    try:
        chosen = passphrase.chosen(
            request.form.get("passphrase", ""), request.form.get("again", ""), (login, person.name)
        )
        reads = person.role in caseworker.ON_ROUTES
        made = vault.enrol(person.id, chosen) if reads else vault.lock(chosen)
        enrolment = made if isinstance(made, vault.Enrolment) else None
        wants_factor = bool(code.strip()) or not rt.settings.demo
        with rt.begin() as unit:
            codes = nouns.join(unit.db, rt.vault, token(), made, seed if wants_factor else "", code, rt.now())
            begun = sessions.begin(unit.db, rt.vault, person.id, rt.now(), enrolment.key if enrolment else None)
    except Refused as refused:
        return _page(person, refused), 422
    session.clear()
    shown = render_template(
        "codes.html",
        joined=True,
        login=login,
        recovery=enrolment.recovery_code if enrolment else "",
        codes=codes,
        fingerprint=vault.fingerprint(enrolment.public) if enrolment else "",
    )
    return let_in(make_response(shown), begun, login)


def _joiner() -> SignedIn | None:
    """Who came in with an invitation and has not made their account yet."""
    person = here()
    return person if person is not None and person.joining else None


def _door(login: str = "", error: str = "") -> str:
    return render_template("join.html", login=login, error=error)


def _page(person: SignedIn, refused: Refused | None = None) -> str:
    rt = runtime()
    with rt.db.read() as db:
        login = account.login_of(db, person.id)
        seed = account.offered_seed(db, rt.vault, person.id, cookie())
    return render_template(
        "joining.html",
        name=person.name,
        login=login,
        factor=second_factor.offer(seed, login),
        least=passphrase.SHORTEST,
        error={"field": refused.field, "text": reader.refusal(refused)} if refused else None,
    )
