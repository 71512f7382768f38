"""All systems of a study side by side, and what methods need and where they serve."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pandas as pd
import pytest

from hybridnb.measures.catalogue import MAIN
from hybridnb.measures.metrics_file import pack
from hybridnb.report import systems
from hybridnb.report.tables import headline
from hybridnb.study.runs import CURVES, DEBIASED, Run
from hybridnb.study.settings import NOT_TRAINED


@pytest.fixture
def ranked_runs(draw_run: Callable[..., Run]) -> list[Run]:
    """The encoder as it is, with one map beside it, and two seeds of a strategy."""
    plain, other = draw_run(NOT_TRAINED, spread=900), draw_run("X-X", spread=50)
    shutil.copytree(other.directory, plain.directory / DEBIASED / "one-map")
    return [plain, *(draw_run("X-Y", seed, spread=20) for seed in (0, 1))]


def test_systems_are_runs_with_and_without_what_was_put_on_them(ranked_runs: list[Run]) -> None:
    of = systems.systems(ranked_runs, "toy", ["means", "one-map"])
    assert list(of) == [(NOT_TRAINED, ""), (NOT_TRAINED, "one-map"), ("X-Y", "")]
    table = headline.by_strategy(systems.systems_table(of, "toy"))
    assert list(table.index) == [NOT_TRAINED, "one-map", "X-Y"]
    assert table.loc["one-map", "Mul mAP"] > table.loc[NOT_TRAINED, "Mul mAP"]


def test_levels_are_the_measures_with_intervals_around_them(ranked_runs: list[Run]) -> None:
    of = systems.systems(ranked_runs, "toy")
    table = systems.levels(of, "toy")
    for (strategy, _), runs in of.items():
        rows = table[table["strategy"] == strategy].set_index("measure")
        for label, measure in MAIN.items():
            values = [pack(run.ranks("toy"))[measure.task][measure.name] for run in runs]
            assert rows.loc[label, "value"] == pytest.approx(sum(values) / len(values))
            assert rows.loc[label, "low"] <= rows.loc[label, "value"] <= rows.loc[label, "high"]


def test_the_landscape_has_a_panel_a_task(ranked_runs: list[Run]) -> None:
    figure = systems.landscape(systems.levels(systems.systems(ranked_runs, "toy"), "toy"), "Toy")
    assert [axes.get_title().split(",")[0] for axes in figure.axes] == ["Mo mAP", "Cr mAP", "Mul mAP"]
    assert all(axes.get_xscale() == "log" for axes in figure.axes)


@pytest.fixture
def tried() -> pd.DataFrame:
    rows = [
        ("means", count, left_out, scope, "multilingual", metric, value)
        for count, left_out, scope, value in (
            (100, "", "all", 0.2), (100, "", "unseen", 0.1), (300, "", "all", 0.4), (300, "", "unseen", 0.3),
            (300, "el vi", "all", 0.38), (300, "el vi", "unseen", 0.25),
        )
        for metric in ("map", "rank_distance")
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(CURVES))


def test_unseen_languages_are_read_off_the_most_sentences(tried: pd.DataFrame) -> None:
    table = systems.unseen_table(tried)
    assert table.loc["means", "Mul mAP"].to_dict() == {"fitted with them": 0.3, "without": 0.25}


def test_a_curve_is_drawn_by_sentences(tried: pd.DataFrame) -> None:
    figure = systems.by_count(tried, {"Mul mAP": 0.1, "rank distance": 40}, "Toy")
    assert [axes.get_title().splitlines()[0] for axes in figure.axes] == [
        "Mul mAP, higher is better",
        "rank distance, lower is better",
    ]
    (line,) = (line for line in figure.axes[0].get_lines() if len(line.get_xdata()))
    assert list(line.get_xdata()) == [100, 300] and list(line.get_ydata()) == [0.2, 0.4]


def test_without_curves_the_figure_says_so(tried: pd.DataFrame) -> None:
    figure = systems.by_count(tried[:0], {}, "Toy")
    assert "nothing was fitted to fewer sentences" in figure.axes[0].texts[0].get_text()
