"""What a list of key presses leads to. The book is `small/`: 3 on `lang` is danger in Lingala, 1 is French."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gateway.flows import Act, Book, Known, Question, Reply, Turn, fold, render
from gateway.text import check_digit

if TYPE_CHECKING:
    from tests.flows.conftest import Shelf

CODE = "12345678901" + check_digit("12345678901")
FILED = ("1", "1", "1", "1", "1")
"""In French: a report, about the pit, at the first site, sent."""


def at(book: Book, known: Known, *inputs: str) -> str:
    """The screen that inputs lead to."""
    return fold(book, inputs, known).screen


def kinds(turn: Turn) -> list[tuple[str, int]]:
    return [(act.kind, act.upto) for act in turn.acts]


def words(act: Act) -> list[tuple[str, str, str]]:
    return [(answer.field, answer.value, answer.words) for answer in act.answers]


@pytest.mark.parametrize(
    ("inputs", "screen"),
    [
        ("", "lang"),
        ("1", "home"),
        ("3", "what"),
        ("1 1", "what"),
        ("1 1 1", "site"),
        ("1 1 1 1", "sure"),
        ("1 1 1 6", "site_code"),
        ("1 1 1 6 7", "sure"),
        ("1 1 2", "sure_no_place"),
        ("1 1 1 1 1", "arrived"),
        ("1 1 1 1 1 3", "thanks"),
        ("1 1 1 1 1 1", "hurt"),
        ("1 1 1 1 1 1 1", "when"),
        ("1 1 1 1 1 1 3", "calm"),
        ("1 1 1 1 1 1 3 1", "when"),
        ("1 1 1 1 1 1 3 1 1", "thanks"),
        ("1 1 1 1 1 1 7 7", "words"),
        ("1 1 1 1 1 1 7 7 7", "thanks"),
        ("1 1 2 1 1", "words"),
        ("1 1 3 1 1", "when"),
        ("1 8", "lang"),
        ("1 8 2", "home"),
    ],
)
def test_keys_lead_from_screen_to_screen(inputs: str, screen: str, book: Book, known: Known) -> None:
    assert at(book, known, *inputs.split()) == screen


def test_the_language_is_what_was_chosen_last(book: Book, known: Known) -> None:
    assert fold(book, [], known).language is None
    assert fold(book, ["1"], known).language == "fr"
    assert fold(book, ["1", "8", "2"], known).language == "sw_CD"
    assert fold(book, ["1", "8", "2", "0", "0"], known).language == "fr"


@pytest.mark.parametrize(
    ("inputs", "screen"),
    [
        ("0", "lang"),
        ("1 0", "lang"),
        ("1 1 0", "home"),
        ("1 1 1 1 0 0", "what"),
        ("1 1 1 1 0 0 0 0 0 0", "lang"),
        ("1 3 1 0 4", "home"),
        ("1 3 4", "home"),
        ("1 1 1 1 2", "what"),
        ("1 1 1 1 2 0", "sure"),
    ],
)
def test_zero_leads_back_along_the_path(inputs: str, screen: str, book: Book, known: Known) -> None:
    turn = fold(book, inputs.split(), known)
    assert turn.screen == screen
    assert not turn.acts


def test_zero_at_the_start_is_no_mistake(book: Book, known: Known) -> None:
    assert fold(book, ["0", "0", "0"], known) == fold(book, [], known)


def test_zero_never_leads_back_over_a_report_that_was_sent(book: Book, known: Known) -> None:
    turn = fold(book, [*FILED, "0"], known)
    assert (turn.screen, turn.line, kinds(turn)) == ("arrived", None, [("file", 5)])
    assert at(book, known, *FILED, "1", "0", "0") == "arrived"


def test_an_act_stands_whatever_is_pressed_later(book: Book, known: Known) -> None:
    filed = fold(book, FILED, known).acts
    for later in ("0", "00", "99", "x", "1", "2", "3"):
        assert fold(book, [*FILED, later], known).acts[:1] == filed


def test_a_report_is_filed_with_all_its_answers_in_the_language_of_the_caller(book: Book, known: Known) -> None:
    turn = fold(book, FILED, known)
    act = turn.acts[0]
    assert (act.kind, act.upto) == ("file", 5)
    assert words(act) == [("topic", "pit", "Pit fr"), ("site", "41", "Site 1")]
    assert act.facts == {"topic": "pit", "site": "41"} == turn.facts
    assert turn.filed is act


def test_a_label_and_an_unnamed_place_stand_in_words(book: Book, known: Known) -> None:
    assert words(fold(book, ["2", "1", "3", "1"], known).acts[0]) == [("topic", "us", "the service sw")]
    turn = fold(book, ["2", "1", "1", "7"], known)
    assert turn.facts["site"] == "unknown"
    assert turn.values == {"topic": "Pit sw", "site": "other place sw"}
    filed = fold(book, ["2", "1", "1", "7", "1"], known).acts[0]
    assert words(filed)[1] == ("site", "unknown", "Elsewhere sw")


def test_each_detail_is_one_addition(book: Book, known: Known) -> None:
    turn = fold(book, [*FILED, "1", "2", "1"], known)
    assert kinds(turn) == [("file", 5), ("add", 7), ("add", 8)]
    assert words(turn.acts[1]) == [("hurt", "many", "Many fr")]
    assert words(turn.acts[2]) == [("when", "now", "Now fr")]
    assert turn.acts[2].facts == {"topic": "pit", "site": "41", "hurt": "many", "when": "now"}


def test_a_detail_that_is_skipped_adds_nothing(book: Book, known: Known) -> None:
    assert kinds(fold(book, [*FILED, "1", "7", "7"], known)) == [("file", 5)]


def test_a_detail_answered_again_is_one_addition_more_and_the_row_goes_on(book: Book, known: Known) -> None:
    turn = fold(book, [*FILED, "1", "1", "0", "2"], known)
    assert turn.screen == "when"
    assert kinds(turn) == [("file", 5), ("add", 7), ("add", 9)]
    assert turn.facts["hurt"] == "many"
    assert at(book, known, *FILED, "1", "1", "0", "2", "7") == "words"


def test_what_was_added_is_not_forgotten_by_going_back_and_skipping(book: Book, known: Known) -> None:
    turn = fold(book, [*FILED, "1", "3", "0", "7"], known)
    assert turn.screen == "when"
    assert turn.facts["hurt"] == "self"
    assert fold(book, [*FILED, "1", "3", "0", "7", "1"], known).acts[-1].facts["hurt"] == "self"


def test_a_row_of_its_own_replaces_the_rest(book: Book, known: Known) -> None:
    assert at(book, known, *FILED, "1", "3", "1", "7") == "thanks"
    assert at(book, known, *FILED, "1", "3", "0", "1", "7") == "words"


def test_a_changed_mind_before_sending_leaves_no_trace(book: Book, known: Known) -> None:
    turn = fold(book, ["1", "1", "1", "1", "2", "3", "1"], known)
    assert words(turn.acts[0]) == [("topic", "us", "the service fr")]
    assert turn.facts == {"topic": "us"}
    back = fold(book, ["1", "1", "1", "1", "2", "0"], known)
    assert back.facts == {"topic": "pit", "site": "41"}


def test_home_begins_a_new_report_and_takes_nothing_back(book: Book, known: Known) -> None:
    turn = fold(book, [*FILED, "1", "1", "00"], known)
    assert (turn.screen, turn.facts, turn.values) == ("home", {}, {})
    assert kinds(turn) == [("file", 5), ("add", 7)]
    assert at(book, known, *FILED, "00", "0") == "home"
    again = fold(book, [*FILED, "1", "1", "00", "1", "2", "1"], known)
    assert kinds(again)[-1] == ("file", 11)
    assert again.filed == again.acts[-1]
    assert again.filed.facts == {"topic": "idea"}


def test_home_is_the_start_before_a_language_is_known(book: Book, known: Known) -> None:
    assert at(book, known, "00") == "lang"
    assert at(book, known, "1", "00") == "home"
    assert at(book, known, "1", "8", "00") == "home"


def test_the_harmless_end_is_everywhere_and_final(book: Book, known: Known) -> None:
    for inputs in ((), ("1",), ("1", "1", "1"), FILED, (*FILED, "1")):
        end = fold(book, [*inputs, "99"], known)
        assert (end.screen, end.ends) == ("leave", True)
        assert fold(book, [*inputs, "99", "1", "00", "x"], known) == end


@pytest.mark.parametrize("typed", ["x", "", "7", "4", "*", "#", "9", "100", "000", "1 1", "eleven" * 50])
def test_a_wrong_key_shows_the_same_screen_with_a_line(typed: str, book: Book, known: Known) -> None:
    turn = fold(book, ["1", "1", typed], known)
    assert (turn.screen, turn.line) == ("what", "wrong_key")


def test_a_wrong_key_before_a_language_shows_no_line(book: Book, known: Known) -> None:
    assert fold(book, ["x"], known) == fold(book, [], known)


def test_the_third_wrong_key_in_a_row_leads_out(book: Book, known: Known) -> None:
    assert at(book, known, "1", "1", "x", "x", "x") == "stuck"
    assert at(book, known, "1", "1", "x", "x", "x", "1") == "what"
    assert at(book, known, "1", "1", "x", "x", "x", "x", "x") == "stuck"
    assert fold(book, ["1", "1", "x", "x", "0", "1", "x", "x"], known).line == "wrong_key"
    assert at(book, known, "x", "x", "x") == "lang"


def test_the_third_wrong_key_leads_home_where_nobody_can_be_asked_for(book: Book, known: Known) -> None:
    alone = replace(book, roles=replace(book.roles, stuck="home"))
    turn = fold(alone, [*FILED, "1", "x", "x", "x"], known)
    assert (turn.screen, turn.line, turn.facts) == ("home", None, {})


@pytest.mark.parametrize(
    ("typed", "screen"),
    [
        ("01", "site"),
        ("0001", "site"),
        (" 1 ", "site"),
        ("1.", "site"),
        ("1)", "site"),
        ("１", "site"),
        ("١", "site"),
        ("un", "site"),
        ("MOJA", "site"),
        (" Un.", "site"),
        ("Deuxieme", "sure_no_place"),
        ("DEUXIÈME", "sure_no_place"),
        ("099", "leave"),
        ("099.", "leave"),
        ("00", "home"),
        (" 00", "home"),
        (" 0", "home"),
        ("0.", "home"),
    ],
)
def test_on_choices_what_is_meant_is_understood(typed: str, screen: str, book: Book, known: Known) -> None:
    assert at(book, known, "1", "1", typed) == screen


def test_a_site_is_on_its_own_key_for_ever(book: Book, known: Known) -> None:
    turn = fold(book, ["1", "1", "1", "4"], known)
    assert (turn.screen, turn.line) == ("site", "wrong_key")
    assert fold(book, ["1", "1", "1", "5"], known).facts["site"] == "45"
    assert fold(book, ["1", "1", "1", "9", "1"], known).facts["site"] == "46"
    assert fold(book, ["1", "1", "1", "9", "3"], known).line == "wrong_key"


def test_pages_go_round_and_zero_turns_them_back(book: Book, known: Known) -> None:
    assert [fold(book, ["1", "1", "1", *["9"] * times], known).page for times in range(4)] == [0, 1, 0, 1]
    assert fold(book, ["1", "1", "1", "9", "0"], known).page == 0
    assert at(book, known, "1", "1", "1", "9", "0", "0") == "what"


def test_more_is_offered_only_with_more_than_a_page(book: Book, known: Known) -> None:
    few = replace(known, sites=known.sites[:3])
    assert fold(book, ["1", "1", "1", "9"], few).line == "wrong_key"
    assert fold(book, ["1", "5", "9"], few).page == 1


def test_an_option_is_offered_only_while_it_has_something_to_show(book: Book, known: Known) -> None:
    assert at(book, known, "1", "6") == "numbers"
    assert fold(book, ["1", "6"], replace(known, numbers={})).line == "wrong_key"
    assert fold(book, ["1", "6"], replace(known, numbers={"gbv": "1"})).line == "wrong_key"


@pytest.mark.parametrize("typed", ["107", "1 0 7", "1-07", " 107 "])
def test_a_site_is_known_by_its_code(typed: str, book: Book, known: Known) -> None:
    turn = fold(book, ["1", "1", "1", "6", typed, "1"], known)
    assert words(turn.acts[0])[1] == ("site", "47", "Site 7")
    assert turn.acts[0].answers[1].screen == "site_code"


@pytest.mark.parametrize("typed", ["104", "10", "1077", "abc", "", "１０７", "07", " 7", "7.", "un"])
def test_digits_are_taken_exactly(typed: str, book: Book, known: Known) -> None:
    turn = fold(book, ["1", "1", "1", "6", typed], known)
    assert (turn.screen, turn.line) == ("site_code", "wrong_key")


@pytest.mark.parametrize("key", ["0", "00", "99", "7"])
def test_keys_of_a_screen_for_digits_are_keys(key: str, book: Book, known: Known) -> None:
    assert at(book, known, "1", "1", "1", "6", key) != "site_code"


def test_a_code_with_a_wrong_check_digit_is_told_at_once(book: Book, known: Known) -> None:
    wrong = CODE[:-1] + str((int(CODE[-1]) + 1) % 10)
    turn = fold(book, ["1", "2", wrong], known)
    assert (turn.screen, turn.line, turn.question) == ("code", "badly_written", None)


def test_a_question_stops_the_fold_until_it_is_answered(book: Book, known: Known) -> None:
    spaced = f"{CODE[:4]} {CODE[4:8]} {CODE[8:]}"
    turn = fold(book, ["1", "2", spaced], known)
    assert turn.screen == "code"
    assert turn.question == Question("code", 3, CODE, 0)
    assert CODE not in repr(turn)
    assert fold(book, ["1", "2", spaced, "1", "99"], known) == turn

    told = known.answered("code", 3, Reply("letter", {"d": "21/11", "hh": "14:30"}))
    turn = fold(book, ["1", "2", spaced], told)
    assert (turn.screen, turn.question) == ("letter", None)
    assert turn.values == {"d": "21/11", "hh": "14:30"}
    assert at(book, told, "1", "2", spaced, "1") == "reply"
    assert fold(book, ["1", "2", spaced, "00"], told).values == {}


def test_a_question_is_asked_again_for_every_time_it_arises(book: Book, known: Known) -> None:
    told = known.answered("code", 3, Reply("nothing"))
    assert at(book, told, "1", "2", CODE) == "nothing"
    again = fold(book, ["1", "2", CODE, "1", CODE], told)
    assert again.question == Question("code", 5, CODE, 0)
    assert at(book, told.answered("code", 5, Reply("letter")), "1", "2", CODE, "1", CODE) == "letter"


def test_an_answer_the_book_does_not_have_is_as_a_wrong_key(book: Book, known: Known) -> None:
    turn = fold(book, ["1", "2", CODE], known.answered("code", 3, Reply("moon")))
    assert (turn.screen, turn.line) == ("code", "badly_written")


def test_consent_carries_what_was_answered_for_it(book: Book, known: Known) -> None:
    turn = fold(book, [*FILED, "2", "2", "0991234567", "1"], known)
    assert turn.screen == "agreed"
    assert kinds(turn) == [("file", 5), ("consent", 9)]
    assert [answer.field for answer in turn.acts[1].answers] == ["how", "number", "hours"]
    assert "0991234567" not in repr(turn)
    assert turn.acts[1].about == 5


def test_consent_without_a_report_files_one_of_the_topic_for_it_so_that_there_is_a_code(
    book: Book, known: Known
) -> None:
    turn = fold(book, ["1", "3", "2", "0991234567", "2"], known)
    assert kinds(turn) == [("file", 5), ("consent", 5)]
    filed, agreed = turn.acts
    assert turn.filed is filed
    assert [(answer.field, answer.value) for answer in filed.answers] == [("topic", "idea")]
    assert filed.answers[0].screen == "hours"
    assert [answer.field for answer in agreed.answers] == ["how", "number", "hours"]
    assert (filed.about, agreed.about, turn.code) == (5, 5, None)


def test_consent_before_a_report_was_sent_files_what_was_answered_by_then(shelf: "Shelf", known: Known) -> None:
    shelf.change("      1 Go on\n      99 Leave\n", "      1 Go on\n      2 Call me\n      99 Leave\n")
    shelf.change("      1: back\n\n  leave", "      1: back\n      2: contact\n\n  leave")
    turn = fold(shelf.load(), ["1", "1", "1", "1", "x", "x", "x", "2", "1", "1"], known)
    assert turn.screen == "agreed"
    assert kinds(turn) == [("file", 10), ("consent", 10)]
    assert words(turn.acts[0]) == [("topic", "pit", "Pit fr"), ("site", "41", "Site 1")]
    assert [(answer.field, answer.value) for answer in turn.acts[1].answers] == [
        ("how", "same"),
        ("hours", "morning"),
    ]


def test_consent_by_code_is_about_the_report_of_the_code_and_files_nothing(book: Book, known: Known) -> None:
    told = known.answered("code", 3, Reply("letter"))
    turn = fold(book, ["1", "2", CODE, "00", "3", "1", "1"], told)
    assert [(act.kind, act.upto, act.about) for act in turn.acts] == [("consent", 7, 3)]
    assert (turn.code, turn.filed) == (CODE, None)
    assert CODE not in repr(turn)


def test_a_code_that_shows_nothing_is_about_no_report(book: Book, known: Known) -> None:
    told = known.answered("code", 3, Reply("nothing"))
    assert fold(book, ["1", "2", CODE], told).code is None
    turn = fold(book, ["1", "2", CODE, "00", "3", "1", "1"], told)
    assert [(act.kind, act.about) for act in turn.acts] == [("file", 7), ("consent", 7)]
    # Nor about the report that was filed before it was typed.
    later = known.answered("code", 8, Reply("nothing"))
    turn = fold(book, [*FILED, "00", "2", CODE, "00", "3", "1", "1"], later)
    assert [(act.kind, act.about) for act in turn.acts] == [("file", 5), ("file", 12), ("consent", 12)]


def test_the_last_report_that_was_filed_or_found_is_the_one_it_is_about(book: Book, known: Known) -> None:
    told = known.answered("code", 3, Reply("letter"))
    turn = fold(book, ["1", "2", CODE, "1", "words"], told)
    assert [(act.kind, act.about) for act in turn.acts] == [("letter", 3)]
    filed = fold(book, ["1", "2", CODE, "00", "1", "2", "1", "1", "more"], told)
    assert [(act.kind, act.upto, act.about) for act in filed.acts] == [("file", 7, 7), ("add", 9, 7)]
    assert filed.code is None
    assert fold(book, ["1", "2", CODE], told).code == CODE


def test_whoever_turns_back_before_a_code_has_typed_none(book: Book, known: Known) -> None:
    told = known.answered("code", 3, Reply("letter"))
    turn = fold(book, ["1", "2", CODE, "0"], told)
    assert (turn.screen, turn.code, turn.values) == ("code", None, {})
    again = fold(book, ["1", "2", CODE, "0", "0", "3", "1", "1"], told)
    assert kinds(again) == [("file", 8), ("consent", 8)]


def test_the_questions_that_were_answered_are_told_in_their_order(book: Book, known: Known) -> None:
    told = known.answered("code", 3, Reply("nothing")).answered("code", 5, Reply("letter"))
    turn = fold(book, ["1", "2", CODE, "1", CODE], told)
    assert turn.asked == (Question("code", 3, CODE, 0), Question("code", 5, CODE, 0))
    assert turn.code == CODE


@pytest.fixture
def asking(shelf: "Shelf") -> Book:
    """The small book, where a letter lists its answers, and can be answered by taking the report back."""
    shelf.change(
        "      1 Answer\n      2 Not mine\n",
        "      1 Answer\n      2 Not mine\n      3 {a1}\n      4 {a2}\n      5 Erase\n",
    )
    shelf.change(
        "      2: nothing\n\n  nothing",
        """      2: nothing
      3: {to: taken, act: letter, set: {text: "{a1}"}}
      4: {to: taken, act: letter, set: {text: "{a2}"}}
      5: {ask: withdraw, answers: {erased: sure_to, nothing: nothing}}

  sure_to:
    kind: choice
    text: |-
      Since {d}: sure?
      1 Yes
      0 Back
    keys:
      1: {to: taken, act: withdraw, set: {withdrawal: erase}}

  nothing""",
    )
    return shelf.load()


def test_an_answer_that_a_question_lists_is_kept_in_its_words(asking: Book, known: Known) -> None:
    told = known.answered("code", 3, Reply("letter", {"d": "21/11", "hh": "14:30", "a1": "Oui", "a2": "Jamais"}))
    turn = fold(asking, ["1", "2", CODE, "4"], told)
    assert (turn.screen, kinds(turn)) == ("taken", [("letter", 4)])
    assert words(turn.acts[0]) == [("text", "Jamais", "Jamais")]
    assert "Jamais" not in repr(turn)
    shown = render(asking, fold(asking, ["1", "2", CODE], told), told)
    assert "\n3 Oui fr\n4 Jamais fr\n5 Erase fr" in shown


def test_an_answer_that_is_not_listed_is_no_key(asking: Book, known: Known) -> None:
    told = known.answered("code", 3, Reply("letter", {"d": "21/11", "hh": "14:30", "a1": "Oui"}))
    turn = fold(asking, ["1", "2", CODE, "4"], told)
    assert (turn.screen, turn.line, turn.acts) == ("letter", "wrong_key", ())
    shown = render(asking, fold(asking, ["1", "2", CODE], told), told)
    assert "\n3 Oui fr\n5 Erase fr" in shown


def test_a_key_can_ask_about_the_report_of_the_code(asking: Book, known: Known) -> None:
    told = known.answered("code", 3, Reply("letter", {"d": "21/11", "hh": "14:30"}))
    turn = fold(asking, ["1", "2", CODE, "5"], told)
    assert (turn.screen, turn.question) == ("letter", Question("withdraw", 4, "5", 3))
    erasable = told.answered("withdraw", 4, Reply("erased"))
    turn = fold(asking, ["1", "2", CODE, "5"], erasable)
    # What the code showed still stands: only another code takes its place.
    assert (turn.screen, turn.values, turn.code) == ("sure_to", {"d": "21/11", "hh": "14:30"}, CODE)
    done = fold(asking, ["1", "2", CODE, "5", "1"], erasable)
    assert [(act.kind, act.upto, act.about) for act in done.acts] == [("withdraw", 5, 3)]
    assert words(done.acts[0]) == [("withdrawal", "erase", "Yes fr")]
    kept = fold(asking, ["1", "2", CODE, "5"], told.answered("withdraw", 4, Reply("kept")))
    assert (kept.screen, kept.line) == ("letter", "wrong_key")
    assert at(asking, told.answered("withdraw", 4, Reply("nothing")), "1", "2", CODE, "5") == "nothing"


@pytest.mark.parametrize(
    "typed", ["0991234567", "991234567", "+243 99 123 45 67", "00243991234567", "0-99-123-45-67"]
)
def test_a_number_is_kept_as_one_can_call_it_however_it_was_typed(
    typed: str, shelf: "Shelf", known: Known
) -> None:
    shelf.change("    digits: 10\n", "    digits: 10\n    check: number\n    wrong: badly_written\n")
    book = shelf.load()
    turn = fold(book, ["1", "3", "2", typed, "1"], known)
    assert turn.screen == "agreed"
    assert [answer.value for answer in turn.acts[1].answers] == ["another", "+243991234567", "morning"]
    assert "991234567" not in repr(turn)


@pytest.mark.parametrize("typed", ["099123456", "09912345678", "0123456789", "+33612345678", "call me", "", "１"])
def test_what_is_no_mobile_number_is_told_at_once(typed: str, shelf: "Shelf", known: Known) -> None:
    shelf.change("    digits: 10\n", "    digits: 10\n    check: number\n    wrong: badly_written\n")
    turn = fold(shelf.load(), ["1", "3", "2", typed], known)
    assert (turn.screen, turn.line) == ("number", "badly_written")


def test_a_reply_by_code_is_a_letter(book: Book, known: Known) -> None:
    told = known.answered("code", 3, Reply("letter"))
    turn = fold(book, ["1", "2", CODE, "1", "2"], told)
    assert (turn.screen, kinds(turn)) == ("taken", [("letter", 5)])
    assert words(turn.acts[0]) == [("reply", "2", "2")]


def test_when_nothing_can_be_stored_the_start_says_so(book: Book, known: Known) -> None:
    down = replace(known, down=True)
    turn = fold(book, [], down)
    assert (turn.screen, turn.ends) == ("down", True)
    assert at(book, down, "1") == "home"


def test_a_dialogue_can_be_ended_by_another_end(book: Book, known: Known) -> None:
    turn = fold(book, FILED, known).instead(book.roles.not_arrived)
    assert (turn.screen, turn.ends, turn.language) == ("not_arrived", True, "fr")
