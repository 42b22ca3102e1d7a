"""The pages of the people who work here: signing in, reports, people, sites.

Every request passes `_guard` first. Which roles may open which page stands in `PAGES`, and a page that is
not there opens for nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flask import Blueprint, abort, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gateway.casework.caseworker import Role
from gateway.web.admin import people, reports, sign_in, sites

WITH_REPORTS: Final = frozenset({Role.CASE_WORKER, Role.SUPERVISOR, Role.INTEGRITY_OFFICER})
RUNNING: Final = frozenset({Role.SUPERVISOR, Role.ADMINISTRATOR})
EVERYBODY: Final = frozenset(Role)

OPEN: Final = frozenset({"admin.sign_in.form", "admin.sign_in.enter"})
"""Pages that need nobody signed in."""
PAGES: Final[Mapping[str, frozenset[Role]]] = {
    "admin.sign_in.leave": EVERYBODY,
    "admin.reports.inbox": WITH_REPORTS,
    "admin.reports.show": WITH_REPORTS,
    "admin.reports.act": WITH_REPORTS,
    "admin.people.every": RUNNING,
    "admin.people.blank": RUNNING,
    "admin.people.add": RUNNING,
    "admin.people.show": RUNNING,
    "admin.people.change": RUNNING,
    "admin.sites.every": RUNNING,
    "admin.sites.blank": RUNNING,
    "admin.sites.add": RUNNING,
    "admin.sites.show": RUNNING,
    "admin.sites.change": RUNNING,
}
"""Who may open what, by endpoint. Within a page the nouns decide what somebody sees of it."""

admin = Blueprint("admin", __name__)
for group in (sign_in.sign_in, reports.reports, people.people, sites.sites):
    admin.register_blueprint(group)


def home_of(role: Role) -> str:
    """The first page of somebody of this role."""
    return url_for("admin.reports.inbox" if role in WITH_REPORTS else "admin.people.every")


@admin.before_request
def _guard() -> ResponseReturnValue | None:
    """Whoever may not open a page sees one that does not exist; whoever is not signed in may sign in."""
    endpoint = request.endpoint or ""
    g.person = sign_in.who()
    if endpoint in OPEN:
        return None
    if g.person is None:
        if request.method in ("GET", "HEAD"):
            return redirect(url_for("admin.sign_in.form", next=request.full_path.rstrip("?")))
        # A session ends while a note is being written: what was typed is shown, for nothing else keeps it.
        return render_template(
            "sign_in.html", login="", next=request.path, error="", lost=request.form.get("words", "")
        ), 401
    if g.person.role not in PAGES.get(endpoint, frozenset()):
        abort(404)
    g.may = {page for page, roles in PAGES.items() if g.person.role in roles}
    return None


@admin.app_context_processor
def _navigation() -> dict[str, object]:
    return {"may": lambda page: page in g.get("may", ())}
