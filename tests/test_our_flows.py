"""The dialogue in `flows/` and `locales/`, walked whole: every screen, in every language, on every page."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import pytest

from gateway.flows import Book, Known, Site, Turn, fold, load, render, write_message
from gateway.text import offenders, septets

ROOT = Path(__file__).parent.parent
CODE = "0000 0000 0000"
EVERYWHERE = ("0", "00", "99")
LANGUAGE_KEYS = {"fr": "2", "sw_CD": "3", "ln": "4"}
DANGER_KEYS = {"fr": "1", "sw_CD": "2", "ln": "3"}

WIDE = "W" * 40
ALL_NUMBERS = {"emg": WIDE, "child": WIDE, "gbv": WIDE}
WORLDS: Mapping[str, Known] = {
    "eleven sites, all numbers": Known(
        tuple(Site(900 + place, place, f"{place:03}", f"{WIDE}{place}") for place in range(1, 12)), ALL_NUMBERS, 0
    ),
    "a gap, no numbers": Known(
        tuple(Site(900 + place, place, f"{place:03}", WIDE) for place in (2, 3, 13)), {}, 1
    ),
    "one site, one number": Known((Site(901, 1, "001", WIDE),), {"gbv": WIDE}, 2),
    "no site": Known((), ALL_NUMBERS, 3),
}


@dataclass(frozen=True)
class Step:
    """A way to a screen, and what stands there."""

    inputs: tuple[str, ...]
    turn: Turn
    shown: str


@pytest.fixture(scope="module")
def book() -> Book:
    return load(ROOT / "flows", ROOT / "locales")


@pytest.fixture(scope="module", params=WORLDS)
def steps(request: pytest.FixtureRequest, book: Book) -> tuple[Known, list[Step]]:
    """A shortest way to everything that can be seen: screen, language, page, line and what fills it."""
    known = WORLDS[request.param]
    return known, list(walk(book, known))


def typed(book: Book, screen: str, known: Known) -> Iterator[str]:
    """Everything worth pressing on a screen."""
    yield from book.screens[screen].keys
    yield from ("", "x" * 30)
    if book.screens[screen].check == "site_code":
        yield from (site.code for site in known.sites[:2])
    elif book.screens[screen].typed:
        yield from ("call 0990000000", "1")


def walk(book: Book, known: Known) -> Iterator[Step]:
    """Every state of the dialogue once, by the fewest keys."""
    todo: deque[tuple[str, ...]] = deque([()])
    seen = set()
    while todo:
        inputs = todo.popleft()
        turn = fold(book, inputs, known)
        shown = render(book, turn, known, code=CODE)
        # What was answered before changes what is asked next, so the topic counts with what is shown.
        state = (turn.screen, turn.language, turn.line, shown, turn.facts.get("topic"), turn.facts.get("detail"))
        if state in seen:
            continue
        seen.add(state)
        yield Step(inputs, turn, shown)
        if not turn.ends:
            todo.extend((*inputs, key) for key in typed(book, turn.screen, known))


def test_every_screen_of_the_book_is_walked_in_every_language(book: Book) -> None:
    seen = {(step.turn.screen, step.turn.language) for step in walk(book, WORLDS["eleven sites, all numbers"])}
    roles = book.roles
    never = {roles.down, roles.not_arrived, roles.not_kept}
    for name, screen in book.screens.items():
        if name in never:
            continue
        if screen.one_text:
            assert name in {screen for screen, _ in seen}
        else:
            assert {(name, language) for language in book.languages} <= seen, name


def test_everything_shown_fits_a_basic_phone(steps: tuple[Known, list[Step]], book: Book) -> None:
    for step in steps[1]:
        assert 0 < septets(step.shown) <= 160, step
        assert not offenders(step.shown), step
        assert "{" not in step.shown, step
        assert "  \n" not in step.shown and not step.shown.endswith((" ", "\n")), step


def test_folded_to_ascii_every_screen_is_as_long_as_before(steps: tuple[Known, list[Step]]) -> None:
    known, walked = steps
    folded = load(ROOT / "flows", ROOT / "locales", charset="ascii")
    for step in walked:
        shown = render(folded, step.turn, known, code=CODE)
        assert shown.isascii(), step
        assert len(shown) == len(step.shown), step


def test_the_ends_nobody_chooses_fit_too(book: Book) -> None:
    for known in WORLDS.values():
        for inputs in ((), ("2",), ("3",), ("4",)):
            turn = fold(book, inputs, known)
            for end in (book.roles.down, book.roles.not_arrived, book.roles.not_kept):
                shown = render(book, turn.instead(end), known)
                assert 0 < septets(shown) <= 160
                assert not offenders(shown)


def test_a_walk_shows_the_same_twice(steps: tuple[Known, list[Step]], book: Book) -> None:
    known, walked = steps
    for step in walked:
        turn = fold(book, step.inputs, known)
        assert turn == step.turn
        assert render(book, turn, known, code=CODE) == step.shown


def options(shown: str) -> set[str]:
    """The keys that a screen offers, as a reader sees them."""
    parts = [part.partition(" ") for line in shown.split("\n") for part in line.split("  ")]
    return {key for key, _, words in parts if key.isdigit() and len(key) <= 2 and words}


def test_every_key_that_is_shown_is_understood_and_no_other(steps: tuple[Known, list[Step]], book: Book) -> None:
    known, walked = steps
    wrong = {book.roles.wrong_key, *(screen.wrong for screen in book.screens.values() if screen.wrong)}
    for step in walked:
        # A screen without a language shows no line, and the third wrong key leads home: both have a test.
        if step.turn.ends or step.turn.line or book.screens[step.turn.screen].one_text:
            continue
        kind = book.screens[step.turn.screen].kind
        understood = {
            key
            for key in (*map(str, range(1, 11)), "42")
            if fold(book, [*step.inputs, key], known).line not in wrong
        }
        if kind == "text":
            understood &= set(book.screens[step.turn.screen].keys)
        assert understood == options(step.shown) - set(EVERYWHERE), step


def test_from_every_screen_zero_home_and_leave_are_understood(steps: tuple[Known, list[Step]], book: Book) -> None:
    known, walked = steps
    for step in walked:
        if step.turn.ends:
            continue
        for key in EVERYWHERE:
            turn = fold(book, [*step.inputs, key], known)
            assert turn.acts == step.turn.acts
            assert turn.line is None
            if key == "00":
                expected = book.roles.home if step.turn.language else book.roles.start
                assert (turn.screen, turn.facts) == (expected, {})
            elif key == "99":
                assert (turn.screen, turn.ends) == (book.roles.exit, True)


def test_zero_again_and_again_ends_at_the_start_or_at_the_report(
    steps: tuple[Known, list[Step]], book: Book
) -> None:
    known, walked = steps
    for step in walked:
        if not step.turn.ends:
            turn = fold(book, [*step.inputs, *["0"] * (len(step.inputs) + 1)], known)
            first = {book.roles.start, book.roles.home}
            assert turn.screen in ({"arrived"} | first if step.turn.acts else first), step


def test_from_every_screen_keys_that_are_shown_lead_to_an_end(steps: tuple[Known, list[Step]], book: Book) -> None:
    known, walked = steps
    onward: dict[tuple[str, str | None], set[tuple[str, str | None]]] = {}
    for step in walked:
        if not step.turn.ends:
            targets = onward.setdefault((step.turn.screen, step.turn.language), set())
            for key in options(step.shown) - {"99"}:
                turn = fold(book, [*step.inputs, key], known)
                targets.add((turn.screen, turn.language))
    ends = {(step.turn.screen, step.turn.language) for step in walked if step.turn.ends}
    while more := {here for here, targets in onward.items() if here not in ends and targets & ends}:
        ends |= more
    assert set(onward) - ends == set()


@pytest.mark.parametrize("language", ["fr", "sw_CD", "ln"])
@pytest.mark.parametrize("danger", ["1", "2", "3", "4", "5"])
def test_an_urgent_report_is_safe_after_six_screens_at_most(language: str, danger: str, book: Book) -> None:
    for known in WORLDS.values():
        place = "7" if not known.by_place else "1" if 1 in known.by_place else "2"
        for start in (("1", DANGER_KEYS[language]), (LANGUAGE_KEYS[language], "1")):
            inputs = (*start, danger, place, "1")
            screens = [fold(book, inputs[:length], known).screen for length in range(len(inputs) + 1)]
            turn = fold(book, inputs, known)
            assert len(screens) <= 6
            assert (turn.screen, turn.language) == ("arrived", language)
            assert [act.kind for act in turn.acts] == ["file"]
            assert book.severity(turn.acts[0].facts) == "P0"
            assert CODE in render(book, turn, known, code=CODE)


def test_the_fewest_keys_to_each_topic_file_a_report_about_it(steps: tuple[Known, list[Step]], book: Book) -> None:
    filed: dict[str, Step] = {}
    for step in steps[1]:
        if step.turn.screen == "arrived" and step.turn.filed:
            filed.setdefault(step.turn.filed.facts["topic"], step)
    assert set(filed) == set(book.topics)
    for topic, step in filed.items():
        assert len(step.inputs) <= 6
        assert step.turn.filed is not None
        assert book.severity(step.turn.filed.facts) == book.topics[topic].severity
        assert book.lane(step.turn.filed.facts) == book.topics[topic].lane
        assert ("site" in step.turn.facts) == (topic not in {"service_complaint", "question", "idea"})


def test_a_report_of_sexual_violence_or_of_a_child_itself_is_never_asked_for_words(
    steps: tuple[Known, list[Step]], book: Book
) -> None:
    for step in steps[1]:
        if step.turn.facts.get("detail") in {"sexual", "self"} and step.turn.acts[-1].upto == len(step.inputs):
            known, inputs = steps[0], list(step.inputs)
            turn = step.turn
            while not turn.ends:
                assert book.screens[turn.screen].kind != "text"
                inputs.append("7" if "7" in book.screens[turn.screen].keys else "1")
                turn = fold(book, inputs, known)


def test_no_screen_shows_a_code_before_a_report_was_filed(steps: tuple[Known, list[Step]]) -> None:
    for step in steps[1]:
        assert step.turn.filed or CODE not in step.shown or step.turn.screen == "done"


@pytest.mark.parametrize("language", ["fr", "sw_CD", "ln"])
def test_messages_fit_and_name_nothing(language: str, book: Book) -> None:
    for name in book.messages:
        text = write_message(book, name, language, ref="482913", d="21/11", hh="14:30")
        assert septets(text) <= 160
        assert not offenders(text)
        for topic in book.topics.values():
            assert topic.name.lower() not in text.lower()


def test_every_value_that_can_be_set_has_a_name_for_the_pages(book: Book) -> None:
    for field, value in sorted(book.settable):
        assert field in book.names
        assert value in (book.topics if field == "topic" else book.names)


def test_a_value_means_the_same_wherever_it_is_set(book: Book) -> None:
    fields: dict[str, set[str]] = {}
    for field, value in book.settable:
        fields.setdefault(value, set()).add(field)
    assert {value: found for value, found in fields.items() if len(found) > 1} == {}


@pytest.mark.parametrize("opening", ["danger", "category"])
def test_whoever_corrects_before_sending_files_what_they_chose_last(book: Book, opening: str) -> None:
    """Any topic, any site, changed once or twice, or with a look back in between."""
    known = Known(tuple(Site(place, place, f"{100 + place}", f"S{place}") for place in range(1, 6)), {}, 0)
    choices = {key: action.value for key, action in book.screens[opening].keys.items() if action.to == "site"}
    keys = ["2", "1"] if opening == "danger" else ["2", "2"]

    def filed(*pressed: str) -> list[str]:
        act = fold(book, [*keys, *pressed], known).filed
        return [answer.value for answer in act.answers] if act else []

    for first, last in permutations(choices, 2):
        assert filed(first, "1", "2", last, "3", "1") == [choices[last], "3"]
        assert filed(first, "1", "2", last, "2", "2", first, "5", "1") == [choices[first], "5"]
        assert filed(first, "1", "2", last, "4", "0", "2", "1") == [choices[last], "2"]
        assert filed(first, "1", "2", "0", "1") == [choices[first], "1"]
