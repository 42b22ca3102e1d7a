"""Who is asked, and in which order: facts and people in, a plan out."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.casework.caseworker import Person, Role
from gateway.casework.organisation import Kind
from gateway.casework.route import INTEGRITY, Reason, Step, plan

LANES = ("child", "safety", "gbv")
LANGUAGES = ("fr", "sw_CD", "ln")
SITES = (1, 2, 3)


def person(
    id_: int,
    role: Role = Role.CASE_WORKER,
    *,
    active: bool = True,
    lanes: frozenset[str] = frozenset(LANES),
    sites: frozenset[int] = frozenset(),
    languages: frozenset[str] = frozenset(LANGUAGES),
) -> Person:
    return Person(
        id_, f"P{id_}", role, active, "fr", lanes, sites, languages, bytes(32), bytes(32), 1, Kind.INDEPENDENT
    )


some_people = st.lists(
    st.builds(
        Person,
        id=st.integers(min_value=1, max_value=40),
        name=st.just("P"),
        role=st.sampled_from(Role),
        active=st.booleans(),
        sms_language=st.just("fr"),
        lanes=st.frozensets(st.sampled_from(LANES)),
        sites=st.frozensets(st.sampled_from(SITES)),
        languages=st.frozensets(st.sampled_from(LANGUAGES)),
        public=st.just(bytes(32)),
        attest=st.sampled_from([bytes(32), bytes(32), bytes(32), None]),
        organisation=st.just(1),
        kind=st.just(Kind.INDEPENDENT),
    ),
    max_size=12,
    unique_by=lambda one: one.id,
)


def is_reachable(one: Person) -> bool:
    """Here, and with a key that somebody has confirmed."""
    return one.active and one.public is not None and one.attest is not None


lanes = st.sampled_from((*LANES, INTEGRITY))
sites = st.none() | st.sampled_from(SITES)
languages = st.sampled_from(LANGUAGES)
loads = st.dictionaries(st.integers(min_value=1, max_value=40), st.integers(min_value=0, max_value=9))


@given(people=some_people, lane=lanes, site=sites, language=languages, load=loads)
def test_a_plan_never_runs_dry_where_there_is_a_supervisor_or_an_officer(
    people: list[Person], lane: str, site: int | None, language: str, load: dict[int, int]
) -> None:
    steps = plan(lane=lane, site=site, language=language, people=people, load=load)
    enough = {Role.INTEGRITY_OFFICER} if lane == INTEGRITY else {Role.INTEGRITY_OFFICER, Role.SUPERVISOR}
    assume(any(is_reachable(one) and one.role in enough for one in people))
    assert steps


@given(people=some_people, lane=lanes, site=sites, language=languages, load=loads)
def test_a_plan_holds_active_people_with_a_confirmed_key_once_and_nobody_else(
    people: list[Person], lane: str, site: int | None, language: str, load: dict[int, int]
) -> None:
    chosen = [step.person for step in plan(lane=lane, site=site, language=language, people=people, load=load)]
    assert len(set(chosen)) == len(chosen)
    active = {one.id: one for one in people if is_reachable(one)}
    assert set(chosen) <= active.keys()
    assert Role.ADMINISTRATOR not in {active[one].role for one in chosen}
    for one in active.values():
        if one.role is Role.INTEGRITY_OFFICER or (one.role is Role.SUPERVISOR and lane != INTEGRITY):
            assert one.id in chosen


@given(people=some_people, site=sites, language=languages, load=loads)
def test_the_integrity_lane_holds_officers_only_who_see_it_at_once(
    people: list[Person], site: int | None, language: str, load: dict[int, int]
) -> None:
    steps = plan(lane=INTEGRITY, site=site, language=language, people=people, load=load)
    officers = sorted(one.id for one in people if is_reachable(one) and one.role is Role.INTEGRITY_OFFICER)
    assert steps == [Step(one, Reason.INTEGRITY, True) for one in officers]


@given(people=some_people, lane=st.sampled_from(LANES), site=sites, language=languages, load=loads)
def test_everybody_on_duty_fits_and_everybody_who_fits_is_on_duty(
    people: list[Person], lane: str, site: int | None, language: str, load: dict[int, int]
) -> None:
    steps = plan(lane=lane, site=site, language=language, people=people, load=load)
    fits = {
        one.id
        for one in people
        if is_reachable(one)
        and one.role is Role.CASE_WORKER
        and lane in one.lanes
        and language in one.languages
        and (site is None or not one.sites or site in one.sites)
    }
    assert {step.person for step in steps if step.reason is Reason.ON_DUTY} == fits
    assert not any(step.opened for step in steps if step.reason is Reason.ON_DUTY)


@given(people=some_people, lane=st.sampled_from(LANES), site=sites, language=languages, load=loads)
def test_the_least_busy_come_first_then_supervisors_who_see_it_at_once_then_officers(
    people: list[Person], lane: str, site: int | None, language: str, load: dict[int, int]
) -> None:
    steps = plan(lane=lane, site=site, language=language, people=people, load=load)
    order = [Reason.ON_DUTY, Reason.SUPERVISOR, Reason.INTEGRITY]
    ranks = [order.index(step.reason) for step in steps]
    assert ranks == sorted(ranks)
    busy = [load.get(step.person, 0) for step in steps if step.reason is Reason.ON_DUTY]
    assert busy == sorted(busy)
    assert {step.opened for step in steps if step.reason is Reason.SUPERVISOR} <= {True}
    assert {step.opened for step in steps if step.reason is Reason.INTEGRITY} <= {False}


@given(people=some_people, lane=lanes, site=sites, language=languages, load=loads, again=st.randoms())
def test_a_plan_does_not_depend_on_the_order_people_are_listed_in(
    people: list[Person], lane: str, site: int | None, language: str, load: dict[int, int], again: object
) -> None:
    shuffled = sorted(people, key=lambda one: hash((one.id, str(again))))
    assert plan(lane=lane, site=site, language=language, people=people, load=load) == plan(
        lane=lane, site=site, language=language, people=shuffled, load=load
    )


def test_the_supervisor_of_the_place_comes_before_another_and_a_speaker_before_one_who_is_not() -> None:
    elsewhere = person(1, Role.SUPERVISOR, sites=frozenset({2}))
    silent = person(2, Role.SUPERVISOR, languages=frozenset({"fr"}))
    here = person(3, Role.SUPERVISOR, sites=frozenset({1}))
    steps = plan(lane="child", site=1, language="ln", people=[elsewhere, silent, here], load={})
    assert [step.person for step in steps] == [3, 2, 1]


def test_a_report_without_a_place_reaches_people_of_every_place() -> None:
    steps = plan(lane="child", site=None, language="fr", people=[person(1, sites=frozenset({2}))], load={})
    assert steps == [Step(1, Reason.ON_DUTY, False)]


def test_with_nobody_there_is_no_plan() -> None:
    assert plan(lane="child", site=1, language="fr", people=[], load={}) == []
