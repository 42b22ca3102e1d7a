"""Letters as a reporter and a case worker exchange them: each answer belongs to what was shown, nothing that was
written is lost by a closing, and a later no is heard."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway import desk
from gateway.casework import Refused, contact, guess, report
from gateway.casework.contact import How
from gateway.casework.letter import Letter
from gateway.casework.report import Outcome
from gateway.casework.verb import Verb
from gateway.later.dispatch import dispatch
from gateway.later.purge import purge
from gateway.later.sweep import sweep
from gateway.runtime import Runtime
from tests import build
from tests.acts.test_by_code import Told, by, told, unknown
from tests.later import story

STAFF = dict[str, int]
SAFE, STILL = "safe_now", "still_going"
"""Two questions that list the same answers."""


@pytest.fixture
def staff(rt: Runtime) -> STAFF:
    return story.staff(rt)


@pytest.fixture
def made(rt: Runtime, staff: STAFF) -> Told:
    """A report that its case worker has taken."""
    found = told(rt)
    dispatch(rt, found.report)
    desk.accept(rt, worker(staff), found.report)
    return found


def worker(staff: STAFF) -> desk.Reader:
    return build.reader(staff["worker"])


def comes_back(rt: Runtime, made: Told, *keys: str, session: str) -> str:
    """What the reporter sees in the end, each key in its own hop."""
    whole = by(made.code, *keys)
    for at in range(3, len(whole) + 1):
        screen = story.press(rt, whole[:at], session)
    return screen.text


def letters(rt: Runtime, staff: STAFF, made: Told) -> list[tuple[str, bool, str]]:
    """Each letter as the desk shows it: its words, whether it is answered, and what it answers."""
    reading = desk.read(rt, worker(staff), made.report)
    assert reading is not None
    return [(each.words, each.answered_on is not None, each.to) for each in reading.letters]


def test_an_answer_is_that_to_the_question_on_the_screen_and_to_no_other_that_was_put_aside(
    rt: Runtime, staff: STAFF, made: Told
) -> None:
    """ "Yes" to whether it still goes on must not be read as "Yes, I am safe"."""
    desk.write(rt, worker(staff), made.report, SAFE, "")
    assert "en sécurité" in comes_back(rt, made, session="first")
    comes_back(rt, made, "0", session="first")  # not now
    desk.write(rt, worker(staff), made.report, STILL, "")
    assert "continue" in comes_back(rt, made, session="second")
    comes_back(rt, made, "1", session="second")
    (safe, open_, _), (_, answered, _), (yes, _, to) = letters(rt, staff, made)
    assert (open_, answered, yes, to) == (False, True, "Oui", "")
    assert "en sécurité" in comes_back(rt, made, session="third"), "what was put aside comes back"
    comes_back(rt, made, "2", session="third")
    *_, (no, _, to) = letters(rt, staff, made)
    assert (no, to) == ("Non", safe), "and the page says to which it belongs"


def test_what_was_written_before_a_report_was_closed_is_read_and_answered_after_it(
    rt: Runtime, staff: STAFF, made: Told
) -> None:
    desk.write(rt, worker(staff), made.report, desk.OWN, "Ne retournez pas au puits avant lundi.")
    desk.close(rt, worker(staff), made.report, Outcome.HELPED)
    assert "avant lundi" in comes_back(rt, made, session="first")
    assert "Merci" in comes_back(rt, made, "1", "compris", session="first")
    assert [words for words, _, _ in letters(rt, staff, made)][-1] == "compris"
    assert story.coarse(rt, made.report).state is report.State.CLOSED
    assert "Est-ce réglé" in comes_back(rt, made, session="second")
    assert "Merci" in comes_back(rt, made, "1", session="second")


def test_a_letter_that_another_hand_has_changed_hides_none_behind_it(
    rt: Runtime, staff: STAFF, made: Told
) -> None:
    for words in ("Le premier mot.", "Le second mot."):
        desk.write(rt, worker(staff), made.report, desk.OWN, words)
    with rt.db.begin() as db:
        db.get_one(Letter, (made.report, 1)).reply_sealed = b"changed"
    assert "second mot" in comes_back(rt, made, session="first")


def test_whoever_called_it_settled_is_not_contradicted_by_an_older_screen(
    rt: Runtime, staff: STAFF, made: Told
) -> None:
    desk.close(rt, worker(staff), made.report, Outcome.HELPED)
    comes_back(rt, made, session="older")
    comes_back(rt, made, "1", session="newer")
    story.clock(rt).go(hours=30)
    assert "PAS" in comes_back(rt, made, "2", session="older")
    assert story.coarse(rt, made.report).state is report.State.CLOSED
    assert "Rien de nouveau" in comes_back(rt, made, session="again")


def how(rt: Runtime, made: Told) -> How | None:
    with rt.db.read() as db:
        return contact.how(db, made.report, rt.today())


def test_a_later_no_erases_the_number(rt: Runtime, staff: STAFF, made: Told) -> None:
    comes_back(rt, made, "2", "1", "3", session="yes")
    assert how(rt, made) is How.CALL
    assert "effacé" in comes_back(rt, made, "2", "4", session="no")
    assert how(rt, made) is None
    assert story.verbs(rt, made.report)[-1] is Verb.NUMBER_ERASED
    assert "effacé" in comes_back(rt, made, "2", "4", session="no again")
    assert story.verbs(rt, made.report).count(Verb.NUMBER_ERASED) == 1, "there was nothing more to erase"
    comes_back(rt, made, "2", "1", "3", session="yes again")
    assert how(rt, made) is How.CALL


def test_a_withdrawal_that_is_asked_for_erases_the_number_and_says_so(rt: Runtime, staff: STAFF) -> None:
    made = told(rt, story.DANGER)
    comes_back(rt, made, "2", "1", "3", session="yes")
    comes_back(rt, made, "5", "1", session="withdraws")
    assert how(rt, made) is None
    assert Verb.NUMBER_ERASED in story.verbs(rt, made.report)


def test_a_number_that_is_given_while_the_clock_is_wrong_is_erased_on_time_all_the_same(
    rt: Runtime, staff: STAFF, made: Told
) -> None:
    now = story.clock(rt).at
    rt.vault.days.overlapping(rt.today())
    story.clock(rt).at = now + timedelta(days=3650)
    comes_back(rt, made, "2", "1", "3", session="yes")
    story.clock(rt).at = now
    assert how(rt, made) is How.CALL
    for _ in range(40):
        story.clock(rt).go(days=1)
        purge(rt)
    assert how(rt, made) is None
    assert rt.vault.directory.week_names() == []


def test_the_code_of_a_report_that_is_over_is_no_guess(rt: Runtime, staff: STAFF, made: Told) -> None:
    desk.close(rt, worker(staff), made.report, Outcome.HELPED)
    comes_back(rt, made, "1", session="settled")
    for at in range(9):
        assert "Rien de nouveau" in comes_back(rt, made, session=f"over {at}")
    other = told(rt, story.HAZARD, "other")
    assert "Rien de nouveau" not in story.press(rt, by(other.code), "own").text
    for at in range(5):
        story.press(rt, by(unknown(at)), f"guess {at}")
    assert "Rien de nouveau" in story.press(rt, by(other.code), "blocked").text
    assert guess.MOST == 5


def test_call_me_back_after_a_withdrawal_that_was_too_late_is_a_report_of_its_own(
    rt: Runtime, staff: STAFF, made: Told
) -> None:
    comes_back(rt, made, session="late")
    desk.close(rt, worker(staff), made.report, Outcome.HELPED)
    assert "Rien de nouveau" in comes_back(rt, made, "5", session="late")
    assert "Code" in comes_back(rt, made, "5", "2", "1", "1", session="late")
    assert len(story.reports(rt)) == 2


def test_somebody_who_decides_is_brought_a_withdrawal_of_an_emergency_that_is_taken(
    rt: Runtime, staff: STAFF
) -> None:
    made = told(rt, story.DANGER)
    dispatch(rt, made.report)
    desk.accept(rt, worker(staff), made.report)
    comes_back(rt, made, "5", "1", session="withdraws")
    sweep(rt)
    assert story.asked(rt, made.report) == [("Worker", "accepted"), ("Supervisor", "pending")]
    assert len(build.operator(rt).sms) == 1, "and told by SMS"
    story.clock(rt).go(days=1)
    sweep(rt)
    assert story.asked(rt, made.report)[-1] == ("Integrity", "pending"), "never the worker, who cannot decide"
    desk.accept(rt, build.reader(staff["integrity"]), made.report)
    desk.close(rt, build.reader(staff["integrity"]), made.report, Outcome.WITHDRAWN)
    assert story.coarse(rt, made.report).outcome is Outcome.WITHDRAWN


def test_whoever_decides_and_has_the_report_is_not_brought_it_again(rt: Runtime, staff: STAFF) -> None:
    made = told(rt, story.DANGER)
    dispatch(rt, made.report)
    desk.accept(rt, build.reader(staff["supervisor"]), made.report)
    comes_back(rt, made, "5", "1", session="withdraws")
    sweep(rt)
    assert story.asked(rt, made.report) == [("Worker", "revoked")]


def test_nothing_is_written_to_whoever_has_asked_to_withdraw(rt: Runtime, staff: STAFF) -> None:
    made = told(rt, story.DANGER)
    dispatch(rt, made.report)
    desk.accept(rt, worker(staff), made.report)
    comes_back(rt, made, "5", "1", session="withdraws")
    due = story.coarse(rt, made.report).due_at
    with pytest.raises(Refused) as refused:
        desk.write(rt, worker(staff), made.report, SAFE, "")
    assert "asked to withdraw" in refused.value.why
    assert story.coarse(rt, made.report).due_at == due
    assert letters(rt, staff, made) == []
