"""Free words: whatever is typed on a screen for them, and nothing else, is kept."""

import pytest

from gateway.flows import Book, Known, Turn, fold

TO_WORDS = ("1", "1", "1", "1", "1", "1", "7", "7")
"""In the small book: a report about the pit, its details skipped up to the words."""


def kinds(turn: Turn) -> list[tuple[str, int]]:
    return [(act.kind, act.upto) for act in turn.acts]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (["the roof fell"], "the roof fell"),
        (["  the \n roof  fell "], "the roof fell"),
        (["two", "three"], "two*three"),
        (["two", "", "three"], "two**three"),
        (["7", "people"], "7*people"),
        (["99", "metres"], "99*metres"),
        (["7people"], "7people"),
        (["07"], "07"),
        (["un"], "un"),
        (["8"], "8"),
        (["éboulement, garçon 😀"], "éboulement, garçon 😀"),
    ],
)
def test_free_words_are_all_that_follows(typed: list[str], kept: str, book: Book, known: Known) -> None:
    turn = fold(book, [*TO_WORDS, *typed], known)
    assert (turn.screen, turn.line) == ("thanks", None)
    assert kinds(turn)[-1] == ("add", len(TO_WORDS) + len(typed))
    assert [(answer.value, answer.words) for answer in turn.acts[-1].answers] == [(kept, kept)]
    assert kept not in repr(turn)


@pytest.mark.parametrize(
    ("typed", "screen"),
    [(["7"], "thanks"), (["0"], "when"), (["00"], "home"), (["99"], "leave"), (["0", "0"], "hurt")],
)
def test_keys_on_a_screen_for_words_are_keys(typed: list[str], screen: str, book: Book, known: Known) -> None:
    turn = fold(book, [*TO_WORDS, *typed], known)
    assert turn.screen == screen
    assert kinds(turn) == [("file", 5)]


@pytest.mark.parametrize("typed", ["", " ", "\n", "\u200b"])
def test_no_words_are_a_wrong_key(typed: str, book: Book, known: Known) -> None:
    turn = fold(book, [*TO_WORDS, typed], known)
    assert (turn.screen, turn.line) == ("words", "wrong_key")
    assert fold(book, [*TO_WORDS, typed, "help"], known).facts["text"] == "help"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("call 0991234567 now", "call [...] now"),
        ("call +243 99 123-45.67!", "call +[...]!"),
        ("a 0991234 b 0997654321", "a [...] b [...]"),
        ("٠٩٩١٢٣٤", "[...]"),
    ],
)
def test_a_number_is_taken_out_and_the_end_says_so(typed: str, kept: str, book: Book, known: Known) -> None:
    turn = fold(book, [*TO_WORDS, typed], known)
    assert turn.facts["text"] == kept
    assert (turn.screen, turn.line) == ("thanks", "number_removed")


def test_a_short_number_stays(book: Book, known: Known) -> None:
    turn = fold(book, [*TO_WORDS, "123456 men, 12 m, 20 days"], known)
    assert (turn.facts["text"], turn.line) == ("123456 men, 12 m, 20 days", None)


def test_words_are_cut_after_numbers_were_taken_out(book: Book, known: Known) -> None:
    long = "x" * 476 + " 0991234567"
    kept = fold(book, [*TO_WORDS, long], known).facts["text"]
    assert kept == "x" * 476 + " [.."
    assert len(fold(book, [*TO_WORDS, "x" * 9000], known).facts["text"]) == 480
