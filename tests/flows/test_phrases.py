"""Texts that phones can show, in every language."""

from typing import TYPE_CHECKING

import pytest

from gateway.flows import Book

if TYPE_CHECKING:
    from tests.flows.conftest import Shelf


def test_texts_must_fit_a_phone_and_say_what_the_keys_do(shelf: "Shelf") -> None:
    shelf.refuses("texts")


def test_a_missing_catalogue_is_said_once(shelf: "Shelf") -> None:
    shelf.translate()
    (shelf.locales / "ln" / "LC_MESSAGES" / "phone.po").unlink()
    assert shelf.problems() == ["phone.po:1: no catalogue here"]


def test_a_broken_catalogue_is_reported_with_its_line(shelf: "Shelf") -> None:
    shelf.translate()
    path = shelf.locales / "ln" / "LC_MESSAGES" / "phone.po"
    path.write_text(path.read_text() + '\nmsgid "open\n')
    lines = len(path.read_text().splitlines())
    assert shelf.problems()[0].startswith(f"phone.po:{lines}: ")


@pytest.mark.parametrize(
    ("context", "translation", "problem"),
    [
        ("home", "", "home: not translated"),
        ("numbers", "Danger: {emg}\n0 Rudi", "screen numbers: the placeholder {child} stands here 0 times"),
        ("thanks", "{code} {code}", "screen thanks: the placeholder {code} stands here 2 times"),
        ("thanks", "{code} {koda}", "screen thanks: the placeholder {koda} stands here 1 times"),
        ("calm", "Pole {child}.\n2 Endelea", "screen calm: key 1 is not offered"),
        ("calm", "Pole {child}.\n2 Endelea", "screen calm: key 2 is offered and leads nowhere"),
        ("leave", "Adieu, garçon.", 'screen leave: phones have no "ç"; write "c"'),
        ("leave", "x" * 161, "screen leave: 161 septets, at most 160 fit"),
        ("leave", "{" * 90, "screen leave: a brace that is no placeholder"),
        # The longest topic is "the service sw", and "other place sw" is longer than the name of a site may be.
        ("sure_no_place", "x" * 137 + " {topic}.\n1 A\n2 B", "screen sure_no_place: 161 septets"),
        ("sure", "{topic}, {site}." + "x" * 112 + "{emg}\n1 A\n2 B", "screen sure: 161 septets"),
        ("one", "x" * 111, "tip one: 111 septets, at most 110 fit"),
        ("more", "x" * 91, "letter more: 91 septets, at most 90 fit"),
        ("still", "x" * 49, "letter still: 49 septets, at most 48 fit"),
        ("still", "Bado {ref}?", "letter still: the placeholder {ref} stands here 1 times, 0 in the source"),
        ("yes", "x" * 13, "line yes, an answer: 13 septets, at most 12 fit"),
        ("helped", "x" * 61, "closing helped: 61 septets, at most 60 fit"),
        ("alert", "{ref} {d}", "message alert: the placeholder {hh} stands here 0 times"),
    ],
)
def test_a_translation_must_do_what_its_source_does(
    context: str, translation: str, problem: str, shelf: "Shelf"
) -> None:
    shelf.translate({"sw_CD": lambda name, own: translation if name == context else own})
    found = shelf.problems()
    lines = (shelf.locales / "sw_CD" / "LC_MESSAGES" / "phone.po").read_text().splitlines()
    line = lines.index(f'msgctxt "{context}"') + 2
    assert [each for each in found if problem in each and each.startswith(f"phone.po:{line}: ")], found


def test_a_fuzzy_translation_is_refused(shelf: "Shelf") -> None:
    shelf.translate()
    path = shelf.locales / "fr" / "LC_MESSAGES" / "phone.po"
    text = path.read_text()
    path.write_text(text.replace('msgctxt "leave"', '#, fuzzy\nmsgctxt "leave"'))
    line = path.read_text().splitlines().index('msgctxt "leave"') + 2
    assert shelf.problems() == [f"phone.po:{line}: leave: marked fuzzy"]


def test_a_changed_source_points_to_the_translation_of_the_old_one(shelf: "Shelf") -> None:
    shelf.translate()
    shelf.change("text: Good day.", "text: Good night.")
    texts = {problem.split(": ", 1)[1] for problem in shelf.problems()}
    assert texts == {"leave: translated from another text"}
    assert len(shelf.problems()) == 3


def test_a_new_source_is_not_translated_in_any_language(shelf: "Shelf") -> None:
    shelf.translate()
    shelf.change("other_place: other place\n", "other_place: other place\n  new: New.\n")
    assert shelf.problems() == ["phone.po:1: new: not translated"] * 3


def test_a_text_that_is_the_same_everywhere_needs_no_translation(book: Book) -> None:
    texts = {form.fixed for form in book.screens["lang"].layouts.values()}
    assert texts == {"Info\n1 Francais\n2 Kiswahili\n3 Danger"}
