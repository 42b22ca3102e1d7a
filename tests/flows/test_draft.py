"""What has the shape of the flow language, and what has not."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.flows.conftest import Shelf


def test_what_has_the_wrong_shape_is_refused(shelf: "Shelf") -> None:
    shelf.refuses("shapes")


def test_what_stands_in_two_files_stands_twice(shelf: "Shelf") -> None:
    shelf.put("more.yaml", "lines:\n  wrong_key: Wrong.\n")
    first = (shelf.flows / "book.yaml").read_text().splitlines().index("  wrong_key: Wrong key.") + 1
    where = f"first in {shelf.flows / 'book.yaml'}, line {first}"
    assert shelf.problems() == [f"more.yaml:2: lines: wrong_key stands twice, {where}"]


def test_every_value_is_a_string_as_it_is_written(shelf: "Shelf") -> None:
    shelf.change("{to: next, set: {hurt: one}}", "{to: next, set: {hurt: 007}}")
    shelf.change("{to: next, set: {when: before}}", "{to: next, set: {when: no}}")
    shelf.change("now: {up: pit one}", "no: {up: pit 007}")
    book = shelf.load()
    assert ("hurt", "007") in book.settable
    assert ("when", "no") in book.settable
