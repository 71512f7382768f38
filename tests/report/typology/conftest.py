"""Systems whose ranks are drawn."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hybridnb.report.typology import values
from hybridnb.retrieval.ranks_table import write_ranks
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED

CODES = ("de", "en", "hi", "ru", "th", "vi")


@pytest.fixture
def runs(draw_run: Callable[..., Run]) -> list[Run]:
    """The encoder as it is, worse than two seeds of a strategy; a method on it, without being one of the runs."""
    start = draw_run(NOT_TRAINED, spread=200, languages=CODES)
    better = draw_run("no-matter", spread=60, languages=CODES)
    debiased = start.directory / "debiased" / "one-map"
    (debiased / "ranks").mkdir(parents=True)
    write_ranks(debiased / "ranks" / "toy.parquet", better.ranks("toy"))
    (debiased / "metrics.json").write_text((better.directory / "metrics.json").read_text())
    return [start, *(draw_run("X-Y", seed, spread=20, languages=CODES) for seed in (0, 1))]


@pytest.fixture
def named(runs: list[Run]) -> dict[str, values.System]:
    return dict(values.systems(runs[::-1], "toy", ["one-map", "lsar", "X-Y"]))
