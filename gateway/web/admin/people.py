"""The people who work here. A telephone number is shown on its own page only, a new passphrase once.

Supervisors look after case workers and each other. Who watches over them, the integrity officers, and who
runs this place, the administrators, are for administrators alone: a supervisor who could give an integrity
officer a new passphrase could read what is said about supervisors.
"""

from __future__ import annotations

from typing import Final

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gateway import flows
from gateway.casework import Refused, account, caseworker, journal, site
from gateway.casework.caseworker import ON_ROUTES, Entered, Person, Role
from gateway.casework.journal import Verb
from gateway.casework.route import INTEGRITY
from gateway.runtime import Runtime
from gateway.vault import SealBroken, hash_passphrase
from gateway.web import names, reader, runtime
from gateway.web.admin.sign_in import me

_BY_SUPERVISORS: Final = frozenset({Role.CASE_WORKER, Role.SUPERVISOR})
_ONE: Final = "/people/<int(max=2147483647):person_id>"

people = Blueprint("people", __name__)


@people.get("/people")
def every() -> ResponseReturnValue:
    rt = runtime()
    with rt.db.read() as db:
        found = caseworker.every(db)
        places = {row.id: row.name for row in site.every(db)}
    return render_template(
        "people.html", people=found, places=places, mine=_roles(), lanes=names.LANES, on_routes=ON_ROUTES
    )


@people.get("/people/new")
def blank() -> ResponseReturnValue:
    return _page(
        None,
        Entered("", Role.CASE_WORKER, True, "", flows.definition.FRENCH, frozenset(), frozenset(), frozenset()),
        "",
    )


@people.post("/people/new")
def add() -> ResponseReturnValue:
    """Save a new person and show their first passphrase, this once."""
    rt = runtime()
    entered, login = _entered(None), request.form.get("login", "")
    passphrase = account.new_passphrase()
    hashed = hash_passphrase(passphrase)
    try:
        with rt.begin() as unit:
            added = caseworker.add(unit.db, rt.vault, entered)
            account.save_login(unit.db, added, login)
            account.set_passphrase(unit.db, added, hashed)
            journal.write(unit.db, rt.now(), Verb.PERSON_SAVED, actor=me().id, subject=added)
    except Refused as refused:
        return _page(None, entered, login, refused), 422
    return render_template(
        "passphrase.html", name=entered.name, login=login.strip().casefold(), passphrase=passphrase, added=True
    )


@people.get(_ONE)
def show(person_id: int) -> ResponseReturnValue:
    rt = runtime()
    person = _editable(rt, person_id)
    with rt.db.read() as db:
        login = account.login_of(db, person_id)
        try:
            number = caseworker.number(db, rt.vault, person_id)
        except SealBroken:  # sealed under other keys: it has to be typed anew
            number = ""
    return _page(
        person,
        Entered(
            person.name,
            person.role,
            person.active,
            number,
            person.sms_language,
            person.lanes,
            person.sites,
            person.languages,
        ),
        login,
    )


@people.post(_ONE)
def change(person_id: int) -> ResponseReturnValue:
    """Save a person anew, or give them a new passphrase."""
    rt = runtime()
    person = _editable(rt, person_id)
    match request.form.get("do"):
        case "passphrase":
            return _new_passphrase(rt, person)
        case "save":
            pass
        case _:
            abort(400)
    entered, login = _entered(person), request.form.get("login", "")
    try:
        with rt.begin() as unit:
            caseworker.change(unit.db, rt.vault, person_id, entered)
            account.save_login(unit.db, person_id, login)
            journal.write(unit.db, rt.now(), Verb.PERSON_SAVED, actor=me().id, subject=person_id)
    except Refused as refused:
        return _page(person, entered, login, refused), 422
    flash("saved")
    return redirect(url_for(".every"), 303)


def _new_passphrase(rt: Runtime, person: Person) -> ResponseReturnValue:
    passphrase = account.new_passphrase()
    hashed = hash_passphrase(passphrase)
    with rt.begin() as unit:
        account.set_passphrase(unit.db, person.id, hashed)
        journal.write(unit.db, rt.now(), Verb.PERSON_SAVED, actor=me().id, subject=person.id)
        login = account.login_of(unit.db, person.id)
    return render_template("passphrase.html", name=person.name, login=login, passphrase=passphrase, added=False)


def _page(person: Person | None, entered: Entered, login: str, refused: Refused | None = None) -> str:
    rt = runtime()
    with rt.db.read() as db:
        places = site.every(db)
    return render_template(
        "person.html",
        subject=person,
        entered=entered,
        login=login,
        places=places,
        lanes=_lanes(rt),
        roles=_roles(),
        languages=flows.definition.LANGUAGES,
        own=person is not None and person.id == me().id,
        error={"field": refused.field, "text": reader.refusal(refused)} if refused else None,
    )


def _entered(person: Person | None) -> Entered:
    """What was typed. Nobody changes their own role here, nor shuts themselves out."""
    rt, typed = runtime(), request.form
    own = person is not None and person.id == me().id
    role = person.role if person is not None and own else _role(typed.get("role", ""))
    with rt.db.read() as db:
        places = {row.id for row in site.every(db)}
    sms_language = typed.get("sms_language", "")
    return Entered(
        name=typed.get("name", ""),
        role=role,
        active=own or "active" in typed,
        number=typed.get("number", "") if role in ON_ROUTES else "",
        sms_language=sms_language if sms_language in flows.definition.LANGUAGES else flows.definition.FRENCH,
        lanes=frozenset(typed.getlist("lanes")) & set(_lanes(rt)),
        sites=frozenset(each for each in places if str(each) in typed.getlist("sites")),
        languages=frozenset(typed.getlist("languages")) & set(flows.definition.LANGUAGES),
    )


def _role(value: str) -> Role:
    if value not in _roles():
        abort(400)
    return Role(value)


def _roles() -> list[Role]:
    """The roles of people whom the reader may add and change."""
    return [role for role in Role if me().role is Role.ADMINISTRATOR or role in _BY_SUPERVISORS]


def _editable(rt: Runtime, person_id: int) -> Person:
    with rt.db.read() as db:
        person = caseworker.one(db, person_id)
    if person is None or person.role not in _roles():
        abort(404)
    return person


def _lanes(rt: Runtime) -> list[str]:
    """Kinds of report that a case worker may take; complaints about this service are never among them."""
    known = {*(topic.lane for topic in rt.book.topics.values()), *rt.book.moves.values()} - {INTEGRITY}
    return sorted(known, key=list(names.LANES).index)
