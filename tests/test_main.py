"""The first command: what it decides, and that it needs nothing but Python to say how it is used.

That it really makes an environment takes a network and half a minute; every run of the tests on a
fresh machine begins with just that.
"""

from __future__ import annotations

import ast
import fcntl
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import __main__ as first

ROOT = Path(__file__).parent.parent


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two lock files, which the first command takes for the clone."""
    (tmp_path / "tests").mkdir()
    for lock in first.LOCKS["test"]:
        (tmp_path / lock).write_text(f"{lock}==1\n", encoding="utf-8")
    monkeypatch.setattr(first, "ROOT", tmp_path)
    monkeypatch.setattr(first, "VENV", tmp_path / ".venv")
    return tmp_path


def made(place: Path, *kinds: str) -> Path:
    """An environment in `place` as it is when `kinds` have been made; its interpreter is this one."""
    venv = place / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    for kind in kinds:
        first.stamp(venv, kind).touch()
    return venv


def bare(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Ask the first command with an interpreter that sees no package."""
    return subprocess.run(
        [sys.executable, "-S", "-m", "gateway", *arguments],
        cwd=ROOT, env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_it_imports_nothing_but_the_standard_library_at_first() -> None:
    tree = ast.parse(Path(first.__file__).read_text(encoding="utf-8"))
    names = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            names |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    assert names <= sys.stdlib_module_names


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"], ["test", "--help"], ["run", "-h"]])
def test_help_needs_no_environment_and_names_every_command(words: list[str]) -> None:
    done = bare(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"\n  {command} " in done.stdout for command in first.COMMANDS)


@pytest.mark.parametrize("words", [["wbe"], ["run", "--fersh"], ["--fersh"]])
def test_what_is_not_understood_is_shown_with_the_commands_and_installs_nothing(words: list[str]) -> None:
    done = bare(*words)
    assert done.returncode == 2
    assert " ".join(words) in done.stderr
    assert "usage:" in done.stderr
    assert "Setting up" not in done.stderr


def test_the_stamp_changes_with_every_thing_it_was_made_from(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv = place / ".venv"
    seen = {first.stamp(venv, "run"), first.stamp(venv, "test"), first.stamp(place / "elsewhere", "run")}
    (place / "requirements.txt").write_text("flask==2\n", encoding="utf-8")
    seen |= {first.stamp(venv, "run"), first.stamp(venv, "test")}
    monkeypatch.setattr(sys, "version", "another")
    seen.add(first.stamp(venv, "run"))
    assert len(seen) == 6


def test_a_change_for_the_tests_alone_leaves_the_run_as_it_is(place: Path) -> None:
    before = first.stamp(place / ".venv", "run")
    (place / "tests" / "requirements.txt").write_text("pytest==2\n", encoding="utf-8")
    assert first.stamp(place / ".venv", "run") == before


def test_an_environment_is_ready_for_what_it_was_made_for(place: Path) -> None:
    venv = made(place, "run")
    assert first.is_ready(venv, "run")
    assert not first.is_ready(venv, "test")


def test_an_interrupted_environment_is_not_ready_and_is_made_anew(place: Path) -> None:
    venv = made(place, "run", "test")
    (venv / "unfinished").touch()
    assert not first.is_ready(venv, "run")
    assert not first._is_worth_keeping(venv)


def test_an_environment_whose_python_is_gone_is_not_ready(place: Path) -> None:
    venv = made(place, "run")
    (venv / "bin" / "python").unlink()
    (venv / "bin" / "python").symlink_to(place / "no-python")
    assert not first.is_ready(venv, "run")


def test_the_tests_are_added_to_what_the_run_has_made(place: Path) -> None:
    assert first._is_worth_keeping(made(place, "run"))


def test_an_environment_from_older_locks_is_made_anew(place: Path) -> None:
    venv = made(place, "run", "test")
    (place / "requirements.txt").write_text("flask==2\n", encoding="utf-8")
    assert first.is_ours(venv)
    assert not first._is_worth_keeping(venv)


def test_a_developers_own_environment_is_added_to_and_never_taken_down(place: Path) -> None:
    venv = made(place)
    assert not first.is_ours(venv)
    assert first._is_worth_keeping(venv)


def test_an_environment_that_is_not_there_is_no_reason_to_stop(place: Path) -> None:
    assert not first.is_ours(place / ".venv")
    assert not first._is_worth_keeping(place / ".venv")


def test_an_interpreter_that_has_everything_is_used_as_it_is(place: Path) -> None:
    assert first.usable("test")
    first.enter("test")
    assert not (place / ".venv").exists()


def test_an_interpreter_that_lacks_something_is_not_used(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(first.NEEDS, "test", ("no_such_package",))
    assert first.usable("run")
    assert not first.usable("test")


def test_our_own_environment_is_used_only_with_its_stamp(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv = made(place, "run")
    monkeypatch.setattr(sys, "prefix", str(venv))
    assert first.usable("run")
    assert not first.usable("test")


def test_a_second_start_waits_for_the_first_and_then_has_nothing_to_do(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = made(place, "run")
    first.make(venv, "run")
    with first._alone(venv), (venv / "lock").open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert capsys.readouterr().err == ""


def test_a_failed_set_up_shows_the_last_words_and_is_begun_anew(place: Path) -> None:
    # pip refuses this before it asks any network.
    (place / "requirements.txt").write_text("no requirement at all\n", encoding="utf-8")
    with pytest.raises(first.Refused, match=r"(?s)last words.*Invalid requirement"):
        first.make(place / ".venv", "run")
    assert (place / ".venv" / "unfinished").exists()
    assert not first.is_ready(place / ".venv", "run")
    assert not first._is_worth_keeping(place / ".venv")


def test_a_python_without_pip_is_told_so(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without = place / "python"
    without.write_text(f'#!/bin/sh\n[ "$2" != pip ] && exec {sys.executable} "$@"\n', encoding="utf-8")
    without.chmod(0o755)
    monkeypatch.setattr(sys, "_base_executable", str(without))
    with pytest.raises(first.Refused, match="pip is missing"):
        first.make(place / ".venv", "run")


def test_a_folder_that_cannot_be_written_is_said(place: Path) -> None:
    (place / ".venv").write_text("not a folder", encoding="utf-8")
    with pytest.raises(first.Refused, match="cannot be made"):
        first.make(place / ".venv", "run")


@pytest.mark.parametrize("wanted", ["", "web", "0", "65536", "-1", "٨٠٠٠"])
def test_a_port_must_be_a_number_that_ports_have(wanted: str) -> None:
    with pytest.raises(first.Refused, match="1 to 65535"):
        first.check_port(wanted)


def test_a_taken_port_is_said_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(first.Refused, match=f"Port {port} cannot be had"):
            first.check_port(str(port))
    first.check_port(str(port))


def test_fresh_deletes_what_earlier_runs_kept(place: Path) -> None:
    var = place / "var"
    (var / "log").mkdir(parents=True)
    first.forget(var, {"DATABASE_URL": "postgresql://somewhere/gateway", "KEYS_DIR": "/etc/gateway"})
    assert not var.exists()
    first.forget(var, {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "sqlite:///{var}/gateway.sqlite"),
        ("DATABASE_URL", "sqlite:///var/gateway.sqlite"),
        ("REDIS_URL", "unix://{var}/redis.sock?db=1"),
        ("KEYS_DIR", "{var}/keys"),
        ("KEYS_DIR", "var/../var/keys"),
    ],
)
def test_fresh_refuses_to_delete_what_a_setting_names(place: Path, name: str, value: str) -> None:
    var = place / "var"
    var.mkdir()
    with pytest.raises(first.Refused, match=name):
        first.forget(var, {name: value.format(var=var)})
    assert var.exists()


def test_only_one_demo_runs_from_a_folder(tmp_path: Path) -> None:
    second = first._only_one(tmp_path)
    with first._only_one(tmp_path), pytest.raises(first.Refused, match="already"):
        second.__enter__()
    with first._only_one(tmp_path):
        assert list(tmp_path.iterdir()) == []


def test_the_lock_files_name_no_host_and_no_place() -> None:
    for name in (*first.LOCKS["test"], "tests/browser/package-lock.json"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "://" not in text
        assert "\n-" not in text


def test_the_lock_of_the_tests_holds_the_lock_of_the_run() -> None:
    run, every = (
        {line for line in (ROOT / lock).read_text(encoding="utf-8").splitlines() if "==" in line}
        for lock in first.LOCKS["test"]
    )
    assert run <= every
