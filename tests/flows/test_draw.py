"""The picture of the dialogue."""

from __future__ import annotations

import itertools
import re

from gateway import flows
from gateway.flows import draw
from gateway.settings import ROOT

BOOK = flows.load(ROOT / "flows", ROOT / "locales")
PICTURE = draw.mermaid(BOOK)
ARROW = re.compile(r"^  (\w+) (-->|==>)\|(.+)\| (\w+)$")


def arrows() -> set[tuple[str, str]]:
    return {(found[1], found[4]) for line in PICTURE.splitlines() if (found := ARROW.match(line))}


def test_every_screen_is_drawn_and_every_line_is_a_screen_or_an_arrow() -> None:
    first, *lines = PICTURE.splitlines()
    assert first == "graph TD"
    drawn = {found[1] for line in lines if (found := re.fullmatch(r"  (\w+)[\[(]+\w+[\])]+", line))}
    assert drawn == set(BOOK.screens)
    assert all(ARROW.match(line) or re.fullmatch(r"  (\w+)[\[(]+\w+[\])]+", line) for line in lines)


def test_the_urgent_path_can_be_followed_with_a_finger() -> None:
    path = ["language", "emergency", "danger", "site", "confirm_danger", "arrived"]
    assert set(itertools.pairwise(path)) <= arrows()


def test_an_arrow_that_does_something_is_drawn_thicker() -> None:
    assert "confirm_danger ==>|1| arrived" in PICTURE
    assert "confirm_danger -->|2| danger" in PICTURE


def test_a_screen_between_two_details_leads_where_the_row_goes_on() -> None:
    assert ("care", "who") in arrows()
    assert ("child_self", "safe") in arrows()
    assert {target for source, target in arrows() if source == "not_safe"} >= {"people", "words", "done"}


def test_every_screen_but_the_faults_and_the_third_wrong_key_can_be_reached_along_arrows() -> None:
    reached, edge = {BOOK.roles.start}, {BOOK.roles.start}
    while edge:
        edge = {target for source, target in arrows() if source in edge} - reached
        reached |= edge
    faults = {BOOK.roles.down, BOOK.roles.not_arrived, BOOK.roles.not_kept}
    assert set(BOOK.screens) - reached == {*faults, BOOK.roles.stuck}
