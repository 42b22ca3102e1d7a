"""Sites: the places people can name on the phone.

A site's place on the phone is given once and never to another: what a key means must not change under a
caller. A closed site leaves its key empty.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import String, bindparam, func, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway import text
from gateway.casework.refused import Refused
from gateway.db import Base, UtcTime

NAME_SEPTETS = 12
"""What screen `site` has room for beside each key."""
BEHIND = timedelta(days=1)
"""A site added this far ahead of the clock was added when the clock was right."""
OFFERED_AFTER = timedelta(minutes=2)
"""So that every process has heard of a new site before a caller can see it anywhere."""
CLOSED_AFTER = timedelta(minutes=10)
"""How long a site that was closed stays on its key, so that a dialogue which chose it, and the repeated callbacks
of that dialogue, mean to the end what they meant."""


class Site(Base):
    """One place; `phone_place` 1, 2, 3… is its key on the phone, five a page, for ever."""

    __tablename__ = "site"
    __table_args__ = (
        {
            "comment": "Holds: the places that callers can name, each with its key on the phone.\n"
            "Kept: for good: a key is never given to another place.\n"
            "Read by: everybody; callers hear the names."
        },
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    code: Mapped[str] = mapped_column(String(3), unique=True)
    phone_place: Mapped[int] = mapped_column(unique=True)
    added_at: Mapped[datetime] = mapped_column(UtcTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class SiteRow:
    """A site as the pages and the phone read it."""

    id: int
    name: str
    code: str
    phone_place: int
    open: bool


_ROW = (Site.id, Site.name, Site.code, Site.phone_place, Site.closed_at.is_(None))


def every(db: Session) -> list[SiteRow]:
    """All sites in the order of the phone."""
    return [SiteRow(*row) for row in db.execute(select(*_ROW).order_by(Site.phone_place))]


def offered(db: Session, now: datetime) -> list[SiteRow]:
    """The sites that callers may be shown by now. A clock that is days behind must not empty their list."""
    closing = Site.closed_at.is_(None) | (Site.closed_at > now - CLOSED_AFTER)
    added = (Site.added_at <= now - OFFERED_AFTER) | (Site.added_at > now + BEHIND)
    where = added & closing
    return [SiteRow(*row) for row in db.execute(select(*_ROW).where(where).order_by(Site.phone_place))]


def one(db: Session, site: int) -> SiteRow | None:
    row = db.execute(select(*_ROW).where(Site.id == site)).one_or_none()
    return SiteRow(*row) if row else None


def add(db: Session, now: datetime, *, name: str, code: str) -> int:
    """Add a site behind all others. Raises Refused for a name or a code that a phone or a panel cannot hold."""
    name, code = checked_name(name), code.strip()
    if not re.fullmatch(r"[0-9]{3}", code):
        raise Refused("code", "The code is three digits, as painted on the panel.")
    if db.scalar(select(Site.id).where(Site.code == code)):
        raise Refused("code", "Another site has this code.")
    last = db.scalar(select(func.max(Site.phone_place))) or 0
    added = db.execute(
        insert(Site).values(name=name, code=code, phone_place=last + 1, added_at=now).returning(Site.id)
    )
    return added.scalar_one()


def change(db: Session, now: datetime, site: int, *, name: str, open_: bool) -> None:
    """Rename, close or open again; the place on the phone and the code stay. Raises Refused."""
    closed_at = None if open_ else func.coalesce(Site.closed_at, bindparam(None, now, type_=UtcTime()))
    db.execute(update(Site).where(Site.id == site).values(name=checked_name(name), closed_at=closed_at))


def checked_name(name: str) -> str:
    """A name that fits its key on the phone in every alphabet. Raises Refused."""
    name = " ".join(name.split())
    if not name:
        raise Refused("name", "Give the site a name.")
    if bad := text.offenders(name):
        raise Refused("name", "A phone cannot show these letters: %(letters)s.", letters=" ".join(sorted(bad)))
    if re.search(r"[{}\[\]~\\^|€\r\n]", name):
        raise Refused("name", "Use letters, digits and spaces only.")
    if text.septets(name) > NAME_SEPTETS:
        raise Refused("name", "At most 12 letters: the phone has no room for more.")
    return name
