"""Whether this process can take a report, and every reason why not."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.app import create_app
from gateway.casework.caseworker import Role
from gateway.db import Database
from gateway.runtime import Nudger, Runtime
from tests import build


def ready(rt: Runtime) -> tuple[int, list[str]]:
    """Status and lines of /readyz."""
    answer = create_app(rt).test_client().get("/readyz")
    assert answer.content_type.startswith("text/plain")
    return answer.status_code, answer.text.splitlines()


def test_it_is_ready_when_everything_is_there(rt: Runtime, redis_url: str) -> None:
    build.staff(rt)
    whole = replace(rt, nudger=Nudger(redis_url))
    assert ready(whole) == (200, ["ready"])
    assert ready(whole) == (200, ["ready"]), "the trial has left something behind"


def test_redis_is_only_ever_a_warning(light: Runtime, tmp_path: Path) -> None:
    build.staff(light)
    assert ready(light) == (200, ["warning: no REDIS_URL: the clock does all the work, a little later"])
    gone = replace(light, nudger=Nudger(f"unix://{tmp_path / 'nobody.sock'}"))
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
        f"fault: no active {role.value.replace('_', ' ')}: nobody would answer for reports"
    ]


def test_a_key_directory_that_cannot_be_written_is_a_fault_on_the_same_day(light: Runtime) -> None:
    """The day's key is in memory then, and callers would be turned away only after midnight."""
    build.staff(light)
    assert ready(light)[0] == 200
    shutil.rmtree(light.settings.keys_dir)
    assert ready(light) == (503, ["fault: the key directory cannot be written", *ready(light)[1][1:]])


def test_a_key_directory_that_was_never_there_is_a_fault(light: Runtime) -> None:
    build.staff(light)
    shutil.rmtree(light.settings.keys_dir)
    assert "fault: the key directory cannot be written" in ready(light)[1]
