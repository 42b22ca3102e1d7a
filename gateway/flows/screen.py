"""Screens and messages as a phone shows them: never more than 160 septets, whatever fills them."""

import re
from collections.abc import Mapping

from gateway.flows.definition import (
    ANSWERS,
    FIXED,
    FRENCH,
    MORE,
    SCREEN_SEPTETS,
    SITES,
    SITES_PER_PAGE,
    SLOTS,
    Action,
    Book,
    Known,
    Layout,
    Piece,
    Screen,
    Turn,
)
from gateway.text import cut, septets, to_ascii, to_gsm7

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9]*)\}")
_PARTED = re.compile(" {2,}")
_OPTION = re.compile(r"([0-9]{1,2}) (\S.*)")
_SENTENCE = re.compile(r"(?<=[.?!]) (?=\S)")


def pieces(text: str) -> tuple[tuple[Piece, ...], ...]:
    """The options and the prose of a text, line by line. Prose with gaps to fill is split into sentences."""
    return tuple(tuple(_pieces_of(line)) for line in text.split("\n"))


def words_of(option: Piece) -> str:
    """What an option says, without its key."""
    return option.text.partition(" ")[2]


def layout(text: str, keys: Mapping[str, Action], *, ascii_only: bool = False) -> Layout:
    """A text, ready to be shown; `keys` are the actions of its screen."""
    lines = pieces(text)
    flat = [piece for line in lines for piece in line]
    names = frozenset(name for piece in flat for name in piece.names)
    guarded = any(piece.key in keys and keys[piece.key].guarded for piece in flat if piece.key)
    fixed = None if names or guarded else to_ascii(text) if ascii_only else text
    return Layout(fixed, septets(fixed or ""), lines, names)


def pages(book: Book, screen: Screen, known: Known) -> int:
    """How many pages a screen has."""
    return known.pages if screen.lists == SITES else len(book.tips[FRENCH])


def offered(
    book: Book, screen: Screen, action: Action, known: Known, page: int, values: Mapping[str, str]
) -> bool:
    """Whether a guarded action leads anywhere just now. `values` are those that fill the screen."""
    if action.choice:
        return ANSWERS[action.choice - 1] in values
    if action.to == MORE and pages(book, screen, known) < 2:
        return False
    if action.slot and page * SITES_PER_PAGE + action.slot not in known.by_place:
        return False
    return not action.needs or any(name in known.shown_numbers for name in action.needs)


def render(book: Book, turn: Turn, known: Known, *, code: str | None = None) -> str:
    """The text of a turn: at most 160 septets of GSM 03.38, plain ASCII if the book was loaded so.

    `code` is the report's code as it is shown; without it what would hold it is left out. The line above the
    screen is left out where it does not fit.
    """
    screen = book.screens[turn.screen]
    language = turn.language or FRENCH
    form = screen.layouts[language]
    if form.fixed is not None:
        body, size = form.fixed, form.size
    else:
        body = _filled(book, screen, form, turn, known, language, code)
        if book.charset == "ascii" and not body.isascii():
            body = to_ascii(body)
        size = septets(body)
        if size > SCREEN_SEPTETS:
            return cut(body, SCREEN_SEPTETS)
    if turn.line is not None:
        line = book.lines[turn.line][language]
        if book.charset == "ascii":
            line = to_ascii(line)
        if septets(line) + 1 + size <= SCREEN_SEPTETS:
            return f"{line}\n{body}"
    return body


def write_message(book: Book, name: str, language: str | None, **values: str) -> str:
    """An SMS: at most 160 septets, always as long as any other of that name and language.

    `values` are `ref` (6 septets), `d` and `hh` (5 each). A language that phones do not have gets French.
    Raises ValueError if a value is missing or has another length, KeyError for an unknown message.
    """
    text = book.messages[name].get(language or FRENCH) or book.messages[name][FRENCH]
    for wanted in PLACEHOLDER.findall(text):
        if septets(values.get(wanted, "")) != FIXED[wanted]:
            raise ValueError(f"message {name}: {wanted} needs {FIXED[wanted]} septets")
    return to_gsm7(text.format_map(values))


def _pieces_of(line: str) -> list[Piece]:
    found: list[Piece] = []
    for segment in _PARTED.split(line):
        names = tuple(PLACEHOLDER.findall(segment))
        option = _OPTION.fullmatch(segment)
        glue = "  "
        if option or not names:
            found.append(Piece(segment, names, option[1] if option else None, glue))
            continue
        for sentence in _SENTENCE.split(segment):
            found.append(Piece(sentence, tuple(PLACEHOLDER.findall(sentence)), None, glue))
            glue = " "
    return found


def _filled(
    book: Book, screen: Screen, form: Layout, turn: Turn, known: Known, language: str, code: str | None
) -> str:
    values = _values(book, form, turn, known, language, code)
    lines = []
    for line in form.lines:
        shown = ""
        for piece in line:
            if piece.key is not None:
                action = screen.keys.get(piece.key)
                here = known, turn.page, turn.values
                if action and action.guarded and not offered(book, screen, action, *here):
                    continue
            text = piece.text
            if piece.names:
                if not all(name in values for name in piece.names):
                    continue
                text = text.format_map(values)
            shown = f"{shown}{piece.glue}{text}" if shown else text
        if shown:
            lines.append(shown)
    return "\n".join(lines)


def _values(book: Book, form: Layout, turn: Turn, known: Known, language: str, code: str | None) -> dict[str, str]:
    """The placeholders of a text that have a value just now."""
    values: dict[str, str] = {}
    for name in form.names:
        if name in turn.values:
            values[name] = turn.values[name]
        elif name in known.shown_numbers:
            values[name] = known.shown_numbers[name]
        elif name == "code":
            if code is not None:
                values[name] = code
        elif name == "tip":
            tips = book.tips[language]
            values[name] = tips[(known.day + turn.page) % len(tips)]
        elif name in SLOTS:
            site = known.by_place.get(turn.page * SITES_PER_PAGE + int(name[1:]))
            if site is not None:
                values[name] = site[1]
    return values
