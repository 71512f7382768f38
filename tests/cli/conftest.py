"""What tests of commands share."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy import write_study


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """toy.toml with its pairs.jsonl; runs and caches stay in the directory too."""
    monkeypatch.setattr("hybridnb.study.plan.RUNS", tmp_path / "runs")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return write_study(tmp_path)
