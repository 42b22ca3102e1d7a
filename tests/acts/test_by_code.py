"""The way back by a code: everything once, and nothing to be learned by whoever has none."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from threading import Barrier
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select, text

from gateway import desk
from gateway.casework import chain, closing, contact, guess, hold, report
from gateway.casework.act import ActRow
from gateway.casework.caseworker import Role
from gateway.casework.contact import Contact, How
from gateway.casework.guess import Guess
from gateway.casework.letter import Letter
from gateway.casework.plan import Envelope
from gateway.casework.report import Addition, Outcome, Report, State
from gateway.casework.verb import Verb
from gateway.later.dispatch import dispatch
from gateway.runtime import Nudger, Runtime
from gateway.text import check_digit
from gateway.vault import CodeKeys, Vault
from gateway.vault.pairs import new_pair
from tests import build
from tests.later import story

STAFF = dict[str, int]
Keys = tuple[str, ...]
WORDS = "puits 4, derriere"
MIDNIGHT = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
"""In Lubumbashi, the day after the tests begin."""


@pytest.fixture
def staff(rt: Runtime) -> STAFF:
    return story.staff(rt)


@dataclass
class Told:
    """A report that somebody has told, and what they hold of it."""

    report: int
    code: str


def told(rt: Runtime, keys: Keys = story.HAZARD, session: str = "one") -> Told:
    """A report and the code that was shown for it; its dialogue is over."""
    made = story.tell(rt, keys, session)
    upto = next(at for at in range(len(keys) + 1) if code_on(story.press(rt, keys[:at], session).text))
    code = code_on(story.press(rt, keys[:upto], session).text)
    assert code is not None
    story.ended(rt, session)
    return Told(made, code)


def code_on(screen: str) -> str | None:
    found = re.search(r"\b\d{4} \d{4} \d{4}\b", screen)
    return found[0].replace(" ", "") if found else None


def by(code: str, *more: str) -> Keys:
    """The keys of somebody who comes back with a code, in French."""
    return ("2", "3", code, *more)


def unknown(at: int) -> str:
    """A code that is nobody's, well written."""
    digits = f"{at:011d}"
    return digits + check_digit(digits)


Table = type[Addition] | type[ActRow] | type[Contact] | type[Envelope] | type[Letter] | type[Report]


def count(rt: Runtime, table: Table) -> int:
    with rt.db.read() as db:
        return db.scalar(select(func.count()).select_from(table)) or 0


def wrong(rt: Runtime) -> int:
    """How many codes of all callers showed nothing, on all days."""
    with rt.db.read() as db:
        return db.scalar(select(func.sum(Guess.wrong)).where(Guess.bucket >= 0)) or 0


# What is done by code, and what must be there of it in the end, once.


@dataclass(frozen=True)
class Deed:
    """Something that a holder of a code does: what was before, the keys, and what the journal says of it."""

    before: Callable[[Runtime, STAFF, Told], None]
    keys: Keys
    says: dict[Verb, int]
    rows: tuple[int, int, int]
    """How many additions, letters and contacts the report has in the end."""
    told: Keys = story.HAZARD


def nothing_before(rt: Runtime, staff: STAFF, made: Told) -> None:
    """As it was filed."""


def taken(rt: Runtime, staff: STAFF, made: Told) -> None:
    dispatch(rt, made.report)
    assert desk.accept(rt, build.reader(staff["worker"]), made.report)


def written(rt: Runtime, staff: STAFF, made: Told) -> None:
    taken(rt, staff, made)
    desk.write(rt, build.reader(staff["worker"]), made.report, desk.OWN, "Dites le nom du puits.")


def asked(rt: Runtime, staff: STAFF, made: Told) -> None:
    taken(rt, staff, made)
    desk.write(rt, build.reader(staff["worker"]), made.report, "how_many", "")


def closed(rt: Runtime, staff: STAFF, made: Told) -> None:
    taken(rt, staff, made)
    desk.close(rt, build.reader(staff["worker"]), made.report, Outcome.HELPED)


DEEDS = {
    "words": Deed(taken, ("1", WORDS), {Verb.ADDED: 1}, (1, 0, 0)),
    "a letter": Deed(written, ("1", WORDS), {Verb.ANSWERED: 1}, (0, 2, 0)),
    "a listed answer": Deed(asked, ("2",), {Verb.ANSWERED: 1}, (0, 2, 0)),
    "settled": Deed(closed, ("1",), {Verb.RATED: 1}, (1, 1, 0)),
    "not settled": Deed(closed, ("2", WORDS), {Verb.RATED: 1, Verb.REOPENED: 1, Verb.ADDED: 1}, (2, 1, 0)),
    "a call": Deed(nothing_before, ("2", "1", "3"), {Verb.CONSENTED: 1}, (0, 0, 1)),
    "an SMS": Deed(taken, ("2", "3", "1"), {Verb.CONSENTED: 1}, (0, 0, 1)),
    "withdrawn": Deed(taken, ("5", "1"), {Verb.WITHDRAWN: 1}, (0, 0, 0)),
    "withdrawn, an emergency": Deed(
        nothing_before, ("5", "1"), {Verb.WITHDRAWAL_ASKED: 1}, (1, 0, 0), story.DANGER
    ),
}
_BY_CODE = frozenset(verb for deed in DEEDS.values() for verb in deed.says)


def whole(rt: Runtime, staff: STAFF, deed: Deed, session: str = "one") -> tuple[Told, Keys]:
    """The report, and the whole dialogue of the deed."""
    made = told(rt, deed.told, session)
    deed.before(rt, staff, made)
    return made, by(made.code, *deed.keys)


def assert_done_once(rt: Runtime, deed: Deed, made: Told) -> None:
    said = Counter(verb for verb in story.verbs(rt, made.report) if verb in _BY_CODE)
    assert said == deed.says
    counts = [
        select(func.count()).select_from(table).where(table.report_id == made.report)
        for table in (Addition, Letter, Contact, Envelope)
    ]
    with rt.db.read(still=True) as db:
        *rows, envelopes = [db.scalar(count) for count in counts]
        assert chain.verify(db, rt.vault.journal_key).faults == [], "and the journal vouches for all of it"
    assert tuple(rows) == deed.rows
    assert envelopes == (0 if Verb.WITHDRAWN in deed.says else 3)
    assert wrong(rt) == 0


@pytest.mark.parametrize("name", DEEDS)
def test_what_is_done_by_code_is_done_once_however_often_its_hop_comes(
    rt: Runtime, staff: STAFF, name: str
) -> None:
    deed = DEEDS[name]
    made, keys = whole(rt, staff, deed)
    for at in range(len(keys) + 1):
        screens = {story.press(rt, keys[:at], "back").text for _ in range(3)}
        assert len(screens) == 1
    assert story.press(rt, keys, "back").ends
    assert_done_once(rt, deed, made)


@pytest.mark.parametrize("name", DEEDS)
def test_what_is_done_by_code_is_done_once_by_hops_that_come_at_the_same_time(
    rt: Runtime, staff: STAFF, name: str
) -> None:
    deed = DEEDS[name]
    made, keys = whole(rt, staff, deed)
    for at in range(3, len(keys) + 1):
        start = Barrier(5)

        def post(_: int, keys: Keys = keys[:at], start: Barrier = start) -> str:
            start.wait()
            return story.press(rt, keys, "back").text

        with ThreadPoolExecutor(5) as pool:
            assert len(set(pool.map(post, range(5)))) == 1
    assert_done_once(rt, deed, made)


@pytest.mark.parametrize("name", DEEDS)
def test_what_a_lost_hop_left_undone_the_last_one_does_and_late_ones_change_nothing(
    rt: Runtime, staff: STAFF, name: str
) -> None:
    deed = DEEDS[name]
    made, keys = whole(rt, staff, deed)
    last = story.press(rt, keys, "back").text
    story.clock(rt).go(hours=20)
    for at in range(len(keys), -1, -1):
        story.press(rt, keys[:at], "back")
    assert story.press(rt, keys, "back").text == last
    assert_done_once(rt, deed, made)


@pytest.mark.parametrize("name", DEEDS)
def test_midnight_between_two_hops_divides_nothing(rt: Runtime, staff: STAFF, name: str) -> None:
    story.clock(rt).at = MIDNIGHT - timedelta(minutes=10)
    deed = DEEDS[name]
    made, keys = whole(rt, staff, deed)
    story.clock(rt).at = MIDNIGHT - timedelta(seconds=5)
    screens = [story.press(rt, keys[:at], "back").text for at in range(3, len(keys) + 1)]
    story.clock(rt).at = MIDNIGHT + timedelta(seconds=5)
    assert [story.press(rt, keys[:at], "back").text for at in range(3, len(keys) + 1)] == screens
    assert_done_once(rt, deed, made)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(name=st.sampled_from(sorted(DEEDS)), hops=st.lists(st.integers(3, 6), min_size=1, max_size=15))
def test_shuffled_hops_of_one_dialogue_do_each_deed_once(light: Runtime, name: str, hops: list[int]) -> None:
    staff = _staff(light) if light.directory.people else story.staff(light)
    deed, session = DEEDS[name], f"one-{len(story.reports(light))}"
    made, keys = whole(light, staff, deed, session)
    screens: dict[Keys, set[str]] = {}
    for at in (*hops, len(keys)):
        screens.setdefault(keys[:at], set()).add(story.press(light, keys[:at], f"back-{session}").text)
    assert {len(shown) for shown in screens.values()} == {1}
    assert_done_once(light, deed, made)


def _staff(rt: Runtime) -> STAFF:
    return {one.name.lower(): one.id for one in rt.directory.people}


# Codes that show nothing


def test_a_code_that_shows_nothing_is_counted_once_however_often_its_hop_comes(rt: Runtime, staff: STAFF) -> None:
    keys = by(unknown(7), "1", unknown(8))
    for at in (3, 3, 5, 3, 4, 5, 5, 3):
        story.press(rt, keys[:at], "back")
    assert wrong(rt) == 2


def test_a_code_is_counted_once_across_midnight_too(rt: Runtime, staff: STAFF) -> None:
    story.clock(rt).at = MIDNIGHT - timedelta(seconds=5)
    first = story.press(rt, by(unknown(7)), "back")
    story.clock(rt).at = MIDNIGHT + timedelta(seconds=5)
    assert story.press(rt, by(unknown(7)), "back") == first
    assert wrong(rt) == 1
    story.press(rt, by(unknown(8)), "another")
    assert wrong(rt) == 2


def test_a_code_is_counted_once_by_twins_that_come_at_the_same_time(rt: Runtime, staff: STAFF) -> None:
    start = Barrier(6)

    def post(_: int) -> str:
        start.wait()
        return story.press(rt, by(unknown(7)), "back").text

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(post, range(6)))) == 1
    assert wrong(rt) == 1


def test_a_code_that_shows_something_is_not_counted_and_a_wrong_check_digit_is_no_question(
    rt: Runtime, staff: STAFF
) -> None:
    made = told(rt)
    acts = count(rt, ActRow)
    badly = made.code[:-1] + str((int(made.code[-1]) + 1) % 10)
    assert story.press(rt, by(badly), "back").text.startswith("Code mal écrit")
    assert count(rt, ActRow) == acts
    assert "Arrivé le" in story.press(rt, by(made.code), "back").text
    assert "Arrivé le" in story.press(rt, by(badly, made.code), "back").text
    assert wrong(rt) == 0


def test_the_fifth_wrong_code_of_a_caller_is_their_last_and_then_their_own_shows_nothing(
    rt: Runtime, staff: STAFF
) -> None:
    made = told(rt)
    for at in range(guess.MOST):
        assert "Arrivé le" in story.press(rt, by(made.code), f"own-{at}").text
        story.press(rt, by(unknown(at)), f"wrong-{at}")
    nothing = story.press(rt, by(made.code), "own").text
    assert nothing == story.press(rt, by(unknown(99)), "wrong").text
    assert wrong(rt) == guess.MOST, "whoever is shut out is not counted on"
    story.clock(rt).go(days=1)
    assert "Arrivé le" in story.press(rt, by(made.code), "tomorrow").text


class Counting(Vault):
    """A vault that counts its slow hashes, and pays for a few alone: codes of nobody are as good as made."""

    slow = 0
    known: Mapping[str, CodeKeys] = MappingProxyType({})

    def code_keys(self, code: str) -> CodeKeys:
        self.slow += 1
        if not self.known:
            return super().code_keys(code)
        return self.known.get(code) or CodeKeys(sha256(code.encode()).digest(), new_pair())


def test_a_code_that_shows_nothing_tells_nothing_by_its_screen_its_hashes_or_its_statements(
    light: Runtime,
) -> None:
    """Five hundred codes that are nobody's, and five hundred of reports that are over."""
    staff = story.staff(light)
    vault = Counting.open_directory(light.settings.keys_dir)
    rt = replace(light, vault=vault)
    over = empty(rt, staff)
    vault.known = {code: vault.code_keys(code) for code in over.values()}
    statements: list[str] = []
    event.listen(rt.db.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    told_by: dict[str, Counter[tuple[str, int, tuple[str, ...]]]] = {}
    chance = random.Random(4)
    for at in range(1000):
        name = "unknown" if at % 2 else chance.choice(sorted(over))
        code = unknown(at) if name == "unknown" else over[name]
        if at % 150 == 149:  # the day's common count is used up, and the next day it is not
            story.clock(rt).go(hours=8)
        statements.clear()
        hashes = vault.slow
        screen = story.press(rt, by(code), f"back-{at}", caller=f"+2439900{at % 37:05d}").text
        seen = screen, vault.slow - hashes, tuple(statements)
        told_by.setdefault(name, Counter())[seen] += 1
    alike = {seen for counted in told_by.values() for seen in counted}
    assert len(alike) == 1
    ((screen, slow, sql),) = alike
    assert screen.startswith("Rien de nouveau")
    assert slow == 1
    assert len(sql) > 5
    assert sum(told_by["unknown"].values()) == 500


def empty(rt: Runtime, staff: STAFF) -> dict[str, str]:
    """A code of each kind that shows nothing any more."""
    made = {name: told(rt, session=name) for name in ("settled", "withdrawn", "expired", "erased")}
    made["asked"] = told(rt, story.DANGER, session="asked")
    for name in ("settled", "expired", "erased"):
        closed(rt, staff, made[name])
    story.press(rt, by(made["settled"].code, "1"), "settles")
    story.press(rt, by(made["withdrawn"].code, "5", "1"), "withdraws")
    story.press(rt, by(made["asked"].code, "5", "1"), "asks")
    assert "Terminé" in story.press(rt, by(made["expired"].code), "just closed").text
    story.clock(rt).go(days=15)
    with rt.db.begin() as db:
        for table in (Letter, Addition, Contact, Envelope):
            db.execute(text(f"DELETE FROM {table.__tablename__} WHERE report_id = {made['erased'].report}"))
    return {name: one.code for name, one in made.items()}


def test_blocked_callers_and_codes_of_every_kind_see_the_same_bytes_on_both_databases(
    rt: Runtime, staff: STAFF
) -> None:
    over = empty(rt, staff)
    open_ = told(rt, session="open")
    statements: list[str] = []
    event.listen(rt.db.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    seen: dict[str, tuple[str, tuple[str, ...]]] = {}

    def look(name: str, code: str, caller: str) -> None:
        statements.clear()
        seen[name] = story.press(rt, by(code), name, caller=caller).text, tuple(statements)

    for at in range(guess.MOST):
        look(f"unknown {at}", unknown(at), "+243990000777")
    look("blocked, unknown", unknown(50), "+243990000777")
    look("blocked, in work", open_.code, "+243990000777")
    for at, (name, code) in enumerate(over.items()):
        look(name, code, f"+24399000088{at}")
    assert len(set(seen.values())) == 1
    statements.clear()
    story.press(rt, by(open_.code), "theirs", caller="+243990000999")
    assert statements, "and they were listened to"


def test_the_code_of_a_closed_report_speaks_for_fourteen_days_and_no_longer(rt: Runtime, staff: STAFF) -> None:
    made = told(rt)
    closed(rt, staff, made)
    story.clock(rt).go(days=closing.SPEAKS.days, seconds=-1)
    assert story.press(rt, by(made.code), "last").text.startswith("Terminé: Une aide a été donnée.")
    story.clock(rt).go(seconds=1)
    assert story.press(rt, by(made.code), "over").text == story.press(rt, by(unknown(1)), "none").text


def test_a_rating_that_comes_after_the_code_fell_silent_still_counts_for_who_was_shown_the_question(
    rt: Runtime, staff: STAFF
) -> None:
    made = told(rt)
    closed(rt, staff, made)
    story.clock(rt).go(days=closing.SPEAKS.days, seconds=-30)
    story.press(rt, by(made.code), "last")
    story.clock(rt).go(minutes=1)
    assert story.press(rt, by(made.code, "2"), "last").text.startswith("C'est rouvert.")
    assert story.coarse(rt, made.report).state is State.RECEIVED


def test_a_call_back_after_a_code_that_shows_nothing_is_a_report_of_its_own(rt: Runtime, staff: STAFF) -> None:
    made = told(rt)
    story.press(rt, by(made.code, "5", "1"), "withdraws")
    before = story.coarse(rt, made.report)
    last = story.press(rt, by(made.code, "2", "1", "1"), "back")
    assert last.ends
    assert code_on(last.text) not in (None, made.code)
    assert len(story.reports(rt)) == 2
    assert story.coarse(rt, made.report) == before


# Withdrawing


def body(rt: Runtime, made: int) -> bytes:
    with rt.db.read() as db:
        return db.scalar(select(Report.body_sealed).where(Report.id == made)) or b""


def test_a_report_withdrawn_by_its_code_leaves_nothing_of_what_was_told(rt: Runtime, staff: STAFF) -> None:
    made = told(rt, (*story.HAZARD, "1", "2", "1"))
    written(rt, staff, made)
    story.press(rt, by(made.code, "1", WORDS), "answers")
    story.press(rt, by(made.code, "2", "1", "1"), "consents")
    last = story.press(rt, by(made.code, "5", "1"), "withdraws")
    assert last.ends
    assert last.text.startswith("C'est retiré.")
    assert body(rt, made.report) == b""
    assert [count(rt, table) for table in (Addition, Letter, Contact, Envelope)] == [0, 0, 0, 0]
    found = story.coarse(rt, made.report)
    assert (found.state, found.outcome, found.silent) == (State.CLOSED, Outcome.WITHDRAWN, True)
    with rt.db.read() as db:
        assert report.sealed_to_escrow(db, made.report) is None
    assert not [state for _, state in story.asked(rt, made.report) if state == "pending"]


def test_an_emergency_withdrawn_by_its_code_is_kept_and_a_supervisor_decides(rt: Runtime, staff: STAFF) -> None:
    made = told(rt, story.DANGER)
    screen = story.press(rt, by(made.code, "5"), "withdraws").text
    assert "effacé" not in screen
    assert story.press(rt, by(made.code, "5", "1"), "withdraws").text.startswith("C'est noté.")
    found = story.coarse(rt, made.report)
    assert (found.state, found.silent) == (State.RECEIVED, True)
    assert body(rt, made.report)
    story.brought(rt, made.report)
    reading = desk.read(rt, build.reader(staff["supervisor"]), made.report)
    assert reading is not None
    assert (reading.row.silent, reading.answers[-1].value) == (True, "asked")


def held(rt: Runtime, made: int) -> None:
    """Two people hold it for a court."""
    story.person(rt, "Second", Role.SUPERVISOR)
    first, other = [one.id for one in rt.directory.people if one.role is Role.SUPERVISOR]
    with rt.begin() as unit:
        until = rt.today() + timedelta(days=30)
        hold.ask(unit.db, made, first, until, rt.today(), rt.now())
        hold.agree(unit.db, made, other, until, rt.today(), rt.now())


def test_a_report_that_two_people_hold_is_not_erased_and_is_not_said_to_be(rt: Runtime, staff: STAFF) -> None:
    made = told(rt)
    held(rt, made.report)
    assert "effacé" not in story.press(rt, by(made.code, "5"), "withdraws").text
    assert story.press(rt, by(made.code, "5", "1"), "withdraws").text.startswith("C'est noté.")
    assert body(rt, made.report)


def turned(rt: Runtime, staff: STAFF, made: Told) -> None:
    """It turned out to be an emergency: people are trapped."""
    story.press(rt, story.COLLAPSE)
    assert story.coarse(rt, made.report).severity == "P0"


def held_since(rt: Runtime, staff: STAFF, made: Told) -> None:
    held(rt, made.report)


@pytest.mark.parametrize("since", [turned, held_since, closed], ids=lambda since: since.__name__)
def test_what_has_changed_since_the_screen_was_shown_is_not_erased_and_is_said_to_be_not_kept(
    rt: Runtime, staff: STAFF, since: Callable[[Runtime, STAFF, Told], None]
) -> None:
    made = told(rt)
    assert "effacé ici" in story.press(rt, by(made.code, "5"), "withdraws").text
    since(rt, staff, made)
    story_of, envelopes = body(rt, made.report), count(rt, Envelope)
    for _ in range(2):
        last = story.press(rt, by(made.code, "5", "1"), "withdraws")
        assert last.ends
        assert "n'est PAS gardée" in last.text
    assert (body(rt, made.report), count(rt, Envelope)) == (story_of, envelopes)
    assert not story.coarse(rt, made.report).silent
    assert Verb.WITHDRAWN not in story.verbs(rt, made.report)
    now = story.press(rt, by(made.code, "5", "1"), "once more").text
    assert now.startswith("C'est noté.") or since is closed


# Consent


MASKED = ("", "anonymous", "8f1c2e", "+243", "+243990000009x", "0990000009")


@pytest.mark.parametrize("keys", [("1", "1"), ("3", "1")], ids=["call", "sms"])
def test_a_caller_whom_the_provider_masks_is_told_that_the_number_was_not_kept(
    rt: Runtime, staff: STAFF, keys: Keys
) -> None:
    made = told(rt)
    for at, caller in enumerate(MASKED):
        last = story.press(rt, by(made.code, "2", *keys), f"masked-{at}", caller=caller)
        assert last.ends
        assert "n'est PAS gardée" in last.text, caller
    assert count(rt, Contact) == 0
    assert Verb.CONSENTED not in story.verbs(rt, made.report)


def test_a_masked_caller_can_give_a_number_to_be_called_at(rt: Runtime, staff: STAFF) -> None:
    made = told(rt)
    last = story.press(rt, by(made.code, "2", "2", "0812345678", "2"), "masked", caller="8f1c2e")
    assert last.text.startswith("Nous essaierons d'appeler.")
    taken(rt, staff, made)
    reach = desk.open_number(rt, build.reader(staff["worker"]), made.report, "promis")
    assert (reach.how, reach.number, reach.hours) == (How.CALL, "+243812345678", "midday")
    assert reach.digits == made.code[-contact.DIGITS :]


def test_a_masked_caller_without_a_report_files_nothing_and_is_told_so(rt: Runtime, staff: STAFF) -> None:
    last = story.press(rt, ("2", "4", "1", "1"), "masked", caller="8f1c2e")
    assert last.ends
    assert last.text.startswith("Votre dernière")
    assert (count(rt, Report), count(rt, Contact), count(rt, ActRow)) == (0, 0, 0)


def test_a_later_yes_takes_the_place_of_an_earlier(rt: Runtime, staff: STAFF) -> None:
    made = told(rt)
    story.press(rt, by(made.code, "2", "3", "1"), "first")
    story.press(rt, by(made.code, "2", "2", "0812345678", "1"), "second")
    with rt.db.read() as db:
        assert contact.how(db, made.report, rt.today()) is How.CALL
    assert count(rt, Contact) == 1


def test_call_me_back_without_a_report_files_one_and_its_code_finds_it(rt: Runtime, staff: STAFF) -> None:
    last = story.press(rt, ("2", "4", "1", "1"), "calls")
    code = code_on(last.text)
    assert code is not None
    assert story.press(rt, ("2", "4", "1", "1"), "calls").text == last.text
    (made,) = story.reports(rt)
    found = story.coarse(rt, made)
    assert (found.topic, found.severity, found.lane) == ("call_back", "P3", "community")
    assert story.press(rt, by(code), "back").text.startswith("Arrivé le")


# What is away


def without_redis(made: Runtime) -> Runtime:
    """The same runtime with a Redis that nobody answers at."""
    return replace(made, nudger=Nudger("redis://127.0.0.1:1/0"))


@pytest.mark.parametrize("name", DEEDS)
def test_everything_works_while_redis_is_down(light: Runtime, name: str) -> None:
    staff = story.staff(light)
    rt = without_redis(light)
    deed = DEEDS[name]
    made, keys = whole(rt, staff, deed)
    for at in range(len(keys) + 1):
        story.press(rt, keys[:at], "back")
    assert_done_once(rt, deed, made)
    rt.nudger.stop()


def gone(rt: Runtime, table: str) -> Iterator[None]:
    with rt.db.begin() as db:
        db.execute(text(f"ALTER TABLE {table} RENAME TO {table}_gone"))
    yield
    with rt.db.begin() as db:
        db.execute(text(f"ALTER TABLE {table}_gone RENAME TO {table}"))


@pytest.mark.parametrize("table", ["act", "guess"])
def test_while_the_store_is_down_a_code_is_answered_by_the_truth_and_not_counted(
    rt: Runtime, staff: STAFF, table: str
) -> None:
    made = told(rt)
    broken = gone(rt, table)
    next(broken)
    for code in (made.code, unknown(3)):
        last = story.press(rt, by(code), "back")
        assert last.ends
        assert last.text.startswith("Le service ne marche pas.")
    next(broken, None)
    assert story.press(rt, by(made.code), "back").text.startswith("Arrivé le")
    assert wrong(rt) == 0


@pytest.mark.parametrize("table", ["act", "guess"])
def test_while_the_store_is_down_whoever_filed_before_in_the_dialogue_is_told_that_it_stays(
    rt: Runtime, staff: STAFF, table: str
) -> None:
    filed = (*story.HAZARD, "00", "3")
    screen = story.press(rt, story.HAZARD, "both").text
    code = code_on(screen)
    assert code is not None
    broken = gone(rt, table)
    next(broken)
    last = story.press(rt, (*filed, code), "both")
    assert last.ends
    assert "n'est PAS gardée" in last.text
    next(broken, None)
    assert story.press(rt, (*filed, code), "both").text.startswith("Arrivé le")
    assert len(story.reports(rt)) == 1


@pytest.mark.parametrize("name", DEEDS)
def test_what_cannot_be_stored_is_said_to_be_not_kept_and_done_once_when_it_can(
    rt: Runtime, staff: STAFF, name: str
) -> None:
    deed = DEEDS[name]
    made, keys = whole(rt, staff, deed)
    story.press(rt, keys[:-1], "back")
    broken = gone(rt, "journal")
    next(broken)
    last = story.press(rt, keys, "back")
    assert last.ends
    assert "n'est PAS gardée" in last.text
    next(broken, None)
    assert "n'est PAS gardée" not in story.press(rt, keys, "back").text
    assert_done_once(rt, deed, made)


# Who dials again


def test_the_code_shows_the_same_from_every_telephone(rt: Runtime, staff: STAFF) -> None:
    made = told(rt)
    shown = {story.press(rt, by(made.code), f"from-{at}", caller=f"+24399000010{at}").text for at in range(4)}
    assert len(shown) == 1
    assert made.code not in "".join(shown).replace(" ", "")


def test_no_row_holds_what_was_typed_or_from_where(rt: Runtime, staff: STAFF) -> None:
    made = told(rt)
    written(rt, staff, made)
    caller, number = "+243990077665", "0812345678"
    for session, keys in {"ATUid_a": ("1", WORDS), "ATUid_b": ("2", "2", number, "1")}.items():
        for at in range(3, len(keys) + 4):
            story.press(rt, by(made.code, *keys)[:at], session, caller=caller)
    lying = everything(rt)
    planted: Sequence[str] = (caller[1:], caller[4:], number[1:], WORDS, made.code, "ATUid_a", "puits du")
    for word in planted:
        assert word.encode() not in lying, word
    assert b"letter" in lying, "and it was looked at"


def everything(rt: Runtime) -> bytes:
    parts: list[bytes] = []
    with rt.db.read() as db:
        for table in report.Report.metadata.sorted_tables:
            for row in db.execute(text(f"SELECT * FROM {table.name}")):
                parts += [part if isinstance(part, bytes) else str(part).encode() for part in row]
    return b"\n".join(parts)
