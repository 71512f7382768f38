"""Retrieval metrics, computed from the ranks of the relevant candidates alone.

A metric takes ranks [..., relevant candidates] (1-based, in any order; NaN or infinite: not retrieved) and
gives one number for each query, [...].
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hybridnb.measures.bias import rank_distance
from hybridnb.retrieval.ranks_table import POOL, TASKS, WHOLE_POOL, check_ranks

Values = NDArray[np.float64]


def average_precision(ranks: ArrayLike) -> Values:
    """Mean over the R relevant candidates of the precision at their ranks.

    AP = 1/R * sum_i i / r_i, where r_1 < ... < r_R; one that is not retrieved adds 0.
    Source: Buckley and Voorhees, Evaluating evaluation measure stability (SIGIR 2000); `map` of trec_eval.
    """
    ordered = _ordered(ranks)
    return np.mean(np.arange(1, ordered.shape[-1] + 1) / ordered, axis=-1)


def recall_at(ranks: ArrayLike, k: int) -> Values:
    """Share of the R relevant candidates that are in the first k.

    R@k = |{i: r_i <= k}| / R; `recall_k` of trec_eval. With R > k it cannot reach 1.
    """
    return np.mean(_ordered(ranks) <= k, axis=-1)


def ndcg_at(ranks: ArrayLike, k: int) -> Values:
    """Normalised discounted cumulative gain of the first k, gains 1 and 0.

    nDCG@k = sum_{i: r_i <= k} 1 / log2(1 + r_i), divided by the best possible,
    sum_{j=1}^{min(R, k)} 1 / log2(1 + j).
    Source: Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR techniques (TOIS 2002);
    `ndcg_cut_k` of trec_eval.
    """
    ordered = _ordered(ranks)
    gain = np.where(ordered <= k, 1 / np.log2(1 + ordered), 0).sum(axis=-1)
    ideal = (1 / np.log2(1 + np.arange(1, min(ordered.shape[-1], k) + 1))).sum()
    return gain / ideal


def reciprocal_rank(ranks: ArrayLike) -> Values:
    """One over the rank of the first relevant candidate.

    RR = 1 / r_1; `recip_rank` of trec_eval.
    Source: Voorhees, The TREC-8 question answering track report (1999).
    """
    return 1 / _ordered(ranks)[..., 0]


METRICS: dict[str, Callable[[Values], Values]] = {
    "map": average_precision,
    "recall@1": lambda ranks: recall_at(ranks, 1),
    "recall@10": lambda ranks: recall_at(ranks, 10),
    "recall@100": lambda ranks: recall_at(ranks, 100),
    "ndcg@10": lambda ranks: ndcg_at(ranks, 10),
    "mrr": reciprocal_rank,
}


def per_query(ranks: pd.DataFrame) -> pd.DataFrame:
    """Every metric for every query in every pool.

    ranks: one run's ranks table. Returns dataset, task, query_language, candidate_language, query_id and a
    column for each of METRICS, in the order in which the pools and queries first come.
    Raises ValueError where the table is not a ranks table, or two relevant candidates share a rank.
    """
    check_ranks(ranks)
    keys = [*POOL, "query_id"]
    group = ranks.groupby(keys, observed=True, sort=False).ngroup().to_numpy()
    values = ranks["rank"].to_numpy(dtype=np.float64, na_value=np.nan)
    order = np.lexsort([values, group])
    values, group = values[order], group[order]
    repeated = np.flatnonzero((np.diff(values) == 0) & (np.diff(group) == 0))
    if len(repeated):
        row = ranks.iloc[order[repeated[0]]]
        raise ValueError(
            f"ranks table: two relevant candidates of query {row['query_id']!r} "
            f"({row['query_language']}, {row['task']}) have rank {row['rank']}; give one run's table"
        )
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    widths = np.diff(starts, append=len(group))
    table = {name: np.empty(len(starts)) for name in METRICS}
    for width in np.unique(widths):
        of_width = widths == width
        block = values[starts[of_width, None] + np.arange(width)]
        for name, metric in METRICS.items():
            table[name][of_width] = metric(block)
    first_rows = np.empty(len(starts), dtype=np.int64)
    first_rows[group[::-1]] = order[::-1]
    queries = ranks[keys].iloc[first_rows].reset_index(drop=True)
    return pd.concat([queries, pd.DataFrame(table)], axis=1)


def by_language(ranks: pd.DataFrame) -> pd.DataFrame:
    """Means over the queries of each language (ordered pair in the cross-lingual task), one value a row.

    Returns dataset, task, query_language, candidate_language, metric, value; `rank_distance` is a metric of
    the multilingual task where that is defined (see `bias.rank_distance`).
    """
    means = per_query(ranks).groupby(POOL, observed=True)[list(METRICS)].mean().reset_index()
    tidy = means.melt(POOL, list(METRICS), "metric", "value")
    distance = rank_distance(ranks).rename(columns={"rank_distance": "value"})
    distance = distance.assign(task="multilingual", candidate_language=WHOLE_POOL, metric="rank_distance")
    text = dict.fromkeys([*POOL, "metric"], "str")
    return pd.concat([tidy.astype(text), distance[tidy.columns].astype(text)], ignore_index=True)


def summary(ranks: pd.DataFrame) -> dict[str, dict[str, float]]:
    """{task: {metric: value}}: means over languages, over ordered pairs in the cross-lingual task.

    ranks: the ranks table of one data set. Tasks without rows are left out.
    """
    means = by_language(ranks)
    if means["dataset"].nunique() > 1:
        names = ", ".join(sorted(means["dataset"].unique()))
        raise ValueError(f"the ranks are of several data sets ({names}); give those of one")
    values = means.groupby(["task", "metric"], sort=False)["value"].mean()
    return {
        task: {metric: float(value) for metric, value in values[task].items()}
        for task in TASKS
        if task in values.index
    }


def _ordered(ranks: ArrayLike) -> Values:
    """The ranks in increasing order as floats, those not retrieved at infinity."""
    values = np.asarray(ranks, dtype=np.float64)
    if values.ndim == 0 or values.shape[-1] == 0:
        raise ValueError("a query without relevant candidates has no metric; leave it out")
    return np.sort(np.where(np.isnan(values), np.inf, values), axis=-1)
