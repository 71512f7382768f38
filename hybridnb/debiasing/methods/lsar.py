"""Low-rank subspaces for language-agnostic representations (LSAR): what the languages' means span is projected out.

    x -> x - x V V^T,   V [d, strength]: an orthonormal basis of the subspace

The strength is its rank. The means M [d, languages] are split into what they share and what they do not,

    M ~ m 1^T + V G^T,   m orthogonal to V,

first by the singular vectors of M less its mean column; of what that approximates, M', m is the shortest vector in the
affine hull of the columns, M'^+T 1 / |M'^+T 1|^2, and V the first left singular vectors of M' - m 1^T. Queries and
passages have subspaces of their own. No language needs to be known.

Source: Xie, Zhao, Yu and Li, Discovering low-rank subspaces for language-agnostic multilingual representations (EMNLP
2022, arXiv 2401.05792), algorithm 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hybridnb.debiasing.maps import ANY, Maps, without
from hybridnb.debiasing.method import METHODS, Method, whole
from hybridnb.debiasing.sentences import Statistics
from hybridnb.encoders.kinds import KINDS

MOST_TRIED = 12
"""Ranks that are tried on held-out sentences."""


def fit(statistics: Statistics) -> Callable[[float], Maps]:
    """strength: the rank, from 1 to one below the number of languages, and below the dimension."""
    means = {kind: np.stack(list(statistics.means(kind).values()), axis=1) for kind in KINDS}

    def at(strength: float) -> Maps:
        rank = whole("lsar", "directions", strength, highest(statistics))
        return {kind: {ANY: without(subspace(means[kind], rank))} for kind in KINDS}

    return at


def subspace(means: NDArray[np.float64], rank: int) -> NDArray[np.float64]:
    """[d, rank]: an orthonormal basis of what parts the languages.

    Args:
        means: [d, languages].
        rank: below the number of languages.

    Example:
        >>> np.abs(subspace(np.array([[1.0, 1.0], [0.2, -0.2], [0.0, 0.0]]), 1)).round(6) + 0.0
        array([[0.],
               [1.],
               [0.]])
    """
    centre = means.mean(axis=1, keepdims=True)
    left, values, right = np.linalg.svd(means - centre, full_matrices=False)
    near = centre + left[:, :rank] * values[:rank] @ right[:rank]
    shared = np.linalg.pinv(near).T.sum(axis=1, keepdims=True)
    shared /= (shared**2).sum()
    basis: NDArray[np.float64] = np.linalg.svd(near - shared, full_matrices=False)[0][:, :rank]
    return basis


def highest(statistics: Statistics) -> int:
    """The highest rank there is."""
    return min(len(statistics.languages), statistics.dimension) - 1


def strengths(statistics: Statistics) -> list[int]:
    """Every rank; of many, `MOST_TRIED` evenly spaced."""
    most = highest(statistics)
    return sorted({round(rank) for rank in np.linspace(1, most, min(most, MOST_TRIED))})


METHODS.register("lsar", Method(fit, strengths))
