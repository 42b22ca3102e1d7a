"""The flows do not change while these tests run, and compiling them takes longer than most of them."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest

from gateway import flows


@pytest.fixture(scope="package", autouse=True)
def compiled_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flows, "load", functools.cache(flows.load))
        yield
