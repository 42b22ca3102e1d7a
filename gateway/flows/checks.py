"""What must hold before a draft can be a book: its words are known, its paths lead somewhere and end.

The texts themselves are checked in `phrases`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from gateway.flows.definition import (
    ACTS,
    ANSWERS,
    BACK,
    CHECKS,
    CHOICE,
    CONFIRM,
    DIGITS,
    END,
    KINDS,
    LANGUAGES,
    LISTS,
    MORE,
    NEXT,
    NUMBERS,
    QUESTIONS,
    SAY,
    SEVERITIES,
    SITE_CODE,
    SITES,
    SLOTS,
    TEXT,
    WAYS,
    Problem,
)
from gateway.flows.draft import ROLES, Draft, DraftScreen, Step
from gateway.flows.source import Text

KEY = re.compile(r"0|00|[1-9][0-9]?")
EVERYWHERE = ("0", "00", "99")
DURATION = re.compile(r"[1-9][0-9]*[mhd]")
MONTHS = re.compile(r"[1-9]|[1-5][0-9]|60")
TYPED = "{typed}"
SLOT_OF = {f"{{{slot}}}": number for number, slot in enumerate(SLOTS, 1)}
CHOICE_OF = {f"{{{answer}}}": number for number, answer in enumerate(ANSWERS, 1)}

_LINE_ROLES = ("wrong_key", "number_removed", "other_place")
_SCREEN_ROLES = ("start", "home", "stuck")
_TOPIC_ROLES = ("call_back",)
_ONLY_FOR = {"digits": (DIGITS,), "check": (DIGITS,), "lists": (CHOICE, SAY)}
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def settable(draft: Draft) -> frozenset[tuple[str, str]]:
    """Every field and value that a key can set."""
    return frozenset(
        (step.field.value, step.value.value)
        for screen in draft.screens.values()
        for _, step in screen.steps()
        if step.field and step.value and step.value.value not in (TYPED, *SLOT_OF, *CHOICE_OF)
    )


def answering(draft: Draft) -> set[str]:
    """The screens that show what the store answered."""
    return {
        answer.value
        for screen in draft.screens.values()
        for _, step in screen.steps()
        for answer in step.answers.values()
    }


class Checks:
    """One method a section; what is wrong goes to `problems`."""

    def __init__(self, draft: Draft, problems: list[Problem]) -> None:
        self.draft = draft
        self.problems = problems
        self.values = {value for _, value in settable(draft)}
        self.files = sorted({screen.at.file for screen in draft.screens.values()})

    def all(self) -> None:
        self.book()
        self.severities()
        self.topics()
        self.values_named()
        self.letters()
        self.kept()
        self.typed_for()
        for screen in self.draft.screens.values():
            self.screen(screen)
        self.paths()

    def problem(self, at: Text, text: str) -> None:
        self.problems.append(Problem(at.file, at.line, text))

    def known(self, at: Text, what: str, names: Iterable[str]) -> bool:
        if at.value in names:
            return True
        self.problem(at, f"unknown {what} {at.value}")
        return False

    def book(self) -> None:
        first = self.files[0] if self.files else "flows"
        for role in ROLES:
            target = self.draft.book.get(role)
            if target is None:
                self.problems.append(Problem(first, 1, f"book: {role} is missing"))
            elif role in _LINE_ROLES:
                self.known(target, f"line for {role}:", self.draft.lines)
            elif role in _TOPIC_ROLES:
                self.known(target, f"topic for {role}:", self.draft.topics)
            elif self.known(target, f"screen for {role}:", self.draft.screens):
                ends = self.draft.screens[target.value].kind == END
                if ends == (role in _SCREEN_ROLES):
                    self.problem(target, f"book: {role} needs {'no' if ends else 'an'} end, {target.value}")
        if not self.draft.tips:
            self.problems.append(Problem(first, 1, "tips: there is none"))

    def severities(self) -> None:
        for name, (at, clock) in self.draft.severities.items():
            self.known(at, "severity", SEVERITIES)
            for key, text in clock.items():
                spans = text.words() if key == "accept" else (text,)
                for span in spans:
                    if not DURATION.fullmatch(span.value):
                        self.problem(span, f"severity {name}, {key}: {span.value} is no time (15m, 4h, 3d)")
        if self.draft.severities or self.draft.topics:
            at = next(iter([*self.draft.severities.values(), *self.draft.topics.values()]))[0]
            for name in SEVERITIES:
                if name not in self.draft.severities:
                    self.problem(at, f"severity {name} is missing")

    def topics(self) -> None:
        for name, (at, topic) in self.draft.topics.items():
            self.known(topic["severity"], f"severity of topic {name}:", SEVERITIES)
            if self.known(topic["confirm"], f"confirm screen of topic {name}:", self.draft.screens):
                filing = self.draft.screens[topic["confirm"].value]
                if not any(step.act and step.act.value == ACTS[0] for _, step in filing.steps()):
                    self.problem(topic["confirm"], f"topic {name}: {filing.name} files nothing")
            self.row(f"topic {name}", topic["details"].words())
            if not _NAME.fullmatch(name):
                self.problem(at, f"topic {name}: this name cannot be used")

    def row(self, what: str, row: tuple[Text, ...]) -> None:
        for number, word in enumerate(row, 1):
            if self.known(word, f"screen in the row of {what}:", self.draft.screens):
                kind = self.draft.screens[word.value].kind
                if kind == END or (kind == TEXT and number < len(row)):
                    self.problem(word, f"{what}: nothing can come after {word.value} in a row")

    def values_named(self) -> None:
        for value, (at, to, beside) in self.draft.raises.items():
            self.known(at, "value in raises:", self.values)
            if to is not None:
                self.known(to, f"severity in raises, {value}:", SEVERITIES)
            elif not beside:
                self.problem(at, f"raises {value}: a severity or {{up: …}} is needed")
            for word in beside:
                self.known(word, f"value in raises, {value}, up:", self.values)
        for at, _ in self.draft.moves.values():
            self.known(at, "value in moves:", self.values)

    def letters(self) -> None:
        for name, (text, answers) in self.draft.letters.items():
            for answer in answers:
                self.known(answer, f"line of letter {name}:", self.draft.lines)
            if len(answers) > len(ANSWERS):
                self.problem(text, f"letter {name}: at most {len(ANSWERS)} answers have a key")

    def kept(self) -> None:
        lanes = {topic["lane"].value for _, topic in self.draft.topics.values()}
        lanes |= {lane.value for _, lane in self.draft.moves.values()}
        for lane, months in self.draft.kept.items():
            self.known(Text(lane, months.file, months.line), "lane in kept:", lanes)
            if not MONTHS.fullmatch(months.value):
                self.problem(months, f"kept, {lane}: {months.value} is no number of months (1 to 60)")
        at = next((text for topic in self.draft.topics.values() for text in [topic[0]]), None)
        for lane in sorted(lanes - set(self.draft.kept)):
            if at is not None:
                self.problem(at, f"kept: lane {lane} is missing")

    def typed_for(self) -> None:
        seen: dict[str, str] = {}
        for key, words in self.draft.typed_for.items():
            for word in words:
                if not KEY.fullmatch(key):
                    self.problem(word, f"typed_for: {key} is no key")
                elif seen.setdefault(word.value, key) != key:
                    self.problem(word, f"typed_for: {word.value} stands for {seen[word.value]} and {key}")

    def screen(self, screen: DraftScreen) -> None:
        what = f"screen {screen.name}"
        if not _NAME.fullmatch(screen.name) or screen.name in WAYS:
            self.problem(screen.at, f"{what}: this name cannot be used")
        for key in ("kind", "text"):
            if key not in screen.plain:
                self.problem(screen.at, f"{what}: {key} is missing")
        allowed = {
            "kind": KINDS, "one_text": ("yes",), "check": CHECKS, "lists": LISTS, "act": ACTS,
            "wrong": tuple(self.draft.lines),
        }  # fmt: skip
        for key, value in screen.plain.items():
            if key in allowed:
                self.known(value, f"{'line' if key == 'wrong' else key} of {what}:", allowed[key])
            if screen.kind in KINDS and screen.kind not in _ONLY_FOR.get(key, KINDS):
                self.problem(value, f"{what}: {key} is not for the kind {screen.kind}")
        if screen.kind == DIGITS and not re.fullmatch("[1-9][0-9]?", screen.word("digits")):
            self.problem(screen.at, f"{what}: digits needs a number")
        if screen.kind in (DIGITS, TEXT) and not screen.typed:
            self.problem(screen.at, f"{what}: typed is missing")
        if screen.kind in (CHOICE, SAY, END) and screen.typed:
            self.problem(screen.typed.at, f"{what}: typed is not for the kind {screen.kind}")
        if screen.kind == CHOICE and not screen.keys:
            self.problem(screen.at, f"{what}: keys are missing")
        if screen.kind == END and screen.keys:
            self.problem(screen.at, f"{what}: an end has no keys")
        if screen.word("lists") and not any(step.to and step.to.value == MORE for step in screen.keys.values()):
            self.problem(screen.at, f"{what}: a list needs a key that leads to more")
        for key, step in screen.steps():
            if step is not screen.typed and not KEY.fullmatch(key):
                self.problem(step.at, f"{what}: {key} is no key (0, 00, 1 to 99)")
            self.step(screen, f"{what}, {'typed' if step is screen.typed else f'key {key}'}", step)

    def step(self, screen: DraftScreen, what: str, step: Step) -> None:
        way = step.to.value if step.to else ""
        if step.to is not None and way not in WAYS:
            self.known(step.to, f"screen for {what}:", self.draft.screens)
        for kind, name, allowed in (
            ("line", step.label, tuple(self.draft.lines)),
            ("language", step.language, LANGUAGES),
            ("act", step.act, ACTS),
            ("question", step.ask, QUESTIONS),
        ):
            if name is not None:
                self.known(name, f"{kind} of {what}:", allowed)
        for target in step.answers.values():
            self.known(target, f"screen for {what}, answers:", self.draft.screens)
        if bool(step.ask) != bool(step.answers):
            self.problem(step.at, f"{what}: ask and answers need each other")
        if bool(step.to) == bool(step.answers):
            self.problem(step.at, f"{what}: needs to" + (", or answers, not both" if step.to else ""))
        if way in (BACK, MORE) and (step.field or step.act or step.row is not None or step.language):
            self.problem(step.at, f"{what}: {way} can do nothing else")
        if way == MORE and "lists" not in screen.plain:
            self.problem(step.at, f"{what}: more is only for lists")
        for need in step.needs:
            self.known(need, f"number of {what}, needs:", NUMBERS)
        if step.row is not None:
            self.row(what, step.row)
        self.setting(screen, what, step)
        if screen.kind == TEXT and step is screen.typed and not self.ends(step):
            self.problem(step.at, f"{what}: free words must lead to an end")

    def setting(self, screen: DraftScreen, what: str, step: Step) -> None:
        typed = step is screen.typed
        if screen.word("check") == SITE_CODE and typed and step.field:
            self.problem(step.field, f"{what}: the check already sets site")
        if step.field is None or step.value is None:
            return
        value = step.value.value
        if not _NAME.fullmatch(step.field.value):
            self.problem(step.field, f"{what}: {step.field.value} is no name for a field")
        if value == TYPED:
            if not typed or step.field.value == "topic":
                self.problem(step.value, f"{what}: {TYPED} has no place here")
        elif value in SLOT_OF:
            if screen.word("lists") != SITES or step.field.value != "site":
                self.problem(step.value, f"{what}: {value} is only for the field site of a list of sites")
        elif value in CHOICE_OF:
            if screen.name not in answering(self.draft) or step.field.value != "text":
                self.problem(step.value, f"{what}: {value} is only for the field text of a screen that answers")
        elif "{" in value:
            self.problem(step.value, f"{what}: unknown placeholder {value}")
        elif step.field.value == "topic":
            self.known(step.value, f"topic of {what}:", self.draft.topics)

    def ends(self, step: Step) -> bool:
        """Whether a step of free words leads to an end; the order of rows is checked with the rows."""
        if step.to and step.to.value in self.draft.screens:
            return self.draft.screens[step.to.value].kind == END
        return step.to is None or step.to.value not in (CONFIRM, BACK, MORE)

    def paths(self) -> None:
        """Every screen can be reached, and from every screen the keys it shows lead to an end."""
        screens = self.draft.screens
        onward = {name: {target for target, _ in self.steps(screen)} for name, screen in screens.items()}
        roots = {at.value for role, at in self.draft.book.items() if role not in (*_LINE_ROLES, *_TOPIC_ROLES)}
        reached = _closure(roots & set(screens), onward)
        for name, screen in screens.items():
            if name not in reached:
                self.problem(screen.at, f"screen {name}: no path leads here")
        leaving: dict[str, set[str]] = {name: set(targets) for name, targets in onward.items()}
        home, stuck = (self.draft.book.get(role) for role in ("home", "stuck"))
        for name, screen in screens.items():
            for target, wall in self.steps(screen):
                if not wall and target in screens and _goes_back(screens[target]):
                    leaving[target].add(name)
            if home and (_shows(screen, "00") or (stuck and stuck.value == name and _goes_back(screen))):
                leaving[name].add(home.value)
        backward: dict[str, set[str]] = {name: set() for name in screens}
        for name, targets in leaving.items():
            for target in targets & set(screens):
                backward[target].add(name)
        final = {name for name, screen in screens.items() if screen.kind == END or screen.kind not in KINDS}
        finished = _closure(final, backward)
        for name, screen in screens.items():
            if name in reached and name not in finished:
                self.problem(screen.at, f"screen {name}: no path from here ends")

    def steps(self, screen: DraftScreen) -> Iterator[tuple[str, bool]]:
        """Where the keys of a screen lead, but for 99; and whether 0 does not lead back from there."""
        for key, step in screen.steps():
            if key == "99":
                continue
            act = step.act.value if step.act else screen.word("act") if step.field else ""
            for target in self.targets(step):
                yield target, act not in ("", "add")

    def targets(self, step: Step) -> set[str]:
        to = step.to.value if step.to else ""
        topics = [topic for _, topic in self.draft.topics.values()]
        found = {answer.value for answer in step.answers.values()}
        if to == NEXT:
            rows = [topic["details"].words() for topic in topics]
            rows += [other.row or () for screen in self.draft.screens.values() for _, other in screen.steps()]
            done = self.draft.book.get("done")
            found |= {word.value for row in rows for word in row} | ({done.value} if done else set())
        elif to == CONFIRM:
            found |= {topic["confirm"].value for topic in topics}
        elif to not in WAYS:
            found.add(to)
        return found


def _goes_back(screen: DraftScreen) -> bool:
    return _shows(screen, "0") or any(step.to and step.to.value == BACK for _, step in screen.steps())


def _shows(screen: DraftScreen, key: str) -> bool:
    text = screen.word("text")
    return any(part.startswith(f"{key} ") for line in text.split("\n") for part in line.split("  "))


def _closure(start: set[str], onward: Mapping[str, set[str]]) -> set[str]:
    """Everything that can be reached."""
    found, todo = set(start), list(start)
    while todo:
        for target in onward.get(todo.pop(), set()):
            if target in onward and target not in found:
                found.add(target)
                todo.append(target)
    return found
