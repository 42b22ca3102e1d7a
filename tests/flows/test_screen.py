"""Turns as a phone shows them."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gateway.flows import Book, Known, Reply, Site, fold, render, write_message
from gateway.flows.screen import pieces
from gateway.text import check_digit, septets

if TYPE_CHECKING:
    from tests.flows.conftest import Shelf

SURE = ("1", "1", "1", "1")


def shown(book: Book, known: Known, *inputs: str, code: str | None = None) -> str:
    return render(book, fold(book, inputs, known), known, code=code)


def test_a_screen_is_shown_in_the_language_chosen(book: Book, known: Known) -> None:
    assert shown(book, known) == "Info\n1 Francais\n2 Kiswahili\n3 Danger"
    assert shown(book, known, "1", "1") == "What? fr\n1 Pit fr\n2 Idea fr\n3 Us fr\n0 Back fr"
    assert shown(book, known, "2", "1").startswith("What? sw\n")


def test_an_end_before_a_language_is_chosen_is_french(book: Book, known: Known) -> None:
    assert shown(book, known, "99") == "Good day. fr"


def test_sites_without_a_place_and_more_without_pages_are_left_out(book: Book, known: Known) -> None:
    first = "Where? fr\n1 Site 1 fr\n2 Site 2 fr\n3 Site 3 fr\n5 Site 5 fr\n6 Code fr\n7 Elsewhere fr\n"
    assert shown(book, known, "1", "1", "1") == f"{first}9 More  0 Back fr"
    second = "Where? fr\n1 Site 6 fr\n2 Site 7 fr\n6 Code fr\n7 Elsewhere fr\n9 More  0 Back fr"
    assert shown(book, known, "1", "1", "1", "9") == second
    none = replace(known, sites=())
    assert shown(book, none, "1", "1", "1") == "Where? fr\n6 Code fr\n7 Elsewhere fr\n0 Back fr"


def test_a_sentence_without_its_number_is_left_out_and_the_rest_stands(book: Book, known: Known) -> None:
    keys = "\n1 SEND fr\n2 Change fr\n0 Back fr"
    assert shown(book, known, *SURE) == f"Pit fr, Site 1. Call 112. Sure? fr{keys}"
    assert shown(book, replace(known, numbers={}), *SURE) == f"Pit fr, Site 1. Sure? fr{keys}"
    calm = (*SURE, "1", "1", "3")
    assert shown(book, known, *calm) == "Be calm. Breathe. fr\n1 Go on fr"
    full = replace(known, numbers={"child": "117"})
    assert shown(book, full, *calm) == "Be calm. Call 117. Breathe. fr\n1 Go on fr"


def test_a_line_without_its_number_is_left_out(book: Book, known: Known) -> None:
    assert shown(book, known, "1", "6") == "Danger: 112 fr\n0 Back fr"


def test_an_option_that_leads_nowhere_is_left_out(book: Book, known: Known) -> None:
    assert "6 Numbers" in shown(book, known, "1")
    assert "6 Numbers" not in shown(book, replace(known, numbers={}), "1")


def test_the_code_is_shown_only_when_it_is_given(book: Book, known: Known) -> None:
    end = (*SURE, "1", "3")
    assert shown(book, known, *end, code="1234 5678 9012") == "Thank you. Code 1234 5678 9012. Bye. fr"
    assert shown(book, known, *end) == "Thank you. Bye. fr"


def test_there_is_a_new_tip_every_day_and_more_shows_the_next(book: Book, known: Known) -> None:
    tips = [shown(book, replace(known, day=day), "1", "5").split("\n")[0] for day in range(3)]
    assert tips == ["Drink. fr fr", "Eat. fr fr", "Sleep. fr fr"]
    assert shown(book, replace(known, day=2), "1", "5", "9").startswith("Drink.")
    assert shown(book, replace(known, day=2), "1", "5", "9", "9").startswith("Eat.")


def test_a_wrong_key_puts_a_line_above_the_screen(book: Book, known: Known) -> None:
    assert shown(book, known, "1", "1", "x").startswith("Wrong key. fr\nWhat? fr\n")
    assert shown(book, known, "1", "2", "5").startswith("Badly written. fr\nYour code. fr\n")
    assert shown(book, known, "x") == shown(book, known)


def test_a_line_that_does_not_fit_is_left_out(shelf: "Shelf", known: Known) -> None:
    shelf.change("      Three digits.\n", f"      {'x' * 114}.\n")
    book = shelf.load()
    plain = shown(book, known, "1", "1", "1", "6")
    assert septets(plain) == 147
    assert shown(book, known, "1", "1", "1", "6", "x") == plain
    shelf.change("x" * 114, "x" * 113)
    shelf.translate_again()
    book = shelf.load()
    assert septets(shown(book, known, "1", "1", "1", "6", "x")) == 160


def test_values_of_a_reply_are_shown_in_letters_that_phones_have(book: Book, known: Known) -> None:
    code = f"12345678901{check_digit('12345678901')}"
    known = known.answered("code", 3, Reply("letter", {"d": "“21”\n/11", "hh": "14:30"}))
    assert shown(book, known, "1", "2", code).startswith('Since "21" /11 14:30: fr')


def test_names_are_cut_to_their_place(book: Book, known: Known) -> None:
    sites = (Site(1, 1, "101", "Ñgoma  œuvre\n2 Fausse ligne"),)
    assert "1 Ñgoma oeuvre fr" in shown(book, replace(known, sites=sites), "1", "1", "1")


def test_nothing_is_ever_longer_than_a_screen(book: Book, known: Known) -> None:
    turn = fold(book, [*SURE, "1"], known)
    assert septets(render(book, turn, known, code="x" * 300)) == 160
    assert septets(render(book, turn, known, code="{" * 300)) == 159


def test_in_ascii_every_accent_is_folded(shelf: "Shelf", known: Known) -> None:
    shelf.translate({"fr": lambda _, own: f"{own} é"})
    book = shelf.load("ascii")
    sites = (Site(1, 1, "101", "Éà"),)
    known = replace(known, sites=sites)
    for inputs in ((), ("1",), ("1", "x"), ("1", "1", "1"), SURE, (*SURE, "1")):
        assert shown(book, known, *inputs, code="1").isascii()
    assert "Ea" in shown(book, known, "1", "1", "1")
    assert shelf.load().digest == book.digest


def test_a_message_always_has_the_same_length(book: Book) -> None:
    assert write_message(book, "alert", "fr", ref="123456", d="21/11", hh="14:30") == (
        "123456 before 21/11 14:30. fr"
    )
    other = write_message(book, "alert", "sw_CD", ref="000000", d="01/01", hh="00:00")
    assert other == "000000 before 01/01 00:00. sw"


def test_a_message_in_a_language_phones_do_not_have_is_french(book: Book) -> None:
    for language in ("en", None, ""):
        assert write_message(book, "alert", language, ref="1" * 6, d="21/11", hh="14:30").endswith("fr")


@pytest.mark.parametrize("values", [{}, {"ref": "1", "d": "21/11", "hh": "14:30"}])
def test_a_message_refuses_values_of_another_length(values: dict[str, str], book: Book) -> None:
    with pytest.raises(ValueError, match="ref needs 6 septets"):
        write_message(book, "alert", "fr", **values)


def test_a_text_is_taken_apart_into_options_and_sentences() -> None:
    text = "In 3 days. Call {emg}. Go?\n1 One  22 Two {s1}  Three\n333 Four\n5"
    parts = [[(piece.text, piece.key, piece.names) for piece in line] for line in pieces(text)]
    assert parts == [
        [("In 3 days.", None, ()), ("Call {emg}.", None, ("emg",)), ("Go?", None, ())],
        [("1 One", "1", ()), ("22 Two {s1}", "22", ("s1",)), ("Three", None, ())],
        [("333 Four", None, ())],
        [("5", None, ())],
    ]
