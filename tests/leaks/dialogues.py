"""Callers of every kind, and what must not be left of them: numbers, words, sessions, codes."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import urlencode

from gateway.text import check_digit
from tests.processes import SECRET, Caller, House

WORDS: Final = ("Bwalukil\u00e0 mwen\u00e9", "tshibungu-\u00f9kale")
"""Typed into stories, where words are asked and where they are not."""
SESSION: Final = "ATUid_5e551055e551"
_CODE: Final = re.compile(r"\d{4} \d{4} \d{4}")
_TOGETHER: Final = 4

Kind = Callable[["Callers", Caller], None]


class Callers:
    """People who call one house, a few at a time, each with a kind of dialogue of `KINDS` in turn."""

    def __init__(self, house: House, first: int) -> None:
        self.house, self.first = house, first
        self.numbers = [f"+24399{first // 1000:02d}{first * 7 % 1000:03d}{at:02d}" for at in range(12)]
        self.codes: set[str] = set()
        self.sessions: list[str] = []
        self.kinds: set[str] = set()
        self._lock = threading.Lock()

    def call(self, numbers: Iterable[int]) -> None:
        """One dialogue for each number, several at once. Raises what any of them raised."""
        with ThreadPoolExecutor(_TOGETHER) as pool:
            for done in [pool.submit(self._dialogue, number) for number in numbers]:
                done.result()

    def markers(self) -> set[str]:
        """What must not be left: of the sessions all begin alike, and some are looked for whole."""
        return {*self.numbers, *self.codes, *WORDS, SESSION, *self.sessions[::20], SECRET}

    def _dialogue(self, number: int) -> None:
        caller = Caller(
            self.house, f"{SESSION}{self.first + number:06d}", self.numbers[number % len(self.numbers)]
        )
        caller.dial()
        name, kind = KINDS[number % len(KINDS)]
        kind(self, caller)
        with self._lock:
            self.sessions.append(caller.session)
            self.kinds.add(name)

    def press(self, caller: Caller, *keys: str) -> str:
        """Press keys, and keep the codes that are shown on the way."""
        for key in keys:
            self.see(caller.press(key))
        return caller.screen

    def see(self, screen: str) -> None:
        with self._lock:
            self.codes.update(_CODE.findall(screen))

    def said(self, caller: Caller) -> str:
        """Words that hold the caller's own number, as people say it."""
        number = caller.caller
        return f"{WORDS[0]} {number} 0{number[4:]} {number[1:]} {WORDS[1]}"


def _complete(callers: Callers, caller: Caller) -> None:
    callers.press(caller, "1", "1", "1", "1", "1", "1", "1", "1", "1", "7", "7")


def _short(callers: Callers, caller: Caller) -> None:
    callers.press(caller, "1", "1", "2", "1", "1", "99")


def _with_words(callers: Callers, caller: Caller) -> None:
    callers.press(caller, "2", "2", "6", "2", "1", "1", callers.said(caller))


def _dropped(callers: Callers, caller: Caller) -> None:
    callers.press(caller, "1", "1", "4", "1")


def _hung_up(callers: Callers, caller: Caller) -> None:
    callers.press(caller, "2", "2", "4", "1", "1")
    caller.hang_up()


def _replayed(callers: Callers, caller: Caller) -> None:
    for key in ("1", "1", "2", "1", "1"):
        callers.press(caller, key)
        callers.see(caller.again())


def _out_of_place(callers: Callers, caller: Caller) -> None:
    callers.press(caller, "2", WORDS[0], caller.caller, "2", WORDS[1] * 5, caller.caller[4:], "99")


def _malformed(callers: Callers, caller: Caller) -> None:
    """Posts that are no hops; each holds all it can."""
    form = {"sessionId": caller.session, "phoneNumber": caller.caller, "text": WORDS[0]}
    whole = urlencode({**form, "serviceCode": caller.caller}).encode()
    post = callers.house.post
    post("ussd", urlencode(form).encode())
    post("ussd", whole + b"\xff")
    post("ussd", whole + b"&text=" + caller.caller.encode() + b"&text=1")
    post("ussd", urlencode({**form, "serviceCode": f"*384*{WORDS[1]}#"}).encode())
    post("ussd", b"x" * 9000 + whole)
    post("receipt", urlencode({**form, "id": caller.caller}).encode())
    post("receipt", urlencode({**form, "id": caller.session, "status": "Success"}).encode())
    post("ussd-ended", urlencode(form).encode() * 50)


def _wrong_door(callers: Callers, caller: Caller) -> None:
    """Somewhere else, with everything in the address."""
    words = WORDS[0].split()[0].encode("ascii", "ignore").decode()
    query = urlencode({"phoneNumber": caller.caller, "sessionId": caller.session, "text": WORDS[0]})
    for path in (f"/hooks/{words}/africastalking/ussd?{query}", f"/nothing?{query}", f"/{words}?{query}"):
        callers.house.get(path)
    callers.house.get(f"/hooks/{SECRET}/africastalking/{words}?{query}")
    callers.house.get(f"/reports/{caller.caller[1:]}?after={words}")


def _accused(callers: Callers, caller: Caller) -> None:
    callers.press(caller, "1", "1", "4", "1", "1", "1", "2", "5", "2")


def _changed(callers: Callers, caller: Caller) -> None:
    callers.press(caller, "2", "0", "1", "1", "1", "2", "2", "1", "1", "1")


def _twins(callers: Callers, caller: Caller) -> None:
    """The operator posts the hop that files from two places at once."""
    callers.press(caller, "1", "1", "3", "1")
    twin = Caller(callers.house, caller.session, caller.caller)
    twin.text = caller.text
    with ThreadPoolExecutor(2) as pool:
        for screen in pool.map(lambda phone: phone.press("1"), (caller, twin)):
            callers.see(screen)


def _followed(callers: Callers, caller: Caller) -> None:
    """Their own code, at once: add words, and dial for nothing more."""
    callers.press(caller, "1", "1", "1", "1", "1")
    callers.press(caller, "00", "3", _code_on(caller), "1", callers.said(caller))


def _called_back(callers: Callers, caller: Caller) -> None:
    callers.press(caller, "2", "4", "1", "3")


def _called_elsewhere(callers: Callers, caller: Caller) -> None:
    """The number of somebody else who calls here too, as people write it."""
    other = next(number for number in callers.numbers if number != caller.caller)
    callers.press(caller, "2", "2", "2", "1", "1", "2", "2", f"0{other[4:]}", "1")


def _reminded(callers: Callers, caller: Caller) -> None:
    callers.press(caller, "3", "2", "2", "1", "1", "2", "3", "1")


def _withdrew(callers: Callers, caller: Caller) -> None:
    callers.press(caller, "2", "2", "2", "1", "1")
    callers.press(caller, "00", "3", _code_on(caller), "5", "1")


def _guessed(callers: Callers, caller: Caller) -> None:
    """Codes that nobody has, one of them mistyped."""
    callers.press(caller, "2", "3", "123456789012")
    for at in range(2):
        eleven = f"{int(caller.caller[1:]) * (at + 3) % 10**11:011d}"
        callers.press(caller, eleven + check_digit(eleven), "1")


def _code_on(caller: Caller) -> str:
    """The code on the screen, as it is typed."""
    found = _CODE.search(caller.screen)
    return found[0].replace(" ", "") if found else "000000000000"


KINDS: Final[tuple[tuple[str, Kind], ...]] = (
    ("complete", _complete),
    ("short", _short),
    ("with words", _with_words),
    ("dropped", _dropped),
    ("hung up", _hung_up),
    ("replayed", _replayed),
    ("out of place", _out_of_place),
    ("malformed", _malformed),
    ("wrong door", _wrong_door),
    ("accused", _accused),
    ("changed", _changed),
    ("twins", _twins),
    ("followed", _followed),
    ("called back", _called_back),
    ("called elsewhere", _called_elsewhere),
    ("reminded", _reminded),
    ("withdrew", _withdrew),
    ("guessed", _guessed),
)


def chunks(total: int, size: int) -> Iterable[list[int]]:
    """Numbers up to `total` in handfuls."""
    numbers = iter(range(total))
    while handful := list(itertools.islice(numbers, size)):
        yield handful
