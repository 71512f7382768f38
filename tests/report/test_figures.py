"""Figures: what is drawn is what the tables say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from toy import HELD_OUT

from hybridnb.corpora.describe import language_pairs, lengths
from hybridnb.report import figures, tables
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED

LANGUAGES = ("de", "en", "sw")


def bars(axes: Axes) -> list[list[float]]:
    """Heights, a list a strategy."""
    return [[bar.get_height() for bar in bars] for bars in axes.containers if hasattr(bars, "patches")]


def note(figure: Figure) -> str:
    """What a figure says in the place of what it cannot draw."""
    (axes,) = figure.axes
    assert not axes.axison
    return axes.texts[0].get_text()


def test_bars_are_the_means(scores: pd.DataFrame) -> None:
    left, right = figures.strategies_by_task(scores, 2000).axes
    mean = tables.by_strategy(scores)
    assert bars(left) == [
        pytest.approx(mean.loc[name, ["Mo mAP", "Cr mAP", "Mul mAP"]].tolist())
        for name in ("X-X-mono", "X-Y")
    ]
    assert bars(right) == [[410], [110]]
    assert [label.get_text() for label in left.get_xticklabels()] == list(tables.TASK_NAMES.values())
    assert [text.get_text() for text in left.texts] == ["0.710", "0.310", "0.220", "0.700", "0.510", "0.310"]
    assert [text.get_text() for text in right.texts] == ["410", "110"]
    assert right.get_title() == "Language bias: lower is better"
    assert right.get_ylabel() == "rank distance (of 2,000 candidates)"
    seeds = [float(y) for dots in right.collections for _, y in np.asarray(dots.get_offsets())]
    assert sorted(seeds) == [100, 120, 400, 420]


def test_bars_of_the_tasks_there_are_and_no_dots_of_one_seed(scores: pd.DataFrame) -> None:
    one_seed = scores[scores["seed"] == 0]
    (left,) = figures.strategies_by_task(one_seed.drop(columns=["rank distance", "Mo mAP"]), 2000).axes
    assert [label.get_text() for label in left.get_xticklabels()] == ["cross-lingual", "multilingual"]
    assert bars(left) == [pytest.approx([0.30, 0.20]), pytest.approx([0.50, 0.40])]
    assert not left.collections


def test_a_heatmap_a_strategy(runs: list[Run]) -> None:
    pairs = tables.language_pairs(runs, "toy")
    panels = [axes for axes in figures.pair_heatmaps(pairs).axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == ["X-X-mono", "X-Y"]
    for axes, table in zip(panels, pairs.values(), strict=True):
        assert np.asarray(axes.collections[0].get_array()).reshape(3, 3) == pytest.approx(
            100 * table.to_numpy()
        )
        assert [label.get_text() for label in axes.get_xticklabels()] == list(LANGUAGES)
    shares = {name: table / 2 for name, table in pairs.items()}
    drawn = figures.language_shares(shares).axes[0].collections[0].get_array()
    assert np.asarray(drawn).reshape(3, 3) == pytest.approx(50 * pairs["X-X-mono"].to_numpy())


def test_many_languages_have_every_label_and_no_numbers() -> None:
    codes = [f"x{number:02d}" for number in range(36)]
    tables = {name: pd.DataFrame(0.5, codes, codes) for name in ("X-X-mono", "X-Y")}
    for figure in (figures.pair_heatmaps(tables), figures.coverage(tables["X-Y"], "items")):
        panel = figure.axes[0]
        assert [label.get_text() for label in panel.get_xticklabels()] == codes
        assert [label.get_text() for label in panel.get_yticklabels()] == codes
        assert not panel.texts
    few = figures.pair_heatmaps({name: table.iloc[:11, :11] for name, table in tables.items()})
    assert len(few.axes[0].texts) == 121


def test_unseen_languages_are_starred(runs: list[Run]) -> None:
    table = tables.by_language(runs, "toy", "Mul mAP")
    axes = figures.language_bars(table, "mAP", "title", unseen=["sw"]).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["de", "en", "sw*"]
    assert axes.get_legend_handles_labels()[1] == ["X-X-mono", "X-Y"]
    assert bars(axes) == [pytest.approx([0.22, 0.22, 0.12]), pytest.approx([0.31, 0.31, 0.21])]
    assert "not trained on" in axes.get_xlabel()
    plain = figures.language_bars(table, "mAP", "title").axes[0]
    assert plain.get_xlabel() == "query language"


def test_curves_of_the_losses_there_are() -> None:
    history = pd.DataFrame({"step": [1, 2], "loss": [2.0, 1.0], "validation_mono": [None, 1.5]})
    both = pd.concat([history.assign(strategy=name, seed=0) for name in ("X-Y", "X-X-mono")])
    figure = figures.validation_curves(both)
    assert [axes.get_title() for axes in figure.axes] == [
        "training batches",
        "validation, monolingual batches",
    ]
    assert figure.axes[0].get_lines()[0].get_ydata().tolist() == [2, 1]


def test_principal_plane_agrees_with_the_covariance() -> None:
    matrix = np.random.default_rng(1).normal(size=(40, 5)).astype(np.float32) * [5, 3, 1, 1, 1]
    plane, explained = figures.principal_plane(matrix.astype(np.float32))
    variances = np.linalg.eigvalsh(np.cov(matrix.T))[::-1]
    assert explained == pytest.approx(variances[:2] / variances.sum(), rel=1e-5)
    assert plane.var(axis=0, ddof=1) == pytest.approx(variances[:2], rel=1e-5)
    assert plane[:, 0] @ plane[:, 1] == pytest.approx(0, abs=1e-6)


def test_a_projection_has_a_point_a_passage() -> None:
    vectors = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    index = pd.MultiIndex.from_product([range(3), ["de", "en"]], names=["answer", "language"])
    figure = figures.projections({"X-Y": pd.DataFrame(vectors, index)})
    points = figure.axes[0].collections[0].get_offsets()
    assert np.asarray(points) == pytest.approx(figures.principal_plane(vectors)[0])


def test_a_curve_has_a_line_a_strategy(runs: list[Run]) -> None:
    small = [Run(run.directory, run.strategy, run.seed, fraction=0.25) for run in runs]
    table = tables.by_fraction([*runs, *small], "toy")
    reference = tables.scores(runs, "toy").iloc[0]
    figure = figures.curves(table, "fraction", "title", reference)
    means = table.groupby(["strategy", "fraction"]).mean()
    for axes, column in zip(figure.axes, ("Mo mAP", "Cr mAP", "Mul mAP", "rank distance"), strict=True):
        lines = [list(line.get_ydata()) for line in axes.get_lines()]
        assert any(line == pytest.approx(means.loc["X-X-mono", column].tolist()) for line in lines if line)
        assert axes.get_xscale() == "log"
    by_alpha = figures.curves(tables.by_alpha(runs, "toy"), "alpha", "title", reference)
    assert by_alpha.axes[2].get_lines()[0].get_ydata() == pytest.approx([0.31, 0.22])
    assert [axes.get_title() for axes in by_alpha.axes] == [
        "monolingual\n(no fine-tuning: 0.700)",
        "cross-lingual\n(no fine-tuning: 0.300)",
        "multilingual\n(no fine-tuning: 0.200)",
        "rank distance\n(no fine-tuning: 400)",
    ]
    assert [axes.get_ylabel() for axes in by_alpha.axes] == ["mAP", "", "", ""]
    assert [tick.get_text() for tick in by_alpha.axes[0].get_xticklabels()] == ["0", "1"]


def test_differences_are_filled_where_they_are_significant() -> None:
    row = {"measure": "Mo mAP", "difference": 0.01, "low": 0.001, "high": 0.02, "p_holm": 0.01}
    rows = [
        row | {"against": "no fine-tuning"},
        row | {"against": "X-Y", "p_holm": 0.2},
        row | {"against": "X-X-mono", "low": -0.001},
        row | {"against": "X-X"},
    ]
    (axes,) = figures.differences(pd.DataFrame(rows), "title").axes
    dots = [line for line in axes.get_lines() if line.get_marker() == "o"]
    assert [dot.get_markerfacecolor() == "white" for dot in dots] == [False, True, True]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["X-X", "X-X-mono", "X-Y"]
    ends = [list(line.get_xdata()) for line in axes.get_lines() if line.get_color() == figures.COLOURS[0]]
    assert [pair for pair in ends if len(pair) == 2] == [[0.001, 0.02], [-0.001, 0.02], [0.001, 0.02]]


def test_many_panels_stand_in_rows_of_two() -> None:
    table = pd.DataFrame(np.eye(2), index=["de", "en"], columns=["de", "en"])
    panels = figures.pair_heatmaps({f"s{n}": table for n in range(5)}).axes[:5]
    assert [panel.get_title() for panel in panels] == [f"s{n}" for n in range(5)]
    grid = [panel.get_subplotspec() for panel in panels]
    assert [(cell.rowspan.start, cell.colspan.start) for cell in grid] == [
        (0, 0), (0, 1), (1, 0), (1, 1), (2, 0),
    ]  # fmt: skip


def test_what_is_in_a_corpus() -> None:
    pairs = language_pairs(HELD_OUT)
    drawn = figures.coverage(pairs, "title").axes[0].collections[0].get_array()
    assert np.asarray(drawn).reshape(3, 3).tolist() == [[8] * 3] * 3
    panels = figures.lengths(lengths(HELD_OUT)).axes
    assert [axes.get_title() for axes in panels] == ["queries", "passages"]
    assert all(axes.get_ylim()[0] == 0 for axes in panels)


def test_a_saved_figure_is_the_same_file_again(
    scores: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "FIGURES", tmp_path)
    content = []
    for _ in range(2):
        figures.save(figures.strategies_by_task(scores, 2000), "study", "strategies")
        content.append((tmp_path / "study" / "strategies.png").read_bytes())
    assert content[0].startswith(b"\x89PNG")
    assert content[0] == content[1]
    assert plt.get_fignums() == []


def test_a_strategy_keeps_its_colour() -> None:
    colours = figures.palette(["X-Y", "X-Y", "X-X-mono"])
    assert list(colours) == ["X-Y", "X-X-mono"]
    assert colours["X-Y"] != colours["X-X-mono"]
    with_baseline = figures.palette([NOT_TRAINED, "X-Y", "X-X-mono"])
    assert with_baseline == {NOT_TRAINED: figures.GREY, **colours}


def test_what_cannot_be_drawn_is_said(scores: pd.DataFrame, runs: list[Run]) -> None:
    nowhere = tables.by_language(runs, "toy", "Mo nDCG@10")
    assert note(figures.language_bars(nowhere, "mAP", "By language")) == (
        "By language: mAP is not defined on this benchmark."
    )
    assert "no such pairs of languages" in note(figures.pair_heatmaps({}))
    assert "no such pairs of languages" in note(figures.language_shares({}))
    reference = scores.iloc[0]
    assert note(figures.curves(tables.by_fraction(runs, "toy"), "fraction", "toy", reference)) == (
        "toy: there are no runs at several values of fraction."
    )
    assert "nothing was trained" in note(figures.validation_curves(pd.DataFrame({"step": []})))
    compared = pd.DataFrame({"against": [NOT_TRAINED], "measure": ["Mo mAP"]})
    assert note(figures.differences(compared, "toy")) == "toy: there are no others."
    one = pd.DataFrame(
        np.eye(2), pd.MultiIndex.from_product([[0], ["de", "en"]], names=["answer", "language"])
    )
    assert "too few answers" in note(figures.projections({"X-Y": one}))
    assert "too few answers" in note(figures.projections({}))


@pytest.mark.parametrize("tasks", [["monolingual"], ["crosslingual", "multilingual"], ["multilingual"]])
@pytest.mark.parametrize("strategies", [["X-Y"], [NOT_TRAINED, "X-X-mono", "hybrid(0.5)"]])
def test_a_study_of_any_tasks_and_one_seed_has_all_figures(
    tasks: Sequence[str], strategies: Sequence[str], draw_run: Callable[..., Run]
) -> None:
    drawn = [draw_run(name, spread=20 + n, tasks=tasks) for n, name in enumerate(strategies)]
    scores = tables.scores(drawn, "toy")
    bias = figures.strategies_by_task(scores, 3000).axes[1:]
    assert len(bias) == ("multilingual" in tasks)
    pairs = figures.pair_heatmaps(tables.language_pairs(drawn, "toy"))
    titles = [axes.get_title() for axes in pairs.axes if axes.get_title()]
    assert titles == ([] if tasks == ["multilingual"] else strategies)
    for label in ("Mul mAP", "rank distance"):
        (axes,) = figures.language_bars(tables.by_language(drawn, "toy", label), label, "title").axes
        assert len(bars(axes)) == (len(strategies) if "multilingual" in tasks else 0)
    reference = tables.by_strategy(scores).iloc[0]
    alpha = figures.curves(tables.by_alpha(drawn, "toy"), "alpha", "title", reference)
    assert len(alpha.axes) == len([label for label in tables.MAIN if label in scores])
    panels = figures.projections(tables.answers(drawn, "toy")).axes
    assert [axes.get_title() for axes in panels] == strategies
