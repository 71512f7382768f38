"""Differences between systems, against those of `significance`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hybridnb.measures import significance
from hybridnb.report.claims import contrasts
from hybridnb.report.published import HYBRID
from hybridnb.report.tables.headline import CROSS, MONO
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED

Draw = Callable[..., Run]


def test_a_row_a_fraction_and_strategy(draw_run: Draw) -> None:
    runs = [
        draw_run(name, seed, spread=spread, fraction=fraction)
        for fraction in (1.0, 0.25)
        for name, spread in ((HYBRID, 10), (MONO, 100), (CROSS, 12))
        for seed in (0, 1)
        if (name, fraction, seed) != (MONO, 0.25, 1)
    ]
    # neither without hybrid, nor without another
    runs += [draw_run(CROSS, spread=12, fraction=0.5), draw_run(HYBRID, spread=12, fraction=0.125)]
    table = contrasts.where_it_pays(runs, "toy")
    assert table.index.names == ["fraction", "against", "seeds"]
    assert table.index.tolist() == [
        ("0.25", MONO, 1), ("0.25", CROSS, 2), ("1", MONO, 2), ("1", CROSS, 2),
    ]  # fmt: skip
    first, second = (
        [r.question_values("toy") for r in runs if r.fraction == 1 and r.strategy == name]
        for name in (HYBRID, MONO)
    )
    for label, digits in (("Mo mAP", 3), ("rank distance", 0)):
        difference, low, high = (f"{end:+.{digits}f}" for end in significance.interval(first, second, label))
        assert table.loc[("1", MONO, 2), label] == f"{difference} [{low}, {high}]"


def test_of_the_measures_there_are(draw_run: Draw) -> None:
    runs = [draw_run(name, spread=10, tasks=["monolingual"]) for name in (HYBRID, MONO)]
    assert list(contrasts.where_it_pays(runs, "toy")) == ["Mo mAP"]
    nothing = contrasts.where_it_pays(runs[1:], "toy")
    assert nothing.empty and nothing.index.names == ["fraction", "against", "seeds"]


def test_values_of_questions_by_strategy(runs: list[Run]) -> None:
    values = contrasts.question_values(runs, "toy")
    assert {name: len(part) for name, part in values.items()} == {
        MONO: 2,
        CROSS: 2,
        HYBRID: 2,
        NOT_TRAINED: 1,
    }
    found = values[HYBRID][0]["Mul mAP"].mean()
    assert found == pytest.approx(runs[4].metrics["toy"]["multilingual"]["map"])
