"""The measures of `catalogue.MEASURES` of a ranks table: per query, per language, and on average."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hybridnb.measures.catalogue import MEASURES, Measure
from hybridnb.retrieval.ranks_table import POOL, TASKS, check_ranks

NAMES = list(dict.fromkeys(measure.name for measure in MEASURES.values()))


def per_query(ranks: pd.DataFrame) -> pd.DataFrame:
    """Every measure for every query in every pool.

    Args:
        ranks: one run's ranks table (see `ranks_table`), of one or more data sets.

    Returns:
        dataset, task, query_language, candidate_language, query_id and a column for each measure's name, in the order
        in which the pools and queries first come. A measure is NaN through a data set and task for which it is not
        defined or not known for every query: the rank distance where a rank is missing, or no query has answers in
        two languages.

    Raises:
        ValueError: the table is not a ranks table, or two relevant candidates share a rank.

    Example:
        >>> rows = [("d", "multilingual", "de", "*", "q1", answer, r, 9) for answer, r in (("de", 1), ("en", 4))]
        >>> columns = [*POOL, "query_id", "relevant_language", "rank", "pool_size"]
        >>> per_query(pd.DataFrame(rows, columns=columns))[["query_id", "map", "rank_distance"]].to_dict("records")
        [{'query_id': 'q1', 'map': 0.75, 'rank_distance': 3.0}]
    """
    check_ranks(ranks)
    keys = [*POOL, "query_id"]
    query = ranks.groupby(keys, observed=True, sort=False).ngroup().to_numpy()
    values = ranks["rank"].to_numpy(dtype=np.float64, na_value=np.nan)
    order = np.lexsort([values, query])
    values, query = values[order], query[order]
    _check_distinct(ranks, values, query, order)
    _, starts, counts = np.unique(query, return_index=True, return_counts=True)
    table = {name: np.empty(len(starts)) for name in NAMES}
    formulas = {measure.name: measure.per_query for measure in MEASURES.values()}
    for count in np.unique(counts):  # queries of as many relevant candidates make one matrix
        chosen = counts == count
        matrix = values[starts[chosen, None] + np.arange(count)]
        for name, formula in formulas.items():
            table[name][chosen] = formula(matrix)
    queries = ranks[keys].iloc[order[starts]].reset_index(drop=True)
    languages = pd.factorize(ranks["relevant_language"])[0][order]
    several = np.logical_or.reduceat(languages != np.repeat(languages[starts], counts), starts)
    _hide_unknown(table, queries, several)
    return pd.concat([queries, pd.DataFrame(table)], axis=1)


def _hide_unknown(
    table: dict[str, NDArray[np.float64]], queries: pd.DataFrame, several: NDArray[np.bool_]
) -> None:
    """Make a measure NaN through every data set and task for which it is not defined or not known (in place).

    table: name -> [queries]; several: [queries], whether a query has relevant candidates in several languages.
    """
    defined: dict[tuple[Hashable, str], Measure] = {
        (measure.task, measure.name): measure for measure in MEASURES.values()
    }
    for (_, task), part in queries[["dataset", "task"]].groupby(["dataset", "task"], observed=True):
        rows = part.index
        for name, values in table.items():
            measure = defined.get((task, name))
            says_nothing = measure is None or (measure.between_languages and not several[rows].any())
            if says_nothing or np.isnan(values[rows]).any():
                values[rows] = np.nan


def by_language(ranks: pd.DataFrame) -> pd.DataFrame:
    """Means over the queries of each language, of each ordered pair of languages in the cross-lingual task.

    Args:
        ranks: as for `per_query`.

    Returns:
        dataset, task, query_language, candidate_language, metric, value; measures that are not known are left out.

    Raises:
        ValueError: as `per_query`.
    """
    values = per_query(ranks)
    pools = values.groupby(POOL, observed=True)
    # one column at a time: beside a column with NaN, pandas sums the others in another order
    means = pd.concat({name: pools[name].mean() for name in NAMES}, names=["metric"])
    tidy = means.dropna().rename("value").reset_index()
    return tidy.astype(dict.fromkeys([*POOL, "metric"], "str"))[[*POOL, "metric", "value"]]


def summary(ranks: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Means over languages, over ordered pairs of languages in the cross-lingual task.

    Args:
        ranks: the ranks table of one data set.

    Returns:
        {task: {metric: value}}; tasks without rows and measures that are not known are left out.

    Raises:
        ValueError: as `per_query`, or the ranks are of several data sets.
    """
    return average(by_language(ranks))


def average(means: pd.DataFrame) -> dict[str, dict[str, float]]:
    """`summary` from what `by_language` returns."""
    if means["dataset"].nunique() > 1:
        names = ", ".join(sorted(means["dataset"].unique()))
        raise ValueError(f"the ranks are of several data sets ({names}); give those of one")
    values = means.groupby(["task", "metric"], sort=False)["value"].mean()
    return {
        task: {metric: float(value) for metric, value in values[task].items()}
        for task in TASKS
        if task in values.index
    }


def _check_distinct(
    ranks: pd.DataFrame,
    values: NDArray[np.float64],
    query: NDArray[np.integer[Any]],
    order: NDArray[np.int64],
) -> None:
    repeated = np.flatnonzero((np.diff(values) == 0) & (np.diff(query) == 0))
    if len(repeated):
        row = ranks.iloc[order[repeated[0]]]
        raise ValueError(
            f"ranks table: two relevant candidates of query {row['query_id']!r} "
            f"({row['query_language']}, {row['task']}) have rank {row['rank']}; give one run's table"
        )
