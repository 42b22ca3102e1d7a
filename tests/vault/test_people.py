"""Passphrases and codes: each opens its person's key, nothing else does, and nobody costs the same as somebody."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from nacl import pwhash

from gateway.settings import ROOT
from gateway.vault import (
    Enrolment,
    SealBroken,
    enrol,
    lock,
    new_code,
    new_recovery,
    people,
    plain_code,
    recover,
    relock,
    unlock,
)
from gateway.vault.people import Cost
from gateway.vault.seal import keyed, unseal

PASSPHRASE = "cobalt – éboulement 7"
PERSON = 12


@pytest.fixture(scope="module")
def joined() -> Enrolment:
    return enrol(PERSON, PASSPHRASE)


def test_the_right_passphrase_opens_the_key_and_no_other(joined: Enrolment) -> None:
    unlocked = unlock(joined.lock, PASSPHRASE)
    assert unlocked is not None
    assert unlocked.open(PERSON, joined.private_sealed) == joined.key
    assert joined.key.public == joined.public
    for wrong in ("", PASSPHRASE + " ", PASSPHRASE.upper(), PASSPHRASE[:-1], "x" * 1000):
        assert unlock(joined.lock, wrong) is None


def test_a_key_moved_to_another_person_does_not_open(joined: Enrolment) -> None:
    unlocked = unlock(joined.lock, PASSPHRASE)
    assert unlocked is not None
    with pytest.raises(SealBroken):
        unlocked.open(PERSON + 1, joined.private_sealed)
    with pytest.raises(SealBroken):
        recover(PERSON + 1, joined.recovery_sealed, joined.recovery_code)


def test_what_is_stored_as_the_lock_does_not_open_the_key(joined: Enrolment) -> None:
    for key in (joined.lock[20:], joined.lock[:32], keyed(joined.lock[20:], b"", "verifier")):
        with pytest.raises(SealBroken):
            unseal(key, f"caseworker/{PERSON}/private", joined.private_sealed)


def test_the_recovery_code_opens_the_same_key_however_it_is_typed(joined: Enrolment) -> None:
    code = joined.recovery_code
    assert len(plain_code(code)) == 27
    for typed in (code, code.upper(), code.replace("-", " "), f"  {code.replace('-', '')} "):
        assert recover(PERSON, joined.recovery_sealed, typed) == joined.key
    for wrong in ("", code[:-1], code + "a", "a" * 27, new_code(27), "é" * 27, "0" * 27):
        with pytest.raises(SealBroken):
            recover(PERSON, joined.recovery_sealed, wrong)


def test_another_passphrase_opens_the_same_key_and_the_old_one_no_more(joined: Enrolment) -> None:
    locked, sealed = relock(PERSON, joined.key, "quite another passphrase")
    assert unlock(locked, PASSPHRASE) is None
    unlocked = unlock(locked, "quite another passphrase")
    assert unlocked is not None
    assert unlocked.open(PERSON, sealed) == joined.key
    with pytest.raises(SealBroken):
        unlocked.open(PERSON, joined.private_sealed)


def test_a_new_recovery_code_takes_the_place_of_the_old_one(joined: Enrolment) -> None:
    code, sealed = new_recovery(PERSON, joined.key)
    assert recover(PERSON, sealed, code) == joined.key
    with pytest.raises(SealBroken):
        recover(PERSON, sealed, joined.recovery_code)


def test_a_lock_carries_its_cost_and_another_salt_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "COST", Cost(passes=2, mebibytes=9))
    first, second = lock(PASSPHRASE), lock(PASSPHRASE)
    assert first[:4] == second[:4] == b"\x01\x02\x00\x09"
    assert first[4:20] != second[4:20]
    assert len(first) == 52
    monkeypatch.undo()
    assert unlock(first, PASSPHRASE), "a lock made when hashes were cheaper opens with its own cost"


def test_outside_these_tests_a_guess_costs_three_passes_over_64_mebibytes() -> None:
    ask = "from gateway.vault import lock; print(lock('a long passphrase')[:4].hex())"
    done = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "01030040"


@pytest.mark.parametrize("damaged", [None, b"", b"\x01", b"\x02" + bytes(51), b"\x01" + bytes(50), b"plain"])
def test_a_damaged_lock_fits_nothing_and_breaks_nothing(damaged: bytes | None) -> None:
    assert unlock(damaged, PASSPHRASE) is None
    assert unlock(damaged, "") is None


def test_nobody_costs_the_same_work_as_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    slow = pwhash.argon2id.kdf

    def counted(size: int, words: bytes, salt: bytes, *, opslimit: int, memlimit: int) -> bytes:
        asked.append((opslimit, memlimit))
        made: bytes = slow(size, words, salt, opslimit=opslimit, memlimit=memlimit)
        return made

    monkeypatch.setattr(pwhash.argon2id, "kdf", counted)
    unlock(lock(PASSPHRASE), "wrong")
    unlock(None, "wrong")
    assert len(set(asked)) == 1
    assert len(asked) == 3


def test_codes_have_no_letters_that_are_taken_for_one_another() -> None:
    letters = set("".join(plain_code(new_code(30)) for _ in range(200)))
    assert not letters & set("01ilo")
    assert len(letters) == 31
    assert new_code(9).count("-") == 2


def test_what_is_no_code_of_ours_is_nothing() -> None:
    assert plain_code("abc-def") == "abcdef"
    assert plain_code("ABC def") == "abcdef"
    assert plain_code("abc0") == ""
    assert plain_code("абв") == ""


def test_no_secret_shows_in_a_repr(joined: Enrolment) -> None:
    shown = repr(joined) + repr(unlock(joined.lock, PASSPHRASE))
    assert joined.recovery_code not in shown
    assert repr(joined.key.private) not in shown


def test_slow_hashes_run_two_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, turn = 0, 0, threading.Lock()
    both = threading.Barrier(2, timeout=10)

    def watched(*_: object, **__: object) -> bytes:
        nonlocal running, most
        with turn:
            running += 1
            most = max(most, running)
        both.wait()  # two are let in together, and with four asking a third would be seen
        with turn:
            running -= 1
        return bytes(64)

    monkeypatch.setattr(pwhash.argon2id, "kdf", watched)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: unlock(None, "somebody"), range(4)))
    assert most == 2
