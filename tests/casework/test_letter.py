"""Letters: the oldest first, as often as a line may drop, and each opened by exactly those it was written to."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from gateway.casework import letter, plan, report
from gateway.casework.letter import STAYS, Kind, Letter, Waiting
from gateway.casework.report import Report
from gateway.vault import Pair, SealBroken, open_with
from gateway.vault.pairs import new_pair
from tests.casework.house import DAY, House, seen

ONE = timedelta(days=1)


class Told:
    """A report with its reporter's reply pair, and a worker who writes."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.reply = new_pair()
        self.worker = house.person()
        self.made = house.filed([seen(self.worker)], reply=self.reply.public)
        self.shown = 0
        """The letter that the reporter saw last."""

    @property
    def pair(self) -> Pair:
        """The report's own, as its worker opens it."""
        envelope = self.house.ask(plan.envelope, self.made, self.worker)
        assert envelope is not None
        place = report.place(self.made)
        return self.house.keys.open_envelope(
            self.worker, self.house.pairs[self.worker], place, "2026-11", envelope
        )

    def write(self, body: bytes = b"a letter", kind: Kind = Kind.MESSAGE, day: date = DAY) -> None:
        self.house.do(self._write, day, kind, body)

    def _write(self, db: Session, day: date, kind: Kind, body: bytes) -> None:
        letter.write(db, self.house.keys, self.house.lock(db, self.made), day, kind, body, self.worker)

    def answer(self, body: bytes = b"an answer", day: date = DAY, to: int | None = None) -> None:
        self.house.do(self._answer, day, body, to or self.shown)

    def _answer(self, db: Session, day: date, body: bytes, to: int) -> None:
        letter.answer(db, self.house.keys, self.house.lock(db, self.made), day, body, to)

    def opened(self, pair: Pair, place: str, sealed: bytes) -> bytes:
        """What a reply key opens while the report's month lasts."""
        return self.house.keys.open_letter(pair, place, "2026-11", sealed)

    def waiting(self, day: date = DAY) -> int | None:
        found = self.house.ask(letter.waiting, self.made, day)
        return found[0].number if found else None

    def show(self, day: date = DAY) -> int | None:
        """The reporter types their code: what they are shown is marked as read."""
        number = self.waiting(day)
        if number is not None:
            self.house.do(letter.read, self.made, number, day)
            self.shown = number
        return number

    def rows(self) -> list[letter.Row]:
        return self.house.ask(letter.of_report, self.made)


@pytest.fixture
def told(house: House) -> Told:
    return Told(house)


def test_nothing_waits_before_anything_is_written(told: Told) -> None:
    assert told.waiting() is None
    assert told.rows() == []


def test_the_oldest_unread_letter_comes_first(told: Told) -> None:
    for kind in (Kind.MESSAGE, Kind.QUESTION, Kind.MESSAGE):
        told.write(kind=kind)
    assert [told.show() for _ in range(3)] == [1, 2, 3]


def test_a_letter_waits_however_long_nobody_looks(told: Told) -> None:
    told.write()
    assert told.waiting(DAY + 400 * ONE) == 1


def test_a_message_stays_for_two_days_after_it_was_first_shown(told: Told) -> None:
    """The line may have dropped while it was read."""
    told.write()
    first = DAY + 10 * ONE
    assert told.show(first) == 1
    assert [told.show(first + at * ONE) for at in range(4)] == [1, 1, None, None]
    assert timedelta(days=2) == STAYS
    assert told.rows()[0].read_on == first, "looking again does not prolong it"


def test_a_question_stays_until_it_is_answered(told: Told) -> None:
    told.write(kind=Kind.QUESTION)
    assert [told.show(DAY + at * ONE) for at in (0, 1, 2, 30, 300)] == [1] * 5
    told.answer(day=DAY + 300 * ONE)
    assert told.waiting(DAY + 300 * ONE) is None


def test_a_question_comes_back_behind_a_later_message(told: Told) -> None:
    told.write(kind=Kind.QUESTION)
    told.write(kind=Kind.MESSAGE)
    assert [told.show(), told.show(), told.show()] == [1, 2, 2]
    assert told.show(DAY + STAYS) == 1


def test_what_was_read_gives_way_to_what_was_not(told: Told) -> None:
    told.write(kind=Kind.QUESTION)
    assert told.show() == 1
    told.write()
    assert [told.show(), told.show()] == [2, 2], "then the last of them stays"


def test_an_answer_answers_what_was_shown_and_messages_read_before_it_and_no_other_question(told: Told) -> None:
    """A question that was put aside must not seem to be answered by what was said to another."""
    for kind in (Kind.QUESTION, Kind.MESSAGE, Kind.MESSAGE, Kind.QUESTION):
        told.write(kind=kind)
        told.show()
    told.answer(to=3)
    assert [row.answered_on for row in told.rows()] == [None, DAY, DAY, None, None]
    assert told.waiting() == 4
    told.answer(to=4)
    assert told.waiting() == 1, "it comes back until it is answered"
    told.answer(to=1)
    assert told.waiting() is None


def test_an_answer_answers_nothing_that_was_not_seen(told: Told) -> None:
    """A question that waits behind a message was never seen: it must not count as answered."""
    told.write(kind=Kind.QUESTION)
    told.write(kind=Kind.MESSAGE)
    told.show()
    later = DAY + 5 * ONE
    told.answer(day=later)
    told.write(kind=Kind.MESSAGE, day=later)
    assert [(row.kind, row.read_on, row.answered_on) for row in told.rows()] == [
        (Kind.QUESTION, DAY, later),
        (Kind.MESSAGE, None, None),
        (Kind.ANSWER, None, None),
        (Kind.MESSAGE, None, None),
    ]
    assert told.waiting(later) == 2


def test_the_last_words_are_shown_on_their_own_and_the_newest_of_them(told: Told) -> None:
    """A report may be closed, opened once more, and closed again."""
    told.write(b"first", Kind.CLOSING)
    assert told.waiting() is None
    told.write(b"again", Kind.CLOSING)
    found = told.house.ask(letter.closing, told.made)
    assert found is not None
    assert (found.number, found.kind) == (2, Kind.CLOSING)
    assert told.opened(told.reply, letter.reply_place(told.made, 2), found.sealed) == b"again"
    assert told.house.ask(letter.closing, told.house.filed()) is None


def test_letters_tell_who_wrote_them_and_when_they_were_read(told: Told) -> None:
    told.write(b"one", Kind.QUESTION)
    told.answer(b"two", DAY + ONE)
    assert [(row.number, row.author_id, row.author, row.kind, row.day) for row in told.rows()] == [
        (1, told.worker, "Worker", Kind.QUESTION, DAY),
        (2, None, None, Kind.ANSWER, DAY + ONE),
    ]


def test_letters_of_one_report_are_not_another_s(house: House) -> None:
    one, other = Told(house), Told(house)
    one.write()
    assert other.waiting() is None
    house.do(letter.erase, other.made)
    assert one.waiting() == 1
    house.do(letter.erase, one.made)
    assert one.rows() == []


def test_an_answer_is_seen_once_and_then_no_more_unseen(told: Told) -> None:
    def unseen(db: Session) -> bool:
        return bool(db.scalar(select(letter.UNSEEN).where(Report.id == told.made)))

    told.write()
    assert not told.house.ask(unseen), "what a colleague wrote is nothing to look at"
    assert told.show() == 1
    told.answer()
    assert told.house.ask(unseen)
    told.house.do(letter.seen, told.made, 99, DAY + ONE)
    assert not told.house.ask(unseen)
    told.house.do(letter.seen, told.made, 99, DAY + 9 * ONE)
    assert [row.read_on for row in told.rows()] == [DAY, DAY + ONE], "and the first day counts"
    told.answer()
    assert told.house.ask(unseen)


# Who opens what.


def test_only_the_code_opens_what_was_written_to_the_reporter_and_only_where_it_was_written(told: Told) -> None:
    told.write(b"to you alone")
    told.write(b"another")
    first = told.house.ask(letter.waiting, told.made, DAY)[0]
    place = letter.reply_place(told.made, 1)
    assert told.opened(told.reply, place, first.sealed) == b"to you alone"
    for pair in (told.pair, new_pair(), told.house.pairs[told.worker]):
        with pytest.raises(SealBroken):
            told.opened(pair, place, first.sealed)
    for elsewhere in (
        letter.reply_place(told.made, 2),
        letter.reply_place(told.made + 1, 1),
        letter.place(told.made, 1, told.worker),
        letter.place(told.made, 1, None),
    ):
        with pytest.raises(SealBroken):
            told.opened(told.reply, elsewhere, first.sealed)


def test_when_the_key_of_its_month_is_gone_no_code_opens_a_letter_and_nobody_writes_one(told: Told) -> None:
    """In any copy of the store: else a month that was destroyed would still be read through the letters."""
    told.write(b"to you alone")
    (only,) = told.house.ask(letter.waiting, told.made, DAY)
    told.house.keys.months.destroy("2026-11", date(2027, 1, 1))
    with pytest.raises(SealBroken, match="month is gone"):
        told.opened(told.reply, letter.reply_place(told.made, 1), only.sealed)
    with pytest.raises(SealBroken, match="month is gone"):
        told.write()
    assert len(told.rows()) == 1


def test_only_the_reports_own_key_opens_what_colleagues_read_and_only_where_it_was_written(told: Told) -> None:
    told.write(b"by a colleague")
    told.answer(b"by the reporter")
    pair = told.pair
    for row, body in zip(told.rows(), (b"by a colleague", b"by the reporter"), strict=True):
        assert open_with(pair, row.place, row.sealed) == body
        for other in (told.reply, new_pair(), told.house.pairs[told.worker]):
            with pytest.raises(SealBroken):
                open_with(other, row.place, row.sealed)
        for elsewhere in (
            letter.reply_place(told.made, row.number),
            letter.place(
                told.made, row.number, 0 if row.author_id else told.worker
            ),  # nobody's word for another's
            letter.place(told.made, row.number + 1, row.author_id),
            letter.place(told.made + 1, row.number, row.author_id),
            report.addition_place(told.made, row.number, row.author_id),
        ):
            with pytest.raises(SealBroken):
                open_with(pair, elsewhere, row.sealed)


def test_what_the_reporter_answered_no_code_opens(told: Told) -> None:
    """Whoever finds the code on a reporter reads what was written to them, never what they wrote."""
    told.answer(b"what I saw")
    stored = told.house.ask(lambda db: db.execute(select(Letter.body_sealed, Letter.reply_sealed)).one())
    assert stored.reply_sealed is None
    with pytest.raises(SealBroken):
        open_with(told.reply, letter.place(told.made, 1, None), stored.body_sealed)


def test_no_word_of_a_letter_stands_in_the_store(told: Told) -> None:
    told.write(b"les mots exacts")
    told.answer(b"reponse exacte")
    rows = told.house.ask(lambda db: db.execute(text("SELECT * FROM letter")).all())
    whole = b"".join(part if isinstance(part, bytes) else str(part).encode() for row in rows for part in row)
    assert b"exact" not in whole
    assert len({len(row.sealed) for row in told.rows()}) == 1, "nor how long it is"


@pytest.mark.parametrize("column", ["reply", "public", "attest"])
@pytest.mark.parametrize("by", ["worker", "reporter"])
def test_when_another_hand_has_changed_a_key_nobody_seals_to_it(told: Told, column: str, by: str) -> None:
    told.write()
    their_own = new_pair().public
    told.house.do(lambda db: db.execute(update(Report).values({column: their_own})))
    with pytest.raises(SealBroken):
        told.write() if by == "worker" else told.answer()
    assert len(told.rows()) == 1


@pytest.mark.parametrize("by", ["worker", "reporter"])
def test_nor_when_they_took_the_key_of_another_report(house: House, by: str) -> None:
    """Which was made here, but not for this one."""
    told, other = Told(house), Told(house)
    theirs = house.coarse(other.made)
    values = {"reply": theirs.reply, "public": theirs.public, "attest": theirs.attest}
    house.do(lambda db: db.execute(update(Report).where(Report.id == told.made).values(values)))
    with pytest.raises(SealBroken):
        told.write() if by == "worker" else told.answer()


def test_a_report_that_has_lost_its_reply_key_takes_no_letter(told: Told) -> None:
    told.house.do(lambda db: db.execute(update(Report).values(reply=None)))
    with pytest.raises(SealBroken):
        told.write()
    with pytest.raises(SealBroken):
        told.answer()


def test_a_report_from_before_there_was_a_reply_key_takes_answers_and_no_letters(told: Told) -> None:
    """Its key was attested without one."""
    house = told.house
    attest = house.keys._of_report(
        house.keys._servers[0], report.place(told.made), house.coarse(told.made).public, b""
    )
    house.do(lambda db: db.execute(update(Report).values(reply=None, attest=attest)))
    with pytest.raises(SealBroken, match="without a reply key"):
        told.write()
    told.answer()
    assert len(told.rows()) == 1


def test_letters_written_at_the_same_time_have_numbers_of_their_own(told: Told) -> None:
    def write(db: Session, body: bytes) -> None:
        told._write(db, DAY, Kind.MESSAGE, body)

    told.house.together(*[partial(write, body=bytes([at])) for at in range(6)])
    rows = told.rows()
    assert [row.number for row in rows] == list(range(1, 7))
    pair = told.pair
    assert {open_with(pair, row.place, row.sealed) for row in rows} == {bytes([at]) for at in range(6)}


def test_a_waiting_letter_shows_nothing_of_itself_when_it_is_printed() -> None:
    assert "secret" not in repr(Waiting(1, Kind.MESSAGE, b"secret"))


class Exchange(RuleBasedStateMachine):
    """Both write and look on whatever days: nothing unread is passed over, nothing answered comes back."""

    house: House

    @initialize()
    def begin(self) -> None:
        self.told = Told(self.house)
        self.today = DAY
        self.kinds: list[Kind] = []
        self.read: dict[int, date] = {}
        self.answered: set[int] = set()

    @rule(kind=st.sampled_from([Kind.MESSAGE, Kind.QUESTION]))
    def write(self, kind: Kind) -> None:
        self.told.write(kind=kind, day=self.today)
        self.kinds.append(kind)

    @rule()
    def answer(self) -> None:
        shown = self.told.shown
        self.told.answer(day=self.today)
        self.kinds.append(Kind.ANSWER)
        before = {number for number in self.read if number < shown and self.kinds[number - 1] is Kind.MESSAGE}
        self.answered |= before | ({shown} if shown else set())

    @rule()
    def look(self) -> None:
        number = self.told.show(self.today)
        if number is not None:
            self.read.setdefault(number, self.today)

    @rule(days=st.integers(min_value=1, max_value=3))
    def wait(self, days: int) -> None:
        self.today += days * ONE

    @invariant()
    def what_waits_is_what_must(self) -> None:
        open_ = [
            number
            for number, kind in enumerate(self.kinds, 1)
            if kind is not Kind.ANSWER and number not in self.answered
        ]
        unread = [number for number in open_ if number not in self.read]
        found = self.told.waiting(self.today)
        if unread:
            assert found == unread[0]
        else:
            staying = [
                number
                for number in open_
                if self.kinds[number - 1] is Kind.QUESTION or self.today < self.read[number] + STAYS
            ]
            assert found == (staying[-1] if staying else None)


def test_whatever_both_do_nothing_unread_is_passed_over(house: House) -> None:
    class Here(Exchange):
        pass

    Here.house = house
    run_state_machine_as_test(Here, settings=settings(max_examples=10, stateful_step_count=15, deadline=None))
