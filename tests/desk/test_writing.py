"""What a case worker writes to a reporter, and how they reach one who asked for it; leaving out and holding."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier

import pytest
from sqlalchemy import func, select, text

from gateway import desk, flows
from gateway.casework import Refused, contact, hold, plan
from gateway.casework.caseworker import Role
from gateway.casework.contact import Contact, How
from gateway.casework.letter import Kind, Letter
from gateway.casework.message import Message
from gateway.casework.referral import HandOnReason
from gateway.casework.reminder import Reminder
from gateway.casework.report import Addition, Outcome, Report, State
from gateway.casework.verb import Verb
from gateway.later.dispatch import dispatch
from gateway.later.purge import purge
from gateway.later.send import send
from gateway.later.sweep import sweep
from gateway.runtime import Runtime
from gateway.text import septets
from tests import build
from tests.later import story

STAFF = dict[str, int]
CALLER = "+243990000009"
LANGUAGE_KEYS = {"fr": "2", "sw_CD": "3", "ln": "4"}
WORDS = "Dites le nom du puits."


@pytest.fixture
def staff(rt: Runtime) -> STAFF:
    return story.staff(rt)


@pytest.fixture
def made(rt: Runtime, staff: STAFF) -> int:
    """A report that its case worker has taken."""
    return taken(rt, staff)


def taken(rt: Runtime, staff: STAFF, language: str = "fr", session: str = "one") -> int:
    made = story.tell(rt, hazard(language), session)
    story.ended(rt, session)
    dispatch(rt, made)
    assert desk.accept(rt, worker(staff), made)
    return made


def hazard(language: str = "fr") -> tuple[str, ...]:
    return (LANGUAGE_KEYS[language], *story.HAZARD[1:])


def code(rt: Runtime, language: str = "fr", session: str = "one") -> str:
    return story.press(rt, hazard(language), session).text.split("\n")[1].replace(" ", "")


def looks(rt: Runtime, *keys: str, language: str = "fr", session: str = "back", told: str = "one") -> str:
    """What whoever holds the code of the report told in `told` sees."""
    return story.press(rt, (LANGUAGE_KEYS[language], "3", code(rt, language, told), *keys), session).text


def worker(staff: STAFF) -> desk.Reader:
    return build.reader(staff["worker"])


def supervisor(staff: STAFF) -> desk.Reader:
    return build.reader(staff["supervisor"])


def refused(change: Callable[[], object]) -> Refused:
    with pytest.raises(Refused) as told:
        change()
    return told.value


def read(rt: Runtime, reader: desk.Reader, made: int) -> desk.Reading:
    found = desk.read(rt, reader, made)
    assert found is not None
    return found


def count(rt: Runtime, table: type[Contact] | type[Letter] | type[Reminder]) -> int:
    with rt.db.read() as db:
        return db.scalar(select(func.count()).select_from(table)) or 0


def to_reporter(rt: Runtime) -> list[tuple[str, str]]:
    return [(number, words) for number, words in build.operator(rt).sms if not number.startswith("+2430001")]


# Who may write


def test_only_who_took_the_report_writes_to_its_reporter(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt, story.HAZARD)
    story.ended(rt)
    dispatch(rt, made)
    for person in ("worker", "supervisor"):
        told = refused(partial(desk.write, rt, build.reader(staff[person]), made, desk.OWN, WORDS))
        assert told.why == "Only the person who took the report can do this."
    told = refused(partial(desk.write, rt, build.reader(staff["integrity"]), made, desk.OWN, WORDS))
    assert told.why == "This report is not here."
    desk.accept(rt, worker(staff), made)
    refused(partial(desk.write, rt, supervisor(staff), made, desk.OWN, WORDS))
    refused(partial(desk.write, rt, worker(staff), 7, desk.OWN, WORDS))
    assert desk.write(rt, worker(staff), made, desk.OWN, WORDS) is False
    desk.close(rt, worker(staff), made, Outcome.NOT_FOUND)
    refused(partial(desk.write, rt, worker(staff), made, desk.OWN, "Encore un mot."))
    assert [one.kind for one in read(rt, worker(staff), made).letters] == [Kind.MESSAGE, Kind.CLOSING]
    assert story.verbs(rt, made).count(Verb.WROTE) == 1


def test_whoever_was_handed_the_report_writes_from_then_on_and_nobody_else(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    desk.hand_on(rt, worker(staff), made, HandOnReason.AWAY, staff["supervisor"])
    desk.write(rt, worker(staff), made, desk.OWN, WORDS)
    assert desk.accept(rt, supervisor(staff), made)
    refused(partial(desk.write, rt, worker(staff), made, desk.OWN, "Encore un mot."))
    desk.write(rt, supervisor(staff), made, desk.OWN, "C'est moi maintenant.")
    assert [one.author for one in read(rt, worker(staff), made).letters] == ["Worker", "Supervisor"]


# What may be written


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("", "Write something, or choose a sentence."),
        (" \t\n ", "Write something, or choose a sentence."),
        ("a" * 91, "The screen has room for 90 letters; this has 91."),
        ("€" * 45 + "a", "The screen has room for 90 letters; this has 91."),
        ("êtes-vous là-bas", "A phone cannot show these letters: ê."),
        ("Ɛloko nini, lɔbi?", "A phone cannot show these letters: Ɛ ɔ."),
        ("merci 🙏", "A phone cannot show these letters: 🙏."),
        ("Appelez le 0812345678.", "No number may stand here: somebody else may read this screen."),
        ("Appelez le 081 23 45 678.", "No number may stand here: somebody else may read this screen."),
        ("+243-81-234-56-78", "No number may stand here: somebody else may read this screen."),
        ("le 08.12.34.56.78", "No number may stand here: somebody else may read this screen."),
    ],
)
def test_own_words_that_a_telephone_cannot_show_or_somebody_should_not_read_are_refused(
    light: Runtime, words: str, why: str
) -> None:
    told = refused(lambda: desk.draft(light, "fr", desk.OWN, words))
    assert (told.field, told.why % told.values) == ("letter", why)


@pytest.mark.parametrize(
    "words", ["a" * 90, "€" * 45, "Le 25 au puits 4, à 14 h.", "é" * 90, "Venez le 12/11, puits 4."]
)
def test_own_words_that_fit_are_taken_as_they_are(light: Runtime, words: str) -> None:
    made = desk.draft(light, "ln", desk.OWN, f"  {words} ")
    assert (made.kind, made.text, made.answers) == (Kind.MESSAGE, words, ())
    assert made.septets <= 160


def test_own_words_with_answers_are_a_question_that_one_key_answers(rt: Runtime, staff: STAFF, made: int) -> None:
    desk.write(rt, worker(staff), made, desk.OWN, "Combien sont-ils en bas ?", "1 ou 2\n\n  Plus \nJe ne sais\n")
    screen = looks(rt, session="first")
    assert screen.startswith("Combien sont-ils en bas ?\n1 1 ou 2\n2 Plus\n3 Je ne sais\n")
    assert "Merci" in looks(rt, "2", session="first")
    letters = read(rt, worker(staff), made).letters
    assert [(each.kind, each.words, each.answers) for each in letters] == [
        (Kind.QUESTION, "Combien sont-ils en bas ?", ["1 ou 2", "Plus", "Je ne sais"]),
        (Kind.ANSWER, "Plus", []),
    ]


@pytest.mark.parametrize(
    ("words", "choices", "field", "why"),
    [
        ("Combien d'enfants ?", "", "choices", "A question that a number answers lists its answers"),
        ("Ni batoto ngapi?", " \n", "choices", "A question that a number answers lists its answers"),
        ("Quel age a-t-il ?", "", "choices", "A question that a number answers lists its answers"),
        ("Bana boni?", "", "choices", "A question that a number answers lists its answers"),
        ("Ça va ?", "Oui", "choices", "Two answers at least, 4 at most, one a line."),
        ("Ça va ?", "a\nb\nc\nd\ne", "choices", "Two answers at least, 4 at most, one a line."),
        ("Ça va ?", "Oui\nPas tout à fait", "choices", "An answer has room for 12 letters: Pas tout à fait"),
        ("Ça va ?", "Oui\nPeut-être", "choices", "A phone cannot show these letters: ê."),
        ("Où ?", "0812345678\nNon", "choices", "No number may stand here"),
        ("a" * 49, "Oui\nNon", "letter", "The screen has room for 48 letters; this has 49."),
    ],
)
def test_a_question_of_ones_own_that_does_not_do_is_refused_at_its_field(
    light: Runtime, words: str, choices: str, field: str, why: str
) -> None:
    told = refused(lambda: desk.draft(light, "fr", desk.OWN, words, choices))
    assert (told.field, (told.why % told.values)[: len(why)]) == (field, why)


def test_a_sentence_and_own_words_do_not_go_together_and_an_unknown_sentence_is_none(light: Runtime) -> None:
    assert refused(lambda: desk.draft(light, "fr", "tell_more", "et encore")).field == "letter"
    assert refused(lambda: desk.draft(light, "fr", "how_many", "", "Un\nDeux")).field == "letter"
    assert refused(lambda: desk.draft(light, "fr", "nowhere", "")).field == "ready"


def test_what_is_refused_leaves_nothing_behind(rt: Runtime, staff: STAFF, made: int) -> None:
    before = story.coarse(rt, made)
    for ready, words in ((desk.OWN, ""), (desk.OWN, "ê"), ("nowhere", ""), ("tell_more", "x")):
        refused(partial(desk.write, rt, worker(staff), made, ready, words))
    assert count(rt, Letter) == 0
    assert story.coarse(rt, made) == before
    assert Verb.WROTE not in story.verbs(rt, made)


@pytest.mark.parametrize("language", LANGUAGE_KEYS)
def test_every_ready_sentence_comes_in_the_language_of_the_reporter_as_its_preview_showed(
    rt: Runtime, staff: STAFF, language: str
) -> None:
    for at, (name, ready) in enumerate(rt.book.letters.items()):
        made = taken(rt, staff, language, name)
        preview = desk.draft(rt, language, name, "")
        assert preview.text == ready.text[language]
        assert preview.kind is (Kind.QUESTION if ready.answers else Kind.MESSAGE)
        assert preview.septets == septets(preview.screen) <= 160
        desk.write(rt, worker(staff), made, name, "")
        assert looks(rt, language=language, session=f"back-{at}", told=name) == preview.screen
        if not ready.answers:
            continue
        for key in range(1, len(ready.answers) + 1):
            assert f"\n{key} {ready.answers[key - 1][language]}\n" in preview.screen
        looks(rt, "1", language=language, session=f"back-{at}", told=name)
        (_, answer) = read(rt, worker(staff), made).letters
        assert (answer.author, answer.words) == (None, ready.answers[0][language])


def test_own_words_are_shown_as_their_preview_showed_them(rt: Runtime, staff: STAFF, made: int) -> None:
    words = "Où est le puits ? 100 $ [non] ~ " + "é" * 52
    preview = desk.draft(rt, "fr", desk.OWN, words)
    desk.write(rt, worker(staff), made, desk.OWN, words)
    assert looks(rt) == preview.screen
    assert words in preview.screen


def test_nothing_of_a_letter_stands_open_in_the_store(rt: Runtime, staff: STAFF, made: int) -> None:
    desk.write(rt, worker(staff), made, desk.OWN, WORDS)
    looks(rt, "1", "puits quatre derriere")
    with rt.db.read() as db:
        rows = [
            *db.execute(text("SELECT body_sealed, reply_sealed FROM letter")),
            *db.execute(text("SELECT * FROM act")),
        ]
    lying = b"".join(part for row in rows for part in row if isinstance(part, bytes))
    for words in ("nom du puits", "quatre", "derriere"):
        assert words.encode() not in lying
    assert WORDS not in repr(read(rt, worker(staff), made))


# Pressed twice


def test_a_letter_that_is_sent_twice_is_one_letter_until_it_was_read_or_another_came(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    for _ in range(3):
        desk.write(rt, worker(staff), made, desk.OWN, WORDS)
    assert count(rt, Letter) == 1
    desk.write(rt, worker(staff), made, "still_going", "")
    desk.write(rt, worker(staff), made, "still_going", "")
    desk.write(rt, worker(staff), made, desk.OWN, WORDS)
    assert count(rt, Letter) == 3
    for at in range(3):
        looks(rt, session=f"back-{at}")
    desk.write(rt, worker(staff), made, desk.OWN, WORDS)
    assert count(rt, Letter) == 4
    assert story.verbs(rt, made).count(Verb.WROTE) == 4


def test_a_button_pressed_on_several_lines_at_once_sends_one_letter(rt: Runtime, staff: STAFF, made: int) -> None:
    start = Barrier(4)

    def press(_: int) -> bool:
        start.wait()
        return desk.write(rt, worker(staff), made, desk.OWN, WORDS)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(press, range(4))) == [False] * 4
    assert count(rt, Letter) == 1


def test_a_letter_is_a_step_done_and_an_answer_asks_for_the_next(rt: Runtime, staff: STAFF, made: int) -> None:
    desk.write(rt, worker(staff), made, desk.OWN, WORDS)
    assert story.coarse(rt, made).due_at == rt.now() + timedelta(days=7)
    looks(rt, "1", "puits quatre")
    assert story.coarse(rt, made).due_at == rt.now() + timedelta(days=1)


def test_a_letter_tells_who_opens_the_report_whether_it_was_read_and_answered(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    desk.write(rt, worker(staff), made, desk.OWN, WORDS)
    (one,) = read(rt, supervisor(staff), made).letters
    assert (one.words, one.read_on, one.answered_on) == (WORDS, None, None)
    looks(rt)
    (one,) = read(rt, supervisor(staff), made).letters
    assert (one.read_on, one.answered_on) == (rt.today(), None)
    looks(rt, "1", "puits quatre")
    with rt.db.read() as db:
        seen = select(Letter.read_on).where(Letter.author_id.is_(None))
        assert db.scalar(seen) is None
    assert read(rt, supervisor(staff), made).row.answered
    assert read(rt, worker(staff), made).row.answered
    assert not read(rt, worker(staff), made).row.answered, "whoever answers for it has looked"


# The one SMS


def consents(rt: Runtime, *keys: str, session: str = "consents", caller: str = CALLER) -> None:
    by = ("2", "3", code(rt), "2", *keys)
    assert story.press(rt, by, session, caller=caller).ends


def test_the_one_sms_leaves_with_the_first_letter_and_how_to_reach_the_reporter_is_erased(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    consents(rt, "3", "1")
    assert read(rt, worker(staff), made).contact is How.SMS
    assert desk.write(rt, worker(staff), made, desk.OWN, WORDS) is True
    assert (count(rt, Contact), count(rt, Reminder)) == (0, 1)
    assert desk.write(rt, worker(staff), made, desk.OWN, WORDS) is False, "pressed twice"
    sweep(rt)
    sent = [(CALLER, flows.write_message(rt.book, "reminder", "fr"))]
    assert to_reporter(rt) == sent
    assert count(rt, Reminder) == 0
    assert desk.write(rt, worker(staff), made, "tell_more", "") is False
    desk.close(rt, worker(staff), made, Outcome.HELPED)
    for _ in range(3):
        story.clock(rt).go(hours=9)
        sweep(rt)
    assert to_reporter(rt) == sent
    assert story.verbs(rt, made).count(Verb.REMINDED) == 1
    assert read(rt, worker(staff), made).contact is None


def test_the_last_words_are_a_message_that_waits_too(rt: Runtime, staff: STAFF, made: int) -> None:
    consents(rt, "3", "1")
    desk.close(rt, worker(staff), made, Outcome.HELPED)
    send(rt)
    assert len(to_reporter(rt)) == 1
    assert (count(rt, Contact), count(rt, Reminder)) == (0, 0)


@pytest.mark.parametrize("language", LANGUAGE_KEYS)
def test_the_sms_is_word_for_word_what_the_reporter_agreed_to(rt: Runtime, staff: STAFF, language: str) -> None:
    made = taken(rt, staff, language)
    asked = looks(rt, "2", "3", language=language, session="consents")
    looks(rt, "2", "3", "1", language=language, session="consents")
    desk.write(rt, worker(staff), made, "tell_more", "")
    send(rt)
    ((_, words),) = to_reporter(rt)
    assert words in asked


def test_whoever_asked_for_a_call_gets_no_sms(rt: Runtime, staff: STAFF, made: int) -> None:
    consents(rt, "1", "4")
    assert desk.write(rt, worker(staff), made, desk.OWN, WORDS) is False
    send(rt)
    assert to_reporter(rt) == []
    assert read(rt, worker(staff), made).contact is How.CALL


def test_whoever_asks_again_after_the_sms_gets_another(rt: Runtime, staff: STAFF, made: int) -> None:
    consents(rt, "3", "1")
    desk.write(rt, worker(staff), made, desk.OWN, WORDS)
    by = ("2", "3", code(rt))
    assert WORDS in story.press(rt, by, "reads").text
    looks(rt, "1", "puits quatre", session="reads")
    consents(rt, "3", "1", session="consents again")
    assert desk.write(rt, worker(staff), made, "tell_more", "") is True
    send(rt)
    assert len(to_reporter(rt)) == 2


# The number


def test_only_who_took_the_report_opens_the_number_and_says_why(rt: Runtime, staff: STAFF, made: int) -> None:
    consents(rt, "1", "2")
    assert read(rt, supervisor(staff), made).contact is How.CALL
    refused(partial(desk.open_number, rt, supervisor(staff), made, "je l'appelle"))
    refused(partial(desk.open_number, rt, build.reader(staff["integrity"]), made, "je l'appelle"))
    for reason in ("", "  \n ", "x" * (desk.REASON_LETTERS + 1)):
        assert refused(partial(desk.open_number, rt, worker(staff), made, reason)).field == "why"
    assert Verb.NUMBER_OPENED not in story.verbs(rt, made)
    reach = desk.open_number(rt, worker(staff), made, "  rappel\npromis ")
    assert (reach.how, reach.number, reach.hours) == (How.CALL, CALLER, "midday")
    assert reach.digits == code(rt)[-contact.DIGITS :]
    assert CALLER not in repr(reach)
    assert [(one.author, one.words, one.number_opened) for one in read(rt, supervisor(staff), made).notes] == [
        ("Worker", "rappel promis", True)
    ]
    line = next(one for one in read(rt, supervisor(staff), made).story if one.verb is Verb.NUMBER_OPENED)
    assert line.actor == "Worker"
    with rt.db.read() as db:
        assert b"rappel" not in b"".join(db.scalars(select(Addition.body_sealed)))


def test_each_opening_is_written_down(rt: Runtime, staff: STAFF, made: int) -> None:
    consents(rt, "1", "2")
    for reason in ("rappel promis", "pas de reponse"):
        desk.open_number(rt, worker(staff), made, reason)
    assert story.verbs(rt, made).count(Verb.NUMBER_OPENED) == 2
    assert [one.words for one in read(rt, worker(staff), made).notes] == ["rappel promis", "pas de reponse"]


def test_a_number_that_was_not_given_or_is_for_an_sms_is_not_opened(rt: Runtime, staff: STAFF, made: int) -> None:
    for keys in ((), ("3", "1")):
        if keys:
            consents(rt, *keys)
        told = refused(partial(desk.open_number, rt, worker(staff), made, "je l'appelle"))
        assert told.why.startswith("There is no number to call")
    assert Verb.NUMBER_OPENED not in story.verbs(rt, made)
    assert read(rt, worker(staff), made).notes == []


def test_a_number_is_gone_when_the_report_is_closed_and_stays_gone_when_it_is_open_once_more(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    consents(rt, "1", "2")
    desk.close(rt, worker(staff), made, Outcome.HELPED)
    assert count(rt, Contact) == 0
    assert Verb.NUMBER_ERASED in story.verbs(rt, made)
    looks(rt, "2", session="not settled")
    sweep(rt)
    assert desk.accept(rt, supervisor(staff), made)
    refused(partial(desk.open_number, rt, supervisor(staff), made, "je l'appelle"))


def test_a_number_is_not_opened_after_thirty_days_and_the_purge_erases_it(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    consents(rt, "1", "2")
    for _ in range(contact.LASTS.days - 1):
        story.clock(rt).go(days=1)
        purge(rt)
    assert desk.open_number(rt, worker(staff), made, "encore un essai").number == CALLER
    story.clock(rt).go(days=1)
    refused(partial(desk.open_number, rt, worker(staff), made, "encore un essai"))
    purge(rt)
    assert count(rt, Contact) == 0
    assert story.verbs(rt, made)[-1] is Verb.NUMBER_ERASED


# The last words


@pytest.mark.parametrize("language", LANGUAGE_KEYS)
def test_a_closed_report_says_the_ready_words_of_its_outcome_or_the_case_workers_own(
    rt: Runtime, staff: STAFF, language: str
) -> None:
    for outcome in Outcome:
        if outcome is Outcome.WITHDRAWN:
            continue
        made = taken(rt, staff, language, outcome.value)
        desk.close(rt, worker(staff), made, outcome)
        shown = looks(rt, language=language, session=f"back-{outcome}", told=outcome.value)
        assert rt.book.closings[outcome.value][language] in shown
        assert septets(shown) <= 160
    made = taken(rt, staff, language, "own")
    desk.close(rt, worker(staff), made, Outcome.HELPED, "é" * 60)
    shown = looks(rt, language=language, session="back-own", told="own")
    assert "é" * 60 in shown
    assert rt.book.closings["helped"][language] not in shown


@pytest.mark.parametrize("words", ["a" * 61, "êtes", "0812345678", "€" * 31])
def test_last_words_that_do_not_fit_close_nothing(rt: Runtime, staff: STAFF, made: int, words: str) -> None:
    told = refused(partial(desk.close, rt, worker(staff), made, Outcome.HELPED, words))
    assert told.field == "closing"
    assert story.coarse(rt, made).state is State.ACCEPTED
    assert count(rt, Letter) == 0


def test_nobody_else_has_the_last_word(rt: Runtime, staff: STAFF, made: int) -> None:
    refused(partial(desk.close, rt, supervisor(staff), made, Outcome.HELPED, "C'est fini."))
    assert count(rt, Letter) == 0
    desk.close(rt, worker(staff), made, Outcome.HELPED, "C'est fini.")
    refused(partial(desk.close, rt, worker(staff), made, Outcome.HELPED, "Encore."))
    assert [one.words for one in read(rt, worker(staff), made).letters] == ["C'est fini."]


def test_a_report_that_is_closed_twice_ends_with_its_last_words(rt: Runtime, staff: STAFF, made: int) -> None:
    desk.close(rt, worker(staff), made, Outcome.HELPED, "C'est fini.")
    looks(rt, "2", session="not settled")
    sweep(rt)
    desk.accept(rt, supervisor(staff), made)
    desk.close(rt, supervisor(staff), made, Outcome.REFERRED, "Le service des eaux vient.")
    assert "Le service des eaux vient." in looks(rt, session="closed again")


# A withdrawal that a person decides


def test_who_decides_about_a_withdrawal_is_a_supervisor_who_has_taken_the_report(
    rt: Runtime, staff: STAFF
) -> None:
    made = story.tell(rt, story.DANGER)
    dispatch(rt, made)
    close = partial(desk.close, rt, supervisor(staff), made, Outcome.WITHDRAWN)
    desk.accept(rt, worker(staff), made)
    assert refused(close).why == "The reporter has not asked for this."
    found = story.press(rt, story.DANGER).text.split("\n")[1].replace(" ", "")
    story.press(rt, ("2", "3", found, "5", "1"), "withdraws")
    told = refused(partial(desk.close, rt, worker(staff), made, Outcome.WITHDRAWN))
    assert told.why.startswith("A supervisor")
    assert refused(close).why.startswith("A supervisor"), "as long as somebody else has it"
    desk.hand_on(rt, worker(staff), made, HandOnReason.OTHER_WORK, staff["supervisor"])
    desk.accept(rt, supervisor(staff), made)
    close()
    assert refused(close).why == "The reporter has not asked for this."
    with rt.db.read() as db:
        assert db.scalar(select(Report.body_sealed).where(Report.id == made)) == b""
        assert plan.holds(db, made) == set()
    assert story.coarse(rt, made).outcome is Outcome.WITHDRAWN


# Leaving out


def test_whoever_is_left_out_loses_the_report_with_their_organisation_and_those_they_answer_to(
    rt: Runtime, staff: STAFF
) -> None:
    with rt.begin() as unit:
        build.belongs(unit.db, rt.now(), "Cabinet")
    boss = build.person(rt, "Boss", works_for="Cabinet")
    first = build.person(rt, "First", works_for="Firm")
    second = build.person(rt, "Second", works_for="Firm")
    third = build.person(rt, "Third", works_for="Bureau", under=second)
    made = story.tell(rt, story.DANGER)
    dispatch(rt, made)
    with rt.db.read() as db:
        before = {person for person, _ in plan.people(db, made)}
    assert {boss, first, second, third} <= before
    assert desk.leave_out(rt, supervisor(staff), made, first) is True
    with rt.db.read() as db:
        after, holds = {person for person, _ in plan.people(db, made)}, plan.holds(db, made)
    assert before - after == {first, second, third}
    assert not holds & {first, second, third}
    assert story.verbs(rt, made)[-1] is Verb.NARROWED
    line = next(one for one in read(rt, supervisor(staff), made).story if one.verb is Verb.NARROWED)
    assert (line.actor, line.subject) == ("Supervisor", None), "who was left out is written down nowhere"


def test_a_report_that_somebody_had_when_they_were_left_out_goes_to_the_next(rt: Runtime, staff: STAFF) -> None:
    lynx = build.person(rt, "Lynx", works_for="Firm", lanes=frozenset({"community"}))
    made = story.tell(rt, ("2", "2", "5", "1", "1"))
    story.leave(rt, staff["worker"])
    story.ended(rt)
    dispatch(rt, made)
    assert desk.accept(rt, build.reader(lynx), made)
    assert desk.leave_out(rt, supervisor(staff), made, lynx) is True
    assert desk.read(rt, build.reader(lynx), made) is None
    refused(partial(desk.note, rt, build.reader(lynx), made, "encore la"))
    sweep(rt)
    assert story.asked(rt, made)[-1] == ("Supervisor", "pending")


def test_leaving_out_ones_own_organisation_takes_the_report_from_oneself(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    assert desk.leave_out(rt, supervisor(staff), made, staff["worker"]) is False
    assert desk.read(rt, supervisor(staff), made) is None
    assert story.plan(rt, made) == [(staff["integrity"], False)]
    sweep(rt)
    assert story.asked(rt, made)[-1] == ("Integrity", "pending")
    assert desk.read(rt, build.reader(staff["integrity"]), made) is not None


def test_only_a_colleague_of_the_plan_is_left_out_and_nobody_leaves_out_themselves(
    rt: Runtime, staff: STAFF, made: int
) -> None:
    stranger = build.person(rt, "Stranger", lanes=frozenset({"money"}))
    for person in (staff["supervisor"], stranger, 999):
        assert refused(partial(desk.leave_out, rt, supervisor(staff), made, person)).field == "person"
    told = refused(partial(desk.leave_out, rt, build.reader(stranger), made, staff["worker"]))
    assert told.why == "This report is not here."
    assert Verb.NARROWED not in story.verbs(rt, made)


def test_nobody_takes_the_last_integrity_officer_off_a_plan(rt: Runtime, staff: STAFF) -> None:
    """One person alone would shut out who watches over them; of two officers one may go."""
    made = taken(rt, staff)
    for reader in (worker(staff), supervisor(staff)):
        told = refused(partial(desk.leave_out, rt, reader, made, staff["integrity"]))
        assert (told.field, told.why.startswith("Nobody independent")) == ("person", True)
    assert staff["integrity"] in [person for person, _ in story.plan(rt, made)]
    build.person(rt, "Another", Role.INTEGRITY_OFFICER, works_for="Elsewhere")
    both = taken(rt, staff, session="two")
    desk.leave_out(rt, supervisor(staff), both, staff["integrity"])
    assert staff["integrity"] not in [person for person, _ in story.plan(rt, both)]


def test_whoever_was_left_out_gets_no_sms_that_still_waits(rt: Runtime, staff: STAFF) -> None:
    first = build.person(rt, "First", works_for="Firm", lanes=frozenset({"community"}))
    story.leave(rt, staff["worker"])
    made = story.tell(rt, ("2", "2", "5", "1", "1"))
    story.ended(rt)
    dispatch(rt, made)
    desk.leave_out(rt, supervisor(staff), made, first)
    sweep(rt)
    with rt.db.read() as db:
        assert db.scalar(select(func.count()).select_from(Message).where(Message.state == "sent")) == 1
    assert len(build.operator(rt).sms) == 1


# Holding


def test_two_people_hold_a_report_and_one_alone_does_not(rt: Runtime, staff: STAFF, made: int) -> None:
    second = story.person(rt, "Second", Role.SUPERVISOR)
    fresh = story.tell(rt, story.HAZARD, "two")
    story.ended(rt, "two")
    dispatch(rt, fresh)
    one, two = supervisor(staff), build.reader(second)
    until = rt.today() + timedelta(days=90)
    assert (
        refused(partial(desk.agree_to_hold, rt, one, fresh, until)).why
        == "Nobody asks for this report to be held."
    )
    desk.ask_to_hold(rt, one, fresh, until)
    standing = read(rt, two, fresh).hold
    assert standing is not None
    assert (standing.until, standing.asked_by, standing.agreed) == (until, staff["supervisor"], False)
    assert refused(partial(desk.agree_to_hold, rt, one, fresh, until)).why.startswith("Somebody else agrees")
    desk.agree_to_hold(rt, two, fresh, until)
    refused(partial(desk.agree_to_hold, rt, two, fresh, until))
    assert refused(partial(desk.ask_to_hold, rt, two, fresh, until)).why == "This report is held already."
    with rt.db.read() as db:
        assert hold.in_force(db, fresh, rt.today())
        assert hold.in_force(db, fresh, until)
        assert not hold.in_force(db, fresh, until + timedelta(days=1))
        assert not hold.in_force(db, made, rt.today())
    assert [verb for verb in story.verbs(rt, fresh) if verb in (Verb.HOLD_ASKED, Verb.HELD)] == [
        Verb.HOLD_ASKED,
        Verb.HELD,
    ]


def test_a_case_worker_holds_nothing_and_nobody_holds_for_ever(rt: Runtime, staff: STAFF, made: int) -> None:
    until = rt.today() + timedelta(days=90)
    assert refused(partial(desk.ask_to_hold, rt, worker(staff), made, until)).why.startswith("Two supervisors")
    for days in (0, -1, hold.LONGEST.days + 1):
        wrong = rt.today() + timedelta(days=days)
        assert refused(partial(desk.ask_to_hold, rt, supervisor(staff), made, wrong)).field == "until"
    desk.ask_to_hold(rt, supervisor(staff), made, rt.today() + hold.LONGEST)
    assert refused(partial(desk.agree_to_hold, rt, worker(staff), made, until)).why.startswith("Two supervisors")
    outsider = build.reader(staff["integrity"])
    assert refused(partial(desk.agree_to_hold, rt, outsider, made, until)).why == "This report is not here."


def test_a_held_report_is_not_withdrawn_by_a_supervisor_before_its_day(rt: Runtime, staff: STAFF) -> None:
    second = story.person(rt, "Second", Role.SUPERVISOR)
    made = story.tell(rt, story.DANGER)
    dispatch(rt, made)
    until = rt.today() + timedelta(days=90)
    desk.ask_to_hold(rt, supervisor(staff), made, until)
    desk.agree_to_hold(rt, build.reader(second), made, until)
    found = story.press(rt, story.DANGER).text.split("\n")[1].replace(" ", "")
    story.press(rt, ("2", "3", found, "5", "1"), "withdraws")
    desk.accept(rt, supervisor(staff), made)
    told = refused(partial(desk.close, rt, supervisor(staff), made, Outcome.WITHDRAWN))
    assert told.why.startswith("Two people hold this report")
    story.clock(rt).go(days=91)
    desk.close(rt, supervisor(staff), made, Outcome.WITHDRAWN)
    assert story.coarse(rt, made).outcome is Outcome.WITHDRAWN
