"""The paper's results (arXiv 2408.10536, Tables 3-8, 12 and 13), to stand beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hybridnb.measures.catalogue import HEADLINE, MAIN
from hybridnb.places import SHIPPED
from hybridnb.report.tables.headline import CROSS, MONO, scores, with_spread
from hybridnb.report.tables.languages import by_language
from hybridnb.report.tables.text import as_text
from hybridnb.retrieval.ranks_table import TASKS
from hybridnb.study.runs import Run

REPORTED = "e5"
"""The built-in study that the report, notebook 05, is about: what it says in words is about no other."""

FILE = SHIPPED / "data" / "published.csv"
COLUMNS = ["dataset", "model", "strategy", "task", "language", "metric", "value"]
HYBRID = "hybrid(0.5)"
PRINTED_AS = {MONO: "X-X-mono", CROSS: "X-Y", HYBRID: "hybrid"}
"""Our names of the paper's strategies -> its own."""

ENCODERS = {"xlm-r": "XLM-R (paper)", "labse": "LaBSE (paper)"}


def results(file: Path = FILE) -> pd.DataFrame:
    """What the paper printed.

    Args:
        file: data/published.csv.

    Returns:
        dataset, model, strategy, task, language, metric, value; language `mean` is the printed mean.

    Raises:
        ValueError: the file is damaged; names it and the line.
    """
    restore = "restore it from the repository"
    try:
        table = pd.read_csv(file, keep_default_na=False, encoding="utf-8")
    except ValueError as error:  # so are pandas' own, and a wrong encoding
        raise ValueError(f"{file}: not a table ({' '.join(str(error).split())}); {restore}") from None
    if list(table) != COLUMNS:
        raise ValueError(f"{file}: columns are {list(table)}, not {COLUMNS}; {restore}")
    value = pd.to_numeric(table["value"], errors="coerce")
    faults = {
        "unknown task": ~table["task"].isin(TASKS),
        "unknown model": ~table["model"].isin(ENCODERS),
        "unknown strategy": ~table["strategy"].isin(PRINTED_AS.values()),
        "value is no finite number of 0 or more": ~(np.isfinite(value) & (value >= 0)),
        "it repeats an earlier line": table.duplicated(COLUMNS[:-1]),
    }
    for fault, rows in faults.items():
        if rows.any():
            line = int(rows.to_numpy().argmax()) + 2  # from 1, after the header
            raise ValueError(f"{file}, line {line}: {fault}; {restore}")
    return table.assign(value=value)


def headline(benchmark: str) -> pd.DataFrame:
    """The paper's printed means on a benchmark.

    Args:
        benchmark: by name; empty is returned for one that the paper does not have.

    Returns:
        Index (encoder, strategy), the labels of `catalogue.HEADLINE` that it printed.

    Example:
        >>> headline("xquad-r").loc[("XLM-R (paper)", "hybrid"), ["Mul mAP", "rank distance"]].tolist()
        [0.5927, 286.6]
    """
    table = results()
    table = table[(table["dataset"] == benchmark) & (table["language"] == "mean")]
    labels = {f"{measure.task} {measure.name}": label for label, measure in HEADLINE.items()}
    label = (table["task"] + " " + table["metric"]).map(labels)
    table = table.assign(label=label, encoder=table["model"].map(ENCODERS)).dropna(subset="label")
    rows = table.pivot_table(index=["encoder", "strategy"], columns="label", values="value")
    order = [label for label in HEADLINE if label in rows]
    return rows.sort_index(level="encoder", ascending=False, sort_remaining=False)[order]


def beside_ours(runs: Sequence[Run], benchmark: str) -> pd.DataFrame:
    """The runs' headline measures on a benchmark and the paper's below them, as text; index (encoder, strategy)."""
    ours = with_spread(scores(runs, benchmark))
    parts = [pd.concat({_ours(runs): ours}, names=["encoder"]), as_text(headline(benchmark))]
    return pd.concat(parts).fillna("")


def by_query_language(runs: Sequence[Run], benchmark: str, strategy: str) -> pd.DataFrame:
    """One strategy by language of the query, ours (mean over seeds) beside the paper's.

    Args:
        runs: evaluated on the benchmark, of any strategies.
        benchmark: by name.
        strategy: by our name, one of `PRINTED_AS`.

    Returns:
        Index language; columns (label, encoder): the measures of `catalogue.MAIN`, cross-lingual ones averaged over
        candidate languages.

    Raises:
        ValueError: the strategy is not the paper's, or there is no run of it.
    """
    of_strategy = [run for run in runs if run.strategy == strategy]
    if strategy not in PRINTED_AS or not of_strategy:
        raise ValueError(
            f"there is no run of {strategy}, or not in the paper, which has {', '.join(PRINTED_AS)}"
        )
    table = results()
    table = table[(table["dataset"] == benchmark) & (table["strategy"] == PRINTED_AS[strategy])]
    columns = {}
    for label, measure in MAIN.items():
        rows = by_language(of_strategy, benchmark, label)
        columns[label, _ours(runs)] = rows.groupby("query_language")["value"].mean()
        printed = measure.rows(table)
        for model, encoder in ENCODERS.items():
            values = printed[printed["model"] == model].set_index("language")["value"]
            columns[label, encoder] = values.drop("mean", errors="ignore")
    return pd.DataFrame(columns).rename_axis("language")


def _ours(runs: Sequence[Run]) -> str:
    return f"{runs[0].info['model']['name']} (ours)"
