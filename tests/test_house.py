"""The rules of the house, as tests."""

from __future__ import annotations

import ast
import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import flows
from gateway.flows import draft
from gateway.settings import ROOT, SETTINGS

MODULES = sorted(ROOT.glob("gateway/**/*.py"))
TESTED_ELSEWHERE = {
    "gateway/__init__.py": "a docstring",
    "gateway/acts/__init__.py": "tests/acts/test_filing.py",
    "gateway/acts/stage.py": "tests/acts/test_filing.py",
    "gateway/casework/verb.py": "tests/casework/test_journal.py",
    "gateway/desk/__init__.py": "a list of names",
    "gateway/desk/entry.py": "tests/desk/test_doing.py",
    "gateway/desk/reading.py": "tests/desk/test_doing.py",
    "gateway/migrations/versions/0002_the_way_back.py": "tests/migrations/test_migrations.py",
    "gateway/vault/periods.py": "tests/vault/test_months.py",
    "gateway/casework/__init__.py": "a list of names",
    "gateway/flows/__init__.py": "a list of names",
    "gateway/later/__init__.py": "a docstring",
    "gateway/migrations/env.py": "tests/migrations/test_migrations.py",
    "gateway/migrations/__init__.py": "tests/migrations/test_migrations.py",
    "gateway/migrations/versions/0001_first_tables.py": "tests/migrations/test_migrations.py",
    "gateway/providers/__init__.py": "tests/providers/test_providers.py",
    "gateway/vault/__init__.py": "tests/vault/test_vault.py",
    "gateway/flows/checks.py": "tests/flows/test_compiler.py",
    "gateway/flows/draft.py": "tests/flows/test_compiler.py",
    "gateway/flows/phrases.py": "tests/flows/test_compiler.py",
    "gateway/flows/source.py": "tests/flows/test_compiler.py",
    "gateway/__main__.py": "tests/test_main.py",
    "gateway/web/__init__.py": "tests/web/test_pages.py",
    "gateway/web/admin/__init__.py": "tests/web/test_routes.py",
    "gateway/web/readiness.py": "tests/web/test_hooks.py",
}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize(
    "command",
    [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"], ["lint-imports"]],
    ids=" ".join,
)
def test_the_tools_find_nothing(command: list[str]) -> None:
    program = Path(sys.executable).parent / command[0]
    done = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_every_module_has_its_test(module: Path) -> None:
    name = relative(module)
    mirror = ROOT / "tests" / Path(name).relative_to("gateway").with_name(f"test_{module.name}")
    elsewhere = TESTED_ELSEWHERE.get(name)
    if elsewhere is None:
        assert mirror.exists(), f"{relative(mirror)} is missing"
    elif elsewhere.startswith("tests/"):
        assert (ROOT / elsewhere).exists()
    else:
        body = ast.parse(module.read_text(encoding="utf-8")).body
        assert all(isinstance(node, ast.Expr | ast.Import | ast.ImportFrom | ast.Assign) for node in body)


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_no_module_is_longer_than_400_lines_and_each_says_what_it_is(module: Path) -> None:
    source = module.read_text(encoding="utf-8")
    assert source.count("\n") <= 400
    assert ast.get_docstring(ast.parse(source)), "a module's docstring says what it hides"


def test_there_is_no_drawer() -> None:
    drawers = {
        "utils.py",
        "util.py",
        "helpers.py",
        "helper.py",
        "common.py",
        "misc.py",
        "service.py",
        "manager.py",
    }
    assert not [relative(module) for module in MODULES if module.name in drawers]


def test_every_setting_is_documented() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|", readme, re.MULTILINE))
    assert rows == {setting.name: setting.meaning for setting in SETTINGS}


def test_the_locks_hold_hashes_and_no_address() -> None:
    for lock in ("requirements.txt", "tests/requirements.txt", "tests/browser/package-lock.json"):
        content = (ROOT / lock).read_text(encoding="utf-8")
        assert "://" not in content, lock
        assert "sha" in content, lock


def test_the_readme_map_names_what_is_there() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for row in re.findall(r"^\| (`[a-z].*?) \|", readme, re.MULTILINE):
        for name in re.findall(r"`([^`]+)`", row):
            assert (ROOT / name).exists(), name
    for name in re.findall(r"`((?:gateway|flows|tests|locales)/[^`*…]+)`", readme):
        assert (ROOT / name).exists(), name


def test_the_readme_names_only_commands_that_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    from gateway.__main__ import COMMANDS

    named = set(re.findall(r"python3 -m gateway ([a-z]+)", readme))
    assert named <= set(COMMANDS), named - set(COMMANDS)
    for line in (ROOT / "Procfile").read_text(encoding="utf-8").splitlines():
        assert line.split()[-1] in COMMANDS


def test_the_flow_language_is_documented_key_by_key() -> None:
    """Every key that the compiler knows has its heading, or its row in a table, and there is no other."""
    readme = (ROOT / "flows/README.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^#{2,3} ([a-z_]+)", readme, re.MULTILINE))
    rows = set(re.findall(r"^\| `([a-z_]+)` \|", readme, re.MULTILINE))
    known = {*draft.SECTIONS, *draft.SCREEN_KEYS, *draft.STEP_KEYS}
    assert headings - {"actions"} == known
    in_tables = {*draft.TOPIC_KEYS, *draft.LETTER_KEYS, *(field.name for field in dataclasses.fields(flows.Roles))}
    assert rows == in_tables
    assert all(f"`{key}`" in readme for key in draft.CLOCK_KEYS)


def test_nothing_in_the_tree_names_this_machine() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    for name in filter(None, listed):
        content = (ROOT / name).read_bytes()
        assert str(ROOT).encode() not in content or len(str(ROOT)) < 6, name
