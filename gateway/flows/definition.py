"""The values of the phone side: what a book holds, what the fold may know, and what it decides.

Everything here is immutable, and nothing that a caller typed or chose shows in a `repr`.
"""

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from gateway.text import cut, to_gsm7

LANGUAGES = ("fr", "sw_CD", "ln")
FRENCH = LANGUAGES[0]
"""What is shown before a language is chosen."""

SCREEN_SEPTETS = 160
"""A phone shows 182; several gateways cut at 160, so that is what we count with."""
SITES_PER_PAGE = 5
SITE_SEPTETS = 12
NUMBER_SEPTETS = 10
NUMBERS = ("emg", "child", "gbv")
SLOTS = tuple(f"s{number}" for number in range(1, SITES_PER_PAGE + 1))
FIXED = {"ref": 6, "d": 5, "d2": 5, "hh": 5}
"""Placeholders whose values always have the same length, in septets."""
LETTER = {"message": 90, "question": 48, "closing": 60}
"""What a case worker may write to a reporter, by the placeholder that shows it: at most so many septets."""
ANSWER_SEPTETS = 12
ANSWERS = tuple(f"a{number}" for number in range(1, 5))
"""The answers that a question of a case worker lists, each on a key of its own."""

CHOICE, DIGITS, TEXT, SAY, END = KINDS = ("choice", "digits", "text", "say", "end")
NEXT, CONFIRM, MORE, BACK = WAYS = ("next", "confirm", "more", "back")
HOME = "00"
"""Where `Action.to` says that key: no screen can be called so."""
SITES, TIPS = LISTS = ("sites", "tips")
SITE_CODE, CODE, NUMBER = CHECKS = ("site_code", "code", "number")
FILE, ADD, LETTER_ACT, RATE, WITHDRAW, CONSENT = ACTS = (
    "file", "add", "letter", "rate", "withdraw", "consent",
)  # fmt: skip
BY_CODE, ERASABLE = QUESTIONS = ("code", "withdraw")
NOTHING = "nothing"
"""The answer to a question about a code that shows nothing: what follows is about no report."""
CONTACT = ("how", "number", "hours")
"""Fields that say how a reporter can be reached: never part of what a report holds."""
SEVERITIES = ("P0", "P1", "P2", "P3")
"""From the worst to the mildest."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something wrong with a flow file or a catalogue: where (lines count from 1) and what."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


class BadFlow(ValueError):
    """The flow files cannot be used; `problems` holds all there are, by file and line."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))


@dataclass(frozen=True, slots=True)
class Site:
    """An open site; `place` is its place on the phone for good, from 1, five a page; `code`: three digits."""

    id: int
    place: int
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What the store answered to a question: one of the answers the book names, and values to show."""

    answer: str
    values: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Known:
    """All that a fold and a screen may know of the world.

    `numbers`: those of `emg`, `child`, `gbv` that were tested; `day`: any number that grows by one a day;
    `down`: nothing can be stored; `replies`: by kind of question and number of inputs up to it.
    Raises ValueError when a site has no place or two sites share one.
    """

    sites: tuple[Site, ...]
    numbers: Mapping[str, str]
    day: int
    down: bool = False
    replies: Mapping[tuple[str, int], Reply] = dataclasses.field(default_factory=dict, repr=False)

    by_place: Mapping[int, tuple[str, str]] = dataclasses.field(init=False, repr=False, compare=False)
    """Place → the value of the field `site`, and the name as phones show it."""
    by_code: Mapping[str, tuple[str, str]] = dataclasses.field(init=False, repr=False, compare=False)
    pages: int = dataclasses.field(init=False, repr=False, compare=False)
    shown_numbers: Mapping[str, str] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        shown = {site.place: (str(site.id), _fit(site.name, SITE_SEPTETS)) for site in self.sites}
        if len(shown) < len(self.sites) or min(shown, default=1) < 1:
            raise ValueError("every site needs a place of its own, from 1")
        numbers = {name: _fit(number, NUMBER_SEPTETS) for name, number in self.numbers.items()}
        for name, value in {
            "by_place": shown,
            "by_code": {site.code: shown[site.place] for site in self.sites},
            "pages": (max(shown, default=1) - 1) // SITES_PER_PAGE + 1,
            "shown_numbers": {name: number for name, number in numbers.items() if number},
        }.items():
            object.__setattr__(self, name, value)

    def answered(self, kind: str, upto: int, reply: Reply) -> "Known":
        """The same with one reply more. Cheap: nothing is worked out again."""
        known = copy.copy(self)
        object.__setattr__(known, "replies", {**self.replies, (kind, upto): reply})
        return known


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller answered: on which screen, for which field, its value, the words they saw or typed."""

    screen: str
    field: str
    value: str = dataclasses.field(repr=False)
    words: str = dataclasses.field(repr=False)


@dataclass(frozen=True, slots=True)
class Act:
    """Something to be done once: the kind, how many inputs lead up to it (its own included), the answers that
    are new with it (all of them for `file`), and every field known by then with its value. `about` says of which
    report: the `upto` of the act that filed it, or of the question whose code found it."""

    kind: str
    upto: int
    answers: tuple[Answer, ...]
    facts: Mapping[str, str] = dataclasses.field(repr=False)
    about: int


@dataclass(frozen=True, slots=True)
class Question:
    """Something only the store can answer, about `argument`; `upto` and `about` as in an act."""

    kind: str
    upto: int
    argument: str = dataclasses.field(repr=False)
    about: int


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a list of key presses leads.

    `language` is None until one is chosen; `line` names a line to put above the screen; `values` fill
    placeholders; `acts` stand in their order; with a `question` the rest of the inputs is still unread. `asked`
    are the questions answered so far, in their order; `code` is the one typed last that found a report, if nothing
    was filed since.
    """

    screen: str
    language: str | None
    line: str | None
    page: int
    ends: bool
    values: Mapping[str, str] = dataclasses.field(repr=False)
    acts: tuple[Act, ...]
    question: Question | None
    facts: Mapping[str, str] = dataclasses.field(repr=False)
    asked: tuple[Question, ...] = ()
    code: str | None = dataclasses.field(default=None, repr=False)

    @property
    def filed(self) -> Act | None:
        """The last report filed in this dialogue."""
        return next((act for act in reversed(self.acts) if act.kind == FILE), None)

    def instead(self, end: str) -> "Turn":
        """The same dialogue, ended by another end: `roles.not_arrived` or `roles.not_kept`."""
        return dataclasses.replace(self, screen=end, line=None, page=0, ends=True)


@dataclass(frozen=True, slots=True)
class Topic:
    """What a report can be about. `name` is for the pages; `details` are screens in their order."""

    name: str
    severity: str
    lane: str
    confirm: str
    details: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Clock:
    """How long people have: for each step of the route (the last is repeated), until the first step, until
    the reporter must hear again."""

    accept: tuple[timedelta, ...]
    first: timedelta
    update: timedelta


@dataclass(frozen=True, slots=True)
class Raise:
    """A value that makes a report worse: `to` a severity, or one step if one of `beside` was answered too."""

    value: str
    to: str | None
    beside: frozenset[str]


@dataclass(frozen=True, slots=True)
class Roles:
    """The screens and lines that the dialogue as a whole needs; flows/README.md, section book."""

    start: str
    home: str
    exit: str
    stuck: str
    done: str
    down: str
    not_arrived: str
    not_kept: str
    call_back: str
    """The topic of a report that a reporter asks to be called about without having made one."""
    wrong_key: str
    number_removed: str
    other_place: str


@dataclass(frozen=True, slots=True)
class Action:
    """What a key does. `to` is a screen, one of `WAYS`, or `HOME`; `words` by language; `slot` is the number
    of a site on the page, `choice` that of an answer which a question lists, or 0; `typed` says that the value is
    what was typed."""

    to: str
    field: str | None = None
    value: str = ""
    slot: int = 0
    choice: int = 0
    typed: bool = False
    words: Mapping[str, str] = dataclasses.field(default_factory=dict)
    language: str | None = None
    row: tuple[str, ...] | None = None
    act: str | None = None
    ask: str | None = None
    answers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    needs: tuple[str, ...] = ()
    guarded: bool = False
    """Whether it is offered only sometimes."""


@dataclass(frozen=True, slots=True)
class Piece:
    """An option, a sentence, or a line of a screen: shown whole or not at all."""

    text: str
    names: tuple[str, ...]
    key: str | None
    glue: str
    """What stands between it and the piece before it on its line."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A text in one language: `fixed` with its septets if it is always the same, else its lines of pieces."""

    fixed: str | None
    size: int
    lines: tuple[tuple[Piece, ...], ...]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Screen:
    """A screen, ready for the fold. `keys` holds 0, 00 and 99 too; `layouts` by language."""

    name: str
    kind: str
    ends: bool
    one_text: bool
    digits: int
    check: str | None
    wrong: str | None
    lists: str | None
    keys: Mapping[str, Action]
    typed: Action | None
    layouts: Mapping[str, Layout]


@dataclass(frozen=True, slots=True)
class Letter:
    """A ready sentence of a case worker to a reporter: its text by language, and the answers it lists, by language
    each."""

    text: Mapping[str, str]
    answers: tuple[Mapping[str, str], ...]


@dataclass(frozen=True, eq=False)
class Book:
    """All flow files and their translations, compiled. `digest` is 16 hex digits of their content; `lines`,
    `messages` by name and language; `tips` by language; `names` are English, for the pages."""

    digest: str
    charset: str
    roles: Roles
    screens: Mapping[str, Screen] = dataclasses.field(repr=False)
    lines: Mapping[str, Mapping[str, str]] = dataclasses.field(repr=False)
    tips: Mapping[str, tuple[str, ...]] = dataclasses.field(repr=False)
    messages: Mapping[str, Mapping[str, str]] = dataclasses.field(repr=False)
    letters: Mapping[str, Letter] = dataclasses.field(repr=False)
    closings: Mapping[str, Mapping[str, str]] = dataclasses.field(repr=False)
    """What a reporter reads when a report is closed, by the reason it was closed for, and by language."""
    topics: Mapping[str, Topic] = dataclasses.field(repr=False)
    severities: Mapping[str, Clock] = dataclasses.field(repr=False)
    raises: tuple[Raise, ...] = dataclasses.field(repr=False)
    moves: Mapping[str, str] = dataclasses.field(repr=False)
    kept: Mapping[str, int] = dataclasses.field(repr=False)
    """By lane, how many months a closed report is kept."""
    names: Mapping[str, str] = dataclasses.field(repr=False)
    typed_for: Mapping[str, str] = dataclasses.field(repr=False)
    """A typed word, folded, → its key."""
    settable: frozenset[tuple[str, str]] = dataclasses.field(repr=False)
    """Every (field, value) that a key can set: what a caller typed is never taken for one."""
    languages: tuple[str, ...] = LANGUAGES

    def severity(self, facts: Mapping[str, str]) -> str:
        """P0 to P3: the topic's own, raised by the values present. KeyError without a topic."""
        rank = SEVERITIES.index(self.topics[facts["topic"]].severity)
        present = self._present(facts)
        for rule in self.raises:
            if rule.to is not None and rule.value in present:
                rank = min(rank, SEVERITIES.index(rule.to))
        for rule in self.raises:
            if rule.to is None and rule.value in present and rule.beside & present:
                rank = max(0, rank - 1)
        return SEVERITIES[rank]

    def lane(self, facts: Mapping[str, str]) -> str:
        """Who may take it: the topic's lane, or that of the first move in the book whose value is present.
        KeyError without a topic."""
        present = self._present(facts)
        moved = (lane for value, lane in self.moves.items() if value in present)
        return next(moved, self.topics[facts["topic"]].lane)

    def _present(self, facts: Mapping[str, str]) -> frozenset[str]:
        return frozenset(value for name, value in facts.items() if (name, value) in self.settable)


def _fit(text: str, limit: int) -> str:
    """A name or number from the database as one short word on a screen."""
    return cut(" ".join(to_gsm7(text).split()), limit)
