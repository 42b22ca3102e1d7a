"""Whoever a report is about hears nothing of it, the whole way: from the key or the words that accuse them to each
round of the clock that follows; and somebody independent always does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import pytest
from sqlalchemy import func, select

from gateway import desk
from gateway.casework import Refused, chain, journal, plan, referral, shelf
from gateway.casework.caseworker import CaseWorker, Role
from gateway.casework.journal import Entry
from gateway.casework.message import Message
from gateway.casework.organisation import Kind
from gateway.casework.plan import Envelope, PlanEntry
from gateway.casework.referral import HandOnReason, Referral
from gateway.casework.report import Outcome
from gateway.casework.shelf import Shelf
from gateway.casework.verb import Verb
from gateway.later.dispatch import dispatch
from gateway.later.purge import purge
from gateway.later.sweep import sweep
from gateway.runtime import Runtime
from gateway.vault import escrow
from tests import build
from tests.later import story

STAFF = dict[str, int]
NAMED = "la c'est leopard, le chef de chez nous"
DETAILS = (*story.HAZARD, "1")
"""A danger or accident, and then its details: what danger, who is in charge, safe, how many, when, words."""


@pytest.fixture
def staff(rt: Runtime) -> STAFF:
    """The accused is the first whom a report would be brought to; a colleague of theirs, and others elsewhere."""
    accused = build.person(rt, "Leopard Kapok", works_for="Ligue", aliases="Tonton Fromager")
    colleague = build.person(rt, "Colobe Limba", works_for="Ligue")
    return {**build.staff(rt), "accused": accused, "colleague": colleague, "site": build.sites(rt, "Site A")[0]}


def count(rt: Runtime, *where: object, of: type[PlanEntry | Envelope | Referral | Message | Entry]) -> int:
    with rt.db.read() as db:
        return db.scalar(select(func.count()).select_from(of).where(*where)) or 0  # type: ignore[arg-type]


def hears_nothing(rt: Runtime, made: int, person: int) -> bool:
    """Whether nothing of this report is with this person or on its way to them."""
    theirs = (Referral.report_id == made) & (Referral.caseworker_id == person)
    mine = select(Referral.id).where(theirs, Referral.state == referral.State.PENDING.value)
    assert count(rt, PlanEntry.report_id == made, PlanEntry.caseworker_id == person, of=PlanEntry) == 0
    assert count(rt, Envelope.report_id == made, Envelope.caseworker_id == person, of=Envelope) == 0
    assert count(rt, Referral.id.in_(mine), of=Referral) == 0
    assert count(rt, Message.referral_id.in_(mine), of=Message) == 0
    assert story.coarse(rt, made).responsible_id != person
    with rt.db.read() as db:
        for each in Shelf:
            rows, _ = shelf.page(db, person, each, size=500)
            assert made not in [row.id for row in rows]
            assert len(rows) == shelf.count(db, person, each, at_most=500)
    reader = build.reader(person)
    assert desk.read(rt, reader, made) is None
    doing: list[Callable[[], object]] = [
        lambda: desk.accept(rt, reader, made),
        lambda: desk.note(rt, reader, made, "encore la"),
        lambda: desk.write(rt, reader, made, desk.OWN, "Dites votre nom."),
        lambda: desk.open_number(rt, reader, made, "je veux savoir"),
        lambda: desk.hand_on(rt, reader, made, HandOnReason.AWAY, None),
        lambda: desk.grant(rt, reader, made, person),
        lambda: desk.leave_out(rt, reader, made, person),
        lambda: desk.close(rt, reader, made, Outcome.NOT_FOUND),
    ]
    for change in doing:
        with pytest.raises(Refused) as told:
            change()
        assert told.value.why == "This report is not here."
    return True


def opens(rt: Runtime, made: int, person: int) -> bool:
    """Whether somebody who sees the report can open its story."""
    reading = desk.read(rt, build.reader(person), made)
    assert reading is not None
    return not reading.locked


def rounds(rt: Runtime, days: int = 12) -> None:
    """The clock goes on, and every round of it is done."""
    for at in range(days * 2):
        story.clock(rt).go(hours=12)
        sweep(rt)
        if at % 4 == 0:
            purge(rt)
    with rt.db.read(still=True) as db:
        faults = chain.verify(db, rt.vault.journal_key).faults
    assert [one for one in faults if not one.where.startswith("person")] == [], "story.leave writes no line"


def offers(rt: Runtime, made: int, *people: int) -> int:
    """How often a report was brought to any of these people."""
    where = (Entry.report_id == made, Entry.verb == Verb.OFFERED.value, Entry.subject_id.in_(people))
    return count(rt, *where, of=Entry)


def sms_to(rt: Runtime, *people: int) -> int:
    numbers = {f"+2430000{person:05d}" for person in people}
    return sum(number in numbers for number, _ in build.operator(rt).sms)


def on_the_route(rt: Runtime, made: int) -> set[int]:
    """Who the report was brought to and stays with, or may be brought on from."""
    query = select(Referral.caseworker_id).where(Referral.report_id == made, Referral.state != "revoked")
    with rt.db.read() as db:
        return set(db.scalars(query))


def tell(rt: Runtime, keys: tuple[str, ...], session: str = "one") -> None:
    for at in range(len(keys) + 1):
        story.press(rt, keys[:at], session)


def code(rt: Runtime, keys: tuple[str, ...] = story.HAZARD, session: str = "one") -> str:
    return story.press(rt, keys, session).text.split("\n")[1].replace(" ", "")


# The ways to be accused, and the moments at which it happens.


def in_words(rt: Runtime, staff: STAFF, made: int) -> None:
    tell(rt, (*DETAILS, "7", "7", "7", "7", "7", NAMED))


def in_words_by_code(rt: Runtime, staff: STAFF, made: int) -> None:
    waits = story.press(rt, ("2", "3", code(rt)), "back").text.startswith("Message")
    assert not waits
    tell(rt, ("2", "3", code(rt), "1", NAMED), "back")


def by_alias_in_an_answer(rt: Runtime, staff: STAFF, made: int) -> None:
    """In the answer to a letter, when there is one; else in words that are added."""
    who = story.coarse(rt, made).responsible_id
    if who is not None:
        desk.write(rt, build.reader(who), made, "tell_more", "")
    tell(rt, ("2", "3", code(rt), "1", "c'est tonton fromagé"), "back")


def by_the_answer_who(rt: Runtime, staff: STAFF, made: int) -> None:
    tell(rt, (*DETAILS, "7", "5"))


def by_a_supervisor(rt: Runtime, staff: STAFF, made: int) -> None:
    assert desk.leave_out(rt, build.reader(staff["supervisor"]), made, staff["accused"])


WAYS = (in_words, in_words_by_code, by_alias_in_an_answer, by_the_answer_who, by_a_supervisor)


def told_nobody(rt: Runtime, staff: STAFF, made: int) -> None:
    """Before anybody was told."""


def told_the_accused(rt: Runtime, staff: STAFF, made: int) -> None:
    """After the first alert."""
    story.clock(rt).go(minutes=4)
    sweep(rt)
    assert sms_to(rt, staff["accused"]) == 1


def sms_still_waits(rt: Runtime, staff: STAFF, made: int) -> None:
    """After the report was brought to them, before their SMS left."""
    story.clock(rt).go(minutes=4)
    dispatch(rt, made)


def taken_by_the_accused(rt: Runtime, staff: STAFF, made: int) -> None:
    """After they had taken it."""
    told_the_accused(rt, staff, made)
    assert desk.accept(rt, build.reader(staff["accused"]), made)


def handed_on_by_the_accused(rt: Runtime, staff: STAFF, made: int) -> None:
    """After they had taken it and passed it to their colleague."""
    taken_by_the_accused(rt, staff, made)
    desk.hand_on(rt, build.reader(staff["accused"]), made, HandOnReason.AWAY, staff["colleague"])


MOMENTS = (told_nobody, told_the_accused, sms_still_waits, taken_by_the_accused, handed_on_by_the_accused)


@pytest.mark.parametrize(
    ("way", "moment"),
    [(way, moment) for way in WAYS for moment in MOMENTS if (way, moment) != (by_a_supervisor, told_nobody)],
    ids=lambda one: one.__name__,
)
def test_whoever_is_accused_hears_nothing_from_then_on_and_somebody_independent_does(
    rt: Runtime,
    staff: STAFF,
    way: Callable[[Runtime, STAFF, int], None],
    moment: Callable[[Runtime, STAFF, int], None],
) -> None:
    accused, colleague = staff["accused"], staff["colleague"]
    made = story.tell(rt, story.HAZARD)
    moment(rt, staff, made)
    told, brought = sms_to(rt, accused, colleague), offers(rt, made, accused, colleague)
    way(rt, staff, made)
    assert hears_nothing(rt, made, accused), "at once, before any round of the clock"
    assert hears_nothing(rt, made, colleague), "nor does whoever works with them"
    sweep(rt)
    story.clock(rt).go(minutes=4)
    sweep(rt)
    independent = {staff["worker"], staff["supervisor"], staff["integrity"]}
    asked = list(on_the_route(rt, made) & independent)
    assert asked, "and it waits for nobody"
    reading = desk.read(rt, build.reader(asked[0]), made)
    assert reading is not None
    assert (reading.locked, reading.broken) == (False, 0)
    rounds(rt)
    assert hears_nothing(rt, made, accused)
    assert hears_nothing(rt, made, colleague)
    assert sms_to(rt, accused, colleague) == told
    assert offers(rt, made, accused, colleague) == brought
    assert staff["integrity"] in on_the_route(rt, made), "in the end the other organisation has it"
    assert desk.read(rt, build.reader(staff["integrity"]), made) is not None


def test_who_was_left_out_is_written_down_nowhere(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt, story.HAZARD)
    in_words(rt, staff, made)
    rounds(rt, 2)
    lines = [*(Entry.report_id == made,), Entry.subject_id.in_([staff["accused"], staff["colleague"]])]
    assert count(rt, *lines, of=Entry) == 0
    assert Verb.NARROWED in story.verbs(rt, made)


def test_when_nobody_of_the_ordinary_chain_is_left_the_other_organisation_gets_it(
    rt: Runtime, staff: STAFF
) -> None:
    made = story.tell(rt, story.HAZARD)
    tell(rt, (*DETAILS, "7", "7", "7", "7", "7", "worker, supervisor et leopard ensemble"))
    assert [person for person, _ in story.plan(rt, made)] == [staff["integrity"]]
    story.clock(rt).go(minutes=4)
    sweep(rt)
    assert story.asked(rt, made) == [("Integrity", "pending")]
    assert sms_to(rt, staff["integrity"]) == 1
    assert desk.accept(rt, build.reader(staff["integrity"]), made)
    reading = desk.read(rt, build.reader(staff["integrity"]), made)
    assert reading is not None
    assert not reading.locked
    for person in ("worker", "supervisor", "accused", "colleague"):
        assert hears_nothing(rt, made, staff[person])


def test_a_report_that_names_the_integrity_officer_too_reaches_whoever_is_left(rt: Runtime, staff: STAFF) -> None:
    other = build.person(rt, "Pangolin Iroko", Role.INTEGRITY_OFFICER, works_for="Observatoire")
    made = story.tell(rt, story.COMPLAINT)
    tell(rt, (*story.COMPLAINT, "1", "7", "7", "c'est integrity qui l'a fait"))
    assert hears_nothing(rt, made, staff["integrity"])
    story.clock(rt).go(minutes=4)
    sweep(rt)
    assert story.asked(rt, made) == [("Pangolin Iroko", "pending")]
    rounds(rt, 4)
    assert hears_nothing(rt, made, staff["integrity"])
    assert desk.read(rt, build.reader(other), made) is not None


def test_whoever_is_left_out_of_one_report_has_every_other(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt, story.HAZARD)
    other = story.tell(rt, story.HAZARD, "two")
    in_words(rt, staff, made)
    story.clock(rt).go(minutes=4)
    sweep(rt)
    assert desk.accept(rt, build.reader(staff["accused"]), other)
    assert hears_nothing(rt, made, staff["accused"])


def test_a_report_that_is_open_once_more_comes_back_to_nobody_it_accuses(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt, story.HAZARD)
    story.ended(rt)
    sweep(rt)
    desk.accept(rt, build.reader(staff["accused"]), made)
    desk.close(rt, build.reader(staff["accused"]), made, Outcome.NOT_FOUND)
    tell(rt, ("2", "3", code(rt), "2", NAMED), "back")
    assert hears_nothing(rt, made, staff["accused"])
    rounds(rt)
    assert hears_nothing(rt, made, staff["accused"])
    assert staff["integrity"] in on_the_route(rt, made)


def test_whoever_took_a_report_since_it_was_opened_again_keeps_it_when_the_one_before_is_named(
    rt: Runtime, staff: STAFF
) -> None:
    made = story.tell(rt, story.HAZARD)
    story.ended(rt)
    sweep(rt)
    desk.accept(rt, build.reader(staff["accused"]), made)
    desk.close(rt, build.reader(staff["accused"]), made, Outcome.NOT_FOUND)
    tell(rt, ("2", "3", code(rt), "2", "7"), "not settled")
    desk.accept(rt, build.reader(staff["supervisor"]), made)
    tell(rt, ("2", "3", code(rt), "1", NAMED), "names")
    assert hears_nothing(rt, made, staff["accused"])
    assert story.coarse(rt, made).responsible_id == staff["supervisor"]
    asked = story.asked(rt, made)
    sweep(rt)
    assert story.asked(rt, made) == asked, "it is brought to nobody else"


def test_somebody_who_is_not_at_work_when_they_are_named_hears_nothing_when_they_are_back(
    rt: Runtime, staff: STAFF
) -> None:
    """Also one who came since, is on the plan, and was never given a key."""
    made = story.tell(rt, story.HAZARD)
    theirs = code(rt)
    story.ended(rt)
    story.leave(rt, *(staff[name] for name in ("worker", "supervisor", "integrity", "accused", "colleague")))
    newcomer = build.person(rt, "Panthere Teck", works_for="Autre")
    rounds(rt, 2)
    assert offers(rt, made, newcomer) > 0
    story.leave(rt, newcomer)
    tell(rt, ("2", "3", theirs, "1", "panthere l'a fait"), "names")
    story.come_back(rt, newcomer)
    assert hears_nothing(rt, made, newcomer)


def test_a_name_that_another_process_saved_a_moment_ago_is_known(rt: Runtime, staff: STAFF) -> None:
    made = story.tell(rt, story.HAZARD)
    with rt.begin() as unit:
        unit.db.get_one(CaseWorker, staff["accused"]).aliases = ["Ya Ngando"]
        journal.write(unit.db, rt.now(), Verb.PERSON_SAVED, subject=staff["accused"])
    tell(rt, (*DETAILS, "7", "7", "7", "7", "7", "c'est ya ngando"))
    assert hears_nothing(rt, made, staff["accused"])


def test_words_that_may_be_names_of_all_leave_an_officer_and_a_full_name_leaves_nobody(
    rt: Runtime, staff: STAFF
) -> None:
    """Then a new officer of another organisation is asked, and two holders of the escrow give them the key."""
    sheets = escrow.establish(rt.vault.directory)
    officer = build.person(rt, "Impala Cedre", Role.INTEGRITY_OFFICER, works_for="Observatoire")
    made = story.tell(rt, story.HAZARD)
    every = "leopard, colobe, worker, supervisor, integrity"
    tell(rt, (*DETAILS, "7", "7", "7", "7", "7", f"{every} et impala"))
    assert [person for person, _ in story.plan(rt, made)] == [officer], "of a name of two words one was said"
    story.clock(rt).go(minutes=4)
    sweep(rt)
    assert story.asked(rt, made) == [("Impala Cedre", "pending")]
    tell(rt, ("2", "3", code(rt), "1", "impala cedre aussi"), "names")
    assert story.plan(rt, made) == []
    rounds(rt, 2)
    assert offers(rt, made, *staff.values()) == 0
    new = build.person(rt, "Gazelle Sapelli", Role.INTEGRITY_OFFICER, works_for="Vigie")
    rounds(rt, 1)
    assert story.asked(rt, made)[-1] == ("Gazelle Sapelli", "pending")
    assert opens(rt, made, new) is False
    pairs = escrow.open_pairs(rt.vault.directory, *sheets[:2])
    assert list(desk.grant_from_escrow(rt, new, pairs))[-1] == (1, 0, 1)
    assert opens(rt, made, new) is True


# Organisations at the mines


SITE_KINDS = {
    "1": {Kind.COOPERATIVE},
    "2": {Kind.BUYER_COMPANY},
    "3": {Kind.POLICE_ARMY_GUARD},
    "4": {Kind.MINE_SERVICE},
    "6": {Kind.COOPERATIVE},
}
"""Which kind of organisation each answer to who is in charge accuses."""


@pytest.fixture
def miners(rt: Runtime) -> dict[Kind, tuple[int, int]]:
    """A case worker and a supervisor of an organisation of each kind at the mines; they come before all others."""
    made = {}
    for kind, name in {
        Kind.COOPERATIVE: "Tilapia",
        Kind.BUYER_COMPANY: "Silure",
        Kind.POLICE_ARMY_GUARD: "Capitaine",
        Kind.MINE_SERVICE: "Anguille",
    }.items():
        with rt.begin() as unit:
            build.belongs(unit.db, rt.now(), name, kind)
        worker = build.person(rt, f"Ouvrier {name}", works_for=name)
        chief = build.person(rt, f"Chef {name}", Role.SUPERVISOR, works_for=name, under=worker)
        made[kind] = worker, chief
    build.staff(rt)
    build.sites(rt, "Site A")
    return made


Miners = dict[Kind, tuple[int, int]]


def everybody(miners: Miners, kinds: Iterable[Kind] | None = None) -> list[int]:
    return [person for kind in (miners if kinds is None else kinds) for person in miners[kind]]


def sees_nothing(rt: Runtime, made: int, people: Iterable[int]) -> bool:
    """They may still have their turn, but nothing of the report is shown or brought to them."""
    for person in people:
        with rt.db.read() as db:
            assert not plan.is_open_to(db, made, person)
            assert [shelf.count(db, person, each) for each in Shelf] == [0] * len(Shelf)
        assert desk.read(rt, build.reader(person), made) is None
        assert count(rt, Referral.report_id == made, Referral.caseworker_id == person, of=Referral) == 0
        assert sms_to(rt, person) == 0
    return True


def test_an_organisation_at_the_mines_is_told_nothing_before_it_was_said_who_is_in_charge(
    rt: Runtime, miners: Miners
) -> None:
    made = story.tell(rt, story.HAZARD)
    assert sees_nothing(rt, made, everybody(miners))
    story.press(rt, (*DETAILS, "2"))
    assert sees_nothing(rt, made, everybody(miners))
    story.clock(rt).go(minutes=4)
    sweep(rt)
    for person in everybody(miners):
        assert hears_nothing(rt, made, person)
    assert story.asked(rt, made) == [("Worker", "pending")]
    rounds(rt)
    assert sms_to(rt, *everybody(miners)) == 0


def test_what_is_said_after_the_first_alert_brings_nobody_of_the_mines_back(rt: Runtime, miners: Miners) -> None:
    made = story.tell(rt, story.HAZARD)
    story.clock(rt).go(minutes=4)
    sweep(rt)
    tell(rt, (*DETAILS, "2", "2"))
    rounds(rt)
    for person in everybody(miners):
        assert hears_nothing(rt, made, person)


@pytest.mark.parametrize("answer", ["1", "2", "3", "4", "6"])
def test_an_organisation_at_the_mines_never_hears_of_what_accuses_it(
    rt: Runtime, miners: Miners, answer: str
) -> None:
    made = story.tell(rt, story.HAZARD)
    tell(rt, (*DETAILS, "2", answer))
    accused = everybody(miners, SITE_KINDS[answer])
    others = [person for person in everybody(miners) if person not in accused]
    for person in accused:
        assert hears_nothing(rt, made, person)
    assert sees_nothing(rt, made, others)
    rounds(rt)
    for person in accused:
        assert hears_nothing(rt, made, person)
    assert sms_to(rt, *accused) == 0
    assert offers(rt, made, *accused) == 0
    assert offers(rt, made, *others) > 0, "whoever is not accused has their turn"


@pytest.mark.parametrize("answer", ["5", "7"])
def test_an_answer_that_names_nobody_leaves_out_every_organisation_at_the_mines(
    rt: Runtime, miners: Miners, answer: str
) -> None:
    made = story.tell(rt, story.HAZARD)
    tell(rt, (*DETAILS, "2", answer))
    rounds(rt)
    assert offers(rt, made, *everybody(miners)) == 0
    for person in everybody(miners):
        assert hears_nothing(rt, made, person)


EMERGENCIES = {
    "danger": (story.DANGER, ()),
    "danger, and who is said": (story.DANGER, ("1", "7", "2")),
    "collapse": (story.HAZARD, ("1", "1", "2")),
    "sexual violence": (story.SEXUAL[:5], ("1", "1", "1", "2")),
    "an ill child": (("2", "2", "1", "1", "1"), ("1", "4", "2")),
    "a crack, and it is now": (story.HAZARD, ("1", "2", "2", "7", "7", "1")),
}
"""Ways to an emergency: what is filed, and what is answered after it."""


@pytest.mark.parametrize("name", EMERGENCIES)
def test_an_emergency_never_goes_to_an_organisation_at_the_mines(rt: Runtime, miners: Miners, name: str) -> None:
    filed, more = EMERGENCIES[name]
    made = story.tell(rt, filed)
    for at in range(len(more) + 1):
        story.press(rt, (*filed, *more[:at]))
    assert story.coarse(rt, made).severity == "P0"
    sweep(rt)
    rounds(rt, 6)
    assert offers(rt, made, *everybody(miners)) == 0
    for person in everybody(miners):
        assert hears_nothing(rt, made, person)


@pytest.mark.parametrize("said", [("1", "2", "1"), ("1", "2", "2", "7", "7", "7", "la c'est tilapia")])
def test_a_newcomer_of_an_accused_organisation_is_not_brought_what_accuses_it(
    rt: Runtime, miners: Miners, said: tuple[str, ...]
) -> None:
    """Everybody of the plan has left; whoever came since is asked, but nobody of whom it is about."""
    made = story.tell(rt, story.HAZARD)
    tell(rt, (*story.HAZARD, *said))
    with rt.db.read() as db:
        present = [person for person, _ in plan.people(db, made)]
    newcomer = build.person(rt, "Nouveau Tilapia", Role.SUPERVISOR, works_for="Tilapia")
    story.leave(rt, *present)
    rounds(rt, 3)
    assert offers(rt, made, newcomer) == 0
    assert hears_nothing(rt, made, newcomer)


def test_a_newcomer_of_an_independent_organisation_that_is_named_is_not_brought_what_names_it(
    rt: Runtime, staff: STAFF
) -> None:
    made = story.tell(rt, story.HAZARD)
    tell(rt, (*DETAILS, "7", "7", "7", "7", "7", "la c'est ligue"))
    story.leave(rt, *(staff[name] for name in ("worker", "supervisor", "integrity")))
    newcomer = build.person(rt, "Panthere Teck", Role.SUPERVISOR, works_for="Ligue")
    other = build.person(rt, "Impala Cedre", Role.SUPERVISOR, works_for="Autre")
    rounds(rt, 3)
    assert offers(rt, made, newcomer) == 0
    assert hears_nothing(rt, made, newcomer)
    assert offers(rt, made, other) > 0, "somebody who came since is asked"


def test_nobody_can_hand_a_report_to_whom_it_accuses_or_give_them_its_key(rt: Runtime, miners: Miners) -> None:
    made = story.tell(rt, story.HAZARD)
    tell(rt, (*DETAILS, "2", "1"))
    rounds(rt, 3)
    with rt.db.read() as db:
        asked = referral.waiting_for(db, made)
    assert asked is not None
    desk.accept(rt, build.reader(asked), made)
    for person in everybody(miners, [Kind.COOPERATIVE]):
        for change in (
            partial(desk.hand_on, rt, build.reader(asked), made, HandOnReason.AWAY, person),
            partial(desk.grant, rt, build.reader(asked), made, person),
        ):
            with pytest.raises(Refused) as told:
                change()
            assert told.value.why == "This colleague cannot take this report."
        assert hears_nothing(rt, made, person)
