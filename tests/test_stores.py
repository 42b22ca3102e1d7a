"""The page of what each store holds is what the tables say of themselves."""

from __future__ import annotations

import pytest

from gateway import stores
from gateway.db import Base


def test_the_page_is_up_to_date() -> None:
    assert stores.PAGE.read_text(encoding="utf-8") == stores.page(), "run `python3 -m gateway stores`"


def test_every_table_is_on_the_page_with_all_three_things() -> None:
    rows = [row for row in stores.page().splitlines() if row.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == sorted(Base.metadata.tables)
    assert all(
        row.count(" | ") == 3 and all(cell.strip().endswith((".", "`")) for cell in row.split(" | ")[:-1])
        for row in rows
    )


@pytest.mark.parametrize("said", [None, "", "Holds: a thing.", "Kept: a\nHolds: b\nRead by: c", "x\ny\nz"])
def test_a_table_that_does_not_say_all_three_things_is_refused(
    said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Base.metadata.tables["site"], "comment", said)
    with pytest.raises(ValueError, match="the comment of the table site"):
        stores.page()
