"""Puts the web process together: settings, runtime, Flask, and the door in front of it."""

from __future__ import annotations

import multiprocessing
from datetime import timedelta

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from gateway import keys, log, process
from gateway.db import Unavailable
from gateway.runtime import Runtime
from gateway.settings import Settings
from gateway.web import hooks, pages


def create_app(rt: Runtime) -> Flask:
    """An application on a runtime; nothing is shared with another application in the same process."""
    app = Flask("gateway.web")
    secure = rt.settings.public_url.startswith("https://")
    app.config.update(
        SECRET_KEY=rt.settings.secret_key,
        MAX_CONTENT_LENGTH=64 * 1024,
        MAX_FORM_PARTS=200,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=8),
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
        SESSION_COOKIE_NAME="__Host-gateway_form" if secure else "gateway_form",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_SECURE=secure,
    )
    app.url_map.merge_slashes = False  # a redirect would tell a stranger that something is at `/hooks/…`
    app.extensions["gateway"] = rt
    pages.register(app, rt)
    app.register_blueprint(hooks.hooks)
    if rt.settings.proxies:  # the address alone: host and scheme are PUBLIC_URL's
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=rt.settings.proxies, x_proto=0, x_host=0, x_port=0, x_prefix=0
        )
    app.wsgi_app = hooks.Door(rt, app.wsgi_app)  # type: ignore[method-assign]
    return app


def from_environment() -> Flask:
    """What the server loads: the application of this process, its threads started."""
    server = multiprocessing.parent_process()
    # Named, because a server that was killed while this worker still started would go unseen: such a worker would
    # share the port with the next server for ever.
    process.die_with_parent(server.pid if server else None)
    process.no_core_dumps()
    log.configure("web")
    rt = Runtime.build(Settings.read())
    try:
        rt.declare()
    except Unavailable as error:
        # The command that started the server has asked before; a worker that comes back while the database is
        # away must still tell callers so, instead of ending the server by failing again and again.
        log.warn("database.unavailable", error=error)
    keys.begin(rt.settings)
    rt.directory.start()
    app = create_app(rt)
    log.hush()
    return app
