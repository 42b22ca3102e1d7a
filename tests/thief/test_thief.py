"""What somebody who carries the house away can read: everything but the keys opens nothing, each further thing no
more than it must.

One house on each database, lived in once; each test takes a little more from it than the one before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
import redis

from gateway.vault import code
from tests import build
from tests.leaks.forms import Scanner
from tests.servers import Postgres
from tests.thief import lived
from tests.thief.kit import Kit, Loot
from tests.thief.lived import REPORTS, Life

STRUCTURED = ("carries_washes", "underground", "weight_grade", "taxes_barrier", "buyer_company", "feels_safe")
"""Answers that no coarse column repeats."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def life(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, redis_server: str
) -> Iterator[Life]:
    """A house that has been lived in, with a Valkey that nobody works from."""
    home, url = tmp_path_factory.mktemp("house"), None
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.create(build.migrated)
    with redis.Redis.from_url(redis_server) as client:
        client.flushdb()
    rt = build.runtime(home, url, redis_url=redis_server)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            code, "_MEMORY", 1 << 20
        )  # a hundred codes; what a guess of one costs is looked at elsewhere
        yield Life(rt).live()
    rt.close()
    if url:
        server.drop(url)


@pytest.fixture(scope="module")
def bare(life: Life, tmp_path_factory: pytest.TempPathFactory) -> Kit:
    """A kit with all but the key directory: database, its log of writes, a backup, Valkey, logs, the source."""
    return Kit(lived.loot(life, tmp_path_factory.mktemp("backup") / "copy.sqlite")).work()


@pytest.fixture(scope="module")
def with_server_key(life: Life, bare: Kit) -> Kit:
    kit = bare.copy()
    kit.take(lived.key_files(life.rt.settings.keys_dir, "server.keys"))
    return kit.work()


@pytest.fixture(scope="module")
def with_every_file(life: Life, with_server_key: Kit) -> Kit:
    kit = with_server_key.copy()
    kit.take(lived.key_files(life.rt.settings.keys_dir))
    return kit.work()


def read(kit: Kit, life: Life) -> set[int]:
    """The reports whose story this kit has read."""
    words = kit.words()
    return {made for made, story in life.stories.items() if story.encode() in words}


def noted(kit: Kit, life: Life) -> set[int]:
    """The reports of which this kit has read a note."""
    words = kit.words()
    return {made for made, note in life.notes.items() if note.encode() in words}


def reached(kit: Kit, life: Life) -> set[int]:
    """The reports whose reporter this kit could call."""
    words = kit.words()
    return {made for made, number in life.contacts.items() if number.encode() in words}


def letters(kit: Kit, life: Life) -> set[int]:
    """The reports of which this kit has read a letter."""
    words = kit.words()
    return {made for made, letter in life.letters.items() if letter.encode() in words}


def knows(kit: Kit, life: Life) -> tuple[int, int]:
    """How many telephone numbers and how many second factors of people this kit has found."""
    words = kit.words()
    people = life.people.values()
    return (
        sum(one.number.encode() in words for one in people if one.number),
        sum(one.seed.encode() in words for one in people),
    )


def test_the_house_has_all_that_there_is_to_take(life: Life, bare: Kit, with_every_file: Kit) -> None:
    """Or the thief would find nothing because nothing was there."""
    assert len(life.stories) == len(set(life.stories.values())) == REPORTS
    assert len(life.notes) == len(life.letters) == lived.NOTES
    assert len(life.contacts) == REPORTS
    assert len(bare.loot.tables["sign_in"]) > len(life.people)
    assert bare.loot.tables["envelope"][0]["sealed"][:1] == b"\x03"
    assert {"addition", "report", "account", "act"} <= {name for name, rows in bare.loot.tables.items() if rows}
    stores = dict(bare.loot.stores)
    assert b"hop.not_done" in stores["log"]
    assert b"dispatch" in b"".join(found for name, found in bare.loot.stores if name == "Valkey")
    assert life.rt.db.dialect != "sqlite" or {"gateway.sqlite", "gateway.sqlite-wal", "backup"} <= stores.keys()
    assert {"server.keys", "day.json", "escrow.json", "months/2026-11.key"} <= with_every_file.loot.files.keys()
    assert all(life.held_by(name) for name in ("child", "money", "rejoined", "supervisor", "integrity"))


def test_without_keys_nothing_is_to_be_read_and_nobody_to_be_known(life: Life, bare: Kit) -> None:
    assert bare.opened == {}
    assert (read(bare, life), noted(bare, life), knows(bare, life)) == (set(), set(), (0, 0))
    assert (reached(bare, life), letters(bare, life)) == (set(), set())


def test_nothing_that_was_told_stands_in_any_store_in_any_form(life: Life, bare: Kit, tmp_path: Path) -> None:
    people = life.people.values()
    markers = {*life.stories.values(), *life.notes.values(), *life.callers, *life.sheets, *STRUCTURED}
    markers |= {secret for one in people for secret in (one.number, one.seed, one.passphrase, one.earlier)} - {""}
    scanner = Scanner(markers)
    assert scanner.hits(bare.loot.stores) == set()
    planted = [(name, found + life.callers[0].encode("utf-16-le")) for name, found in bare.loot.stores]
    assert {hit.store for hit in scanner.hits(planted)} == {name for name, _ in planted}


def test_the_servers_key_opens_the_numbers_of_the_staff_and_no_story(life: Life, with_server_key: Kit) -> None:
    """Written in the notes for whoever runs this: numbers and second factors fall with the server's key."""
    numbers = sum(bool(one.number) for one in life.people.values())
    assert knows(with_server_key, life) == (numbers, len(life.people))
    assert (read(with_server_key, life), noted(with_server_key, life)) == (set(), set())
    assert (reached(with_server_key, life), letters(with_server_key, life)) == (set(), set())
    assert {blob.place.rpartition("/")[2] for blob in with_server_key.opened} == {"number", "seed"}


def test_every_file_of_the_machine_opens_no_story(life: Life, with_every_file: Kit) -> None:
    assert (read(with_every_file, life), noted(with_every_file, life)) == (set(), set())
    assert (reached(with_every_file, life), letters(with_every_file, life)) == (set(), set())
    locked_twice = [blob.place.rpartition("/")[2] for blob in with_every_file.unlocked]
    # The keys of weeks and months undo the first of two locks.
    assert Counter(locked_twice) == {"contact": REPORTS, "reporter": lived.NOTES}
    assert {blob.place.rpartition("/")[2] for blob in with_every_file.opened} == {"number", "seed"}


@pytest.mark.parametrize("name", ["child", "money", "rejoined", "supervisor", "integrity"])
def test_a_passphrase_opens_what_its_owner_holds_and_nothing_else(
    life: Life, with_every_file: Kit, name: str
) -> None:
    kit = with_every_file.copy()
    kit.passphrase(life.people[name].passphrase)
    held = life.held_by(name)
    assert read(kit.work(), life) == held
    assert noted(kit, life) == held & life.notes.keys()
    assert reached(kit, life) == held & life.contacts.keys()
    assert letters(kit, life) == held & life.letters.keys()


def test_without_the_keys_of_the_weeks_nobody_can_be_called(life: Life, with_server_key: Kit) -> None:
    """That is what erasing them does, in every old copy of the database."""
    files = lived.key_files(life.rt.settings.keys_dir)
    kit = with_server_key.copy()
    kit.take({name: text for name, text in files.items() if not name.startswith("weeks/")})
    for person in life.people.values():
        kit.passphrase(person.passphrase)
    assert read(kit.work(), life)
    assert reached(kit, life) == set()


def test_a_code_opens_the_letters_to_its_reporter_and_nothing_of_the_story(
    life: Life, with_server_key: Kit, with_every_file: Kit
) -> None:
    """Whoever finds the paper reads what was written to its owner, with the database and every key of this house;
    not without the keys of the months, whose destruction is what erases it in every copy."""
    made, words = next(iter(life.letters.items()))
    private = life.rt.vault.code_keys(life.codes[made]).reply.private
    for kit, opened in ((with_server_key.copy(), set[int]()), (with_every_file.copy(), {made})):
        kit.learn([private])
        assert (letters(kit.work(), life), read(kit, life)) == (opened, set())
        assert (words.encode() in kit.words()) is bool(opened)


def test_a_passphrase_opens_nothing_without_the_keys_of_the_months(life: Life, with_server_key: Kit) -> None:
    kit = with_server_key.copy()
    kit.passphrase(life.people["integrity"].passphrase)
    assert read(kit.work(), life) == set()
    key = life.people["integrity"].key
    assert key is not None
    assert key.private in kit.opened.values(), "the passphrase did fit"


@pytest.mark.parametrize("name", ["administrator", "technician"])
def test_who_has_no_key_opens_no_story_with_every_file(life: Life, with_every_file: Kit, name: str) -> None:
    kit = with_every_file.copy()
    kit.passphrase(life.people[name].passphrase)
    assert (read(kit.work(), life), noted(kit, life)) == (set(), set())


def test_a_passphrase_from_before_somebody_joined_anew_opens_nothing_without_an_older_copy(
    life: Life, with_every_file: Kit
) -> None:
    """In the rows there is nothing that it fits. An older copy opens with the passphrase of its time; SQLite's log
    of writes is one too, until it is written over."""
    for stores, opens in (([], False), ([("older copy", life.older)], True)):
        kit = with_every_file.copy()
        kit.loot = Loot(kit.loot.tables, stores, kit.loot.files)
        kit.passphrase(life.people["rejoined"].earlier)
        assert bool(read(kit.work(), life)) == opens


def test_two_sheets_open_all_since_there_is_an_escrow_and_nothing_of_before(
    life: Life, with_every_file: Kit
) -> None:
    assert len(life.before_escrow) == lived.BEFORE_ESCROW
    for two in combinations(life.sheets, 2):
        kit = with_every_file.copy()
        kit.sheets(*two)
        assert read(kit.work(), life) == life.stories.keys() - life.before_escrow


def test_one_sheet_opens_nothing(life: Life, with_every_file: Kit) -> None:
    for sheet in life.sheets:
        kit = with_every_file.copy()
        kit.sheets(sheet)
        assert (read(kit.work(), life), noted(kit, life)) == (set(), set())


def test_two_sheets_open_nothing_without_the_keys_of_the_months(life: Life, with_server_key: Kit) -> None:
    kit = with_server_key.copy()
    kit.take(lived.key_files(life.rt.settings.keys_dir, "escrow.json"))
    kit.sheets(*life.sheets)
    assert read(kit.work(), life) == set()
