"""Tables, sentences and figures, from numbers small enough to check by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.stats import friedmanchisquare
from toy import HELD_OUT, write_run_json

from hybridnb.corpora.describe import language_pairs, lengths
from hybridnb.report import figures, tables
from hybridnb.retrieval.ranks_table import COLUMNS
from hybridnb.study.runs import Run

matplotlib.use("Agg")

LANGUAGES = ("de", "en", "sw")
PAIRS = [(one, other) for one in LANGUAGES for other in LANGUAGES if one != other]

# strategy, seed -> Mo mAP, Cr mAP, Mul mAP, rank distance
MADE = {
    ("X-X-mono", 0): (0.70, 0.30, 0.20, 400.0),
    ("X-X-mono", 1): (0.72, 0.32, 0.24, 420.0),
    ("X-Y", 0): (0.66, 0.50, 0.40, 100.0),
    ("X-Y", 1): (0.74, 0.52, 0.22, 120.0),
}


def made_metrics(mono: float, cross: float, multi: float, distance: float) -> dict[str, Any]:
    """metrics.json of a benchmark; Swahili is 0.1 worse, and the averages are over what is there."""
    by_language = {code: {"map": mono - 0.1 * (code == "sw"), "recall@1": mono / 2} for code in LANGUAGES}
    by_pair = {f"{q}>{c}": {"map": cross - 0.1 * ("sw" in (q, c)), "recall@1": cross / 2} for q, c in PAIRS}
    merged = {code: {"map": multi - 0.1 * (code == "sw"), "recall@10": multi / 2} for code in LANGUAGES}
    return {
        "monolingual": {"map": mono, "recall@1": mono / 2, "by_language": by_language},
        "crosslingual": {"map": cross, "recall@1": cross / 2, "by_language": by_pair},
        "multilingual": {
            "map": multi,
            "recall@10": multi / 2,
            "rank_distance": distance,
            "by_language": merged,
        },
    }


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    made = []
    for (strategy, seed), values in MADE.items():
        directory = tmp_path / f"{strategy}-{seed}"
        directory.mkdir()
        (directory / "metrics.json").write_text(json.dumps({"toy": made_metrics(*values)}))
        write_run_json(directory, **{"languages": ["de", "en"]})
        made.append(Run(directory, strategy, seed))
    return made


@pytest.fixture
def scores(runs: list[Run]) -> pd.DataFrame:
    return tables.scores(runs, "toy")


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


class TestTables:
    def test_scores_are_a_row_a_run(self, scores: pd.DataFrame) -> None:
        assert list(scores.columns) == ["strategy", "seed", *tables.HEADLINE]
        assert scores.loc[1].tolist() == ["X-X-mono", 1, 0.72, 0.32, 0.24, 0.36, 0.16, 0.12, 420.0]

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

    def test_headline_table_leaves_out_what_a_benchmark_lacks(self) -> None:
        monolingual = {"monolingual": {"map": 1.0, "recall@1": 0.5}}
        text = tables.headline_table({"toy": made_metrics(0.7, 0.3, 0.2, 400.0), "miracl-sw": monolingual})
        assert text.loc["toy", "Mo mAP"] == "0.7000"
        assert text.loc["toy", "rank distance"].startswith("400")
        assert text.loc["miracl-sw", "Mo mAP"] == "1.0000"
        assert text.loc["miracl-sw", "Cr mAP"] == ""

    def test_by_language_names_both_sides(self, runs: list[Run]) -> None:
        crossed = tables.by_language(runs, "toy", "Cr mAP")
        assert len(crossed) == 4 * 6
        keys = ["strategy", "seed", "query_language", "candidate_language"]
        assert crossed.set_index(keys).loc[("X-Y", 0, "de", "sw"), "value"] == pytest.approx(0.4)
        mono = tables.by_language(runs[:1], "toy", "Mo mAP")
        assert (mono["query_language"] == mono["candidate_language"]).all()
        assert set(tables.by_language(runs, "toy", "Mul mAP")["candidate_language"]) == {"*"}

    def test_language_pairs_have_the_monolingual_task_on_the_diagonal(self, runs: list[Run]) -> None:
        pairs = tables.language_pairs(runs, "toy")
        assert list(pairs) == ["X-X-mono", "X-Y"]
        assert pairs["X-Y"].loc["de", "de"] == pytest.approx((0.66 + 0.74) / 2)
        assert pairs["X-Y"].loc["sw", "en"] == pytest.approx((0.50 + 0.52) / 2 - 0.1)

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
        write_run_json(runs[0].directory, **{"languages": []})
        assert tables.seen_table(runs, "toy").equals(table)
        for run in runs[2:]:
            write_run_json(run.directory, **{"languages": LANGUAGES})
        everywhere = tables.seen_table(runs, "toy")
        assert everywhere.loc["X-Y", ("Cr mAP", "seen")] == pytest.approx((2 * 0.51 + 4 * 0.41) / 6)
        assert "unseen" not in everywhere.columns.get_level_values(1)
        assert tables.unseen_languages(runs, "toy") == []

    def test_alpha_is_that_of_the_strategy(self, runs: list[Run]) -> None:
        hybrid = [
            Run(runs[0].directory, "hybrid(0.25)", 0),
            Run(runs[0].directory, "hybrid(0.75)", 0, fraction=0.5),
            Run(runs[0].directory, "X-X", 0),
        ]
        table = tables.by_alpha([*runs, *hybrid], "toy")
        assert table[["alpha", "seed", "Mul mAP"]].to_numpy().tolist() == [
            [0.0, 0, 0.40], [0.0, 1, 0.22], [0.25, 0, 0.20], [1.0, 0, 0.20], [1.0, 1, 0.24],
        ]  # fmt: skip

    def test_shares_are_compared_where_there_are_several(self, runs: list[Run]) -> None:
        small = [Run(runs[0].directory, "X-Y", 0, fraction=0.25), Run(runs[0].directory, "X-X", 0)]
        table = tables.by_fraction([*runs, *small], "toy")
        assert table[["strategy", "fraction", "seed", "Mul mAP"]].to_numpy().tolist() == [
            ["X-Y", 1.0, 0, 0.40], ["X-Y", 1.0, 1, 0.22], ["X-Y", 0.25, 0, 0.20],
        ]  # fmt: skip
        assert tables.by_fraction(runs, "toy").empty

    def test_runs_of_one_kind_are_one_row(self, runs: list[Run]) -> None:
        for n, run in enumerate(runs):
            info = {"pairs_seen": 5120, "device": "a GPU", "code": "0123456789abcdef", "seconds": 60 * n}
            write_run_json(run.directory, **info)
        table = tables.runs_table(runs)
        assert table.index.to_list() == ["X-X-mono", "X-Y"]
        assert table["seeds"].to_list() == [2, 2]
        assert table["minutes of training"].to_list() == [0.5, 2.5]

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
        assert tables.tests_table(compared).to_numpy().tolist() == [
            ["Mo mAP", "+0.012", "[-0.001, +0.030]", "+0.50", "0.0400"],
            ["rank distance", "-120", "[-150, -80]", "-1.00", "0.0002"],
        ]

    def test_only_strategies_with_several_seeds_have_a_spread(self, scores: pd.DataFrame) -> None:
        text = tables.with_spread(scores.drop(index=0))
        assert text.loc["X-X-mono", "Mo mAP"] == "0.720"
        assert text.loc["X-Y", "Mo mAP"] == "0.700 ± 0.040"

    def test_bias_table_agrees_with_scipy(self, runs: list[Run]) -> None:
        rng = np.random.default_rng(0)
        expected = []
        for run in runs:
            # 8 questions in 2 languages, answers in 3: the merged pool only
            order = np.stack([rng.permutation(30)[:3] + 1 for _ in range(16)])
            rows = [
                ("toy", "multilingual", asked, "*", f"q{n}", code, order[8 * a + n, c], 30)
                for a, asked in enumerate(("de", "en"))
                for n in range(8)
                for c, code in enumerate(LANGUAGES)
            ]
            (run.directory / "ranks").mkdir()
            pd.DataFrame(rows, columns=COLUMNS).to_parquet(run.directory / "ranks" / "toy.parquet")
            statistics = [friedmanchisquare(*part.T).statistic for part in (order[:8], order[8:])]
            expected.append(np.mean(statistics) / (8 * 2))
        table = tables.bias_table(runs, "toy")
        assert table.index.tolist() == [strategy for strategy, _ in MADE]
        assert table["rank distance"].tolist() == [400, 420, 100, 120]
        assert table["Kendall's W"].to_numpy() == pytest.approx(expected)

    def test_shares_of_the_first_ten(self, runs: list[Run]) -> None:
        for n, run in enumerate(runs):
            own = 0.5 + 0.1 * n
            rows = [(q, c, own if q == c else (1 - own) / 2) for q in LANGUAGES for c in LANGUAGES]
            (run.directory / "ranks").mkdir()
            table = pd.DataFrame(rows, columns=["query_language", "candidate_language", "share"])
            table.to_csv(run.directory / "ranks" / "toy.top10.csv", index=False)
        shares = tables.top_languages(runs, "toy")
        assert shares["X-X-mono"].loc["de", "sw"] == pytest.approx((0.25 + 0.2) / 2)
        short = tables.bias_in_short(tables.scores(runs, "toy"), 2000, shares)
        assert short.to_numpy().tolist() == [pytest.approx([410, 20.5, 55]), pytest.approx([110, 5.5, 75])]


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
        table = tables.effects(scores.drop(index=3)).set_index("claim")
        assert set(table["held"]) == {"1 of 1 seeds"}

    def test_only_mixed_strategies_are_held_against_monolingual_batches(self, scores: pd.DataFrame) -> None:
        renamed = scores.replace({"strategy": {"X-Y": "X-X"}})
        assert tables.effects(renamed).empty
        hybrid = scores.replace({"strategy": {"X-Y": "hybrid(0.25)"}})
        claims = tables.effects(hybrid)["claim"].tolist()
        assert len(claims) == 3 and all(claim.startswith("hybrid(0.25) has ") for claim in claims)
        assert tables.effects(scores[scores["strategy"] == "X-Y"]).empty

    def test_a_benchmark_of_one_language_has_no_cross_lingual_claims(self, scores: pd.DataFrame) -> None:
        claims = tables.effects(scores.drop(columns=["Cr mAP", "Cr R@1", "rank distance"]))["claim"].tolist()
        assert claims == [
            "X-Y has higher Mul mAP than X-X-mono",
            "X-Y has lower Mo mAP than X-X-mono",
        ]


class TestFigures:
    def test_bars_are_the_means(self, scores: pd.DataFrame) -> None:
        figure = figures.strategies_by_task(scores, 2000)
        left, right = figure.axes
        heights = [[bar.get_height() for bar in bars] for bars in left.containers]
        mean = tables.by_strategy(scores)
        assert heights[0] == pytest.approx(mean.loc["X-X-mono", ["Mo mAP", "Cr mAP", "Mul mAP"]].tolist())
        assert heights[1] == pytest.approx(mean.loc["X-Y", ["Mo mAP", "Cr mAP", "Mul mAP"]].tolist())
        assert [bars[0].get_height() for bars in right.containers] == [410, 110]
        assert "2,000" in right.get_ylabel()

    def test_a_heatmap_a_strategy(self, runs: list[Run]) -> None:
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

    def test_unseen_languages_are_starred(self, runs: list[Run]) -> None:
        table = tables.by_language(runs, "toy", "Mul mAP")
        axes = figures.language_bars(table, "mAP", "title", unseen=["sw"]).axes[0]
        assert [label.get_text() for label in axes.get_xticklabels()] == ["de", "en", "sw*"]
        assert [len(bars) for bars in axes.containers if hasattr(bars, "patches")] == [3, 3]
        assert "not trained on" in axes.get_xlabel()
        plain = figures.language_bars(table, "mAP", "title").axes[0]
        assert plain.get_xlabel() == "query language"

    def test_curves_of_the_losses_there_are(self) -> None:
        history = pd.DataFrame({"step": [1, 2], "loss": [2.0, 1.0], "validation_mono": [None, 1.5]})
        both = pd.concat([history.assign(strategy=name, seed=0) for name in ("X-Y", "X-X-mono")])
        figure = figures.validation_curves(both)
        assert [axes.get_title() for axes in figure.axes] == [
            "training batches",
            "validation, monolingual batches",
        ]
        assert figure.axes[0].get_lines()[0].get_ydata().tolist() == [2, 1]

    def test_principal_plane_agrees_with_the_covariance(self) -> None:
        matrix = np.random.default_rng(1).normal(size=(40, 5)).astype(np.float32) * [5, 3, 1, 1, 1]
        plane, explained = figures.principal_plane(matrix.astype(np.float32))
        variances = np.linalg.eigvalsh(np.cov(matrix.T))[::-1]
        assert explained == pytest.approx(variances[:2] / variances.sum(), rel=1e-5)
        assert plane.var(axis=0, ddof=1) == pytest.approx(variances[:2], rel=1e-5)
        assert plane[:, 0] @ plane[:, 1] == pytest.approx(0, abs=1e-6)

    def test_a_projection_has_a_point_a_passage(self) -> None:
        vectors = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
        index = pd.MultiIndex.from_product([range(3), ["de", "en"]], names=["answer", "language"])
        figure = figures.projections({"X-Y": pd.DataFrame(vectors, index)})
        points = figure.axes[0].collections[0].get_offsets()
        assert np.asarray(points) == pytest.approx(figures.principal_plane(vectors)[0])

    def test_a_curve_has_a_line_a_strategy(self, runs: list[Run]) -> None:
        small = [Run(run.directory, run.strategy, run.seed, fraction=0.25) for run in runs]
        table = tables.by_fraction([*runs, *small], "toy")
        reference = tables.scores(runs, "toy").iloc[0]
        figure = figures.curves(table, "fraction", "title", reference)
        means = table.groupby(["strategy", "fraction"]).mean()
        for axes, column in zip(figure.axes, ("Mo mAP", "Cr mAP", "Mul mAP", "rank distance"), strict=True):
            lines = [list(line.get_ydata()) for line in axes.get_lines()]
            assert any(
                line == pytest.approx(means.loc["X-X-mono", column].tolist()) for line in lines if line
            )
            assert axes.get_xscale() == "log"
        by_alpha = figures.curves(tables.by_alpha(runs, "toy"), "alpha", "title", reference)
        assert by_alpha.axes[2].get_lines()[0].get_ydata() == pytest.approx([0.31, 0.22])
        assert "(no fine-tuning: 0.200)" in by_alpha.axes[2].get_title()

    def test_differences_are_filled_where_they_are_significant(self) -> None:
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

    def test_many_panels_stand_in_rows_of_two(self) -> None:
        table = pd.DataFrame(np.eye(2), index=["de", "en"], columns=["de", "en"])
        panels = figures.pair_heatmaps({f"s{n}": table for n in range(5)}).axes[:5]
        assert [panel.get_title() for panel in panels] == [f"s{n}" for n in range(5)]
        grid = [panel.get_subplotspec() for panel in panels]
        assert [(cell.rowspan.start, cell.colspan.start) for cell in grid] == [
            (0, 0), (0, 1), (1, 0), (1, 1), (2, 0),
        ]  # fmt: skip

    def test_what_is_in_a_corpus(self) -> None:
        pairs = language_pairs(HELD_OUT)
        drawn = figures.coverage(pairs, "title").axes[0].collections[0].get_array()
        assert np.asarray(drawn).reshape(3, 3).tolist() == [[8] * 3] * 3
        panels = figures.lengths(lengths(HELD_OUT)).axes
        assert [axes.get_title() for axes in panels] == ["queries", "passages"]
        assert all(axes.get_ylim()[0] == 0 for axes in panels)

    def test_a_saved_figure_is_the_same_file_again(
        self, scores: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(figures, "FIGURES", tmp_path)
        content = []
        for _ in range(2):
            figures.save(figures.strategies_by_task(scores, 2000), "study", "strategies")
            content.append((tmp_path / "study" / "strategies.png").read_bytes())
        assert content[0].startswith(b"\x89PNG")
        assert content[0] == content[1]
        assert plt.get_fignums() == []

    def test_a_strategy_keeps_its_colour(self) -> None:
        colours = figures.palette(["X-Y", "X-Y", "X-X-mono"])
        assert list(colours) == ["X-Y", "X-X-mono"]
        assert colours["X-Y"] != colours["X-X-mono"]
