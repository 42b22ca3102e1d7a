"""Passphrases: hashed slowly with their own salt, checked at the same cost for somebody and for nobody."""

from __future__ import annotations

import re

import pytest

from gateway.vault import hash_passphrase, passphrase_fits, people

PASSPHRASE = "cobalt – éboulement 7"
PARAMETERS = r"\$argon2id\$v=19\$m=19456,t=2,p=1\$"


@pytest.fixture(scope="module")
def hashed() -> str:
    return hash_passphrase(PASSPHRASE)


def test_the_right_passphrase_fits_and_no_other(hashed: str) -> None:
    assert passphrase_fits(hashed, PASSPHRASE)
    for wrong in ("", PASSPHRASE + " ", PASSPHRASE.upper(), PASSPHRASE[:-1], "x" * 10_000):
        assert not passphrase_fits(hashed, wrong)


def test_a_hash_names_its_parameters_and_fits_its_column(hashed: str) -> None:
    assert re.fullmatch(PARAMETERS + r"[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}", hashed)
    assert len(hashed) <= 128


def test_the_same_passphrase_has_another_hash_each_time(hashed: str) -> None:
    assert hash_passphrase(PASSPHRASE) != hashed


def test_a_passphrase_does_not_stand_in_its_hash(hashed: str) -> None:
    assert "cobalt" not in hashed


@pytest.mark.parametrize("passphrase", ["", "a", PASSPHRASE])
def test_nobody_has_a_passphrase(passphrase: str) -> None:
    assert not passphrase_fits(None, passphrase)


def test_nobody_costs_the_same_work_as_somebody() -> None:
    """The same parameters, and a hash that is well formed: a malformed one would be refused at once."""
    assert re.fullmatch(PARAMETERS + r"[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}", people._NOBODY)


@pytest.mark.parametrize(
    "damaged", ["", "plain", "$argon2id$", "$2b$12$" + "a" * 53, "$argon2id$v=19$m=1,t=1,p=1$AA$AA"]
)
def test_a_damaged_hash_fits_nothing_and_breaks_nothing(damaged: str) -> None:
    assert not passphrase_fits(damaged, PASSPHRASE)
    assert not passphrase_fits(damaged, "")
