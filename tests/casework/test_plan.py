"""The plan: who sees a report, who holds its key, and that losing the one is losing the other."""

from __future__ import annotations

from sqlalchemy import func, select

from gateway.casework import caseworker, plan, report
from gateway.casework.caseworker import Role
from gateway.casework.plan import Enclosed, Envelope
from gateway.casework.route import Reason, Step
from gateway.vault.pairs import new_pair
from tests.casework.house import SOON, House, seen


def envelopes(house: House, made: int) -> set[int]:
    """Who has an envelope of a report, of whatever key."""
    return set(
        house.ask(lambda db: db.scalars(select(Envelope.caseworker_id).where(Envelope.report_id == made)).all())
    )


def opens(house: House, made: int, person: int) -> bool:
    """Whether what is stored for this person opens with their key."""
    sealed = house.ask(plan.envelope, made, person)
    if sealed is None:
        return False
    month = house.coarse(made).month
    return bool(house.keys.open_envelope(person, house.pairs[person], report.place(made), month, sealed))


def test_everybody_of_a_plan_holds_a_key_of_their_own_from_the_first(house: House) -> None:
    people = [house.person(), house.person(), house.person("S", Role.SUPERVISOR)]
    made = house.filed(people)
    assert all(opens(house, made, person) for person in people)
    assert len({house.ask(plan.envelope, made, person) for person in people}) == 3
    assert house.ask(plan.holders, made) == set(people)


def test_a_key_alone_shows_nothing(house: House) -> None:
    hidden = house.person()
    made = house.filed([hidden])
    assert opens(house, made, hidden)
    assert not house.ask(plan.is_open_to, made, hidden)


def test_whoever_is_left_out_loses_the_key_with_the_sight(house: House) -> None:
    one, other = house.person(), house.person()
    made = house.filed([seen(one), seen(other)])
    house.do(plan.leave_out, made, one)
    assert envelopes(house, made) == {other}


def test_a_report_that_moves_takes_its_key_from_whoever_is_not_on_the_new_plan(house: House) -> None:
    worker, officer = house.person(), house.person("O", Role.INTEGRITY_OFFICER)
    made = house.filed([seen(worker), seen(officer)])
    house.do(report.move, made, "integrity", [seen(officer, Reason.INTEGRITY)], SOON)
    assert envelopes(house, made) == {officer}
    assert opens(house, made, officer)


def test_a_person_with_a_new_key_holds_nothing_until_it_is_given_again(house: House) -> None:
    person, other = house.person(), house.person()
    made, second = house.filed([person, other]), house.filed([person])
    house.filed([other])
    house.pairs[person] = new_pair()
    house.do(caseworker.set_key, person, house.pairs[person].public)
    assert house.ask(plan.envelope, made, person) is None
    assert house.ask(plan.holders, made) == {other}
    assert house.ask(plan.without_key, person) == sorted([made, second])
    house.do(caseworker.confirm_key, house.keys, person)
    given = house.keys.report_key(
        report.place(made), house.keys.days.overlapping(SOON.date())[0], [house.reader(person)], bytes(32)
    )
    house.do(plan.enclose, made, {person: Enclosed(house.pairs[person].public, given.envelopes[person])})
    assert house.ask(plan.holders, made) == {person, other}
    assert house.ask(plan.without_key, person) == [second]
    assert len(envelopes(house, made)) == 2, "the old envelope has given its place"


def test_who_has_left_is_no_holder(house: House) -> None:
    person = house.person(active=False)
    made = house.filed([person])
    assert house.ask(plan.holders, made) == set()


def test_giving_nobody_a_key_writes_nothing(house: House) -> None:
    made = house.filed()
    house.do(plan.enclose, made, {})
    assert house.ask(lambda db: db.scalar(select(func.count()).select_from(Envelope))) == 0


def test_a_plan_grows_behind_its_last_and_names_nobody_twice(house: House) -> None:
    first, second = house.person(), house.person()
    made = house.filed([first])
    standing = plan.Standing("received", "P2", SOON)
    for _ in range(2):
        house.do(
            plan.extend,
            made,
            [Step(first, Reason.ON_DUTY, False), Step(second, Reason.SUPERVISOR, True)],
            standing,
        )
    assert house.ask(plan.people, made) == [(first, "on_duty"), (second, "supervisor")]


def test_no_envelope_looks_like_another(house: House) -> None:
    person = house.person()
    found = {house.ask(plan.envelope, house.filed([person], reference=f"{at:06d}"), person) for at in range(5)}
    assert len(found) == 5
    assert all(one is not None and len(one) == 126 for one in found)
