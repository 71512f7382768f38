"""Systems in one figure; what methods need."""

from __future__ import annotations

import pandas as pd

from hybridnb.report.figures.systems import by_count, landscape
from hybridnb.report.tables import systems
from hybridnb.study.runs import Run


def test_the_landscape_has_a_panel_a_task(ranked_runs: list[Run]) -> None:
    figure = landscape(systems.levels(systems.systems(ranked_runs, "toy"), "toy"), "Toy")
    assert [axes.get_title().split(",")[0] for axes in figure.axes] == ["Mo mAP", "Cr mAP", "Mul mAP"]
    assert all(axes.get_xscale() == "log" for axes in figure.axes)


def test_a_curve_is_drawn_by_sentences(tried: pd.DataFrame) -> None:
    figure = by_count(tried, {"Mul mAP": 0.1, "rank distance": 40}, "Toy")
    assert [axes.get_title().splitlines()[0] for axes in figure.axes] == [
        "Mul mAP, higher is better",
        "rank distance, lower is better",
    ]
    (line,) = (line for line in figure.axes[0].get_lines() if len(line.get_xdata()))
    assert list(line.get_xdata()) == [100, 300] and list(line.get_ydata()) == [0.2, 0.4]


def test_without_curves_the_figure_says_so(tried: pd.DataFrame) -> None:
    figure = by_count(tried[:0], {}, "Toy")
    assert "nothing was fitted to fewer sentences" in figure.axes[0].texts[0].get_text()
