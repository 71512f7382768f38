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

from hybridnb.measures.catalogue import MEASURES
from hybridnb.measures.metrics import per_query

RESAMPLES = 9_999
"""Of the randomisation test: p-values are multiples of 1 / 10,000."""


def question_values(ranks: pd.DataFrame) -> pd.DataFrame:
    """What each question adds to every measure: values whose mean over the questions is the measure.

    A measure is a mean over languages (or pairs of them) of means over their queries. So a query counts
    questions / (languages * queries of its language), and the values of a question's queries are added up.

    Args:
        ranks: one run's ranks table, of one data set.

    Returns:
        Index query_id, a column for the label of each measure of `catalogue.MEASURES` that is known of these ranks.

    Raises:
        ValueError: as `metrics.per_query`.
    """
    parts = []
    for task, table in per_query(ranks).groupby("task", observed=True):
        labels = {measure.name: measure.label for measure in MEASURES.values() if measure.task == task}
        values = table[list(labels)].dropna(axis="columns", how="all")
        pools = table.groupby(["query_language", "candidate_language"], observed=True)
        size = pools["query_id"].transform("size")
        weighted = values.div(size, axis=0) / pools.ngroups
        parts.append(weighted.groupby(table["query_id"].astype(str)).sum().rename(columns=labels))
    # a question may be in no pool of a task
    together = pd.concat(parts, axis=1).fillna(0)
    return together[[label for label in MEASURES if label in together]] * len(together)


def interval(
    first: Sequence[pd.DataFrame], second: Sequence[pd.DataFrame], figure: str, comparisons: int = 1
) -> tuple[float, float, float]:
    """(difference, low, high): how much higher a figure is in `first`, with its 95 % interval.

    first, second: `question_values` of one strategy's runs, a table a seed, in the same order of seeds; a side of one
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

    tables: strategy -> `question_values` of its runs. Columns: those of `compare`, against, figure, p_holm.
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
