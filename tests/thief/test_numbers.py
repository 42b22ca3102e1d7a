"""Whose number it was can be worked out on the day, by who holds the day's keys; two days later by nobody.

The space of numbers is small, so no hash protects it: what protects it is that the key is gone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from sqlalchemy import func, insert, select

from gateway.casework.act import ActRow
from gateway.later.purge import purge
from gateway.runtime import Runtime
from gateway.vault.seal import keyed
from tests import build
from tests.later import story
from tests.thief import lived
from tests.thief.kit import STEPS, Kit, Loot, purposes

NUMBERS = [f"+24397{number * 104_729 % 10_000_000:07d}" for number in range(10_000)]
SESSION = "ATUid_known"
"""Even what a thief cannot know is given to them: all but the number."""
SAMPLE = 10
DAY = "day.json"


def material(number: str) -> bytes:
    """What a dialogue is named by, as gateway/acts.py puts it."""
    return json.dumps(["africastalking", SESSION, number, build.CODE]).encode()


def dial(rt: Runtime) -> None:
    """All numbers dial: twenty go through a whole dialogue, of the rest there are the rows that it would leave."""
    for at, number in enumerate(NUMBERS[:20]):
        phone = build.Phone(rt, number, SESSION)
        phone.dial()
        phone.press(*(story.DANGER if at % 2 else story.HAZARD), "3")
        assert phone.ended
    marks = [rt.vault.mark(rt.today(), material(number)) for number in NUMBERS[20:]]
    rows = [
        {"mark": mark, "dialogue": mark, "day": each.day, "kind": "file", "report_id": None, "attempt": 0}
        for each in marks
        for mark in (each.now, each.before)
    ]
    with rt.db.begin() as db:
        db.execute(insert(ActRow), rows)


def derived(rt: Runtime) -> Kit:
    """Every key that follows from the files of the key directory."""
    kit = Kit(Loot({"report": []}, []))
    kit.take(lived.key_files(rt.settings.keys_dir))
    return kit


def stored(rt: Runtime) -> set[bytes]:
    """Every value of the database that may be a mark, a token or a digest."""
    return {value for value in Loot(lived.rows(rt.db), []).values() if len(value) == 32}


def matched(kit: Kit, values: set[bytes]) -> set[str]:
    """The numbers that some key brings to a stored value. The right key would bring every number there, so one
    that does so for none of a sample is let go; but for the keys of days, with which all are tried."""
    found = {number for number in NUMBERS if values & set(_digests(number))}
    (chain,) = (bytes.fromhex(json.loads(text)["chain"]) for name, text in kit.loot.files.items() if name == DAY)
    days = set()
    for _ in range(STEPS):
        days.add(keyed(chain, b"", "day key"))
        chain = keyed(chain, b"", "day step")
    assert days <= kit.keys
    for key in kit.keys:
        if key in days or not values.isdisjoint(_mark(key, number) for number in NUMBERS[20 : 20 + SAMPLE]):
            found |= {number for number in NUMBERS if _mark(key, number) in values}
    return found


def _mark(key: bytes, number: str) -> bytes:
    return keyed(key, material(number), "mark")


def _digests(number: str) -> Iterator[bytes]:
    for text in (number, number[1:], "0" + number[4:], number[4:]):
        yield hashlib.sha256(text.encode()).digest()
        yield hashlib.blake2b(text.encode(), digest_size=32).digest()


def test_two_days_later_no_number_is_found_by_any_key_that_is_left(light: Runtime) -> None:
    rt = light
    build.staff(rt)
    build.sites(rt, "Site A")
    dial(rt)
    marks = stored(rt)
    assert matched(derived(rt), marks) == set(NUMBERS), "on the day itself, with the day's keys, each is found"

    for _ in range(2):
        story.clock(rt).go(days=1)
        purge(rt)
    with rt.db.read() as db:
        assert db.scalar(select(func.count()).select_from(ActRow)), "the rows are there still; their keys are not"
    assert marks <= stored(rt)
    assert matched(derived(rt), stored(rt)) == set()

    story.clock(rt).go(days=1)
    purge(rt)
    with rt.db.read() as db:
        assert not db.scalar(select(func.count()).select_from(ActRow))
    assert matched(derived(rt), stored(rt) | marks) == set()


def test_the_kit_knows_every_purpose_that_a_number_is_marked_for() -> None:
    assert {"day key", "day step", "mark", "staff numbers", "tokens", "code pepper"} <= purposes()
