"""The shape of the flow language: from strings and mappings to a draft whose every word has a place.

A draft may still be nonsense; `checks` says so. What has the wrong shape is reported here and left out.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.flows.definition import Problem, Roles
from gateway.flows.source import Table, Text

SECTIONS = (
    "book", "screens", "lines", "tips", "messages", "letters", "closings", "topics", "severities", "raises",
    "moves", "kept", "names", "typed_for",
)  # fmt: skip
ROLES = tuple(Roles.__dataclass_fields__)
TOPIC_KEYS = ("name", "severity", "lane", "confirm", "details")
CLOCK_KEYS = ("accept", "first", "update")
SCREEN_KEYS = ("kind", "text", "one_text", "digits", "check", "wrong", "lists", "act", "keys", "typed")
LETTER_KEYS = ("text", "answers")
STEP_KEYS = ("to", "set", "label", "language", "row", "act", "ask", "answers", "needs")


@dataclass(frozen=True, slots=True)
class Step:
    """What a key or `typed` holds."""

    at: Text
    to: Text | None = None
    field: Text | None = None
    value: Text | None = None
    label: Text | None = None
    language: Text | None = None
    row: tuple[Text, ...] | None = None
    act: Text | None = None
    ask: Text | None = None
    answers: Mapping[str, Text] = dataclasses.field(default_factory=dict)
    needs: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class DraftScreen:
    """A screen; `plain` holds the keys of it that are single words."""

    at: Text
    plain: Mapping[str, Text]
    keys: Mapping[str, Step]
    typed: Step | None

    @property
    def name(self) -> str:
        return self.at.value

    @property
    def kind(self) -> str:
        return self.word("kind")

    @property
    def one_text(self) -> bool:
        return self.word("one_text") == "yes"

    def word(self, key: str) -> str:
        """The value of a key of the screen; empty if it is not there."""
        return self.plain[key].value if key in self.plain else ""

    def steps(self) -> tuple[tuple[str, Step], ...]:
        """Everything that leads on, each with its key, or `typed`."""
        return (*self.keys.items(), *((("typed", self.typed),) if self.typed else ()))


@dataclass(frozen=True, slots=True)
class Draft:
    """All sections of all files."""

    book: Mapping[str, Text]
    screens: Mapping[str, DraftScreen]
    lines: Mapping[str, Text]
    tips: Mapping[str, Text]
    messages: Mapping[str, Text]
    letters: Mapping[str, tuple[Text, tuple[Text, ...]]]
    """Name → (its text, the names of the lines that are its answers)."""
    closings: Mapping[str, Text]
    topics: Mapping[str, tuple[Text, Mapping[str, Text]]]
    severities: Mapping[str, tuple[Text, Mapping[str, Text]]]
    raises: Mapping[str, tuple[Text, Text | None, tuple[Text, ...]]]
    """Value → (itself, the severity, or the values it must stand beside)."""
    moves: Mapping[str, tuple[Text, Text]]
    kept: Mapping[str, Text]
    names: Mapping[str, Text]
    typed_for: Mapping[str, tuple[Text, ...]]


class Shaper:
    """Turns tables into a draft; collects what is out of shape in `problems`."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems

    def draft(self, tables: Iterable[Table]) -> Draft:
        """The draft of all files together."""
        found: dict[str, dict[Text, Text | Table]] = {section: {} for section in SECTIONS}
        first: dict[tuple[str, str], Text] = {}
        for table in tables:
            for section, content in table.entries.items():
                if section.value not in SECTIONS:
                    self.problem(section, f"unknown section {section.value}")
                    continue
                for name, value in self.table(section, content).items():
                    before = first.setdefault((section.value, name.value), name)
                    if before is name:
                        found[section.value][name] = value
                    else:
                        where = f"first in {before.file}, line {before.line}"
                        self.problem(name, f"{section.value}: {name.value} stands twice, {where}")
        return Draft(
            book=self.texts("book", found["book"], ROLES),
            screens={name.value: self.screen(name, value) for name, value in found["screens"].items()},
            lines=self.texts("lines", found["lines"]),
            tips=self.texts("tips", found["tips"]),
            messages=self.texts("messages", found["messages"]),
            letters={
                name.value: letter
                for name, value in found["letters"].items()
                if (letter := self.letter(name, value)) is not None
            },
            closings=self.texts("closings", found["closings"]),
            topics=self.records("topic", found["topics"], TOPIC_KEYS),
            severities=self.records("severity", found["severities"], CLOCK_KEYS),
            raises={name.value: self.raising(name, value) for name, value in found["raises"].items()},
            moves={
                name.value: (name, text)
                for name, value in found["moves"].items()
                if (text := self.text(name, value)) is not None
            },
            kept=self.texts("kept", found["kept"]),
            names=self.texts("names", found["names"]),
            typed_for={
                name.value: text.words()
                for name, value in found["typed_for"].items()
                if (text := self.text(name, value)) is not None
            },
        )

    def problem(self, at: Text | Table, text: str) -> None:
        self.problems.append(Problem(at.file, at.line, text))

    def table(self, at: Text, value: Text | Table) -> Mapping[Text, Text | Table]:
        if isinstance(value, Table):
            return value.entries
        self.problem(at, f"{at.value}: a mapping is needed here")
        return {}

    def text(self, at: Text, value: Text | Table) -> Text | None:
        if isinstance(value, Text) and value.value:
            return value
        self.problem(at, f"{at.value}: {'empty' if isinstance(value, Text) else 'one string is needed here'}")
        return None

    def texts(
        self, what: str, entries: Mapping[Text, Text | Table], allowed: tuple[str, ...] | None = None
    ) -> dict[str, Text]:
        """Entries that are single strings, by name."""
        texts: dict[str, Text] = {}
        for name, value in entries.items():
            if allowed is not None and name.value not in allowed:
                self.problem(name, f"{what}: unknown key {name.value}")
            elif (text := self.text(name, value)) is not None:
                texts[name.value] = text
        return texts

    def records(
        self, what: str, entries: Mapping[Text, Text | Table], keys: tuple[str, ...]
    ) -> dict[str, tuple[Text, Mapping[str, Text]]]:
        """Entries that need every one of `keys`; one that lacks any is left out."""
        records: dict[str, tuple[Text, Mapping[str, Text]]] = {}
        for name, value in entries.items():
            record = self.texts(f"{what} {name.value}", self.table(name, value), keys)
            given = {key.value for key in value.entries} if isinstance(value, Table) else set(keys)
            for key in keys:
                if key not in given:
                    self.problem(name, f"{what} {name.value}: {key} is missing")
            if len(record) == len(keys):
                records[name.value] = (name, record)
        return records

    def raising(self, name: Text, value: Text | Table) -> tuple[Text, Text | None, tuple[Text, ...]]:
        if isinstance(value, Text):
            return name, value, ()
        beside = self.texts(f"raises {name.value}", value.entries, ("up",))
        return name, None, beside["up"].words() if "up" in beside else ()

    def letter(self, name: Text, value: Text | Table) -> tuple[Text, tuple[Text, ...]] | None:
        words = self.texts(f"letter {name.value}", self.table(name, value), LETTER_KEYS)
        if "text" not in words:
            self.problem(name, f"letter {name.value}: text is missing")
            return None
        return words["text"], words["answers"].words() if "answers" in words else ()

    def screen(self, name: Text, value: Text | Table) -> DraftScreen:
        what = f"screen {name.value}"
        plain: dict[Text, Text | Table] = {}
        keys: dict[str, Step] = {}
        typed: Step | None = None
        for key, content in self.table(name, value).items():
            if key.value == "keys":
                keys = {
                    pressed.value: self.step(f"{what}, key {pressed.value}", pressed, held)
                    for pressed, held in self.table(key, content).items()
                }
            elif key.value == "typed":
                typed = self.step(f"{what}, typed", key, content)
            else:
                plain[key] = content
        return DraftScreen(name, self.texts(what, plain, SCREEN_KEYS), keys, typed)

    def step(self, what: str, at: Text, value: Text | Table) -> Step:
        if isinstance(value, Text):
            return Step(at, to=self.text(at, value))
        tables: dict[str, dict[str, Text]] = {"set": {}, "answers": {}}
        plain: dict[Text, Text | Table] = {}
        for key, content in value.entries.items():
            if key.value in tables:
                tables[key.value] = self.texts(f"{what}, {key.value}", self.table(key, content))
                if key.value == "set" and len(tables["set"]) != 1:
                    self.problem(key, f"{what}: set needs exactly one field")
            else:
                plain[key] = content
        words = self.texts(what, plain, STEP_KEYS)
        fields = {name.value: name for name in self._fields(value)}
        chosen = next(iter(tables["set"]), None)
        return Step(
            at=at,
            to=words.get("to"),
            field=fields[chosen] if chosen else None,
            value=tables["set"][chosen] if chosen else None,
            label=words.get("label"),
            language=words.get("language"),
            row=words["row"].words() if "row" in words else None,
            act=words.get("act"),
            ask=words.get("ask"),
            answers=tables["answers"],
            needs=words["needs"].words() if "needs" in words else (),
        )

    @staticmethod
    def _fields(value: Table) -> Iterable[Text]:
        for key, content in value.entries.items():
            if key.value == "set" and isinstance(content, Table):
                yield from content.entries
