"""What every question gives for every pair of languages, by system.

What is measured of a pair (language of the query, language of the answers), the labels of `PAIRS`; more is better:

- "Cr mAP", among the candidates in the answers' language alone;
- "halvings", - log2 of the answers' rank in the pool of all languages: one more is a rank half as large.

A system is a list of what `pair_values` gives, a table a seed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from hybridnb.measures.metrics import per_query
from hybridnb.report.tables.headline import MONO
from hybridnb.report.tables.language_bias import ranked
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED

PAIRS = {
    "Cr mAP": "mAP across languages",
    "halvings": "halvings of the rank in the pool of all languages",
}

Pair = tuple[str, str]
System = Sequence[pd.DataFrame]
Clusters = Mapping[str, str] | None


def pair_values(ranks: pd.DataFrame) -> pd.DataFrame:
    """What every question gives for every ordered pair of two languages.

    Args:
        ranks: one run's ranks table, of one data set.

    Returns:
        Index query_id; columns (label of `PAIRS`, query language, answers' language), as far as there are such tasks.
        NaN where a question has no answers; halvings are NaN for all of a pair where a rank is missing.

    Example:
        >>> rows = [("crosslingual", "de", "en", "q", "en", 2), ("multilingual", "de", "*", "q", "en", 8)]
        >>> columns = ["task", "query_language", "candidate_language", "query_id", "relevant_language", "rank"]
        >>> ranks = pd.DataFrame(rows, columns=columns).assign(dataset="d", pool_size=9)
        >>> pair_values(ranks).loc["q"].to_dict()
        {('Cr mAP', 'de', 'en'): 0.5, ('halvings', 'de', 'en'): -3.0}
    """
    tables = {}
    across = ranks[ranks["task"] == "crosslingual"]
    if len(across):
        tables["Cr mAP"] = _wide(per_query(across), "candidate_language", "map")
    merged = ranks[ranks["task"] == "multilingual"]
    merged = merged[merged["query_language"].astype(str) != merged["relevant_language"].astype(str)]
    if len(merged):
        rank = merged["rank"].to_numpy(np.float64, na_value=np.nan)
        # a rank that is missing must not be left out of a mean
        halvings = merged.assign(halvings=-np.log2(np.where(np.isnan(rank), np.inf, rank)))
        table = _wide(halvings, "relevant_language", "halvings")
        table.loc[:, np.isinf(table).any()] = np.nan
        tables["halvings"] = table
    return pd.concat(tables, axis=1) if tables else pd.DataFrame()


def _wide(table: pd.DataFrame, answers: str, value: str) -> pd.DataFrame:
    keys = [table[column].astype(str) for column in ("query_id", "query_language", answers)]
    return table[value].groupby(keys).mean().unstack([1, 2])


def systems(runs: Sequence[Run], benchmark: str, names: Collection[str]) -> Mapping[str, System]:
    """Those systems of a study that there are.

    Args:
        runs: evaluated on the benchmark.
        benchmark: name or path.
        names: strategies, and methods of debiasing, each put on the `reference`.

    Returns:
        Name -> system, of the seeds that have ranks tables (see `language_bias.ranked`); first the reference, which
        others are held against, and which is empty where none has.
    """
    first = reference({run.strategy for run in runs})
    runs = ranked(runs, benchmark)
    found: dict[str, list[pd.DataFrame]] = {first: []}
    for run in runs:
        if run.strategy in (first, *names):
            found.setdefault(run.strategy, []).append(pair_values(run.ranks(benchmark)))
    of_first = [run for run in runs if run.strategy == first]
    for method in names:
        debiased = [run.debiased(method) for run in of_first if run.is_debiased(benchmark, method)]
        if debiased and len(ranked(debiased, benchmark)) == len(of_first):
            found[method] = [pair_values(run.ranks(benchmark)) for run in debiased]
    return found if found[first] else {first: [pd.DataFrame()]}


def reference(names: Collection[str]) -> str:
    """The system that others are held against: the encoder without fine-tuning, else batches of one language."""
    return next(name for name in (NOT_TRAINED, MONO, *sorted(names)) if name in names)


def pairs_of(system: System, label: str) -> list[Pair]:
    """The ordered pairs of languages that are measured."""
    return list(system[0][label].columns) if label in system[0] else []
