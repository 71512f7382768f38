"""Losses over steps, as they are logged."""

from __future__ import annotations

import pandas as pd
from report.figures.drawn import heights

from hybridnb.report.figures import look
from hybridnb.report.figures.training import validation_curves


def test_curves_of_the_losses_there_are() -> None:
    history = pd.DataFrame({"step": [0, 1, 2], "loss": [None, 2.0, 1.0], "validation_mono": [3.0, None, 1.5]})
    both = pd.concat([history.assign(strategy=name, seed=0) for name in ("X-Y", "X-X-mono")])
    left, right = validation_curves(both, guess=4.0).axes
    assert [axes.get_title() for axes in (left, right)] == [
        "training batches",
        "validation, monolingual batches",
    ]
    assert left.get_lines()[0].get_ydata().tolist() == [2, 1]
    marker = look.markers(["X-Y"])["X-Y"]
    assert heights(right, marker) == [3.0, 1.5]
    # two points make no trend
    assert {line.get_linestyle() for line in right.get_lines() if line.get_marker() == marker} == {"None"}
    assert left.get_ylim() == right.get_ylim() and right.get_ylim()[0] == 0
    assert right.get_ylim()[1] > 4  # the guess and all losses are in sight
    longer = pd.concat([both, both.assign(step=both["step"] + 3)])
    lines = validation_curves(longer).axes[1].get_lines()
    assert {line.get_linestyle() for line in lines if line.get_marker() == marker} == {"-"}
