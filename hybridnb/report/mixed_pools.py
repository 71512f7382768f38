"""Does a language-fair encoder lose where answers are in the query's language alone, and the pool is mixed?

On MIRACL every query's answers are passages of its own language. There a preference for that language is right, and
what takes it away can cost.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hybridnb.measures.catalogue import MEASURES, TASK_LABELS
from hybridnb.measures.metrics import per_query
from hybridnb.measures.significance import interval, question_values
from hybridnb.places import RESULTS, shipped
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED

MEASURE = "nDCG@10"

POOLS = {
    "Mo": "in the pool of its language",
    "Mul": "in the pool of all",
    "Mul - Mo": "by the mixing",
}


def recorded(name: str, benchmark: str) -> dict[str, Run]:
    """A recorded system as it is, and with each method put on it that was evaluated on a benchmark.

    Args:
        name: of the system, a folder of data/results/as-they-are.
        benchmark: its name.

    Returns:
        "as it is", then the methods in alphabetical order -> what was recorded.
    """
    system = Run(shipped(RESULTS / "as-they-are") / name, NOT_TRAINED, 0)
    methods = sorted(path.name for path in (system.directory / "debiased").glob("*"))
    found = {method: system.debiased(method) for method in methods if system.is_debiased(benchmark, method)}
    return {"as it is": system, **found}


def costs(systems: Mapping[str, Run], benchmark: str) -> pd.DataFrame:
    """What each system has in either pool, and how much more than the first one.

    Args:
        systems: name -> what was evaluated on the benchmark; the first is what others are held against.
        benchmark: its name.

    Returns:
        A row for each system, pool of `POOLS` and language of the query, and one, "mean", of the mean over languages:
        system, pool, language, queries, value (nDCG@10), difference, low, high (the 95 % interval over queries, see
        `significance.interval`; NaN of the first system, and of one query).
    """
    values = {name: _values(run.ranks(benchmark)) for name, run in systems.items()}
    first = next(iter(values.values()))
    rows = []
    for name, of_system in values.items():
        for (pool, language), column in of_system.items():
            other, ends = first[pool, language], (np.nan, np.nan, np.nan)
            if of_system is not first and len(column) > 1:
                ends = interval([column.to_frame("x")], [other.to_frame("x")], "x")
            elif of_system is not first:
                ends = float(column.iloc[0] - other.iloc[0]), np.nan, np.nan
            rows.append((name, pool, language, len(column), column.mean(), *ends))
    names = ["system", "pool", "language", "queries", "value", "difference", "low", "high"]
    return pd.DataFrame(rows, columns=names)


def _values(ranks: pd.DataFrame) -> dict[tuple[str, str], pd.Series[float]]:
    """(pool, language of the query, or "mean") -> query -> what it adds to the mean."""
    table, means = per_query(ranks), question_values(ranks)
    found: dict[tuple[str, str], pd.Series[float]] = {}
    for task, pool in TASK_LABELS.items():
        if pool in POOLS:
            of_task = table[table["task"] == task]
            column = of_task.set_index("query_id")[MEASURES[f"{pool} {MEASURE}"].name]
            for language, rows in column.groupby(of_task["query_language"].astype(str).to_numpy()):
                found[pool, str(language)] = rows
            found[pool, "mean"] = means[f"{pool} {MEASURE}"]
    both = {language: found["Mul", language] - found["Mo", language] for _, language in found}
    return found | {("Mul - Mo", language): column for language, column in both.items()}


def by_language(costs: pd.DataFrame, pool: str = "Mul") -> pd.DataFrame:
    """`costs` in one pool as text: a row a language, a column a system.

    Of all systems but the first with the difference, and a star where its interval is beyond 0.
    """
    rows = costs[costs["pool"] == pool]
    wide = rows.assign(text=rows.apply(_text, axis=1)).pivot(
        index=["language", "queries"], columns="system", values="text"
    )
    names = wide.index.get_level_values("language")
    return pd.concat([wide[names != "mean"], wide[names == "mean"]])[list(dict.fromkeys(rows["system"]))]


def _text(row: pd.Series) -> str:
    measure = MEASURES[f"Mul {MEASURE}"]
    if pd.isna(row["difference"]):
        return measure.format(row["value"])
    sure = "*" if row["low"] > 0 or row["high"] < 0 else ""
    return f"{measure.format(row['value'])} ({measure.format(row['difference'], '+')}{sure})"


def findings(costs: pd.DataFrame) -> list[str]:
    """What the means over languages say, a sentence a system."""
    measure = MEASURES[f"Mul {MEASURE}"]
    means = costs[(costs["language"] == "mean") & costs["difference"].notna()]
    sentences = []
    for system, rows in means.groupby("system", sort=False):
        values = rows[["difference", "low", "high"]].to_numpy(np.float64).tolist()
        ends = dict(zip(rows["pool"], values, strict=True))
        parts = [f"{where} {measure.with_interval(*ends[pool])}" for pool, where in POOLS.items()]
        _, least, most = ends["Mul"]
        verdict = "loses" if most < 0 else "gains" if least > 0 else "neither surely loses nor gains"
        sentences.append(f"{system} {verdict} where pools are mixed ({MEASURE}): {', '.join(parts)}.")
    return sentences
