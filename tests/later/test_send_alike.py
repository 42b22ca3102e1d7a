"""What an SMS gives away to whoever sees it on a phone that lies on a table: nothing, not even by its length."""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

import pytest
from sqlalchemy import select, update

from gateway import text
from gateway.casework import journal, report, route
from gateway.casework.caseworker import CaseWorker, Role
from gateway.casework.message import Kind, Message
from gateway.casework.verb import Verb
from gateway.flows import Book, write_message
from gateway.flows.definition import SEVERITIES
from gateway.later.dispatch import dispatch
from gateway.later.escalate import escalate
from gateway.later.send import send
from gateway.runtime import Runtime
from gateway.text import Words
from gateway.vault.pairs import new_pair
from tests import build
from tests.later import story
from tests.wanderer import quick

LANGUAGES = ("fr", "sw_CD", "ln")
SITE: Final = "Ziwa Twiga"
PEOPLE: Final = {
    "Kipepeo Mzeituni": (Role.CASE_WORKER, "Nyota Bahari"),
    "Sungura Mlimau": (Role.SUPERVISOR, "Angaza"),
    "Ndovu Mbuyuni": (Role.INTEGRITY_OFFICER, "Bureau Mwezini"),
}


def called(book: Book, words: Words, language: str) -> set[str]:
    """What topics are called by whoever reads this language, on the phone and on the pages."""
    keys = [action for screen in book.screens.values() for action in screen.keys.values()]
    return {
        *(action.words[language] for action in keys if action.field == "topic"),
        *(words.gettext(language, topic.name) for topic in book.topics.values()),
    }


def named(shown: str, names: Iterable[str]) -> set[str]:
    """Those of these names, and of their parts between commas, that stand in a text; in the letters of a phone."""
    parts = {part for name in names for part in (name, *name.split(", "))}
    return {part for part in parts if re.search(rf"(?i)\b{re.escape(text.to_gsm7(part))}\b", shown)}


@pytest.fixture
def house(light: Runtime) -> Runtime:
    """One person of each role and a site, with names that no text of ours holds."""
    build.sites(light, SITE)
    for name, (role, employer) in PEOPLE.items():
        build.person(light, name, role, works_for=employer)
    return quick(light)


def read_in(rt: Runtime, language: str) -> None:
    """Everybody who works here reads this language."""
    with rt.db.begin() as db:
        db.execute(update(CaseWorker).values(sms_language=language))


def filed(rt: Runtime, topic: str, severity: str, site: int | None, language: str, reference: str) -> int:
    """A report of any topic at any severity, due to be brought to somebody."""
    made = secrets.randbits(62) + 1
    lane, place = rt.book.topics[topic].lane, report.place(made)
    steps = route.plan(lane=lane, site=site, language=language, people=rt.directory.people, load={})
    readers = [one.reader for one in rt.directory.people if one.reader is not None]
    key = rt.vault.report_key(place, rt.today(), readers, new_pair().public)
    filing = report.Filing(
        id=made,
        reference=reference,
        code_token=secrets.token_bytes(32),
        topic=topic,
        severity=severity,
        lane=lane,
        site_id=site,
        language=language,
        day=rt.today(),
        key=key,
        body=b"what was told",
        dispatch_at=rt.now(),
        due_at=rt.now() + timedelta(days=3),
    )
    with rt.begin() as unit:
        report.file(unit.db, filing, steps, {one.id: one.public for one in readers})
        journal.write(unit.db, rt.now(), Verb.FILED, report=made)
    return made


def sent(rt: Runtime, kind: Kind) -> list[str]:
    """The texts of all that now leaves, which is of one kind."""
    operator = build.operator(rt)
    before = len(operator.sms)
    send(rt)
    with rt.db.read() as db:
        kinds = db.scalars(select(Message.kind).order_by(Message.id).offset(before)).all()
    assert set(kinds) == {kind.value}
    assert len(operator.sms) - before == len(kinds)
    return [words for _, words in operator.sms[before:]]


def late(rt: Runtime) -> None:
    """The clock of every report runs out, and the next person is asked."""
    story.clock(rt).go(days=4)
    while escalate(rt):
        pass


def test_the_names_that_are_looked_for_are_those_that_people_read(light: Runtime) -> None:
    found = {language: called(light.book, light.words, language) for language in LANGUAGES}
    assert {"Enfant en danger", "Danger ou accident"} <= found["fr"]
    assert "Hatari, aksida" in found["sw_CD"]
    assert "Likama, aksida" in found["ln"]
    for language, names in found.items():
        assert len(names) > len(light.book.topics)
        for name in names:
            assert named(f"Info Mine: 482913, {text.to_gsm7(name).upper()}.", names), (language, name)


@pytest.mark.parametrize("language", LANGUAGES)
def test_whatever_it_is_about_an_sms_to_a_colleague_has_one_length_and_tells_nothing_of_it(
    house: Runtime, language: str
) -> None:
    """Every topic at every severity, with a place and without one, brought to one person and then to the next."""
    rt = house
    read_in(rt, language)
    about = list(
        itertools.product(rt.book.topics, SEVERITIES, [*(site.id for site in rt.directory.known.sites), None])
    )
    for at, (topic, severity, place) in enumerate(about):
        dispatch(rt, filed(rt, topic, severity, place, language, f"{100_000 + at}"))
    texts = {Kind.ALERT: sent(rt, Kind.ALERT)}
    late(rt)
    texts[Kind.ESCALATION] = sent(rt, Kind.ESCALATION)
    assert set(texts) == set(Kind)
    said = {*called(rt.book, rt.words, language), SITE, *SEVERITIES, *rt.book.kept, *PEOPLE}
    said |= {word for name, (_, employer) in PEOPLE.items() for word in (*name.split(), employer)}
    for kind, written in texts.items():
        assert len(written) >= len(about), kind
        assert len(set(written)) > len(about) / 2, "each with its own reference"
        assert len({text.septets(words) for words in written}) == 1, kind
        assert len({len(words.encode()) for words in written}) == 1, kind
        assert {word for words in written for word in named(words, said)} == set(), kind


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_one_sms_to_a_reporter_names_no_topic_either(light: Runtime, language: str) -> None:
    words = write_message(light.book, "reminder", language)
    assert {name for name in called(light.book, light.words, language) if name.lower() in words.lower()} == set()
