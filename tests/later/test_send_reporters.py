"""To whom no SMS goes: whoever reports hears from nobody, unless they chose the one neutral SMS."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from sqlalchemy import select

from gateway import desk
from gateway.casework import Refused, caseworker, contact, referral
from gateway.casework.contact import Contact, How
from gateway.casework.journal import Entry
from gateway.casework.referral import HandOnReason
from gateway.casework.report import Outcome, State
from gateway.casework.verb import Verb
from gateway.flows import write_message
from gateway.later.purge import purge
from gateway.later.sweep import sweep
from gateway.runtime import Runtime
from tests import build
from tests.later import story
from tests.wanderer import MINE, Caller, Wanderer, nobody, quick

DIALOGUES = 250
MOST_KEYS = 16
RECENT = 20
LIVE = "a live code"
BEGINNINGS = (
    (), ("1",), ("1",),
    *((language, key) for language in "234" for key in "2214"),
    *((language, "3", LIVE) for language in "234" for _ in range(3)),
)  # fmt: skip
HAPPEN = {
    Verb.FILED, Verb.ADDED, Verb.CONSENTED, Verb.ACCEPTED, Verb.WROTE, Verb.ANSWERED, Verb.CLOSED, Verb.RATED,
    Verb.REOPENED, Verb.WITHDRAWN, Verb.NUMBER_OPENED, Verb.EXPIRED, Verb.HANDED_ON,
}  # fmt: skip
"""What must have happened in each quarter of the thousand."""


@dataclass
class Town:
    """Reporters who come and come back, and a desk that works on what they tell."""

    rt: Runtime
    staff: dict[str, int]
    wanderer: Wanderer
    codes: list[str] = field(default_factory=list)

    def dialogue(self, at: int) -> None:
        """Somebody dials and goes where chance leads them, but does not ask for an SMS."""
        chance = self.wanderer.chance
        caller = Caller(self.rt, f"+24397{at:07}", f"{at}")
        planned = list(chance.choice(BEGINNINGS))
        caller.press()
        while not caller.ended and len(caller.keys) < MOST_KEYS:
            if caller.code and not planned and chance.random() < 0.1:
                planned = ["00", "3", MINE]
            code = chance.choice([nobody(at), *self.codes[-RECENT:]])
            key = planned.pop(0) if planned else self.wanderer.next_key([code])
            caller.press(code if key == LIVE else key)
        if caller.code:
            self.codes.append(caller.code)
        if chance.random() < 0.5:
            story.ended(self.rt, caller.session, caller.number)

    def work(self) -> None:
        """Somebody who has a report does one thing with it."""
        filed = select(Entry.report_id).where(Entry.verb == Verb.FILED.value).order_by(Entry.id)
        with self.rt.db.read() as db:
            made = self.wanderer.chance.choice([0, *db.scalars(filed)][-RECENT:]) or 0
            waiting = referral.waiting_for(db, made)
        found = story.coarse(self.rt, made) if made else None
        if waiting is not None:
            desk.accept(self.rt, build.reader(waiting), made)
        elif found is not None and found.state is State.ACCEPTED and found.responsible_id is not None:
            with suppress(Refused):
                self.wanderer.chance.choice(DOING)(self.rt, build.reader(found.responsible_id), made)


DOING: Sequence[Callable[[Runtime, desk.Reader, int], object]] = (
    lambda rt, reader, made: desk.write(rt, reader, made, desk.OWN, "Dites le nom du puits."),
    lambda rt, reader, made: desk.write(rt, reader, made, "tell_more", ""),
    lambda rt, reader, made: desk.write(rt, reader, made, "how_many", ""),
    lambda rt, reader, made: desk.write(rt, reader, made, "seen_to", ""),
    lambda rt, reader, made: desk.note(rt, reader, made, "vu sur place"),
    lambda rt, reader, made: desk.open_number(rt, reader, made, "promis"),
    lambda rt, reader, made: desk.hand_on(rt, reader, made, HandOnReason.AWAY, None),
    lambda rt, reader, made: desk.close(rt, reader, made, Outcome.HELPED),
    lambda rt, reader, made: desk.close(rt, reader, made, Outcome.NOT_FOUND, "Rien au puits."),
    lambda rt, reader, made: desk.close(rt, reader, made, Outcome.WITHDRAWN),
)


@pytest.mark.parametrize("quarter", range(4))
def test_in_a_thousand_dialogues_without_consent_no_sms_goes_to_a_reporter(
    light: Runtime, monkeypatch: pytest.MonkeyPatch, quarter: int
) -> None:
    rt = quick(light)
    wanderer = Wanderer(rt.book, random.Random(quarter), never=frozenset({("sms_consent", "1")}))
    wanderer.watch(monkeypatch)
    town = Town(rt, story.staff(rt), wanderer)
    for at in range(DIALOGUES):
        town.dialogue(at)
        for _ in range(2):
            town.work()
        if at % 10 == 9:
            story.clock(rt).go(minutes=wanderer.chance.choice([10, 180, 600]))
            sweep(rt)
        if at % 50 == 49:
            purge(rt)
    story.clock(rt).go(hours=1)
    sweep(rt)
    with rt.db.read() as db:
        happened = Counter(db.scalars(select(Entry.verb)))
        colleagues = {caseworker.number(db, rt.vault, person) for person in town.staff.values()}
        assert db.scalars(select(Contact.how).distinct()).all() == [How.CALL.value]
    assert {number for number, _ in build.operator(rt).sms} == colleagues
    assert {verb for verb in HAPPEN if not happened[verb.value]} == set()
    assert happened[Verb.FILED.value] > 40
    assert happened[Verb.CONSENTED.value] > 20, "to be called"
    assert happened[Verb.REMINDED.value] == 0
    assert wanderer.met >= {"sms_consent", "letter", "question", "closed", "withdrawn", "call_agreed"}
    assert len(build.operator(rt).sms) == happened[Verb.SENT.value] > 50

    # Whoever did consent gets the one neutral SMS, whatever else is written to them.
    consenting = Caller(rt, "+243970009999", "consents")
    for key in (*story.HAZARD, "2", "3", "1"):
        consenting.press(key)
    (made,) = [one for one in story.reports(rt) if with_sms(rt, one)]
    story.brought(rt, made)
    with rt.db.read() as db:
        waiting = referral.waiting_for(db, made)
    assert waiting is not None
    reader = build.reader(waiting)
    desk.accept(rt, reader, made)
    assert desk.write(rt, reader, made, "tell_more", "")
    for at in range(3):
        sweep(rt)
        desk.write(rt, reader, made, desk.OWN, f"Encore une question {at}.")
        story.clock(rt).go(hours=1)
    desk.close(rt, reader, made, Outcome.HELPED)
    sweep(rt)
    others = [sms for sms in build.operator(rt).sms if sms[0] not in colleagues]
    assert others == [(consenting.number, write_message(rt.book, "reminder", "fr"))]


def with_sms(rt: Runtime, made: int) -> bool:
    with rt.db.read() as db:
        return contact.how(db, made, rt.today()) is How.SMS
