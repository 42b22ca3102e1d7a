"""What holds for any list of key presses at all."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.flows import Book, Known, Reply, fold, render
from gateway.flows.definition import CONTACT
from gateway.text import check_digit, offenders, septets

CODE = "12345678901" + check_digit("12345678901")
KEYS = st.one_of(
    st.sampled_from(["0", "00", "99", "", "x", "107", CODE, "un", "0991234567", *map(str, range(1, 10))]),
    st.text(max_size=20),
)
INPUTS = st.lists(KEYS, max_size=14)
ANSWERED = {("code", upto): Reply("letter", {"d": "21/11"}) for upto in range(1, 40, 2)}


@given(inputs=INPUTS)
def test_whatever_is_typed_the_screen_fits_and_comes_again(inputs: list[str], book: Book, known: Known) -> None:
    known = replace(known, replies=ANSWERED)
    turn = fold(book, inputs, known)
    shown = render(book, turn, known, code="1234 5678 9012")
    assert septets(shown) <= 160
    assert not offenders(shown)
    assert shown == render(book, fold(book, list(inputs), known), known, code="1234 5678 9012")
    assert turn == fold(book, tuple(inputs), known)


@given(inputs=INPUTS)
def test_what_a_shorter_history_decided_stands(inputs: list[str], book: Book, known: Known) -> None:
    known = replace(known, replies=ANSWERED)
    turns = [fold(book, inputs[:length], known) for length in range(len(inputs) + 1)]
    for before, after in pairwise(turns):
        joined = before.ends and before.acts != after.acts[: len(before.acts)]
        # Only free words grow with what follows them, and only their own act, which comes last.
        firm = before.acts[:-1] if joined else before.acts
        assert after.acts[: len(firm)] == firm
        if before.ends and not book.screens[after.screen].ends:
            raise AssertionError("an end was left")
        if before.question:
            assert after.question == before.question


@example(inputs=["un", "3", "un", "un"])
@given(inputs=INPUTS)
def test_an_act_is_reached_by_its_own_inputs_alone(inputs: list[str], book: Book, known: Known) -> None:
    known = replace(known, replies=ANSWERED)
    acts = fold(book, inputs, known).acts
    for act in acts:
        # One key press may do two things: who asks to be called, of no report, files one with it.
        assert fold(book, inputs[: act.upto], known).acts == tuple(one for one in acts if one.upto <= act.upto)


@given(inputs=INPUTS)
def test_a_consent_is_about_a_report_and_a_report_holds_no_way_to_reach_anybody(
    inputs: list[str], book: Book, known: Known
) -> None:
    turn = fold(book, inputs, replace(known, replies=ANSWERED))
    there = {question.upto for question in turn.asked} | {act.upto for act in turn.acts if act.kind == "file"}
    for act in turn.acts:
        fields = {answer.field for answer in act.answers}
        if act.kind == "consent":
            assert act.about in there
            assert fields <= set(CONTACT)
        else:
            assert fields.isdisjoint(CONTACT)
            assert act.kind != "file" or act.about == act.upto
