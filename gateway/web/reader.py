"""For whom a page is made: their language, and words, days and clocks as they read them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from urllib.parse import urlsplit

from flask import request

from gateway.casework import Refused
from gateway.web import runtime

LANGUAGES = ("fr", "en")
"""Languages of the pages; the first is for whoever has not chosen."""
LANGUAGE_COOKIE = "gateway_language"


def language() -> str:
    """The language this reader has chosen."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    return chosen if chosen in LANGUAGES else LANGUAGES[0]


def say(msgid: str, **values: str | int) -> str:
    """An English text in the reader's language, its `%(name)s` places filled."""
    return runtime().words.gettext(language(), msgid) % values


def say_many(one: str, many: str, n: int) -> str:
    """The text for `n` things; its place is `%(n)s`."""
    return runtime().words.ngettext(language(), one, many, n) % {"n": n}


def refusal(refused: Refused) -> str:
    """Why a change was refused, in the reader's words."""
    return say(refused.why, **refused.values) if refused.why else ""


def day_words(day: date) -> str:
    """A local day: today, yesterday, or its date."""
    match (runtime().today() - day).days:
        case 0:
            return say("today")
        case 1:
            return say("yesterday")
    return _date(day)


def moment(at: datetime) -> str:
    """A moment in local time, to the minute."""
    local = at.astimezone(runtime().settings.local_zone)
    return f"{_date(local.date())} {local:%H:%M}"


def moment_today(at: datetime) -> str:
    """`moment`, without its date when that is today."""
    local = at.astimezone(runtime().settings.local_zone)
    return f"{local:%H:%M}" if local.date() == runtime().today() else moment(at)


def is_late(due_at: datetime) -> bool:
    return due_at < runtime().now()


def clock_words(due_at: datetime) -> str:
    """How long until a clock runs out, or since when it has."""
    left = due_at - runtime().now()
    return _overdue(-left) if left < timedelta(0) else _left(left)


def local_path(path: str) -> str:
    """`path` when it leads to a page of ours, else `""`: a browser must not be sent elsewhere from here."""
    if not path.startswith("/") or "\\" in path or not path.isprintable():
        return ""
    try:
        parts = urlsplit(path)
    except ValueError:
        return ""
    return "" if parts.scheme or parts.netloc or path.startswith("//") else path


def _date(day: date) -> str:
    return f"{day:%d/%m/%Y}" if language() == "fr" else f"{day.day} {day:%b %Y}"


def _left(left: timedelta) -> str:
    minutes = int(left.total_seconds() // 60)
    if minutes < 1:
        return say("less than a minute left")
    if minutes < 60:
        return say("%(minutes)s min left", minutes=minutes)
    if minutes < 48 * 60:
        return say("%(hours)s h %(minutes)s min left", hours=minutes // 60, minutes=f"{minutes % 60:02}")
    return say_many("%(n)s day left", "%(n)s days left", minutes // (24 * 60))


def _overdue(late: timedelta) -> str:
    minutes = int(late.total_seconds() // 60)
    if minutes < 1:
        return say("just run out")
    if minutes < 60:
        return say("%(minutes)s min overdue", minutes=minutes)
    if minutes < 48 * 60:
        return say("%(hours)s h %(minutes)s min overdue", hours=minutes // 60, minutes=f"{minutes % 60:02}")
    return say_many("%(n)s day overdue", "%(n)s days overdue", minutes // (24 * 60))
