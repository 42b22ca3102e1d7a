"""Clocks that are wrong, end to end: the report is taken once, its code stays the same, no key goes too early."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from gateway import hop
from gateway.casework import installation, report
from gateway.later.dispatch import dispatch
from gateway.later.purge import purge
from gateway.later.sweep import sweep
from gateway.providers import Hop
from gateway.runtime import Runtime
from gateway.vault.days import CHECK
from gateway.vault.months import ahead
from gateway.vault.troubles import troubles
from tests import build
from tests.later import story

SENT = ("1", "1", "1", "7", "1")
"""An emergency at a place that is not on the list: sites are offered by the clock too."""
ADDED = (*SENT, "1", "4")
CODE = re.compile(r"\d{4} \d{4} \d{4}")
WRONG = {
    "an hour behind": build.START - timedelta(hours=1),
    "a day behind": build.START - timedelta(days=1),
    "a year behind": build.START - timedelta(days=365),
    "in 1970": datetime(1970, 1, 1, tzinfo=UTC),
    "a day ahead": build.START + timedelta(days=1),
    "a year ahead": build.START + timedelta(days=365),
    "in 2099": datetime(2099, 1, 1, tzinfo=UTC),
}

Another = Callable[..., Runtime]


@dataclass
class Dialogue:
    """One caller's dialogue, whichever process each of its hops meets."""

    session: str = "one"
    codes: list[str] = field(default_factory=list)

    def press(self, rt: Runtime, *keys: str) -> str:
        """The whole history in one hop; the code that it shows is kept."""
        screen = hop.answer(rt, Hop("africastalking", self.session, "+243990000077", build.CODE, keys)).text
        assert "PAS ARRIVÉ" not in screen
        self.codes += CODE.findall(screen)
        return screen

    def replay(self, rt: Runtime, keys: Sequence[str]) -> None:
        """Every hop of a history once more."""
        for at in range(len(keys) + 1):
            self.press(rt, *keys[:at])


class Ticks:
    """The clock that never jumps."""

    at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def house(light: Runtime) -> Runtime:
    """A house whose keys are at the true day."""
    story.staff(light)
    purge(light)
    return light


@pytest.fixture
def another(house: Runtime) -> Iterator[Another]:
    """Starts another process of the house."""
    started: list[Runtime] = []

    def start(clock: build.Clock | None = None) -> Runtime:
        started.append(build.another(house, clock=clock))
        return started[-1]

    yield start
    for each in started:
        each.close()


def set_clock(rt: Runtime, at: datetime) -> None:
    story.clock(rt).at = at


def months(rt: Runtime) -> list[str]:
    return rt.vault.directory.month_names()


def found_by(rt: Runtime, codes: set[str]) -> int:
    """How many reports these codes lead to."""
    with rt.db.read() as db:
        return sum(
            report.is_taken(db, reference="", code_token=rt.vault.code_keys(code.replace(" ", "")).token)[1]
            for code in codes
        )


def in_its_month(rt: Runtime) -> bool:
    """Whether every report lies in a month whose key is there."""
    return {story.coarse(rt, made).month for made in story.reports(rt)} <= set(rt.vault.months.months())


@pytest.mark.parametrize("wrong", WRONG)
def test_a_clock_that_is_wrong_and_put_right_takes_one_report_with_one_code(
    house: Runtime, another: Another, wrong: str
) -> None:
    """The clock process goes its round meanwhile, with the same clock."""
    set_clock(house, WRONG[wrong])
    caller = Dialogue()
    caller.replay(house, ADDED)
    purge(house)
    assert caller.press(house, *ADDED)
    set_clock(house, build.START + timedelta(minutes=1))
    purge(house)
    caller.replay(house, (*ADDED, "7", "3"))
    caller.replay(another(), SENT)
    assert len(set(caller.codes)) == 1
    assert len(story.reports(house)) == 1
    assert found_by(house, set(caller.codes)) == 1
    assert in_its_month(house)
    assert months(house) == ahead(build.START.date()), "no month that never was"


@pytest.mark.parametrize("wrong", [*list(WRONG)[:5], "in 2099"])
def test_what_was_done_under_a_wrong_clock_is_known_the_day_after(house: Runtime, wrong: str) -> None:
    """No key went too early: tomorrow, the same history is the same report."""
    set_clock(house, WRONG[wrong])
    caller = Dialogue()
    caller.replay(house, SENT)
    purge(house)
    for step in (timedelta(hours=1), timedelta(days=1)):
        set_clock(house, build.START + step)
        purge(house)
        caller.replay(house, SENT)
    assert len(set(caller.codes)) == len(story.reports(house)) == 1


@pytest.mark.parametrize("ratchet", ["kept", "lost"])
@pytest.mark.parametrize("wrong", ["in 1970", "in 2099", "a year behind"])
def test_a_start_with_a_wrong_clock_takes_the_report(
    house: Runtime, another: Another, wrong: str, ratchet: str
) -> None:
    """As after a power cut on a board without a battery."""
    if ratchet == "lost":
        (house.settings.keys_dir / "day.json").unlink()
    set_clock(house, WRONG[wrong])
    started = another()
    caller = Dialogue()
    caller.replay(started, ADDED)
    purge(started)
    caller.replay(another(), ADDED)
    assert len(set(caller.codes)) == len(story.reports(house)) == 1
    assert found_by(house, set(caller.codes)) == 1
    assert in_its_month(house)
    strange = [month for month in months(house) if not "2026-01" <= month <= "2028-11"]
    if strange:  # with nothing to know better by, the house believes such a clock, and says so once it is right
        assert (wrong, ratchet) == ("in 2099", "lost")
        vault = another().vault
        said = troubles(vault.directory, vault.days, vault.months, build.START.date(), demo=True)
        assert [line for line in said if line.startswith("the day keys are at 2099-01-01")]
    set_clock(house, build.START + timedelta(minutes=1))
    later = Dialogue("two")
    later.replay(another(), ADDED)
    assert len(story.reports(house)) == 2
    assert found_by(house, {*caller.codes, *later.codes}) == 2


def test_a_clock_in_a_month_whose_key_is_destroyed_turns_nobody_away(house: Runtime, another: Another) -> None:
    """The ratchet was lost and the clock is years behind: what is told goes to a month that is still to come."""
    set_clock(house, datetime(2028, 3, 5, 8, tzinfo=UTC))
    house.vault.days.step(house.today())
    purge(house)
    house.vault.months.prepare(datetime(2026, 1, 1, tzinfo=UTC).date())
    for month in ("2026-01", "2026-02", "2026-11"):
        house.vault.months.destroy(month, house.today())
    for at in (WRONG["in 1970"], build.START):
        (house.settings.keys_dir / "day.json").unlink()
        set_clock(house, at)
        Dialogue(str(at)).replay(another(), ADDED)
    assert {story.coarse(house, made).month for made in story.reports(house)} == {"2026-12"}
    assert len(story.reports(house)) == 2
    assert house.vault.months.destroyed() == ["2026-01", "2026-02", "2026-11"]


def test_two_hosts_a_day_apart_that_press_in_turn_make_one_report(house: Runtime, another: Another) -> None:
    ahead_by_a_day = build.Clock(build.START + timedelta(days=1))
    hosts = (house, another(ahead_by_a_day))
    keys = (*ADDED, "7", "2", "3", "7", "mvula")
    caller = Dialogue()
    for at in range(len(keys) + 1):
        for host in (hosts[at % 2], hosts[1 - at % 2]):
            caller.press(host, *keys[:at])
        purge(hosts[at % 2])
    assert len(set(caller.codes)) == len(story.reports(house)) == 1
    for day in range(3):
        second = Dialogue(f"day {day}")
        for at in range(len(SENT) + 1):
            second.press(hosts[at % 2], *SENT[:at])
        second.replay(hosts[day % 2], SENT)
        assert len(set(second.codes)) == 1
        assert len(story.reports(house)) == 2 + day
        story.clock(house).go(days=1)
        ahead_by_a_day.go(days=1)


@pytest.mark.parametrize("content", [None, b"", b'{"day": "2026-11-2', b"\0" * 120])
def test_a_ratchet_lost_in_the_middle_of_a_dialogue_loses_no_report(
    house: Runtime, another: Another, content: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes know the keys for a while yet. When they have begun anew the caller may file twice, each with
    a code that leads to a report, and all processes show the same one again."""
    hosts, ticks = (another(), another()), Ticks()
    caller = Dialogue()
    for host in hosts:
        monkeypatch.setattr(host.vault.days, "_ticks", ticks)
        caller.replay(host, SENT)
    path = house.settings.keys_dir / "day.json"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    for host in hosts:
        caller.replay(host, ADDED)
    assert len(set(caller.codes)) == len(story.reports(house)) == 1

    ticks.at, shown = 2 * CHECK, len(caller.codes)
    for host in (*hosts, another(), *hosts):
        caller.replay(host, ADDED)
        assert found_by(house, set(caller.codes)) == len(set(caller.codes)) == len(story.reports(house)) == 2
    assert set(caller.codes[shown:]) == {caller.codes[-1]}, "all of them show the newer one"


@pytest.mark.parametrize("wrong", ["a year ahead", "in 2099"])
def test_who_reported_under_a_clock_far_ahead_is_heard_once_it_is_put_right(house: Runtime, wrong: str) -> None:
    """Nobody dials again, the lease of the clock that ran wild is still there: somebody is told all the same."""
    set_clock(house, WRONG[wrong])
    caller = Dialogue()
    caller.press(house, "2", "2", "2", "7", "1")
    with house.begin() as unit:
        assert installation.take_lease(unit.db, "clock", "wild", house.now(), timedelta(seconds=6))
    set_clock(house, build.START + timedelta(minutes=1))
    with house.begin() as unit:
        assert installation.take_lease(unit.db, "clock", "right", house.now(), timedelta(seconds=6))
        assert not installation.take_lease(unit.db, "clock", "other", house.now(), timedelta(seconds=6))
    sweep(house)
    (made,) = story.reports(house)
    assert [name for name, _ in story.asked(house, made)] == ["Worker"]
    assert len(build.operator(house).sms) == 1


def test_who_was_asked_under_a_clock_far_ahead_is_not_waited_for_until_then(house: Runtime) -> None:
    set_clock(house, WRONG["in 2099"])
    Dialogue().press(house, *SENT)
    (made,) = story.reports(house)
    dispatch(house, made)
    set_clock(house, build.START + timedelta(minutes=1))
    sweep(house)
    assert [state for _, state in story.asked(house, made)] == ["expired", "pending"]
    assert len(build.operator(house).sms) >= 1


def test_sites_stay_on_the_phone_when_the_clock_is_days_behind(house: Runtime) -> None:
    before = [row.id for row in house.directory.known.sites]
    assert before
    for wrong in ("in 1970", "a year behind"):
        set_clock(house, WRONG[wrong])
        house.directory.renew()
        assert [row.id for row in house.directory.known.sites] == before
