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


def points(axes: Axes, marker: str) -> list[list[float]]:
    """(x, y) of the points with a marker."""
    lines = [line for line in axes.get_lines() if line.get_marker() == marker]
    return [[float(x), float(y)] for line in lines for x, y in zip(*line.get_data(), strict=True)]


def heights(axes: Axes, marker: str) -> list[float]:
    return [y for _, y in points(axes, marker)]


def note(figure: Figure) -> str:
    """What a figure says in the place of what it cannot draw."""
    (axes,) = figure.axes
    assert not axes.axison
    return axes.texts[0].get_text()


def test_dots_are_the_means_and_each_seed(scores: pd.DataFrame) -> None:
    figure = figures.strategies_by_task(scores, 2000)
    mean = tables.by_strategy(scores)
    shapes = figures.markers(["X-X-mono", "X-Y"])
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
    left, right = figures.strategies_by_task(one_seed.drop(columns=["rank distance", "Mo mAP"]), 2000).axes
    assert [axes.get_title() for axes in (left, right)] == ["cross-lingual mAP", "multilingual mAP"]
    assert not points(left, "|")


def test_strategies_differ_in_lightness_and_marker() -> None:
    names = [NOT_TRAINED, "X-X-mono", "X-Y", "hybrid(0.5)"]
    lightness = sorted(np.dot(colour, (0.299, 0.587, 0.114)) for colour in figures.palette(names).values())
    assert np.diff(lightness).min() > 0.14
    assert len(set(figures.markers(names).values())) == 4


def test_every_figure_says_in_words_what_it_shows(
    scores: pd.DataFrame, runs: list[Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "FIGURES", tmp_path)
    shown = figures.save(figures.strategies_by_task(scores, 2000), "study", "strategies")
    _, metadata = shown._repr_mimebundle_()
    assert "rank distance: X-X-mono 410, X-Y 110" in metadata["image/png"]["alt"]
    assert metadata["image/png"]["alt"] in (tmp_path / "study" / "strategies.svg").read_text(encoding="utf-8")
    pairs = figures.pair_heatmaps(tables.language_pairs(runs, "toy")).get_label()
    assert pairs == (
        "mAP x 100, query language by candidate language, heat maps: X-X-mono from 21 to 71; "
        "X-Y minus X-X-mono from -1 to +20."
    )


def test_heatmaps_are_the_first_strategy_and_differences_from_it(runs: list[Run]) -> None:
    pairs = tables.language_pairs(runs, "toy")
    first, second = (axes for axes in figures.pair_heatmaps(pairs).axes if axes.get_title())
    assert (first.get_title(), second.get_title()) == ("X-X-mono", "X-Y minus X-X-mono")
    for axes, table in ((first, pairs["X-X-mono"]), (second, pairs["X-Y"] - pairs["X-X-mono"])):
        drawn = np.asarray(axes.collections[0].get_array()).reshape(3, 3)
        assert drawn == pytest.approx(100 * table.to_numpy())
        assert [label.get_text() for label in axes.get_xticklabels()] == list(LANGUAGES)
    assert [text.get_text() for text in second.texts][1] == "+20"
    shares = {name: table / 2 for name, table in pairs.items()}
    figure = figures.language_shares(shares)
    assert np.asarray(figure.axes[0].collections[0].get_array()).reshape(3, 3) == pytest.approx(
        50 * pairs["X-X-mono"].to_numpy()
    )
    marked = [tick.get_text() for axes in figure.axes for tick in axes.get_yticklabels()]
    assert "33 = equal" in marked


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
    figure = figures.language_points(table, "mAP", "title", unseen=["sw"], mark=(0.1, "a mark"))
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["de", "en", "sw*"]
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == ["X-X-mono", "X-Y", "range of the seeds"]
    shapes = figures.markers(["X-X-mono", "X-Y"])
    assert heights(axes, shapes["X-X-mono"]) == pytest.approx([0.22, 0.22, 0.12])
    assert heights(axes, shapes["X-Y"]) == pytest.approx([0.31, 0.31, 0.21])
    assert "not trained on" in axes.get_xlabel() and axes.texts[0].get_text() == "a mark"
    plain = figures.language_points(table, "mAP", "title").axes[0]
    assert plain.get_xlabel() == "query language"


def test_curves_of_the_losses_there_are() -> None:
    history = pd.DataFrame({"step": [0, 1, 2], "loss": [None, 2.0, 1.0], "validation_mono": [3.0, None, 1.5]})
    both = pd.concat([history.assign(strategy=name, seed=0) for name in ("X-Y", "X-X-mono")])
    left, right = figures.validation_curves(both, guess=4.0).axes
    assert [axes.get_title() for axes in (left, right)] == [
        "training batches",
        "validation, monolingual batches",
    ]
    assert left.get_lines()[0].get_ydata().tolist() == [2, 1]
    marker = figures.markers(["X-Y"])["X-Y"]
    assert heights(right, marker) == [3.0, 1.5]
    # two points make no trend
    assert {line.get_linestyle() for line in right.get_lines() if line.get_marker() == marker} == {"None"}
    assert left.get_ylim() == right.get_ylim() and right.get_ylim()[0] == 0
    assert right.get_ylim()[1] > 4  # the guess and all losses are in sight
    longer = pd.concat([both, both.assign(step=both["step"] + 3)])
    lines = figures.validation_curves(longer).axes[1].get_lines()
    assert {line.get_linestyle() for line in lines if line.get_marker() == marker} == {"-"}


def test_a_curve_has_points_a_strategy_and_no_lines(runs: list[Run]) -> None:
    small = [Run(run.directory, run.strategy, run.seed, fraction=0.25) for run in runs]
    table = tables.by_fraction([*runs, *small], "toy")
    reference = tables.scores(runs, "toy").iloc[0]
    figure = figures.curves(table, "fraction", "title", reference)
    means = table.groupby(["strategy", "fraction"]).mean()
    shapes = figures.markers(["X-X-mono", "X-Y"])
    for axes, column in zip(figure.axes, ("Mo mAP", "Cr mAP", "Mul mAP", "rank distance"), strict=True):
        for name, marker in shapes.items():
            assert heights(axes, marker) == pytest.approx(means.loc[name, column].tolist())
        assert {line.get_linestyle() for line in axes.get_lines()} == {"None"}
    by_alpha = figures.curves(tables.by_alpha(runs, "toy"), "alpha", "title", reference)
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
    (axes,) = figures.differences(pd.DataFrame(rows), "title").axes
    dots = [line for line in axes.get_lines() if line.get_marker() == "o"]
    assert [dot.get_markerfacecolor() == "white" for dot in dots] == [False, True, True]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["X-X", "X-X-mono", "X-Y"]
    ends = [list(line.get_xdata()) for line in axes.get_lines() if line.get_color() == figures.COLOURS[0]]
    assert [pair for pair in ends if len(pair) == 2] == [[0.001, 0.02], [-0.001, 0.02], [0.001, 0.02]]
    assert axes.get_xlabel() == "better \N{RIGHTWARDS ARROW}"


def test_many_panels_stand_in_rows_of_two() -> None:
    table = pd.DataFrame(np.eye(2), index=["de", "en"], columns=["de", "en"])
    panels = figures.pair_heatmaps({f"s{n}": table for n in range(5)}).axes[:5]
    assert [panel.get_title() for panel in panels] == ["s0", *(f"s{n} minus s0" for n in range(1, 5))]
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


def test_answers_are_placed_by_rank_and_none_is_written_over_another() -> None:
    ranks = pd.Series({"de": 1, "en": 40, "th": 1500, "ru": 41, "tr": 42, "el": 43})
    figure = figures.placed({"X-Y": ranks, "X-X-mono": 2 * ranks}, 13_014)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts if text.get_text()[-1].isdigit()] == ["1,499", "2,998"]
    figure.canvas.draw()
    for row in range(2):
        named = [text for text in axes.texts if text.xy[1] == row and text.get_text() in ranks]
        boxes = [text.get_window_extent() for text in named]
        assert len(boxes) == 6
        assert not any(a.overlaps(b) for n, a in enumerate(boxes) for b in boxes[:n])


def test_a_saved_figure_is_the_same_file_again(
    scores: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "FIGURES", tmp_path)
    content = []
    for _ in range(2):
        figures.save(figures.strategies_by_task(scores, 2000), "study", "strategies")
        content.append([path.read_bytes() for path in sorted((tmp_path / "study").iterdir())])
    assert content[0][0].startswith(b"\x89PNG") and b"<svg" in content[0][1]
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
    assert note(figures.language_points(nowhere, "mAP", "By language")) == (
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


@pytest.mark.parametrize("tasks", [["monolingual"], ["crosslingual", "multilingual"], ["multilingual"]])
@pytest.mark.parametrize("strategies", [["X-Y"], [NOT_TRAINED, "X-X-mono", "hybrid(0.5)"]])
def test_a_study_of_any_tasks_and_one_seed_has_all_figures(
    tasks: Sequence[str], strategies: Sequence[str], draw_run: Callable[..., Run]
) -> None:
    drawn = [draw_run(name, spread=20 + n, tasks=tasks) for n, name in enumerate(strategies)]
    scores = tables.scores(drawn, "toy")
    panels = [axes.get_title() for axes in figures.strategies_by_task(scores, 3000).axes]
    assert panels[: len(tasks)] == [f"{tables.TASK_NAMES[task]} mAP" for task in tasks]
    assert len(panels) == len(tasks) + ("multilingual" in tasks)
    pairs = figures.pair_heatmaps(tables.language_pairs(drawn, "toy"))
    titles = [axes.get_title() for axes in pairs.axes if axes.get_title()]
    others = [f"{name} minus {strategies[0]}" for name in strategies[1:]]
    assert titles == ([] if tasks == ["multilingual"] else [strategies[0], *others])
    for label in ("Mul mAP", "rank distance"):
        (axes,) = figures.language_points(tables.by_language(drawn, "toy", label), label, "title").axes
        assert len(axes.containers) == (len(strategies) if "multilingual" in tasks else 0)
    reference = tables.by_strategy(scores).iloc[0]
    alpha = figures.curves(tables.by_alpha(drawn, "toy"), "alpha", "title", reference)
    assert len(alpha.axes) == len([label for label in tables.MAIN if label in scores])
    (axes,) = figures.language_points(tables.apart(drawn, "toy"), "distance", "title", of="passage").axes
    assert len(axes.containers) == len(strategies) and axes.get_xlabel() == "passage language"
