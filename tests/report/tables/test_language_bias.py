"""Tables of language bias, against scipy and numbers small enough to check by hand."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.stats import friedmanchisquare

from hybridnb.measures.catalogue import BIAS
from hybridnb.measures.questions_file import write_questions
from hybridnb.report.tables import headline, language_bias
from hybridnb.retrieval.ranks_table import COLUMNS
from hybridnb.study.runs import Run

LANGUAGES = ("de", "en", "sw")


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
    table = language_bias.bias_table(runs, "toy")
    assert table.index.tolist() == ["X-X-mono", "X-X-mono", "X-Y", "X-Y"]
    assert table["rank distance"].to_numpy() == pytest.approx(distances)
    assert list(table) == ["seed", *BIAS, "Kendall's W", "languages with p < 0.001"]
    assert table["Kendall's W"].to_numpy() == pytest.approx(expected)
    assert set(table["languages with p < 0.001"]) == {"0 of 2"}


def test_places_add_up_to_map(draw_run: Callable[..., Run]) -> None:
    runs = [draw_run(n, seed, spread=spread) for n, spread in (("X-Y", 20), ("X-X", 40)) for seed in (0, 1)]
    table = language_bias.places(runs, "toy")
    assert list(table) == ["X-Y", "X-X"] and table.index.tolist() == [1, 2, 3]
    means = headline.by_strategy(headline.scores(runs, "toy"))["Mul mAP"]
    assert table.sum().to_dict() == pytest.approx(means.to_dict())


def test_where_mrr_and_map_disagree_is_said() -> None:
    places = pd.DataFrame({"X-Y": [0.3, 0.2], "X-X": [0.35, 0.1], "En-En": [0.1, 0.1]})
    own = {"MRR": [0.6, 0.6, 0.7, 0.2], "own language first": [0.4, 0.6, 0.9, 0.1]}
    bias = pd.DataFrame(own, index=pd.Index(["X-Y", "X-Y", "X-X", "En-En"], name="strategy"))
    assert language_bias.where_mrr_misleads(places, bias) == [
        "X-X is ahead of X-Y in MRR (+0.100) and behind in mAP (-0.050): the best answer of a query adds +0.0500 to "
        "mAP, the others -0.1000. It is in the query's own language in 90% of the queries, with X-Y in 50%."
    ]


def test_shares_of_the_first_ten(runs: list[Run]) -> None:
    for n, run in enumerate(runs):
        own = 0.5 + 0.1 * n
        rows = [(q, c, own if q == c else (1 - own) / 2) for q in LANGUAGES for c in LANGUAGES]
        table = pd.DataFrame(rows, columns=["query_language", "candidate_language", "share"])
        table.to_csv(run.directory / "ranks" / "toy.top10.csv", index=False)
    shares = language_bias.top_languages(runs, "toy")
    assert shares["X-X-mono"].loc["de", "sw"] == pytest.approx((0.25 + 0.2) / 2)
    short = language_bias.bias_in_short(headline.scores(runs, "toy"), 2000, shares)
    assert short.index.tolist() == ["X-X-mono", "X-Y"]
    assert short.to_numpy().tolist() == [pytest.approx([410, 20.5, 55]), pytest.approx([110, 5.5, 75])]
    # a language that is asked in but not answered in is nobody's own
    without = {"X-Y": shares["X-Y"].drop(columns="de")}
    scores = headline.scores(runs[2:], "toy").drop(columns="rank distance")
    left = language_bias.bias_in_short(scores, 2000, without).iloc[0]
    assert left.isna().tolist() == [True, True, False] and left.iloc[2] == pytest.approx(75)


def test_own_shares_are_of_the_diagonal(draw_run: Callable[..., Run]) -> None:
    table = language_bias.own_shares([draw_run("X-Y", seed, spread=20) for seed in (0, 1)], "toy")
    assert len(table) == 6 and table["value"].tolist() == pytest.approx([100 / 3] * 6)


def test_first_languages_are_means_over_seeds(draw_run: Callable[..., Run]) -> None:
    runs = [draw_run("X-Y", seed, spread=20) for seed in (0, 1)]
    table = language_bias.first_languages(runs, "toy")
    assert table.index.tolist() == ["X-Y"]
    assert table.loc["X-Y"].tolist() == pytest.approx([1 / 3, 1, np.log2(3), np.log2(3)])


def test_how_far_translations_are_apart_is_of_the_first_run(draw_run: Callable[..., Run]) -> None:
    drawn = [draw_run("X-Y", seed, spread=20) for seed in (0, 1)]
    table = language_bias.apart(drawn, "toy").set_index("query_language")
    assert set(table["seed"]) == {0} and table.index.tolist() == ["de", "en", "sw"]
    vectors = drawn[0].answers("toy").to_numpy().reshape(3, 3, -1)  # answer, language
    middles = vectors.mean(axis=1)
    between = np.mean([np.linalg.norm(middles[a] - middles[b]) for a, b in ((0, 1), (0, 2), (1, 2))])
    own = np.linalg.norm(vectors - middles[:, None], axis=2).mean(axis=0) / between
    assert table["value"].tolist() == pytest.approx(own.tolist(), rel=1e-5)


def test_what_needs_ranks_is_of_the_seeds_that_have_them(draw_run: Callable[..., Run]) -> None:
    drawn = [draw_run(name, seed, spread=20) for name in ("X-Y", "X-X-mono") for seed in (0, 1)]
    whole = [drawn[0], drawn[2]]
    assert language_bias.ranked_seeds(drawn, "toy") == "" and language_bias.ranked(drawn, "toy") == drawn
    for run in (drawn[1], drawn[3]):
        write_questions(run.directory / "questions" / "toy.parquet", run.ranks("toy"), [])
        (run.directory / "ranks" / "toy.parquet").unlink()
    for table in (language_bias.bias_table, language_bias.places):
        pd.testing.assert_frame_equal(table(drawn, "toy"), table(whole, "toy"))
    assert set(language_bias.apart(drawn, "toy")["strategy"]) == {"X-Y", "X-X-mono"}
    assert language_bias.ranked_seeds(drawn, "toy") == (
        "What follows is of ranks tables, which are recorded of 1 of 2 seeds on toy."
    )
    none = [drawn[1], drawn[3]]
    bias, places = language_bias.bias_table(none, "toy"), language_bias.places(none, "toy")
    assert bias.empty and {"seed", "rank distance", "Kendall's W"} <= set(bias) and places.empty
    assert language_bias.where_mrr_misleads(places, bias) == [] and language_bias.apart(none, "toy").empty
    assert "0 of 1 seeds" in language_bias.ranked_seeds(none, "toy")


def test_what_is_not_the_runs_own_is_refused_in_a_line(draw_run: Callable[..., Run]) -> None:
    """A table is never drawn from ranks that another evaluation left, nor from a part of a file."""
    run = draw_run("X-Y", spread=20)
    made = {"encoder": {}, "encoder_sha256": "a", "benchmark_sha256": "0" * 64, "ranks_sha256": "0" * 64}
    (run.directory / "evaluations.json").write_text(json.dumps({"toy": made}))
    with pytest.raises(
        ValueError, match=r"toy\.parquet is not the ranks table .*: delete it and evaluate again$"
    ):
        language_bias.bias_table([run], "toy")
    shares = run.directory / "ranks" / "toy.top10.csv"
    shares.write_text("query_language,candidate_language\nde,de\n")
    with pytest.raises(ValueError, match=r"toy\.top10\.csv is damaged \(.*\): delete it and evaluate again$"):
        language_bias.top_languages([run], "toy")
    (run.directory / "ranks" / "toy.answers.parquet").unlink()
    with pytest.raises(FileNotFoundError, match=r"toy\.answers\.parquet is missing: .* evaluate it again$"):
        language_bias.apart([run], "toy")
