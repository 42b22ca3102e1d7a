"""Every command once, as a person types it: what it says, what it leaves, and how it ends."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway import cli
from gateway.casework import caseworker, joining, journal
from gateway.casework.caseworker import Role
from gateway.casework.journal import Entry
from gateway.casework.verb import Verb
from gateway.runtime import Runtime
from gateway.settings import ROOT, SETTINGS
from gateway.vault import fingerprint
from tests import build, processes

COMMANDS = (
    "web",
    "worker",
    "clock",
    "migrate",
    "keys",
    "journal",
    "flows",
    "account",
    "simulator",
    "messages",
    "stores",
    "lock",
)
SECRETS = ("k" * 40, build.SECRET, "test-key-of-the-provider")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Complete settings of a place where nothing has been set up yet."""
    return {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": f"sqlite:///{tmp_path / 'gateway.sqlite'}",
        "SECRET_KEY": SECRETS[0],
        "PORT": str(processes.free_port()),
        "PUBLIC_URL": "https://gateway.example.org",
        "KEYS_DIR": str(tmp_path / "keys"),
        "HOOK_SECRETS": SECRETS[1],
        "AT_USERNAME": "production",
        "AT_API_KEY": SECRETS[2],
        "USSD_CODES": build.CODE,
    }


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


def gateway(environment: dict[str, str], *words: str, root: Path = ROOT) -> Done:
    """One command in a process of its own, run to its end; it never shows a traceback, nor a secret."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *words],
        cwd=root,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=processes.PATIENCE,
    )
    assert "Traceback" not in done.stderr
    assert not any(secret in done.stdout + done.stderr for secret in SECRETS)
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """The same in this process, where no other is needed: twenty times as fast."""

    def run(environment: dict[str, str], *words: str, typed: str = "") -> Done:
        for setting in SETTINGS:
            monkeypatch.delenv(setting.name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        monkeypatch.setattr("gateway.process.no_core_dumps", lambda: None)  # it would be for all tests after it
        try:
            code = cli.main(words)
        except SystemExit as ending:
            code = int(ending.code or 0)
        said = capfd.readouterr()
        assert not any(secret in said.out + said.err for secret in SECRETS)
        return Done(code, said.out, said.err)

    return run


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_without_any_settings(here: Callable[..., Done], command: str) -> None:
    done = here({}, command, "--help")
    assert done.code == 0
    assert done.out.startswith(f"usage: python3 -m gateway {command}")


@pytest.mark.parametrize("words", ["nothing", "flows", "flows burn", "keys", "simulator x", "account add a"])
def test_what_is_not_understood_is_answered_with_the_usage(here: Callable[..., Done], words: str) -> None:
    done = here({}, *words.split())
    assert done.code == 2
    assert "usage:" in done.err


@pytest.mark.parametrize("command", ["web", "worker", "clock", "migrate", "keys init", "simulator 1"])
def test_missing_settings_are_all_told_at_once(command: str) -> None:
    done = gateway({"PATH": os.environ["PATH"], "PORT": "many"}, *command.split())
    assert done.code == 1
    assert done.out == ""
    wanted = [setting.name for setting in SETTINGS if setting.default is None and not setting.optional]
    assert [name for name in wanted if f"- {name} is missing: " not in done.err] == []
    assert "- PORT must be a number" in done.err


def test_a_key_directory_is_made_once_and_never_overwritten(
    here: Callable[..., Done], environment: dict[str, str], tmp_path: Path
) -> None:
    first = here(environment, "keys", "init")
    assert first.code == 0
    path = tmp_path / "keys" / "server.keys"
    key = path.read_text().strip()
    again = here(environment, "keys", "init")
    assert again.code == 1
    assert "nothing was changed" in again.err
    assert path.read_text().strip() == key
    assert key not in first.out + again.err
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("command", ["web", "worker", "clock", "account add admin Somebody"])
def test_each_says_in_a_line_what_was_not_set_up(
    here: Callable[..., Done], environment: dict[str, str], command: str
) -> None:
    no_keys = gateway(environment, *command.split())
    assert (no_keys.code, no_keys.out) == (1, "")
    assert "python3 -m gateway keys init" in no_keys.err
    here(environment, "keys", "init")
    no_tables = gateway(environment, *command.split())
    assert (no_tables.code, no_tables.out) == (1, "")
    assert "python3 -m gateway migrate" in no_tables.err
    assert no_tables.err.count("\n") == 1


def test_a_house_is_set_up_with_three_commands(
    here: Callable[..., Done], environment: dict[str, str], tmp_path: Path
) -> None:
    here(environment, "keys", "init")
    first, again = here(environment, "migrate"), here(environment, "migrate")
    assert first.code == again.code == 0
    assert first.out == again.out
    added = gateway(environment, "account", "add", "Admin", "Somebody Synthetic")
    assert added.code == 0
    invitation = re.search(r"once: ([a-z2-9-]+)\n", added.out)
    assert invitation is not None
    rt = Runtime.build(build.settings(tmp_path, environment["DATABASE_URL"]))
    with rt.db.read() as db:
        assert joining.invited(db, rt.vault, "admin", invitation[1], rt.now()) is not None
        people = [(person.name, person.role.value) for person in caseworker.every(db)]
    rt.close()
    assert people == [("Somebody Synthetic", "administrator")]
    twice = gateway(environment, "account", "add", "admin", "Somebody Else")
    assert twice.code == 1
    assert "Another person" in twice.err
    demo = gateway({**environment, "DEMO": "1"}, "clock")
    assert demo.code == 1
    assert "not a demonstration" in demo.err


def test_the_dialogue_can_be_checked_drawn_and_played(here: Callable[..., Done]) -> None:
    assert "no problem" in here({}, "flows", "check").out
    assert here({}, "flows", "draw").out.startswith("graph")
    played = here({}, "flows", "play", typed="1\n1\n1\n1\n1\n3\n")
    assert played.code == 0
    assert "0000 0000 0000" in played.out
    assert here({}, "flows", "play", typed="1\n").code == 0, "who hangs up is not in the wrong"


def test_a_broken_flow_stops_the_web_server_with_its_line(environment: dict[str, str], tmp_path: Path) -> None:
    house = tmp_path / "house"
    for folder in ("gateway", "flows", "locales"):
        shutil.copytree(ROOT / folder, house / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "wsgi.py", house)
    with (house / "flows" / "words.yaml").open("a") as flow:
        flow.write("nonsense: [1, 2]\n")
    for command in (["web"], ["flows", "check"]):
        done = gateway(environment, *command, root=house)
        assert done.code == 1
        assert "words.yaml:" in done.err


def test_without_redis_the_worker_waits_in_peace(environment: dict[str, str], tmp_path: Path) -> None:
    gateway(environment, "keys", "init")
    gateway(environment, "migrate")
    log = tmp_path / "log"
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, "-m", "gateway", "worker"], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    try:
        processes.until(lambda: "worker.idle" in log.read_text(), "the worker's word")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(processes.PATIENCE) == 0
    finally:
        worker.kill()
        worker.wait()
    assert "no_redis_url" in log.read_text()


def test_a_port_that_is_taken_is_named_and_never_shared(
    here: Callable[..., Done], environment: dict[str, str]
) -> None:
    """Two servers on one port would each answer some of a caller's key presses."""
    here(environment, "keys", "init")
    here(environment, "migrate")
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as taken:
        port = str(taken.getsockname()[1])
        for done in (gateway(environment, "simulator", port), gateway({**environment, "PORT": port}, "web")):
            assert done.code == 1
            assert f"Port {port} cannot be used" in done.err


def test_the_journal_is_checked_and_its_head_is_kept_by_outsiders(
    here: Callable[..., Done], environment: dict[str, str], tmp_path: Path
) -> None:
    here(environment, "keys", "init")
    here(environment, "migrate")
    assert here(environment, "journal", "heads").out == "The journal has no line yet.\n"
    assert here(environment, "account", "add", "admin", "Somebody Synthetic").code == 0
    kept = tmp_path / "kept"
    first = here(environment, "journal", "heads")
    kept.write_text(first.out)
    whole = here(environment, "journal", "verify", str(kept))
    assert (whole.code, whole.err) == (0, "")
    assert whole.out.endswith(" lines, 0 reports, 1 people, 0 sites: all fit.\n")
    kept.write_text(first.out[:-2] + ("0" if first.out[-2] != "0" else "1"))
    other = here(environment, "journal", "verify", str(kept))
    assert other.code == 1
    assert "not what an outsider kept" in other.out
    assert other.out.endswith("something does not fit.\n")
    for words, told in (("a note\n", "Line 1 is not a head"), (None, "cannot be read")):
        kept.unlink()
        if words:
            kept.write_text(words)
        refused = here(environment, "journal", "verify", str(kept))
        assert (refused.code, refused.out) == (1, "")
        assert told in refused.err
        assert refused.err.count("\n") == 1
        kept.touch()


def test_a_long_list_of_what_does_not_fit_is_cut_short(
    here: Callable[..., Done], environment: dict[str, str], tmp_path: Path
) -> None:
    here(environment, "keys", "init")
    here(environment, "migrate")
    rt = Runtime.build(build.settings(tmp_path, environment["DATABASE_URL"]))
    with rt.begin() as unit:
        for _ in range(150):
            journal.write(unit.db, rt.now(), Verb.FILED, report=7)
    with rt.db.begin() as db:
        for line in db.scalars(select(Entry)):
            line.hash = bytes(32)
    rt.close()
    done = here(environment, "journal", "verify")
    assert done.code == 1
    assert done.out.count("\n") == cli.SHOWN + 2
    assert "… and 52 more.\n" in done.out


def test_the_first_two_keys_are_confirmed_on_the_machine_and_no_third(
    here: Callable[..., Done], environment: dict[str, str], tmp_path: Path
) -> None:
    here(environment, "keys", "init")
    here(environment, "migrate")
    settings = build.settings(tmp_path, environment["DATABASE_URL"])
    rt = Runtime.build(settings)
    people = [build.person(rt, name, Role.SUPERVISOR) for name in ("One", "Two", "Three")]
    with rt.begin() as unit:
        for person in people:
            caseworker.set_key(unit.db, person, build.enrolment(person).public)
            journal.write(unit.db, rt.now(), Verb.JOINED, subject=person)
    shown = fingerprint(build.enrolment(people[0]).public)
    no = here(environment, "account", "confirm", "one", typed="no\n")
    assert (no.code, shown in no.out) == (1, True)
    for login in ("one", "two"):
        assert here(environment, "account", "confirm", login, typed="yes\n").code == 0
    third = here(environment, "account", "confirm", "three", typed="yes\n")
    assert third.code == 1
    nobody = here(environment, "account", "confirm", "nobody", typed="yes\n")
    assert nobody.code == 1
    with rt.db.read() as db:
        confirmed = [person.name for person in caseworker.every(db) if person.reader is not None]
    rt.close()
    assert sorted(confirmed) == ["One", "Two"]


def test_only_whom_no_report_is_brought_to_is_invited_on_the_machine(
    here: Callable[..., Done], environment: dict[str, str], tmp_path: Path
) -> None:
    here(environment, "keys", "init")
    here(environment, "migrate")
    added = here(environment, "account", "add", "tech", "Somebody Synthetic", "--role", "technician")
    assert "/join" in added.out
    again = here(environment, "account", "invite", "tech")
    assert again.code == 0
    assert again.out != added.out
    rt = Runtime.build(build.settings(tmp_path, environment["DATABASE_URL"]))
    build.person(rt, "Worker")
    rt.close()
    refused = here(environment, "account", "invite", "worker")
    assert refused.code == 1
    assert "an administrator invites them" in refused.err


def test_an_error_of_the_program_is_told_without_its_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> list[str]:
        raise RuntimeError("+243990000001 said something")

    monkeypatch.setattr("gateway.catalogues.update", fails)
    monkeypatch.setattr("gateway.log.configured", lambda: False)  # as another test may have left it
    assert cli.main(["messages"]) == 1
    told = capsys.readouterr()
    assert "RuntimeError" in told.err
    assert "243" not in told.out + told.err
