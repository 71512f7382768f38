"""Measures of strategies: what is drawn is what the tables say."""

from __future__ import annotations

import pandas as pd
import pytest
from report.figures.drawn import heights, points

from hybridnb.report.figures import look
from hybridnb.report.figures.scores import curves, differences, strategies_by_task
from hybridnb.report.tables import headline, sweeps
from hybridnb.study.runs import Run


def test_dots_are_the_means_and_each_seed(scores: pd.DataFrame) -> None:
    figure = strategies_by_task(scores, 2000)
    mean = headline.by_strategy(scores)
    shapes = look.markers(["X-X-mono", "X-Y"])
    for axes, label in zip(figure.axes, ("Mo mAP", "Cr mAP", "Mul mAP", "rank distance"), strict=True):
        for row, name in enumerate(("X-X-mono", "X-Y")):
            assert points(axes, shapes[name]) == [[pytest.approx(mean.loc[name, label]), row]]
    mono, bias = figure.axes[0], figure.axes[3]
    assert [text.get_text() for text in mono.texts] == ["0.710", "0.700"]
    assert [text.get_text() for text in bias.texts] == ["410", "110"]
    assert sorted(x for x, _ in points(bias, "|")) == [100, 120, 400, 420]
    assert [tick.get_text() for tick in mono.get_yticklabels()] == ["X-X-mono", "X-Y"]
    assert (mono.get_title(), bias.get_title()) == ("monolingual mAP", "rank distance (of 2,000 candidates)")
    assert (mono.get_xlabel(), bias.get_xlabel()) == (
        "better \N{RIGHTWARDS ARROW}",
        "\N{LEFTWARDS ARROW} better",
    )
    # no number lies on a seed's dot: they stand on two sides of the mean
    figure.canvas.draw()
    for axes in figure.axes:
        low = [axes.transData.inverted().transform(text.get_window_extent())[0][1] for text in axes.texts]
        assert all(edge < row for row, edge in enumerate(low))
        assert all(y > round(y) for _, y in points(axes, "|"))


def test_panels_of_the_tasks_there_are_and_no_dots_of_one_seed(scores: pd.DataFrame) -> None:
    one_seed = scores[scores["seed"] == 0]
    left, right = strategies_by_task(one_seed.drop(columns=["rank distance", "Mo mAP"]), 2000).axes
    assert [axes.get_title() for axes in (left, right)] == ["cross-lingual mAP", "multilingual mAP"]
    assert not points(left, "|")


def test_a_curve_has_points_a_strategy_and_no_lines(runs: list[Run]) -> None:
    small = [Run(run.directory, run.strategy, run.seed, fraction=0.25) for run in runs]
    table = sweeps.by_fraction([*runs, *small], "toy")
    reference = headline.scores(runs, "toy").iloc[0]
    figure = curves(table, "fraction", "title", reference)
    means = table.groupby(["strategy", "fraction"]).mean()
    shapes = look.markers(["X-X-mono", "X-Y"])
    for axes, column in zip(figure.axes, ("Mo mAP", "Cr mAP", "Mul mAP", "rank distance"), strict=True):
        for name, marker in shapes.items():
            assert heights(axes, marker) == pytest.approx(means.loc[name, column].tolist())
        assert {line.get_linestyle() for line in axes.get_lines()} == {"None"}
    by_alpha = curves(sweeps.by_alpha(runs, "toy"), "alpha", "title", reference)
    assert heights(by_alpha.axes[2], "o") == pytest.approx([0.31, 0.22])
    assert [axes.get_title() for axes in by_alpha.axes] == [
        "monolingual mAP\n(no fine-tuning: 0.700)",
        "cross-lingual mAP\n(no fine-tuning: 0.300)",
        "multilingual mAP\n(no fine-tuning: 0.200)",
        "rank distance\n(no fine-tuning: 400)",
    ]
    arrows = ["better \N{RIGHTWARDS ARROW}"] * 3 + ["\N{LEFTWARDS ARROW} better"]
    assert [axes.get_ylabel() for axes in by_alpha.axes] == arrows
    assert [tick.get_text() for tick in by_alpha.axes[0].get_xticklabels()] == ["0", "1"]


def test_differences_are_filled_where_they_are_significant() -> None:
    row = {"measure": "Mo mAP", "difference": 0.01, "low": 0.001, "high": 0.02, "p_holm": 0.01}
    rows = [
        row | {"against": "no fine-tuning"},
        row | {"against": "X-Y", "p_holm": 0.2},
        row | {"against": "X-X-mono", "low": -0.001},
        row | {"against": "X-X"},
    ]
    (axes,) = differences(pd.DataFrame(rows), "title").axes
    dots = [line for line in axes.get_lines() if line.get_marker() == "o"]
    assert [dot.get_markerfacecolor() == "white" for dot in dots] == [False, True, True]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["X-X", "X-X-mono", "X-Y"]
    ends = [list(line.get_xdata()) for line in axes.get_lines() if line.get_color() == look.COLOURS[0]]
    assert [pair for pair in ends if len(pair) == 2] == [[0.001, 0.02], [-0.001, 0.02], [0.001, 0.02]]
    assert axes.get_xlabel() == "better \N{RIGHTWARDS ARROW}"
