"""metrics.json: benchmark -> task -> metric -> average, and under "by_language" the same for each language or pair."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from hybridnb.files import read_json
from hybridnb.measures.catalogue import MEASURES
from hybridnb.measures.metrics import average, by_language
from hybridnb.retrieval.ranks_table import TASKS, WHOLE_POOL

BY_LANGUAGE = "by_language"


def read_metrics(directory: Path) -> dict[str, Any]:
    """The content of a directory's metrics.json.

    Args:
        directory: what an evaluation wrote to.

    Returns:
        {benchmark: what `pack` returns}.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or a value in it cannot be; the file and the place in it are named.
    """
    path = directory / "metrics.json"
    content = read_json(path)
    try:
        for benchmark, tasks in _entries(content, "it").items():
            for task, values in _entries(tasks, benchmark).items():
                if task not in TASKS:
                    raise ValueError(f"{benchmark}: task {task!r} is unknown; tasks are {', '.join(TASKS)}")
                by_key = _entries(
                    _entries(values, benchmark, task).get(BY_LANGUAGE, {}), benchmark, task, BY_LANGUAGE
                )
                _check_values(
                    {name: value for name, value in values.items() if name != BY_LANGUAGE}, benchmark, task
                )
                for key, by_metric in by_key.items():
                    _check_values(_entries(by_metric, benchmark, task, key), benchmark, task, key)
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): delete it and evaluate again") from None
    return dict(content)


def _entries(value: Any, *place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{' '.join(place)} holds {str(value)[:40]!r}, not entries by name")
    return value


def _check_values(values: Mapping[str, Any], benchmark: str, task: str, key: str = "") -> None:
    bounds = {measure.name: measure.bounds for measure in MEASURES.values() if measure.task == task}
    for name, value in values.items():
        low, high = bounds.get(name, (-math.inf, math.inf))
        number = isinstance(value, float | int) and math.isfinite(value)
        # a mean of ones may end a bit above 1
        if not number or not low <= value <= high + 1e-9:
            raise ValueError(f"{' '.join(filter(None, (benchmark, task, key)))}: {name} is {value}")


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


def pools(packed: Mapping[str, Any]) -> dict[str, set[str]]:
    """In which languages each task is asked, in the cross-lingual one with the answers' language: its keys of `pack`.

    Args:
        packed: one benchmark's part of metrics.json.

    Returns:
        Task -> keys, "de" or "de>es".
    """
    return {task: set(values.get(BY_LANGUAGE, {})) for task, values in packed.items()}
