"""Runs whose difference is known."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from hybridnb.report.claims.hypotheses import METHOD
from hybridnb.report.published import HYBRID
from hybridnb.report.tables.headline import CROSS, MONO
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED

LANGUAGES = ("de", "en", "vi")
"""Runs are trained on de and en."""

Draw = Callable[..., Run]


def debias(run: Run, by: Run) -> None:
    """Give a run the debiased results of another."""
    there = run.directory / "debiased" / METHOD / "ranks"
    there.mkdir(parents=True)
    (there / "toy.parquet").write_bytes((by.directory / "ranks" / "toy.parquet").read_bytes())
    (there.parent / "metrics.json").write_bytes((by.directory / "metrics.json").read_bytes())


@pytest.fixture
def runs(draw_run: Draw) -> list[Run]:
    """Two seeds that agree: hybrid is best, X-X-mono worst, and debiasing changes hybrid in nothing."""
    spreads = {MONO: 900, CROSS: 6, HYBRID: 5}
    trained = [
        draw_run(name, seed, spread=spread, draw=0, languages=LANGUAGES)
        for name, spread in spreads.items()
        for seed in (0, 1)
    ]
    untrained = draw_run(NOT_TRAINED, spread=950, draw=0, languages=LANGUAGES)
    (untrained.directory / "run.json").write_text(json.dumps(untrained.info | {"languages": []}))
    debias(untrained, trained[0])
    for run in trained[-2:]:
        debias(run, run)
    return [*trained, untrained]
