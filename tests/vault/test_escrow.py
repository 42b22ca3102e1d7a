"""The escrow: any two of three sheets open it, one opens nothing, and old sheets still open old reports."""

from __future__ import annotations

import json
from datetime import date
from itertools import combinations, permutations
from pathlib import Path

import pytest

from gateway.vault import SealBroken, Vault, escrow, pairs, people
from gateway.vault.directory import KeyDirectory, create
from gateway.vault.escrow import EscrowRefused

DAY = date(2026, 11, 21)
KNOWN = json.loads((Path(__file__).parent / "known.json").read_text(encoding="utf-8"))


@pytest.fixture
def directory(tmp_path: Path) -> KeyDirectory:
    create(tmp_path / "keys", tmp_path / "mirror")
    return KeyDirectory(tmp_path / "keys", tmp_path / "mirror")


def test_without_an_escrow_there_is_no_public_half_and_nothing_opens(directory: KeyDirectory) -> None:
    assert escrow.public(directory) is None
    with pytest.raises(EscrowRefused):
        escrow.open_pairs(directory, people.new_code(27), people.new_code(27))


def test_any_two_of_three_open_it_in_either_order(directory: KeyDirectory) -> None:
    sheets = escrow.establish(directory)
    public = escrow.public(directory)
    for one, other in permutations(sheets, 2):
        (pair,) = escrow.open_pairs(directory, one, other)
        assert pair.public == public == pairs.pair_of(pair.private).public


def test_a_secret_is_27_letters_and_read_however_it_is_typed(directory: KeyDirectory) -> None:
    one, other, _ = escrow.establish(directory)
    assert {len(people.plain_code(sheet)) for sheet in (one, other)} == {27}
    for typed in (one.upper(), one.replace("-", ""), f"  {one.replace('-', '  ')}\n"):
        assert len(escrow.open_pairs(directory, other, typed)) == 1


def test_one_sheet_or_a_wrong_one_opens_nothing(directory: KeyDirectory, tmp_path: Path) -> None:
    sheets = escrow.establish(directory)
    create(tmp_path / "other")
    strangers = escrow.establish(KeyDirectory(tmp_path / "other"))
    one = sheets[0]
    for other in ("", one, one[:-1], one + "a", people.new_code(27), strangers[0], "l" * 27):
        for pair in ((one, other), (other, one)):
            with pytest.raises(EscrowRefused) as refused:
                escrow.open_pairs(directory, *pair)
            assert one not in str(refused.value)


def test_nothing_on_disk_tells_a_secret_or_the_private_half(directory: KeyDirectory) -> None:
    sheets = escrow.establish(directory)
    (pair,) = escrow.open_pairs(directory, *sheets[:2])
    assert directory.mirror is not None
    on_disk = b"".join(
        path.read_bytes()
        for root in (directory.path, directory.mirror)
        for path in root.rglob("*")
        if path.is_file()
    )
    assert pair.public.hex().encode() in on_disk
    for secret in (*sheets, *map(people.plain_code, sheets), pair.private.hex()):
        assert secret.encode() not in on_disk
    assert pair.private not in on_disk


def test_an_escrow_is_replaced_only_on_purpose_and_old_sheets_go_on_opening(directory: KeyDirectory) -> None:
    old = escrow.establish(directory)
    before = escrow.public(directory)
    with pytest.raises(FileExistsError):
        escrow.establish(directory)
    assert escrow.public(directory) == before
    new = escrow.establish(directory, replace=True)
    assert escrow.public(directory) != before
    assert [pair.public for pair in escrow.open_pairs(directory, old[2], old[0])] == [before]
    assert [pair.public for pair in escrow.open_pairs(directory, new[1], new[2])] == [escrow.public(directory)]
    with pytest.raises(EscrowRefused):
        escrow.open_pairs(directory, old[0], new[1])
    assert directory.in_mirror("escrow.json") == directory.read("escrow.json")


def test_another_process_sees_a_new_escrow_at_once(directory: KeyDirectory) -> None:
    other = KeyDirectory(directory.path)
    assert escrow.public(other) is None
    escrow.establish(directory)
    first = escrow.public(other)
    assert first is not None
    escrow.establish(directory, replace=True)
    assert escrow.public(other) not in (None, first)
    assert escrow.public(other) == escrow.public(directory)


def test_an_envelope_opens_only_for_its_own_escrow(directory: KeyDirectory) -> None:
    """Somebody who may write the file puts their own public half before the holders' envelopes."""
    sheets = escrow.establish(directory)
    line = json.loads(directory.read("escrow.json") or "")
    line["public"] = pairs.new_pair().public.hex()
    with directory.locked():
        directory.write("escrow.json", json.dumps(line) + "\n")
    for two in combinations(sheets, 2):
        with pytest.raises(EscrowRefused):
            escrow.open_pairs(directory, *two)


@pytest.mark.parametrize(
    "content", ["{", "[]", "null", "7", "{}", '{"public": 7, "envelopes": []}', '{"public": "zz"}']
)
def test_a_damaged_escrow_takes_reports_and_opens_none(directory: KeyDirectory, content: str) -> None:
    one, other, _ = escrow.establish(directory)
    with directory.locked():
        directory.write("escrow.json", content)
    assert escrow.public(directory) is None
    with pytest.raises(EscrowRefused):
        escrow.open_pairs(directory, one, other)


def test_a_report_opens_with_two_sheets_until_its_month_is_destroyed(directory: KeyDirectory) -> None:
    sheets = escrow.establish(directory)
    opened = Vault(directory.path, directory.mirror)
    key = opened.report_key("report/7", DAY, [], bytes(32))
    escrow.establish(directory, replace=True)
    sealed = pairs.seal_to(key.public, "report/7/body", b"what was told")
    (held,) = escrow.open_pairs(directory, sheets[1], sheets[2])
    assert key.escrow is not None
    report = opened.open_envelope("escrow", held, "report/7", key.month, key.escrow)
    assert pairs.open_with(report, "report/7/body", sealed) == b"what was told"
    opened.months.destroy(key.month, date(2027, 1, 1))
    with pytest.raises(SealBroken):
        opened.open_envelope("escrow", held, "report/7", key.month, key.escrow)


def test_an_escrow_of_an_earlier_version_still_opens(directory: KeyDirectory) -> None:
    known = KNOWN["escrow"]
    with directory.locked():
        directory.write("escrow.json", known["file"])
    for two in combinations(known["secrets"], 2):
        (pair,) = escrow.open_pairs(directory, *two)
        assert pair.private.hex() == known["private"]
    assert escrow.public(directory) == pair.public
