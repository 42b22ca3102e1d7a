"""Twelve recipes, and a few more, by which one administrator alone tries to read what a caller typed.

They have the pages, and a shell that can write any row of the database. They have no key of the machine, are
not root there, and hold nobody else's secrets. Each recipe is tried on a report that lies there already and on
one that comes afterwards. `readable` looks at everything they then have.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pyotp
import pytest
from flask import Flask
from sqlalchemy import delete, insert, select, text

from gateway import vault
from gateway.app import create_app
from gateway.casework import caseworker, joining
from gateway.casework.account import Account
from gateway.casework.caseworker import CaseWorker, Role
from gateway.casework.plan import Envelope, PlanEntry
from gateway.casework.report import Report
from gateway.casework.session import SignIn
from gateway.later.sweep import sweep
from gateway.runtime import Runtime
from gateway.vault import escrow
from gateway.vault.pairs import new_pair
from tests import build
from tests.crook import CHOSEN, Crook, is_closed, readable, secret, tell
from tests.web.visitor import Fields, Visitor

BEFORE, AFTER = "Mbwa-wa-zamani", "Paka-mpya"
"""What callers type, free words of theirs: in a report that is there before the trick, and in one that comes
after."""


@pytest.fixture
def app(light: Runtime) -> Flask:
    return create_app(light)


@pytest.fixture
def staff(light: Runtime) -> dict[str, int]:
    people = build.staff(light)
    build.sites(light, "Kasulo")
    return people


@pytest.fixture
def crook(light: Runtime, app: Flask, staff: dict[str, int]) -> Crook:
    """The administrator, signed in, with a report that was told before."""
    made = Crook(light, app)
    made.browsers.append(Visitor(app, "administrator"))
    tell(light, BEFORE)
    return made


def neither_is_readable(crook: Crook) -> None:
    """Neither what lay there, nor what comes now."""
    tell(crook.rt, AFTER)
    assert not readable(crook, BEFORE)
    assert not readable(crook, AFTER)


# That the recipes can fail: whoever is entitled reads by the same means, and so does a false person once a second
# one has vouched for them.


def test_the_case_worker_whom_a_report_is_for_reads_it(light: Runtime, app: Flask, staff: dict[str, int]) -> None:
    tell(light, BEFORE)
    worker = Crook(light, app, [Visitor(app, "worker")])
    assert readable(worker, BEFORE)
    keys_alone = Crook(light, app, [], [build.enrolment(staff["worker"]).key])
    assert readable(keys_alone, BEFORE)
    assert not readable(Crook(light, app, [Visitor(app, "integrity")]), BEFORE)


def test_it_takes_two_and_with_two_it_is_done(crook: Crook, app: Flask, staff: dict[str, int]) -> None:
    person, _ = crook.false_supervisor()
    neither_is_readable(crook)
    done = crook.confirm(Visitor(app, "supervisor"), person)
    assert done.status == 303
    crook.rt.directory.renew()
    tell(crook.rt, "Simba-wa-pili")
    assert readable(crook, "Simba-wa-pili"), "a colleague who vouches without comparing undoes all of this"
    assert not readable(crook, BEFORE) and not readable(crook, AFTER)


# The recipes


def test_1_open_the_address_of_a_report(crook: Crook) -> None:
    with crook.rt.db.read() as db:
        (made,) = db.scalars(select(Report.id)).all()
    assert crook.pages.get(f"/reports/{made}").status == 404
    for do in ("accept", "note", "hand_on", "close", "grant"):
        assert crook.pages.post(f"/reports/{made}", {"do": do}).status == 404
    neither_is_readable(crook)


def test_2_make_oneself_a_supervisor(crook: Crook, staff: dict[str, int]) -> None:
    mine = staff["administrator"]
    fields: Fields = {"do": "save", "name": "Administrator", "login": "administrator", "role": "supervisor"}
    fields |= {"organisation": crook.employer(Role.SUPERVISOR)}
    crook.pages.post(f"/people/{mine}", fields)
    neither_is_readable(crook)
    crook.row(CaseWorker, CaseWorker.id == mine, role="supervisor", lanes=["child"], languages=["fr"])
    tell(crook.rt, "Punda-tatu")
    crook.put_on_every_plan(mine)
    assert crook.pages.get("/reports").links(r"/reports/\d+") == [], "nobody has confirmed a key of theirs"
    crook.row(CaseWorker, CaseWorker.id == mine, attest=b"made up")
    (address, *_) = crook.pages.get("/reports").links(r"/reports/\d+")
    assert is_closed(crook.pages.get(address)), "they see that it is there, and no word of it"
    for words in (BEFORE, AFTER, "Punda-tatu"):
        assert not readable(crook, words)


def test_3_invite_a_supervisor_and_confirm_the_key_oneself(crook: Crook) -> None:
    person, invented = crook.false_supervisor()
    for browser in crook.browsers:
        assert crook.confirm(browser, person).status in (404, 422)
    for by in (None, person):
        crook.row(Account, Account.caseworker_id == person, invited_by=by)
        for browser in (crook.pages, invented):
            assert crook.confirm(browser, person).status in (404, 422)
    crook.put_on_every_plan(person)
    neither_is_readable(crook)


def test_4_make_a_second_account_of_ones_own_that_confirms(crook: Crook) -> None:
    """One person, three names: who invites, who is invited, and who vouches."""
    person, _ = crook.false_supervisor()
    for role in (Role.ADMINISTRATOR, Role.TECHNICIAN, Role.SUPERVISOR, Role.INTEGRITY_OFFICER, Role.CASE_WORKER):
        login = f"second-{role.value.replace('_', '-')}"
        _, code = crook.invite(login, role)
        second = crook.join(login, code)
        assert crook.confirm(second, person).status in (404, 422), role
    with crook.rt.db.read() as db:
        others = [each for each in caseworker.every(db) if each.name == "Invented Person"]
    for other in others:
        for browser in crook.browsers:
            if other.public is not None:
                assert crook.confirm(browser, other.id).status in (404, 422)
    neither_is_readable(crook)


def test_5_invite_a_supervisor_anew_and_join_in_their_place(crook: Crook, staff: dict[str, int]) -> None:
    theirs = staff["supervisor"]
    slip = crook.pages.post(f"/people/{theirs}", {"do": "invite"})
    taken_over = crook.join("supervisor", secret(slip))
    assert taken_over.get("/reports").links(r"/reports/\d+") == []
    assert crook.confirm(taken_over, theirs).status == 422 and crook.confirm(crook.pages, theirs).status == 404
    person, _ = crook.false_supervisor()
    assert crook.confirm(taken_over, person).status == 422
    neither_is_readable(crook)


def test_6_put_ones_own_key_in_the_supervisors_row(crook: Crook, staff: dict[str, int]) -> None:
    person, invented = crook.false_supervisor()
    theirs = staff["supervisor"]
    crook.row(CaseWorker, CaseWorker.id == theirs, public=crook.keys[0].public)
    crook.sessions_become(theirs, invented)
    assert crook.confirm(invented, person).status == 422
    neither_is_readable(crook)


def test_7_copy_what_vouches_for_somebody_else_and_what_is_sealed_to_them(
    crook: Crook, staff: dict[str, int]
) -> None:
    person, _ = crook.false_supervisor()
    with crook.rt.db.read() as db:
        vouched = {one.id: one for one in caseworker.every(db) if one.attest is not None}
    for other in vouched.values():
        crook.row(CaseWorker, CaseWorker.id == person, attest=other.attest)
        tell(crook.rt, f"Jibu-{other.id}")
        assert not readable(crook, f"Jibu-{other.id}")
    theirs = vouched[staff["supervisor"]]
    for values in ({"attest": theirs.attest, "public": theirs.public}, {"attest": b"", "public": bytes(32)}):
        crook.row(CaseWorker, CaseWorker.id == person, **values)
        tell(crook.rt, f"Jibu-la-{len(values['attest'] or b'')}")
        assert not readable(crook, f"Jibu-la-{len(values['attest'] or b'')}")
    crook.row(CaseWorker, CaseWorker.id == person, attest=theirs.attest, public=crook.keys[0].public)
    crook.put_on_every_plan(person)
    with crook.rt.db.begin() as db:
        for made, sealed_ in db.execute(
            select(Envelope.report_id, Envelope.sealed).where(Envelope.caseworker_id == staff["supervisor"])
        ).all():
            theirs_now = {"report_id": made, "caseworker_id": person, "public": crook.keys[0].public}
            db.execute(insert(Envelope).values({**theirs_now, "sealed": sealed_}))
    neither_is_readable(crook)
    # A colleague who finds them on the plan and means well cannot give them the key either.
    with crook.rt.db.begin() as db:
        db.execute(delete(Envelope).where(Envelope.caseworker_id == person))
    worker = Visitor(crook.app, "worker")
    (address, *_) = worker.get("/reports").links(r"/reports/\d+")
    assert str(person) in worker.get(address).source
    on: Fields = {"do": "hand_on", "reason": "away", "to": str(person)}
    assert worker.post(address, on).status == 422
    assert worker.post(address, {"do": "grant", "grantee": str(person)}).status == 422
    for words in (BEFORE, AFTER):
        assert not readable(crook, words)


@pytest.mark.parametrize("whose", ["supervisor", "integrity", "worker"])
def test_8_give_ones_own_session_somebody_elses_name_and_confirm_with_it(
    crook: Crook, staff: dict[str, int], whose: str
) -> None:
    person, _ = crook.false_supervisor()
    real = Visitor(crook.app, whose)
    with crook.rt.db.read() as db:
        sealed_key = db.scalar(select(SignIn.key_sealed).where(SignIn.caseworker_id == staff[whose]))
    for browser in crook.browsers:
        crook.sessions_become(staff[whose], browser)
        assert browser.get("/reports").status == 200, "the row says so"
        assert crook.confirm(browser, person).status in (404, 422)
    crook.row(SignIn, SignIn.caseworker_id == staff[whose], key_sealed=sealed_key)
    for browser in crook.browsers:
        assert crook.confirm(browser, person).status in (404, 422), "what is sealed to a session needs its cookie"
    assert real.get("/reports").status == 200
    neither_is_readable(crook)


def test_9_put_ones_key_in_a_newcomers_row_while_two_colleagues_compare_the_number(
    crook: Crook, staff: dict[str, int]
) -> None:
    """The newcomer and their supervisor do all they should: one reads the number aloud, the other compares it."""
    _, invented = crook.false_supervisor()
    worker = Visitor(crook.app, "worker")
    with crook.rt.db.begin() as db:
        caseworker.set_key(db, staff["worker"], build.enrolment(staff["worker"]).public)
    crook.row(CaseWorker, CaseWorker.id == staff["worker"], public=crook.keys[0].public)
    supervisor = Visitor(crook.app, "supervisor")
    (aloud,) = re.findall(r"\d{4}(?: \d{4}){4}", worker.get("/account").text)
    compared = supervisor.get(f"/people/{staff['worker']}").value("fingerprint")
    assert aloud == vault.fingerprint(build.enrolment(staff["worker"]).public) != compared
    assert "Another key than yours" in worker.get("/account").text or "autre clé" in worker.get("/account").text
    # So nobody confirms it. What the supervisor confirms is what they saw, whatever the row says by then.
    crook.row(CaseWorker, CaseWorker.id == staff["worker"], public=build.enrolment(staff["worker"]).public)
    honest = supervisor.get(f"/people/{staff['worker']}").value("fingerprint")
    crook.row(CaseWorker, CaseWorker.id == staff["worker"], public=crook.keys[0].public)
    typed: Fields = {"do": "confirm", "fingerprint": honest}
    assert supervisor.post(f"/people/{staff['worker']}", typed).status == 422
    crook.sessions_become(staff["worker"], invented)
    neither_is_readable(crook)


def test_10_put_ones_key_in_the_row_of_a_report_between_its_filing_and_the_callers_words(crook: Crook) -> None:
    """What comes after the filing is sealed to the key in the row: nothing may be sealed to another's."""
    with crook.rt.db.read() as db:
        (earlier,) = db.execute(select(Report.public, Report.attest)).all()
    mine = new_pair()
    crook.keys.append(mine)

    def tamper(**values: bytes) -> Callable[[], None]:
        return lambda: crook.row(Report, Report.body_sealed.is_not(None), public=mine.public, **values)

    for at, change in enumerate((tamper(), tamper(attest=bytes(32)), tamper(attest=earlier.attest))):
        tell(crook.rt, f"Neno-{at}", between=change)
        assert not readable(crook, f"Neno-{at}")
    neither_is_readable(crook)


def test_11_have_the_alerts_come_to_ones_own_telephone(crook: Crook, staff: dict[str, int]) -> None:
    fields: Fields = {
        "do": "save",
        "name": "Worker",
        "login": "worker",
        "role": "case_worker",
        "organisation": crook.employer(Role.CASE_WORKER),
        "number": crook.number,
        "sms_language": "fr",
        "languages": ["fr", "sw_CD", "ln"],
        "lanes": ["child", "safety"],
        "active": "on",
    }
    assert crook.pages.post(f"/people/{staff['worker']}", fields).status == 303
    crook.rt.directory.renew()
    tell(crook.rt, "Ndege-moja")
    sweep(crook.rt)
    texts = [sms for to, sms in build.operator(crook.rt).sms if to == crook.number]
    assert texts, "it comes"
    topic_words = ("enfant", "Kasulo", "travail")
    assert not [word for word in topic_words for sms in texts if word.casefold() in sms.casefold()]
    assert not readable(crook, "Ndege-moja")
    neither_is_readable(crook)


def test_12_put_ones_own_passphrase_and_second_factor_on_the_supervisors_account(
    crook: Crook, staff: dict[str, int]
) -> None:
    person, _ = crook.false_supervisor()
    with crook.rt.db.read() as db:
        mine = db.execute(
            select(
                Account.lock, Account.seed_sealed, Account.private_sealed, Account.recovery_sealed, Account.codes
            ).where(Account.caseworker_id == person)
        ).one()
    theirs = Account.caseworker_id == staff["supervisor"]
    # With the session's name changed they may choose a second factor for the supervisor, on its page.
    crook.row(Account, theirs, lock=mine.lock, step=0)
    crook.sessions_become(staff["supervisor"], crook.pages)
    (letters,) = re.findall(r'class="letters">([A-Z2-7 ]+)<', crook.pages.get("/account/second-factor").source)
    seed = letters.replace(" ", "")
    digits = pyotp.TOTP(seed).at(crook.rt.now())
    assert crook.pages.post("/account/second-factor", {"code": digits}).status == 200
    crook.row(Account, theirs, step=0)
    for private in (mine.private_sealed, None):
        crook.row(Account, theirs, private_sealed=private, recovery_sealed=mine.recovery_sealed, step=0)
        browser = Visitor(crook.app)
        entered = browser.post("/sign-in", {"login": "supervisor", "passphrase": CHOSEN, "code": digits})
        assert entered.status == 303, "they are in, as far as a name goes"
        crook.browsers.append(browser)
        assert crook.confirm(browser, person).status == 422
    guess: Fields = {"login": "supervisor", "code": digits, "passphrase": CHOSEN, "again": CHOSEN}
    for code in ("a" * 27, mine.recovery_sealed.hex()[:27], ""):
        assert Visitor(crook.app).post("/recover", {**guess, "recovery": code}).status in (422, 429)
    neither_is_readable(crook)


def test_13_send_everybody_else_home_and_be_the_only_one(crook: Crook, staff: dict[str, int]) -> None:
    person, _ = crook.false_supervisor()
    others = [staff[login] for login in ("worker", "supervisor", "integrity")]
    for other in others:  # the pages keep the last who can read
        gone: Fields = {
            "do": "save",
            "name": "X",
            "login": f"x{other}",
            "role": "supervisor",
            "organisation": crook.employer(Role.SUPERVISOR),
            "number": crook.number,
        }
        crook.pages.post(f"/people/{other}", {**gone, "languages": ["fr"]})
    with crook.rt.db.read() as db:
        assert sum(joining.confirmed(crook.rt.vault, one) and one.active for one in caseworker.every(db)) >= 1
    crook.row(CaseWorker, CaseWorker.id.in_(others), active=False)
    for browser in crook.browsers:
        assert crook.confirm(browser, person).status in (404, 422)
    crook.put_on_every_plan(person)
    neither_is_readable(crook)


def test_14_put_back_an_old_copy_of_every_row(crook: Crook, staff: dict[str, int]) -> None:
    """A backup from when a false person was just joining, one from before anybody was left out: no copy makes what
    was never sealed to them."""
    tables = (CaseWorker, Account, SignIn, Envelope, PlanEntry)
    person, invented = crook.false_supervisor()
    with crook.rt.db.read() as db:
        copy = {table: db.execute(select(table.__table__)).mappings().all() for table in tables}
    tell(crook.rt, "Kabla-ya-nakala")
    assert Visitor(crook.app, "worker").post("/account", {"do": "end"}).status == 303
    with crook.rt.db.begin() as db:
        db.execute(text("PRAGMA defer_foreign_keys = ON"))
        for table in reversed(tables):
            db.execute(delete(table))
        for table, rows in copy.items():
            for row in rows:
                db.execute(insert(table).values({**row}))
    crook.rt.directory.renew()
    assert crook.confirm(invented, person).status == 422
    neither_is_readable(crook)
    assert not readable(crook, "Kabla-ya-nakala")


def test_15_use_one_sheet_of_the_escrow(crook: Crook) -> None:
    first, _, _ = escrow.establish(crook.rt.vault.directory)
    tell(crook.rt, "Bahasha-moja")
    crook.false_supervisor()
    for other in (first, "", "a" * len(first)):
        with pytest.raises(escrow.EscrowRefused):
            escrow.open_pairs(crook.rt.vault.directory, first, other)
    assert not readable(crook, "Bahasha-moja")
    neither_is_readable(crook)


def test_16_have_a_report_go_another_way(crook: Crook, staff: dict[str, int]) -> None:
    person, _ = crook.false_supervisor()
    crook.row(Report, Report.body_sealed.is_not(None), lane="integrity", topic="service_complaint", severity="P0")
    crook.row(Report, Report.body_sealed.is_not(None), responsible_id=person, dispatch_at=crook.rt.now())
    with crook.rt.db.begin() as db:
        db.execute(delete(PlanEntry))
    sweep(crook.rt)
    crook.put_on_every_plan(person)
    assert not readable(crook, BEFORE)
    neither_is_readable(crook)


def test_17_make_a_case_worker_a_supervisor_and_look_over_nothing(crook: Crook, staff: dict[str, int]) -> None:
    """A colleague with a confirmed key who is given another role, be it the administrator's own second account, is
    off every route until a second person vouches for the key once more."""
    fields: Fields = {
        "do": "save",
        "name": "Worker",
        "login": "worker",
        "role": "supervisor",
        "organisation": crook.employer(Role.SUPERVISOR),
        "number": crook.number,
        "languages": ["fr"],
        "active": "on",
    }
    assert crook.pages.post(f"/people/{staff['worker']}", fields).status == 303
    crook.rt.directory.renew()
    neither_is_readable(crook)
    assert not readable(Crook(crook.rt, crook.app, [Visitor(crook.app, "worker")]), AFTER)
