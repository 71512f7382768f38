"""Is what is measured of pairs of languages explained by how far apart they are? Regression on distance matrices.

The unit is the language, not the pair: the 55 pairs of 11 languages share their languages, and are no independent
evidence. So languages are permuted, and left out, never pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

Matrix = NDArray[np.float64]

PERMUTATIONS = 9_999
"""p-values are multiples of 1 / 10,000."""

LEAST = 5
"""Languages: fewer have too few permutations."""

CHUNK = 2_000
"""Permutations that are in memory at a time."""

TRIALS = 1_000
"""Of the simulation of power, whose error is .013 where it is .8."""

TINY = 1e-9
"""What is within it of another number differs from it by rounding."""


def regression(
    response: pd.DataFrame,
    predictors: Mapping[str, pd.DataFrame],
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> pd.DataFrame:
    """Standardised slopes of a response on one or more predictors over the pairs of languages, tested by permutation.

    With one predictor the slope is Pearson's correlation of the two matrices and the test is Mantel's; with several
    it is multiple regression on distance matrices, tested by double semi-partialling: of each predictor what the
    others do not explain is permuted, rows and columns alike, and the partial correlation that it then has with the
    response is held against the one observed. That keeps its level where predictors are correlated, which the
    permutation of the response does not. p = (1 + how often it is at least as far from 0) / (1 + permutations).

    The interval is of the jackknife over languages: with n languages, and b_i the slope without language i, it is
    b +- t(.975, n - 1) sqrt((n - 1) / n sum (b_i - mean b_i)^2). It is wide: it counts all of a pair to both languages.

    Source: Mantel (Cancer Research 27, 1967); Legendre, Lapointe and Casgrain (Evolution 48, 1994); Dekker, Krackhardt
    and Snijders, Sensitivity of MRQAP tests to collinearity and autocorrelation conditions (Psychometrika 72, 2007).

    Args:
        response: languages x languages. Of (a, b) and (b, a) the mean is taken, or the one that there is; a pair that
            has neither is left out, and so is the diagonal.
        predictors: name -> languages x languages, symmetric, known of every pair of these languages.
        permutations, seed: how many, and of which random numbers.

    Returns:
        Index predictor; slope, low, high, p, and least: how large the correlation must be for p = .05, with several
        predictors the partial one. NaN for a predictor that does not vary, for all where one is made up of the others,
        and for an interval where that is so without some language.

    Raises:
        ValueError: there are too few languages or pairs, or a predictor lacks a pair.

    Example:
        >>> place = np.array([0.0, 1.0, 3.0, 7.0, 12.0])
        >>> apart = pd.DataFrame(abs(place[:, None] - place), list("abcde"), list("abcde"))
        >>> found = regression(2 - apart, {"distance": apart}, permutations=99)
        >>> found.loc["distance", ["slope", "p"]].round(2).tolist()
        [-1.0, 0.01]
    """
    pairs = _Pairs.of(response, predictors)
    y, x, count = pairs.y, pairs.x[pairs.there], pairs.languages
    slopes = _slopes(y, x)
    kept = [(pairs.first[pairs.there] != n) & (pairs.second[pairs.there] != n) for n in range(count)]
    without = np.array([_slopes(y[rows], x[rows]) for rows in kept])
    error = np.sqrt((count - 1) / count * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    reach = stats.t.ppf(0.975, count - 1) * error
    orders = _orders(count, permutations, seed)
    rows = {}
    for n, (name, slope) in enumerate(zip(predictors, slopes, strict=True)):
        p = least = np.nan
        if np.isfinite(slope):
            observed, permuted = _partial_correlations(pairs, n, orders)
            p = (1 + (permuted >= observed - TINY).sum()) / (1 + permutations)
            least = float(np.quantile(permuted, 0.95))
        ends = {"low": slope - reach[n], "high": slope + reach[n]}
        rows[name] = {"slope": slope, **ends, "p": p, "least": least}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("predictor")


def resolvable(
    response: pd.DataFrame, predictor: pd.DataFrame, power: float = 0.8, level: float = 0.05
) -> float:
    """The smallest correlation with a predictor that Mantel's test finds with this power in data like these.

    A response of slope b is b times the predictor and sqrt(1 - b^2) times what the predictor does not explain of the
    response given, its languages permuted (each with mean 0 and variance 1 over pairs): so the pairs of one language
    depend on each other as they do here. Of `TRIALS` such responses each is tested by 499 permutations.

    Args:
        response, predictor: as of `regression`, every pair known.
        power: the chance that p is at most `level`.
        level: of the test; divided by the number of tests for one that is to hold among them.

    Returns:
        The slope, to .01; NaN where there is none below 1, or nothing varies.

    Raises:
        ValueError: as `regression`, or a pair is not known.
    """
    pairs = _Pairs.of(response, {"predictor": predictor})
    if not pairs.there.all():
        raise ValueError("the power can be told only where every pair of languages is known")
    z, y = _standardised(pairs.x[:, 0]), _standardised(pairs.y)
    left = y - z * (z @ y) / len(z)
    if not (left**2).mean() > TINY:
        return np.nan
    noise = np.apply_along_axis(_standardised, 1, pairs.permuted(left, _orders(pairs.languages, TRIALS, 0)))
    axes = pairs.permuted(z, _orders(pairs.languages, 499, 1))
    of_slope, of_noise, own = axes @ z, noise @ axes.T, noise @ z
    for slope in np.arange(0.01, 1, 0.01):
        rest = (1 - slope**2) ** 0.5
        observed = abs(slope * (z @ z) + rest * own)[:, None]
        reached = (abs(slope * of_slope + rest * of_noise) >= observed * (1 - TINY)).sum(axis=1)
        if ((1 + reached) / (1 + len(axes)) <= level).mean() >= power:
            return round(float(slope), 2)
    return np.nan


@dataclass(frozen=True)
class _Pairs:
    """The pairs of languages, and what is known of them.

    languages: how many; first, second: [pairs], the numbers of a pair's languages; x: [pairs, predictors]; there:
    [pairs], whether the response is known; y: [known pairs].
    """

    languages: int
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    x: Matrix
    there: NDArray[np.bool_]
    y: Matrix

    @classmethod
    def of(cls, response: pd.DataFrame, predictors: Mapping[str, pd.DataFrame]) -> _Pairs:
        codes = list(response.index)
        if len(codes) < LEAST:
            raise ValueError(f"{len(codes)} languages are too few to tell: {LEAST} or more are needed")
        one_way = response.reindex(columns=codes).to_numpy(np.float64)
        other_way = one_way.T
        both = (
            np.where(np.isnan(one_way), other_way, one_way)
            + np.where(np.isnan(other_way), one_way, other_way)
        ) / 2
        first, second = np.triu_indices(len(codes), 1)
        columns = []
        for name, table in predictors.items():
            values = table.reindex(index=codes, columns=codes).to_numpy(np.float64)[first, second]
            if (unknown := ~np.isfinite(values)).any():
                n = int(unknown.argmax())
                raise ValueError(
                    f"{name} is not known of {codes[first[n]]} and {codes[second[n]]}: leave a language out"
                )
            columns.append(values)
        y = both[first, second]
        there = np.isfinite(y)
        if there.sum() < len(columns) + 3:
            raise ValueError(f"{there.sum()} pairs of languages are too few for {len(columns)} predictors")
        return cls(len(codes), first, second, np.stack(columns, axis=1), there, y[there])

    def permuted(self, values: Matrix, orders: NDArray[np.int64]) -> Matrix:
        """Values of all pairs with their languages in other orders, of the pairs whose response is known.

        values: [pairs]; orders: [n, languages]. Returns [n, known pairs].
        """
        matrix = np.zeros((self.languages, self.languages))
        matrix[self.first, self.second] = matrix[self.second, self.first] = values
        return matrix[orders[:, self.first[self.there]], orders[:, self.second[self.there]]]


def _orders(languages: int, count: int, seed: int) -> NDArray[np.int64]:
    """[count, languages]: orders of the languages, drawn at random."""
    return np.random.default_rng(seed).permuted(np.tile(np.arange(languages), (count, 1)), axis=1)


def _standardised(values: Matrix) -> Matrix:
    """Mean 0 and variance 1; NaN where nothing varies."""
    spread = values.std()
    return (values - values.mean()) / (spread if spread > TINY * abs(values).max() else np.nan)


def _slopes(y: Matrix, x: Matrix) -> Matrix:
    """Standardised slopes [predictors] of y [pairs] on x [pairs, predictors]."""
    z, of_y = np.apply_along_axis(_standardised, 0, x), _standardised(y)
    slopes = np.full(x.shape[1], np.nan)
    varies = np.isfinite(z).all(axis=0)
    if varies.any() and np.isfinite(of_y).all():
        found, _, rank, _ = np.linalg.lstsq(z[:, varies], of_y, rcond=TINY)
        if rank == varies.sum():
            slopes[varies] = found
    return slopes


def _partial_correlations(pairs: _Pairs, n: int, orders: NDArray[np.int64]) -> tuple[float, Matrix]:
    """How far from 0 the partial correlation of the response with predictor n is: as it is, and [orders] permuted."""
    others = np.column_stack([np.ones(len(pairs.x)), np.delete(pairs.x, n, axis=1)])
    own = pairs.x[:, n] - others @ np.linalg.lstsq(others, pairs.x[:, n], rcond=TINY)[0]
    basis, _, _ = np.linalg.svd(others[pairs.there], full_matrices=False)
    basis = basis[:, : np.linalg.matrix_rank(others[pairs.there], rtol=TINY)]
    y = pairs.y - basis @ (basis.T @ pairs.y)
    y /= np.linalg.norm(y)

    def correlations(rows: Matrix) -> Matrix:
        left = rows - rows @ basis @ basis.T
        length = np.linalg.norm(left, axis=1)
        # a permutation that the other predictors explain says nothing
        return np.abs(left @ y) / np.where(length > TINY * np.linalg.norm(own), length, np.inf)

    parts = [
        correlations(pairs.permuted(own, orders[start : start + CHUNK]))
        for start in range(0, len(orders), CHUNK)
    ]
    observed = correlations(own[None, pairs.there])
    return float(observed[0]), np.concatenate(parts)
