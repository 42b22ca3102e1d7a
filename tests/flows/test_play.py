"""The phone in the terminal."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from gateway import flows
from gateway.flows import play
from gateway.settings import ROOT

BOOK = flows.load(ROOT / "flows", ROOT / "locales")


def played(keys: Iterable[str]) -> str:
    shown: list[str] = []
    waiting = iter(keys)

    def ask(prompt: str) -> str:
        try:
            return next(waiting)
        except StopIteration:
            raise EOFError from None

    play.play(BOOK, ask, shown.append)
    return "\n".join(shown)


@pytest.mark.parametrize(("language", "arrived"), [("2", "Bien arrivé"), ("3", "Imefika"), ("4", "Ekomi")])
def test_a_report_can_be_played_in_each_language_and_nothing_is_sent(language: str, arrived: str) -> None:
    shown = played([language, "1", "1", "1", "1"])
    assert arrived in shown
    assert "here the report is made durable" in shown
    assert play.CODE in shown


def test_every_frame_holds_its_words_and_says_how_long_they_are() -> None:
    shown = played("2211")
    for line in shown.splitlines():
        if line.startswith("  │"):
            assert len(line) == play.WIDTH + 4, line
    assert shown.count("/160") == 5


def test_several_keys_may_be_typed_at_once_and_an_empty_line_hangs_up() -> None:
    assert "Bien arrivé" in played(["1*1*1*1*1", "", "3"])
    assert "Merci" not in played(["1*1*1*1*1", "", "3"])


def test_it_ends_with_the_dialogue() -> None:
    assert played(["2", "99", "1", "1"]).endswith("/160")


@pytest.mark.parametrize(
    ("answer", "shown"), [("question", "x" * 34), ("in_work", "28/11"), ("moon", "1 Essayer encore")]
)
def test_whoever_plays_answers_for_the_store(answer: str, shown: str) -> None:
    told = played(["2", "3", "000000000000", answer])
    assert "the store is asked; it may answer letter, question, closed" in told
    assert shown in told
    screen = {"moon": "nothing_new"}.get(answer, answer)
    assert f" {screen}, " in told.splitlines()[-1]


def test_asking_to_be_called_files_a_report_and_keeps_how() -> None:
    told = played(["2", "4", "1", "1"])
    assert told.index("here the report is made durable") < told.index(
        "the way to reach the caller is kept, sealed"
    )
    assert play.CODE in told
