"""Every system of a study in one table: batch strategies, methods without training, and both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from hybridnb.corpora import benchmark_name
from hybridnb.measures.catalogue import MAIN
from hybridnb.measures.significance import interval
from hybridnb.report.paragraphs import paragraphs
from hybridnb.report.tables.headline import scores
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED


def systems(
    runs: Sequence[Run], benchmark: str, methods: Sequence[str] = ()
) -> dict[tuple[str, str], list[Run]]:
    """(strategy, method or "") -> its runs, a seed each: those that have results on the benchmark.

    Args:
        runs: of a study.
        benchmark: its name or path.
        methods: of debiasing, put on the vectors of some of the runs.
    """
    found: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        found.setdefault((run.strategy, ""), []).append(run)
        for method in methods:
            if run.is_debiased(benchmark, method):
                found.setdefault((run.strategy, method), []).append(run.debiased(method))
    return found


def named(strategy: str, method: str) -> str:
    """What a system is called.

    Example:
        >>> named("X-Y", ""), named("X-Y", "one-map"), named("no fine-tuning", "one-map")
        ('X-Y', 'X-Y + one-map', 'one-map')
    """
    if not method:
        return strategy
    return method if strategy == NOT_TRAINED else f"{strategy} + {method}"


def systems_table(of: Mapping[tuple[str, str], Sequence[Run]], benchmark: str) -> pd.DataFrame:
    """`headline.scores` of all systems, "strategy" being the system's name; for `headline.with_spread`."""
    parts = [scores(runs, benchmark).assign(strategy=named(*system)) for system, runs in of.items()]
    return pd.concat(parts, ignore_index=True)


def levels(of: Mapping[tuple[str, str], Sequence[Run]], benchmark: str) -> pd.DataFrame:
    """Each system's measures with 95 % intervals over paragraphs and seeds (`significance.interval`).

    Returns:
        strategy, method, seeds, measure (labels of `catalogue.MAIN`), value, low, high; no interval, but the mean over
        seeds, of a system whose metrics alone were recorded.
    """
    rows, clusters = [], paragraphs(benchmark_name(benchmark))
    for (strategy, method), runs in of.items():
        if not all(run.is_compared(benchmark) for run in runs):
            means = scores(runs, benchmark).mean(numeric_only=True)
            known = [label for label in MAIN if label in means]
            rows += [(strategy, method, len(runs), label, means[label], np.nan, np.nan) for label in known]
            continue
        values = [run.question_values(benchmark) for run in runs]
        nothing_at_all = [0 * table for table in values]
        for label in (label for label in MAIN if label in values[0]):
            value, low, high = interval(values, nothing_at_all, label, clusters)
            rows.append((strategy, method, len(runs), label, value, low, high))
    return pd.DataFrame(rows, columns=["strategy", "method", "seeds", "measure", "value", "low", "high"])


def unseen_table(table: pd.DataFrame) -> pd.DataFrame:
    """What a method does in languages that it was fitted with, and without.

    Args:
        table: of `Run.curves`.

    Returns:
        Index method; columns (label, "fitted with them" or "without") of the unseen languages' measures, empty where no
        language was left out.
    """
    most = table[(table["scope"] == "unseen") & (table["sentences"] == table["sentences"].max())]
    columns = {}
    for label, measure in MAIN.items():
        part = measure.rows(most)
        for left_out, said in ((False, "fitted with them"), (True, "without")):
            rows = part[(part["left_out"] != "") == left_out]
            if len(rows):
                columns[label, said] = rows.set_index("method")["value"]
    return pd.DataFrame(columns)
