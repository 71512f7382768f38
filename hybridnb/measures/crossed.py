"""How far two systems are apart where seeds and questions are both samples: the crossed bootstrap; what it resolves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, stats

from hybridnb.measures.significance import cluster_sums, differences

RESAMPLES = 4_999
"""The standard error of a bootstrap of so many is known to 1 %."""


@dataclass(frozen=True)
class Estimate:
    """A difference between two systems and how sure it is.

    Args:
        difference: the mean over seeds and questions.
        error: its standard error.
        freedom: degrees of freedom of Student's distribution that its error goes with.
        seeds, clusters: how many of each it is from.

    Example:
        >>> estimate = Estimate(0.02, 0.01, freedom=11, seeds=12, clusters=240)
        >>> [round(end, 3) for end in estimate.interval()], round(estimate.p(), 3)
        ([-0.002, 0.042], 0.071)
    """

    difference: float
    error: float
    freedom: float
    seeds: int
    clusters: int

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The interval in which the difference lies with this confidence."""
        reach = float(stats.t.ppf((1 + level) / 2, self.freedom)) * self.error
        return self.difference - reach, self.difference + reach

    def p(self, other: float = 0.0) -> float:
        """Two-sided p of the difference being another value."""
        if self.error == 0:
            return float(self.difference == other)
        return float(2 * stats.t.sf(abs(self.difference - other) / self.error, self.freedom))


def estimate(
    first: Sequence[pd.DataFrame],
    second: Sequence[pd.DataFrame],
    label: str,
    clusters: Mapping[str, str] | None = None,
) -> Estimate:
    """How much higher a measure is with one system than with another, by the crossed bootstrap.

    Of the differences [seeds, questions], matched seeds are drawn and, independently, clusters of questions, both with
    replacement, and the mean of what is at the crossings is taken (the pigeonhole bootstrap: Owen, Ann. Appl. Stat. 1,
    2007). One fewer is drawn than there are, so that few seeds do not understate the variance (Rao and Wu, JASA 83,
    1988). The spread of these means is the standard error. With four or twelve seeds their quantiles would be those
    of a few values, so intervals are of Student's t, its degrees of freedom after Satterthwaite from the parts of the
    variance that drawing seeds alone, and clusters alone, give.

    Args:
        first, second: `question_values` of each system's runs, a table a seed, in the same order of seeds; a side of
            one run (an encoder that is not trained has no seeds) is held against each of the other's.
        label: of the measure, a column of these tables.
        clusters: question -> what it has in common with others, such as its paragraph; one that is not named stands
            by itself.

    Returns:
        The difference first minus second. With one seed on both sides it speaks of these encoders alone.

    Raises:
        ValueError: the runs do not match, or there is one cluster only.

    Example:
        >>> first, second = (pd.DataFrame({"Mo mAP": values}) for values in ([0.5, 0.7, 0.9], [0.4, 0.5, 0.6]))
        >>> found = estimate([first], [second], "Mo mAP")
        >>> round(found.difference, 3), found.clusters
        (0.2, 3)
    """
    sums, sizes = cluster_sums(*differences(first, second, label), clusters)
    seeds, groups = sums.shape
    if groups < 2:
        raise ValueError("one question, or one cluster of them, has no interval: evaluate on two or more")
    drawn = np.empty((RESAMPLES, seeds))
    weights = _weights(groups)
    for start in range(0, RESAMPLES, 500):
        part = weights[start : start + 500].astype(np.float64)
        drawn[start : start + 500] = part @ sums.T / (part @ sizes)[:, None]
    of_seeds = _weights(seeds, of_seeds=True) / max(seeds - 1, 1)
    over_seeds = (of_seeds @ (sums.sum(axis=1) / sizes.sum())).var(ddof=1)
    over_clusters = drawn.mean(axis=1).var(ddof=1)
    error = float((of_seeds * drawn).sum(axis=1).std(ddof=1))
    parts = over_clusters**2 / (groups - 1) + (over_seeds**2 / (seeds - 1) if seeds > 1 else 0)
    freedom = float((over_clusters + over_seeds) ** 2 / parts) if parts else float(groups - 1)
    return Estimate(float(sums.sum() / sizes.sum() / seeds), error, freedom, seeds, groups)


@lru_cache(maxsize=8)
def _weights(count: int, *, of_seeds: bool = False) -> NDArray[np.uint8]:
    """[RESAMPLES, count]: how often each of them is drawn, one fewer in all than there are (1 of 1)."""
    random = np.random.default_rng((count, of_seeds))
    drawn = random.integers(0, count, (RESAMPLES, max(count - 1, 1)), dtype=np.int32)
    table = np.zeros((RESAMPLES, count), dtype=np.uint8)
    np.add.at(table, (np.arange(RESAMPLES)[:, None], drawn), np.uint8(1))
    return table


@dataclass(frozen=True)
class Components:
    """What makes the differences between two systems vary.

    Args:
        seeds: variance between seeds.
        clusters: variance between clusters of questions.
        rest: variance of what a seed does to a cluster.

    Example:
        >>> pilot = Components(seeds=0.0001, clusters=0.04, rest=0.01)
        >>> round(pilot.smallest(12, 240), 3), round(pilot.smallest(4, 240), 3)
        (0.038, 0.04)
    """

    seeds: float
    clusters: float
    rest: float

    @classmethod
    def of(
        cls,
        first: Sequence[pd.DataFrame],
        second: Sequence[pd.DataFrame],
        label: str,
        clusters: Mapping[str, str] | None = None,
    ) -> Components:
        """Estimated from the runs of a pilot, by the analysis of variance of two random factors.

        Args:
            first, second, label, clusters: as of `estimate`; clusters count as equally large.

        Raises:
            ValueError: the runs do not match, or there are fewer than two seeds or clusters.
        """
        sums, sizes = cluster_sums(*differences(first, second, label), clusters)
        if min(sums.shape) < 2:
            raise ValueError("variances between seeds and between questions need two or more of each")
        values = sums * (len(sizes) / sizes.sum())
        seeds, groups = values.shape
        by_seed, by_group = values.mean(axis=1), values.mean(axis=0)
        left = values - by_seed[:, None] - by_group + values.mean()
        rest = float((left**2).sum() / ((seeds - 1) * (groups - 1)))
        return cls(
            seeds=max(float(by_seed.var(ddof=1)) - rest / groups, 0.0),
            clusters=max(float(by_group.var(ddof=1)) - rest / seeds, 0.0),
            rest=rest,
        )

    def smallest(self, seeds: int, clusters: int, power: float = 0.8, level: float = 0.05) -> float:
        """The smallest difference that so many seeds and clusters find, two-sided at `level`, with this power.

        The difference over its standard error, sqrt(seeds / n + clusters / K + rest / (n K)), is of the noncentral t
        distribution, its degrees of freedom after Satterthwaite.

        Args:
            seeds: n, matched ones.
            clusters: K.
            power: the chance that p is below `level`.
            level: of the test; divided by the number of claims for one that is to hold among them.
        """
        crossing = self.rest / (seeds * clusters)
        of_seeds, of_clusters = self.seeds / seeds + crossing, self.clusters / clusters + crossing
        error = (of_seeds + of_clusters - crossing) ** 0.5
        if error == 0:
            return 0.0
        parts = of_clusters**2 / (clusters - 1) + (of_seeds**2 / (seeds - 1) if seeds > 1 else 0)
        freedom = (of_seeds + of_clusters) ** 2 / parts
        limit = stats.t.ppf(1 - level / 2, freedom)

        def lacking(shift: float) -> float:
            return float(stats.nct.sf(limit, freedom, shift) - power)

        return float(error * optimize.brentq(lacking, 0, limit + 20))
