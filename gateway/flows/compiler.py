"""From flow files and catalogues to a book, or to the list of everything that is wrong with them."""

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from gateway.flows.checks import CHOICE_OF, SLOT_OF, TYPED, Checks, settable
from gateway.flows.definition import (
    BACK,
    END,
    HOME,
    LANGUAGES,
    MORE,
    SITE_CODE,
    Action,
    BadFlow,
    Book,
    Clock,
    Letter,
    Problem,
    Raise,
    Roles,
    Screen,
    Topic,
)
from gateway.flows.draft import Draft, DraftScreen, Shaper, Step
from gateway.flows.fold import spoken
from gateway.flows.phrases import Phrases
from gateway.flows.screen import layout, words_of
from gateway.flows.source import Table, Text, read_folder

CHARSETS = ("gsm7", "ascii")
_V = TypeVar("_V")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def load(flows_dir: Path, locales_dir: Path, *, charset: str = "gsm7") -> Book:
    """The book in the `*.yaml` of a folder and the `<language>/LC_MESSAGES/phone.po` of another.

    `charset`: `ascii` folds every accent on screens, for networks that garble them.
    Raises BadFlow with all problems at once (unless a file is not YAML: then with those of that kind alone),
    ValueError for an unknown charset.
    """
    if charset not in CHARSETS:
        raise ValueError(f"charset is one of {', '.join(CHARSETS)}")
    problems: list[Problem] = []
    tables = list(read_folder(flows_dir, problems))
    whole = [table for table in tables if table is not None]
    if not tables or len(whole) < len(tables):
        raise BadFlow(sorted(problems))
    draft = Shaper(problems).draft(whole)
    Checks(draft, problems).all()
    phrases = Phrases(draft, locales_dir, problems)
    phrases.check()
    if problems:
        raise BadFlow(sorted(set(problems)))
    return _Builder(draft, phrases, charset).book(_digest(whole, phrases))


class _Builder:
    """Makes the flat tables of a book from a draft without problems."""

    def __init__(self, draft: Draft, phrases: Phrases, charset: str) -> None:
        self.draft = draft
        self.phrases = phrases
        self.charset = charset
        self.roles = Roles(**{role: text.value for role, text in draft.book.items()})
        self.lines = self.translated(draft.lines)

    def book(self, digest: str) -> Book:
        tips = self.translated(self.draft.tips)
        return Book(
            digest=digest,
            charset=self.charset,
            roles=self.roles,
            screens=_frozen({name: self.screen(screen) for name, screen in self.draft.screens.items()}),
            lines=self.lines,
            tips=_frozen({language: tuple(tip[language] for tip in tips.values()) for language in LANGUAGES}),
            messages=self.translated(self.draft.messages),
            letters=_frozen(
                {
                    name: Letter(texts, tuple(self.lines[answer.value] for answer in self.draft.letters[name][1]))
                    for name, texts in self.translated(
                        {name: text for name, (text, _) in self.draft.letters.items()}
                    ).items()
                }
            ),
            closings=self.translated(self.draft.closings),
            topics=_frozen({name: _topic(topic) for name, (_, topic) in self.draft.topics.items()}),
            severities=_frozen({name: _clock(clock) for name, (_, clock) in self.draft.severities.items()}),
            raises=tuple(
                Raise(value, to.value if to else None, frozenset(word.value for word in beside))
                for value, (_, to, beside) in self.draft.raises.items()
            ),
            moves=_frozen({value: lane.value for value, (_, lane) in self.draft.moves.items()}),
            kept=_frozen({lane: int(months.value) for lane, months in self.draft.kept.items()}),
            names=_frozen({name: text.value for name, text in self.draft.names.items()}),
            typed_for=_frozen(
                {spoken(word.value): key for key, words in self.draft.typed_for.items() for word in words}
            ),
            settable=settable(self.draft),
        )

    def translated(self, texts: Mapping[str, Text]) -> Mapping[str, Mapping[str, str]]:
        return _frozen(
            {
                name: _frozen({lang: version.value for lang, version in self.phrases.versions(name, text).items()})
                for name, text in texts.items()
            }
        )

    def screen(self, screen: DraftScreen) -> Screen:
        texts = {language: text.value for language, text in self.phrases.of_screen(screen).items()}
        keys: dict[str, Action] = {}
        if screen.kind != END:
            keys = {"0": Action(BACK), "00": Action(HOME), "99": Action(self.roles.exit)}
            keys |= {key: self.action(screen, key, step, texts) for key, step in screen.keys.items()}
        return Screen(
            name=screen.name,
            kind=screen.kind,
            ends=screen.kind == END,
            one_text=screen.one_text,
            digits=int(screen.word("digits") or 0),
            check=screen.word("check") or None,
            wrong=screen.word("wrong") or None,
            lists=screen.word("lists") or None,
            keys=_frozen(keys),
            typed=self.action(screen, "", screen.typed, texts) if screen.typed else None,
            layouts=_frozen(
                {
                    language: layout(text, keys, ascii_only=self.charset == "ascii")
                    for language, text in texts.items()
                }
            ),
        )

    def action(self, screen: DraftScreen, key: str, step: Step, texts: Mapping[str, str]) -> Action:
        value = step.value.value if step.value else ""
        field = step.field.value if step.field else None
        typed = value == TYPED
        if step is screen.typed and screen.word("check") == SITE_CODE:
            field, typed = "site", True
        slot, choice = SLOT_OF.get(value, 0), CHOICE_OF.get(value, 0)
        needs = tuple(need.value for need in step.needs)
        to = step.to.value if step.to else ""
        return Action(
            to=to,
            field=field,
            value="" if typed or slot or choice else value,
            slot=slot,
            choice=choice,
            typed=typed,
            words=self.words(key, step, texts) if field and not (typed or slot or choice) else _frozen({}),
            language=step.language.value if step.language else None,
            row=tuple(word.value for word in step.row) if step.row is not None else None,
            act=step.act.value if step.act else (screen.word("act") or None) if field else None,
            ask=step.ask.value if step.ask else None,
            answers=_frozen({answer: target.value for answer, target in step.answers.items()}),
            needs=needs,
            guarded=bool(slot or choice or needs or to == MORE),
        )

    def words(self, key: str, step: Step, texts: Mapping[str, str]) -> Mapping[str, str]:
        """What a caller sees beside a key, by language; the value itself where a key is not shown."""
        if step.label:
            return self.lines[step.label.value]
        options = {language: self.phrases.options(text).get(key) for language, text in texts.items()}
        value = step.value.value if step.value else ""
        return _frozen({lang: words_of(option) if option else value for lang, option in options.items()})


def _frozen(table: dict[str, _V]) -> Mapping[str, _V]:
    return MappingProxyType(table)


def _topic(topic: Mapping[str, Text]) -> Topic:
    texts = {key: text.value for key, text in topic.items()}
    details = tuple(texts.pop("details").split())
    return Topic(**texts, details=details)


def _clock(clock: Mapping[str, Text]) -> Clock:
    steps = tuple(_span(word.value) for word in clock["accept"].words())
    return Clock(steps, _span(clock["first"].value), _span(clock["update"].value))


def _span(text: str) -> timedelta:
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


def _digest(tables: list[Table], phrases: Phrases) -> str:
    """16 hex digits of all that a book says: every section as written, and every translation."""
    content = {
        "flows": [_plain(table) for table in tables],
        "phrases": {
            language: sorted([context or "", source, phrase.text] for (context, source), phrase in found.items())
            for language, found in phrases.catalogues.items()
        },
    }
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()[:16]


def _plain(value: Text | Table) -> object:
    if isinstance(value, Text):
        return value.value
    return {key.value: _plain(content) for key, content in value.entries.items()}
