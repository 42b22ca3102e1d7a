"""Somebody who finds their way through the book by chance, the same every time: mostly they press what a screen
offers, now and then something else."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

import pytest
from sqlalchemy import event

from gateway import flows
from gateway.flows import Book, Known, Turn
from gateway.flows.definition import NEXT
from gateway.runtime import Runtime
from gateway.text import check_digit
from gateway.vault import CodeKeys, Vault
from gateway.vault.pairs import pair_of
from tests.later import story

MINE = "my code"
"""Stands for the code that this dialogue has shown last."""
NUMBERS = {"emg": "112", "child": "117", "gbv": "122"}
BACKWARD = ("0", "00", "99")
FORWARD, DEEPER = 20, 100
"""How much oftener than those a key is pressed that leads on, and one that leads to what is asked about a topic,
or to what was never shown."""
SLIPS = (
    "", "x", "7", "8", "9", "10", "1er", "moja", "mibale", "trois", "four", "101", "0990000009", "puits quatre",
)  # fmt: skip
STORIES = (
    "puits 4, derriere", "Mtoto wangu anabeba mifuko", "Boya noki", "appelez le 0990000009", "5", "non *merci",
)  # fmt: skip
PHONES = ("0990123456", "+243812345678", "0812 345 678", "12345", "personne")
_CODE = re.compile(r"\b\d{4} \d{4} \d{4}\b")
PLACES = ("101", "102", "999", "12", "site")


def mistyped(code: str) -> str:
    return code[:-1] + str((int(code[-1]) + 1) % 10)


def nobody(at: int) -> str:
    """A code that is well written and nobody's."""
    digits = f"{at:011d}"
    return digits + check_digit(digits)


@dataclass
class Caller:
    """One telephone in one dialogue, and what it was shown: a code keeps its place and its length, not its
    digits."""

    rt: Runtime
    number: str
    session: str
    keys: tuple[str, ...] = ()
    shown: list[str] = field(default_factory=list)
    ended: bool = False
    code: str = ""
    """The last that was shown."""

    def press(self, *keys: str) -> str:
        """The next hop, with all that was pressed before."""
        self.keys = (*self.keys, *(key.replace(MINE, self.code) for key in keys))
        screen = story.press(self.rt, self.keys, self.session, caller=self.number)
        self.ended = screen.ends
        for code in _CODE.findall(screen.text):
            self.code = code.replace(" ", "")
        self.shown.append(f"{_CODE.sub('0000 0000 0000', screen.text)}\n{'(end)' if self.ended else ''}")
        return self.shown[-1]


class QuickVault(Vault):
    """A vault whose hash of codes is not slow."""

    def code_keys(self, code: str) -> CodeKeys:
        return CodeKeys(sha256(code.encode()).digest(), pair_of(sha256(b"reply" + code.encode()).digest()))


def quick(rt: Runtime) -> Runtime:
    """The same database and keys, for hundreds of reports: no hash is slow, and nothing waits for the disk. The
    help numbers were tested, so that the screens which hold one are offered."""
    event.listen(rt.db.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    rt.db.dispose()
    known = rt.directory.known
    rt.directory.known = Known(known.sites, NUMBERS, known.day)
    return replace(rt, vault=QuickVault.open_directory(rt.settings.keys_dir))


@dataclass
class Wanderer:
    """`never` are screens with a key that is not pressed there, nor anything that may be taken for it."""

    book: Book
    chance: random.Random
    never: frozenset[tuple[str, str]] = frozenset()
    met: set[str] = field(default_factory=set)
    """Every screen that was shown."""
    pressed: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often which key of which screen; what was pressed seldom is likelier to be pressed next."""
    turn: Turn = field(init=False)
    """The last that was shown."""

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        """Look over the shoulder of whoever dials from now on."""
        real = flows.render

        def render(book: Book, turn: Turn, known: Known, *, code: str | None = None) -> str:
            self.turn = turn
            self.met.add(turn.screen)
            return real(book, turn, known, code=code)

        patch.setattr(flows, "render", render)

    def next_key(self, codes: Sequence[str]) -> str:
        """What is pressed on the screen that was shown last; `codes` are written where one is asked for."""
        screen = self.book.screens[self.turn.screen]
        forbidden = any(name == screen.name for name, _ in self.never)
        if not forbidden and self.chance.random() < 0.05:
            return self.chance.choice(SLIPS)
        weights = {
            key: self._weight(key, action.to) / (1 + self.pressed[screen.name, key])
            for key, action in screen.keys.items()
            if (screen.name, key) not in self.never
        }
        if screen.typed is not None:
            written = {"code": codes, "number": PHONES, "site_code": PLACES}.get(screen.check or "", STORIES)
            weights |= dict.fromkeys(written, sum(weights.values()) / len(written))
        key = self.chance.choices([*weights], [*weights.values()])[0]
        self.pressed[screen.name, key] += 1
        return key

    def _weight(self, key: str, to: str) -> int:
        if key in BACKWARD:
            return 1
        return DEEPER if to == NEXT or (to in self.book.screens and to not in self.met) else FORWARD
