"""How a second factor reaches the telephone that will keep it: as a picture, as a link, as letters to type."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyotp
import segno
from markupsafe import Markup

ISSUER = "Gateway"
"""What an authenticator calls it: no word of mines or reports, for a telephone may be looked at."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A second factor on a page. Each form is the secret itself."""

    picture: Markup = field(repr=False)
    link: str = field(repr=False)
    letters: str = field(repr=False)


def offer(seed: str, login: str) -> Offer:
    """`seed` (base 32) for an authenticator: a square to photograph, drawn with attributes alone because a page of
    ours may hold no style; an `otpauth:` link; and letters in groups of four."""
    link = pyotp.TOTP(seed).provisioning_uri(name=login, issuer_name=ISSUER)
    picture = segno.make(link, micro=False).svg_inline(
        svgclass="qr", lineclass=None, omitsize=True, dark="#000", light="#fff", border=4
    )
    return Offer(Markup(picture), link, " ".join(seed[at : at + 4] for at in range(0, len(seed), 4)))  # noqa: S704
