"""The dialogue in `flows/` and `locales/`, walked whole: every screen, in every language, on every page."""

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count, permutations
from pathlib import Path

import pytest

from gateway.flows import Book, Known, Reply, Site, Turn, fold, load, render, write_message
from gateway.flows.definition import ANSWER_SEPTETS, ANSWERS, CONTACT, FIXED, LETTER
from gateway.text import check_digit, offenders, septets

ROOT = Path(__file__).parent.parent
CODE = "0000 0000 0000"
TYPED_CODE = f"12345678901{check_digit('12345678901')}"
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

WIDEST = {
    name: "W" * width for name, width in {**FIXED, **LETTER, **dict.fromkeys(ANSWERS, ANSWER_SEPTETS)}.items()
}
"""What the store may tell at most; beside it, a question that lists two answers only."""
TOLD = (WIDEST, {name: value for name, value in WIDEST.items() if name not in ANSWERS[2:]})


@dataclass(frozen=True)
class Step:
    """A way to a screen, what the store answered along it, and what stands there."""

    inputs: tuple[str, ...]
    known: Known
    turn: Turn
    shown: str


@pytest.fixture(scope="module")
def book() -> Book:
    return load(ROOT / "flows", ROOT / "locales")


@pytest.fixture(scope="module", params=WORLDS)
def steps(request: pytest.FixtureRequest, book: Book) -> list[Step]:
    """A shortest way to everything that can be seen: screen, language, page, line and what fills it."""
    return list(walk(book, WORLDS[request.param]))


def typed(book: Book, turn: Turn, known: Known) -> Iterator[tuple[str, ...]]:
    """Everything worth pressing on a screen."""
    screen = book.screens[turn.screen]
    keys = [*screen.keys, "", "x" * 30]
    if screen.check == "site_code":
        keys += [site.code for site in known.sites[:2]]
    elif screen.check == "code":
        keys.append(TYPED_CODE)
    elif screen.check == "number":
        keys.append("0990000000")
    elif screen.typed:
        keys += ["call 0990000000", "1"]
    yield from ((key,) for key in keys)
    if turn.line is None:
        yield ("", "", "")


def answered(book: Book, inputs: tuple[str, ...], known: Known) -> Iterator[tuple[Known, Turn]]:
    """Where inputs lead, once for every answer that the store may give."""
    turn = fold(book, inputs, known)
    if turn.question is None:
        yield known, turn
        return
    kind, upto = turn.question.kind, turn.question.upto
    screen = book.screens[turn.screen]
    actions = [*screen.keys.values(), *([screen.typed] if screen.typed else [])]
    for answer in next(action.answers for action in actions if action.ask == kind):
        for values in TOLD:
            yield from answered(book, inputs, known.answered(kind, upto, Reply(answer, values)))


def walk(book: Book, known: Known) -> Iterator[Step]:
    """Every state of the dialogue once, by the fewest keys."""
    number = count()
    todo: list[tuple[int, int, tuple[str, ...], Known]] = [(0, next(number), (), known)]
    seen = set()
    while todo:
        _, _, inputs, asked = heapq.heappop(todo)
        for told, turn in answered(book, inputs, asked):
            shown = render(book, turn, told, code=CODE)
            # What was answered before changes what is asked next, so the topic counts with what is shown; so does
            # whether a code was typed: what is done then is about its report. One end may follow several acts.
            before = (turn.facts.get("topic"), turn.facts.get("detail"), turn.code)
            last = turn.acts[-1].kind if turn.ends and turn.acts else None
            state = (turn.screen, turn.language, turn.line, shown, *before, last)
            if state in seen:
                continue
            seen.add(state)
            yield Step(inputs, told, turn, shown)
            if not turn.ends:
                for keys in typed(book, turn, told):
                    longer = (*inputs, *keys)
                    heapq.heappush(todo, (len(longer), next(number), longer, told))


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


def test_everything_shown_fits_a_basic_phone(steps: list[Step], book: Book) -> None:
    for step in steps:
        assert 0 < septets(step.shown) <= 160, step
        assert not offenders(step.shown), step
        assert "{" not in step.shown, step
        assert "  \n" not in step.shown and not step.shown.endswith((" ", "\n")), step


def test_folded_to_ascii_every_screen_is_as_long_as_before(steps: list[Step]) -> None:
    folded = load(ROOT / "flows", ROOT / "locales", charset="ascii")
    for step in steps:
        shown = render(folded, step.turn, step.known, code=CODE)
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


def test_a_walk_shows_the_same_twice(steps: list[Step], book: Book) -> None:
    for step in steps:
        turn = fold(book, step.inputs, step.known)
        assert turn == step.turn
        assert render(book, turn, step.known, code=CODE) == step.shown


def options(shown: str) -> set[str]:
    """The keys that a screen offers, as a reader sees them."""
    parts = [part.partition(" ") for line in shown.split("\n") for part in line.split("  ")]
    return {key for key, _, words in parts if key.isdigit() and len(key) <= 2 and words}


def test_every_key_that_is_shown_is_understood_and_no_other(steps: list[Step], book: Book) -> None:
    wrong = {book.roles.wrong_key, *(screen.wrong for screen in book.screens.values() if screen.wrong)}
    for step in steps:
        # A screen without a language shows no line, and the third wrong key leads home: both have a test.
        if step.turn.ends or step.turn.line or book.screens[step.turn.screen].one_text:
            continue
        kind = book.screens[step.turn.screen].kind
        understood = {
            key
            for key in (*map(str, range(1, 11)), "42")
            if fold(book, [*step.inputs, key], step.known).line not in wrong
        }
        if kind == "text":
            understood &= set(book.screens[step.turn.screen].keys)
        assert understood == options(step.shown) - set(EVERYWHERE), step


def test_from_every_screen_zero_home_and_leave_are_understood(steps: list[Step], book: Book) -> None:
    for step in steps:
        if step.turn.ends:
            continue
        for key in EVERYWHERE:
            turn = fold(book, [*step.inputs, key], step.known)
            assert turn.acts == step.turn.acts
            assert turn.line is None
            if key == "00":
                expected = book.roles.home if step.turn.language else book.roles.start
                assert (turn.screen, turn.facts) == (expected, {})
            elif key == "99":
                assert (turn.screen, turn.ends) == (book.roles.exit, True)


def test_zero_again_and_again_ends_at_the_start_or_at_what_was_done(steps: list[Step], book: Book) -> None:
    """Or at the harmless end, over a question: there 0 can only mean that it is not answered now."""
    rests = {"file": "arrived", "rate": "reopened"}
    for step in steps:
        if not step.turn.ends:
            turn = fold(book, [*step.inputs, *["0"] * (len(step.inputs) + 1)], step.known)
            expected = {book.roles.start, book.roles.home}
            expected |= {rests[act.kind] for act in step.turn.acts if act.kind in rests}
            if any(reply.answer == "question" for reply in step.known.replies.values()):
                expected.add(book.roles.exit)
            assert turn.screen in expected, step


def test_from_every_screen_keys_that_are_shown_lead_to_an_end(steps: list[Step], book: Book) -> None:
    onward: dict[tuple[str, str | None], set[tuple[str, str | None]]] = {}
    for step in steps:
        if not step.turn.ends:
            targets = onward.setdefault((step.turn.screen, step.turn.language), set())
            for key in options(step.shown) - {"99"}:
                for _, turn in answered(book, (*step.inputs, key), step.known):
                    targets.add((turn.screen, turn.language))
    ends = {(step.turn.screen, step.turn.language) for step in steps if step.turn.ends}
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


def test_the_fewest_keys_to_each_topic_file_a_report_about_it(steps: list[Step], book: Book) -> None:
    filed: dict[str, Step] = {}
    for step in steps:
        if step.turn.screen == "arrived" and step.turn.filed:
            filed.setdefault(step.turn.filed.facts["topic"], step)
    assert set(filed) == set(book.topics) - {book.roles.call_back}
    for topic, step in filed.items():
        assert len(step.inputs) <= 6
        assert step.turn.filed is not None
        assert book.severity(step.turn.filed.facts) == book.topics[topic].severity
        assert book.lane(step.turn.filed.facts) == book.topics[topic].lane
        assert ("site" in step.turn.facts) == (topic not in {"service_complaint", "question", "idea"})


def test_a_report_of_sexual_violence_or_of_a_child_itself_is_never_asked_for_words(
    steps: list[Step], book: Book
) -> None:
    for step in steps:
        if step.turn.facts.get("detail") in {"sexual", "self"} and step.turn.acts[-1].upto == len(step.inputs):
            inputs, turn = list(step.inputs), step.turn
            while not turn.ends:
                assert book.screens[turn.screen].kind != "text"
                inputs.append("7" if "7" in book.screens[turn.screen].keys else "1")
                turn = fold(book, inputs, step.known)


def test_no_screen_shows_a_code_before_there_is_one(steps: list[Step]) -> None:
    for step in steps:
        there_is = step.turn.filed or step.turn.code
        assert there_is or CODE not in step.shown or step.turn.screen == "done"


def test_whoever_asks_to_be_called_without_a_report_files_one_so_that_there_is_a_code(
    steps: list[Step], book: Book
) -> None:
    alone = [
        step
        for step in steps
        if step.turn.ends and [(act.kind, act.upto) for act in step.turn.acts] == [
            ("file", len(step.inputs)), ("consent", len(step.inputs))
        ]
    ]  # fmt: skip
    assert {step.turn.screen for step in alone} == {"call_agreed", "sms_agreed"}
    assert {step.turn.language for step in alone} == set(book.languages)
    assert book.roles.call_back in {step.turn.acts[0].facts["topic"] for step in alone}
    for step in alone:
        assert CODE in step.shown
        if step.turn.acts[0].facts["topic"] == book.roles.call_back:
            assert [answer.field for answer in step.turn.acts[0].answers] == ["topic"]


def test_only_a_consent_carries_how_somebody_can_be_reached(steps: list[Step]) -> None:
    for step in steps:
        for act in step.turn.acts:
            fields = {answer.field for answer in act.answers}
            assert fields <= set(CONTACT) if act.kind == "consent" else fields.isdisjoint(CONTACT), step


def test_whatever_is_done_is_done_to_a_report_that_was_filed_or_found(steps: list[Step]) -> None:
    by_code: set[str] = set()
    for step in steps:
        asked = step.turn.asked
        found = {each.upto for each in asked if step.known.replies[each.kind, each.upto].answer != "nothing"}
        filed = {act.upto for act in step.turn.acts if act.kind == "file"}
        for act in step.turn.acts:
            if act.kind == "file":
                assert act.about == act.upto
            assert act.about in found | filed, step
            if act.about in found:
                by_code.add(act.kind)
    assert by_code == {"letter", "add", "rate", "withdraw", "consent"}


def test_what_a_code_shows_names_neither_the_report_nor_the_code(book: Book) -> None:
    """Whoever finds the paper learns from it only that there is a report."""
    typed_code = book.screens["code"].typed
    assert typed_code is not None
    for name in (
        *typed_code.answers.values(),
        "withdraw",
        "withdraw_danger",
        "withdrawn",
        "withdrawal_asked",
        "taken",
        "answer",
    ):
        for form in book.screens[name].layouts.values():
            assert form.names.isdisjoint({"topic", "site", "code"}), name


@pytest.mark.parametrize("language", ["fr", "sw_CD", "ln"])
def test_whoever_agrees_to_an_sms_has_read_it_word_for_word(language: str, book: Book) -> None:
    told = fold(book, [LANGUAGE_KEYS[language], "4", "3"], WORLDS["no site"])
    assert told.screen == "sms_consent"
    shown = render(book, told, WORLDS["no site"])
    assert write_message(book, "reminder", language) in shown


@pytest.mark.parametrize("language", ["fr", "sw_CD", "ln"])
def test_messages_fit(language: str, book: Book) -> None:
    for name in book.messages:
        text = write_message(book, name, language, ref="482913", d="21/11", hh="14:30")
        assert septets(text) <= 160
        assert not offenders(text)


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
