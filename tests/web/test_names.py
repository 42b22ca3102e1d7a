"""Every short word of ours has a name on the pages, and every answer is shown in the reader's language."""

from __future__ import annotations

import pytest
from flask import Flask

from gateway.app import create_app
from gateway.casework.caseworker import Role
from gateway.casework.referral import HandOnReason
from gateway.casework.report import Outcome, State
from gateway.casework.shelf import Shelf
from gateway.casework.verb import ATTESTS, Verb
from gateway.flows.definition import LANGUAGES, SEVERITIES
from gateway.runtime import Runtime
from gateway.web import names

TOLD = {
    Verb.OPENED,
    Verb.REMINDED,
    Verb.NUMBER_ERASED,
    Verb.SENT,
    Verb.DELIVERED,
    Verb.FAILED,
}
"""What is said of a report though nothing of it changed."""
STORY = [verb for verb in Verb if (ATTESTS.get(verb) == "report" and verb is not Verb.CLOCK_SET) or verb in TOLD]


@pytest.fixture
def app(light: Runtime) -> Flask:
    return create_app(light)


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        (Role, names.ROLES),
        (STORY, names.STORY),
        (HandOnReason, names.REASONS),
        (Outcome, names.OUTCOMES),
        (State, names.STATES),
        (Shelf, names.SHELVES),
        (SEVERITIES, names.SEVERITIES),
        (SEVERITIES, names.SHAPES),
        (LANGUAGES, names.LANGUAGES),
    ],
    ids=("role", "verb", "reason", "outcome", "state", "shelf", "severity", "shape", "language"),
)
def test_every_word_of_the_house_has_a_name_on_the_pages(kind: list[str], named: dict[str, str]) -> None:
    assert list(kind) == list(named)


def test_every_lane_and_every_field_of_the_book_has_a_name(light: Runtime) -> None:
    book = light.book
    assert {*(topic.lane for topic in book.topics.values()), *book.moves.values()} == set(names.LANES)
    assert {field for field, _ in book.settable} | {"text"} <= set(book.names)


def test_an_answer_is_shown_in_the_readers_language_and_what_was_typed_in_the_callers(
    app: Flask, light: Runtime
) -> None:
    with app.test_request_context():
        assert names.asked(light.book, "accused") == "Qui l'a fait, ou qui dirige là-bas"
        assert names.answered(light.book, "topic", "danger_child", "Mutoto") == "Enfant en danger"
        assert names.answered(light.book, "detail", "underground", "Iko ndani ya puits") == "Au fond du puits"
        assert names.answered(light.book, "site", "7", "Kasulo") == "Kasulo"
        assert names.answered(light.book, "site", "unknown", "fasi ingine") == "Lieu non précisé"
        assert names.answered(light.book, "text", "underground", "underground") is None


def test_what_an_older_book_asked_is_shown_as_it_was(app: Flask, light: Runtime) -> None:
    with app.test_request_context(headers={"Cookie": "gateway_language=en"}):
        assert names.topic(light.book, "gone") == "gone"
        assert names.asked(light.book, "gone") == "gone"
        assert names.answered(light.book, "detail", "gone", "ya zamani") is None
