"""Is one strategy better than another, by how much, and how sure is that? Paired tests over questions and seeds.

The unit is the question, not the query: its translations are asked of the same answers, so they are no independent
evidence. Every question brings what it adds to the macro-average over languages (or language pairs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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


def compare(first: Sequence[pd.DataFrame], second: Sequence[pd.DataFrame], seed: int = 0) -> pd.DataFrame:
    """How `first` differs from `second`: one row a figure.

    first, second: `contributions` of one strategy's runs, a table a seed, in the same order of seeds where there
    are as many. Columns: difference of the means over seeds; low, high: 95 % percentile bootstrap interval over
    questions and seeds (both resampled; of one seed, over questions alone); effect: difference over the standard
    deviation of the questions' differences (Cohen's d_z); p: two-sided paired randomisation test over questions of
    the means over seeds (signs flipped; Smucker, Allan and Carterette, CIKM 2007).
    """
    rows = {}
    for name in first[0].columns:
        a, b = (_stacked([table[name] for table in side]) for side in (first, second))
        difference = a.mean(axis=0) - b.mean(axis=0)
        tested = stats.permutation_test(
            (difference,),
            np.mean,
            permutation_type="samples",
            n_resamples=RESAMPLES,
            vectorized=True,
            rng=np.random.default_rng(seed),
        )
        low, high = np.quantile(_bootstrap(a, b, np.random.default_rng(seed)), [0.025, 0.975])
        spread = difference.std(ddof=1)
        rows[name] = {
            "difference": difference.mean(),
            "low": low,
            "high": high,
            "effect": difference.mean() / spread if spread else 0.0,
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
        compare(tables[reference], tables[other]).loc[list(figures)].assign(against=other)
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


def _stacked(columns: Sequence[pd.Series]) -> NDArray[np.float64]:
    """[seeds, questions], the questions in one order."""
    table = pd.concat(columns, axis=1)
    if table.isna().to_numpy().any():
        raise ValueError("the runs were not evaluated on the same questions: evaluate them on one benchmark")
    return table.sort_index().to_numpy().T


def _bootstrap(
    a: NDArray[np.float64], b: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Differences of means, seeds and questions drawn with replacement; [RESAMPLES]."""
    seeds = [rng.integers(len(side), size=(RESAMPLES, len(side))) for side in (a, b)]
    if len(a) == len(b):
        seeds[1] = seeds[0]  # runs of one seed start alike: paired
    result = np.empty(RESAMPLES)
    for sample in range(RESAMPLES):
        difference = a[seeds[0][sample]].mean(axis=0) - b[seeds[1][sample]].mean(axis=0)
        result[sample] = difference[rng.integers(len(difference), size=len(difference))].mean()
    return result
