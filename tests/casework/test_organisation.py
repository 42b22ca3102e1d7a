"""Organisations: what people work for, and who never works for the same one."""

from __future__ import annotations

import string
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from gateway import flows
from gateway.casework import Refused, caseworker, organisation
from gateway.casework.caseworker import Entered, Role
from gateway.casework.organisation import ACCUSED, ALIAS_LETTERS, MOST_ALIASES, NAME_LETTERS, Kind, Row
from gateway.db import Conflict
from gateway.settings import ROOT
from tests.casework.house import House

MINE = [kind for kind in Kind if kind is not Kind.INDEPENDENT]


def add(house: House, name: str = "Upepo", kind: Kind = Kind.COOPERATIVE, aliases: str = "") -> int:
    return house.do(organisation.add, name=name, kind=kind, aliases=aliases)


def change_person(house: House, person: int, entered: Entered) -> None:
    house.do(caseworker.change, house.keys, person, entered)


def test_an_organisation_is_read_as_it_was_entered(house: House) -> None:
    made = add(house, "  Coopérative   Upepo ", Kind.COOPERATIVE, "COOP,  Les gens   du vent\nUpepo;COOP")
    row = Row(made, "Coopérative Upepo", Kind.COOPERATIVE, ("COOP", "Les gens du vent", "Upepo"))
    assert house.ask(organisation.one, made) == row
    assert house.ask(organisation.one, made + 1) is None
    other = add(house, "Almasi", Kind.BUYER_COMPANY)
    assert house.ask(organisation.every) == [Row(other, "Almasi", Kind.BUYER_COMPANY, ()), row]


def test_it_can_be_saved_anew_under_its_own_name_and_nobody_else_s(house: House) -> None:
    made, other = add(house), add(house, "Umeme", Kind.POLICE_ARMY_GUARD)
    house.do(organisation.change, made, name="Upepo", kind=Kind.MINE_SERVICE, aliases="Vent")
    assert house.ask(organisation.one, made) == Row(made, "Upepo", Kind.MINE_SERVICE, ("Vent",))
    with pytest.raises(Refused) as taken:
        house.do(organisation.change, made, name=" Umeme ", kind=Kind.COOPERATIVE, aliases="")
    assert taken.value.field == "name"
    with pytest.raises(Refused):
        add(house, "Umeme")
    house.do(organisation.change, other, name="Radi", kind=Kind.POLICE_ARMY_GUARD, aliases="")
    assert add(house, "Umeme") not in (made, other)


@pytest.mark.parametrize("name", ["", "   ", "x" * (NAME_LETTERS + 1)])
def test_a_name_has_one_to_eighty_letters(house: House, name: str) -> None:
    with pytest.raises(Refused) as refused:
        add(house, name)
    assert refused.value.field == "name"
    assert house.ask(organisation.every) == []


def test_of_two_who_save_the_same_name_at_once_one_wins(house: House) -> None:
    """The other is refused, or told by the store; a hop or a page tries again."""

    def save(*_: object) -> object:
        try:
            return house.do(organisation.add, name="Upepo", kind=Kind.COOPERATIVE, aliases="")
        except (Refused, Conflict):
            return None

    saved = house.together(*[save] * 4)
    assert len([made for made in saved if made is not None]) == 1
    assert len(house.ask(organisation.every)) == 1


@given(names=st.lists(st.text(string.ascii_letters + " -'é", max_size=ALIAS_LETTERS), max_size=MOST_ALIASES))
@pytest.mark.parametrize("between", ["\n", ",", ";", " , ", "\r\n"])
def test_other_names_are_read_however_they_are_divided(between: str, names: list[str]) -> None:
    wanted = dict.fromkeys(" ".join(name.split()) for name in names if name.strip())
    assert organisation.read_aliases(between.join(names)) == tuple(wanted)


def test_there_are_at_most_twelve_other_names_and_none_is_long() -> None:
    most = [f"name {at}" for at in range(MOST_ALIASES)]
    assert len(organisation.read_aliases("\n".join(most))) == MOST_ALIASES
    assert len(organisation.read_aliases("x" * ALIAS_LETTERS)) == 1
    for typed in ("\n".join([*most, "one more"]), "x" * (ALIAS_LETTERS + 1)):
        with pytest.raises(Refused) as refused:
            organisation.read_aliases(typed)
        assert refused.value.field == "aliases"


def test_every_answer_to_who_did_it_has_its_kind_or_names_none_of_ours() -> None:
    """Of the flows as they are: a new answer must be thought about here."""
    book = flows.load(ROOT / "flows", ROOT / "locales")
    our_accused = {value for field, value in book.settable if field == "accused"}
    assert set(ACCUSED) <= our_accused
    assert our_accused - set(ACCUSED) == {"ngo_caseworker", "family", "not_known"}
    assert set(ACCUSED.values()) == set(MINE)


# For whom somebody works.


@pytest.mark.parametrize("role", caseworker.ON_ROUTES)
@pytest.mark.parametrize("named", [None, 999])
def test_whoever_reports_are_brought_to_works_for_an_organisation_that_is_there(
    house: House, role: Role, named: int | None
) -> None:
    entered = Entered(
        "Nobody", role, True, "+243990000001", "fr", frozenset({"child"}), frozenset(), frozenset({"fr"}), named
    )
    with pytest.raises(Refused) as refused:
        house.do(caseworker.add, house.keys, entered)
    assert refused.value.field == "organisation"


@pytest.mark.parametrize("role", [Role.TECHNICIAN, Role.ADMINISTRATOR])
def test_others_may_work_for_none_but_not_for_one_that_is_not_there(house: House, role: Role) -> None:
    def entered(named: int | None) -> Entered:
        return Entered("Nobody", role, True, "", "fr", frozenset(), frozenset(), frozenset(), named)

    made = house.do(caseworker.add, house.keys, entered(None))
    found = house.ask(caseworker.one, made)
    assert found is not None
    assert (found.organisation, found.kind, found.supervisor, found.aliases) == (None, None, None, ())
    with pytest.raises(Refused):
        house.do(caseworker.add, house.keys, entered(999))


def test_a_person_is_read_with_their_organisation_its_kind_and_whom_they_answer_to(house: House) -> None:
    for_whom = add(house, "Almasi", Kind.BUYER_COMPANY)
    above = house.person("Above", Role.SUPERVISOR, organisation=for_whom)
    made = house.person("Below", organisation=for_whom, supervisor=above, aliases="Bee, Bi")
    found = house.ask(caseworker.one, made)
    assert found is not None
    assert (found.organisation, found.kind, found.supervisor) == (for_whom, Kind.BUYER_COMPANY, above)
    assert found.aliases == ("Bee", "Bi")
    change_person(house, made, house.entered("Below", organisation=for_whom))
    again = house.ask(caseworker.one, made)
    assert again is not None
    assert (again.supervisor, again.aliases) == (None, ())


@pytest.mark.parametrize("kind", MINE)
def test_an_integrity_officer_works_for_an_independent_organisation(house: House, kind: Kind) -> None:
    theirs = add(house, "Theirs", kind)
    with pytest.raises(Refused) as refused:
        house.person("Officer", Role.INTEGRITY_OFFICER, organisation=theirs)
    assert (refused.value.field, "independent" in refused.value.why) == ("organisation", True)
    officer = house.person("Officer", Role.INTEGRITY_OFFICER)
    with pytest.raises(Refused):
        change_person(house, officer, house.entered("Officer", Role.INTEGRITY_OFFICER, organisation=theirs))


@pytest.mark.parametrize("kind", MINE)
def test_nor_can_theirs_become_another_kind_though_they_have_left(house: House, kind: Kind) -> None:
    """They may come back."""
    theirs = house.employer("Watch")
    house.person("First", Role.INTEGRITY_OFFICER, organisation=theirs)
    house.ask(caseworker.check_kind, theirs, Kind.INDEPENDENT)
    with pytest.raises(Refused) as refused:
        house.ask(caseworker.check_kind, theirs, kind)
    assert refused.value.field == "kind"
    left = house.employer("Left")
    house.person("Other", Role.INTEGRITY_OFFICER, organisation=left, active=False)
    with pytest.raises(Refused):
        house.ask(caseworker.check_kind, left, kind)
    workers = house.employer("House")
    house.person(organisation=workers)
    house.ask(caseworker.check_kind, workers, kind)


@pytest.mark.parametrize("role", [Role.CASE_WORKER, Role.SUPERVISOR])
def test_an_integrity_officer_never_works_with_those_who_work_on_reports(house: House, role: Role) -> None:
    watch, workers = house.employer("Watch"), house.employer("House")
    officer = house.person("Officer", Role.INTEGRITY_OFFICER, organisation=watch)
    worker = house.person("Worker", role, organisation=workers)
    house.person("Another", Role.SUPERVISOR, organisation=workers)  # so that the first may change
    house.person("Second", Role.INTEGRITY_OFFICER, organisation=house.employer("Second watch"))
    for attempt in (
        lambda: house.person("New", role, organisation=watch),
        lambda: house.person("New", Role.INTEGRITY_OFFICER, organisation=workers),
        lambda: change_person(house, worker, house.entered("Worker", role, organisation=watch)),
        lambda: change_person(
            house, officer, house.entered("Officer", Role.INTEGRITY_OFFICER, organisation=workers)
        ),
        lambda: change_person(
            house, worker, house.entered("Worker", Role.INTEGRITY_OFFICER, organisation=workers)
        ),
    ):
        with pytest.raises(Refused) as refused:
            attempt()
        assert refused.value.field == "organisation"


def test_whoever_has_left_is_with_nobody_until_they_come_back(house: House) -> None:
    watch = house.employer("Watch")
    house.person("Officer", Role.INTEGRITY_OFFICER, organisation=watch)
    left = house.person("Left", organisation=watch, active=False)
    with pytest.raises(Refused):
        change_person(house, left, house.entered("Left", organisation=watch))
    change_person(house, left, house.entered("Left", organisation=house.employer("House")))


def test_two_officers_and_a_technician_may_work_together(house: House) -> None:
    watch = house.employer("Watch")
    for name in ("One", "Two"):
        house.person(name, Role.INTEGRITY_OFFICER, organisation=watch)
    house.do(
        caseworker.add,
        house.keys,
        Entered("T", Role.TECHNICIAN, True, "", "fr", frozenset(), frozenset(), frozenset(), watch),
    )


# Whom somebody answers to.


def test_nobody_answers_to_themselves_nor_in_a_circle(house: House) -> None:
    one = house.person("One")
    two = house.person("Two", supervisor=one)
    three = house.person("Three", supervisor=two)
    for above in (one, two, three):
        with pytest.raises(Refused) as refused:
            change_person(house, one, house.entered("One", supervisor=above))
        assert refused.value.field == "supervisor"
    change_person(house, two, house.entered("Two"))
    change_person(house, three, house.entered("Three", supervisor=one))
    change_person(house, two, house.entered("Two", supervisor=three))
    found = {person.id: person.supervisor for person in house.ask(caseworker.every)}
    assert found == {one: None, three: one, two: three}


def test_nobody_answers_to_somebody_who_is_not_there(house: House) -> None:
    with pytest.raises(Refused) as refused:
        house.person(supervisor=999)
    assert refused.value.field == "supervisor"


def test_whom_one_answers_to_may_work_elsewhere_and_have_left(house: House) -> None:
    above = house.person("Above", organisation=add(house), active=False)
    below = house.person("Below", supervisor=above)
    found = house.ask(caseworker.one, below)
    assert found is not None
    assert found.supervisor == above


# Two who save at the same time: each looks before the other has written.


def test_an_officer_and_a_worker_saved_at_once_do_not_end_in_one_organisation(house: House) -> None:
    for at in range(10):
        shared = house.employer(f"Shared {at}")
        worker = house.entered("Worker", organisation=shared)
        officer = house.entered("Officer", Role.INTEGRITY_OFFICER, organisation=shared)

        def save(entered: Entered, db: Session) -> int:
            return caseworker.add(db, house.keys, entered)

        saved = house.together(partial(save, worker), partial(save, officer))
        assert len([one for one in saved if isinstance(one, Refused)]) == 1


def test_two_who_are_put_under_each_other_at_once_do_not_end_in_a_circle(house: House) -> None:
    for _ in range(10):
        one, other = house.person("One"), house.person("Other")
        changes = [(one, house.entered("One", supervisor=other)), (other, house.entered("Other", supervisor=one))]

        def change(person: int, entered: Entered, db: Session) -> None:
            caseworker.change(db, house.keys, person, entered)

        saved = house.together(*[partial(change, person, entered) for person, entered in changes])
        assert len([each for each in saved if isinstance(each, Refused)]) == 1
