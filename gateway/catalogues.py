"""Takes the English texts out of flows, code and templates and brings the translators' catalogues up to date.

A text that changed keeps its old translation, marked fuzzy, until somebody has looked at it; a fuzzy text of
the phone cannot go live. Texts that are gone are dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.pofile import read_po, write_po

from gateway import flows
from gateway.settings import ROOT

CATALOGUES = {
    "phone": ("fr", "sw_CD", "ln"),
    "web": ("fr",),
}
"""The languages of each domain; the pages fall back to French where a language has no catalogue of its own."""

# Where an English text stands in a call: the second argument of a refusal, the first of the views' own words.
_KEYWORDS = {**DEFAULT_KEYWORDS, "Refused": (2,), "say": (1,), "say_many": (1, 2), "msgid": (1,)}
_JINJA = {"extensions": "jinja2.ext.i18n", "trimmed": "true", "silent": "false"}


@dataclass(frozen=True, slots=True)
class Text:
    """One English text: the file it stands in, its context on the phone, its plural on the pages."""

    file: str
    context: str | None
    msgid: str
    plural: str | None = None


def texts(domain: str) -> Iterator[Text]:
    """Every text of `phone` or `web`, in the order of the files."""
    for path in sorted(ROOT.glob("flows/*.yaml")):
        with path.open("rb") as file:
            for _, _, found, _ in flows.extract(file, {}, (), {"domain": domain}):
                context, msgid = (None, found) if isinstance(found, str) else found
                yield Text(_name(path), context, msgid)
    if domain == "web":
        code = [
            *ROOT.glob("gateway/casework/*.py"),
            *ROOT.glob("gateway/desk/*.py"),
            *ROOT.glob("gateway/web/**/*.py"),
        ]
        for path in sorted(code):
            yield from _extracted("python", path, {})
        for path in sorted(ROOT.glob("gateway/web/templates/**/*.html")):
            yield from _extracted("jinja2.ext:babel_extract", path, _JINJA)


def updated(domain: str, language: str) -> bytes:
    """The catalogue of a language as it should stand in its file."""
    template = Catalog()
    for text in texts(domain):
        msgid: str | tuple[str, str] = (text.msgid, text.plural) if text.plural else text.msgid
        template.add(msgid, locations=[(text.file, 0)], context=text.context)
    file = path(domain, language)
    catalogue = read_po(BytesIO(file.read_bytes()), locale=language)
    catalogue.update(template)
    catalogue.obsolete.clear()
    out = BytesIO()
    write_po(
        out,
        catalogue,
        width=0,
        no_location=domain == "phone",
        omit_header=True,
        include_lineno=False,
        include_previous=True,
    )
    # The header is the translators' own: Babel would put dates and invented addresses into it.
    header = file.read_bytes().partition(b"\n\n")[0]
    return header + b"\n\n" + out.getvalue().strip() + b"\n"


def update() -> Iterator[str]:
    """Write every catalogue that is not up to date; a line for each says what is left to translate."""
    for domain, languages in CATALOGUES.items():
        for language in languages:
            file = path(domain, language)
            fresh = updated(domain, language)
            state = "up to date" if fresh == file.read_bytes() else "brought up to date"
            file.write_bytes(fresh)
            catalogue = read_po(BytesIO(fresh), locale=language)
            left = sum(1 for message in catalogue if message.id and (message.fuzzy or not message.string))
            yield f"{_name(file)}: {state}, {left} of {len(catalogue)} to translate"


def path(domain: str, language: str) -> Path:
    """Where a catalogue lies."""
    return ROOT / "locales" / language / "LC_MESSAGES" / f"{domain}.po"


def _extracted(method: str, path: Path, options: dict[str, str]) -> Iterator[Text]:
    with path.open("rb") as file:
        for _, found, _, _ in extract(method, file, _KEYWORDS, (), options):
            msgid, plural = (found, None) if isinstance(found, str) else (found[0], found[1])
            yield Text(_name(path), None, msgid, plural)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
