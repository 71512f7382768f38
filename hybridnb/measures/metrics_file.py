"""metrics.json: benchmark -> task -> metric -> average, and under "by_language" the same for each language or pair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from hybridnb.measures.metrics import average, by_language
from hybridnb.retrieval.ranks_table import WHOLE_POOL

BY_LANGUAGE = "by_language"


def pack(ranks: pd.DataFrame) -> dict[str, Any]:
    """What metrics.json keeps of one benchmark.

    Args:
        ranks: the ranks table of one data set.

    Returns:
        {task: {metric: average, "by_language": {key: {metric: value}}}}; the key is the query language, in the
        cross-lingual task with the candidates' language behind it, "de>es".

    Raises:
        ValueError: as `metrics.summary`.
    """
    table = by_language(ranks)
    packed: dict[str, Any] = dict(average(table))
    crossed = table["task"] == "crosslingual"
    keys = table["query_language"].where(
        ~crossed, table["query_language"] + ">" + table["candidate_language"]
    )
    for task, key, metric, value in zip(table["task"], keys, table["metric"], table["value"], strict=True):
        packed[task].setdefault(BY_LANGUAGE, {}).setdefault(key, {})[metric] = float(value)
    return packed


def unpack(packed: Mapping[str, Any]) -> pd.DataFrame:
    """The values by language of one benchmark's part of metrics.json, as a tidy table; the inverse of `pack`.

    Args:
        packed: what `pack` returns.

    Returns:
        task, query_language, candidate_language ("*" in the multilingual task), metric, value.

    Example:
        >>> by_language = {"de>es": {"map": 0.5}}
        >>> unpack({"crosslingual": {"map": 0.5, "by_language": by_language}}).to_numpy().tolist()
        [['crosslingual', 'de', 'es', 'map', 0.5]]
    """
    rows = []
    for task, values in packed.items():
        for key, by_metric in values.get(BY_LANGUAGE, {}).items():
            query, _, candidate = key.partition(">")
            candidate = candidate or (query if task == "monolingual" else WHOLE_POOL)
            rows += [(task, query, candidate, metric, value) for metric, value in by_metric.items()]
    return pd.DataFrame(rows, columns=["task", "query_language", "candidate_language", "metric", "value"])
