"""The dialogue as a picture: Mermaid text, which many pages of code draw by themselves."""

from __future__ import annotations

from gateway.flows.definition import BACK, CONFIRM, HOME, MORE, NEXT, Action, Book, Screen


def mermaid(book: Book) -> str:
    """A directed graph of all screens; an arrow carries the keys that lead along it."""
    lines = ["graph TD"]
    for screen in book.screens.values():
        shape = f"{screen.name}([{screen.name}])" if screen.ends else f"{screen.name}[{screen.name}]"
        lines.append(f"  {shape}")
    for screen in book.screens.values():
        arrows: dict[tuple[str, bool], list[str]] = {}
        for key, action in [*screen.keys.items(), *([("…", screen.typed)] if screen.typed else [])]:
            if screen.ends or key in ("0", "00", "99"):
                continue
            for target in _targets(book, screen, action):
                arrows.setdefault((target, action.act is not None), []).append(key)
        for (target, does), keys in arrows.items():
            arrow = "==>" if does else "-->"
            lines.append(f"  {screen.name} {arrow}|{' '.join(keys)}| {target}")
    return "\n".join(lines)


def _targets(book: Book, screen: Screen, action: Action) -> list[str]:
    """Where an action may lead, over all topics."""
    if action.answers:
        return sorted(set(action.answers.values()))
    if action.to == CONFIRM:
        if action.field == "topic":
            return [book.topics[action.value].confirm]
        here = {one.value for one in _actions(book) if one.field == "topic" and one.to != CONFIRM}
        return sorted({book.topics[topic].confirm for topic in here})
    if action.to == NEXT:
        return sorted(_after(book, screen.name) if action.row is None else {action.row[0]})
    if action.to in (MORE, BACK, HOME):
        return [screen.name] if action.to == MORE else []
    return [action.to]


def _after(book: Book, name: str) -> set[str]:
    """What may follow a screen in the rows of details. A screen of no row stands between two that are."""
    rows = [topic.details for topic in book.topics.values()]
    rows += [action.row for action in _actions(book) if action.row]
    if any(action.act == "file" and action.to == name for action in _actions(book)):
        return {topic.details[0] for topic in book.topics.values()}
    if any(name in row for row in rows):
        return {
            row[at + 1] if at + 1 < len(row) else book.roles.done
            for row in rows
            for at, one in enumerate(row)
            if one == name
        }
    after: set[str] = set()
    for screen in book.screens.values():
        for action in screen.keys.values():
            if action.to == name:
                after |= {action.row[0]} if action.row else _after(book, screen.name)
    return after


def _actions(book: Book) -> list[Action]:
    return [
        action
        for screen in book.screens.values()
        for action in (*screen.keys.values(), *([screen.typed] if screen.typed else []))
    ]
