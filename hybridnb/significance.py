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

from hybridnb.bias import rank_distance_per_query
from hybridnb.metrics import per_query
from hybridnb.tables import HEADLINE

RESAMPLES = 9_999
"""Of the randomisation and the bootstrap: p-values are multiples of 1 / 10,000."""


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
    first: Sequence[pd.DataFrame], second: Sequence[pd.DataFrame], figure: str
) -> tuple[float, float, float]:
    """(difference, low, high): how much higher a figure is in `first`, with its 95 % interval.

    first, second: `contributions` of one strategy's runs, a table a seed, in the same order of seeds where there
    are as many. Means over seeds; percentile bootstrap over questions and seeds, both resampled (of one seed, over
    questions alone). ValueError: the runs are not of the same questions.
    """
    a, b = _stacked(first, figure), _stacked(second, figure)
    if a.shape[1] != b.shape[1]:
        raise ValueError("the runs were not evaluated on the same questions: evaluate them on one benchmark")
    counts = _resampled(a.shape[1], 0) / a.shape[1]
    of_a = _resampled(len(a), 1) / len(a)
    # runs of one seed drew alike: paired
    of_b = of_a if len(a) == len(b) else _resampled(len(b), 2) / len(b)
    means = (counts @ a.T * of_a).sum(axis=1) - (counts @ b.T * of_b).sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(a.mean() - b.mean()), float(low), float(high)


def compare(
    first: Sequence[pd.DataFrame], second: Sequence[pd.DataFrame], figures: Sequence[str]
) -> pd.DataFrame:
    """How `first` differs from `second`: one row a figure. As `interval`, and whether it may be chance.

    Columns: difference, low, high; effect: difference over the standard deviation of the questions' differences
    (Cohen's d_z); p: two-sided paired randomisation test over questions of the means over seeds (signs flipped;
    Smucker, Allan and Carterette, CIKM 2007).
    """
    rows = {}
    for figure in figures:
        difference, low, high = interval(first, second, figure)
        by_question = _stacked(first, figure).mean(axis=0) - _stacked(second, figure).mean(axis=0)
        tested = stats.permutation_test(
            (by_question,),
            np.mean,
            permutation_type="samples",
            n_resamples=RESAMPLES,
            vectorized=True,
            rng=np.random.default_rng(0),
        )
        spread = by_question.std(ddof=1)
        effect = difference / spread if spread else 0.0
        rows[figure] = {
            "difference": difference,
            "low": low,
            "high": high,
            "effect": effect,
            "p": tested.pvalue,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


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


def _stacked(runs: Sequence[pd.DataFrame], figure: str) -> NDArray[np.float64]:
    """[seeds, questions], the questions in order of their ids."""
    table = pd.concat([run[figure] for run in runs], axis=1)
    if table.isna().to_numpy().any():
        raise ValueError("the runs were not evaluated on the same questions: evaluate them on one benchmark")
    return table.sort_index().to_numpy().T


@lru_cache(maxsize=8)
def _resampled(size: int, stream: int) -> NDArray[np.float64]:
    """How often each of `size` things is drawn, in RESAMPLES samples with replacement: [RESAMPLES, size]."""
    rng = np.random.default_rng([size, stream])
    drawn = rng.integers(size, size=(RESAMPLES, size)) + size * np.arange(RESAMPLES)[:, None]
    return np.bincount(drawn.ravel(), minlength=RESAMPLES * size).reshape(RESAMPLES, size).astype(float)
