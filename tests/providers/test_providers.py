from __future__ import annotations

import pickle
from itertools import permutations

import pytest

from gateway.providers import SendFailed, State, advance


@pytest.mark.parametrize(
    ("known", "reported", "after"),
    [
        (None, None, None),
        (None, "sent", "sent"),
        (None, "delivered", "delivered"),
        (None, "failed", "failed"),
        ("sent", None, "sent"),
        ("sent", "sent", "sent"),
        ("sent", "delivered", "delivered"),
        ("sent", "failed", "failed"),
        ("delivered", "sent", "delivered"),
        ("delivered", None, "delivered"),
        ("failed", "sent", "failed"),
    ],
)
def test_a_message_only_moves_forward(known: State | None, reported: State | None, after: State | None) -> None:
    assert advance(known, reported) == after


def test_the_first_final_word_stands() -> None:
    assert advance("delivered", "failed") == "delivered"
    assert advance("failed", "delivered") == "failed"


def test_reports_in_any_order_come_to_the_same_end() -> None:
    reports: list[State | None] = [None, "sent", "sent", "delivered", "delivered"]
    for order in permutations(reports):
        known: State | None = None
        for reported in order:
            known = advance(known, reported)
        assert known == "delivered"


def test_a_failed_sending_says_its_kind_and_code() -> None:
    failed = SendFailed("held", "405")
    assert (failed.kind, failed.code, str(failed)) == ("held", "405", "held (405)")
    assert str(pickle.loads(pickle.dumps(failed))) == "held (405)"
