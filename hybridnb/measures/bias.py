"""Language bias of a run: the measures of `catalogue.BIAS` by language, whose candidates come first, and a test."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import entropy, friedmanchisquare

from hybridnb.measures.answers import Answers
from hybridnb.measures.catalogue import BIAS
from hybridnb.retrieval.ranks_table import WHOLE_POOL, check_ranks, of_task

QUERY = ["dataset", "query_language", "query_id"]


def by_query_language(ranks: pd.DataFrame) -> pd.DataFrame:
    """Every measure of `catalogue.BIAS` by language of the query.

    Args:
        ranks: one run's ranks table, of one data set.

    Returns:
        Index query_language, a column for each label; NaN where a measure says nothing or is not known. Without the
        multilingual task, or without a query that has answers in two languages, there are no rows.

    Raises:
        ValueError: the table is not a ranks table.

    Warns:
        UserWarning: PEER is the same for every ranking (see `answers.equal_expected_rank`).

    Example:
        >>> rows = [("d", "multilingual", "de", "*", "q1", answer, r, 9) for answer, r in (("de", 1), ("en", 4))]
        >>> columns = ["dataset", "task", "query_language", "candidate_language", "query_id", "relevant_language"]
        >>> import warnings
        >>> with warnings.catch_warnings(action="ignore"):
        ...     table = by_query_language(pd.DataFrame(rows, columns=[*columns, "rank", "pool_size"]))
        >>> table[["rank distance", "own language first", "mAP", "mAP without own language"]].to_dict("index")["de"]
        {'rank distance': 3.0, 'own language first': 1.0, 'mAP': 0.75, 'mAP without own language': 0.3333333333333333}
    """
    answers = Answers.of(ranks)
    index = pd.Index(sorted(set(answers.asked)), name="query_language")
    if not (answers.languages > 1).any():
        return pd.DataFrame(index=index[:0], columns=list(BIAS), dtype=np.float64)
    values = pd.DataFrame({label: measure.per_query(answers) for label, measure in BIAS.items()})
    by_language = values.groupby(answers.asked)
    table = pd.DataFrame({label: by_language[label].agg(BIAS[label].over_queries) for label in BIAS})
    return table.replace(np.inf, np.nan).reindex(index)


def pool_sizes(ranks: pd.DataFrame) -> dict[str, int]:
    """How many candidates each language has whose pool alone is ranked, and under "*" the largest pool."""
    check_ranks(ranks)
    sizes = ranks.groupby("candidate_language", observed=True)["pool_size"].max()
    return {str(language): int(size) for language, size in sizes.items()} | {WHOLE_POOL: int(sizes.max())}


def first_languages(shares: pd.DataFrame, pool: Mapping[str, int]) -> pd.DataFrame:
    """Whose candidates come first, against what there is.

    Entropies are in bits, H = - sum p log2 p over the languages' shares p: of the first candidates of all of a
    language's queries together (one query's can be less mixed than that), and of the pool. Where every language has
    its share of the pool, the two are equal and `times` is 1.

    Args:
        shares: query_language, candidate_language, share of the first candidates, as evaluations keep them.
        pool: language -> candidates, of every candidate language (see `pool_sizes`).

    Returns:
        Index query_language; own (share of the query's own language), times (own over its share of the pool), entropy,
        pool_entropy. NaN where a language has no candidates, or the pool is not known.

    Example:
        >>> shares = pd.DataFrame({"query_language": "de", "candidate_language": ["de", "en"], "share": [0.75, 0.25]})
        >>> first_languages(shares, {"de": 50, "en": 150}).loc["de"].round(3).tolist()
        [0.75, 3.0, 0.811, 0.811]
    """
    wide = shares.pivot(index="query_language", columns="candidate_language", values="share")
    sizes = pd.Series(pool, dtype=np.float64).reindex(wide.columns)
    expected = sizes / sizes.sum(skipna=False)
    own = pd.Series(
        [wide[code].get(code, np.nan) if code in wide else np.nan for code in wide.index], wide.index
    )
    return pd.DataFrame(
        {
            "own": own,
            "times": own / expected.reindex(wide.index),
            "entropy": entropy(wide.to_numpy(), base=2, axis=1),
            "pool_entropy": entropy(expected.to_numpy(), base=2),
        }
    )


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
