"""Hands the texts of flow files to pybabel, which writes them into the catalogues.

Babel calls it as described in its documentation, "Writing Extraction Methods"
(https://babel.pocoo.org/en/latest/messages.html#writing-extraction-methods).
"""

from collections.abc import Collection, Iterator, Mapping
from typing import IO

import yaml

from gateway.flows.definition import LETTER, SCREEN_SEPTETS

_SECTIONS = {
    "phone": {"screens": "text", "lines": "", "tips": "", "messages": "", "letters": "text", "closings": ""},
    "web": {"topics": "name", "names": ""},
}
"""The sections whose texts belong to a domain, and under which key of an entry the text stands."""
_MOST = {
    "tips": 110,
    "letters": LETTER["message"],
    "questions": LETTER["question"],
    "closings": LETTER["closing"],
}


def extract(
    fileobj: IO[bytes],
    keywords: Mapping[str, object],
    comment_tags: Collection[str],
    options: Mapping[str, object],
) -> Iterator[tuple[int, str, str | tuple[str, str], list[str]]]:
    """The translatable texts of a flow file: line, function, text (after its context), comments.

    The option `domain` chooses between `phone` (the default: screens, lines, tips and messages, in the
    context of their names) and `web` (what topics, fields and values are called on the pages, in none).
    `keywords` and `comment_tags` mean nothing in YAML. Raises yaml.YAMLError if the file is not YAML.
    """
    domain = str(options.get("domain", "phone"))
    root = yaml.compose(fileobj.read().decode("utf-8"), Loader=yaml.BaseLoader)
    for section, content in _entries(root):
        if section not in _SECTIONS[domain]:
            continue
        for name, entry in _entries(content):
            held = dict(_entries(entry))
            if held.get("one_text") is not None:
                continue
            wanted = _SECTIONS[domain][section]
            text = held.get(wanted) if wanted else entry
            if not isinstance(text, yaml.ScalarNode) or not text.value.strip():
                continue
            line, source = text.start_mark.line + 1, text.value.rstrip()
            if domain == "phone":
                yield line, "pgettext", (name, source), [_comment(section, held)]
            else:
                yield line, "gettext", source, []


def _comment(section: str, held: Mapping[str, yaml.Node]) -> str:
    kind = held.get("kind")
    most = _MOST.get("questions" if "answers" in held else section, SCREEN_SEPTETS)
    what = f"{kind.value} screen" if isinstance(kind, yaml.ScalarNode) else section.removesuffix("s")
    return f"{what}, at most {most} septets"


def _entries(node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                yield key.value, value
