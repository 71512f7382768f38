"""Formulas of the measures: from the ranks of a query's relevant candidates to one number.

Each takes ranks [..., R] of the R relevant candidates (1-based, in any order; NaN or infinite: not retrieved) and
gives one number for each query, [...]. `catalogue.MEASURES` says which of them are reported, and how.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]


def average_precision(ranks: ArrayLike) -> Values:
    """Mean over the relevant candidates of the precision at their ranks.

    AP = 1/R * sum_i i / r_i, where r_1 < ... < r_R; one that is not retrieved adds 0.
    Source: Buckley and Voorhees, Evaluating evaluation measure stability (SIGIR 2000); `map` of trec_eval.

    Args:
        ranks: [..., R].

    Returns:
        [...], between 0 and 1.

    Raises:
        ValueError: R is 0.

    Example:
        >>> float(average_precision([1, 4]))
        0.75
    """
    ordered = _ordered(ranks)
    return np.mean(np.arange(1, ordered.shape[-1] + 1) / ordered, axis=-1)


def recall_at(ranks: ArrayLike, k: int) -> Values:
    """Share of the relevant candidates that are among the first k.

    R@k = |{i: r_i <= k}| / R; `recall_k` of trec_eval. With R > k it cannot reach 1.

    Args:
        ranks: [..., R].
        k: how many candidates are looked at.

    Returns:
        [...], between 0 and 1.

    Raises:
        ValueError: R is 0.

    Example:
        >>> recall_at([[1, 4], [7, 20]], 10).tolist()
        [1.0, 0.5]
    """
    return np.mean(_ordered(ranks) <= k, axis=-1)


def ndcg_at(ranks: ArrayLike, k: int) -> Values:
    """Normalised discounted cumulative gain of the first k, gains 1 and 0.

    nDCG@k = sum_{i: r_i <= k} 1 / log2(1 + r_i), divided by the best possible, sum_{j=1}^{min(R, k)} 1 / log2(1 + j).
    Source: Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR techniques (TOIS 2002);
    `ndcg_cut_k` of trec_eval.

    Args:
        ranks: [..., R].
        k: how many candidates are looked at.

    Returns:
        [...], between 0 and 1.

    Raises:
        ValueError: R is 0.

    Example:
        >>> float(ndcg_at([3], 10)), float(ndcg_at([11], 10))
        (0.5, 0.0)
    """
    ordered = _ordered(ranks)
    gain = np.where(ordered <= k, 1 / np.log2(1 + ordered), 0).sum(axis=-1)
    ideal = (1 / np.log2(1 + np.arange(1, min(ordered.shape[-1], k) + 1))).sum()
    return gain / ideal


def reciprocal_rank(ranks: ArrayLike) -> Values:
    """One over the rank of the first relevant candidate.

    RR = 1 / r_1; `recip_rank` of trec_eval.
    Source: Voorhees, The TREC-8 question answering track report (1999).

    Args:
        ranks: [..., R].

    Returns:
        [...], between 0 and 1.

    Raises:
        ValueError: R is 0.

    Example:
        >>> float(reciprocal_rank([8, 2]))
        0.5
    """
    return 1 / _ordered(ranks)[..., 0]


def rank_distance(ranks: ArrayLike) -> Values:
    """Highest minus lowest rank among the relevant candidates: how far apart a query's parallel answers stand.

    r_R - r_1; 0 with one relevant candidate. In the multilingual task it is small where all languages are treated
    alike. Source: arXiv 2408.10536.

    Args:
        ranks: [..., R].

    Returns:
        [...], 0 or more; NaN where a candidate is not retrieved, for then it is not known.

    Raises:
        ValueError: R is 0.

    Example:
        >>> rank_distance([[1, 101, 4], [1, float("nan"), 4]]).tolist()
        [100.0, nan]
    """
    ordered = _ordered(ranks)
    known = np.where(np.isinf(ordered), np.nan, ordered)
    return known[..., -1] - known[..., 0]


def _ordered(ranks: ArrayLike) -> Values:
    """The ranks in increasing order as floats, those not retrieved at infinity."""
    values = np.asarray(ranks, dtype=np.float64)
    if values.ndim == 0 or values.shape[-1] == 0:
        raise ValueError("a query without relevant candidates has no metric; leave it out")
    return np.sort(np.where(np.isnan(values), np.inf, values), axis=-1)
