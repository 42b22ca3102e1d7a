"""Every text of the pages is French too, and nothing in the French catalogue is left over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from babel.messages.extract import DEFAULT_KEYWORDS, extract

from gateway import text
from gateway.flows import extract as flow_texts
from gateway.settings import ROOT

FRENCH = ROOT / "locales/fr/LC_MESSAGES/web.po"
TEMPLATES = ROOT / "gateway/web/templates"
KEYWORDS = {**DEFAULT_KEYWORDS, "Refused": (2,), "say": (1,), "say_many": (1, 2), "msgid": (1,)}
PLACES = re.compile(r"%\(\w+\)s")

Found = tuple[str, str | tuple[str, ...]]


def sources() -> Iterator[Found]:
    """Where a text stands, and the text: its msgid, or its msgid and plural."""
    code = [
        *(ROOT / "gateway/casework").glob("*.py"),
        *ROOT.glob("gateway/desk/*.py"),
        *(ROOT / "gateway/web").rglob("*.py"),
    ]
    for path in sorted(code):
        yield from _extracted("python", path, {})
    for path in sorted(TEMPLATES.glob("*.html")):
        yield from _extracted(
            "jinja2.ext:babel_extract",
            path,
            {"extensions": "jinja2.ext.i18n", "trimmed": "true", "silent": "false"},
        )
    path = ROOT / "flows/topics.yaml"
    with path.open("rb") as file:
        for _, _, found, _ in flow_texts(file, {}, (), {"domain": "web"}):
            assert isinstance(found, str)
            yield _name(path), found


def _extracted(method: str, path: Path, options: dict[str, str]) -> Iterator[Found]:
    with path.open("rb") as file:
        for _, found, _, _ in extract(method, file, KEYWORDS, (), options):
            yield _name(path), found


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def msgids() -> set[str]:
    return {found if isinstance(found, str) else found[0] for _, found in sources()}


def test_every_text_of_the_pages_has_its_french_and_none_is_left_over() -> None:
    french = text.read_catalogue(FRENCH)
    translated = {msgid for (_, msgid), phrase in french.items() if phrase.text and not phrase.fuzzy}
    assert msgids() - translated == set()
    assert {msgid for _, msgid in french} - msgids() == set()


def test_a_translation_fills_the_same_places_as_its_source() -> None:
    for (_, msgid), phrase in text.read_catalogue(FRENCH).items():
        assert set(PLACES.findall(phrase.text)) == set(PLACES.findall(msgid)), msgid


def test_no_text_holds_a_percent_sign_that_is_no_place() -> None:
    for msgid in msgids() | {phrase.text for phrase in text.read_catalogue(FRENCH).values()}:
        assert "%" not in re.sub(r"%\(\w+\)[sd]", "", msgid), msgid


def test_no_words_of_a_template_escape_translation() -> None:
    """What stands between tags is an expression, or one of a few words that are the same everywhere."""
    same = {"English", "Français", "+", "–", "←", "/", "·", ",", ":", "(", ")", "="}
    for path in TEMPLATES.glob("*.html"):
        bare = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", path.read_text("utf-8"), flags=re.DOTALL)
        words = re.sub(r"<[^>]*>", " ", bare).split()
        assert set(words) <= same, path.name
