"""Flow files are read strictly."""

from pathlib import Path
from typing import TYPE_CHECKING

from gateway.flows.definition import Problem
from gateway.flows.source import Table, Text, read_file

if TYPE_CHECKING:
    from tests.flows.conftest import Shelf


def test_anchors_and_aliases_are_refused(shelf: "Shelf") -> None:
    shelf.refuses("alias")


def test_what_is_not_yaml_is_refused_before_anything_else(shelf: "Shelf") -> None:
    shelf.refuses("syntax")
    assert len(shelf.problems()) == 1


def test_everything_is_a_string_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a:\n  no: 0123\n  yes: |-\n    1\n    2\n")
    problems: list[Problem] = []
    table = read_file(path, problems)
    file = str(path)
    inner = {Text("no", file, 2): Text("0123", file, 2), Text("yes", file, 3): Text("1\n2", file, 3)}
    assert table == Table({Text("a", file, 1): Table(inner, file, 2)}, file, 1)
    assert not problems


def test_an_alias_inside_its_own_anchor_is_only_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: &x {b: *x}\n")
    problems: list[Problem] = []
    assert read_file(path, problems) is None
    assert len(problems) == 2


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("# nothing yet\n")
    assert read_file(path, []) == Table({}, str(path), 1)


def test_what_is_no_mapping_or_no_text_is_refused(tmp_path: Path) -> None:
    for content, text in (
        (b"- a\n", "a list; only strings and mappings are allowed"),
        (b"a", "not a mapping of sections"),
        (b"a: \xff\n", "not UTF-8"),
        (b"a: 1\n---\nb: 2\n", "not YAML: but found another document"),
        (b"a: \x07\n", "not YAML: unacceptable character #x0007: special characters are not allowed"),
    ):
        path = tmp_path / "a.yaml"
        path.write_bytes(content)
        problems: list[Problem] = []
        assert read_file(path, problems) is None
        assert problems[0].text == text
