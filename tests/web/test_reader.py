"""Words, days and clocks as a reader reads them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from gateway.casework import Refused
from gateway.runtime import Runtime
from gateway.web import reader
from tests import build

FRENCH = "gateway_language=fr"
ENGLISH = "gateway_language=en"


@pytest.mark.parametrize(
    ("cookie", "language"),
    [
        ("", "fr"),
        (FRENCH, "fr"),
        (ENGLISH, "en"),
        ("gateway_language=ln", "fr"),
        ("gateway_language=", "fr"),
    ],
)
def test_the_language_is_the_chosen_one_or_french(app: Flask, cookie: str, language: str) -> None:
    with app.test_request_context(headers={"Cookie": cookie}):
        assert reader.language() == language


@pytest.mark.parametrize(
    ("left", "french", "english"),
    [
        (timedelta(seconds=30), "reste moins d'une minute", "less than a minute left"),
        (timedelta(minutes=42, seconds=59), "reste 42 min", "42 min left"),
        (timedelta(hours=1, minutes=5), "reste 1 h 05", "1 h 05 min left"),
        (timedelta(hours=47, minutes=59), "reste 47 h 59", "47 h 59 min left"),
        (timedelta(days=2), "reste 2 j", "2 days left"),
        (timedelta(0), "reste moins d'une minute", "less than a minute left"),
        (-timedelta(seconds=5), "vient de s'écouler", "just run out"),
        (-timedelta(minutes=12), "dépassé de 12 min", "12 min overdue"),
        (-timedelta(hours=3, minutes=20), "dépassé de 3 h 20", "3 h 20 min overdue"),
        (-timedelta(days=5), "dépassé de 5 j", "5 days overdue"),
    ],
)
def test_a_clock_is_told_in_words(app: Flask, light: Runtime, left: timedelta, french: str, english: str) -> None:
    for cookie, words in ((FRENCH, french), (ENGLISH, english)):
        with app.test_request_context(headers={"Cookie": cookie}):
            assert reader.clock_words(light.now() + left) == words
            assert reader.is_late(light.now() + left) == (left < timedelta(0))


def test_moments_are_local_and_to_the_minute(app: Flask) -> None:
    late = build.START + timedelta(hours=14, minutes=5)  # 22:05 in UTC, after midnight in Lubumbashi
    with app.test_request_context(headers={"Cookie": FRENCH}):
        assert reader.moment(build.START) == "21/11/2026 10:00"
        assert reader.moment_today(build.START) == "10:00"
        assert reader.moment_today(late) == "22/11/2026 00:05"
    with app.test_request_context(headers={"Cookie": ENGLISH}):
        assert reader.moment(build.START) == "21 Nov 2026 10:00"


def test_days_near_by_have_names(app: Flask, light: Runtime) -> None:
    today = light.today()
    with app.test_request_context(headers={"Cookie": FRENCH}):
        days = [reader.day_words(today - timedelta(days=back)) for back in (0, 1, 2)]
        assert days == ["aujourd'hui", "hier", "19/11/2026"]


def test_a_refusal_is_told_with_its_values(app: Flask) -> None:
    with app.test_request_context(headers={"Cookie": FRENCH}):
        refused = Refused("name", "A phone cannot show these letters: %(letters)s.", letters="ŋ")
        assert reader.refusal(refused) == "Un téléphone ne peut pas afficher ces lettres : ŋ."


@pytest.mark.parametrize("path", ["/", "/reports?shelf=mine&after=P0-1-2", "/people/3", "/a:b"])
def test_a_path_of_ours_is_kept(path: str) -> None:
    assert reader.local_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "reports",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "https://evil.example",
        "/\n/evil.example",
        "/\t/x",
        "javascript:alert(1)",
        "/\u2028x",
    ],
)
def test_a_path_that_could_lead_elsewhere_is_dropped(path: str) -> None:
    assert reader.local_path(path) == ""


@given(st.text(st.sampled_from("/\\:.a@?#\t\n \u2028[]"), max_size=12))
def test_a_kept_path_always_begins_with_one_slash_only(path: str) -> None:
    kept = reader.local_path(path)
    assert kept in ("", path)
    assert not kept or (kept[0] == "/" and kept[1:2] not in ("/", "\\"))
