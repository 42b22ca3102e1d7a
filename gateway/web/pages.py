"""What all pages share: their templates, words, headers, errors, and the choice of a language.

The pages hold no script. What a browser may do with one is said in its headers, on every response.
"""

# Flask-WTF ships no types.
# mypy: disable-error-code=import-untyped

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Any, Final, cast

from flask import Blueprint, Flask, Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFProtect
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException

from gateway import log
from gateway.runtime import Runtime
from gateway.web import hooks, names, reader, runtime
from gateway.web.admin import admin, home_of, sign_in
from gateway.web.phone import phone

POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_A_YEAR = 365 * 24 * 3600
_FOR_EVER = f"public, max-age={_A_YEAR}, immutable"
_COMPRESSED = ("text/html", "text/css")
_ERRORS: Final = (400, 403, 404, 405, 413, 500)

pages = Blueprint("pages", __name__)


def register(app: Flask, rt: Runtime) -> None:
    """Give an application its pages."""
    css = Path(str(app.static_folder), "gateway.css").read_bytes()
    version = hashlib.sha256(css).hexdigest()[:12]
    _prepare_templates(app, rt, version)
    CSRFProtect(app).exempt(hooks.hooks)
    app.register_blueprint(pages)
    app.register_blueprint(admin)
    if rt.settings.demo:
        app.register_blueprint(phone)
    secure = rt.settings.public_url.startswith("https://")

    def finish(response: Response) -> Response:
        if request.endpoint == "static" and request.args.get("v") == version and response.status_code < 400:
            response.headers["Cache-Control"] = _FOR_EVER
        elif request.endpoint == "static":
            response.headers["Cache-Control"] = "no-cache"
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if secure:
            response.headers["Strict-Transport-Security"] = f"max-age={_A_YEAR}"
        return _compressed(response)

    app.after_request(finish)
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(Exception, _failed)


@pages.get("/")
def start() -> ResponseReturnValue:
    """To the first page of whoever is signed in."""
    person = sign_in.who()
    return redirect(home_of(person.role) if person else url_for("admin.sign_in.form"))


@pages.post("/language")
def choose_language() -> ResponseReturnValue:
    """Keep the reader's choice, and go back to where it was made."""
    response = redirect(reader.local_path(request.form.get("next", "")) or "/", 303)
    chosen = request.form.get("language", "")
    if chosen in reader.LANGUAGES:
        response.set_cookie(
            reader.LANGUAGE_COOKIE,
            chosen,
            max_age=_A_YEAR,
            httponly=True,
            samesite="Strict",
            secure=runtime().settings.public_url.startswith("https://"),
        )
    return response


@pages.get("/favicon.ico")
def no_icon() -> ResponseReturnValue:
    """Nothing, once a year: browsers ask for it by themselves."""
    return Response(status=204, headers={"Cache-Control": _FOR_EVER})


def _prepare_templates(app: Flask, rt: Runtime, version: str) -> None:
    app.jinja_options = {
        **app.jinja_options,
        "autoescape": True,
        "trim_blocks": True,
        "lstrip_blocks": True,
        "undefined": StrictUndefined,
        "extensions": ["jinja2.ext.i18n"],
    }
    env = app.jinja_env
    env.policies["ext.i18n.trimmed"] = True
    words = rt.words
    cast(Any, env).install_gettext_callables(
        lambda text: words.gettext(reader.language(), text),
        lambda one, many, n: words.ngettext(reader.language(), one, many, n),
        newstyle=True,
        pgettext=lambda context, text: words.pgettext(reader.language(), context, text),
    )
    env.globals.update(
        css=f"/static/gateway.css?v={version}",
        demo=rt.settings.demo,
        language=reader.language,
        names=names,
        topic_name=lambda code: names.topic(rt.book, code),
        day_words=reader.day_words,
        moment=reader.moment,
        moment_today=reader.moment_today,
        clock_words=reader.clock_words,
        is_late=reader.is_late,
        here=_here,
        person=lambda: g.get("person"),
    )


def _here() -> str:
    """Where a choice of language leads back to: this page, as a link would open it."""
    if request.endpoint is None or request.method != "GET" or not request.query_string:
        return request.path
    return request.full_path


def _refused(error: HTTPException) -> ResponseReturnValue:
    """A page for what cannot be done, without any detail."""
    if error.response is not None or error.code is None or error.code < 400:
        return error
    code = error.code if error.code in _ERRORS else 404 if error.code < 500 else 500
    if code == 500:
        log.warn("page.failed", error=error, route=request.endpoint or "none")
    return render_template("error.html", code=code), code


def _failed(error: Exception) -> ResponseReturnValue:
    log.warn("page.failed", error=error, route=request.endpoint or "none")
    return render_template("error.html", code=500), 500


def _compressed(response: Response) -> Response:
    """What is sent over slow networks, packed. Cookies are SameSite, so no other site can make a reader's
    browser ask for a page that holds both a secret and a guess at it."""
    if response.mimetype in _COMPRESSED and response.status_code not in (204, 304):
        response.vary.add("Accept-Encoding")
        if request.accept_encodings.quality("gzip") > 0:
            response.direct_passthrough = False
            whole = response.get_data()
            response.close()  # the file, where it is one
            response.set_data(gzip.compress(whole, 6, mtime=0))
            response.headers["Content-Encoding"] = "gzip"
    return response
