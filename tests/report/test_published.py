"""The paper's own numbers: read strictly, and put beside ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hybridnb.report import published
from hybridnb.study.runs import Run
from hybridnb.study.settings import Study

HEADER = ",".join(published.COLUMNS)
ROW = "xquad-r,labse,X-Y,monolingual,ar,map,0.7"


def test_the_headline_results_are_those_of_the_paper() -> None:
    table = published.headline("xquad-r")
    row = table.loc[("XLM-R (paper)", "hybrid")]
    assert row[["Mo mAP", "Cr mAP", "Mul mAP", "rank distance"]].tolist() == [0.7977, 0.7053, 0.5927, 286.6]
    assert table.index[0] == ("XLM-R (paper)", "X-X-mono") and len(table) == 6
    assert published.headline("cldr").empty


def test_every_printed_mean_is_that_of_its_rows() -> None:
    table = published.results()
    keys = ["dataset", "model", "strategy", "task", "metric"]
    means = table[table["language"] == "mean"].set_index(keys)["value"]
    rows = table[table["language"] != "mean"].groupby(keys)["value"].mean()
    tolerance = np.where(means.index.get_level_values("metric") == "rank_distance", 0.06, 0.00016)
    assert (np.abs(means - rows.reindex(means.index)) <= tolerance).all()


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([HEADER.replace("task", "tsk"), ROW], "columns are "),
        ([HEADER, ROW, ROW.replace("0.7", "0.8")], "line 3: it repeats an earlier line"),
        ([HEADER, ROW, ROW.replace("ar", "de").replace("0.7", "nan")], "line 3: value is no finite number"),
        ([HEADER, ROW.replace("0.7", "-1")], "line 2: value is no finite number"),
        ([HEADER, ROW.replace("0.7", "inf")], "line 2: value is no finite number"),
        ([HEADER, ROW.replace("0.7", "")], "line 2: value is no finite number"),
        ([HEADER, ROW.replace("monolingual", "mono")], "line 2: unknown task"),
        ([HEADER, ROW.replace("labse", "bert")], "line 2: unknown model"),
        ([HEADER, ROW.replace("X-Y", "XY")], "line 2: unknown strategy"),
        ([HEADER, ROW, f"{ROW},1"], "not a table"),
        ([], "not a table"),
    ],
)
def test_a_damaged_file_is_named_with_its_line(rows: list[str], told: str, tmp_path: Path) -> None:
    file = tmp_path / "published.csv"
    file.write_text("\n".join(rows))
    with pytest.raises(ValueError, match="restore it from the repository") as caught:
        published.results(file)
    assert str(file) in str(caught.value) and told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "published.csv").write_bytes(f"{HEADER}\n".encode() + b"\xff\xfe")
    with pytest.raises(ValueError, match="not a table"):
        published.results(tmp_path / "published.csv")


def test_the_report_is_of_a_study_that_can_stand_beside_the_paper() -> None:
    reported = Study.load(published.REPORTED)
    assert set(published.PRINTED_AS) <= set(reported.strategies) and reported.baseline
    assert any("rank distance" in published.headline(name) for name in reported.benchmarks)


@pytest.fixture
def hybrid(runs: list[Run], write_run: Callable[..., Run]) -> list[Run]:
    """Two runs of hybrid, with the numbers of X-X-mono, on XQuAD-R."""
    made = [write_run("hybrid(0.5)", run.seed, metrics={"xquad-r": run.metrics["toy"]}) for run in runs[:2]]
    other = write_run("X-Y", metrics={"xquad-r": runs[2].metrics["toy"]})
    return [*made, other]


def test_ours_stand_above_the_papers(hybrid: list[Run]) -> None:
    table = published.beside_ours(hybrid, "xquad-r")
    assert table.index[:2].tolist() == [("toy-e5 (ours)", "hybrid(0.5)"), ("toy-e5 (ours)", "X-Y")]
    assert table.index[2:].equals(published.headline("xquad-r").index)
    assert table.iloc[0][["Mo mAP", "rank distance"]].tolist() == ["0.710 ± 0.010", "410 ± 10"]
    assert table.loc[("XLM-R (paper)", "hybrid"), ["Mul mAP", "rank distance"]].tolist() == ["0.593", "287"]


def test_what_the_runs_lack_is_left_empty_beside_the_papers(hybrid: list[Run]) -> None:
    for run in hybrid:
        metrics = run.metrics
        del metrics["xquad-r"]["crosslingual"]
        (run.directory / "metrics.json").write_text(json.dumps(metrics))
    table = published.beside_ours(hybrid, "xquad-r")
    assert table.iloc[0]["Cr mAP"] == "" and table.iloc[-1]["Cr mAP"] == "0.767"


def test_language_by_language(hybrid: list[Run]) -> None:
    table = published.by_query_language(hybrid, "xquad-r", "hybrid(0.5)")
    assert table.columns.get_level_values(0).unique().tolist() == [
        "Mo mAP",
        "Cr mAP",
        "Mul mAP",
        "rank distance",
    ]
    assert table.loc["de", ("Mul mAP", "toy-e5 (ours)")] == pytest.approx(0.22)
    assert table.loc["de", ("Cr mAP", "toy-e5 (ours)")] == pytest.approx((0.31 + 0.21) / 2)
    assert table.loc["de", ("Mo mAP", "XLM-R (paper)")] == 0.8033
    assert len(table) == 12  # the paper's eleven, and Swahili of these runs
    for strategy in ("X-X-mono", "hybrid(0.25)"):
        with pytest.raises(ValueError, match=r"there is no run of .*, or not in the paper"):
            published.by_query_language(hybrid, "xquad-r", strategy)


def test_of_another_benchmark_ours_stand_alone(draw_run: Callable[..., Run]) -> None:
    runs = [draw_run(published.HYBRID, seed, spread=20) for seed in (0, 1)]
    assert published.beside_ours(runs, "toy").index.get_level_values("strategy").tolist() == [
        published.HYBRID
    ]
    by_language = published.by_query_language(runs, "toy", published.HYBRID)
    assert by_language.index.tolist() == ["de", "en", "sw"]
