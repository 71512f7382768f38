"""Measures of language bias: against a loop over a constructed pool, and against scipy and sklearn."""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy, kruskal, rankdata, spearmanr
from sklearn.metrics import coverage_error
from toy import random_benchmark, score_vectors

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.measures import answers as measures
from hybridnb.measures import bias
from hybridnb.measures.answers import Answers, by_place
from hybridnb.measures.catalogue import BIAS
from hybridnb.measures.metrics import summary
from hybridnb.retrieval.ranking import exact_ranks

Ranking = dict[tuple[str, str], list[str | None]]
"""(query language, query id) -> the pool in order, a letter for the language of an answer, None for others."""


def made(seed: int, *, several: bool = False, partly: bool = True) -> tuple[Benchmark, tuple, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    benchmark = random_benchmark(rng, partly=partly, several=several, excluded=False)
    vectors = score_vectors(benchmark, rng)
    return benchmark, vectors, exact_ranks(benchmark, *vectors)


def rankings(benchmark: Benchmark, vectors: tuple) -> Ranking:
    """Every query's merged pool, sorted by score."""
    queries, candidates = vectors
    found: Ranking = {}
    for asked, of_language in benchmark.queries.items():
        for number, query_id in enumerate(of_language.ids):
            scored = [
                (-float(score), code if row in benchmark.relevance[query_id].get(code, ()) else None)
                for code, matrix in candidates.items()
                for row, score in enumerate(matrix @ queries[asked][number])
            ]
            found[asked, query_id] = [code for _, code in sorted(scored, key=lambda pair: pair[0])]
    return found


def precision(pool: list[str | None]) -> float:
    hits, total = 0, 0.0
    for rank, code in enumerate(pool, 1):
        if code is not None:
            hits += 1
            total += hits / rank
    return total / hits


def by_loop(asked: str, pool: list[str | None]) -> dict[str, float]:
    """Each measure that is one query's alone."""
    at = [rank for rank, code in enumerate(pool, 1) if code is not None]
    codes = [code for code in pool if code is not None]
    own, others = codes.count(asked), len(codes) - codes.count(asked)
    groups = [[r for r, c in zip(at, codes, strict=True) if c == code] for code in sorted(set(codes))]
    nan = float("nan")
    return {
        "rank distance": max(at) - min(at),
        "rank distance / pool": (max(at) - min(at)) / len(pool),
        "worst rank": max(at),
        "complete@20": float(all(rank <= 20 for rank in at)),
        "complete@100": float(all(rank <= 100 for rank in at)),
        "own language first": float(codes[0] == asked) if own and others else nan,
        "own language first, by chance": own / len(codes) if own and others else nan,
        "MRR": 1 / min(at) if own and others else nan,
        "mAP": precision(pool) if own and others else nan,
        "mAP without own language": precision([c for c in pool if c != asked]) if own and others else nan,
        "PEER": float(kruskal(*groups).pvalue) if len(groups) > 1 else 1.0,
    }


@given(st.integers(0, 2**32), st.booleans(), st.booleans())
@settings(max_examples=15, deadline=None)
def test_each_query_agrees_with_a_loop_over_its_pool(seed: int, several: bool, partly: bool) -> None:
    benchmark, vectors, ranks = made(seed, several=several, partly=partly)
    answers = Answers.of(ranks)
    expected = rankings(benchmark, vectors)
    assert len(answers.asked) == len(expected)
    with warnings.catch_warnings(action="ignore"):
        found = {label: measure.per_query(answers) for label, measure in BIAS.items()}
    for n, key in enumerate(zip(answers.asked, answers.question, strict=True)):
        pool = expected[key]
        for label, value in by_loop(key[0], pool).items():
            assert found[label][n] == pytest.approx(value, nan_ok=True), label
        relevant = np.array([[code is not None for code in pool]])
        assert found["worst rank"][n] == coverage_error(relevant, -np.arange(len(pool))[None])
    assert (found["rank distance, median"] == found["rank distance"]).all()


@given(st.integers(0, 2**32), st.booleans(), st.booleans())
@settings(max_examples=15, deadline=None)
def test_consistency_is_spearmans_mean_over_pairs_of_translations(
    seed: int, several: bool, partly: bool
) -> None:
    _, _, ranks = made(seed, several=several, partly=partly)
    answers = Answers.of(ranks)
    found = measures.consistency(answers)
    merged = ranks[ranks["task"] == "multilingual"]
    for question, rows in merged.groupby("query_id", observed=True):
        best = rows.groupby(["query_language", "relevant_language"], observed=True)["rank"].min().unstack()
        here = found[answers.question == question]
        if best.shape[1] < 2 or len(best) < 2:
            assert np.isnan(here).all()
            continue
        pairs = [
            spearmanr(best.iloc[i], best.iloc[j]).statistic for i, j in combinations(range(len(best)), 2)
        ]
        assert here == pytest.approx(np.mean(pairs))
        # Kendall's W by its definition, 12 S / (m^2 (n^3 - n))
        m, n = best.shape
        sums = rankdata(best.to_numpy(), axis=1).sum(axis=0)
        w = 12 * ((sums - sums.mean()) ** 2).sum() / (m**2 * (n**3 - n))
        assert (1 + (m - 1) * here[0]) / m == pytest.approx(w)


def test_translations_that_order_alike_are_consistent_and_opposites_are_not() -> None:
    def table(*orders: str) -> Answers:
        rows = [
            ("d", "multilingual", asked, "*", "q", code, rank, 9)
            for asked, order in zip("abc", orders, strict=False)
            for rank, code in enumerate(order, 1)
        ]
        columns = ["dataset", "task", "query_language", "candidate_language", "query_id", "relevant_language"]
        return Answers.of(pd.DataFrame(rows, columns=[*columns, "rank", "pool_size"]))

    assert measures.consistency(table("xyz", "xyz", "xyz")) == pytest.approx(1)
    assert measures.consistency(table("xyz", "zyx")) == pytest.approx(-1)
    assert np.isnan(measures.consistency(table("xyz"))).all()


@pytest.mark.parametrize("several", [False, True])
def test_peer_is_constant_where_a_language_has_one_answer_and_says_so(several: bool) -> None:
    _, _, ranks = made(0, several=several, partly=False)
    answers = Answers.of(ranks)
    if several:
        with warnings.catch_warnings(action="error"):
            assert len(set(measures.equal_expected_rank(answers))) > 5
    else:
        with pytest.warns(UserWarning, match="PEER is the same for every ranking here"):
            found = measures.equal_expected_rank(answers)
        assert found == pytest.approx(kruskal([1], [2], [3], [4]).pvalue)


def test_peer_counts_what_is_not_retrieved_as_tied_at_the_end() -> None:
    ranks = [1, 2, 5, np.nan, np.nan, np.nan]
    rows = [("d", "multilingual", "a", "*", "q", c, r, 9) for c, r in zip("xxxyyy", ranks, strict=True)]
    columns = ["dataset", "task", "query_language", "candidate_language", "query_id", "relevant_language"]
    table = pd.DataFrame(rows, columns=[*columns, "rank", "pool_size"])
    (found,) = measures.equal_expected_rank(Answers.of(table))
    assert found == pytest.approx(kruskal([1, 2, 5], [9, 9, 9]).pvalue)
    assert measures.equal_expected_rank(Answers.of(table.assign(rank=np.nan))) == 1


class TestByLanguage:
    def test_means_over_queries_and_the_median(self) -> None:
        _, _, ranks = made(3)
        answers = Answers.of(ranks)
        with warnings.catch_warnings(action="ignore"):
            table = bias.by_query_language(ranks)
        assert list(table) == list(BIAS) and table.index.tolist() == sorted(set(answers.asked))
        distance = measures.rank_distance(answers)
        for code in table.index:
            of_language = distance[answers.asked == code]
            assert table.loc[code, "rank distance"] == pytest.approx(of_language.mean())
            assert table.loc[code, "rank distance, median"] == np.median(of_language)
        packed = summary(ranks)["multilingual"]
        assert table["rank distance"].mean() == pytest.approx(packed["rank_distance"])

    def test_with_answers_everywhere_map_and_mrr_are_those_of_the_metrics(self) -> None:
        _, _, ranks = made(4, partly=False)
        with warnings.catch_warnings(action="ignore"):
            means = bias.by_query_language(ranks).mean()
        packed = summary(ranks)["multilingual"]
        assert means["mAP"] == pytest.approx(packed["map"]) and means["MRR"] == pytest.approx(packed["mrr"])

    def test_what_is_not_retrieved_is_not_known(self) -> None:
        _, _, ranks = made(5, partly=False)
        cut = ranks.assign(rank=ranks["rank"].astype("float64").where(ranks["rank"] <= 3))
        with warnings.catch_warnings(action="ignore"):
            table = bias.by_query_language(cut)
        unknown = ["rank distance", "rank distance / pool", "worst rank"]
        assert table[unknown].isna().all(axis=None)
        assert table[["mAP", "mAP without own language", "MRR", "complete@20", "PEER"]].notna().all(axis=None)

    def test_nothing_is_said_without_answers_in_two_languages(self) -> None:
        _, _, ranks = made(6)
        same = ranks[ranks["relevant_language"] == ranks["query_language"]]
        assert bias.by_query_language(same).empty
        assert bias.by_query_language(ranks[ranks["task"] == "monolingual"]).empty

    def test_the_order_of_the_rows_does_not_matter(self) -> None:
        _, _, ranks = made(7, several=True)
        shuffled = ranks.sample(frac=1, random_state=0).astype({"query_language": "str", "query_id": "str"})
        with warnings.catch_warnings(action="ignore"):
            found, again = bias.by_query_language(ranks), bias.by_query_language(shuffled)
        pd.testing.assert_frame_equal(found, again)


@given(st.integers(0, 2**32), st.booleans())
@settings(max_examples=10, deadline=None)
def test_places_add_up_to_map_and_the_first_is_the_reciprocal_rank(seed: int, partly: bool) -> None:
    _, _, ranks = made(seed, several=True, partly=partly)
    found, packed = by_place(ranks), summary(ranks)["multilingual"]
    assert found.sum() == pytest.approx(packed["map"])
    assert found.index.tolist() == list(range(1, len(found) + 1))
    _, _, parallel = made(seed, partly=False)
    assert 4 * by_place(parallel)[1] == pytest.approx(summary(parallel)["multilingual"]["mrr"])


def test_taking_the_own_answer_out_is_ranking_without_it() -> None:
    """As if the benchmark had no such candidate: exact ranks of the others, from the vectors."""
    benchmark, (queries, candidates), ranks = made(8, partly=False)
    answers = Answers.of(ranks)
    found = measures.precision_without_own(answers)
    for asked, of_language in benchmark.queries.items():
        for n, query_id in enumerate(of_language.ids):
            left = replace(
                benchmark,
                queries={asked: replace(of_language, ids=[query_id], texts=["?"])},
                relevance={
                    query_id: {c: rows for c, rows in benchmark.relevance[query_id].items() if c != asked}
                },
                excluded={query_id: {asked: benchmark.relevance[query_id][asked]}},
            )
            alone = exact_ranks(left, {asked: queries[asked][n : n + 1]}, candidates)
            value = found[(answers.asked == asked) & (answers.question == query_id)]
            assert value == pytest.approx(summary(alone)["multilingual"]["map"])


class TestFirstLanguages:
    SHARES = pd.DataFrame(
        {
            "query_language": ["de", "de", "en", "en", "xx", "xx"],
            "candidate_language": ["de", "en"] * 3,
            "share": [0.9, 0.1, 0.25, 0.75, 0.5, 0.5],
        }
    )

    def test_against_the_pool(self) -> None:
        table = bias.first_languages(self.SHARES, {"de": 100, "en": 300})
        assert table["own"].tolist()[:2] == [0.9, 0.75] and np.isnan(table.loc["xx", "own"])
        assert table["times"].tolist()[:2] == pytest.approx([3.6, 1])
        assert table.loc["de", "entropy"] == pytest.approx(entropy([9, 1], base=2))
        assert set(table["pool_entropy"]) == {entropy([1, 3], base=2)}

    def test_a_pool_that_is_not_known_whole_gives_no_comparison(self) -> None:
        table = bias.first_languages(self.SHARES, {"de": 100})
        assert table[["times", "pool_entropy"]].isna().all(axis=None) and table["entropy"].notna().all()

    def test_the_pool_is_that_of_the_single_languages(self) -> None:
        benchmark, _, ranks = made(9)
        sizes = bias.pool_sizes(ranks)
        assert sizes.pop("*") == ranks["pool_size"].max()
        assert sizes == {code: len(texts) for code, texts in benchmark.candidates.items() if code in sizes}
        assert bias.pool_sizes(ranks[ranks["task"] == "multilingual"]).keys() == {"*"}
