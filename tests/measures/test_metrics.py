"""Metrics from ranks: against trec_eval, a naive loop, and what must hold for any ranking."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import random_benchmark, score_vectors

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.measures import metrics
from hybridnb.measures.metrics import (
    average_precision,
    by_language,
    ndcg_at,
    per_query,
    recall_at,
    reciprocal_rank,
)
from hybridnb.retrieval.ranking import exact_ranks
from hybridnb.retrieval.ranks_table import POOL

TREC_NAMES = {
    "map": "map",
    "recall@1": "recall_1",
    "recall@10": "recall_10",
    "recall@100": "recall_100",
    "ndcg@10": "ndcg_cut_10",
    "mrr": "recip_rank",
}
RANKS = st.lists(st.integers(1, 300), min_size=1, max_size=20, unique=True)


def trec_eval(benchmark: Benchmark, queries: dict, candidates: dict) -> dict[tuple, dict[str, float]]:
    """(query language, candidate language, query id) -> measures, of the scores themselves."""
    found = {}
    for asked, of_language in benchmark.queries.items():
        for pool_name in [*candidates, "*"]:
            pool = list(candidates) if pool_name == "*" else [pool_name]
            qrels, run = {}, {}
            for number, query_id in enumerate(of_language.ids):
                relevant = benchmark.relevance[query_id]
                excluded = benchmark.excluded.get(query_id, {})
                judged = {f"{c}/{row}": 1 for c in pool for row in relevant.get(c, ())}
                if judged:
                    qrels[query_id] = judged
                    run[query_id] = {
                        f"{c}/{row}": float(score)
                        for c in pool
                        for row, score in enumerate(candidates[c] @ queries[asked][number])
                        if row not in excluded.get(c, ())
                    }
                    assert len(set(run[query_id].values())) == len(run[query_id])
            measures = {"map", "recall.1,10,100", "ndcg_cut.10", "recip_rank"}
            for query_id, values in pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run).items():
                found[asked, pool_name, query_id] = values
    return found


@given(seed=st.integers(0, 2**32), shape=st.tuples(st.booleans(), st.booleans(), st.booleans()))
@settings(max_examples=15, deadline=None)
def test_metrics_agree_with_trec_eval_on_random_scores(seed: int, shape: tuple[bool, bool, bool]):
    rng = np.random.default_rng(seed)
    partly, several, excluded = shape
    benchmark = random_benchmark(rng, partly=partly, several=several, excluded=excluded)
    vectors = score_vectors(benchmark, rng)
    expected = trec_eval(benchmark, *vectors)
    found = per_query(exact_ranks(benchmark, *vectors))
    assert len(found) == len(expected)
    for row in found.to_dict("records"):
        reference = expected[row["query_language"], row["candidate_language"], row["query_id"]]
        for ours, theirs in TREC_NAMES.items():
            assert row[ours] == pytest.approx(reference[theirs], abs=1e-6), ours


@given(RANKS)
def test_metrics_agree_with_a_loop_over_the_ranking(ranks: list[int]):
    hits, precisions, gain, ideal = 0, 0.0, 0.0, 0.0
    found = {name: metric(np.array(ranks)) for name, metric in metrics.METRICS.items()}
    for rank in range(1, 301):
        if rank in ranks:
            hits += 1
            precisions += hits / rank
            gain += 1 / math.log2(rank + 1) if rank <= 10 else 0
    for rank in range(1, min(10, len(ranks)) + 1):
        ideal += 1 / math.log2(rank + 1)
    assert found["map"] == pytest.approx(precisions / len(ranks))
    assert found["ndcg@10"] == pytest.approx(gain / ideal)
    assert found["mrr"] == pytest.approx(1 / min(ranks))
    for k in (1, 10, 100):
        assert found[f"recall@{k}"] == pytest.approx(sum(rank <= k for rank in ranks) / len(ranks))


@given(st.integers(1, 20))
def test_a_perfect_ranking_scores_one(count: int):
    perfect = np.arange(1, count + 1)
    assert average_precision(perfect) == ndcg_at(perfect, 10) == reciprocal_rank(perfect) == 1
    assert recall_at(perfect, 10) == min(count, 10) / count


@given(RANKS, st.integers(1, 300))
def test_one_more_irrelevant_candidate_never_raises_a_metric(ranks: list[int], at: int):
    worse = [rank + (rank >= at) for rank in ranks]
    for name, metric in metrics.METRICS.items():
        assert metric(np.array(worse)) <= metric(np.array(ranks)), name


@given(RANKS, st.randoms())
def test_the_order_of_the_ranks_does_not_matter(ranks: list[int], random):
    shuffled = random.sample(ranks, len(ranks))
    for metric in metrics.METRICS.values():
        assert metric(np.array(shuffled)) == metric(np.array(ranks))


@given(RANKS)
def test_a_missing_rank_is_infinite(ranks: list[int]):
    for metric in metrics.METRICS.values():
        assert metric(np.array([*ranks, np.nan])) == metric(np.array([*ranks, np.inf]))
    assert average_precision([*ranks, np.nan]) == pytest.approx(
        average_precision(ranks) * len(ranks) / (len(ranks) + 1)
    )
    assert average_precision([np.nan]) == recall_at([np.nan], 100) == ndcg_at([np.nan], 10) == 0


def test_a_query_without_relevant_candidates_has_no_metric():
    with pytest.raises(ValueError, match="without relevant"):
        average_precision([])


@pytest.fixture(scope="module")
def ranks() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    benchmark = random_benchmark(rng, partly=True, several=True, excluded=False)
    return exact_ranks(benchmark, *score_vectors(benchmark, rng))


def test_rows_may_come_in_any_order_and_as_plain_text(ranks: pd.DataFrame):
    text = dict.fromkeys(ranks.columns[:6], "str")
    shuffled = ranks.sample(frac=1, random_state=1).astype(text).astype({"rank": "float64"})
    keys = [*POOL, "query_id"]
    pd.testing.assert_frame_equal(
        per_query(shuffled).sort_values(keys, ignore_index=True),
        per_query(ranks).astype(dict.fromkeys(keys, "str")).sort_values(keys, ignore_index=True),
    )


def test_summary_is_the_mean_over_languages_and_pairs_not_over_queries(ranks: pd.DataFrame):
    queries = per_query(ranks).astype(dict.fromkeys(POOL, "str"))
    summary = metrics.summary(ranks)
    assert set(summary) == {"monolingual", "crosslingual", "multilingual"}
    for task, values in summary.items():
        expected_names = [*TREC_NAMES, *(["rank_distance"] if task == "multilingual" else [])]
        assert list(values) == expected_names
        of_task = queries[queries["task"] == task]
        pairs = [rows for _, rows in of_task.groupby(["query_language", "candidate_language"])]
        for name in TREC_NAMES:
            expected = sum(rows[name].sum() / len(rows) for rows in pairs) / len(pairs)
            assert values[name] == pytest.approx(expected)
    merged = ranks[ranks["task"] == "multilingual"].astype({"query_language": "str"})
    distances = [
        np.mean([max(r) - min(r) for _, r in rows.groupby("query_id", observed=True)["rank"]])
        for _, rows in merged.groupby("query_language")
    ]
    assert summary["multilingual"]["rank_distance"] == pytest.approx(np.mean(distances))


def test_by_language_keeps_each_data_set_apart(ranks: pd.DataFrame):
    other = ranks.assign(dataset="other", rank=ranks["rank"] + 1)
    both = by_language(pd.concat([ranks, other], ignore_index=True))
    assert list(both.columns) == [*POOL, "metric", "value"]
    for name, rows in (("random", ranks), ("other", other)):
        alone = by_language(rows)
        kept = both[both["dataset"] == name]
        pd.testing.assert_frame_equal(
            kept.sort_values([*POOL, "metric"], ignore_index=True),
            alone.sort_values([*POOL, "metric"], ignore_index=True),
        )
    with pytest.raises(ValueError, match=r"several data sets \(other, random\)"):
        metrics.summary(pd.concat([ranks, other], ignore_index=True))


def test_a_table_with_one_task_has_one_task(ranks: pd.DataFrame):
    summary = metrics.summary(ranks[ranks["task"] == "monolingual"])
    assert set(summary) == {"monolingual"}
    assert list(summary["monolingual"]) == list(TREC_NAMES)


def test_what_is_not_a_ranks_table_is_named(ranks: pd.DataFrame):
    with pytest.raises(ValueError, match="column rank, pool_size missing"):
        per_query(ranks.drop(columns=["rank", "pool_size"]))
    with pytest.raises(ValueError, match="task 'zero-shot' is unknown"):
        per_query(ranks.assign(task="zero-shot"))
    with pytest.raises(ValueError, match="rank 0 in row 0"):
        per_query(ranks.assign(rank=ranks["rank"] - ranks["rank"].iloc[0]))
    with pytest.raises(ValueError, match=r"column rank holds .*, not numbers"):
        per_query(ranks.assign(rank=ranks["rank"].astype("str")))
    with pytest.raises(ValueError, match=r"two relevant candidates of query .* give one run's table"):
        per_query(pd.concat([ranks, ranks], ignore_index=True))
