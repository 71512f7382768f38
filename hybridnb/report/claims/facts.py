"""Facts about the data, which are so or not, with no statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from hybridnb.corpora import benchmark_name
from hybridnb.measures.metrics_file import pools
from hybridnb.study.runs import Run

SETTINGS = {"xquad-r": (110, 11), "mlqa-r": (42, 7)}
"""Benchmark -> ordered pairs of languages, merged pools, as the paper counts them."""


def checks(
    runs: Sequence[Run], benchmarks: Sequence[str], leaked: Mapping[str, Mapping[str, int]]
) -> pd.DataFrame:
    """Facts about the data, which are so or not, with no statistics.

    Args:
        runs: evaluated on the benchmarks.
        benchmarks: by name or path.
        leaked: benchmark -> exact and near duplicates of it in the training corpus (`recording.recorded_leaks`).

    Returns:
        Index fact; holds ("yes", "no" or "not checked") and evidence.
    """
    rows = []
    for benchmark in benchmarks:
        name = benchmark_name(benchmark)
        run = next((run for run in runs if run.is_measured(benchmark)), None)
        if run and name in SETTINGS:
            asked = pools(run.metrics[name])
            found = len(asked.get("crosslingual", ())), len(asked.get("multilingual", ()))
            pairs, merged = SETTINGS[name]
            fact = f"{name}: {pairs} ordered pairs of languages and {merged} merged pools, as in the paper"
            rows.append((fact, "yes" if found == (pairs, merged) else "no", f"{found[0]} and {found[1]}"))
        duplicates = leaked.get(name)
        fact = f"{name}: no text of it stands in the training corpus"
        evidence = (
            f"{duplicates['exact']} exact and {duplicates['near']} near duplicates" if duplicates else ""
        )
        holds = "not checked" if duplicates is None else "no" if duplicates["exact"] else "yes"
        rows.append((fact, holds, evidence))
    return pd.DataFrame(rows, columns=["fact", "holds", "evidence"]).set_index("fact")
