"""Sites: the places that callers can name. A place on the phone and a code are given once, for ever."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gateway.casework import Refused, journal, site
from gateway.casework.verb import Verb
from gateway.flows.definition import SITES_PER_PAGE
from gateway.runtime import Runtime
from gateway.web import reader, runtime
from gateway.web.admin.sign_in import me

_ONE: Final = "/sites/<int(max=2147483647):site_id>"

sites = Blueprint("sites", __name__)


@sites.get("/sites")
def every() -> ResponseReturnValue:
    with runtime().db.read() as db:
        found = site.every(db)
    return render_template("sites.html", sites=[(row, *_key(row.phone_place)) for row in found])


@sites.get("/sites/new")
def blank() -> ResponseReturnValue:
    return _page(None, name="", code="", is_open=True)


@sites.post("/sites/new")
def add() -> ResponseReturnValue:
    rt, name, code = runtime(), request.form.get("name", ""), request.form.get("code", "")
    try:
        with rt.begin() as unit:
            added = site.add(unit.db, rt.now(), name=name, code=code)
            journal.write(unit.db, rt.now(), Verb.SITE_SAVED, actor=me().id, subject=added)
    except Refused as refused:
        return _page(None, name=name, code=code, is_open=True, refused=refused), 422
    flash("site_added")
    return redirect(url_for(".every"), 303)


@sites.get(_ONE)
def show(site_id: int) -> ResponseReturnValue:
    found = _found(runtime(), site_id)
    return _page(found, name=found.name, code=found.code, is_open=found.open)


@sites.post(_ONE)
def change(site_id: int) -> ResponseReturnValue:
    rt = runtime()
    found = _found(rt, site_id)
    name, is_open = request.form.get("name", ""), "open" in request.form
    try:
        with rt.begin() as unit:
            site.change(unit.db, rt.now(), site_id, name=name, open_=is_open)
            journal.write(unit.db, rt.now(), Verb.SITE_SAVED, actor=me().id, subject=site_id)
    except Refused as refused:
        return _page(found, name=name, code=found.code, is_open=is_open, refused=refused), 422
    flash("saved")
    return redirect(url_for(".every"), 303)


def _page(
    found: site.SiteRow | None, *, name: str, code: str, is_open: bool, refused: Refused | None = None
) -> str:
    page, key = _key(found.phone_place) if found else (0, 0)
    return render_template(
        "site.html",
        site=found,
        name=name,
        code=code,
        is_open=is_open,
        page=page,
        key=key,
        most=site.NAME_SEPTETS,
        error={"field": refused.field, "text": reader.refusal(refused)} if refused else None,
    )


def _found(rt: Runtime, site_id: int) -> site.SiteRow:
    with rt.db.read() as db:
        found = site.one(db, site_id)
    if found is None:
        abort(404)
    return found


def _key(place: int) -> tuple[int, int]:
    """On which page of the phone, and on which of its keys, a place stands."""
    return (place - 1) // SITES_PER_PAGE + 1, (place - 1) % SITES_PER_PAGE + 1
