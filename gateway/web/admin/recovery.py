"""A forgotten passphrase: the printed recovery code opens the same key pair, so that nothing is lost.

The telephone is needed too. Of passphrase, telephone and printed sheet it always takes two: a code from the sheet
does not do here, and whoever finds the paper alone opens nothing.
"""

from __future__ import annotations

from flask import Blueprint, g, make_response, redirect, render_template, request, session
from flask.typing import ResponseReturnValue

from gateway import vault
from gateway.casework import Refused, account, attempt, passphrase
from gateway.casework import session as sessions
from gateway.web import reader, runtime
from gateway.web.admin.sign_in import let_in, take

recovery = Blueprint("recovery", __name__)


@recovery.get("/recover")
def form() -> ResponseReturnValue:
    if g.person is not None:
        return redirect("/")
    return _page()


@recovery.post("/recover")
def recover() -> ResponseReturnValue:
    """A new passphrase for the old key pair, and a new recovery code, shown once. One error for every failure,
    after the same work."""
    rt, typed = runtime(), request.form
    login, code = typed.get("login", "")[:80], typed.get("code", "")[:40]
    try:
        chosen = passphrase.chosen(typed.get("passphrase", ""), typed.get("again", ""), (login,))
        of = take(login)
    except Refused as refused:
        return _page(login, refused), 429 if refused.field == "login" else 422
    with rt.db.read() as db:
        found = account.credentials(db, login)
    pair, person = found.recover(typed.get("recovery", "")[:80]), found.person
    made = vault.relock(person, pair, chosen) if pair and person is not None else (vault.lock(chosen), None)
    whose = account.NOBODY if pair is None or account.is_printed(code) else found
    begun = renewed = ""
    try:
        with rt.begin() as unit:
            fits = account.use_code(unit.db, rt.vault, whose, code, rt.now(), needed=not rt.settings.demo)
            if fits and pair is not None and person is not None:
                attempt.succeeded(unit.db, of)
                renewed, sealed = vault.new_recovery(person, pair)
                account.set_passphrase(unit.db, person, pair, made, rt.now())
                account.set_recovery(unit.db, person, pair, sealed, rt.now())
                sessions.end_all(unit.db, person)
                begun = sessions.begin(unit.db, rt.vault, person, rt.now(), pair)
        if not begun:
            raise Refused("login", "This name, this recovery code and this code do not fit together.")
    except Refused as refused:
        return _page(login, refused), 422
    session.clear()
    shown = render_template("codes.html", joined=False, login=login, recovery=renewed, codes=[], fingerprint="")
    return let_in(make_response(shown), begun, login)


def _page(login: str = "", refused: Refused | None = None) -> str:
    return render_template(
        "recover.html",
        login=login,
        least=passphrase.SHORTEST,
        error={"field": refused.field, "text": reader.refusal(refused)} if refused else None,
    )
