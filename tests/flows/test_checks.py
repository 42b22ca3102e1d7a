"""Books that make no sense, with everything that is wrong with them."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.flows.conftest import Shelf


def test_unknown_words_are_refused(shelf: "Shelf") -> None:
    shelf.refuses("words")


def test_ways_must_lead_somewhere(shelf: "Shelf") -> None:
    shelf.refuses("targets")


def test_a_screen_holds_what_its_kind_needs(shelf: "Shelf") -> None:
    shelf.refuses("kinds")


def test_tables_speak_of_what_there_is(shelf: "Shelf") -> None:
    shelf.refuses("tables")


def test_letters_and_what_a_code_shows_fit_their_screens(shelf: "Shelf") -> None:
    shelf.refuses("letters")


def test_how_long_reports_of_a_lane_are_kept_must_be_said(shelf: "Shelf") -> None:
    shelf.change("child: 24, quick: 6}", "child: 24}")
    assert [problem.split(": ", 1)[1] for problem in shelf.problems()] == ["kept: lane quick is missing"]


def test_every_path_must_end(shelf: "Shelf") -> None:
    shelf.refuses("loops")


@pytest.mark.parametrize(
    ("role", "value", "problem"),
    [
        ("start: lang", "", "book: start is missing"),
        ("home: home", "home: nowhere", "unknown screen for home: nowhere"),
        ("wrong_key: wrong_key", "wrong_key: home", "unknown line for wrong_key: home"),
        ("exit: leave", "exit: home", "book: exit needs an end, home"),
        ("stuck: stuck", "stuck: leave", "book: stuck needs no end, leave"),
        ("call_back: idea", "call_back: home", "unknown topic for call_back: home"),
        ("call_back: idea", "", "book: call_back is missing"),
        ("done: thanks", "done: thanks\n  best: home", "book: unknown key best"),
    ],
)
def test_a_book_needs_every_role_and_no_other(role: str, value: str, problem: str, shelf: "Shelf") -> None:
    shelf.change(f"  {role}\n", f"  {value}\n")
    assert problem in [found.split(": ", 1)[1] for found in shelf.problems()]
