"""Reads flow files strictly: everything is a string or a mapping, and everything keeps its line."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from gateway.flows.definition import Problem

_PLAIN = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:map")


@dataclass(frozen=True, slots=True)
class Text:
    """A string and where it stands."""

    value: str
    file: str
    line: int

    def words(self) -> tuple["Text", ...]:
        """What stands between its spaces."""
        return tuple(Text(word, self.file, self.line) for word in self.value.split())


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping and where it stands; each key with its own line."""

    entries: Mapping[Text, "Text | Table"]
    file: str
    line: int


def read_file(path: Path, problems: list[Problem]) -> Table | None:
    """The mapping in a YAML file, or None if there is no reading it.

    Whatever is not allowed is added to `problems`. Raises OSError if the file cannot be opened.
    """
    file = str(path)
    sound = len(problems)
    try:
        source = path.read_text("utf-8")
    except UnicodeDecodeError:
        problems.append(Problem(file, 1, "not UTF-8"))
        return None
    try:
        for event in yaml.parse(source, Loader=yaml.BaseLoader):
            if isinstance(event, yaml.NodeEvent) and event.anchor:
                what = "an alias (*)" if isinstance(event, yaml.AliasEvent) else "an anchor (&)"
                line = event.start_mark.line + 1 if event.start_mark else 1
                problems.append(Problem(file, line, f"{what}; write it out"))
        # An alias may stand inside its own anchor: such a tree has no end.
        if len(problems) > sound:
            return None
        root = yaml.compose(source, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problems.append(Problem(file, mark.line + 1 if mark else 1, f"not YAML: {error.problem}"))
        return None
    except yaml.YAMLError as error:
        problems.append(Problem(file, 1, f"not YAML: {str(error).splitlines()[0]}"))
        return None
    if root is None:
        return Table({}, file, 1)
    value = _value(root, file, problems)
    if isinstance(value, Table):
        return value
    problems.append(Problem(file, 1, "not a mapping of sections"))
    return None


def read_folder(folder: Path, problems: list[Problem]) -> Iterator[Table | None]:
    """What `read_file` says of each `*.yaml` file of a folder, by name."""
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        problems.append(Problem(str(folder), 1, "no flow file here"))
    for path in paths:
        yield read_file(path, problems)


def _value(node: yaml.Node, file: str, problems: list[Problem]) -> Text | Table:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode) and node.tag in _PLAIN:
        return Text(node.value.rstrip(), file, line)
    if not (isinstance(node, yaml.MappingNode) and node.tag in _PLAIN):
        what = "a list" if isinstance(node, yaml.SequenceNode) else f"the tag {node.tag}"
        problems.append(Problem(file, line, f"{what}; only strings and mappings are allowed"))
        return Text("", file, line)
    entries: dict[Text, Text | Table] = {}
    seen: dict[str, int] = {}
    for key_node, value_node in node.value:
        key = _value(key_node, file, problems)
        value = _value(value_node, file, problems)
        if not isinstance(key, Text):
            problems.append(Problem(file, key.line, "a mapping as a key; only strings are allowed"))
        elif key.value in seen:
            text = f"the key {key.value} stands twice, first on line {seen[key.value]}"
            problems.append(Problem(file, key.line, text))
        else:
            seen[key.value] = key.line
            entries[key] = value
    return Table(entries, file, line)
