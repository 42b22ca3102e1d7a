"""The pages of the people who work here: signing in, joining, reports, people, sites, the own account.

Every request passes `_guard` first. Who may open which page, and what a form of theirs may hold, stands in
`permissions.TABLE`; a page that is not there opens for nobody.
"""

from __future__ import annotations

from typing import Final

from flask import Blueprint, abort, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gateway.casework.caseworker import Role
from gateway.web.admin import (
    joining,
    machine,
    organisations,
    own,
    people,
    permissions,
    recovery,
    reports,
    sign_in,
    sites,
)
from gateway.web.admin.permissions import JOINING, LETTERS, NOBODY

_FIRST: Final = ("admin.reports.inbox", "admin.people.every", "admin.machine.show")
"""Where somebody begins: the first of these that is open to them."""

_TYPED: Final = ("words", "letter", "closing", "why")
"""Fields that somebody may have written into for long."""

admin = Blueprint("admin", __name__)
for group in (
    sign_in.sign_in,
    joining.joining,
    recovery.recovery,
    own.own,
    reports.reports,
    people.people,
    organisations.organisations,
    sites.sites,
    machine.machine,
):
    admin.register_blueprint(group)


def home_of(role: Role) -> str:
    """The first page of somebody of this role."""
    mine = permissions.open_to(LETTERS[role])
    return url_for(next(page for page in _FIRST if page in mine))


@admin.before_request
def _guard() -> ResponseReturnValue | None:
    """Whoever may not open a page sees one that does not exist; whoever is not signed in may sign in."""
    page, person = request.endpoint or "", sign_in.here()
    joins = person is not None and person.joining
    g.person = None if joins else person
    who = JOINING if joins else NOBODY if person is None else LETTERS[person.role]
    g.may = permissions.open_to(who)
    if page not in g.may:
        return _turned_away(page)
    if request.method == "POST":
        row = permissions.pressed(page, request.form.get("do", ""))
        if row is None:
            abort(400)
        if who not in row.who:
            abort(404)
        if not {*request.form, *request.files} <= row.sent(who) | {"csrf_token"}:
            abort(400)
    return None


def _turned_away(page: str) -> ResponseReturnValue:
    if page in permissions.open_to(JOINING):
        return redirect(url_for("admin.joining.blank"), 303 if request.method == "POST" else 302)
    if g.person is not None:
        abort(404)
    if request.method in ("GET", "HEAD"):
        return redirect(url_for("admin.sign_in.form", next=request.full_path.rstrip("?")))
    # A session ends while a note is being written: what was typed is shown, for nothing else keeps it.
    return render_template(
        "sign_in.html",
        login="",
        next=request.path,
        error="",
        slow="",
        lost=next(filter(None, map(request.form.get, _TYPED)), ""),
    ), 401


@admin.app_context_processor
def _navigation() -> dict[str, object]:
    return {
        "may": lambda page: page in g.get("may", ()),
        "needs_proof": sign_in.needs_proof,
        "my_login": sign_in.my_login,
    }
