"""Language bias: how differently a ranking treats the languages of equally good answers.

Every measure is of the multilingual task, where the parallel answers of a query stand in one pool, and is
computed from the ranks table.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import friedmanchisquare

from hybridnb.retrieval.ranks_table import of_task

QUERY = ["dataset", "query_language", "query_id"]


def rank_distance_per_query(ranks: pd.DataFrame) -> pd.DataFrame:
    """Highest minus lowest rank among the relevant candidates of each query.

    Returns dataset, query_language, query_id, rank_distance: 0 where a query has one relevant candidate
    only, NaN where a rank is missing. Source: arXiv 2408.10536, which takes every query of XQuAD-R and
    MLQA-R; each of these has at least two relevant candidates, in two or more languages.
    """
    rows = of_task(ranks, "multilingual")
    groups = rows.groupby(QUERY, observed=True, sort=False)["rank"]
    table = (groups.max() - groups.min()).astype(np.float64)
    missing = groups.count() < groups.size()
    return table.mask(missing).rename("rank_distance").reset_index()


def rank_distance(ranks: pd.DataFrame) -> pd.DataFrame:
    """Mean over the queries of each language of the rank distance; lower is fairer.

    Returns dataset, query_language, rank_distance, without the data sets for which it says nothing about
    languages or is not known: those where no query has relevant candidates in two languages (MIRACL), and
    those with missing ranks (a retrieval to some depth only).
    """
    rows = of_task(ranks, "multilingual")
    languages = rows.groupby(QUERY, observed=True)["relevant_language"].nunique()
    parallel = (languages > 1).groupby("dataset", observed=True).any()
    complete = rows["rank"].notna().groupby(rows["dataset"], observed=True).all()
    usable = parallel.index[parallel & complete.reindex(parallel.index)]
    distances = rank_distance_per_query(rows[rows["dataset"].isin(usable)])
    means = distances.groupby(["dataset", "query_language"], observed=True)["rank_distance"].mean()
    return means.reset_index().astype({"dataset": "str", "query_language": "str"})


def relevant_language_ranks(ranks: pd.DataFrame) -> pd.DataFrame:
    """Where each language's answers stand in the merged pool, by query language: the cells of a heatmap.

    Returns dataset, query_language, relevant_language, queries, median_rank and mean_reciprocal_rank of a
    query's best answer in that language, over the queries which have one. Without bias a row of the
    heatmap is constant up to the language's difficulty. A missing rank counts as infinite.
    """
    best = _best_by_language(ranks)
    keys = ["dataset", "query_language", "relevant_language"]
    groups = best.assign(reciprocal=1 / best["rank"]).groupby(keys, observed=True)
    return groups.agg(
        queries=("rank", "size"), median_rank=("rank", "median"), mean_reciprocal_rank=("reciprocal", "mean")
    ).reset_index()


def friedman(ranks: pd.DataFrame) -> pd.DataFrame:
    """Friedman test, per query language, of whether answers in all languages are ranked alike.

    A query is a block, a language a treatment, the rank of the query's best answer in it the response; only
    queries with answers in all of the data set's languages take part. Returns dataset, query_language,
    queries, languages, statistic, p_value, kendalls_w. Kendall's W = statistic / (queries * (languages - 1))
    is the effect size: 0 where no language is preferred, 1 where every query orders the languages alike.
    There is no row for a query language with fewer than 2 such queries or 3 languages (all of MLQA-R, whose
    questions have answers in 4 of 7 languages at most).
    Source: Friedman, The use of ranks to avoid the assumption of normality implicit in the analysis of
    variance (JASA 1937); Kendall and Babington Smith, The problem of m rankings (1939).
    """
    rows = []
    for dataset, of_dataset in _best_by_language(ranks).groupby("dataset", observed=True):
        languages = of_dataset["relevant_language"].unique()
        for language, of_language in of_dataset.groupby("query_language", observed=True):
            wide = of_language.pivot(index="query_id", columns="relevant_language", values="rank")
            complete = wide.reindex(columns=languages).dropna()
            if len(complete) < 2 or len(languages) < 3:
                continue
            statistic, p_value = friedmanchisquare(*complete.to_numpy().T)
            w = statistic / (len(complete) * (len(languages) - 1))
            rows.append((dataset, language, len(complete), len(languages), statistic, p_value, w))
    columns = ["dataset", "query_language", "queries", "languages", "statistic", "p_value", "kendalls_w"]
    return pd.DataFrame(rows, columns=columns)


def _best_by_language(ranks: pd.DataFrame) -> pd.DataFrame:
    """dataset, query_language, query_id, relevant_language, rank: the best answer in each language."""
    rows = of_task(ranks, "multilingual")
    text = dict.fromkeys(["dataset", "query_language", "relevant_language"], "str")
    rows = rows.assign(rank=rows["rank"].astype(np.float64).fillna(np.inf)).astype(text)
    return rows.groupby([*QUERY, "relevant_language"], observed=True, sort=False)["rank"].min().reset_index()
