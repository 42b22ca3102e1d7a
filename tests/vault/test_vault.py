"""The vault as a whole: every key has one use, and what it gives never changes between releases."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from gateway import vault
from gateway.vault import KeysMissing, SealBroken, Vault

DAY = date(2026, 11, 21)
ONE = timedelta(days=1)
NUMBER = "+243990000001"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A key directory whose every key is known."""
    (tmp_path / "server.key").write_text(bytes(range(32)).hex())
    (tmp_path / "day.json").write_text(json.dumps({"day": DAY.isoformat(), "chain": bytes(range(32)).hex()}))
    return tmp_path


def test_a_vault_without_a_key_directory_says_so(tmp_path: Path) -> None:
    with pytest.raises(KeysMissing):
        Vault.open_directory(tmp_path / "nowhere")


def test_opening_a_vault_writes_nothing(home: Path) -> None:
    (home / "day.json").unlink()
    Vault.open_directory(home)
    assert [path.name for path in home.iterdir()] == ["server.key"]


def test_content_and_numbers_have_keys_of_their_own(home: Path) -> None:
    opened = Vault.open_directory(home)
    with pytest.raises(SealBroken):
        opened.open("a place", opened.seal_number("a place", NUMBER))
    with pytest.raises(SealBroken):
        opened.open_number("a place", opened.seal("a place", NUMBER.encode()))
    assert opened.open_number("a place", opened.seal_number("a place", NUMBER)) == NUMBER


def test_another_installation_opens_nothing(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    vault.create(elsewhere)
    mine, other = Vault.open_directory(home), Vault.open_directory(elsewhere)
    with pytest.raises(SealBroken):
        other.open("report/1", mine.seal("report/1", b"body"))
    assert other.code_token("123456789012") != mine.code_token("123456789012")
    assert other.cookie_token("a cookie") != mine.cookie_token("a cookie")


def test_an_act_of_today_is_found_by_its_mark_tomorrow_and_not_the_day_after(home: Path) -> None:
    opened = Vault.open_directory(home)
    today = opened.mark(DAY, b"act")
    tomorrow = opened.mark(DAY + ONE, b"act")
    later = opened.mark(DAY + 2 * ONE, b"act")
    assert tomorrow.before == today.now
    assert not {later.now, later.before} & {today.now, today.before}


def test_marks_of_a_clock_behind_are_those_of_the_day_the_ratchet_is_at(home: Path) -> None:
    opened = Vault.open_directory(home)
    assert opened.mark(DAY - 3 * ONE, b"act") == opened.mark(DAY, b"act")


def test_different_acts_have_different_marks(home: Path) -> None:
    opened = Vault.open_directory(home)
    assert len({opened.mark(DAY, bytes([at])).now for at in range(50)}) == 50


def test_a_code_can_be_shown_again_tomorrow_and_not_the_day_after(home: Path) -> None:
    opened = Vault.open_directory(home)
    made = opened.code(DAY, DAY, b"material", 0)
    assert opened.code(DAY, DAY + ONE, b"material", 0) == made
    with pytest.raises(KeyError):
        opened.code(DAY, DAY + 2 * ONE, b"material", 0)


def test_what_known_keys_give_never_changes(home: Path) -> None:
    opened = Vault.open_directory(home)
    mark = opened.mark(DAY, b"material")
    assert (mark.day, mark.now.hex(), mark.before.hex()) == (
        DAY,
        "c4eeaa5e042cd444e81c489f823999ec70fd44d8cc78d0872eb01e20b02c814d",
        "422b2c0cfc318e872b72c28d39d7db9cf88c2622d871b2554f0606b59c30c582",
    )
    assert [opened.code(DAY, DAY, b"material", attempt) for attempt in range(3)] == [
        "394947893089",
        "574772694960",
        "952142523396",
    ]
    assert opened.code_token("123456789012").hex() == (
        "20e6b863d248511689ebaf3627e91d5f6f0cb6c9ab27d9f6c2566f718c1f3004"
    )
    assert opened.cookie_token("a cookie").hex() == (
        "a7ca9146875e897e573fffd2f70342fe12493eaa0b4e18998bf1b75486f45d00"
    )


def test_a_report_and_a_number_sealed_long_ago_still_open(home: Path) -> None:
    opened = Vault.open_directory(home)
    stored = json.loads((Path(__file__).parent / "sealed.json").read_text())
    assert opened.open("report/1", bytes.fromhex(stored["report"])) == b'{"version": 1}'
    assert opened.open_number("caseworker/1/number", bytes.fromhex(stored["number"])) == NUMBER


def test_nothing_of_a_key_shows_in_a_repr(home: Path) -> None:
    opened = Vault.open_directory(home)
    opened.mark(DAY, b"act")
    assert bytes(range(32)).hex() not in repr(opened)
    assert repr(bytes(range(32))) not in repr(opened)
