"""One key press: what it costs, what it repeats, what it says when the store fails."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

import pytest
from sqlalchemy import event, func, select, text

from gateway import hop
from gateway.casework.act import ActRow
from gateway.casework.report import Addition, Report
from gateway.providers import Hop
from gateway.runtime import Runtime
from tests import build

CODE_ON_SCREEN = r"[0-9]{4} [0-9]{4} [0-9]{4}"
URGENT = ("1", "1", "1", "1", "1")
WITH_DETAILS = (*URGENT, "1", "1", "7", "1", "2")


@pytest.fixture(autouse=True)
def house(rt: Runtime) -> None:
    build.staff(rt)
    build.sites(rt, "Site A", "Site B")


def press(rt: Runtime, *keys: str, session: str = "one", caller: str = "+243990000009") -> hop.Screen:
    return hop.answer(rt, Hop("africastalking", session, caller, build.CODE, keys))


def _take(rt: Runtime, keys: tuple[str, ...], session: str) -> hop.Screen:
    return press(rt, *keys, session=session)


def count(rt: Runtime, table: type[Report] | type[Addition] | type[ActRow]) -> int:
    with rt.db.read() as db:
        return db.scalar(select(func.count()).select_from(table)) or 0


def test_a_hop_without_an_act_runs_no_sql_and_no_redis_command(rt: Runtime) -> None:
    statements: list[str] = []
    nudges: list[str] = []
    event.listen(rt.db.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    event.listen(rt.db.engine, "begin", lambda connection: statements.append("begin"))
    rt.nudger.hand_over = lambda job, row: nudges.append(job)  # type: ignore[method-assign]

    for keys in (
        (),
        ("1",),
        ("1", "1"),
        ("2", "2", "6", "0"),
        ("9", "9", "9"),
        ("2", "5", "1"),
        ("2", "99"),
        URGENT[:4],
    ):
        press(rt, *keys)

    assert statements == []
    assert nudges == []


def test_the_code_appears_only_once_the_report_is_on_disk_and_stays_the_same(rt: Runtime) -> None:
    assert not any(
        any(letter.isdigit() for letter in press(rt, *URGENT[:at]).text.replace("1 ", "")[-14:])
        and "Votre code" in press(rt, *URGENT[:at]).text
        for at in range(5)
    )
    first = press(rt, *URGENT).text
    assert count(rt, Report) == 1
    assert [press(rt, *URGENT).text for _ in range(5)] == [first] * 5
    code = first.split("\n")[1]
    assert code in press(rt, *URGENT, "3").text
    assert count(rt, Report) == 1


def test_a_complete_history_in_a_first_post_is_a_report(rt: Runtime) -> None:
    assert "Bien arriv" in press(rt, *URGENT, session="deep").text
    assert count(rt, Report) == 1


def test_another_history_in_a_session_id_used_again_is_another_report(rt: Runtime) -> None:
    press(rt, *URGENT)
    press(rt, "1", "1", "2", "1", "1")
    assert count(rt, Report) == 2


def test_another_caller_with_the_same_session_id_is_another_report(rt: Runtime) -> None:
    codes = {press(rt, *URGENT, caller=f"+24399000000{at}").text for at in range(3)}
    assert len(codes) == 3
    assert count(rt, Report) == 3


def test_a_new_report_after_00_has_a_code_of_its_own(rt: Runtime) -> None:
    first = press(rt, *URGENT).text
    second = press(rt, *URGENT, "00", "2", "1", "1", "1").text
    assert "Bien arriv" in second
    assert first.split("\n")[1] != second.split("\n")[1]
    assert count(rt, Report) == 2


def test_every_detail_is_kept_once_however_its_hop_is_repeated(rt: Runtime) -> None:
    for at in range(len(WITH_DETAILS) + 1):
        for _ in range(3):
            press(rt, *WITH_DETAILS[:at])
    assert count(rt, Report) == 1
    assert count(rt, Addition) == 4


def test_what_a_lost_hop_left_undone_the_next_hop_does(rt: Runtime) -> None:
    press(rt, *WITH_DETAILS[:4])
    press(rt, *WITH_DETAILS)
    assert count(rt, Report) == 1
    assert count(rt, Addition) == 4


def test_shuffled_concurrent_repeated_hops_on_both_sides_of_midnight_make_one_report(
    rt: Runtime,
) -> None:
    """Two hosts whose clocks disagree about the day take the same hops at the same time."""
    before = datetime(2026, 11, 21, 21, 59, 59, tzinfo=UTC)  # 23:59:59 in Lubumbashi
    after = datetime(2026, 11, 21, 22, 0, 1, tzinfo=UTC)
    early = build.another(rt, clock=build.Clock(before))
    late = build.another(rt, clock=build.Clock(after))
    chance = random.Random(7)
    for number in range(6):
        session = f"shuffled-{number}"
        hops = [WITH_DETAILS[:at] for at in range(len(WITH_DETAILS) + 1) for _ in range(chance.randint(1, 5))]
        chance.shuffle(hops)
        sides = [chance.choice((early, late)) for _ in hops]
        take = partial(_take, session=session)
        with ThreadPoolExecutor(8) as pool:
            screens = list(pool.map(take, sides, hops))
        shown: dict[tuple[str, ...], set[str]] = {}
        for keys, screen in zip(hops, screens, strict=True):
            shown.setdefault(keys, set()).add(screen.text)
        assert {keys: len(texts) for keys, texts in shown.items()} == dict.fromkeys(shown, 1)
        assert count(early, Report) == number + 1
        assert count(early, Addition) == 4 * (number + 1)
    late.close()
    early.close()


def test_a_report_that_cannot_be_stored_is_not_called_arrived(rt: Runtime) -> None:
    with rt.db.begin() as db:
        db.execute(text("ALTER TABLE journal RENAME TO journal_gone"))
    screen = press(rt, *URGENT)
    assert screen.ends
    assert screen.text.startswith("PAS ARRIV")
    assert count(rt, Report) == 0
    with rt.db.begin() as db:
        db.execute(text("ALTER TABLE journal_gone RENAME TO journal"))
    assert "Bien arriv" in press(rt, *URGENT).text
    assert count(rt, Report) == 1


def test_an_addition_that_fails_says_so_and_takes_the_promise_not_back(rt: Runtime) -> None:
    press(rt, *URGENT)
    with rt.db.begin() as db:
        db.execute(text("ALTER TABLE addition RENAME TO addition_gone"))
    screen = press(rt, *WITH_DETAILS[:7])
    assert screen.ends
    assert "PAS gard" in screen.text
    assert "PAS ARRIV" not in screen.text
    with rt.db.begin() as db:
        db.execute(text("ALTER TABLE addition_gone RENAME TO addition"))
    assert not press(rt, *WITH_DETAILS[:7]).ends
    assert count(rt, Addition) == 1


def test_callers_at_the_start_are_told_when_nothing_can_be_stored(rt: Runtime) -> None:
    with rt.db.begin() as db:
        db.execute(text("ALTER TABLE site RENAME TO site_gone"))
    rt.directory.renew()
    assert not press(rt).ends
    rt.directory.renew()
    assert press(rt).ends
    assert not press(rt, "1").ends, "a dialogue that has begun goes on"
    with rt.db.begin() as db:
        db.execute(text("ALTER TABLE site_gone RENAME TO site"))
    rt.directory.renew()
    assert not press(rt).ends


def test_a_code_already_taken_steps_on_and_loses_nothing(rt: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    first = press(rt, *URGENT).text.split("\n")[1]
    real = rt.vault.code

    def colliding(day: object, clock: object, material: bytes, attempt: int) -> str:
        return first.replace(" ", "") if attempt == 0 else real(day, clock, material, attempt)  # type: ignore[arg-type]

    monkeypatch.setattr(type(rt.vault), "code", lambda self, *args: colliding(*args))
    second = press(rt, *URGENT, session="two").text.split("\n")[1]
    assert second != first
    assert press(rt, *URGENT, session="two").text.split("\n")[1] == second
    assert count(rt, Report) == 2
