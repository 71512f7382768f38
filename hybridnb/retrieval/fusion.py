"""Balanced fusion: the merged pool ranked by turns, from each language's own ranking as many as from the others."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hybridnb.retrieval.ranks_table import COLUMNS, WHOLE_POOL, check_ranks

QUERY = ["query_language", "query_id"]


def balanced(ranks: pd.DataFrame) -> pd.DataFrame:
    """The ranks table in which the merged pool is ranked by the ranks that candidates have within their languages.

    First come the first of every language, then the second ones, and so on; a language whose candidates are used up is
    passed over. Tie rule: of candidates of the same rank that in the query's own language comes first, then the one in
    the language after it in the order of the codes, and so on round (asked in es: es, hi, ..., zh, ar, de), so that
    over queries in all languages none is favoured. Thus the first candidates are as many of each language: the equal
    retrieval from each language of Amiraz et al., The cross-lingual cost: retrieval biases in RAG over Arabic-English
    corpora (arXiv 2507.07543). It needs no vectors and acts on any system; monolingual and cross-lingual ranks stay.

    Args:
        ranks: the ranks table of a system, of all three tasks of a data set.

    Returns:
        The table with other ranks in the multilingual task, whose rows come last, sorted by query. A candidate that is
        not retrieved within its language (its rank is missing) is not in the merged pool either.

    Raises:
        ValueError: the table is not a ranks table, an answer is not in both kinds of pools, or how many candidates
            there are in a language cannot be told from it (no query has an answer there).

    Example:
        >>> rows = [("monolingual", "de", "de", 3, 5), ("crosslingual", "en", "en", 1, 4)]
        >>> rows += [("multilingual", "*", "de", 8, 9), ("multilingual", "*", "en", 9, 9)]
        >>> table = [("d", task, "de", pool, "q", answer, rank, size) for task, pool, answer, rank, size in rows]
        >>> balanced(pd.DataFrame(table, columns=COLUMNS))[["task", "relevant_language", "rank"]]
                   task relevant_language  rank
        0   monolingual                de     3
        1  crosslingual                en     1
        2  multilingual                de     5
        3  multilingual                en     2
    """
    check_ranks(ranks)
    is_merged = (ranks["task"] == "multilingual").to_numpy()
    within, merged = ranks[~is_merged], ranks[is_merged]
    answer = [*QUERY, "relevant_language"]
    if not within[answer].value_counts().sort_index().equals(merged[answer].value_counts().sort_index()):
        raise ValueError(
            "balanced fusion needs every answer's rank within its language and in the merged pool: evaluate all three "
            "tasks (BM25 has no cross-lingual one)"
        )
    sizes = _sizes(within, merged)
    of_query = sizes.index.get_indexer(pd.MultiIndex.from_frame(within[QUERY]))
    made = within.assign(
        task=pd.Series("multilingual", within.index, dtype=ranks["task"].dtype),
        candidate_language=pd.Series(WHOLE_POOL, within.index, dtype=ranks["candidate_language"].dtype),
        rank=pd.Series(_fused(within, sizes, of_query), within.index).astype(ranks["rank"].dtype),
        pool_size=sizes.sum(axis=1).to_numpy()[of_query].astype(merged["pool_size"].to_numpy().dtype),
    )
    return pd.concat([within, made.sort_values(COLUMNS[2:6], kind="stable")], ignore_index=True)


def _fused(within: pd.DataFrame, sizes: pd.DataFrame, of_query: NDArray[np.intp]) -> NDArray[np.float64]:
    """The ranks by turns of candidates by those within their languages; of_query: the row of `sizes` of each."""
    number = {language: n for n, language in enumerate(sizes.columns)}
    asked, answered = (
        within[column].astype(object).map(number).to_numpy(dtype=np.int64)
        for column in ("query_language", "relevant_language")
    )
    rank = within["rank"].to_numpy(dtype=np.float64, na_value=np.nan)
    fused = np.ones(len(within))
    for n, language in enumerate(sizes.columns):
        size = sizes[language].to_numpy()[of_query]
        turn_before = (n - asked) % len(number) < (answered - asked) % len(number)
        fused += np.minimum(size, rank - 1) + (turn_before & (size >= rank))
    return fused


def _sizes(within: pd.DataFrame, merged: pd.DataFrame) -> pd.DataFrame:
    """How many candidates each query has in each language: index QUERY, columns the languages by their codes, float."""
    known = within.drop_duplicates([*QUERY, "candidate_language"]).astype({"candidate_language": "str"})
    sizes = known.set_index([*QUERY, "candidate_language"])["pool_size"].unstack().astype(float)
    total = merged.drop_duplicates(QUERY).set_index(QUERY)["pool_size"].reindex(sizes.index)
    asked = sizes.index.get_level_values(0).astype("str")
    sizes = sizes.reindex(columns=sorted({*sizes.columns, *asked}))
    # where a query has no answer, the language has as many candidates as for other queries
    filled = sizes.fillna(sizes.max()).fillna(0)
    # less those that are not for this one: of its own language, where it is one of them itself
    over = filled.sum(axis=1) - total
    for language in filled.columns:
        own = (asked == language) & sizes[language].isna().to_numpy()
        filled.loc[own, language] -= over[own]
    if (filled.sum(axis=1) != total).any() or (filled < 0).any(axis=None):
        raise ValueError(
            "balanced fusion: how many candidates there are in each language cannot be told from these ranks; every "
            "language of candidates needs an answer to some query"
        )
    return filled
