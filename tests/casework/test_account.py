"""Accounts: names without case, secrets that are their owner's alone, codes that are good once."""

from __future__ import annotations

from datetime import datetime, timedelta

import pyotp
import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from gateway import vault
from gateway.casework import Refused, account, attempt, caseworker, session
from gateway.casework.account import Account, Credentials
from gateway.casework.caseworker import Role
from gateway.casework.journal import Entry
from gateway.casework.session import IDLE, SignIn
from gateway.casework.verb import Verb
from gateway.vault import Vault
from tests import build
from tests.build import PASSPHRASE, START
from tests.casework.house import House

SEED = pyotp.random_base32()
OTHER = pyotp.random_base32()


def member(house: House, login: str = "worker", *, seed: str = "", **details: bool) -> int:
    made = house.person("S", Role.SUPERVISOR, active=details.get("active", True))
    house.do(account.save_login, made, login)
    house.do(account.enrolled, made, build.enrolment(made))
    if seed:
        house.do(account.set_seed, house.keys, made, seed)
    return made


def found(house: House, login: str = "worker") -> Credentials:
    return house.ask(account.credentials, login)


def digits(at: datetime = START, seed: str = SEED) -> str:
    return pyotp.TOTP(seed).at(at)


def use(house: House, typed: str, now: datetime = START, *, needed: bool = True) -> bool:
    of = found(house)
    return house.do(lambda db: account.use_code(db, house.keys, of, typed, now, needed=needed))


def verbs(house: House) -> list[str]:
    return list(house.ask(lambda db: db.scalars(select(Entry.verb).order_by(Entry.id)).all()))


def test_a_person_signs_in_with_their_own_passphrase_only(house: House) -> None:
    made = member(house)
    unlocked = found(house).unlock(PASSPHRASE)
    assert unlocked is not None
    assert found(house).key(unlocked) == build.enrolment(made).key
    for wrong in ("something else entirely", "", PASSPHRASE.upper(), PASSPHRASE + "x" * 2000):
        assert found(house).unlock(wrong) is None
    assert found(house).unlock(f" {PASSPHRASE} ") is not None, "a keyboard adds a space"


@pytest.mark.parametrize("typed", ["worker", "WORKER", "  Worker ", "wORKER\n"])
def test_a_login_has_no_case_and_no_spaces_around_it(house: House, typed: str) -> None:
    made = member(house, "Worker")
    assert house.ask(account.login_of, made) == "worker"
    assert found(house, typed).person == made
    assert house.ask(account.holder, typed).id == made


@pytest.mark.parametrize("typed", ["", "nobody", "work", "worker%", "worker' OR 1=1 --", "x" * 5000, "wörker"])
def test_an_unknown_name_has_credentials_that_never_fit(house: House, typed: str) -> None:
    member(house)
    nobody = found(house, typed)
    assert nobody == Credentials(None, None, None, None)
    assert nobody.unlock(PASSPHRASE) is None
    assert nobody.recover(build.enrolment(1).recovery_code) is None
    assert not house.do(lambda db: account.use_code(db, house.keys, nobody, "123456", START, needed=False))
    with pytest.raises(Refused):
        house.ask(account.holder, typed)


def test_whoever_has_not_joined_or_has_left_cannot_sign_in(house: House) -> None:
    made = house.person("T", Role.SUPERVISOR)
    house.do(account.save_login, made, "worker")
    assert found(house).unlock("") is None
    assert found(house).unlock(PASSPHRASE) is None
    assert not use(house, "", needed=False), "no account, no way past the second factor either"
    left = member(house, "left", active=False)
    assert found(house, "left").person is None and left


@pytest.mark.parametrize("login", ["", "a", "-ab", ".ab", "a b", "é" * 3, "a@b", "x" * 40, "ａｂ", "a\x00b"])
def test_a_name_that_is_hard_to_type_is_refused(house: House, login: str) -> None:
    with pytest.raises(Refused) as refused:
        house.do(account.save_login, house.person(), login)
    assert refused.value.field == "login"


def test_two_people_never_share_a_name(house: House) -> None:
    one, other = member(house, "one"), house.person()
    with pytest.raises(Refused):
        house.do(account.save_login, other, "ONE")
    house.do(account.save_login, one, "One")
    house.do(account.save_login, one, "renamed")
    house.do(account.save_login, other, "one")
    assert [house.ask(account.login_of, person) for person in (one, other)] == ["renamed", "one"]
    assert found(house, "renamed").unlock(PASSPHRASE), "a new name keeps the passphrase"
    assert house.ask(account.login_of, 999) == ""


def test_six_digits_are_good_once_and_half_a_minute_early_or_late(house: House) -> None:
    member(house, seed=SEED)
    late, early = START - timedelta(seconds=30), START + timedelta(seconds=30)
    assert not use(house, digits(START - timedelta(seconds=60)))
    assert not use(house, digits(START + timedelta(seconds=60)))
    assert use(house, digits(late))
    assert not use(house, digits(late))
    spaced = digits(START)
    assert use(house, f" {spaced[:3]} {spaced[3:]}")
    assert not use(house, digits(START))
    assert use(house, digits(early))
    assert not use(house, digits(START)), "an older one is as good as used"
    for wrong in ("", "000000"[: len("00000")], "٣٤٥٦٧٨", "é", "x" * 40, digits(START, OTHER)):
        assert not use(house, wrong)


def test_of_two_who_type_the_same_code_at_once_one_wins(house: House) -> None:
    member(house, seed=SEED)
    of = found(house)

    def once(db: Session) -> bool:
        return account.use_code(db, house.keys, of, digits(), START, needed=True)

    assert sorted(map(bool, house.together(*[once] * 6))) == [False] * 5 + [True]


def test_printed_codes_are_good_once_each_however_they_are_typed(house: House) -> None:
    made = member(house, seed=SEED)
    codes = house.do(account.new_codes, house.keys, made, START)
    assert len(set(codes)) == 10
    assert use(house, codes[0].upper().replace("-", " "))
    assert not use(house, codes[0])
    assert house.ask(account.standing, made).codes_left == 9
    newer = house.do(account.new_codes, house.keys, made, START)
    assert not use(house, codes[1]), "a new sheet ends the old one"
    assert use(house, newer[1])
    stored = house.ask(lambda db: str(db.scalar(select(Account.codes))))
    assert not any(code.replace("-", "") in stored.replace("-", "") for code in newer)


def test_another_persons_printed_code_is_wrong(house: House) -> None:
    member(house, seed=SEED)
    other = member(house, "other", seed=OTHER)
    codes = house.do(account.new_codes, house.keys, other, START)
    assert not use(house, codes[0])


def test_without_a_second_factor_nobody_enters_but_in_the_demonstration(house: House) -> None:
    member(house)
    assert not use(house, "")
    assert not use(house, "123456")
    assert use(house, "", needed=False)


def test_with_a_second_factor_it_is_needed_in_the_demonstration_too(house: House) -> None:
    member(house, seed=SEED)
    assert not use(house, "", needed=False)


def test_what_was_read_before_the_slow_hash_must_still_stand(house: House) -> None:
    """A passphrase that was right when it was typed, and was replaced while it was checked."""
    made = member(house, seed=SEED)
    before = found(house)
    house.do(account.enrolled, made, vault.lock("another passphrase"))
    house.do(account.set_seed, house.keys, made, SEED)
    assert not house.do(lambda db: account.use_code(db, house.keys, before, digits(), START, needed=True))


def test_a_passphrase_is_changed_without_touching_the_key(house: House) -> None:
    made = member(house)
    pair = build.enrolment(made).key
    house.do(account.set_passphrase, made, pair, vault.relock(made, pair, "another passphrase"), START)
    assert found(house).unlock(PASSPHRASE) is None
    unlocked = found(house).unlock("another passphrase")
    assert unlocked is not None and found(house).key(unlocked) == pair
    assert found(house).recover(build.enrolment(made).recovery_code) == pair
    assert verbs(house) == [Verb.PASSPHRASE_CHANGED]


def test_a_new_recovery_code_ends_the_old_one(house: House) -> None:
    made = member(house)
    old = build.enrolment(made)
    code, sealed = vault.new_recovery(made, old.key)
    house.do(account.set_recovery, made, old.key, sealed, START)
    assert found(house).recover(old.recovery_code) is None
    assert found(house).recover(code.upper().replace("-", "")) == old.key
    assert found(house).recover("") is None
    assert found(house).recover("x" * 27) is None


def test_a_key_that_was_replaced_meanwhile_changes_nothing(house: House) -> None:
    """An old session at work while its owner joins anew must not lock the old key under the new account."""
    made = member(house)
    old = build.enrolment(made).key
    new = vault.enrol(made, PASSPHRASE)
    house.do(account.enrolled, made, new)
    with pytest.raises(Refused):
        house.do(account.set_passphrase, made, old, vault.relock(made, old, "another passphrase"), START)
    with pytest.raises(Refused):
        house.do(account.set_passphrase, made, None, (vault.lock("another passphrase"), None), START)
    with pytest.raises(Refused):
        house.do(account.set_recovery, made, old, vault.new_recovery(made, old)[1], START)
    assert found(house).recover(new.recovery_code) == new.key


def test_a_second_factor_is_offered_until_it_is_taken_and_never_again(house: House) -> None:
    made = member(house)
    offered = house.ask(account.offered_seed, house.keys, made, "a cookie")
    assert offered == house.ask(account.offered_seed, house.keys, made, "a cookie")
    assert offered != house.ask(account.offered_seed, house.keys, made, "another cookie")
    with pytest.raises(Refused) as refused:
        house.do(account.set_second_factor, house.keys, made, offered, "123456", START)
    assert refused.value.field == "code"
    assert not house.ask(account.standing, made).second_factor
    codes = house.do(account.set_second_factor, house.keys, made, offered, digits(START, offered), START)
    assert not use(house, digits(START, offered)), "the code that proved it is used"
    assert use(house, codes[0])
    assert offered != house.ask(account.offered_seed, house.keys, made, "a cookie")


def test_who_no_longer_gets_reports_has_no_key(house: House) -> None:
    made = member(house)
    token = session.token_of(house.keys, house.do(session.begin, house.keys, made, START))
    house.do(account.drop_key, made)
    person = house.ask(caseworker.one, made)
    assert person is not None and person.public is None and person.attest is None
    unlocked = found(house).unlock(PASSPHRASE)
    assert unlocked is not None, "they still sign in"
    assert found(house).key(unlocked) is None
    assert found(house).recover(build.enrolment(made).recovery_code) is None
    assert house.ask(session.who, token, START) is None


def test_a_key_under_changed_bytes_does_not_open(house: House) -> None:
    made = member(house)
    unlocked = found(house).unlock(PASSPHRASE)
    assert unlocked is not None
    other = build.enrolment(made + 1)
    assert Credentials(made, None, other.private_sealed, None).key(unlocked) is None
    assert Credentials(made, None, None, other.recovery_sealed).recover(other.recovery_code) is None


def test_after_a_rotation_second_factors_open_and_sessions_have_ended(house: House) -> None:
    made = member(house, seed=SEED)
    broken = member(house, "broken", seed=SEED)
    codes = house.do(account.new_codes, house.keys, made, START)
    token = session.token_of(house.keys, house.do(session.begin, house.keys, made, START))
    before = house.ask(lambda db: dict(db.execute(select(Account.caseworker_id, Account.seed_sealed)).all()))
    house.do(
        lambda db: db.execute(text("UPDATE account SET seed_sealed = :x WHERE login = 'broken'"), {"x": b"x"})
    )
    house.do(account.reseal, house.keys)
    after = house.ask(lambda db: dict(db.execute(select(Account.caseworker_id, Account.seed_sealed)).all()))
    assert before[made] != after[made] and after[broken] == b"x"
    assert not use(house, codes[0])
    assert use(house, digits())
    assert house.ask(session.who, token, START) is None


def test_what_time_has_ended_is_forgotten_together(house: House) -> None:
    made = member(house)
    house.do(session.begin, house.keys, made, START)
    house.do(attempt.take, attempt.source(house.keys, "worker", "192.0.2.1", "", alone=False), START)
    assert house.do(account.forget_ended, START) == 0
    assert house.do(account.forget_ended, START + max(IDLE, attempt.FORGOTTEN)) == 3
    assert house.ask(lambda db: db.scalars(select(SignIn.token)).all()) == []


def test_no_secret_stands_in_the_store_or_a_repr(house: House, keys: Vault) -> None:
    made = member(house, seed=SEED)
    enrolment = build.enrolment(made)
    code = house.do(account.new_codes, keys, made, START)[0]
    row = b"".join(
        value if isinstance(value, bytes) else str(value).encode()
        for value in house.ask(lambda db: tuple(db.execute(text("SELECT * FROM account")).one()))
    )
    secrets = (PASSPHRASE, enrolment.recovery_code, code, SEED, enrolment.key.private.hex())
    for secret in secrets:
        assert secret.encode() not in row and secret.replace("-", "").encode() not in row
    assert enrolment.key.private not in row
    assert repr(found(house)) == f"Credentials(person={made})"
