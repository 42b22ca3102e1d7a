"""The benchmark runs and says ratios; what they come to is for a person to judge."""

from __future__ import annotations

import re

import pytest

from gateway import bench


def test_every_row_stands_beside_its_floor(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "ROUNDS", 4)
    monkeypatch.setattr(bench, "BATCH_SECONDS", 0.001)
    monkeypatch.setattr(bench, "CODE_TRIES", 4)
    assert bench.main([]) == 0
    printed = capsys.readouterr().out
    rows = re.findall(r"^ +([0-9.]+)  (.+)$", printed, re.MULTILINE)
    assert [float(ratio) for ratio, name in rows if name.startswith("floor")] == [1.0, 1.0, 1.0, 1.0]
    assert len(rows) == 13
    assert not re.search(r"\d (ms|us|µs|s)\b", printed), "never a bare time"


def test_a_row_nobody_knows_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["everything"]) == 2
    assert "hop fold report code" in capsys.readouterr().err.replace("|", "").replace("[", "").replace("]", "")
