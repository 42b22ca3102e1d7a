"""The vault as a whole: every key has one use, and what it gives never changes between releases."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from gateway import vault
from gateway.vault import KeysMissing, Pair, Reader, SealBroken, Vault, open_with, seal_to
from gateway.vault.pairs import new_pair, pair_of

DAY = date(2026, 11, 21)
ONE = timedelta(days=1)
NUMBER = "+243990000001"
PLACE = "report/7"
REPLY = bytes(range(64, 96))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A key directory whose every key is known."""
    vault.create(tmp_path / "keys")
    known = vault.KeyDirectory(tmp_path / "keys")
    with known.locked():
        known.write("server.keys", bytes(range(32)).hex() + "\n")
    (tmp_path / "keys" / "day.json").write_text(
        json.dumps({"day": DAY.isoformat(), "chain": bytes(range(32)).hex()})
    )
    return tmp_path / "keys"


@pytest.fixture
def opened(home: Path) -> Vault:
    return Vault.open_directory(home)


def joined(opened: Vault, person: int) -> tuple[Pair, Reader]:
    """Somebody with a key that two people vouch for."""
    pair = new_pair()
    return pair, Reader(person, pair.public, opened.attest(person, pair.public))


def test_a_vault_without_a_key_directory_says_so(tmp_path: Path) -> None:
    with pytest.raises(KeysMissing):
        Vault.open_directory(tmp_path / "nowhere")


def test_a_report_opens_for_each_reader_and_for_no_other(opened: Vault) -> None:
    people = {person: joined(opened, person) for person in (1, 2, 3)}
    made = opened.report_key(PLACE, DAY, [reader for _, reader in people.values()], REPLY)
    story = seal_to(made.public, PLACE, b"what was said")
    assert (made.month, made.escrow, set(made.envelopes)) == ("2026-11", None, {1, 2, 3})
    for person, (key, _) in people.items():
        pair = opened.open_envelope(person, key, PLACE, made.month, made.envelopes[person])
        assert open_with(pair, PLACE, story) == b"what was said"
    for person, (key, _) in people.items():
        for other in set(people) - {person}:
            for reader in (person, other):
                with pytest.raises(SealBroken):
                    opened.open_envelope(reader, key, PLACE, made.month, made.envelopes[other])
    with pytest.raises(SealBroken):
        opened.open_envelope(1, people[1][0], "report/8", made.month, made.envelopes[1])


def test_nothing_is_sealed_to_a_key_that_nobody_vouched_for(opened: Vault) -> None:
    stranger = new_pair()
    _, honest = joined(opened, 1)
    forged = [
        Reader(1, stranger.public, honest.attest),
        Reader(2, honest.public, honest.attest),
        Reader(1, stranger.public, bytes(32)),
        Reader(1, stranger.public, b""),
    ]
    made = opened.report_key(PLACE, DAY, [*forged, honest], REPLY)
    assert set(made.envelopes) == {1}
    with pytest.raises(SealBroken):
        vault.pairs.disclose(stranger, f"{PLACE}/for/1", bytes(32), made.envelopes[1])
    for reader in forged:
        assert not opened.is_attested(reader)
        with pytest.raises(SealBroken):
            opened.enclose(new_pair(), PLACE, made.month, reader)


def test_whoever_can_open_a_report_can_give_it_to_one_more(opened: Vault) -> None:
    key, first = joined(opened, 1)
    other, second = joined(opened, 2)
    made = opened.report_key(PLACE, DAY, [first], REPLY)
    pair = opened.open_envelope(1, key, PLACE, made.month, made.envelopes[1])
    given = opened.enclose(pair, PLACE, made.month, second)
    assert opened.open_envelope(2, other, PLACE, made.month, given) == pair


def test_two_holders_of_the_escrow_open_what_was_sealed_after_it_was_established(opened: Vault) -> None:
    before = opened.report_key(PLACE, DAY, [], REPLY)
    one, _, three = vault.escrow.establish(opened.directory)
    made = opened.report_key(PLACE, DAY, [], REPLY)
    assert before.escrow is None
    assert made.escrow is not None
    held = vault.escrow.open_pairs(opened.directory, one, three)[0]
    assert opened.open_envelope("escrow", held, PLACE, made.month, made.escrow).public == made.public


def test_once_a_months_key_is_gone_nothing_of_it_opens_not_even_a_copy_made_before(opened: Vault) -> None:
    key, reader = joined(opened, 1)
    old = opened.report_key(PLACE, DAY, [reader], REPLY)
    new = opened.report_key("report/8", date(2026, 12, 1), [reader], REPLY)
    pair = opened.open_envelope(1, key, PLACE, old.month, old.envelopes[1])
    opened.months.destroy("2026-11", date(2027, 1, 1))
    for reading in (opened, Vault.open_directory(opened.directory.path)):
        with pytest.raises(SealBroken):
            reading.open_envelope(1, key, PLACE, old.month, old.envelopes[1])
        with pytest.raises(SealBroken):
            reading.enclose(pair, PLACE, old.month, reader)
        assert reading.open_envelope(1, key, "report/8", new.month, new.envelopes[1]).public == new.public


def test_a_session_gives_a_key_back_to_its_cookie_alone(opened: Vault) -> None:
    pair = new_pair()
    kept = opened.session_seal("a cookie", pair)
    assert opened.session_open("a cookie", kept) == pair
    with pytest.raises(SealBroken):
        opened.session_open("another cookie", kept)


def test_another_installation_opens_nothing(opened: Vault, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "keys"
    vault.create(elsewhere)
    other = Vault.open_directory(elsewhere)
    key, reader = joined(opened, 1)
    made = opened.report_key(PLACE, DAY, [reader], REPLY)
    other.months.key(made.month, make=True)
    with pytest.raises(SealBroken):
        other.open_envelope(1, key, PLACE, made.month, made.envelopes[1])
    with pytest.raises(SealBroken):
        other.open_number("a place", opened.seal_number("a place", NUMBER))
    with pytest.raises(SealBroken):
        other.session_open("a cookie", opened.session_seal("a cookie", key))
    assert not other.is_attested(reader)
    assert other.code_keys("123456789012").token != opened.code_keys("123456789012").token
    assert other.token("cookie", "a cookie") != opened.token("cookie", "a cookie")
    assert other.check() != opened.check()
    assert other.journal_key != opened.journal_key


def test_after_a_rotation_what_is_older_still_opens_and_codes_and_the_journal_stay(home: Path) -> None:
    before = Vault.open_directory(home)
    key, reader = joined(before, 1)
    number = before.seal_number("a place", NUMBER)
    with before.directory.locked():
        keys = before.directory.server_keys()
        before.directory.write("server.keys", "".join(f"{key.hex()}\n" for key in (bytes(range(1, 33)), *keys)))
    after = Vault.open_directory(home)
    assert after.open_number("a place", number) == NUMBER
    assert after.is_attested(reader)
    assert after.code_keys("123456789012").token == before.code_keys("123456789012").token
    assert (after.journal_key, after.check()) == (before.journal_key, before.check())
    assert after.token("cookie", "a cookie") != before.token("cookie", "a cookie")
    assert after.attest(1, key.public) != reader.attest
    assert before.open_number("a place", after.seal_number("a place", NUMBER)) == NUMBER, "it looks once more"
    assert before.is_attested(Reader(1, key.public, after.attest(1, key.public)))


def test_tokens_of_different_parts_and_purposes_differ(opened: Vault) -> None:
    assert opened.token("cookie", "ab", "c") != opened.token("cookie", "a", "bc")
    assert opened.token("cookie", "a") != opened.token("invitation", "a")
    assert opened.token("cookie", 1) == opened.token("cookie", "1")


def test_an_act_of_today_is_found_by_its_mark_tomorrow_and_not_the_day_after(opened: Vault) -> None:
    today = opened.mark(DAY, b"act")
    tomorrow = opened.mark(DAY + ONE, b"act")
    later = opened.mark(DAY + 2 * ONE, b"act")
    assert tomorrow.before == today.now
    assert not {later.now, later.before} & {today.now, today.before}


def test_marks_of_a_clock_behind_are_those_of_the_day_the_ratchet_is_at(opened: Vault) -> None:
    assert opened.mark(DAY - 3 * ONE, b"act") == opened.mark(DAY, b"act")


def test_different_acts_have_different_marks(opened: Vault) -> None:
    assert len({opened.mark(DAY, bytes([at])).now for at in range(50)}) == 50


def test_a_code_can_be_shown_again_tomorrow_and_not_the_day_after(opened: Vault) -> None:
    made = opened.code(DAY, DAY, b"material", 0)
    assert opened.code(DAY, DAY + ONE, b"material", 0) == made
    with pytest.raises(KeyError):
        opened.code(DAY, DAY + 2 * ONE, b"material", 0)


def test_what_known_keys_give_never_changes(opened: Vault) -> None:
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
    assert opened.code_keys("123456789012").token.hex() == (
        "20e6b863d248511689ebaf3627e91d5f6f0cb6c9ab27d9f6c2566f718c1f3004"
    )
    assert opened.token("cookie", "a cookie").hex() == (
        "cfcac71f3e4128c6ac42d9964f8aef7b9f7206d7692bdc8076b60959d1ac50a7"
    )
    assert opened.attest(7, pair_of(bytes(range(32))).public).hex() == (
        "ddd5f20d3b1683a7a8896ef19799086cba968ede62aecc2c5002e456e9b7db96"
    )
    assert opened.check().hex() == ("792845a0a6a41ce3e97a6a0a1e031d5f60d1e498126f693ccc726baa86e00416")
    assert opened.journal_key.hex() == ("058ef336268eb506f1e07ee5f069d79469563688b75c005705b638dc2a8afad8")


def test_a_number_sealed_long_ago_still_opens(opened: Vault) -> None:
    stored = json.loads((Path(__file__).parent / "sealed.json").read_text())
    assert opened.open_number("caseworker/1/number", bytes.fromhex(stored["number"])) == NUMBER


def test_nothing_of_a_key_shows_in_a_repr(opened: Vault) -> None:
    opened.mark(DAY, b"act")
    _, reader = joined(opened, 1)
    made = opened.report_key(PLACE, DAY, [reader], REPLY)
    for shown in (repr(opened), repr(opened.directory), repr(opened.days), repr(opened.months)):
        assert bytes(range(32)).hex() not in shown
        assert repr(bytes(range(32))) not in shown
    assert repr(made.envelopes[1]) not in repr(made)
