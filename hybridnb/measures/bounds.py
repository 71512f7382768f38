"""What a ranks table that ends at the first k leaves open: the least and the greatest that each measure can be."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hybridnb.measures.metrics import summary
from hybridnb.retrieval.ranks_table import POOL

QUERY = [*POOL, "query_id"]


def bounds(ranks: pd.DataFrame, best: pd.DataFrame) -> pd.DataFrame:
    """Every measure with missing ranks as not retrieved, and between what it lies were they known.

    A measure that falls with ranks is greatest where each missing one is at the best that it can be, least where they
    are at the end of their pool. The rank distance is least at the best ranks; it is greatest where the worst answer
    is at the end of the pool, and the best one, if none is retrieved, at the best that it can be. Of an index that
    misses candidates above those that it finds, ranks that are known are too good by those: what is least for measures
    that fall with ranks, and greatest for the rank distance, holds as far as its recall is 1.

    Args:
        ranks: one data set's ranks table; missing: beyond the first k.
        best: the same rows in the same order, with the best rank that each can have.

    Returns:
        task, metric, value (NaN where it is not known), least, greatest: means as of `metrics.summary`.

    Raises:
        ValueError: the tables do not agree in their rows.

    Example:
        >>> columns = [*POOL, "query_id", "relevant_language", "rank", "pool_size"]
        >>> rows = [("d", "multilingual", "de", "*", "q", code, r, 100) for code, r in (("de", 1), ("en", None))]
        >>> ranks = pd.DataFrame(rows, columns=columns)
        >>> found = bounds(ranks, ranks.assign(rank=[1, 11])).set_index("metric").round(3)
        >>> found.loc[["map", "rank_distance"]].to_numpy().tolist()
        [['multilingual', 0.5, 0.51, 0.591], ['multilingual', nan, 10.0, 99.0]]
    """
    names = [column for column in ranks.columns if column != "rank"]
    if not ranks[names].reset_index(drop=True).equals(best[names].reset_index(drop=True)):
        raise ValueError("the best ranks are of other rows than the ranks: make both of one search")
    missing = ranks["rank"].isna().to_numpy()
    retrieved, low = ranks[~missing], best["rank"].to_numpy(dtype=np.float64)
    # the missing ones of a query one behind the other at the end of its pool, by the best that they can be
    behind = pd.Series(np.where(missing, low, np.nan)).groupby(
        [ranks[key].to_numpy() for key in QUERY], observed=True
    )
    last = ranks["pool_size"].to_numpy() - behind.rank(ascending=False).to_numpy() + 1
    far = ranks.assign(rank=np.where(missing, last, ranks["rank"]))
    # the same, but the first of a query of which nothing is retrieved at its best
    none = ~ranks.set_index(QUERY).index.isin(retrieved.set_index(QUERY).index)
    leads = none & (behind.rank().to_numpy() == 1)
    spread = far.assign(rank=np.where(leads, low, far["rank"]))
    known, near, at_end, apart = (summary(table) for table in (ranks, best, far, spread))
    rows = []
    for task, values in near.items():
        for metric, value in values.items():
            distance = metric == "rank_distance"
            other = (apart if distance else at_end)[task][metric]
            rows.append((task, metric, known.get(task, {}).get(metric, np.nan), *sorted((value, other))))
    return pd.DataFrame(rows, columns=["task", "metric", "value", "least", "greatest"])
