"""A phone in the terminal: the dialogue without a network, a store or a report."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from gateway.flows.definition import SITES_PER_PAGE, Book, Known, Site
from gateway.flows.fold import fold
from gateway.flows.screen import render
from gateway.text import septets

CODE = "0000 0000 0000"
WIDTH = 36


def play(book: Book, ask: Callable[[str], str], show: Callable[[str], None]) -> None:
    """Dial, press and read until the dialogue ends or the input does. Nothing is sent anywhere."""
    sites = tuple(Site(place, place, f"{100 + place}", f"Site {place}") for place in range(1, SITES_PER_PAGE + 3))
    known = Known(sites=sites, numbers={}, day=0)
    show("A phone without a network: nothing is sent. Type a key and Enter; an empty line hangs up.")
    inputs: list[str] = []
    done = 0
    while True:
        turn = fold(book, inputs, known)
        for act in turn.acts[done:]:
            show(f"  ({act.kind}: here the report is {'made durable' if act.kind == 'file' else 'added to'})")
        done = len(turn.acts)
        words = render(book, turn, known, code=CODE)
        show(
            "\n".join(
                [
                    "",
                    "  ┌" + "─" * WIDTH + "┐",
                    *(f"  │ {line:<{WIDTH - 2}} │" for line in _wrapped(words)),
                    "  └" + "─" * WIDTH + "┘" + f"  {turn.screen}, {septets(words)}/160",
                ]
            )
        )
        if turn.ends:
            return
        try:
            typed = ask("  > ").strip("\n")
        except (EOFError, KeyboardInterrupt):
            return
        if not typed:
            return
        inputs.extend(typed.split("*"))


def _wrapped(words: str) -> list[str]:
    lines: list[str] = []
    for line in words.split("\n"):
        lines.extend(textwrap.wrap(line, WIDTH - 2) or [""])
    return lines
