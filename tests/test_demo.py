"""The demonstration: what it makes, what it keeps, what it refuses to touch, and what the environment decides."""

from __future__ import annotations

import json
import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from gateway import demo, migrations, vault
from gateway.casework import account, caseworker, chain, installation, site
from gateway.casework.report import Report
from gateway.db import Database
from gateway.runtime import Runtime
from gateway.settings import Settings
from tests import build

SYNTHETIC = re.compile(r"\+243000\d{6}")


@pytest.fixture
def made(tmp_path: Path) -> demo.Demo:
    """A demonstration on an empty directory."""
    return demo.prepare(tmp_path, {}, fresh=False)


def opened(prepared: demo.Demo) -> Runtime:
    return Runtime.build(prepared.settings)


def refusal(root: Path, environ: dict[str, str]) -> str:
    """What `prepare` says when it ends the process."""
    with pytest.raises(SystemExit) as ending:
        demo.prepare(root, environ, fresh=False)
    assert isinstance(ending.value.code, str)
    assert "\n" not in ending.value.code
    return ending.value.code


def test_an_empty_directory_becomes_a_house_full_of_synthetic_reports(made: demo.Demo, tmp_path: Path) -> None:
    assert {path.name for path in (tmp_path / "var").iterdir()} >= {"demo.json", "gateway.sqlite", "keys"}
    assert stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "var" / "demo.json").stat().st_mode) == 0o600
    assert [name for name, _, _ in made.commands] == ["valkey", "web", "simulator", "worker", "clock"]
    rt = opened(made)
    with rt.db.read() as db:
        assert installation.kind(db) is True
        assert db.scalar(select(func.count()).select_from(Report)) == demo.REPORTS
        assert len(set(db.scalars(select(Report.topic)))) > 4
        assert set(db.scalars(select(Report.language))) == {"fr", "sw_CD", "ln"}
        assert len(set(db.scalars(select(Report.state)))) == 3
        assert installation.faults(db) == []
        for login, passphrase in made.accounts:
            assert account.credentials(db, login).unlock(passphrase)
        for person in caseworker.every(db):
            assert "démonstration" in person.name
            number = caseworker.number(db, rt.vault, person.id)
            assert SYNTHETIC.fullmatch(number) or (number == "" and person.role is caseworker.Role.ADMINISTRATOR)
        assert all(name.startswith("Site ") for name in (row.name for row in site.offered(db, rt.now())))
    rt.close()


def test_the_banner_holds_all_that_a_newcomer_needs(made: demo.Demo) -> None:
    banner = made.banner()
    assert all(login in banner and passphrase in banner for login, passphrase in made.accounts)
    assert made.settings.hook_secrets[0] in banner
    assert str(made.settings.port) in banner
    assert all(len(line) <= 120 for line in banner.splitlines())
    assert not any(passphrase in repr(made) for _, passphrase in made.accounts)
    assert made.settings.hook_secrets[0] not in repr(made)


def test_a_second_start_keeps_everything(made: demo.Demo, tmp_path: Path) -> None:
    rt = opened(made)
    with rt.db.read() as db:
        before = db.execute(select(Report).order_by(Report.id)).all()
    again = demo.prepare(tmp_path, {}, fresh=False)
    assert again.accounts == made.accounts
    assert again.settings.hook_secrets == made.settings.hook_secrets
    assert again.settings.secret_key == made.settings.secret_key
    with rt.db.read() as db:
        assert [repr(row.id) for (row,) in db.execute(select(Report).order_by(Report.id))] == [
            repr(row.id) for (row,) in before
        ]
        assert all(account.credentials(db, login).unlock(passphrase) for login, passphrase in made.accounts)
    rt.close()


def test_a_start_that_was_killed_while_it_wrote_its_secrets_is_begun_anew(made: demo.Demo, tmp_path: Path) -> None:
    kept = tmp_path / "var" / "demo.json"
    kept.write_text(kept.read_text()[:40])
    again = demo.prepare(tmp_path, {}, fresh=False)
    assert set(json.loads(kept.read_text())) == {"secrets", "passphrases"}
    rt = opened(again)
    with rt.db.read() as db:
        assert all(account.credentials(db, login).unlock(passphrase) for login, passphrase in again.accounts)
    rt.close()


def test_a_start_that_was_killed_before_its_people_were_there_is_taken_up(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    db = Database(f"sqlite:///{tmp_path / 'var' / 'gateway.sqlite'}")
    migrations.upgrade(db)
    vault.create(tmp_path / "var" / "keys")
    with db.begin() as session:
        installation.declare(session, demo=True, keys=vault.Vault(tmp_path / "var" / "keys").check())
    db.dispose()
    rt = opened(demo.prepare(tmp_path, {}, fresh=False))
    with rt.db.read() as session:
        assert installation.faults(session) == []
    rt.close()


def content(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return list(db.iterdump())


def test_a_database_of_something_else_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript("CREATE TABLE mine (a); INSERT INTO mine VALUES (1);")
    before = content(path)
    assert "does not touch it" in refusal(tmp_path, {"DATABASE_URL": f"sqlite:///{path}"})
    assert content(path) == before


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("old", [True, False])
def test_a_real_house_is_refused_untouched_even_before_its_first_start_and_when_it_is_not_migrated(
    tmp_path: Path, declared: bool, old: bool
) -> None:
    path = tmp_path / "real.sqlite"
    db = Database(f"sqlite:///{path}")
    migrations.upgrade(db)
    with db.begin() as session:
        if declared:
            installation.declare(session, demo=False, keys=bytes(32))
        if old:
            session.execute(text("DELETE FROM alembic_version"))
    db.dispose()
    before = content(path)
    assert "not a demonstration" in refusal(tmp_path, {"DATABASE_URL": f"sqlite:///{path}"})
    assert content(path) == before


def test_a_process_of_a_real_house_refuses_the_demonstration(made: demo.Demo) -> None:
    db = Database(made.settings.database_url)
    with pytest.raises(installation.OtherKind, match="cannot serve real callers"), db.begin() as session:
        installation.declare(session, demo=False, keys=bytes(32))
    db.dispose()


def test_a_demonstration_with_other_keys_is_refused(made: demo.Demo, tmp_path: Path) -> None:
    assert "other keys" in refusal(tmp_path, {"KEYS_DIR": str(tmp_path / "others")})


def test_a_database_that_is_not_there_is_told_in_a_line(tmp_path: Path) -> None:
    assert "DATABASE_URL" in refusal(tmp_path, {"DATABASE_URL": f"sqlite:///{tmp_path / 'no' / 'folder' / 'x'}"})


def test_what_the_environment_says_is_wrong_is_told(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="HOOK_SECRETS: each is 24"):
        demo.prepare(tmp_path, {"HOOK_SECRETS": "short", "PORT": "8001"}, fresh=False)


def test_the_environment_wins(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("k" * 41)
    given = {
        "HOOK_SECRETS": "a-secret-that-somebody-gave",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'elsewhere.sqlite'}",
        "REDIS_URL": "redis://localhost:1/0",
        "AT_URL": "http://127.0.0.1:9",
        "SECRET_KEY_FILE": str(secret),
        "PORT": "8123",
        "DEMO": "",
    }
    prepared = demo.prepare(tmp_path, given, fresh=False)
    settings = Settings.from_env(prepared.environment)
    assert settings == prepared.settings
    assert settings.hook_secrets == (given["HOOK_SECRETS"],)
    assert (settings.redis_url, settings.at_url, settings.port) == (given["REDIS_URL"], given["AT_URL"], 8123)
    assert settings.secret_key == "k" * 41
    assert settings.demo
    assert (tmp_path / "elsewhere.sqlite").exists()
    assert not (tmp_path / "var" / "gateway.sqlite").exists()
    assert [name for name, _, _ in prepared.commands] == ["web", "worker", "clock"], "no Valkey, no simulator"


def test_a_folder_with_a_long_path_still_gets_a_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("long" * 20) / ("deep" * 20)
    deep.mkdir(parents=True)
    prepared = demo.prepare(deep, {"DATABASE_URL": f"sqlite:///{build.settings(tmp_path).keys_dir}.sqlite"}, False)
    assert len(prepared.environment["REDIS_URL"].removeprefix("unix://")) < 108


def test_the_journal_vouches_for_all_of_the_demonstration(made: demo.Demo) -> None:
    rt = opened(made)
    with rt.db.read(still=True) as db:
        verdict = chain.verify(db, rt.vault.journal_key)
    rt.close()
    assert verdict.faults == []
    assert verdict.things["report"] == demo.REPORTS
