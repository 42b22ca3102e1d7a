"""A phone in the terminal: the dialogue without a network, a store or a report."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from gateway.flows.definition import (
    ANSWER_SEPTETS,
    ANSWERS,
    FIXED,
    LETTER,
    NOTHING,
    SITES_PER_PAGE,
    Book,
    Known,
    Question,
    Reply,
    Site,
)
from gateway.flows.fold import fold
from gateway.flows.screen import render
from gateway.text import septets

CODE = "0000 0000 0000"
WIDTH = 36
_DONE = {
    "file": "the report is made durable",
    "add": "an answer is added to the report",
    "letter": "the case worker gets an answer",
    "consent": "the way to reach the caller is kept, sealed",
    "withdraw": "the report is withdrawn",
}


def play(book: Book, ask: Callable[[str], str], show: Callable[[str], None]) -> None:
    """Dial, press and read until the dialogue ends or the input does. Nothing is sent anywhere."""
    sites = tuple(Site(place, place, f"{100 + place}", f"Site {place}") for place in range(1, SITES_PER_PAGE + 3))
    known = Known(sites=sites, numbers={}, day=0)
    show("A phone without a network: nothing is sent. Type a key and Enter; an empty line hangs up.")
    inputs: list[str] = []
    done = 0
    while True:
        turn = fold(book, inputs, known)
        while turn.question is not None:
            known = known.answered(turn.question.kind, turn.question.upto, _asked(book, turn.question, ask, show))
            turn = fold(book, inputs, known)
        for act in turn.acts[done:]:
            show(f"  ({act.kind}: here {_DONE.get(act.kind, 'something is done about the report')})")
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


def _asked(book: Book, question: Question, ask: Callable[[str], str], show: Callable[[str], None]) -> Reply:
    """What the store would answer: whoever plays chooses."""
    actions = [
        action
        for screen in book.screens.values()
        for action in (*screen.keys.values(), *([screen.typed] if screen.typed else []))
    ]
    answers = next(list(action.answers) for action in actions if action.ask == question.kind)
    show(f"  (here the store is asked; it may answer {', '.join(answers)})")
    try:
        chosen = ask("  store> ").strip()
    except (EOFError, KeyboardInterrupt):
        chosen = ""
    values = {name: "x" * septets_ for name, septets_ in {**FIXED, **LETTER}.items()}
    values |= {"d": "21/11", "d2": "28/11", **dict.fromkeys(ANSWERS, "x" * ANSWER_SEPTETS)}
    return Reply(chosen if chosen in answers else NOTHING, values)


def _wrapped(words: str) -> list[str]:
    lines: list[str] = []
    for line in words.split("\n"):
        lines.extend(textwrap.wrap(line, WIDTH - 2) or [""])
    return lines
