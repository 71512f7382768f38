"""Ranks of what is found among the first k, what the cut leaves open of the others, and how much an index finds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hybridnb.retrieval.pool import Pool
from hybridnb.retrieval.ranks_table import make_ranks
from hybridnb.retrieval.sharded.search import Found, Matrix

DEPTHS = 10, 100
"""Of which recall is told, beside that of all k."""

MERGED = "*"


@dataclass(frozen=True)
class Cut:
    """The ranks of a search that ends at the first k.

    ranks: the ranks table; of a relevant candidate that is not found the rank is missing.
    best: the same with the best rank that each can have: its place among all that was found in the pool and the other
        relevant candidates. Of exact search the two agree where the first has a rank.
    recall: pool, "*" for the merged one -> depth -> the share of the first candidates of exact search that are among as
        many of this one, mean over the sampled queries; 1 where all of a pool was searched exactly.
    missed: pool -> relevant candidates that score above the k-th found, and were not found.
    """

    ranks: pd.DataFrame
    best: pd.DataFrame
    recall: dict[str, dict[int, float]]
    missed: dict[str, int]


def cut_ranks(pool: Pool, pools: Iterable[Found], scores: Matrix, k: int, sampled: NDArray[np.int64]) -> Cut:
    """The ranks of what a search found, by the tie rule of `ranking.exact_ranks`.

    Args:
        pool: the benchmark.
        pools: what `search.merged` gives.
        scores: [queries, widest], of `search.relevant_scores`.
        k: where the search ends.
        sampled: the queries that were searched exactly, too.
    """
    in_language, in_pool, best_in_language, best_in_pool = np.full((4, *scores.shape), np.nan)
    recall, missed = {}, {}
    for found in pools:
        merged = found.language < 0
        here = pool.relevant_language >= 0 if merged else pool.relevant_language == found.language
        rank, best, lost = _ranks(pool, found, np.where(here, scores, -np.inf), k)
        np.copyto(in_pool if merged else in_language, rank, where=here)
        np.copyto(best_in_pool if merged else best_in_language, best, where=here)
        name = MERGED if merged else pool.languages[found.language]
        missed[name] = int((lost & here).sum())
        depths = sorted({depth for depth in DEPTHS if depth < k} | {k})
        recall[name] = {
            depth: 1.0 if found.is_exact else overlap(found.positions[sampled], found.exact, depth)
            for depth in depths
        }
    return Cut(
        make_ranks(pool, in_language, in_pool),
        make_ranks(pool, best_in_language, best_in_pool),
        recall,
        missed,
    )


def overlap(found: NDArray[np.int64], exact: NDArray[np.int64], depth: int) -> float:
    """The share of the first candidates of exact search that are among the first found, mean over queries.

    Args:
        found, exact: [queries, n], best first; -1 as padding.
        depth: how many of each are looked at.

    Example:
        >>> overlap(np.array([[4, 7, -1]]), np.array([[4, 5, 7]]), 2)
        0.5
    """
    wanted = exact[:, :depth]
    there = (wanted[:, :, None] == found[:, None, :depth]).any(axis=2) & (wanted >= 0)
    return float((there.sum(axis=1) / (wanted >= 0).sum(axis=1)).mean())


def _ranks(
    pool: Pool, found: Found, scores: Matrix, k: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """([queries, widest] three times): ranks, NaN where not found; the best that they can be; which are lost."""
    target = pool.positions(pool.relevant)[pool.query_id]
    is_listed = np.stack([(found.positions == column[:, None]).any(axis=1) for column in target.T], axis=1)
    better = np.stack([(found.scores > column[:, None]).sum(axis=1) for column in scores.T], axis=1)
    full = (found.positions >= 0).sum(axis=1) == k
    reaches = ~full[:, None] | (scores >= found.scores[:, -1:])
    # of those that tie for the k-th place FAISS takes any; a relevant one comes before the others
    is_found = is_listed | (reaches & np.isfinite(scores)) if found.is_exact else is_listed
    tied, tied_found, unlisted = np.zeros((3, *scores.shape), dtype=np.int64)
    for j, column in enumerate(scores.T):
        same = scores[:, j + 1 :] == column[:, None]
        tied[:, j + 1 :] += same
        tied_found[:, j + 1 :] += same & is_found[:, j, None]
        unlisted += (column[:, None] > scores) & ~is_listed[:, j, None]
    rank = np.where(is_found, 1.0 + better + tied_found, np.nan)
    rank[rank > k] = np.nan
    return rank, 1.0 + better + unlisted + tied, reaches & ~is_found
