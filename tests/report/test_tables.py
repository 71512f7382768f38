"""Tables, from numbers small enough to check by hand, and of studies that lack something."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import friedmanchisquare

from hybridnb.measures.catalogue import BIAS, MEASURES
from hybridnb.measures.questions_file import write_questions
from hybridnb.report import tables
from hybridnb.retrieval.ranks_table import COLUMNS
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED

LANGUAGES = ("de", "en", "sw")


def rewrite(run: Run, **info: Any) -> None:
    """Change some of a run's run.json."""
    (run.directory / "run.json").write_text(json.dumps({**run.info, **info}))


def test_tables_figures_and_claims_load_no_model() -> None:
    code = "import sys, hybridnb.report.claims, hybridnb.report.figures; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "sentence_transformers"} & set(loaded.stdout.split())


class TestScores:
    def test_a_row_a_run(self, scores: pd.DataFrame) -> None:
        assert list(scores.columns) == ["strategy", "seed", *tables.HEADLINE]
        assert scores.loc[1].tolist() == ["X-X-mono", 1, 0.72, 0.32, 0.24, 0.36, 0.16, 0.12, 420.0]

    def test_measures_are_those_of_the_catalogue(self) -> None:
        assert list(tables.HEADLINE) == [label for label in MEASURES if MEASURES[label].headline]
        assert list(tables.MAIN) == ["Mo mAP", "Cr mAP", "Mul mAP", "rank distance"]

    def test_means_keep_the_order_of_the_strategies(self, scores: pd.DataFrame) -> None:
        mean = tables.by_strategy(scores[::-1])
        assert list(mean.index) == ["X-Y", "X-X-mono"]
        assert mean.loc["X-Y", "Mul mAP"] == pytest.approx(0.31)
        assert mean.loc["X-X-mono", "rank distance"] == 410

    def test_the_spread_is_half_the_range_between_seeds(self, scores: pd.DataFrame) -> None:
        text = tables.with_spread(scores)
        assert text.loc["X-Y", "Mo mAP"] == "0.700 ± 0.040"
        assert text.loc["X-Y", "Mul mAP"] == "0.310 ± 0.090"
        assert text.loc["X-X-mono", "rank distance"] == "410 ± 10"
        single = tables.with_spread(scores[scores["seed"] == 0])
        assert single.loc["X-Y", ["Mo mAP", "rank distance"]].tolist() == ["0.660", "100"]

    def test_only_strategies_with_several_seeds_have_a_spread(self, scores: pd.DataFrame) -> None:
        text = tables.with_spread(scores.drop(index=0))
        assert text.loc["X-X-mono", "Mo mAP"] == "0.720"
        assert text.loc["X-Y", "Mo mAP"] == "0.700 ± 0.040"

    def test_what_is_not_known_is_left_empty(self, scores: pd.DataFrame) -> None:
        scores.loc[scores["strategy"] == "X-Y", "rank distance"] = np.nan
        text = tables.with_spread(scores)
        assert text["rank distance"].to_dict() == {"X-X-mono": "410 ± 10", "X-Y": ""}

    def test_on_the_screen_a_decimal_more(self, runs: list[Run]) -> None:
        monolingual = {"monolingual": {"map": 1.0, "recall@1": 0.5}}
        text = tables.headline_table({"toy": runs[0].metrics["toy"], "miracl-sw": monolingual})
        assert text.loc["toy", ["Mo mAP", "rank distance"]].tolist() == ["0.7000", "400.0"]
        assert text.loc["miracl-sw", ["Mo mAP", "Cr mAP"]].tolist() == ["1.0000", ""]

    def test_what_a_benchmark_does_not_have_is_said(self, scores: pd.DataFrame) -> None:
        assert tables.undefined(scores, "toy") == "Not defined on toy: none."
        multilingual = scores[["strategy", "seed", "Mul mAP", "Mul R@10"]]
        assert tables.undefined(multilingual, "toy") == (
            "Not defined on toy: Mo mAP, Cr mAP, Mo R@1, Cr R@1, rank distance "
            "(it has no monolingual and no cross-lingual task)."
        )

    def test_a_run_without_results_is_told(self, runs: list[Run], tmp_path: Path) -> None:
        assert tables.scores([], "toy").empty
        with pytest.raises(ValueError, match=r"X-Y seed 1 has no results on toy \(.*: train and evaluate it"):
            tables.scores([*runs, Run(tmp_path / "nowhere", "X-Y", 1)], "toy")
        with pytest.raises(ValueError, match="X-X-mono seed 0 has no results on ntrex"):
            tables.by_language(runs, "ntrex", "Cr mAP")


class TestLanguages:
    def test_both_sides_are_named(self, runs: list[Run]) -> None:
        crossed = tables.by_language(runs, "toy", "Cr mAP")
        assert len(crossed) == 4 * 6
        keys = ["strategy", "seed", "query_language", "candidate_language"]
        assert crossed.set_index(keys).loc[("X-Y", 0, "de", "sw"), "value"] == pytest.approx(0.4)
        mono = tables.by_language(runs[:1], "toy", "Mo mAP")
        assert (mono["query_language"] == mono["candidate_language"]).all()
        assert set(tables.by_language(runs, "toy", "Mul mAP")["candidate_language"]) == {"*"}
        assert tables.by_language(runs, "toy", "Mo R@1").loc[0, "value"] == pytest.approx(0.35)

    def test_the_monolingual_task_is_the_diagonal(self, runs: list[Run]) -> None:
        pairs = tables.language_pairs(runs, "toy")
        assert list(pairs) == ["X-X-mono", "X-Y"]
        assert pairs["X-Y"].loc["de", "de"] == pytest.approx((0.66 + 0.74) / 2)
        assert pairs["X-Y"].loc["sw", "en"] == pytest.approx((0.50 + 0.52) / 2 - 0.1)
        recall = tables.language_pairs(runs, "toy", "R@1")
        assert recall["X-Y"].loc["de", "sw"] == pytest.approx(0.51 / 2)

    @pytest.mark.parametrize("task", ["monolingual", "crosslingual"])
    def test_pairs_of_the_tasks_there_are(self, task: str, runs: list[Run]) -> None:
        """NTREX has no monolingual task, MIRACL no cross-lingual one."""
        both = tables.language_pairs(runs, "toy")["X-Y"].to_numpy()
        for run in runs:
            metrics = run.metrics
            del metrics["toy"][task]
            (run.directory / "metrics.json").write_text(json.dumps(metrics))
        diagonal = np.eye(3, dtype=bool)
        kept = diagonal if task == "crosslingual" else ~diagonal
        pairs = tables.language_pairs(runs, "toy")
        assert list(pairs) == ["X-X-mono", "X-Y"]
        assert pairs["X-Y"].to_numpy()[kept] == pytest.approx(both[kept])
        assert np.isnan(pairs["X-Y"].to_numpy()[~kept]).all()

    def test_a_pair_with_an_unseen_language_is_unseen(self, runs: list[Run]) -> None:
        table = tables.seen_table(runs, "toy")
        row = table.loc["X-X-mono"]
        assert row["Mo mAP", "seen"] == pytest.approx(0.71)
        assert row["Mo mAP", "unseen"] == pytest.approx(0.61)
        assert row["Cr mAP", "seen"] == pytest.approx(0.31)
        assert row["Cr mAP", "unseen"] == pytest.approx(0.21)
        assert row["Mul mAP", "unseen"] == pytest.approx(0.12)
        assert tables.unseen_languages(runs, "toy") == ["sw"]
        # a baseline was trained on nothing: the others' languages divide its table, too
        rewrite(runs[0], languages=[])
        assert tables.seen_table(runs, "toy").equals(table)
        for run in runs[2:]:
            rewrite(run, languages=LANGUAGES)
        everywhere = tables.seen_table(runs, "toy")
        assert everywhere.loc["X-Y", ("Cr mAP", "seen")] == pytest.approx((2 * 0.51 + 4 * 0.41) / 6)
        assert "unseen" not in everywhere.columns.get_level_values(1)
        assert tables.unseen_languages(runs, "toy") == []

    def test_shares_of_the_first_ten(self, runs: list[Run]) -> None:
        for n, run in enumerate(runs):
            own = 0.5 + 0.1 * n
            rows = [(q, c, own if q == c else (1 - own) / 2) for q in LANGUAGES for c in LANGUAGES]
            table = pd.DataFrame(rows, columns=["query_language", "candidate_language", "share"])
            table.to_csv(run.directory / "ranks" / "toy.top10.csv", index=False)
        shares = tables.top_languages(runs, "toy")
        assert shares["X-X-mono"].loc["de", "sw"] == pytest.approx((0.25 + 0.2) / 2)
        short = tables.bias_in_short(tables.scores(runs, "toy"), 2000, shares)
        assert short.index.tolist() == ["X-X-mono", "X-Y"]
        assert short.to_numpy().tolist() == [pytest.approx([410, 20.5, 55]), pytest.approx([110, 5.5, 75])]
        # a language that is asked in but not answered in is nobody's own
        without = {"X-Y": shares["X-Y"].drop(columns="de")}
        scores = tables.scores(runs[2:], "toy").drop(columns="rank distance")
        left = tables.bias_in_short(scores, 2000, without).iloc[0]
        assert left.isna().tolist() == [True, True, False] and left.iloc[2] == pytest.approx(75)


class TestEffects:
    def test_claims_are_counted_seed_by_seed(self, scores: pd.DataFrame) -> None:
        table = tables.effects(scores).set_index("claim")
        assert table["held"].to_dict() == {
            "X-Y has higher Cr mAP than X-X-mono": "2 of 2 seeds",
            "X-Y has higher Mul mAP than X-X-mono": "1 of 2 seeds",
            "X-Y has lower rank distance than X-X-mono": "2 of 2 seeds",
            "X-Y has lower Mo mAP than X-X-mono": "1 of 2 seeds",
        }

    def test_only_seeds_that_both_have_are_compared(self, scores: pd.DataFrame) -> None:
        table = tables.effects(scores.drop(index=3))
        assert set(table["held"]) == {"1 of 1 seeds"}

    def test_only_mixed_strategies_are_held_against_monolingual_batches(self, scores: pd.DataFrame) -> None:
        for other in ("X-X", "En-En", NOT_TRAINED, "hybrid(1.0)"):
            assert tables.effects(scores.replace({"strategy": {"X-Y": other}})).empty
        claims = tables.effects(scores.replace({"strategy": {"X-Y": "hybrid(0.25)"}}))["claim"].tolist()
        assert len(claims) == 3 and all(claim.startswith("hybrid(0.25) has ") for claim in claims)
        alone = tables.effects(scores[scores["strategy"] == "X-Y"])
        assert alone.empty and list(alone) == ["claim", "held"]

    def test_a_benchmark_of_one_language_has_no_cross_lingual_claims(self, scores: pd.DataFrame) -> None:
        table = tables.effects(scores.drop(columns=["Cr mAP", "Cr R@1", "rank distance"]))
        assert table["claim"].tolist() == [
            "X-Y has higher Mul mAP than X-X-mono",
            "X-Y has lower Mo mAP than X-X-mono",
        ]


class TestSweeps:
    def test_alpha_is_that_of_the_strategy(self, runs: list[Run]) -> None:
        directory = runs[0].directory
        others = [
            Run(directory, "hybrid(0.25)", 0),
            Run(directory, "hybrid(0.75)", 0, 0.5),
            Run(directory, "X-X", 0),
            Run(directory, "En-En", 0),
            Run(directory, NOT_TRAINED, 0),
        ]
        table = tables.by_alpha([*runs, *others], "toy")
        assert table[["alpha", "seed", "Mul mAP"]].to_numpy().tolist() == [
            [0.0, 0, 0.40], [0.25, 0, 0.20], [1.0, 0, 0.20],
        ]  # fmt: skip
        assert len(tables.by_alpha(runs, "toy")) == 4  # both seeds, which both have
        assert tables.by_alpha(others[1:], "toy").empty
        assert tables.by_alpha([], "toy").empty

    def test_fractions_are_compared_where_there_are_several(self, runs: list[Run]) -> None:
        small = [Run(runs[0].directory, "X-Y", 0, 0.25), Run(runs[0].directory, "X-X", 0)]
        table = tables.by_fraction([*runs, *small], "toy")
        assert table[["strategy", "fraction", "seed", "Mul mAP"]].to_numpy().tolist() == [
            ["X-Y", 1.0, 0, 0.40], ["X-Y", 0.25, 0, 0.20],
        ]  # fmt: skip
        assert tables.by_fraction(runs, "toy").empty


class TestHowItWasMade:
    def test_runs_of_one_kind_are_one_row(self, runs: list[Run]) -> None:
        table = tables.runs_table(runs)
        assert table.index.to_list() == ["X-X-mono", "X-Y"]
        assert table.iloc[0].to_dict() == {
            "fraction of the data": "1",
            "pairs seen": 32,
            "device": "a GPU",
            "code": "0123456789ab",
            "seeds": 2,
            "minutes of training": 1.5,
        }
        rewrite(runs[1], device="another")
        assert tables.runs_table(runs)["device"].to_list() == ["a GPU", "another", "a GPU"]

    def test_settings_are_a_row_each(self, runs: list[Run]) -> None:
        values = tables.settings_table(runs[3])["value"].to_dict()
        assert values == {
            "strategy": "X-Y",
            "seed": "1",
            "languages": "de en",
            "encoder": "toy-e5",
            "steps": "4",
            "batch_size": "8",
            "temperature": "0.05",
            "learning_rate": "0.001",
            "pairs seen": "32",
            "sha256 of toy:train": "abababababababab",
        }

    def test_losses_at_both_ends_and_where_the_weights_are_from(self, draw_run: Callable[..., Run]) -> None:
        run = draw_run("X-Y", spread=20)
        history = pd.DataFrame({"step": [1, 5, 10, 20, 30], "loss": [4.0, 3.0, 2.0, 1.0, 0.5]})
        history["validation"] = [None, 2.5, 1.75, 1.25, 1.5]
        history.to_csv(run.directory / "history.csv", index=False)
        rewrite(run, best_step=20)
        assert tables.losses(run)["validation"].to_dict() == {5: 2.5, 20: 1.25, 30: 1.5}
        rewrite(run, best_step=30)
        assert tables.losses(run)["validation"].to_dict() == {5: 2.5, 30: 1.5}

    def test_histories_stand_one_below_the_other(self, draw_run: Callable[..., Run]) -> None:
        table = tables.histories([draw_run("X-Y", seed, spread=20) for seed in (0, 1)])
        assert table[["strategy", "seed", "step"]].to_numpy().tolist() == [
            ["X-Y", 0, 2], ["X-Y", 0, 4], ["X-Y", 1, 2], ["X-Y", 1, 4],
        ]  # fmt: skip

    def test_tests_as_text(self) -> None:
        row = {
            "against": "X-Y",
            "difference": 0.0123,
            "low": -0.001,
            "high": 0.03,
            "effect": 0.5,
            "p_holm": 0.04,
        }
        ranks = {"difference": -120.4, "low": -150.0, "high": -80.2, "effect": -1.0, "p_holm": 0.0002}
        compared = pd.DataFrame([row | {"measure": "Mo mAP"}, row | ranks | {"measure": "rank distance"}])
        text = tables.tests_table(compared)
        assert text.index.tolist() == ["X-Y", "X-Y"]
        assert text.to_numpy().tolist() == [
            ["Mo mAP", "+0.012", "[-0.001, +0.030]", "+0.50", "0.0400"],
            ["rank distance", "-120", "[-150, -80]", "-1.00", "0.0002"],
        ]


def test_bias_table_agrees_with_scipy(runs: list[Run]) -> None:
    rng = np.random.default_rng(0)
    expected, distances = [], []
    for run in runs:
        # 8 questions in 2 languages, answers in 3: the merged pool only
        order = np.stack([rng.permutation(30)[:3] + 1 for _ in range(16)])
        rows = [
            ("toy", "multilingual", asked, "*", f"q{n}", code, order[8 * a + n, c], 30)
            for a, asked in enumerate(("de", "en"))
            for n in range(8)
            for c, code in enumerate(LANGUAGES)
        ]
        pd.DataFrame(rows, columns=COLUMNS).to_parquet(run.directory / "ranks" / "toy.parquet")
        statistics = [friedmanchisquare(*part.T).statistic for part in (order[:8], order[8:])]
        expected.append(np.mean(statistics) / (8 * 2))
        distances.append(np.mean(order.max(axis=1) - order.min(axis=1)))
    table = tables.bias_table(runs, "toy")
    assert table.index.tolist() == ["X-X-mono", "X-X-mono", "X-Y", "X-Y"]
    assert table["rank distance"].to_numpy() == pytest.approx(distances)
    assert list(table) == ["seed", *BIAS, "Kendall's W", "languages with p < 0.001"]
    assert table["Kendall's W"].to_numpy() == pytest.approx(expected)
    assert set(table["languages with p < 0.001"]) == {"0 of 2"}


def test_places_add_up_to_map(draw_run: Callable[..., Run]) -> None:
    runs = [draw_run(n, seed, spread=spread) for n, spread in (("X-Y", 20), ("X-X", 40)) for seed in (0, 1)]
    table = tables.places(runs, "toy")
    assert list(table) == ["X-Y", "X-X"] and table.index.tolist() == [1, 2, 3]
    means = tables.by_strategy(tables.scores(runs, "toy"))["Mul mAP"]
    assert table.sum().to_dict() == pytest.approx(means.to_dict())


def test_where_mrr_and_map_disagree_is_said() -> None:
    places = pd.DataFrame({"X-Y": [0.3, 0.2], "X-X": [0.35, 0.1], "En-En": [0.1, 0.1]})
    own = {"MRR": [0.6, 0.6, 0.7, 0.2], "own language first": [0.4, 0.6, 0.9, 0.1]}
    bias = pd.DataFrame(own, index=pd.Index(["X-Y", "X-Y", "X-X", "En-En"], name="strategy"))
    assert tables.where_mrr_misleads(places, bias) == [
        "X-X is ahead of X-Y in MRR (+0.100) and behind in mAP (-0.050): the best answer of a query adds +0.0500 to "
        "mAP, the others -0.1000. It is in the query's own language in 90% of the queries, with X-Y in 50%."
    ]


def test_first_languages_are_means_over_seeds(draw_run: Callable[..., Run]) -> None:
    runs = [draw_run("X-Y", seed, spread=20) for seed in (0, 1)]
    table = tables.first_languages(runs, "toy")
    assert table.index.tolist() == ["X-Y"]
    assert table.loc["X-Y"].tolist() == pytest.approx([1 / 3, 1, np.log2(3), np.log2(3)])


def test_how_far_translations_are_apart_is_of_the_first_run(draw_run: Callable[..., Run]) -> None:
    drawn = [draw_run("X-Y", seed, spread=20) for seed in (0, 1)]
    table = tables.apart(drawn, "toy").set_index("query_language")
    assert set(table["seed"]) == {0} and table.index.tolist() == ["de", "en", "sw"]
    vectors = drawn[0].answers("toy").to_numpy().reshape(3, 3, -1)  # answer, language
    middles = vectors.mean(axis=1)
    between = np.mean([np.linalg.norm(middles[a] - middles[b]) for a, b in ((0, 1), (0, 2), (1, 2))])
    own = np.linalg.norm(vectors - middles[:, None], axis=2).mean(axis=0) / between
    assert table["value"].tolist() == pytest.approx(own.tolist(), rel=1e-5)


def test_what_needs_ranks_is_of_the_seeds_that_have_them(draw_run: Callable[..., Run]) -> None:
    drawn = [draw_run(name, seed, spread=20) for name in ("X-Y", "X-X-mono") for seed in (0, 1)]
    whole = [drawn[0], drawn[2]]
    assert tables.ranked_seeds(drawn, "toy") == "" and tables.ranked(drawn, "toy") == drawn
    for run in (drawn[1], drawn[3]):
        write_questions(run.directory / "questions" / "toy.parquet", run.ranks("toy"), [])
        (run.directory / "ranks" / "toy.parquet").unlink()
    for table in (tables.bias_table, tables.places):
        pd.testing.assert_frame_equal(table(drawn, "toy"), table(whole, "toy"))
    assert set(tables.apart(drawn, "toy")["strategy"]) == {"X-Y", "X-X-mono"}
    assert tables.ranked_seeds(drawn, "toy") == (
        "What follows is of ranks tables, which are recorded of 1 of 2 seeds on toy."
    )
    none = [drawn[1], drawn[3]]
    bias, places = tables.bias_table(none, "toy"), tables.places(none, "toy")
    assert bias.empty and {"seed", "rank distance", "Kendall's W"} <= set(bias) and places.empty
    assert tables.where_mrr_misleads(places, bias) == [] and tables.apart(none, "toy").empty
    assert "0 of 1 seeds" in tables.ranked_seeds(none, "toy")


@pytest.mark.parametrize("tasks", [["monolingual"], ["crosslingual", "multilingual"], ["multilingual"]])
@pytest.mark.parametrize("strategies", [["X-Y"], [NOT_TRAINED, "X-X-mono", "hybrid(0.5)"]])
def test_a_study_of_any_tasks_and_one_seed_has_all_tables(
    tasks: Sequence[str], strategies: Sequence[str], draw_run: Callable[..., Run]
) -> None:
    runs = [draw_run(name, spread=20 + n, tasks=tasks) for n, name in enumerate(strategies)]
    scores = tables.scores(runs, "toy")
    has = {"monolingual": "Mo", "crosslingual": "Cr", "multilingual": "Mul"}
    labels = [label for label in tables.HEADLINE if tables.HEADLINE[label].task in tasks]
    assert list(scores)[2:] == labels and tables.with_spread(scores).index.tolist() == strategies
    for task, short in has.items():
        assert (f"no {tables.TASK_NAMES[task]}" in tables.undefined(scores, "toy")) == (task not in tasks)
        assert tables.by_language(runs, "toy", f"{short} mAP").empty == (task not in tasks)
    pairs = tables.language_pairs(runs, "toy")
    assert list(pairs) == ([] if tasks == ["multilingual"] else strategies)
    seen = tables.seen_table(runs, "toy").columns.get_level_values(0)
    assert set(seen) == {f"{has[task]} mAP" for task in tasks}
    bias, places = tables.bias_table(runs, "toy"), tables.places(runs, "toy")
    assert bias["rank distance"].notna().all() == ("multilingual" in tasks) == (len(places) > 0)
    assert isinstance(tables.where_mrr_misleads(places, bias), list)
    assert tables.first_languages(runs, "toy").index.tolist() == strategies
    effects = tables.effects(scores)["claim"].tolist()
    expected = [f"{has[task]} mAP" for task in tasks if task != "monolingual"] if len(strategies) > 1 else []
    assert [label for label in ("Cr mAP", "Mul mAP") if any(label in claim for claim in effects)] == expected


def test_what_is_not_the_runs_own_is_refused_in_a_line(draw_run: Callable[..., Run]) -> None:
    """A table is never drawn from ranks that another evaluation left, nor from a part of a file."""
    run = draw_run("X-Y", spread=20)
    made = {"encoder": {}, "encoder_sha256": "a", "benchmark_sha256": "0" * 64, "ranks_sha256": "0" * 64}
    (run.directory / "evaluations.json").write_text(json.dumps({"toy": made}))
    with pytest.raises(
        ValueError, match=r"toy\.parquet is not the ranks table .*: delete it and evaluate again$"
    ):
        tables.bias_table([run], "toy")
    shares = run.directory / "ranks" / "toy.top10.csv"
    shares.write_text("query_language,candidate_language\nde,de\n")
    with pytest.raises(ValueError, match=r"toy\.top10\.csv is damaged \(.*\): delete it and evaluate again$"):
        tables.top_languages([run], "toy")
    (run.directory / "ranks" / "toy.answers.parquet").unlink()
    with pytest.raises(FileNotFoundError, match=r"toy\.answers\.parquet is missing: .* evaluate it again$"):
        tables.apart([run], "toy")


def test_a_query_in_the_middle_is_followed(draw_run: Callable[..., Run]) -> None:
    ranks = draw_run("X-Y", spread=20).ranks("toy")
    language, query = tables.typical_query(ranks)
    table = tables.one_query(ranks, language, query)
    assert table["rank in the merged pool"].is_monotonic_increasing and len(table) == 3
    distances = []
    for (asked, number), rows in ranks[ranks["task"] == "multilingual"].groupby(
        ["query_language", "query_id"], observed=True
    ):
        distances.append(rows["rank"].max() - rows["rank"].min())
        if (asked, number) == (language, query):
            by_language = rows.set_index("relevant_language")["rank"].sort_values()
            assert table["rank in the merged pool"].to_dict() == by_language.to_dict()
    mine = table["rank in the merged pool"].iloc[-1] - table["rank in the merged pool"].iloc[0]
    assert mine == sorted(distances)[len(distances) // 2]
    alone = ranks[(ranks["query_id"] == query) & (ranks["query_language"] == language)]
    of_own = alone[alone["task"] == "monolingual"]["rank"].item()
    assert table.loc[language, "rank in its own pool"] == of_own and set(table["candidates there"]) == {1000}


def test_own_shares_are_of_the_diagonal(draw_run: Callable[..., Run]) -> None:
    table = tables.own_shares([draw_run("X-Y", seed, spread=20) for seed in (0, 1)], "toy")
    assert len(table) == 6 and table["value"].tolist() == pytest.approx([100 / 3] * 6)
