"""Organisations: for whom the people here work. Where one is accused, nobody of it hears of the report."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gateway.casework import Refused, caseworker, journal, organisation
from gateway.casework.organisation import Kind, Row
from gateway.casework.verb import Verb
from gateway.later import exclude
from gateway.runtime import Runtime
from gateway.web import reader, runtime
from gateway.web.admin.sign_in import me, prove

_ONE: Final = "/organisations/<int(max=2147483647):organisation_id>"

organisations = Blueprint("organisations", __name__)


@organisations.get("/organisations")
def every() -> ResponseReturnValue:
    with runtime().db.read() as db:
        found = organisation.every(db)
        people = [one for one in caseworker.every(db) if one.active]
    counts = {row.id: sum(one.organisation == row.id for one in people) for row in found}
    return render_template("organisations.html", organisations=found, counts=counts)


@organisations.get("/organisations/new")
def blank() -> ResponseReturnValue:
    return _page(None, "", Kind.INDEPENDENT, "")


@organisations.post("/organisations/new")
def add() -> ResponseReturnValue:
    return _save(None)


@organisations.get(_ONE)
def show(organisation_id: int) -> ResponseReturnValue:
    found = _found(runtime(), organisation_id)
    return _page(found, found.name, found.kind, "\n".join(found.aliases))


@organisations.post(_ONE)
def change(organisation_id: int) -> ResponseReturnValue:
    return _save(_found(runtime(), organisation_id))


def _save(found: Row | None) -> ResponseReturnValue:
    rt, typed = runtime(), request.form
    name, aliases = typed.get("name", ""), typed.get("aliases", "")
    if typed.get("kind", "") not in set(Kind):
        abort(400)
    kind = Kind(typed["kind"])
    try:
        prove()
        with rt.begin() as unit:
            if found is None:
                saved = organisation.add(unit.db, name=name, kind=kind, aliases=aliases)
            else:
                saved, before = found.id, caseworker.every(unit.db)
                caseworker.check_kind(unit.db, saved, kind)
                organisation.change(unit.db, saved, name=name, kind=kind, aliases=aliases)
                exclude.mark(unit, before)
            journal.write(unit.db, rt.now(), Verb.ORGANISATION_SAVED, actor=me().id, subject=saved)
    except Refused as refused:
        return _page(found, name, kind, aliases, refused), 422
    exclude.exclude(rt)
    flash("saved")
    return redirect(url_for(".every"), 303)


def _page(found: Row | None, name: str, kind: Kind, aliases: str, refused: Refused | None = None) -> str:
    return render_template(
        "organisation.html",
        organisation=found,
        name=name,
        kind=kind,
        kinds=list(Kind),
        aliases=aliases,
        most=organisation.MOST_ALIASES,
        error={"field": refused.field, "text": reader.refusal(refused)} if refused else None,
    )


def _found(rt: Runtime, organisation_id: int) -> Row:
    with rt.db.read() as db:
        found = organisation.one(db, organisation_id)
    if found is None:
        abort(404)
    return found
