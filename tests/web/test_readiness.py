"""Whether this process can take a report, and every reason why not."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.app import create_app
from gateway.casework.caseworker import Role
from gateway.db import Database
from gateway.runtime import Nudger, Runtime
from gateway.vault import KeyDirectory, Vault, escrow
from gateway.vault.months import MonthKeys
from gateway.web import readiness
from tests import build
from tests.later import story


def ready(rt: Runtime) -> tuple[int, list[str]]:
    """Status and lines of /readyz."""
    answer = create_app(rt).test_client().get("/readyz")
    assert answer.content_type.startswith("text/plain")
    return answer.status_code, answer.text.splitlines()


def kept(rt: Runtime, mirror: Path) -> Runtime:
    """The same with everything that its keys need."""
    directory = KeyDirectory(rt.settings.keys_dir, mirror)
    directory.begin_mirror()
    MonthKeys(directory).prepare(rt.today())
    escrow.establish(directory)
    return replace(rt, vault=Vault(rt.settings.keys_dir, mirror))


def test_it_is_ready_when_everything_is_there(rt: Runtime, redis_url: str, tmp_path: Path) -> None:
    build.staff(rt)
    whole = replace(kept(rt, tmp_path / "mirror"), nudger=Nudger(redis_url))
    assert ready(whole) == (200, ["ready"])
    assert ready(whole) == (200, ["ready"]), "the trial has left something behind"


def test_redis_is_only_ever_a_warning(light: Runtime, tmp_path: Path) -> None:
    build.staff(light)
    whole = kept(light, tmp_path / "mirror")
    assert ready(whole) == (200, ["warning: no REDIS_URL: the clock does all the work, a little later"])
    gone = replace(whole, nudger=Nudger(f"unix://{tmp_path / 'nobody.sock'}"))
    assert ready(gone) == (200, ["warning: Redis does not answer: the clock does all the work, a little later"])


def test_a_database_that_is_gone_is_a_fault(light: Runtime, tmp_path: Path) -> None:
    gone = replace(light, db=Database(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.sqlite'}"))
    assert ready(gone)[0] == 503
    assert "fault: the database cannot be written" in ready(gone)[1]


def test_a_database_that_takes_no_write_is_a_fault(light: Runtime) -> None:
    build.staff(light)
    path = light.settings.database_url.removeprefix("sqlite:///")
    closed = replace(light, db=Database(f"sqlite:///file:{path}?mode=ro&uri=true"))
    assert ready(closed)[0] == 503
    assert "fault: the database cannot be written" in ready(closed)[1]


def test_a_missing_migration_is_a_fault_that_says_what_to_do(rt: Runtime) -> None:
    build.staff(rt)
    with rt.db.begin() as db:
        db.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    status, lines = ready(rt)
    assert status == 503
    assert "fault: the database is not at the newest migration: run `python3 -m gateway migrate`" in lines


@pytest.mark.parametrize("role", [Role.SUPERVISOR, Role.INTEGRITY_OFFICER])
def test_without_somebody_who_always_answers_it_is_not_ready(light: Runtime, role: Role) -> None:
    for other in {Role.SUPERVISOR, Role.INTEGRITY_OFFICER} - {role}:
        build.person(light, "Somebody", other)
    build.person(light, "Left", role, active=False)
    status, lines = ready(light)
    assert status == 503
    assert [line for line in lines if line.startswith("fault: no active")] == [
        f"fault: no active {role.value.replace('_', ' ')} with a confirmed key: nobody would answer for reports"
    ]


def test_a_key_directory_that_cannot_be_written_is_a_fault_on_the_same_day(light: Runtime) -> None:
    """The day's key is in memory then, and callers would be turned away only after midnight."""
    build.staff(light)
    assert ready(light)[0] == 200
    shutil.rmtree(light.settings.keys_dir)
    assert ready(light)[0] == 503
    assert "fault: the key directory cannot be written" in ready(light)[1]


def test_a_key_directory_that_was_never_there_is_a_fault(light: Runtime) -> None:
    build.staff(light)
    shutil.rmtree(light.settings.keys_dir)
    assert "fault: the key directory cannot be written" in ready(light)[1]


def test_what_is_wrong_with_the_keys_is_a_warning_as_long_as_reports_are_taken(
    light: Runtime, tmp_path: Path
) -> None:
    build.staff(light)
    whole = kept(light, tmp_path / "mirror")
    assert ready(whole)[1] == ready(light)[1][-1:]
    (tmp_path / "mirror" / "escrow.json").unlink()
    assert "warning: the mirror is out of step in 1 files" in ready(whole)[1]
    whole.vault.days.step(light.today() - timedelta(days=9))
    status, lines = ready(whole)
    assert status == 200
    assert [line for line in lines if "keys step" in line and line.startswith("warning: the day keys are at")]


def test_without_a_mirror_and_an_escrow_only_a_demonstration_is_content(light: Runtime) -> None:
    light.vault.months.prepare(light.today())
    assert [line for line in ready(light)[1] if "KEYS_MIRROR" in line or "no escrow" in line] == [
        "warning: no KEYS_MIRROR: a lost disk would lose every report",
        "warning: no escrow: reports whose readers lose their keys are lost; `python3 -m gateway keys escrow new`",
    ]
    demo = replace(light, settings=replace(light.settings, demo=True))
    assert [line for line in ready(demo)[1] if "KEYS_MIRROR" in line or "no escrow" in line] == []


def test_a_report_that_nobody_may_hear_of_is_told_to_the_technician_alone(light: Runtime, tmp_path: Path) -> None:
    """Whoever it is about must not read in public that there is one."""
    staff = build.staff(light)
    build.sites(light, "Site A")
    whole = kept(light, tmp_path / "mirror")
    before = ready(whole)
    made = story.tell(light)
    story.leave(light, *staff.values())
    build.person(light, "Another", Role.SUPERVISOR, works_for="Elsewhere")
    build.person(light, "Officer", Role.INTEGRITY_OFFICER)
    with light.db.begin() as db:
        db.execute(text("DELETE FROM plan"))
    assert ready(whole) == before
    with light.db.read() as db:
        (line,) = readiness.silent(db)
    assert "integrity officer" in line
    assert not any(word.isdigit() for word in line.split()) and f"{made}" not in line
