"""The doors: what machines call (`hooks`), what people open (`admin`), and the phone of the demonstration."""

from __future__ import annotations

from typing import cast

from flask import current_app

from gateway.runtime import Runtime


def runtime() -> Runtime:
    """What this application runs on; the only touch of `current_app`."""
    return cast(Runtime, current_app.extensions["gateway"])
