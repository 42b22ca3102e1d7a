"""One key press: the only place that knows the order of things.

Fold; if the fold asks something, answer it and fold again; do the acts that are not yet done; render. A fold that
holds no act and no question touches neither the database nor Redis. What a screen says is true when it is shown:
nothing is called arrived before it is on disk.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway import acts, flows, log
from gateway.flows.definition import FILE
from gateway.providers import Hop
from gateway.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Screen:
    """What the phone shows, at most 160 septets, and whether the session ends with it."""

    text: str = field(repr=False)
    ends: bool


def answer(rt: Runtime, hop: Hop) -> Screen:
    """The screen that follows these key presses. Never raises for what the store or a caller does."""
    known = rt.directory.known
    turn = flows.fold(rt.book, hop.inputs, known)
    while turn.question is not None:
        try:
            reply = acts.ask(rt, hop, turn, turn.question)
        except Exception as error:  # whatever it was, the caller must hear the truth
            log.warn("hop.not_asked", error=error)
            return _ended(rt, turn.instead(rt.book.roles.not_kept if turn.acts else rt.book.roles.down), known)
        known = known.answered(turn.question.kind, turn.question.upto, reply)
        turn = flows.fold(rt.book, hop.inputs, known)
    code = None
    if turn.acts:
        try:
            code = acts.perform(rt, hop, turn).code
        except Exception as error:  # whatever it was, the caller must hear the truth about the report
            log.warn("hop.not_done", error=error)
            turn = _undone(rt, turn, len(hop.inputs))
    return Screen(flows.render(rt.book, turn, known, code=code), turn.ends)


def neutral(rt: Runtime) -> Screen:
    """The harmless end, for a post that is not a hop."""
    turn = flows.fold(rt.book, ("99",), rt.directory.known)
    return Screen(flows.render(rt.book, turn, rt.directory.known), True)


def _ended(rt: Runtime, turn: flows.Turn, known: flows.Known) -> Screen:
    return Screen(flows.render(rt.book, turn, known), True)


def _undone(rt: Runtime, turn: flows.Turn, pressed: int) -> flows.Turn:
    """The end that tells what did not happen: the report itself, when this key press was to file it, or what
    was added to one that an earlier screen has already called arrived."""
    filing = turn.acts[-1].kind == FILE and turn.acts[-1].upto == pressed
    return turn.instead(rt.book.roles.not_arrived if filing else rt.book.roles.not_kept)
