"""A small book of our own, and how tests make others from it."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from gateway.flows import BadFlow, Book, Known, Site, extract, load

HERE = Path(__file__).parent
Translate = Callable[[str, str], str]
"""Of a context and a source text."""


def write_catalogues(flows: Path, locales: Path, changes: Mapping[str, Translate]) -> None:
    """A catalogue a language in which every line of every text ends with the language, or as `changes` say."""
    for language in ("fr", "sw_CD", "ln"):
        catalog = Catalog()
        change = changes.get(language)
        for path in sorted(flows.glob("*.yaml")):
            with path.open("rb") as file:
                for _, _, text, _ in extract(file, {}, [], {}):
                    assert isinstance(text, tuple)
                    context, source = text
                    own = "\n".join(f"{line} {language[:2]}" for line in source.split("\n"))
                    catalog.add(source, change(context, own) if change else own, context=context)
        path = locales / language / "LC_MESSAGES" / "phone.po"
        path.parent.mkdir(parents=True)
        with path.open("wb") as file:
            write_po(file, catalog, width=0)


def expected(path: Path) -> Iterator[str]:
    """The problems that a bad file says it has: each stands on its own line, after `#!`."""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        for problem in line.split("#! ")[1:]:
            yield f"extra.yaml:{number}: {problem.strip()}"


class Shelf:
    """Makes books in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.flows = folder / "flows"
        self.locales = folder / "locales"
        self.flows.mkdir(parents=True)
        for path in (HERE / "small").glob("*.yaml"):
            self.put(path.name, path.read_text("utf-8"))

    def put(self, name: str, content: str) -> None:
        """Writes a flow file."""
        (self.flows / name).write_text(content, "utf-8")

    def change(self, old: str, new: str) -> None:
        """Changes the book; the old text must stand there once."""
        path = self.flows / "book.yaml"
        content = path.read_text("utf-8")
        assert content.count(old) == 1, old
        path.write_text(content.replace(old, new), "utf-8")

    def translate_again(self) -> None:
        """Writes the catalogues anew, after the book has changed."""
        shutil.rmtree(self.locales)
        self.translate()

    def translate(self, changes: Mapping[str, Translate] | None = None) -> None:
        """Writes the catalogues."""
        write_catalogues(self.flows, self.locales, changes or {})

    def load(self, charset: str = "gsm7") -> Book:
        """The book, with catalogues if there are none yet."""
        if not self.locales.exists():
            self.translate()
        return load(self.flows, self.locales, charset=charset)

    def refuses(self, name: str) -> None:
        """Asserts that `bad/<name>.yaml`, in place of `extra.yaml`, has exactly the problems it says it has."""
        path = HERE / "bad" / f"{name}.yaml"
        self.put("extra.yaml", path.read_text("utf-8"))
        try:
            self.translate()
        except yaml.YAMLError:
            self.locales.mkdir()
        own = [problem for problem in self.problems() if problem.startswith("extra.yaml:")]
        wanted = list(expected(path))
        assert [problem for problem in own if problem not in wanted] == []
        assert [problem for problem in wanted if problem not in own] == []
        assert len(own) == len(wanted)

    def problems(self) -> list[str]:
        """What is wrong with the book, each as `file:line: text` with the bare name of the file."""
        with pytest.raises(BadFlow) as caught:
            self.load()
        assert str(caught.value).splitlines()[0].endswith(caught.value.problems[0].text.splitlines()[0])
        return [f"{Path(each.file).name}:{each.line}: {each.text}" for each in caught.value.problems]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """The small book, compiled."""
    return Shelf(tmp_path_factory.mktemp("small")).load()


@pytest.fixture(scope="session")
def known() -> Known:
    """Six sites on two pages, the fourth place free; a number for danger, none for children."""
    places = (1, 2, 3, 5, 6, 7)
    sites = tuple(Site(40 + place, place, f"10{place}", f"Site {place}") for place in places)
    return Known(sites, {"emg": "112"}, day=3)
