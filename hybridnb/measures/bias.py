"""Language bias as a test: are equally good answers in all languages ranked alike?

What is a number for each query (the rank distance) is a measure of `catalogue.MEASURES`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import friedmanchisquare

from hybridnb.retrieval.ranks_table import of_task

QUERY = ["dataset", "query_language", "query_id"]


def friedman(ranks: pd.DataFrame) -> pd.DataFrame:
    """Friedman's test, for each query language, of whether answers in all languages are ranked alike.

    A query is a block, a language a treatment, the rank of the query's best answer in it the response; only queries
    with answers in all of the data set's languages take part. The effect size is Kendall's
    W = statistic / (queries * (languages - 1)): 0 where no language is preferred, 1 where every query orders the
    languages alike.
    Source: Friedman, The use of ranks to avoid the assumption of normality implicit in the analysis of variance
    (JASA 1937); Kendall and Babington Smith, The problem of m rankings (1939).

    Args:
        ranks: one run's ranks table, of one or more data sets. A missing rank counts as infinite.

    Returns:
        dataset, query_language, queries, languages, statistic, p_value, kendalls_w. There is no row for a query
        language with fewer than 2 such queries or 3 languages (all of MLQA-R, whose questions have answers in 4 of 7
        languages at most).

    Raises:
        ValueError: the table is not a ranks table.

    Example:
        >>> rows = [
        ...     ("d", "multilingual", "de", "*", query, language, rank, 9)
        ...     for query in ("q1", "q2", "q3")
        ...     for rank, language in enumerate(("de", "en", "th"), start=1)
        ... ]
        >>> columns = ["dataset", "task", "query_language", "candidate_language", "query_id", "relevant_language"]
        >>> ranks = pd.DataFrame(rows, columns=[*columns, "rank", "pool_size"])
        >>> friedman(ranks)[["query_language", "queries", "languages", "kendalls_w"]]
          query_language  queries  languages  kendalls_w
        0             de        3          3         1.0
    """
    rows = []
    for dataset, of_dataset in _best_by_language(ranks).groupby("dataset"):
        languages = of_dataset["relevant_language"].unique()
        for language, of_language in of_dataset.groupby("query_language"):
            wide = of_language.pivot(index="query_id", columns="relevant_language", values="rank")
            complete = wide.reindex(columns=languages).dropna()
            if len(complete) < 2 or len(languages) < 3:
                continue
            values = complete.to_numpy()
            # where every query ties all languages (none is retrieved) the statistic is 0 / 0
            tied = (values == values[:, :1]).all()
            statistic, p_value = (0.0, 1.0) if tied else friedmanchisquare(*values.T)
            w = statistic / (len(complete) * (len(languages) - 1))
            rows.append((dataset, language, len(complete), len(languages), statistic, p_value, w))
    columns = ["dataset", "query_language", "queries", "languages", "statistic", "p_value", "kendalls_w"]
    return pd.DataFrame(rows, columns=columns)


def _best_by_language(ranks: pd.DataFrame) -> pd.DataFrame:
    """dataset, query_language, query_id, relevant_language, rank: the best answer in each language."""
    rows = of_task(ranks, "multilingual")
    text = dict.fromkeys(["dataset", "query_language", "relevant_language"], "str")
    rows = rows.assign(rank=rows["rank"].astype(np.float64).fillna(np.inf)).astype(text)
    return rows.groupby([*QUERY, "relevant_language"], observed=True)["rank"].min().reset_index()
