"""What a right book becomes."""

from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from gateway.flows import BadFlow, Book, Clock, Topic, load
from gateway.flows.definition import Letter

if TYPE_CHECKING:
    from tests.flows.conftest import Shelf


def test_a_folder_without_flow_files_is_a_bad_flow(tmp_path: Path) -> None:
    with pytest.raises(BadFlow, match="no flow file here"):
        load(tmp_path, tmp_path)


def test_topics_and_clocks_are_read(book: Book) -> None:
    assert book.topics["pit"] == Topic("Pit", "P2", "safety", "sure", ("hurt", "when", "words"))
    quarter, half = timedelta(minutes=15), timedelta(minutes=30)
    assert book.severities["P0"] == Clock((quarter, half), timedelta(hours=1), timedelta(days=1))


def test_letters_closings_and_times_are_read_in_every_language(book: Book) -> None:
    assert set(book.letters) == {"more", "still"}
    assert book.letters["more"] == Letter(
        {"fr": "Tell us more. fr", "sw_CD": "Tell us more. sw", "ln": "Tell us more. ln"}, ()
    )
    assert book.letters["still"].answers == (
        {"fr": "Yes fr", "sw_CD": "Yes sw", "ln": "Yes ln"},
        {"fr": "No fr", "sw_CD": "No sw", "ln": "No ln"},
    )
    assert book.closings == {"helped": {"fr": "Helped. fr", "sw_CD": "Helped. sw", "ln": "Helped. ln"}}
    assert book.kept == {"safety": 12, "community": 12, "integrity": 24, "child": 24, "quick": 6}
    assert book.roles.call_back == "idea"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{text: Tell us more.}", "{text: Tell us.}"),
        ("answers: yes no}", "answers: no yes}"),
        ("helped: Helped.", "helped: Help came."),
        ("quick: 6}", "quick: 7}"),
    ],
)
def test_the_digest_changes_with_a_letter_a_closing_and_a_time(old: str, new: str, shelf: "Shelf") -> None:
    first = shelf.load().digest
    shelf.change(old, new)
    shelf.translate_again()
    assert shelf.load().digest != first


def test_the_digest_changes_with_a_flow_and_with_a_translation(shelf: "Shelf") -> None:
    first = shelf.load().digest
    assert shelf.load().digest == first
    shelf.change("{hurt: one}", "{hurt: single}")
    shelf.change("{up: pit one}", "{up: pit single}")
    second = shelf.load().digest
    path = shelf.locales / "fr" / "LC_MESSAGES" / "phone.po"
    path.write_text(path.read_text().replace("Good day. fr", "Bonne nuit."))
    assert len({first, second, shelf.load().digest}) == 3


def test_an_unknown_charset_is_refused(shelf: "Shelf") -> None:
    with pytest.raises(ValueError, match="charset"):
        shelf.load("ucs2")


def test_a_book_cannot_be_changed(book: Book) -> None:
    tables = (book.screens, book.lines, book.tips, book.messages, book.topics, book.moves, book.names)
    assert all(isinstance(table, MappingProxyType) for table in tables)
    still = book.letters["still"]
    for table in (book.letters, book.closings, book.kept, still.text, *still.answers):
        assert isinstance(table, MappingProxyType)
    assert all(isinstance(screen.keys, MappingProxyType) for screen in book.screens.values())


def test_all_kinds_of_problems_are_said_together_in_the_order_of_the_files(shelf: "Shelf") -> None:
    shelf.change("  1: un moja one\n", "  1: un un1 deux\n")
    shelf.put("extra.yaml", "odd: {}\nscreens:\n  extra: {kind: end, text: Garçon.}\n")
    shelf.translate({"fr": lambda name, own: "" if name == "leave" else own.replace("ç", "c")})
    assert [problem.split(": ", 1)[1] for problem in shelf.problems()] == [
        "typed_for: deux stands for 1 and 2",
        "unknown section odd",
        'screen extra: phones have no "ç"; write "c"',
        "leave: not translated",
        'screen extra: phones have no "ç"; write "c"',
        'screen extra: phones have no "ç"; write "c"',
    ]
