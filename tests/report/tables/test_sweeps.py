"""Measures by alpha and by fraction of the data."""

from __future__ import annotations

from hybridnb.report.tables import sweeps
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED


def test_alpha_is_that_of_the_strategy(runs: list[Run]) -> None:
    directory = runs[0].directory
    others = [
        Run(directory, "hybrid(0.25)", 0),
        Run(directory, "hybrid(0.75)", 0, 0.5),
        Run(directory, "X-X", 0),
        Run(directory, "En-En", 0),
        Run(directory, NOT_TRAINED, 0),
    ]
    table = sweeps.by_alpha([*runs, *others], "toy")
    assert table[["alpha", "seed", "Mul mAP"]].to_numpy().tolist() == [
        [0.0, 0, 0.40], [0.25, 0, 0.20], [1.0, 0, 0.20],
    ]  # fmt: skip
    assert len(sweeps.by_alpha(runs, "toy")) == 4  # both seeds, which both have
    assert sweeps.by_alpha(others[1:], "toy").empty
    assert sweeps.by_alpha([], "toy").empty


def test_fractions_are_compared_where_there_are_several(runs: list[Run]) -> None:
    small = [Run(runs[0].directory, "X-Y", 0, 0.25), Run(runs[0].directory, "X-X", 0)]
    table = sweeps.by_fraction([*runs, *small], "toy")
    assert table[["strategy", "fraction", "seed", "Mul mAP"]].to_numpy().tolist() == [
        ["X-Y", 1.0, 0, 0.40], ["X-Y", 0.25, 0, 0.20],
    ]  # fmt: skip
    assert sweeps.by_fraction(runs, "toy").empty
