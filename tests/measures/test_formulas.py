"""Formulas of the measures: against a naive loop, and what must hold for any ranking."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridnb.measures.catalogue import MEASURES
from hybridnb.measures.formulas import average_precision, ndcg_at, rank_distance, recall_at, reciprocal_rank

RANKS = st.lists(st.integers(1, 300), min_size=1, max_size=20, unique=True)
FORMULAS = {measure.name: measure.per_query for measure in MEASURES.values()}
METRICS = {measure.name: measure.per_query for measure in MEASURES.values() if measure.higher_is_better}


@given(RANKS)
def test_metrics_agree_with_a_loop_over_the_ranking(ranks: list[int]):
    hits, precisions, gain, ideal = 0, 0.0, 0.0, 0.0
    found = {name: metric(np.array(ranks)) for name, metric in METRICS.items()}
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
    for name, metric in METRICS.items():
        assert metric(np.array(worse)) <= metric(np.array(ranks)), name


@given(RANKS, st.randoms())
def test_the_order_of_the_ranks_does_not_matter(ranks: list[int], random):
    shuffled = random.sample(ranks, len(ranks))
    for metric in METRICS.values():
        assert metric(np.array(shuffled)) == metric(np.array(ranks))


@given(RANKS)
def test_the_kind_of_number_does_not_matter(ranks: list[int]):
    for formula in FORMULAS.values():
        assert formula(np.array(ranks, dtype=np.float32)) == formula(ranks)


@given(RANKS)
def test_a_missing_rank_is_infinite(ranks: list[int]):
    for metric in METRICS.values():
        assert metric(np.array([*ranks, np.nan])) == metric(np.array([*ranks, np.inf]))
    assert average_precision([*ranks, np.nan]) == pytest.approx(
        average_precision(ranks) * len(ranks) / (len(ranks) + 1)
    )
    assert average_precision([np.nan]) == recall_at([np.nan], 100) == ndcg_at([np.nan], 10) == 0


def test_a_query_without_relevant_candidates_has_no_metric():
    with pytest.raises(ValueError, match="without relevant"):
        average_precision([])


@given(RANKS)
def test_every_metric_is_between_nought_and_one(ranks: list[int]):
    for name, metric in METRICS.items():
        assert 0 <= metric(np.array(ranks)) <= 1, name


@given(st.lists(RANKS.map(lambda ranks: ranks[:1] * 3), min_size=1, max_size=5))
def test_a_matrix_is_its_rows(rows: list[list[int]]):
    matrix = np.array(rows) + np.arange(3)
    for formula in FORMULAS.values():
        assert formula(matrix).tolist() == [float(formula(row)) for row in matrix]


@given(RANKS)
def test_rank_distance_is_from_the_first_to_the_last(ranks: list[int]):
    distance = rank_distance(ranks)
    assert distance == max(ranks) - min(ranks) >= len(ranks) - 1
    for missing in (np.nan, np.inf):
        assert np.isnan(rank_distance([*ranks, missing])) and np.isnan(rank_distance([missing]))
