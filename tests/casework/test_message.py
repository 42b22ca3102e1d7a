"""The outbox: every message goes to one sender at a time, and ends delivered or visibly failed."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.casework import caseworker, journal, message, referral, report
from gateway.casework.message import EarlyReceipt, Kind, Message, State
from gateway.casework.referral import HandOnReason
from gateway.casework.verb import Verb
from tests.build import START
from tests.casework.house import SOON, House

RECEIPTS = (State.SENT, State.DELIVERED, State.FAILED)


class Box:
    """Messages of one house, one referral each."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.person = house.person()

    def queue(self, now: datetime = START) -> int:
        """Write a message about a report of its own."""
        return self.house.do(message.queue, self.refer(), Kind.ALERT, now)

    def refer(self) -> int:
        return self.house.offer(self.house.filed([self.person]), self.person)

    def claim(self, now: datetime = START, limit: int = 100) -> list[message.Due]:
        return self.house.do(message.claim, now, limit)

    def sent(self, row: int, mark: str = "id", now: datetime = START) -> int | None:
        return self.house.do(message.sent, row, mark, now)

    def row(self, row: int) -> tuple[str, str | None, datetime, int, str | None]:
        """State, failure, when it may next be tried, tries so far, the provider's id."""
        columns = (Message.state, Message.failure, Message.due_at, Message.attempt, Message.mark)
        found = self.house.ask(lambda db: db.execute(select(*columns).where(Message.id == row)).one())
        return found[0], found[1], found[2], found[3], found[4]

    def state(self, row: int) -> str:
        return self.row(row)[0]

    def verbs(self, row: int) -> list[Verb]:
        """What the journal says of the message's report, but for the offer."""
        made = self.house.ask(
            lambda db: db.scalar(
                select(referral.Referral.report_id)
                .join(Message, Message.referral_id == referral.Referral.id)
                .where(Message.id == row)
            )
        )
        assert made is not None
        return [line.verb for line in self.house.ask(journal.of_report, made) if line.verb != Verb.OFFERED]

    def strays(self) -> list[str]:
        return list(self.house.ask(lambda db: db.scalars(select(EarlyReceipt.mark)).all()))


@pytest.fixture
def box(house: House) -> Box:
    return Box(house)


def test_a_message_holds_whom_and_which_and_no_text(box: Box) -> None:
    box.queue()
    (due,) = box.claim()
    assert (due.kind, due.person, due.language, due.deadline, due.attempt, due.again) == (
        Kind.ALERT,
        box.person,
        "fr",
        SOON,
        1,
        False,
    )
    assert len(due.reference) == 6


def test_a_claimed_message_is_nobody_elses_until_its_lease_is_over(box: Box) -> None:
    row = box.queue()
    assert [due.id for due in box.claim()] == [row]
    assert box.claim() == []
    assert not box.house.ask(message.is_due, START)
    assert box.claim(START + message.LEASE - timedelta(microseconds=1)) == []
    assert [due.attempt for due in box.claim(START + message.LEASE)] == [2]


def test_what_is_not_yet_due_is_not_claimed(box: Box) -> None:
    row = box.queue(SOON)
    assert box.claim(SOON - timedelta(microseconds=1)) == []
    assert not box.house.ask(message.is_due, START)
    assert box.house.ask(message.is_due, SOON)
    assert [due.id for due in box.claim(SOON)] == [row]


def test_what_was_due_longest_is_claimed_first_and_no_more_than_asked(box: Box) -> None:
    rows = [box.queue(START - timedelta(seconds=at)) for at in (1, 3, 2)]
    assert [due.id for due in box.claim(limit=2)] == [rows[1], rows[2]]
    assert [due.id for due in box.claim(limit=2)] == [rows[0]]


def test_many_senders_never_claim_the_same_message(box: Box) -> None:
    rows = {box.queue() for _ in range(24)}
    start = threading.Barrier(6)

    def sender(_: int) -> list[int]:
        start.wait()
        mine: list[int] = []
        while claimed := box.claim(limit=3):
            mine += [due.id for due in claimed]
        return mine

    with ThreadPoolExecutor(6) as pool:
        claimed = list(itertools.chain.from_iterable(pool.map(sender, range(6))))
    assert sorted(claimed) == sorted(rows)


def test_a_sent_message_is_not_claimed_again(box: Box) -> None:
    row = box.queue()
    box.claim()
    assert box.sent(row) is None
    assert box.row(row)[:2] == ("sent", None)
    assert box.claim(START + timedelta(days=30)) == []
    assert box.verbs(row) == [Verb.SENT]


def test_waits_between_tries_grow_and_the_last_is_repeated(box: Box) -> None:
    row = box.queue()
    now = START
    for wait in (*message.RETRY_AFTER, message.RETRY_AFTER[-1], message.RETRY_AFTER[-1]):
        (due,) = box.claim(now)
        box.house.do(message.put_off, due, "retry", now)
        assert box.row(row)[:3] == ("queued", "retry", now + wait)
        assert box.claim(now + wait - timedelta(microseconds=1)) == []
        now += wait


def test_a_message_that_may_have_gone_is_sent_once_more_and_then_has_failed(box: Box) -> None:
    row = box.queue()
    (due,) = box.claim()
    assert box.house.do(message.may_have_gone, due, START) is None
    assert box.claim(START + message.UNKNOWN_WAIT - timedelta(microseconds=1)) == []
    later = START + message.UNKNOWN_WAIT
    (again,) = box.claim(later)
    assert again.again
    failed = box.house.do(message.may_have_gone, again, later)
    assert failed is not None
    assert box.row(row)[:2] == ("failed", "unknown")
    assert box.claim(later + timedelta(days=30)) == []
    assert box.verbs(row) == [Verb.FAILED]


def test_a_failure_names_its_referral_once(box: Box) -> None:
    offered = box.refer()
    row = box.house.do(message.queue, offered, Kind.ALERT, START)
    box.claim()
    assert box.house.do(message.fail, row, "refused", START) == offered
    assert box.house.do(message.fail, row, "refused", START) is None
    assert box.verbs(row) == [Verb.FAILED]


# Delivery reports


@pytest.mark.parametrize("early", [0, 1, 3], ids=["all late", "one early", "all early"])
def test_delivery_reports_in_any_order_and_number_give_one_final_state(box: Box, early: int) -> None:
    orders = itertools.chain.from_iterable(itertools.product(RECEIPTS, repeat=size) for size in (1, 2, 3))
    for order in orders:
        row = box.queue()
        box.claim()

        def play(db: Session, row: int = row, order: tuple[State, ...] = order) -> list[int | None]:
            before = [message.receive(db, f"ATXid_{row}", state, START) for state in order[:early]]
            failed = message.sent(db, row, f"ATXid_{row}", START)
            return [
                *before,
                failed,
                *(message.receive(db, f"ATXid_{row}", state, START) for state in order[early:]),
            ]

        failed = [one for one in box.house.do(play) if one is not None]
        final = next((state for state in order if state is not State.SENT), State.SENT)
        assert box.state(row) == final.value, order
        assert len(failed) == (final is State.FAILED), order
        told = {State.SENT: [], State.DELIVERED: [Verb.DELIVERED], State.FAILED: [Verb.FAILED]}[final]
        assert box.verbs(row) == [Verb.SENT, *told], order
    assert box.strays() == []


def test_a_failure_that_was_reported_too_early_still_names_its_referral(box: Box) -> None:
    offered = box.refer()
    row = box.house.do(message.queue, offered, Kind.ALERT, START)
    box.claim()
    assert box.house.do(message.receive, "id", State.FAILED, START) is None
    assert box.sent(row) == offered
    assert box.state(row) == "failed"


def test_a_delivery_report_that_comes_while_we_write_down_whose_it_is_is_not_lost(box: Box) -> None:
    row = box.queue()
    box.claim()
    written = threading.Event()

    def report_delivery() -> None:
        written.wait()
        box.house.do(message.receive, "id", State.DELIVERED, START)

    with ThreadPoolExecutor(1) as pool:
        with box.house.db.begin() as db:
            message.sent(db, row, "id", START)
            arriving = pool.submit(report_delivery)
            written.set()
            # It waits for this transaction on PostgreSQL's lock or SQLite's; both ways it must see its end.
            with pytest.raises(TimeoutError):
                arriving.result(timeout=0.3)
            journal.settle(db, box.house.keys.journal_key)
        arriving.result()
    assert box.state(row) == "delivered"
    assert box.strays() == []


def test_a_report_of_nothing_final_is_not_kept(box: Box) -> None:
    assert box.house.do(message.receive, "unknown", State.SENT, START) is None
    assert box.strays() == []


def test_stray_reports_are_forgotten_after_their_time(box: Box) -> None:
    box.house.do(message.receive, "old", State.DELIVERED, START)
    box.house.do(message.receive, "new", State.DELIVERED, SOON)
    assert box.house.do(message.forget_early, SOON) == 1
    assert box.strays() == ["new"]


def test_the_longest_id_a_provider_may_give_is_kept_whole(box: Box) -> None:
    row = box.queue()
    longest = "A" * 64
    box.claim()
    box.house.do(message.receive, "B" * 64, State.DELIVERED, START)
    box.sent(row, longest)
    box.house.do(message.receive, longest, State.DELIVERED, START)
    assert box.state(row) == "delivered"


def test_an_id_given_twice_does_not_send_a_message_for_ever(box: Box) -> None:
    first, second = box.queue(), box.queue()
    box.claim()
    box.sent(first, "same")
    box.sent(second, "same")
    assert [box.row(row)[::4] for row in (first, second)] == [("sent", "same"), ("sent", None)]
    assert box.claim(START + timedelta(days=1)) == []


# Late answers of a sender whose lease was over


def test_what_a_late_sender_says_does_not_undo_what_is_known(box: Box) -> None:
    row = box.queue()
    (late,) = box.claim()
    box.claim(START + message.LEASE)
    box.sent(row, "second")
    known = box.row(row)
    assert box.house.do(message.may_have_gone, late, SOON) is None
    assert box.row(row) == known
    box.house.do(message.put_off, late, "retry", SOON)
    assert box.row(row) == known
    assert box.house.do(message.fail, late.id, "refused", SOON) is None
    assert box.row(row) == known
    assert box.sent(row, "first") is None
    assert box.row(row) == known
    box.house.do(message.receive, "second", State.DELIVERED, SOON)
    box.house.do(message.fail, late.id, "refused", SOON)
    assert box.state(row) == "delivered"


# What nobody waits for any more


def queued(box: Box) -> tuple[int, int, int]:
    """A report, its referral, and the message about it."""
    made = box.house.filed([box.person])
    offered = box.house.offer(made, box.person)
    return made, offered, box.house.do(message.queue, offered, Kind.ALERT, START)


def withdrawn(box: Box, row: int) -> bool:
    claimed = [due.id for due in box.claim()]
    assert (row in claimed) != (box.row(row)[:2] == ("failed", "withdrawn"))
    return row not in claimed


def test_nobody_is_told_of_a_report_that_was_brought_to_somebody_else(box: Box) -> None:
    made, _, row = queued(box)
    box.house.offer(made, box.house.person())
    assert withdrawn(box, row)
    assert box.verbs(row) == [], "it was never tried"


def test_nobody_is_told_of_a_report_that_somebody_has(box: Box) -> None:
    made, _, row = queued(box)
    box.house.accept(made, box.person)
    assert withdrawn(box, row)


def test_nobody_is_told_of_a_report_they_must_not_see(box: Box) -> None:
    made, _, row = queued(box)
    box.house.do(
        lambda db: referral.hand_on(db, box.house.lock(db, made), box.person, HandOnReason.KNOWS_SOMEBODY, START)
    )
    assert withdrawn(box, row)


def test_the_accused_is_not_told_when_a_report_leaves_their_lane(box: Box) -> None:
    made, offered, row = queued(box)
    box.house.do(referral.expire, offered, SOON)
    box.house.do(report.move, made, "integrity", [], START)
    assert withdrawn(box, row)


def test_nobody_is_told_who_has_left_the_house(box: Box) -> None:
    _, _, row = queued(box)
    box.house.do(caseworker.change, box.house.keys, box.person, box.house.entered(active=False))
    assert withdrawn(box, row)


def test_whoever_was_asked_in_vain_is_still_told_while_nobody_has_the_report(box: Box) -> None:
    made, offered, row = queued(box)
    box.house.do(referral.expire, offered, SOON)
    (due,) = box.claim()
    box.house.do(message.put_off, due, "retry", START - message.RETRY_AFTER[0])
    box.house.accept(made, box.house.person())
    assert withdrawn(box, row)
