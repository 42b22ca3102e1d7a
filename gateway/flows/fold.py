"""A dialogue is a list of key presses, and a turn is a fold over it: no clock, no store, no chance."""

import unicodedata
from collections.abc import Mapping, Sequence

from gateway import text
from gateway.flows.definition import (
    ADD,
    ANSWERS,
    BACK,
    BY_CODE,
    CODE,
    CONFIRM,
    CONSENT,
    CONTACT,
    DIGITS,
    FILE,
    FRENCH,
    HOME,
    MORE,
    NEXT,
    NOTHING,
    NUMBER,
    SITE_CODE,
    SITES_PER_PAGE,
    TEXT,
    Act,
    Action,
    Answer,
    Book,
    Known,
    Question,
    Screen,
    Turn,
)
from gateway.flows.screen import offered, pages

MOST_LETTERS = 480
WRONG_KEYS = 3

_REMOVED = "[...]"
_LONGEST_WORD = 40

_Answers = tuple[Answer, ...]
_About = tuple[int, str | None]
"""What a path is about: the place where its report was filed or asked for (0: none), and the code that was typed.
"""
_State = tuple[Screen, str | None, int, tuple[str, ...], _Answers, _Answers, Mapping[str, str], int, _About]


def fold(book: Book, inputs: Sequence[str], known: Known) -> Turn:
    """Where `inputs`, every one of them since the call was dialled, lead in a book.

    Never raises, whatever was typed. With a question that `known` has no reply to, the turn stops there.
    """
    walk = _Walk(book, known)
    if known.down and not inputs:
        walk.screen = book.screens[book.roles.down]
    at, end = 0, len(inputs)
    while at < end and not walk.screen.ends and walk.question is None:
        at = walk.read(inputs, at)
    return walk.turn()


def spoken(word: str) -> str:
    """A typed word without what typing varies: case, accents, width, digits of other scripts."""
    parts = unicodedata.normalize("NFKD", word).casefold()
    return "".join(_letter(letter) for letter in parts if not unicodedata.combining(letter)).strip()


class _Walk:
    """One way through the book, key by key."""

    __slots__ = (
        "about", "acts", "added", "answers", "asked", "book", "fresh", "known", "language", "line", "page",
        "question", "row", "screen", "since", "stack", "values", "wrong",
    )  # fmt: skip

    def __init__(self, book: Book, known: Known) -> None:
        self.book = book
        self.known = known
        self.screen = book.screens[book.roles.start]
        self.language: str | None = None
        self.page = 0
        self.row: tuple[str, ...] = ()
        # One answer a field, the newest: all of this report, and those that no act has carried yet.
        self.answers: _Answers = ()
        self.fresh: _Answers = ()
        self.values: Mapping[str, str] = {}
        # What was added stays in the report, whatever is taken back on the phone.
        self.added: dict[str, Answer] = {}
        self.stack: list[_State] = []
        # How much of the stack lies before the caller last turned back by a key that leads forward.
        self.since = 0
        self.acts: list[Act] = []
        self.asked: list[Question] = []
        self.about: _About = (0, None)
        self.question: Question | None = None
        self.line: str | None = None
        self.wrong = 0

    def read(self, inputs: Sequence[str], at: int) -> int:
        """Takes in the input at `at`, or all from there if they are free words; where the next one stands."""
        screen, typed = self.screen, inputs[at]
        action = self._offered(screen.keys.get(typed))
        if screen.kind == TEXT:
            # Nothing follows an end, so a key that leads to one and is followed was the start of words.
            if action is None or (at + 1 < len(inputs) and self._ends(action)):
                return self._free_words(inputs, at)
        elif action is None:
            action, typed = self._understood(typed)
        self._press(action, typed, at + 1)
        return at + 1

    def turn(self) -> Turn:
        """Where the walk stands."""
        shown, facts = dict(self.values), {}
        for answer in self.answers:
            facts[answer.field] = answer.value
            if answer.field == "topic":
                shown["topic"] = answer.words
            elif answer.field == "site":
                shown["site"] = self._place(answer)
        return Turn(
            self.screen.name,
            self.language,
            self.line,
            self.page,
            self.screen.ends,
            shown,
            tuple(self.acts),
            self.question,
            facts,
            tuple(self.asked),
            self.about[1],
        )

    def _press(self, action: Action | None, typed: str, upto: int) -> None:
        if action is None:
            self._wrong_key()
            return
        to, values, about = action.to, self.values, self.about
        if action.ask is not None:
            question = Question(action.ask, upto, typed, self.about[0])
            reply = self.known.replies.get((action.ask, upto))
            if reply is None:
                self.question = question
                self.line = None
                return
            if reply.answer not in action.answers:
                self._wrong_key()
                return
            self.asked.append(question)
            to = action.answers[reply.answer]
            if reply.values or action.ask == BY_CODE:
                values = {name: " ".join(text.to_gsm7(told).split()) for name, told in reply.values.items()}
            if reply.answer == NOTHING:
                about = (0, None)
            elif action.ask == BY_CODE:
                about = (upto, typed)
        self.wrong = 0
        self.line = None
        if to == HOME:
            self._home()
        elif to == BACK:
            self._back()
        elif to == MORE:
            self.stack.append(self._state())
            self.page = (self.page + 1) % pages(self.book, self.screen, self.known)
        else:
            self._go(action, to, typed, upto, values, about)

    def _go(
        self, action: Action, to: str, typed: str, upto: int, values: Mapping[str, str], about: _About
    ) -> None:
        here = self._state()
        self.about = about
        if action.language is not None:
            self.language = action.language
        answer = self._answer(action, typed)
        if action.row is not None:
            self.row = action.row
        self.values = values
        if action.act is None or action.act == ADD:
            self.stack.append(here)
        else:
            self._cut()
        if action.act is not None:
            self._act(action.act, answer, upto)
        if to == NEXT:
            to = self.row[0] if self.row else self.book.roles.done
            self.row = self.row[1:]
        elif to == CONFIRM:
            topic = next((each.value for each in self.answers if each.field == "topic"), None)
            to = self.book.roles.home if topic is None else self.book.topics[topic].confirm
        self._arrive(self.book.screens[to])

    def _arrive(self, screen: Screen) -> None:
        self.screen = screen
        self.page = 0
        if screen.name in (self.book.roles.home, self.book.roles.start):
            # A new report can begin here: nothing of the last may cling to it.
            self._forget()
            if self.acts:
                self._cut()
            self.since = 0
            return
        # Whoever is led to a screen once more takes back what was answered from there on. From then on the path
        # begins there: an answer given anew must not fall to the memory of an earlier visit further along.
        for before in reversed(self.stack[self.since :]):
            if before[0] is screen:
                self.answers, self.fresh = _with(before[4], self.added), before[5]
                self.since = len(self.stack)
                return

    def _answer(self, action: Action, typed: str) -> Answer | None:
        if action.field is None:
            return None
        if action.slot:
            value, words = self.known.by_place[self.page * SITES_PER_PAGE + action.slot]
        elif action.choice:
            value = words = self.values[ANSWERS[action.choice - 1]]
        elif not action.typed:
            value, words = action.value, action.words[self.language or FRENCH]
        elif self.screen.check == SITE_CODE:
            value, words = self.known.by_code[typed]
        else:
            value = words = typed
        answer = Answer(self.screen.name, action.field, value, words)
        new = {answer.field: answer}
        self.answers = _with(self.answers, new)
        if action.act != ADD:
            self.fresh = _with(self.fresh, new)
        if answer.field == "topic":
            self.row = self.book.topics[value].details
        return answer

    def _act(self, kind: str, answer: Answer | None, upto: int) -> None:
        carried = self.fresh
        if kind == ADD:
            carried = (answer,) if answer else ()
            if answer:
                self.added[answer.field] = answer
        else:
            self.fresh = ()
        if kind == FILE:
            carried = tuple(each for each in self.answers if each.field not in CONTACT)
            self.about = (upto, None)
        elif kind == CONSENT:
            carried = tuple(each for each in self.answers if each.field in CONTACT)
            if not self.about[0]:
                # There must be a report, so that there is a code to know a true caller by.
                self._file_for_call_back(upto)
        facts = {each.field: each.value for each in self.answers}
        self.acts.append(Act(kind, upto, carried, facts, self.about[0]))

    def _file_for_call_back(self, upto: int) -> None:
        if all(each.field != "topic" for each in self.answers):
            topic = Answer(self.screen.name, "topic", self.book.roles.call_back, "")
            self.answers = _with(self.answers, {"topic": topic})
        self._act(FILE, None, upto)

    def _wrong_key(self) -> None:
        self.wrong += 1
        self.line = None
        roles = self.book.roles
        if self.wrong < WRONG_KEYS:
            if not self.screen.one_text:
                self.line = self.screen.wrong or roles.wrong_key
            return
        self.wrong = 0
        if self.language is None or roles.stuck == roles.home:
            self._home()
        else:
            self.stack.append(self._state())
            self.screen, self.page = self.book.screens[roles.stuck], 0

    def _home(self) -> None:
        roles = self.book.roles
        self.screen = self.book.screens[roles.start if self.language is None else roles.home]
        self.page = 0
        self._forget()
        self._cut()

    def _back(self) -> None:
        if self.stack:
            (
                self.screen, self.language, self.page, self.row, self.answers, self.fresh, self.values, self.since,
                self.about,
            ) = self.stack.pop()  # fmt: skip
            self.answers = _with(self.answers, self.added)

    def _cut(self) -> None:
        """From here no key leads back."""
        self.stack.clear()
        self.since = 0

    def _forget(self) -> None:
        self.row, self.answers, self.fresh, self.values = (), (), (), {}
        self.added.clear()

    def _state(self) -> _State:
        return (
            self.screen, self.language, self.page, self.row, self.answers, self.fresh, self.values, self.since,
            self.about,
        )  # fmt: skip

    def _free_words(self, inputs: Sequence[str], at: int) -> int:
        if not text.clean(inputs[at], MOST_LETTERS):
            self._wrong_key()
            return at + 1
        whole = "*".join(inputs[at:])
        words, numbers = text.NUMBER.subn(_REMOVED, text.clean(whole, len(whole)))
        self._press(self.screen.typed, words[:MOST_LETTERS].rstrip(), len(inputs))
        if numbers and self.screen.ends:
            self.line = self.book.roles.number_removed
        return len(inputs)

    def _understood(self, typed: str) -> tuple[Action | None, str]:
        """What was meant by something that is no key as it stands, and what it comes to."""
        screen = self.screen
        if screen.kind == DIGITS:
            digits = typed.replace(" ", "").replace("-", "")
            if screen.check == NUMBER:
                number = text.mobile_number(digits)
                return (screen.typed if number else None), number or digits
            right = len(digits) == screen.digits and digits.isascii() and digits.isdigit()
            if right and screen.check == SITE_CODE:
                right = digits in self.known.by_code
            elif right and screen.check == CODE:
                right = text.check_digit_ok(digits)
            return (screen.typed if right else None), digits
        if len(typed) > _LONGEST_WORD:
            return None, typed
        word = spoken(typed)
        if word.endswith((".", ")")):
            word = word[:-1].rstrip()
        if word.isascii() and word.isdigit() and word != HOME:
            word = word.lstrip("0") or word
        action = screen.keys.get(word) or screen.keys.get(self.book.typed_for.get(word, ""))
        return self._offered(action), typed

    def _offered(self, action: Action | None) -> Action | None:
        if action is None or not action.guarded:
            return action
        shown = offered(self.book, self.screen, action, self.known, self.page, self.values)
        return action if shown else None

    def _ends(self, action: Action) -> bool:
        """Whether a key leads to an end."""
        to = action.to
        if to == NEXT:
            row = self.row if action.row is None else action.row
            to = row[0] if row else self.book.roles.done
        screen = self.book.screens.get(to)
        return screen is not None and screen.ends

    def _place(self, answer: Answer) -> str:
        if (answer.field, answer.value) not in self.book.settable:
            return answer.words
        return self.book.lines[self.book.roles.other_place][self.language or FRENCH]


def _letter(letter: str) -> str:
    digit = unicodedata.decimal(letter, None)
    return letter if digit is None else str(digit)


def _with(answers: _Answers, newer: Mapping[str, Answer]) -> _Answers:
    """`answers` with one answer a field, the newer where there is one."""
    if not newer:
        return answers
    merged = {answer.field: answer for answer in answers}
    merged.update(newer)
    return tuple(merged.values())
