"""One's own account: what one signs in with, where one is signed in, and the sheets to print."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gateway import vault
from gateway.casework import Refused, account, caseworker, joining, journal, passphrase
from gateway.casework import session as sessions
from gateway.casework.verb import Verb
from gateway.web import reader, runtime
from gateway.web.admin import second_factor
from gateway.web.admin.sign_in import cookie, key, let_out, me, prove, token

own = Blueprint("own", __name__)


@own.get("/account")
def show() -> ResponseReturnValue:
    return _page()


@own.post("/account")
def change() -> ResponseReturnValue:
    """Do one thing with the own account."""
    does = {"end": _end, "passphrase": _passphrase, "recovery": _recovery, "codes": _codes}
    doing = does.get(request.form.get("do", ""))
    if doing is None:
        abort(400)
    try:
        return doing()
    except Refused as refused:
        return _page(refused), 422


@own.get("/account/second-factor")
def offer() -> ResponseReturnValue:
    return _offer()


@own.post("/account/second-factor")
def replace() -> ResponseReturnValue:
    """The new second factor takes the place of the old one once its first code has been typed."""
    rt, code = runtime(), request.form.get("code", "")[:40]
    try:
        prove("proof-factor")
        with rt.begin() as unit:
            seed = account.offered_seed(unit.db, rt.vault, me().id, cookie())
            codes = account.set_second_factor(unit.db, rt.vault, me().id, seed, code, rt.now())
            sessions.end_all(unit.db, me().id, but=token())
    except Refused as refused:
        return _offer(refused), 422
    return _sheet(codes=codes)


def _end() -> ResponseReturnValue:
    rt = runtime()
    with rt.begin() as unit:
        sessions.end_all(unit.db, me().id)
        journal.write(unit.db, rt.now(), Verb.SESSIONS_ENDED, actor=me().id)
    return let_out("signed_out")


def _passphrase() -> ResponseReturnValue:
    rt, typed, pair = runtime(), request.form, key()
    prove("proof-passphrase", always=True)
    with rt.db.read() as db:
        login = account.login_of(db, me().id)
    chosen = passphrase.chosen(typed.get("passphrase", ""), typed.get("again", ""), (login, me().name))
    made = vault.relock(me().id, pair, chosen) if pair else (vault.lock(chosen), None)
    with rt.begin() as unit:
        account.set_passphrase(unit.db, me().id, pair, made, rt.now())
        sessions.end_all(unit.db, me().id, but=token())
    flash("saved")
    return redirect(url_for(".show"), 303)


def _recovery() -> ResponseReturnValue:
    rt, pair = runtime(), key()
    prove("proof-recovery")
    if pair is None:
        abort(400)
    renewed, sealed = vault.new_recovery(me().id, pair)
    with rt.begin() as unit:
        account.set_recovery(unit.db, me().id, pair, sealed, rt.now())
    return _sheet(recovery=renewed)


def _codes() -> ResponseReturnValue:
    rt = runtime()
    prove("proof-codes")
    with rt.begin() as unit:
        if not account.standing(unit.db, me().id).second_factor:
            abort(400)
        codes = account.new_codes(unit.db, rt.vault, me().id, rt.now())
    return _sheet(codes=codes)


def _sheet(recovery: str = "", codes: list[str] | None = None) -> str:
    with runtime().db.read() as db:
        login = account.login_of(db, me().id)
    return render_template(
        "codes.html", joined=False, login=login, recovery=recovery, codes=codes or [], fingerprint=""
    )


def _page(refused: Refused | None = None) -> str:
    rt = runtime()
    with rt.db.read() as db:
        person = caseworker.one(db, me().id)
        standing = account.standing(db, me().id)
        others = sessions.count(db, me().id, rt.now()) - 1
    # The key that is open here, not the row's: a row that another hand has changed would show that hand's number
    # on both pages that are compared.
    mine, stored = key(), person.public if person else None
    return render_template(
        "own.html",
        standing=standing,
        others=max(others, 0),
        fingerprint=vault.fingerprint(mine.public) if mine else "",
        altered=mine is not None and mine.public != stored,
        closed=mine is None and stored is not None,
        confirmed=person is not None and joining.confirmed(rt.vault, person),
        most_codes=account.CODES,
        least=passphrase.SHORTEST,
        error={"field": refused.field, "text": reader.refusal(refused)} if refused else None,
    )


def _offer(refused: Refused | None = None) -> str:
    rt = runtime()
    with rt.db.read() as db:
        login = account.login_of(db, me().id)
        seed = account.offered_seed(db, rt.vault, me().id, cookie())
    return render_template(
        "second_factor.html",
        factor=second_factor.offer(seed, login),
        error={"field": refused.field, "text": reader.refusal(refused)} if refused else None,
    )
