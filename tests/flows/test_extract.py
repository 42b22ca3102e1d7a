"""Translators get every text of the phone, and the names for the pages."""

from io import BytesIO
from pathlib import Path

from babel.messages.extract import extract as babel_extract

from gateway.flows import extract

SMALL = Path(__file__).parent / "small" / "book.yaml"


def found(content: str, **options: str) -> list[tuple[int, str, str | tuple[str, str], list[str]]]:
    return list(extract(BytesIO(content.encode()), {}, [], options))


def test_texts_of_screens_have_their_names_as_context() -> None:
    content = "screens:\n  a:\n    kind: say\n    text: |\n      Où ?\n      1 Go\n"
    assert found(content) == [
        (4, "pgettext", ("a", "Où ?\n1 Go"), ["say screen, at most 160 septets"]),
    ]


def test_lines_tips_and_messages_are_texts_too() -> None:
    content = "lines: {a: A}\ntips: {b: B}\nmessages: {c: C}\nnames: {d: D}\n"
    assert [(text, comments) for _, _, text, comments in found(content)] == [
        (("a", "A"), ["line, at most 160 septets"]),
        (("b", "B"), ["tip, at most 110 septets"]),
        (("c", "C"), ["message, at most 160 septets"]),
    ]


def test_letters_and_closings_are_texts_with_the_room_that_their_screens_have() -> None:
    content = "letters:\n  a: {text: A}\n  b: {text: B, answers: yes no}\nclosings: {c: C}\n"
    assert [(line, text, comments) for line, _, text, comments in found(content)] == [
        (2, ("a", "A"), ["letter, at most 90 septets"]),
        (3, ("b", "B"), ["letter, at most 48 septets"]),
        (4, ("c", "C"), ["closing, at most 60 septets"]),
    ]


def test_one_text_is_not_translated() -> None:
    assert found("screens: {a: {kind: end, one_text: yes, text: A}}") == []


def test_what_the_pages_call_things_is_a_domain_of_its_own() -> None:
    content = "names: {a: A}\ntopics: {t: {name: T, lane: x}}\nlines: {l: L}\n"
    assert found(content, domain="web") == [(1, "gettext", "A", []), (2, "gettext", "T", [])]


def test_a_file_without_texts_gives_none() -> None:
    assert found("") == []
    assert found("- a\n") == []
    assert found("screens: {a: b, c: {text: ''}}\nlines: [a]\n") == []


def test_babel_understands_what_it_is_given() -> None:
    with SMALL.open("rb") as file:
        messages = list(babel_extract("gateway.flows:extract", file))
    texts = {(context, text) for _, text, _, context in messages}
    assert ("sure", "{topic}, {site}. Call {emg}. Sure?\n1 SEND\n2 Change\n0 Back") in texts
    assert ("wrong_key", "Wrong key.") in texts
    assert not any(context == "lang" for context, _ in texts)
