"""Regression on distance matrices, against loops, scipy and least squares, and by simulation."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats

from hybridnb.measures.mantel import LEAST, regression, resolvable

CODES = list("abcdefghijk")
CELLS = list(combinations(range(len(CODES)), 2))


def table(values: NDArray[np.float64]) -> pd.DataFrame:
    return pd.DataFrame(values, CODES[: len(values)], CODES[: len(values)])


def drawn(seed: int, count: int = len(CODES)) -> NDArray[np.float64]:
    """A symmetric matrix that has what its rows have in common, and more."""
    rng = np.random.default_rng(seed)
    own, pair = rng.normal(size=count), rng.normal(size=(count, count))
    return own + own[:, None] + pair + pair.T


def distances(seed: int, count: int = len(CODES)) -> NDArray[np.float64]:
    places = np.random.default_rng(seed).normal(size=(count, 3))
    return np.linalg.norm(places[:, None] - places, axis=2)


def test_one_slope_is_the_correlation_and_p_that_of_every_order_counted() -> None:
    y, x = drawn(1, 6), distances(2, 6)
    cells = list(combinations(range(6), 2))
    observed = stats.pearsonr([y[c] for c in cells], [x[c] for c in cells]).statistic
    everything = [
        stats.pearsonr([y[c] for c in cells], [x[order[i], order[j]] for i, j in cells]).statistic
        for order in permutations(range(6))
    ]
    exact = np.mean([abs(r) >= abs(observed) - 1e-12 for r in everything])
    found = regression(table(y), {"x": table(x)}).loc["x"]
    assert found["slope"] == pytest.approx(observed)
    assert found["p"] == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 9999) ** 0.5)
    assert found["least"] == pytest.approx(np.quantile(np.abs(everything), 0.95), abs=0.02)


def test_several_slopes_are_those_of_least_squares_and_of_each_the_rest_is_permuted() -> None:
    y, a, b = drawn(3), distances(4), distances(5)
    b += 0.8 * a
    found = regression(table(y), {"a": table(a), "b": table(b)}, permutations=199, seed=7)
    columns = [np.array([m[c] for c in CELLS]) for m in (y, a, b)]
    z = [(c - c.mean()) / c.std() for c in columns]
    slopes = np.linalg.lstsq(np.stack(z[1:], axis=1), z[0], rcond=None)[0]
    assert found["slope"].tolist() == pytest.approx(slopes.tolist())
    # of a: what b does not explain of it, with its languages in another order, beside b
    fit = np.polyfit(columns[2], columns[1], 1)
    left = a - np.polyval(fit, b)
    orders = np.random.default_rng(7).permuted(np.tile(np.arange(11), (199, 1)), axis=1)

    def t(matrix: NDArray[np.float64]) -> float:
        design = np.stack([np.ones(len(CELLS)), columns[2], [matrix[c] for c in CELLS]], axis=1)
        slope, (residual,) = np.linalg.lstsq(design, columns[0], rcond=None)[:2]
        return abs(float(slope[2] / (residual * np.linalg.inv(design.T @ design)[2, 2]) ** 0.5))

    reached = sum(t(left[order][:, order]) >= t(left) - 1e-9 for order in orders)
    assert found.loc["a", "p"] == pytest.approx((1 + reached) / 200)


def test_the_interval_is_of_slopes_without_a_language() -> None:
    y, x = drawn(6), distances(7)
    without = []
    for n in range(11):
        cells = [c for c in CELLS if n not in c]
        without.append(stats.pearsonr([y[c] for c in cells], [x[c] for c in cells]).statistic)
    found = regression(table(y), {"x": table(x)}, permutations=9).loc["x"]
    half = stats.t.ppf(0.975, 10) * (10 / 11 * ((np.array(without) - np.mean(without)) ** 2).sum()) ** 0.5
    assert (found["high"] - found["low"]) / 2 == pytest.approx(half)
    assert found["high"] + found["low"] == pytest.approx(2 * found["slope"])


def test_a_planted_effect_is_found_and_told_from_what_goes_along_with_it() -> None:
    x = distances(8)
    along = x + 0.5 * distances(9)
    y = -2 * x + 0.3 * drawn(10)
    found = regression(table(y), {"x": table(x), "along": table(along)}, permutations=999)
    assert found.loc["x", "p"] < 0.01 and found.loc["x", "high"] < 0
    assert found.loc["along", "p"] > 0.05
    assert regression(table(y), {"along": table(along)}, permutations=999).loc["along", "p"] < 0.05


def test_the_order_of_languages_and_the_units_do_not_matter() -> None:
    y, x = table(drawn(11)), table(distances(12))
    found = regression(y, {"x": x}, permutations=99).loc["x", ["slope", "low", "high"]].tolist()
    other = CODES[::-1]
    again = regression(1000 * y.loc[other, other] - 5, {"x": 3 * x}, permutations=99)
    assert again.loc["x", ["slope", "low", "high"]].tolist() == pytest.approx(found)


def test_of_both_ways_the_mean_is_taken_or_the_one_there_is() -> None:
    y, x = drawn(13), distances(14)
    tilted = y + np.subtract.outer(np.arange(11.0), np.arange(11.0))
    expected = regression(table(y), {"x": table(x)}, permutations=9)
    pd.testing.assert_frame_equal(regression(table(tilted), {"x": table(x)}, permutations=9), expected)
    halves = np.where(np.tril(np.ones_like(y), -1) > 0, np.nan, y)
    pd.testing.assert_frame_equal(regression(table(halves), {"x": table(x)}, permutations=9), expected)


def test_pairs_that_are_not_measured_are_left_out() -> None:
    y, x = drawn(15), distances(16)
    y[2:, 2:] = np.nan
    cells = [c for c in CELLS if c[0] < 2]
    found = regression(table(y), {"x": table(x)}, permutations=99).loc["x"]
    assert found["slope"] == pytest.approx(
        stats.pearsonr([y[c] for c in cells], [x[c] for c in cells]).statistic
    )


def test_what_cannot_be_told_is_nan() -> None:
    y, x = table(drawn(17)), table(distances(18))
    still = x * 0 + 1
    found = regression(y, {"x": x, "still": still}, permutations=99)
    assert found.loc["still"].isna().all() and found.loc["x"].notna().all()
    assert regression(y, {"x": x, "again": 2 * x + 1}, permutations=99).isna().all(axis=None)
    assert regression(still, {"x": x}, permutations=99).isna().all(axis=None)
    # one language makes the difference: without it there is none
    one = table(np.equal.outer(np.arange(11), np.arange(11)) * 0.0)
    one.loc["a"] = one["a"] = 1.0
    assert regression(y, {"one": one}, permutations=99).loc["one"].isna().tolist() == [
        False,
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("count", "spoil", "message"),
    [
        (LEAST - 1, None, "4 languages are too few to tell: 5 or more"),
        (6, ("b", "d"), "x is not known of b and d: leave a language out"),
    ],
)
def test_too_little_is_an_error(count: int, spoil: tuple[str, str] | None, message: str) -> None:
    y, x = table(drawn(19, count)), table(distances(20, count))
    if spoil:
        x.loc[spoil] = np.nan
    with pytest.raises(ValueError, match=message):
        regression(y, {"x": x})


def test_too_few_pairs_are_an_error() -> None:
    y = drawn(21)
    y[:, 1:] = y[1:, :] = np.nan
    y[0, 1] = y[0, 2] = 1.0
    with pytest.raises(ValueError, match="2 pairs of languages are too few for 1 predictors"):
        regression(table(y), {"x": table(distances(22))})


def test_power_is_told_of_whole_tables() -> None:
    y = drawn(21)
    y[0, 1] = y[1, 0] = np.nan
    with pytest.raises(ValueError, match="only where every pair"):
        resolvable(table(y), table(distances(22)))


def test_the_level_is_kept_where_pairs_of_a_language_depend_on_each_other() -> None:
    """Of 120 responses that have nothing to do with the predictors, about a twentieth has p <= .05."""
    x, other = table(distances(23)), table(distances(23) + distances(24))
    p = [
        regression(table(drawn(100 + n)), {"x": x, "other": other}, permutations=99, seed=n)["p"].to_numpy()
        for n in range(120)
    ]
    alone = [
        regression(table(drawn(100 + n)), {"x": x}, permutations=99, seed=n)["p"].iloc[0] for n in range(120)
    ]
    for found in (*np.array(p).T, np.array(alone)):
        assert stats.binomtest(int((found <= 0.05).sum()), 120, 0.05).pvalue > 0.001


def test_the_resolvable_slope_is_found_as_often_as_said() -> None:
    y, x = drawn(25), distances(26)
    slope = resolvable(table(y), table(x))
    assert 0.3 < slope < 0.9
    assert resolvable(table(y), table(x), level=0.01) > slope
    assert resolvable(table(y), table(x), power=0.5) < slope
    cells = np.array(CELLS).T
    z = stats.zscore(x[tuple(cells)])
    left = stats.zscore(y[tuple(cells)] - z * (z @ y[tuple(cells)]) / len(z))
    noise = np.zeros((11, 11))
    noise[tuple(cells)] = left
    noise += noise.T
    found = []
    for n in range(120):
        order = np.random.default_rng(1000 + n).permutation(11)
        made = np.zeros((11, 11))
        made[tuple(cells)] = slope * z + (1 - slope**2) ** 0.5 * noise[order][:, order][tuple(cells)]
        found.append(
            regression(table(made + made.T), {"x": table(x)}, permutations=199, seed=n)["p"].iloc[0] <= 0.05
        )
    assert np.mean(found) == pytest.approx(0.8, abs=0.09)


def test_what_has_no_noise_has_no_power_to_tell() -> None:
    x = table(distances(27))
    assert np.isnan(resolvable(x, x))
