"""The people who work here. A telephone number is shown on its own page only, an invitation once.

Supervisors look after case workers and each other, within their own organisation. Who watches over them, the
integrity officers, and who runs this place, the administrators, are for administrators alone: a supervisor who
could invite an integrity officer anew could come in as one. Keys are confirmed by supervisors and integrity
officers, never by whoever invited. `permissions` holds who may do what.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gateway import flows, vault
from gateway.casework import Refused, account, caseworker, joining, journal, organisation, session, site
from gateway.casework.caseworker import ON_ROUTES, Entered, Person, Role
from gateway.casework.route import INTEGRITY
from gateway.casework.verb import Verb
from gateway.later import exclude
from gateway.runtime import Runtime
from gateway.vault import SealBroken
from gateway.web import names, reader, runtime
from gateway.web.admin.permissions import CHANGES
from gateway.web.admin.sign_in import key, me, prove

_ONE: Final = "/people/<int(max=2147483647):person_id>"

_ABOVE: Final = (Role.SUPERVISOR, Role.INTEGRITY_OFFICER, Role.ADMINISTRATOR)
"""To whom somebody can answer."""

people = Blueprint("people", __name__)


@people.get("/people")
def every() -> ResponseReturnValue:
    rt = runtime()
    with rt.db.read() as db:
        found = caseworker.every(db)
        places = {row.id: row.name for row in site.every(db)}
        standings = account.standings(db)
    return render_template(
        "people.html",
        people=found,
        standings=standings,
        confirmed={person.id for person in found if joining.confirmed(rt.vault, person)},
        places=places,
        open_to_me={*_roles(), *ON_ROUTES},
        by_id={person.id: person for person in found},
        lanes=names.LANES,
        on_routes=ON_ROUTES,
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
    """Save a new person and show their invitation, this once."""
    rt = runtime()
    entered, login = _entered(None), request.form.get("login", "")
    try:
        prove("proof-save")
        with rt.begin() as unit:
            added = caseworker.add(unit.db, rt.vault, entered)
            account.save_login(unit.db, added, login)
            code = joining.invite(unit.db, rt.vault, added, me().id, rt.now())
            journal.write(unit.db, rt.now(), Verb.PERSON_SAVED, actor=me().id, subject=added)
    except Refused as refused:
        return _page(None, entered, login, refused), 422
    return _slip(rt, added, code, added=True)


@people.get(_ONE)
def show(person_id: int) -> ResponseReturnValue:
    """A person, to be changed by those who may; the others see whose key they can confirm."""
    return _shown(runtime(), _found(runtime(), person_id))


@people.post(_ONE)
def change(person_id: int) -> ResponseReturnValue:
    """Save a person anew, invite them anew, or confirm their key."""
    rt = runtime()
    person = _found(rt, person_id)
    doing = {"save": _save, "invite": _invite, "confirm": _confirm}.get(request.form.get("do", ""))
    if doing is None:
        abort(400)
    if doing is not _confirm and not _is_mine(person):
        abort(404)
    return doing(rt, person)


def _save(rt: Runtime, person: Person) -> ResponseReturnValue:
    entered, login = _entered(person), request.form.get("login", "")
    try:
        prove("proof-save")
        with rt.begin() as unit:
            account.save_login(unit.db, person.id, login)
            before = caseworker.every(unit.db)
            caseworker.change(unit.db, rt.vault, person.id, entered)
            exclude.mark(unit, before)
            if person.role in ON_ROUTES and entered.role not in ON_ROUTES:
                account.drop_key(unit.db, person.id)
            if not entered.active:  # not to go on where they were, should they come back
                session.end_all(unit.db, person.id)
            journal.write(unit.db, rt.now(), Verb.PERSON_SAVED, actor=me().id, subject=person.id)
    except Refused as refused:
        return _page(person, entered, login, refused), 422
    exclude.exclude(rt)
    flash("saved")
    return redirect(url_for(".every"), 303)


def _invite(rt: Runtime, person: Person) -> ResponseReturnValue:
    try:
        prove("proof-invite")
        if person.id == me().id:
            raise Refused("", "Somebody else invites you anew.")
        with rt.begin() as unit:
            code = joining.invite(unit.db, rt.vault, person.id, me().id, rt.now())
    except Refused as refused:
        return _shown(rt, person, refused), 422
    return _slip(rt, person.id, code, added=False)


def _confirm(rt: Runtime, person: Person) -> ResponseReturnValue:
    try:
        prove("proof-confirm")
        with rt.begin() as unit:
            shown = request.form.get("fingerprint", "")
            joining.confirm(unit.db, rt.vault, person.id, me().id, key(), shown, rt.now())
    except Refused as refused:
        return _shown(rt, person, refused), 422
    flash("saved")
    return redirect(url_for(".show", person_id=person.id), 303)


def _slip(rt: Runtime, person_id: int, code: str, *, added: bool) -> str:
    """An invitation to print or to write down."""
    with rt.db.read() as db:
        person, standing = caseworker.one(db, person_id), account.standing(db, person_id)
    return render_template(
        "invitation.html",
        name=person.name if person else "",
        standing=standing,
        address=f"{rt.settings.public_url}{url_for('admin.joining.blank')}",
        code=code,
        added=added,
    )


def _shown(rt: Runtime, person: Person, refused: Refused | None = None) -> str:
    """A person as they are stored."""
    number = ""
    with rt.db.read() as db:
        login = account.login_of(db, person.id)
        if _is_mine(person):
            with suppress(SealBroken):  # sealed under other keys: it has to be typed anew
                number = caseworker.number(db, rt.vault, person.id)
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
            person.organisation,
            person.supervisor,
            "\n".join(person.aliases),
        ),
        login,
        refused,
    )


def _page(person: Person | None, entered: Entered, login: str, refused: Refused | None = None) -> str:
    rt = runtime()
    with rt.db.read() as db:
        places = site.every(db)
        person = caseworker.one(db, person.id) if person else None
        standing = account.standing(db, person.id) if person else None
        why_not = joining.unconfirmable(db, rt.vault, person.id, me().id, key()) if person else None
        organisations = organisation.every(db)
        above = [one for one in caseworker.every(db) if _is_above(one, entered)]
    return render_template(
        "person.html",
        subject=person,
        editable=person is None or _is_mine(person),
        entered=entered,
        login=login,
        standing=standing,
        has_key=person is not None and person.role in ON_ROUTES,
        fingerprint=vault.fingerprint(person.public) if person and person.public else "",
        confirmed=person is not None and joining.confirmed(rt.vault, person),
        why_not=reader.refusal(why_not) if why_not else "",
        places=places,
        organisations=organisations,
        places_people=me().role is Role.ADMINISTRATOR,
        above=[one for one in above if person is None or one.id != person.id],
        most_aliases=organisation.MOST_ALIASES,
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
    organisation_id, supervisor_id, aliases = _place(person, own=own)
    return Entered(
        name=typed.get("name", ""),
        role=role,
        active=own or "active" in typed,
        number=typed.get("number", "") if role in ON_ROUTES else "",
        sms_language=sms_language if sms_language in flows.definition.LANGUAGES else flows.definition.FRENCH,
        lanes=frozenset(typed.getlist("lanes")) & set(_lanes(rt)),
        sites=frozenset(each for each in places if str(each) in typed.getlist("sites")),
        languages=frozenset(typed.getlist("languages")) & set(flows.definition.LANGUAGES),
        organisation=organisation_id,
        supervisor=supervisor_id,
        aliases=aliases,
    )


def _place(person: Person | None, *, own: bool) -> tuple[int | None, int | None, str]:
    """For whom and under whom somebody works, and what else they are called: an administrator says it. Whoever
    reads reports cannot move themselves or others out of an exclusion's way; whom they add works where they do."""
    typed = request.form
    if me().role is Role.ADMINISTRATOR and not own:
        return (
            _number(typed.get("organisation", "")),
            _number(typed.get("supervisor", "")),
            typed.get("aliases", ""),
        )
    if person is not None:
        return person.organisation, person.supervisor, "\n".join(person.aliases)
    with runtime().db.read() as db:
        mine = caseworker.one(db, me().id)
    return (mine.organisation, mine.id, "") if mine is not None else (None, None, "")


def _is_above(one: Person, entered: Entered) -> bool:
    """Whom somebody can answer to; whom they do answer to stays to be chosen, though they have left."""
    return (one.active and one.role in _ABOVE) or one.id == entered.supervisor


def _number(typed: str) -> int | None:
    """An id as a list gives it; empty for nobody."""
    if not typed:
        return None
    if not (typed.isascii() and typed.isdigit() and len(typed) < 10):
        abort(400)
    return int(typed)


def _role(value: str) -> Role:
    if value not in _roles():
        abort(400)
    return Role(value)


def _roles() -> list[Role]:
    """The roles of people whom the reader may add and change."""
    return [role for role in Role if role in CHANGES.get(me().role, ())]


def _is_mine(person: Person) -> bool:
    """Whether the reader may change this person and invite them anew: a supervisor only those of their own
    organisation, who are left out of a report together with them. Whoever could change the telephone of somebody
    else, or come in as them, would hear of what they are left out of."""
    if me().role is Role.ADMINISTRATOR or person.id == me().id:
        return person.role in _roles()
    with runtime().db.read() as db:
        mine = caseworker.one(db, me().id)
    together = mine is not None and mine.organisation is not None and mine.organisation == person.organisation
    return together and person.role in _roles()


def _found(rt: Runtime, person_id: int) -> Person:
    with rt.db.read() as db:
        person = caseworker.one(db, person_id)
    if person is None or person.role not in {*_roles(), *ON_ROUTES}:
        abort(404)
    return person


def _lanes(rt: Runtime) -> list[str]:
    """Kinds of report that a case worker may take; complaints about this service are never among them."""
    known = {*(topic.lane for topic in rt.book.topics.values()), *rt.book.moves.values()} - {INTEGRITY}
    return sorted(known, key=list(names.LANES).index)
