"""The table of who may see and do what, walked: every page, every button, by everybody, on every kind of thing.

Each test of the walk holds in both directions: what the table gives is given, and nothing else is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sqlalchemy import update

from gateway import vault
from gateway.app import create_app
from gateway.casework import plan, report
from gateway.casework.caseworker import CaseWorker, Role
from gateway.casework.message import Kind
from gateway.casework.shelf import Shelf
from gateway.later import dispatch
from gateway.runtime import Runtime
from gateway.web.admin import permissions, reports
from gateway.web.admin.permissions import ANYBODY, CHANGES, JOINING, NOBODY, OUTSIDE, STAFF, TABLE, Proof, Row
from tests import build
from tests.web.visitor import Fields, Visitor
from tests.web.walk import (
    CALLER,
    LOGINS,
    PEOPLE,
    READ_BY,
    ROLES,
    SAYS,
    Of,
    Reading,
    Step,
    World,
    is_read,
    live,
    may,
    rule_of,
    things,
    walk,
)

Walked = Callable[[str], tuple[World, list[tuple[Step, bool]]]]


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The house that every test has a copy of."""
    rt = build.runtime(tmp_path_factory.mktemp("world"))
    yield live(rt)
    rt.close()


@pytest.fixture
def world(lived_in: World, tmp_path: Path) -> Iterator[World]:
    made = lived_in.copy(tmp_path)
    yield made
    made.rt.close()


@pytest.fixture(scope="module")
def walked(lived_in: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walked]:
    """The walk of each letter, made once. A page of the inbox holds one report, so that there is a next one."""
    known: dict[str, tuple[World, list[tuple[Step, bool]]]] = {}

    def one(letter: str) -> tuple[World, list[tuple[Step, bool]]]:
        if letter not in known:
            world = lived_in.copy(tmp_path_factory.mktemp("walk"))
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(reports, "SHOWN", 1)
                known[letter] = world, list(walk(world, letter))
        return known[letter]

    yield one
    for world, _ in known.values():
        world.rt.close()


def test_every_address_is_in_the_table_and_every_line_of_it_is_an_address(light: Runtime) -> None:
    demo = create_app(replace(light, settings=replace(light.settings, demo=True)))
    assert {rule.endpoint for rule in demo.url_map.iter_rules()} == {*OUTSIDE, *(row.page for row in TABLE)}
    assert not {row.page for row in TABLE} & OUTSIDE.keys()
    for page in {row.page for row in TABLE}:
        lines = permissions.rows(page)
        assert len({line.button for line in lines}) == len(lines)
        assert len(lines) == 1 or all(line.button for line in lines)
    for row in TABLE:
        assert set(row.who) <= set(ANYBODY) and (not row.again or permissions.rows(row.again))


@pytest.mark.parametrize("letter", ANYBODY)
def test_everybody_opens_and_presses_what_the_table_says_and_nothing_else(walked: Walked, letter: str) -> None:
    _, steps = walked(letter)
    for step, allowed in steps:
        page = step.page
        if allowed:
            assert page.status in (200, 302, 303, 422), step
            assert not page.leads_to.startswith(("/sign-in?next", "/join")) or page.leads_to == "/join/account", (
                step
            )
        elif letter in STAFF and step.row.who != "J":
            assert page.status == 404, step
        elif step.row.who == "J":
            assert page.leads_to == "/join", step
        else:
            assert page.leads_to.startswith("/sign-in?next=") or page.status == 401, step
    assert any(allowed for _, allowed in steps)
    assert not all(allowed for _, allowed in steps)


def led_on_from(row: Row) -> set[str]:
    """Of a page for signing in: the one letter who sees it, as those who are signed in are led on from it."""
    return {NOBODY} if row.who == ANYBODY else set()


def shown_by(step: Step, letter: str) -> frozenset[str]:
    """What the table lets stand on this page: of the line itself, or of the page that is shown once more."""
    lines = [step.row] if step.page.status == 200 else permissions.rows(step.row.again) if step.row.again else []
    return frozenset(name for line in lines for name in line.seen(letter))


@pytest.mark.parametrize("letter", ANYBODY)
def test_a_page_shows_the_data_that_the_table_gives_and_all_of_it_somewhere(walked: Walked, letter: str) -> None:
    _, steps = walked(letter)
    seen: dict[Row, set[str]] = {row: set() for row in TABLE if letter in row.who}
    for step, allowed in steps:
        marks = Reading(step.page).marks
        if not allowed or step.page.status not in (200, 422):
            assert marks <= ({"me"} if letter in STAFF else set()), step
            continue
        assert marks <= shown_by(step, letter), step
        if step.page.status == 200:
            seen[step.row] |= marks
    for row, marks in seen.items():
        if row.shows and led_on_from(row) <= {letter}:
            assert marks >= row.seen(letter), row


@pytest.mark.parametrize("letter", ANYBODY)
def test_a_form_asks_for_what_the_table_takes_and_all_of_it_somewhere(walked: Walked, letter: str) -> None:
    world, steps = walked(letter)
    asked: dict[Row, set[str]] = {row: set() for row in TABLE if letter in row.who}
    addresses = world.app.url_map.bind("localhost")
    for step, _ in steps:
        if letter == JOINING and step.row.page == "admin.joining.finish":
            continue  # after it they are somebody else
        for method, action, names, buttons in Reading(step.page).forms:
            endpoint = addresses.match(action or step.path.partition("?")[0], method=method.upper())[0]
            if endpoint in OUTSIDE:
                continue
            lines = [permissions.pressed(endpoint, button) for button in buttons or {""}]
            for row in lines:
                assert row is not None and letter in row.who, (step, endpoint)
                assert names <= row.sent(letter) | {"csrf_token"}, (step, endpoint)
                asked[row] |= names
    for row, names in asked.items():
        if led_on_from(row) <= {letter}:
            assert names >= set(row.sent(letter)) - {"do", "proof"}, row


@pytest.mark.parametrize("letter", ANYBODY)
def test_what_somebody_may_not_see_is_nowhere_in_the_bytes_of_a_page(walked: Walked, letter: str) -> None:
    world, steps = walked(letter)
    mine = READ_BY.get(letter, set())
    changes = CHANGES.get(ROLES[letter], frozenset()) if letter in STAFF else frozenset()
    own = LOGINS.get(letter, "zc-four" if letter == JOINING else "")
    never: set[str] = set()
    for name in world.reports.keys() - mine:
        never |= {SAYS[name][1], world.row(name).reference}
    never |= {f"Note-ya-{name}" for name in world.reports.keys() - mine}
    for login, number in world.numbers.items():
        if PEOPLE[login][1] not in changes:
            never |= {number[-8:]} | ({login} - {own})
    shapes = {
        "narrative": {words for _, words in SAYS.values()},
        "notes": {f"Note-ya-{name}" for name in SAYS},
        "reference": {world.row(name).reference for name in SAYS},
        "number": {number[-8:] for number in world.numbers.values()},
        "login": set(PEOPLE) - {own},
        "caller": {CALLER[-8:]},
        "letters": {"Swali-moja", "Jibu-moja"},
        "fingerprint": {
            vault.fingerprint(found.public)
            for login in PEOPLE
            if (found := world.person(login)).public is not None and login != own
        },
    }
    told = 0
    for step, _ in steps:
        if step.row.page == "admin.joining.finish" and letter == JOINING:
            continue
        given = shown_by(step, letter) if step.page.status in (200, 422) else frozenset()
        # What was typed a moment ago is shown to whoever typed it.
        typed = {"zc-two"} if step.row.page == "admin.recovery.recover" else set()
        for name, values in shapes.items():
            for value in (never | (values if name not in given else set())) - typed:
                assert value not in step.page.source, (letter, step, name)
            told += name in given and any(value in step.page.source for value in values)
    assert told or letter in (NOBODY, JOINING, "T"), "a walk that meets nothing shows nothing"


# What is sent


def sending(world: World) -> list[tuple[Row, str]]:
    """Every line that is sent, with every letter of somebody who works here and may send it."""
    return [
        (row, letter) for row in TABLE for letter in row.who if letter in LOGINS and not is_read(world.app, row)
    ]


def one(world: World, row: Row, letter: str) -> Of:
    """A thing that this line may be done with, and the form."""
    for of in things(world, row, letter):
        fits = of[0] == "zs-two" if row.button == "confirm" else of[0] not in (LOGINS[letter], "zc-four")
        if fits and may(world, row, letter, of[0]):
            return of
    raise AssertionError(f"nothing to do {row} with")


def test_a_field_that_the_table_does_not_give_is_refused_and_changes_nothing(world: World) -> None:
    every = {name for row in TABLE for name in re.sub(r"/[A-Z]+", "", row.takes).split()} | {
        "proof",
        "role_id",
        "id",
    }
    visitors = {letter: world.visitor(letter) for letter in LOGINS}
    tokens = {letter: visitor.token() for letter, visitor in visitors.items()}
    before, tried = world.stored(), 0
    for row, letter in sending(world):
        _, path, typed = one(world, row, letter)
        everybody = frozenset.union(*(row.sent(other) for other in row.who))
        # All of them once for each line; for the others of a line, what somebody else may send.
        names = every - row.sent(letter) if letter == row.who[-1] else everybody - row.sent(letter) | {"id"}
        for name in sorted(names):
            smuggled: Fields = {**typed, name: "1"}
            assert visitors[letter].post(path, smuggled, tokens[letter]).status == 400, (row, letter, name)
            tried += 1
    assert tried > 300
    assert world.stored() == before


def test_a_button_that_is_not_there_or_not_theirs_does_nothing(world: World) -> None:
    visitors = {letter: world.visitor(letter) for letter in LOGINS}
    before = world.stored()
    for letter, visitor in visitors.items():
        token = visitor.token()
        for row in TABLE:
            if row.button:
                for thing, path, typed in things(world, row, letter):
                    if not may(world, row, letter, thing):
                        assert visitor.post(path, typed, token).status == 404, (row, letter, thing)
                if row.page in permissions.open_to(letter):
                    path = one_address(world, row)
                    for button in ("", "erase", "SAVE", "save invite"):
                        assert visitor.post(path, {"do": button}, token).status == 400
    assert world.stored() == before


def one_address(world: World, row: Row) -> str:
    return next(iter(things(world, row, "A")))[1]


@pytest.mark.parametrize("letter", LOGINS)
def test_without_the_proof_that_is_asked_for_nothing_changes_and_nothing_typed_is_lost(
    world: World, letter: str
) -> None:
    visitor, asked = world.visitor(letter), 0
    world.clock.go(minutes=11)
    visitor.get("/account")
    before = world.stored()
    for row in TABLE:
        if letter not in row.who or row.proof is Proof.NONE:
            continue
        _, path, typed = one(world, row, letter)
        for proof in ({}, {"proof": ""}, {"proof": "not my passphrase at all"}):
            page = visitor.post(path, {**{name: typed[name] for name in typed if name != "proof"}, **proof})
            assert page.status == 422 and 'name="proof"' in page.source, (row, letter)
            if row.button != "passphrase":  # a passphrase is never written into a page
                kept = {name: value for name, value in typed.items() if name in ("name", "login", "number")}
                assert {name: page.value(name) for name in kept} == kept
                for name in ("lanes", "languages", "sites", "role"):
                    for value in typed.get(name, []) if isinstance(typed.get(name), list) else []:
                        assert f'name="{name}" value="{value}" checked' in page.source
        world.clock.go(minutes=2)  # three wrong ones in a row are slowed down
        asked += 1
    assert world.stored() == before
    assert asked


def test_what_changes_something_is_never_done_by_an_address(world: World) -> None:
    for letter in LOGINS:
        visitor = world.visitor(letter)
        before = world.stored()
        for row, mine in sending(world):
            if mine != letter:
                continue
            _, path, typed = one(world, row, letter)
            page = visitor.get(f"{path}?{urlencode(typed, doseq=True)}")
            assert page.status in (200, 302, 405), (row, letter)
        assert visitor.get("/sign-out").status == 405
        assert visitor.get("/account").status == 200, "and nobody was signed out"
        assert world.stored() == before


def test_what_an_address_holds_beyond_the_table_means_nothing(world: World) -> None:
    for letter in LOGINS:
        visitor = world.visitor(letter)
        for row in TABLE:
            if letter in row.who and is_read(world.app, row):
                for thing, path, _ in things(world, row, letter):
                    more = "&".join(f"{name}=1" for name in ("number", "reader", "person_id", "role", "sort", "q"))
                    visitor.get(path)  # the first opening of a report is a line of its story
                    plain, other = visitor.get(path), visitor.get(f"{path}?{more}")
                    assert other.status == plain.status
                    if row.page != "admin.own.offer":
                        assert Reading(other).marks == Reading(plain).marks
                        assert other.text == plain.text, (row, letter, thing)


def test_a_form_without_its_token_and_another_method_are_refused_for_everybody(world: World) -> None:
    for letter in ANYBODY:
        visitor = world.visitor(letter)
        before = world.stored()
        for row in TABLE:
            path = one_address(world, row)
            methods = rule_of(world.app, row).methods or set()
            if "POST" in methods:
                for token in ("", "forged"):
                    assert visitor.post(path, dict(next(iter(things(world, row, "A")))[2]), token).status == 400
            for method in ("PUT", "DELETE", "PATCH"):
                assert visitor.client.open(path, method=method, base_url="https://localhost").status_code == 405
        assert world.stored() == before


# At once


def test_whoever_is_not_at_work_any_more_opens_nothing_from_that_moment(world: World) -> None:
    for letter, login in LOGINS.items():
        visitor = world.visitor(letter)
        assert visitor.get("/account").status == 200
        with world.rt.db.begin() as db:
            db.execute(update(CaseWorker).where(CaseWorker.id == world.people[login]).values(active=False))
        for row in TABLE:
            if letter in row.who and row.who != ANYBODY:
                path = one_address(world, row)
                if is_read(world.app, row):
                    assert visitor.get(path).leads_to.startswith("/sign-in?next=")
                else:
                    assert visitor.post(path, {"do": row.button} if row.button else {}).status == 401


def test_whoever_has_another_role_has_its_pages_and_no_other_from_that_moment(world: World) -> None:
    visitor = world.visitor("S")
    for letter, role in ROLES.items():
        with world.rt.db.begin() as db:
            where = CaseWorker.id == world.people["zs-one"]
            db.execute(update(CaseWorker).where(where).values(role=role.value))
        for row in TABLE:
            if is_read(world.app, row) and row.who not in (ANYBODY, "J"):
                for thing, path, _ in things(world, row, letter):
                    if thing in world.reports:
                        continue  # the plan's, not the role's: with a role that reads, it stays what it was
                    expected = 200 if may(world, row, letter, thing) else 404
                    assert visitor.get(path).status == expected, (letter, row, thing)


def test_a_session_that_was_ended_elsewhere_opens_nothing_from_that_moment(world: World) -> None:
    for letter in LOGINS:
        here, there = world.visitor(letter), world.visitor(letter)
        assert here.get("/account").status == there.get("/account").status == 200
        assert there.post("/account", {"do": "end"}).status == 303
        assert here.get("/account").status == 302
        assert here.post("/account", {"do": "end"}).status == 401


# Whose report


def names_on(visitor: Visitor, world: World, query: str = "") -> dict[str, set[str]]:
    """Which reports stand on each shelf, and whether its count says so."""
    found: dict[str, set[str]] = {}
    for each in Shelf:
        page = visitor.get(f"/reports?shelf={each.value}{query}")
        ids = set(re.findall(r'href="/reports/(\d+)"', page.source))
        found[each.value] = {name for name, made in world.reports.items() if str(made) in ids}
        counted = re.findall(r'shelf=(\w+)"[^>]*>[^<]*<span class="count"[^>]*>(\d+)<', page.source)
        if not query:
            assert int(dict(counted)[each.value]) == len(found[each.value]) == len(ids)
    return found


@pytest.mark.parametrize("letter", READ_BY)
def test_lists_filters_and_counts_hold_what_the_plan_has_opened_and_nothing_else(
    world: World, letter: str
) -> None:
    visitor = world.visitor(letter)
    listed = names_on(visitor, world)
    assert set.union(*listed.values()) == READ_BY[letter]
    for topic in world.rt.book.topics:
        filtered = names_on(visitor, world, f"&topic={topic}")
        assert set.union(*filtered.values()) == {
            name for name in READ_BY[letter] if world.row(name).topic == topic
        }


def test_a_report_is_read_by_those_of_its_plan_once_it_was_brought_to_them(world: World) -> None:
    """A colleague of the plan sees nothing of it before; then all of it; and nothing again once they know somebody
    in it. Neither does anybody else change from being asked."""
    made = world.reports["free"]
    path = f"/reports/{made}"
    second = Visitor(world.app, "zc-three")
    with world.rt.db.read() as db:
        assert world.people["zc-three"] in [person for person, _ in plan.people(db, made)]
    assert second.get(path).status == 404 and second.post(path, {"do": "note", "words": "x"}).status == 404
    assert str(made) not in second.get("/reports").source
    first = world.visitor("C")
    on: Fields = {"do": "hand_on", "reason": "away", "to": str(world.people["zc-three"])}
    assert first.post(path, on).status == 303
    page = second.get(path)
    assert page.status == 200 and SAYS["free"][1] in page.text, "its key came with it"
    assert str(made) in second.get("/reports").source
    assert second.post(path, {"do": "hand_on", "reason": "knows_somebody", "to": ""}).status == 303
    assert second.get(path).status == 404 and str(made) not in second.get("/reports?shelf=to_take").source
    for letter in "ITA":
        assert world.visitor(letter).get(path).status == 404
    assert Visitor(world.app, "zc-two").get(path).status == 404


def test_an_officer_reads_an_ordinary_report_when_it_comes_to_them_and_not_before(world: World) -> None:
    made = world.reports["foreign"]
    officer = world.visitor("I")
    with world.rt.db.read() as db:
        steps = plan.people(db, made)
    assert world.people["zi-one"] in [person for person, _ in steps], "last of the plan, so that it never runs dry"
    assert officer.get(f"/reports/{made}").status == 404
    with world.rt.begin() as unit:
        found = report.lock(unit.db, made)
        assert found is not None
        assert dispatch.bring(world.rt, unit, found, Kind.ALERT, world.rt.now(), to=world.people["zi-one"])
    page = officer.get(f"/reports/{made}")
    assert page.status == 200 and SAYS["foreign"][1] in page.text


def test_the_story_and_the_colleagues_of_a_report_name_nobody_but_those_of_its_plan(world: World) -> None:
    ordinary = {name for login, (name, role) in PEOPLE.items() if role in (Role.CASE_WORKER, Role.SUPERVISOR)}
    officer = world.visitor("I")
    for name in READ_BY["I"]:
        text = officer.get(f"/reports/{world.reports[name]}").text
        assert not [other for other in ordinary if other in text], "who was accused may be any of them"
    for letter in "CS":
        page = world.visitor(letter).get(f"/reports/{world.reports['own']}")
        assert "Administrator" not in page.text and "Technician" not in page.text and "Worker Two" not in page.text
