"""The texts of a draft in every language: complete, with the same keys and gaps, in letters phones have."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.flows.checks import CHOICE_OF, EVERYWHERE, SLOT_OF, answering
from gateway.flows.definition import (
    ANSWER_SEPTETS,
    ANSWERS,
    FIXED,
    LANGUAGES,
    LETTER,
    NUMBER_SEPTETS,
    NUMBERS,
    SCREEN_SEPTETS,
    SITE_SEPTETS,
    SITES,
    SLOTS,
    TIPS,
    Piece,
    Problem,
)
from gateway.flows.draft import Draft, DraftScreen
from gateway.flows.screen import PLACEHOLDER, pieces, words_of
from gateway.flows.source import Text
from gateway.text import Phrase, offenders, read_catalogue, septets

SOURCE = "en"
CODE_SEPTETS = 14
TIP_SEPTETS = 110

_PLACED = re.compile(r"(.+?):(\d+): (.*)", re.DOTALL)


class Phrases:
    """The texts of a draft and their translations; `check` reports all that is wrong with them."""

    def __init__(self, draft: Draft, locales: Path, problems: list[Problem]) -> None:
        self.draft = draft
        self.problems = problems
        self.files = {language: locales / language / "LC_MESSAGES" / "phone.po" for language in LANGUAGES}
        self.catalogues = {language: self._read(path) for language, path in self.files.items()}

    def versions(self, context: str, text: Text) -> dict[str, Text]:
        """The translations of a text by language; what is not translated is not there."""
        found: dict[str, Text] = {}
        for language, catalogue in self.catalogues.items():
            phrase = catalogue.get((context, text.value))
            if phrase and phrase.text.strip():
                found[language] = Text(phrase.text.rstrip(), str(self.files[language]), phrase.line)
        return found

    def of_screen(self, screen: DraftScreen) -> dict[str, Text]:
        """The text of a screen by language; the same in all of them for one text."""
        text = screen.plain["text"]
        return dict.fromkeys(LANGUAGES, text) if screen.one_text else self.versions(screen.name, text)

    def check(self) -> None:
        for context, text in self._translated():
            self._translations(context, text)
        answers = answering(self.draft)
        for screen in self.draft.screens.values():
            if "text" in screen.plain:
                allowed = {"site", "topic", "code", *NUMBERS}
                allowed |= set(SLOTS) if screen.word("lists") == SITES else set()
                allowed |= {"tip"} if screen.word("lists") == TIPS else set()
                allowed |= {*FIXED, *LETTER, *ANSWERS} if screen.name in answers else set()
                text = screen.plain["text"]
                versions = {SOURCE: text} | ({} if screen.one_text else self.versions(screen.name, text))
                self._texts(f"screen {screen.name}", versions, allowed, SCREEN_SEPTETS)
                for version in versions.values():
                    self._options(screen, version)
        for what, texts, limit, allowed in (
            ("line", self.draft.lines, SCREEN_SEPTETS, set()),
            ("tip", self.draft.tips, TIP_SEPTETS, set()),
            ("message", self.draft.messages, SCREEN_SEPTETS, set(FIXED)),
        ):
            for name, text in texts.items():
                self._texts(f"{what} {name}", {SOURCE: text, **self.versions(name, text)}, allowed, limit)
        listed = {answer.value for _, answers in self.draft.letters.values() for answer in answers}
        for name, (text, held) in self.draft.letters.items():
            limit = LETTER["question" if held else "message"]
            self._texts(f"letter {name}", {SOURCE: text, **self.versions(name, text)}, set(), limit)
        for name, text in self.draft.closings.items():
            versions = {SOURCE: text, **self.versions(name, text)}
            self._texts(f"closing {name}", versions, set(), LETTER["closing"])
        for name in sorted(listed & set(self.draft.lines)):
            line = self.draft.lines[name]
            versions = {SOURCE: line, **self.versions(name, line)}
            self._texts(f"line {name}, an answer", versions, set(), ANSWER_SEPTETS)

    def _problem(self, at: Text, text: str) -> None:
        self.problems.append(Problem(at.file, at.line, text))

    def _read(self, path: Path) -> Mapping[tuple[str | None, str], Phrase]:
        try:
            catalogue = read_catalogue(path)
        except OSError:
            self.problems.append(Problem(str(path), 1, "no catalogue here"))
            return {}
        except ValueError as error:
            placed = _PLACED.fullmatch(str(error))
            line, text = (int(placed[2]), placed[3]) if placed else (1, str(error))
            self.problems.append(Problem(str(path), line, text))
            return {}
        return {(context, source.rstrip()): phrase for (context, source), phrase in catalogue.items()}

    def _translated(self) -> Iterator[tuple[str, Text]]:
        for screen in self.draft.screens.values():
            if "text" in screen.plain and not screen.one_text:
                yield screen.name, screen.plain["text"]
        for texts in (self.draft.lines, self.draft.tips, self.draft.messages, self.draft.closings):
            yield from texts.items()
        for name, (text, _) in self.draft.letters.items():
            yield name, text

    def _translations(self, context: str, text: Text) -> None:
        for language, catalogue in self.catalogues.items():
            file = str(self.files[language])
            phrase = catalogue.get((context, text.value))
            if phrase is None:
                if not catalogue:
                    continue
                other = min((p.line for (name, _), p in catalogue.items() if name == context), default=None)
                what = "not translated" if other is None else "translated from another text"
                self.problems.append(Problem(file, other or 1, f"{context}: {what}"))
            elif phrase.fuzzy:
                self.problems.append(Problem(file, phrase.line, f"{context}: marked fuzzy"))
            elif not phrase.text.strip():
                self.problems.append(Problem(file, phrase.line, f"{context}: not translated"))

    def _texts(self, what: str, versions: Mapping[str, Text], allowed: set[str], limit: int) -> None:
        gaps = Counter(PLACEHOLDER.findall(versions[SOURCE].value))
        for language, text in versions.items():
            own = Counter(PLACEHOLDER.findall(text.value))
            if language == SOURCE:
                for name in sorted(set(own) - allowed):
                    self._problem(text, f"{what}: unknown placeholder {{{name}}}")
            else:
                for name in sorted(gaps.keys() | own.keys()):
                    if gaps[name] != own[name]:
                        times = f"{own[name]} times, {gaps[name]} in the source"
                        self._problem(text, f"{what}: the placeholder {{{name}}} stands here {times}")
            if set("{}") & set(PLACEHOLDER.sub("", text.value)):
                self._problem(text, f"{what}: a brace that is no placeholder")
            for letter, plain in offenders(text.value).items():
                self._problem(text, f'{what}: phones have no "{letter}"; write "{plain}"')
            long = septets(self._filled(text.value, language))
            if long > limit:
                self._problem(text, f"{what}: {long} septets, at most {limit} fit")

    def _filled(self, text: str, language: str) -> str:
        widest = {**FIXED, **LETTER, "code": CODE_SEPTETS, **dict.fromkeys(NUMBERS, NUMBER_SEPTETS)}
        widest |= dict.fromkeys(SLOTS, SITE_SEPTETS) | dict.fromkeys(ANSWERS, ANSWER_SEPTETS)
        for name in set(PLACEHOLDER.findall(text)) - widest.keys():
            widest[name] = self._widest(name, language)
        return PLACEHOLDER.sub(lambda gap: "x" * widest[gap[1]], text)

    def _widest(self, name: str, language: str) -> int:
        """The septets of the longest value of `tip`, `site` or `topic`; 0 for a placeholder nobody knows."""
        if name == "tip":
            texts = [self._in(language, *tip) for tip in self.draft.tips.items()]
        elif name == "topic":
            texts = list(self._topics(language))
        elif name == "site":
            role = self.draft.book.get("other_place")
            line = role and self.draft.lines.get(role.value)
            texts = ["x" * SITE_SEPTETS, self._in(language, role.value, line) if role and line else ""]
        else:
            texts = []
        return max(map(septets, texts), default=0)

    def _topics(self, language: str) -> Iterator[str]:
        for screen in self.draft.screens.values():
            if "text" in screen.plain:
                options = self.options(self._in(language, screen.name, screen.plain["text"]))
                for key, step in screen.keys.items():
                    line = self.draft.lines.get(step.label.value) if step.label else None
                    if step.field and step.field.value == "topic" and step.label and line:
                        yield self._in(language, step.label.value, line)
                    elif step.field and step.field.value == "topic" and key in options:
                        yield words_of(options[key])

    def _in(self, language: str, context: str, text: Text) -> str:
        """A text in a language, or its source while it has no translation."""
        return self.versions(context, text).get(language, text).value

    @staticmethod
    def options(text: str) -> dict[str, Piece]:
        """The options of a text by key."""
        return {piece.key: piece for line in pieces(text) for piece in line if piece.key}

    def _options(self, screen: DraftScreen, text: Text) -> None:
        shown = [piece for line in pieces(text.value) for piece in line if piece.key]
        keys = Counter(piece.key for piece in shown)
        what = f"screen {screen.name}"
        for key in sorted(keys.keys() | screen.keys.keys(), key=str):
            if keys[key] > 1:
                self._problem(text, f"{what}: key {key} is offered {keys[key]} times")
            if key in EVERYWHERE:
                continue
            if key not in screen.keys:
                self._problem(text, f"{what}: key {key} is offered and leads nowhere")
            elif not keys[key]:
                self._problem(text, f"{what}: key {key} is not offered")
        for piece in shown:
            step = screen.keys.get(piece.key or "")
            if step is None:
                continue
            needs = tuple(need.value for need in step.needs)
            slot = step.value.value if step.value and step.value.value in (*SLOT_OF, *CHOICE_OF) else None
            wanted = (slot[1:-1],) if slot else needs if piece.names and len(needs) == 1 else ()
            if piece.names != wanted:
                held, right = (" ".join(f"{{{name}}}" for name in names) for names in (piece.names, wanted))
                where = f"holds {held or 'no placeholder'} where {right or 'none'} belongs"
                self._problem(text, f"{what}: key {piece.key} {where}")
