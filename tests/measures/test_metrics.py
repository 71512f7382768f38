"""Measures of a ranks table: against trec_eval, and how queries, languages and pairs are averaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import random_benchmark, score_vectors

from hybridnb import corpora
from hybridnb.corpora.benchmark import Benchmark
from hybridnb.measures import metrics
from hybridnb.measures.metrics import by_language, per_query
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


@pytest.mark.parametrize("dtype", ["category", "str"])
def test_queries_come_as_they_first_do(ranks: pd.DataFrame, dtype: str):
    keys = [*POOL, "query_id"]
    shuffled = ranks.sample(frac=1, random_state=2).astype(dict.fromkeys(keys, dtype))
    found = per_query(shuffled)
    assert list(found) == [*keys, *metrics.NAMES]
    pd.testing.assert_frame_equal(found[keys], shuffled[keys].drop_duplicates(ignore_index=True))


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
    other = ranks.assign(dataset="other", rank=ranks["rank"] + 1, pool_size=ranks["pool_size"] + 1)
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
    with pytest.raises(ValueError, match=r"row 0 .*rank 0, .*ranks start at 1"):
        per_query(ranks.assign(rank=ranks["rank"] - ranks["rank"].iloc[0]))
    with pytest.raises(ValueError, match=r"column rank holds .*, not numbers"):
        per_query(ranks.assign(rank=ranks["rank"].astype("str")))
    with pytest.raises(ValueError, match=r"two relevant candidates of query .* give one run's table"):
        per_query(pd.concat([ranks, ranks], ignore_index=True))
    with pytest.raises(ValueError, match=r"query 'q2' \(th, multilingual\) have rank 5"):
        per_query(merged([("de", "q1", "de", 5), ("th", "q2", "de", 5), ("th", "q2", "th", 5)]))


def merged(rows: list[tuple], dataset: str = "d") -> pd.DataFrame:
    """The multilingual part of a ranks table from (query language, query id, relevant language, rank)."""
    table = pd.DataFrame(rows, columns=["query_language", "query_id", "relevant_language", "rank"])
    return table.assign(dataset=dataset, task="multilingual", candidate_language="*", pool_size=1000)


BY_HAND = [
    ("de", "q1", "de", 1),
    ("de", "q1", "en", 4),
    ("de", "q1", "en", 6),
    ("de", "q1", "th", 101),
    ("de", "q2", "de", 2),
    ("th", "q1", "de", 30),
    ("th", "q1", "en", 20),
    ("th", "q1", "th", 10),
]


def test_rank_distance_by_hand():
    table = merged(BY_HAND)
    found = per_query(table).set_index(["query_language", "query_id"])["rank_distance"]
    assert found.to_dict() == {("de", "q1"): 100, ("de", "q2"): 0, ("th", "q1"): 20}
    means = by_language(table)
    means = means[means["metric"] == "rank_distance"].set_index("query_language")["value"]
    assert means.to_dict() == {"de": 50, "th": 20}
    assert metrics.summary(table)["multilingual"]["rank_distance"] == 35


def test_rank_distance_is_of_the_merged_pool_only():
    alone = merged(BY_HAND)
    mono = alone.assign(task="monolingual", candidate_language=alone["relevant_language"], rank=500)
    mono = mono.drop_duplicates(["query_language", "query_id", "relevant_language"])
    both = per_query(pd.concat([mono, alone], ignore_index=True))
    assert both.loc[both["task"] == "monolingual", "rank_distance"].isna().all()
    assert (both.dropna()["rank_distance"].to_numpy() == per_query(alone)["rank_distance"].to_numpy()).all()


def test_rank_distance_is_left_out_where_it_says_nothing_of_languages():
    """MIRACL has relevant candidates in one language; a cut-off ranking does not know the lowest rank."""
    parallel = merged(BY_HAND, "parallel")
    one_language = merged([("de", "q1", "de", 1), ("de", "q1", "de", 9)], "one-language")
    cut_off = merged([*BY_HAND[:3], ("th", "q1", "de", 5), ("de", "q1", "th", np.nan)], "cut-off")
    table = pd.concat([parallel, one_language, cut_off], ignore_index=True)
    found = by_language(table)
    assert set(found.loc[found["metric"] == "rank_distance", "dataset"]) == {"parallel"}
    assert set(per_query(table).dropna()["dataset"]) == {"parallel"}
    for alone in (one_language, cut_off):
        assert list(metrics.summary(alone)["multilingual"]) == list(TREC_NAMES)


def test_every_mlqa_r_question_has_answers_in_two_languages(real_data: Path):
    """So the paper's mean over all queries holds no distance that is 0 for want of a second answer."""
    benchmark = corpora.load_benchmark("mlqa-r", directory=real_data)
    assert {len(languages) for languages in benchmark.relevance.values()} == {2, 3, 4}
