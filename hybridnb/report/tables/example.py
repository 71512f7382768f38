"""One query followed through its pools, as an example."""

from __future__ import annotations

import pandas as pd


def typical_query(ranks: pd.DataFrame) -> tuple[str, str]:
    """The query in the middle by rank distance: as many have their answers closer together as further apart.

    Args:
        ranks: one run's ranks table, of one data set, with the multilingual task.

    Returns:
        Its language and id.
    """
    merged = ranks[ranks["task"] == "multilingual"]
    by_query = merged.groupby(["query_language", "query_id"], observed=True)["rank"]
    apart = (by_query.max() - by_query.min()).sort_values(kind="stable")
    language, query = apart.index[len(apart) // 2]
    return str(language), str(query)


def one_query(ranks: pd.DataFrame, language: str, query: str) -> pd.DataFrame:
    """Where the answers of one query stand, the best placed first.

    Args:
        ranks: one run's ranks table, of one data set.
        language: of the query.
        query: its id.

    Returns:
        Index language (of the answer); "rank in its own pool", of that language alone, "candidates there", "rank in the
        merged pool", of all languages.
    """
    rows = ranks[(ranks["query_language"] == language) & (ranks["query_id"] == query)]
    is_merged = rows["task"] == "multilingual"
    alone = rows[~is_merged].set_index("relevant_language")
    merged = rows[is_merged].set_index("relevant_language")
    table = pd.DataFrame(
        {
            "rank in its own pool": alone["rank"],
            "candidates there": alone["pool_size"],
            "rank in the merged pool": merged["rank"],
        }
    )
    return table.rename_axis("language").sort_values("rank in the merged pool")
