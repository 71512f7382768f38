"""Is one strategy better than another, by how much, and how sure is that? Paired tests over questions and seeds.

The unit is the question, not the query: its translations are asked of the same answers, so they are no independent
evidence. Every question brings what it adds to the macro-average over languages (or language pairs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from hybridnb.measures.bias import rank_distance_per_query
from hybridnb.measures.metrics import per_query
from hybridnb.report.tables import HEADLINE

RESAMPLES = 9_999
"""Of the randomisation test: p-values are multiples of 1 / 10,000."""


def contributions(ranks: pd.DataFrame) -> pd.DataFrame:
    """What each question adds to the figures of `tables.HEADLINE`: index query_id, a column a figure.

    ranks: one run's ranks table of one data set. The mean of a column is the figure: a query counts
    questions / (languages * queries of its language), and a question's queries are added up.
    """
    values = per_query(ranks)
    distance = rank_distance_per_query(ranks).assign(task="multilingual", candidate_language="*")
    columns = {}
    for name, (task, metric) in HEADLINE.items():
        table = distance if metric == "rank_distance" else values[values["task"] == task]
        if len(table) == 0:
            continue
        pools = table.groupby(["query_language", "candidate_language"], observed=True)[metric]
        weighted = table[metric] / pools.transform("size") / pools.ngroups
        columns[name] = weighted.groupby(table["query_id"].astype(str)).sum()
    together = pd.DataFrame(columns).fillna(0)  # a question may be in no pool of a task
    return together * len(together)


def interval(
    first: Sequence[pd.DataFrame], second: Sequence[pd.DataFrame], figure: str, comparisons: int = 1
) -> tuple[float, float, float]:
    """(difference, low, high): how much higher a figure is in `first`, with its 95 % interval.

    first, second: `contributions` of one strategy's runs, a table a seed, in the same order of seeds; a side of one
    run (an encoder that is not trained has no seeds) is held against each of the other's. Questions and seeds are
    both samples: the squared standard error is that over questions (of means over seeds) plus that over seeds (of
    means over questions), the quantile Student's t with Satterthwaite's degrees of freedom, as in Clark's min F'
    (J. Verbal Learning and Verbal Behavior 12, 1973). With one seed on both sides it speaks of these encoders alone.
    comparisons: how many intervals are to hold together (Bonferroni). ValueError: the runs do not match.
    """
    apart = _differences(first, second, figure)
    errors, freedoms = [], []
    for axis in (0, 1):
        means = apart.mean(axis=axis)
        if len(means) > 1:
            errors.append(means.var(ddof=1) / len(means))
            freedoms.append(len(means) - 1)
    difference, error = float(apart.mean()), sum(errors)
    if error == 0:
        return difference, difference, difference
    freedom = error**2 / sum(e**2 / f for e, f in zip(errors, freedoms, strict=True))
    reach = float(stats.t.ppf(1 - 0.025 / comparisons, freedom) * error**0.5)
    return difference, difference - reach, difference + reach


def compare(
    first: Sequence[pd.DataFrame], second: Sequence[pd.DataFrame], figures: Sequence[str]
) -> pd.DataFrame:
    """How `first` differs from `second`: one row a figure.

    Columns: difference, low, high as `interval` has them; effect: difference over the standard deviation of the
    questions' differences (Cohen's d_z); p: two-sided paired randomisation test over questions of the means over
    seeds (signs flipped; Smucker, Allan and Carterette, CIKM 2007). The p-value asks whether these trained encoders
    differ on other questions, the interval whether the strategies do on other questions and seeds.
    """
    rows = {}
    for figure in figures:
        difference, low, high = interval(first, second, figure)
        by_question = _differences(first, second, figure).mean(axis=0)
        spread = by_question.std(ddof=1)
        effect = difference / spread if spread else 0.0
        p = randomisation_test(by_question)
        rows[figure] = {"difference": difference, "low": low, "high": high, "effect": effect, "p": p}
    return pd.DataFrame.from_dict(rows, orient="index")


def randomisation_test(differences: NDArray[np.float64]) -> float:
    """Two-sided p of the mean of paired differences [n] being 0, by flipping their signs RESAMPLES times.

    (1 + how often the mean is at least as far from 0 as observed) / (1 + RESAMPLES).
    """
    reached = np.abs(_signs(len(differences)) @ differences) >= abs(differences.sum()) * (1 - 1e-9)
    return float((1 + reached.sum()) / (1 + RESAMPLES))


def against(
    tables: Mapping[str, Sequence[pd.DataFrame]], reference: str, figures: Sequence[str]
) -> pd.DataFrame:
    """`compare` of the reference with every other strategy, with p corrected for all comparisons (Holm, 1979).

    tables: strategy -> `contributions` of its runs. Columns: those of `compare`, against, figure, p_holm.
    """
    parts = [
        compare(tables[reference], tables[other], figures).assign(against=other)
        for other in tables
        if other != reference
    ]
    table = pd.concat(parts).rename_axis("figure").reset_index()
    return table.assign(p_holm=holm(table["p"].to_numpy()))


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjusted p-values: max over j <= i of (m - j + 1) p_(j), at most 1 (Holm, Scand. J. Stat. 1979)."""
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * p_values[order]), 1)
    return adjusted


def _differences(
    first: Sequence[pd.DataFrame], second: Sequence[pd.DataFrame], figure: str
) -> NDArray[np.float64]:
    """first - second, [seeds, questions]."""
    a, b = (pd.concat([run[figure] for run in runs], axis=1).sort_index() for runs in (first, second))
    if not a.index.equals(b.index) or a.isna().to_numpy().any() or b.isna().to_numpy().any():
        raise ValueError("the runs were not evaluated on the same questions: evaluate them on one benchmark")
    if 1 < a.shape[1] != b.shape[1] > 1:
        raise ValueError(
            f"{a.shape[1]} runs cannot be paired with {b.shape[1]}: train both on the same seeds"
        )
    return a.to_numpy().T - b.to_numpy().T


@lru_cache(maxsize=4)
def _signs(size: int) -> NDArray[np.float64]:
    """Random signs [RESAMPLES, size], the same for every test of as many questions."""
    return np.random.default_rng(size).choice([-1.0, 1.0], (RESAMPLES, size))
