"""What the values of the phone side promise by themselves."""

from dataclasses import replace

import pytest

from gateway.flows import Act, Answer, Book, Known, Problem, Question, Reply, Site, Turn


@pytest.mark.parametrize(
    ("facts", "severity"),
    [
        ({"topic": "pit"}, "P2"),
        ({"topic": "idea"}, "P3"),
        ({"topic": "us"}, "P1"),
        ({"topic": "pit", "hurt": "many"}, "P1"),
        ({"topic": "pit", "hurt": "self"}, "P0"),
        ({"topic": "us", "hurt": "many"}, "P1"),
        ({"topic": "pit", "when": "now"}, "P1"),
        ({"topic": "pit", "when": "before"}, "P2"),
        ({"topic": "idea", "when": "now"}, "P3"),
        ({"topic": "idea", "hurt": "one", "when": "now"}, "P2"),
        ({"topic": "pit", "hurt": "many", "when": "now"}, "P0"),
        ({"topic": "pit", "hurt": "self", "when": "now"}, "P0"),
    ],
)
def test_later_answers_raise_a_severity_and_never_lower_it(
    facts: dict[str, str], severity: str, book: Book
) -> None:
    assert book.severity(facts) == severity


def test_what_was_typed_is_never_taken_for_a_value(book: Book) -> None:
    assert book.severity({"topic": "pit", "text": "self"}) == "P2"
    assert book.lane({"topic": "pit", "text": "self"}) == "safety"


@pytest.mark.parametrize(
    ("facts", "lane"),
    [
        ({"topic": "pit"}, "safety"),
        ({"topic": "us"}, "integrity"),
        ({"topic": "pit", "hurt": "self"}, "child"),
        ({"topic": "pit", "when": "now"}, "quick"),
        ({"topic": "pit", "when": "now", "hurt": "self"}, "child"),
    ],
)
def test_the_first_move_of_the_book_decides_the_lane(facts: dict[str, str], lane: str, book: Book) -> None:
    assert book.lane(facts) == lane


def test_without_a_topic_there_is_no_severity_and_no_lane(book: Book) -> None:
    with pytest.raises(KeyError):
        book.severity({})
    with pytest.raises(KeyError):
        book.lane({"hurt": "many"})


def test_pages_are_counted_from_the_highest_place(known: Known) -> None:
    assert known.pages == 2
    assert replace(known, sites=()).pages == 1
    assert replace(known, sites=(Site(1, 5, "101", "A"),)).pages == 1
    assert replace(known, sites=(Site(1, 16, "101", "A"),)).pages == 4


@pytest.mark.parametrize("places", [(1, 1), (0, 1), (-4,)])
def test_every_site_needs_a_place_of_its_own(places: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="place of its own"):
        Known(tuple(Site(number, place, "101", "A") for number, place in enumerate(places)), {}, 0)


def test_a_reply_is_added_without_changing_what_was_known(known: Known) -> None:
    told = known.answered("code", 3, Reply("none"))
    again = told.answered("code", 5, Reply("letter"))
    assert known.replies == {}
    assert set(again.replies) == {("code", 3), ("code", 5)}
    assert (again.by_place, again.pages) == (known.by_place, known.pages)
    assert replace(known, replies=told.replies) == told


def test_numbers_are_cut_and_empty_ones_are_none() -> None:
    assert Known((), {"emg": "112", "gbv": " ", "child": "0" * 20}, 0).shown_numbers == {
        "emg": "112",
        "child": "0" * 10,
    }


def test_nothing_that_a_caller_said_is_in_a_repr() -> None:
    secret = "zebra"
    answer = Answer("words", "text", secret, secret)
    act = Act("add", 3, (answer,), {"text": secret}, 2)
    question = Question("code", 3, secret, 0)
    turn = Turn("words", "fr", None, 0, False, {"topic": secret}, (act,), question, {"text": secret})
    known = Known((), {}, 0, replies={("code", 3): Reply("letter", {"d": secret})})
    for value in (answer, act, question, turn, known, known.replies["code", 3]):
        assert secret not in repr(value)


def test_the_last_report_filed_counts() -> None:
    first, second = (Act("file", upto, (), {}, upto) for upto in (3, 9))
    added = Act("add", 4, (), {}, 3)
    turn = Turn("home", "fr", None, 0, False, {}, (first, added, second), None, {})
    assert turn.filed is second
    assert replace(turn, acts=(added,)).filed is None


def test_a_problem_reads_like_a_place_and_a_sentence() -> None:
    assert str(Problem("flows/a.yaml", 7, "wrong")) == "flows/a.yaml:7: wrong"
