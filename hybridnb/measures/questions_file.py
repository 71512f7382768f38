"""questions/NAME.parquet: what each question adds to the main measures. All that verdicts need, and small."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from hybridnb.files import atomic
from hybridnb.measures.catalogue import MAIN
from hybridnb.measures.significance import question_values
from hybridnb.retrieval.ranks_table import WHOLE_POOL

ALL, UNSEEN = "all", "unseen"
"""Scopes: all queries and pairs, and those with a language that was not trained on."""


def main_values(ranks: pd.DataFrame, trained: Collection[str] = ()) -> pd.DataFrame:
    """`significance.question_values` of the main measures, with the precision of the file.

    Args:
        ranks: one run's ranks table, of one data set.
        trained: languages; given, only queries and pairs with a language that is none of these count.

    Returns:
        Index query_id, a column for the label of each measure of `catalogue.MAIN` that is known; empty without queries.

    Raises:
        ValueError: as `metrics.per_query`.
    """
    if trained:
        of_pair = ranks[["query_language", "candidate_language"]]
        ranks = ranks[~of_pair.isin({WHOLE_POOL, *trained}).all(axis=1)]
    if not len(ranks):
        return pd.DataFrame()
    values = question_values(ranks)
    return values[[label for label in MAIN if label in values]].astype(np.float32).astype(np.float64)


def write_questions(path: Path, ranks: pd.DataFrame, trained: Collection[str]) -> None:
    """Write what each question adds, in all languages and, where there are some, in those that were not trained on.

    Args:
        path: the file, written whole or not at all; columns scope, query_id and labels of measures, float32.
        ranks: as for `main_values`.
        trained: languages that the system was trained on; empty: not known.
    """
    scopes = {ALL: main_values(ranks), **({UNSEEN: main_values(ranks, trained)} if trained else {})}
    table = pd.concat(
        [values.reset_index().assign(scope=scope) for scope, values in scopes.items() if len(values)]
    )
    labels = [label for label in MAIN if label in table]
    table = table[["scope", "query_id", *labels]].astype(dict.fromkeys(labels, np.float32))
    with atomic(path) as part:
        table.to_parquet(
            part,
            index=False,
            compression="zstd",
            # of random digits, only the first bytes of numbers are alike: side by side they take a fifth less room
            use_dictionary=["scope", "query_id"],
            column_encoding=dict.fromkeys(labels, "BYTE_STREAM_SPLIT"),
            write_statistics=False,
        )


def check_questions(table: pd.DataFrame) -> None:
    """ValueError: a table is not what `write_questions` wrote."""
    labels = [label for label in MAIN if label in table]
    if list(table) != ["scope", "query_id", *labels] or not labels:
        raise ValueError("its columns are not scope, query_id and labels of measures")
    scopes = set(table["scope"].unique())
    if not scopes <= {ALL, UNSEEN} or ALL not in scopes:
        raise ValueError("a scope is unknown, or that of all is missing")
    if table["query_id"].isna().any() or table.duplicated(["scope", "query_id"]).any():
        raise ValueError("a question has no id, or is there twice")
    if set(table.dtypes[labels]) != {np.dtype(np.float32)}:
        raise ValueError("a value is not of float32")
    for scope in scopes:
        rows = table.loc[table["scope"] == scope, labels].to_numpy()
        if not np.isfinite(rows[:, ~np.isnan(rows).all(axis=0)]).all():
            raise ValueError(f"a value of {scope} is not finite")


def of_scope(table: pd.DataFrame, scope: str) -> pd.DataFrame:
    """What `main_values` gave, of a table that was checked."""
    rows = table[table["scope"] == scope]
    if not len(rows):
        return pd.DataFrame()
    values = rows.iloc[:, 2:].to_numpy(np.float64)
    known = ~np.isnan(values[0])
    return pd.DataFrame(values[:, known], pd.Index(rows["query_id"]), rows.columns[2:][known])
