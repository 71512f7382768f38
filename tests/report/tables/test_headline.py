"""The paper's measures, from numbers small enough to check by hand; all tables of studies that lack something."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hybridnb.measures.catalogue import HEADLINE, MAIN, MEASURES, TASK_NAMES
from hybridnb.report.tables import headline, language_bias, languages
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED


def test_a_row_a_run(scores: pd.DataFrame) -> None:
    assert list(scores.columns) == ["strategy", "seed", *HEADLINE]
    assert scores.loc[1].tolist() == ["X-X-mono", 1, 0.72, 0.32, 0.24, 0.36, 0.16, 0.12, 420.0]


def test_measures_are_those_of_the_catalogue() -> None:
    assert list(HEADLINE) == [label for label in MEASURES if MEASURES[label].headline]
    assert list(MAIN) == ["Mo mAP", "Cr mAP", "Mul mAP", "rank distance"]


def test_means_keep_the_order_of_the_strategies(scores: pd.DataFrame) -> None:
    mean = headline.by_strategy(scores[::-1])
    assert list(mean.index) == ["X-Y", "X-X-mono"]
    assert mean.loc["X-Y", "Mul mAP"] == pytest.approx(0.31)
    assert mean.loc["X-X-mono", "rank distance"] == 410


def test_the_spread_is_half_the_range_between_seeds(scores: pd.DataFrame) -> None:
    text = headline.with_spread(scores)
    assert text.loc["X-Y", "Mo mAP"] == "0.700 ± 0.040"
    assert text.loc["X-Y", "Mul mAP"] == "0.310 ± 0.090"
    assert text.loc["X-X-mono", "rank distance"] == "410 ± 10"
    single = headline.with_spread(scores[scores["seed"] == 0])
    assert single.loc["X-Y", ["Mo mAP", "rank distance"]].tolist() == ["0.660", "100"]


def test_only_strategies_with_several_seeds_have_a_spread(scores: pd.DataFrame) -> None:
    text = headline.with_spread(scores.drop(index=0))
    assert text.loc["X-X-mono", "Mo mAP"] == "0.720"
    assert text.loc["X-Y", "Mo mAP"] == "0.700 ± 0.040"


def test_what_is_not_known_is_left_empty(scores: pd.DataFrame) -> None:
    scores.loc[scores["strategy"] == "X-Y", "rank distance"] = np.nan
    text = headline.with_spread(scores)
    assert text["rank distance"].to_dict() == {"X-X-mono": "410 ± 10", "X-Y": ""}


def test_on_the_screen_a_decimal_more(runs: list[Run]) -> None:
    monolingual = {"monolingual": {"map": 1.0, "recall@1": 0.5}}
    text = headline.headline_table({"toy": runs[0].metrics["toy"], "miracl-sw": monolingual})
    assert text.loc["toy", ["Mo mAP", "rank distance"]].tolist() == ["0.7000", "400.0"]
    assert text.loc["miracl-sw", ["Mo mAP", "Cr mAP"]].tolist() == ["1.0000", ""]


def test_what_a_benchmark_does_not_have_is_said(scores: pd.DataFrame) -> None:
    assert headline.undefined(scores, "toy") == "Not defined on toy: none."
    multilingual = scores[["strategy", "seed", "Mul mAP", "Mul R@10"]]
    assert headline.undefined(multilingual, "toy") == (
        "Not defined on toy: Mo mAP, Cr mAP, Mo R@1, Cr R@1, rank distance "
        "(it has no monolingual and no cross-lingual task)."
    )


def test_a_run_without_results_is_told(runs: list[Run], tmp_path: Path) -> None:
    assert headline.scores([], "toy").empty
    with pytest.raises(ValueError, match=r"X-Y seed 1 has no results on toy \(.*: train and evaluate it"):
        headline.scores([*runs, Run(tmp_path / "nowhere", "X-Y", 1)], "toy")
    with pytest.raises(ValueError, match="X-X-mono seed 0 has no results on ntrex"):
        languages.by_language(runs, "ntrex", "Cr mAP")


def test_claims_are_counted_seed_by_seed(scores: pd.DataFrame) -> None:
    table = headline.effects(scores).set_index("claim")
    assert table["held"].to_dict() == {
        "X-Y has higher Cr mAP than X-X-mono": "2 of 2 seeds",
        "X-Y has higher Mul mAP than X-X-mono": "1 of 2 seeds",
        "X-Y has lower rank distance than X-X-mono": "2 of 2 seeds",
        "X-Y has lower Mo mAP than X-X-mono": "1 of 2 seeds",
    }


def test_only_seeds_that_both_have_are_compared(scores: pd.DataFrame) -> None:
    table = headline.effects(scores.drop(index=3))
    assert set(table["held"]) == {"1 of 1 seeds"}


def test_only_mixed_strategies_are_held_against_monolingual_batches(scores: pd.DataFrame) -> None:
    for other in ("X-X", "En-En", NOT_TRAINED, "hybrid(1.0)"):
        assert headline.effects(scores.replace({"strategy": {"X-Y": other}})).empty
    claims = headline.effects(scores.replace({"strategy": {"X-Y": "hybrid(0.25)"}}))["claim"].tolist()
    assert len(claims) == 3 and all(claim.startswith("hybrid(0.25) has ") for claim in claims)
    alone = headline.effects(scores[scores["strategy"] == "X-Y"])
    assert alone.empty and list(alone) == ["claim", "held"]


def test_a_benchmark_of_one_language_has_no_cross_lingual_claims(scores: pd.DataFrame) -> None:
    table = headline.effects(scores.drop(columns=["Cr mAP", "Cr R@1", "rank distance"]))
    assert table["claim"].tolist() == [
        "X-Y has higher Mul mAP than X-X-mono",
        "X-Y has lower Mo mAP than X-X-mono",
    ]


@pytest.mark.parametrize("tasks", [["monolingual"], ["crosslingual", "multilingual"], ["multilingual"]])
@pytest.mark.parametrize("strategies", [["X-Y"], [NOT_TRAINED, "X-X-mono", "hybrid(0.5)"]])
def test_a_study_of_any_tasks_and_one_seed_has_all_tables(
    tasks: Sequence[str], strategies: Sequence[str], draw_run: Callable[..., Run]
) -> None:
    runs = [draw_run(name, spread=20 + n, tasks=tasks) for n, name in enumerate(strategies)]
    scores = headline.scores(runs, "toy")
    has = {"monolingual": "Mo", "crosslingual": "Cr", "multilingual": "Mul"}
    labels = [label for label in HEADLINE if HEADLINE[label].task in tasks]
    assert list(scores)[2:] == labels and headline.with_spread(scores).index.tolist() == strategies
    for task, short in has.items():
        assert (f"no {TASK_NAMES[task]}" in headline.undefined(scores, "toy")) == (task not in tasks)
        assert languages.by_language(runs, "toy", f"{short} mAP").empty == (task not in tasks)
    pairs = languages.language_pairs(runs, "toy")
    assert list(pairs) == ([] if tasks == ["multilingual"] else strategies)
    seen = languages.seen_table(runs, "toy").columns.get_level_values(0)
    assert set(seen) == {f"{has[task]} mAP" for task in tasks}
    bias, places = language_bias.bias_table(runs, "toy"), language_bias.places(runs, "toy")
    assert bias["rank distance"].notna().all() == ("multilingual" in tasks) == (len(places) > 0)
    assert isinstance(language_bias.where_mrr_misleads(places, bias), list)
    assert language_bias.first_languages(runs, "toy").index.tolist() == strategies
    effects = headline.effects(scores)["claim"].tolist()
    expected = [f"{has[task]} mAP" for task in tasks if task != "monolingual"] if len(strategies) > 1 else []
    assert [label for label in ("Cr mAP", "Mul mAP") if any(label in claim for claim in effects)] == expected


def test_tables_figures_and_claims_load_no_model() -> None:
    code = (
        "import sys, hybridnb.report.claims.deciding, hybridnb.report.figures.languages; print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "sentence_transformers"} & set(loaded.stdout.split())
