"""What a database is, who holds a lease, and whether anybody would answer."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from gateway.casework import caseworker, installation
from gateway.casework.caseworker import Role
from gateway.casework.installation import Installation, OtherKind
from gateway.db import Database, Unavailable
from tests.build import START
from tests.casework.house import House

LASTING = timedelta(seconds=15)
KEYS = bytes(range(32))


@pytest.mark.parametrize("demo", [True, False])
def test_a_database_is_what_it_was_declared_and_refuses_the_other_kind(house: House, *, demo: bool) -> None:
    assert house.ask(installation.kind) is None
    house.do(installation.declare, demo=demo, keys=KEYS)
    house.do(installation.declare, demo=demo, keys=KEYS)
    assert house.ask(installation.kind) is demo
    with pytest.raises(OtherKind):
        house.do(installation.declare, demo=not demo, keys=KEYS)
    assert house.ask(installation.kind) is demo


def test_a_database_refuses_the_keys_of_another_in_one_clear_line(house: House) -> None:
    house.do(installation.declare, demo=False, keys=KEYS)
    with pytest.raises(OtherKind, match="other keys: point KEYS_DIR at them"):
        house.do(installation.declare, demo=False, keys=bytes(32))
    house.do(installation.declare, demo=False, keys=KEYS)


def test_processes_that_start_together_declare_it_once(house: House) -> None:
    house.together(*[partial(installation.declare, demo=False, keys=KEYS) for _ in range(6)])
    assert house.ask(lambda db: db.scalar(select(func.count()).select_from(Installation))) == 1


def test_our_database_is_known_as_ours(house: House) -> None:
    assert house.ask(installation.is_ours)
    assert not house.ask(installation.is_empty)


def test_an_empty_database_is_told_from_anybody_elses(database_url: str) -> None:
    other = Database(database_url.replace("postgresql://", "postgresql+psycopg://"))
    with other.read() as db:
        assert installation.is_empty(db)
        assert not installation.is_ours(db)
    with other.begin() as db:
        db.execute(text("CREATE TABLE somebody_elses (id INTEGER)"))
    with other.read() as db:
        assert not installation.is_empty(db)
        assert not installation.is_ours(db)
    other.dispose()


def test_a_lease_is_one_holders_until_it_runs_out_or_is_given_up(house: House) -> None:
    def take(holder: str, after: float) -> bool:
        return house.do(installation.take_lease, "clock", holder, START + timedelta(seconds=after), LASTING)

    assert take("a", 0)
    assert not take("b", 0)
    assert take("a", 10), "its holder keeps it"
    assert not take("b", 24)
    assert take("b", 25)
    assert not take("a", 26)
    house.do(installation.give_up_lease, "clock", "a", START + timedelta(seconds=26))
    assert not take("a", 26), "only its holder gives it up"
    house.do(installation.give_up_lease, "clock", "b", START + timedelta(seconds=26))
    assert take("a", 26)


def test_leases_of_different_names_have_nothing_to_do_with_each_other(house: House) -> None:
    for name in ("clock", "other"):
        assert house.do(installation.take_lease, name, f"holder of {name}", START, LASTING)


def test_of_many_that_want_a_lease_that_ran_out_one_gets_it(house: House) -> None:
    house.do(installation.take_lease, "clock", "old", START, LASTING)
    later = START + LASTING
    taken = house.together(
        *[
            partial(
                lambda holder, db: installation.take_lease(db, "clock", holder, later, LASTING), f"holder {at}"
            )
            for at in range(6)
        ]
    )
    assert taken.count(True) == 1


def test_a_house_that_nobody_answers_in_is_at_fault(house: House) -> None:
    house.do(installation.declare, demo=False, keys=KEYS)
    assert len(house.do(installation.faults)) == 2
    supervisor = house.person("S", Role.SUPERVISOR)
    house.person("I", Role.INTEGRITY_OFFICER, active=False)
    assert [fault.split(":")[0] for fault in house.do(installation.faults)] == [
        "no active integrity officer with a confirmed key"
    ]
    house.person("J", Role.INTEGRITY_OFFICER)
    assert house.do(installation.faults) == []
    house.person("T", Role.SUPERVISOR)
    house.do(caseworker.change, house.keys, supervisor, house.entered(active=False))
    assert house.do(installation.faults) == []


def test_somebody_whose_key_nobody_confirmed_is_nobody_to_answer(house: House) -> None:
    house.do(installation.declare, demo=False, keys=KEYS)
    for role in (Role.SUPERVISOR, Role.INTEGRITY_OFFICER):
        person = house.person(role.value, role)
        house.do(caseworker.set_key, person, house.pairs[person].public)
    assert len(house.do(installation.faults)) == 2
    house.do(caseworker.confirm_key, house.keys, person)
    assert [fault.split(":")[0] for fault in house.do(installation.faults)] == [
        "no active supervisor with a confirmed key"
    ]


def test_a_database_that_takes_no_write_is_at_fault(house: House) -> None:
    forbid = "SET TRANSACTION READ ONLY" if house.db.dialect == "postgresql" else "PRAGMA query_only = ON"

    def ask(db: Session) -> list[str]:
        db.execute(text(forbid))
        return installation.faults(db)

    with pytest.raises(Unavailable):
        house.do(ask)
    house.db.dispose()  # on SQLite the connection stays forbidden to write
