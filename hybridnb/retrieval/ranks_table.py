"""The ranks table, from which all is computed: made, checked, written, and checked again when it is read."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow
from numpy.typing import NDArray

from hybridnb.files import atomic
from hybridnb.retrieval.pool import Pool

Task = Literal["monolingual", "crosslingual", "multilingual"]

TASKS: tuple[Task, ...] = ("monolingual", "crosslingual", "multilingual")
WHOLE_POOL = "*"  # candidate_language of the multilingual task
POOL = ["dataset", "task", "query_language", "candidate_language"]
COLUMNS = [*POOL, "query_id", "relevant_language", "rank", "pool_size"]


def make_ranks(pool: Pool, in_language: NDArray[Any], in_pool: NDArray[Any]) -> pd.DataFrame:
    """The ranks table from every relevant candidate's rank in the pool of its language and in the merged pool.

    Args:
        pool: the benchmark.
        in_language, in_pool: [queries, widest], one rank for each entry of `pool.relevant` of the query's id.

    Returns:
        One row for each relevant candidate and pool, sorted; all but the last two columns categorical.
    """
    query, column = np.nonzero(pool.relevant_language >= 0)
    asked, answered = pool.query_language[query], pool.relevant_language[query, column]
    ids = pool.query_id[query]
    # numbers of what the categories below name
    of_language = pd.DataFrame(
        {
            "dataset": 0,
            "task": np.where(asked == answered, 0, 1),
            "query_language": asked,
            "candidate_language": answered,
            "query_id": ids,
            "relevant_language": answered,
            "rank": in_language[query, column],
            "pool_size": pool.available[ids, answered],
        }
    )
    merged = of_language.assign(
        task=2,
        candidate_language=len(pool.languages),
        rank=in_pool[query, column],
        pool_size=pool.available.sum(axis=1)[ids],
    )
    # equal values side by side keep the Parquet file small
    table = pd.concat([of_language, merged]).sort_values(COLUMNS[:6], ignore_index=True)
    names = {
        "dataset": [pool.name],
        "task": TASKS,
        "query_language": pool.languages,
        "candidate_language": [*pool.languages, WHOLE_POOL],
        "query_id": pool.ids,
        "relevant_language": pool.languages,
    }
    for key, categories in names.items():
        table[key] = pd.Categorical.from_codes(table[key], pd.Index(categories))
    return table.astype({"pool_size": np.int32})


def check_ranks(ranks: pd.DataFrame) -> None:
    """Check that a table is a ranks table.

    One row is one relevant candidate in one pool: dataset, task, query_language, candidate_language ("*" for the
    merged pool), query_id, relevant_language, rank (1-based; missing: not retrieved) and pool_size (candidates).

    Args:
        ranks: the table; its rows may come in any order, and its texts categorical or not.

    Raises:
        ValueError: what is wrong, and in which row.
    """
    missing = [column for column in COLUMNS if column not in ranks.columns]
    if missing:
        raise ValueError(
            f"not a ranks table: column {', '.join(missing)} missing; it needs {', '.join(COLUMNS)}"
        )
    if len(ranks) == 0:
        raise ValueError("ranks table: it has no rows")
    unknown = sorted(map(str, set(ranks["task"].unique()) - set(TASKS)))
    if unknown:
        raise ValueError(f"ranks table: task {unknown[0]!r} is unknown; tasks are {', '.join(TASKS)}")
    for column in ("rank", "pool_size"):
        if not pd.api.types.is_numeric_dtype(ranks[column]):
            raise ValueError(f"ranks table: column {column} holds {ranks[column].dtype}, not numbers")
    rank = ranks["rank"].to_numpy(dtype=np.float64, na_value=np.nan)
    size = ranks["pool_size"].to_numpy(dtype=np.float64, na_value=np.nan)
    merged = (ranks["candidate_language"] == WHOLE_POOL).to_numpy()
    for wrong, what in (
        (ranks[COLUMNS[:6]].isna().any(axis=1).to_numpy(), "a value is missing"),
        (rank < 1, "ranks start at 1"),
        (np.isfinite(rank) & (rank != np.floor(rank)), "a rank is a whole number"),
        (~(size >= 1), "a pool has a size"),
        (np.isfinite(rank) & (rank > size), "a rank is at most the pool's size"),
        (merged != (ranks["task"] == "multilingual").to_numpy(), '"*" is the pool of the multilingual task'),
    ):
        if wrong.any():
            row = int(wrong.argmax())
            found = ", ".join(f"{column} {ranks[column].iloc[row]}" for column in COLUMNS[1:])
            raise ValueError(f"ranks table: row {row} ({found}): {what}")


def of_task(ranks: pd.DataFrame, task: Task) -> pd.DataFrame:
    """The rows of one task, after `check_ranks`."""
    check_ranks(ranks)
    return ranks[ranks["task"] == task]


def write_ranks(path: Path, ranks: pd.DataFrame) -> None:
    """Write a ranks table to a Parquet file, whole or not at all."""
    check_ranks(ranks)
    with atomic(path) as part:
        ranks.to_parquet(part, index=False, compression="zstd")


def read_ranks(path: Path, benchmark: str) -> pd.DataFrame:
    """The ranks table of a Parquet file.

    Args:
        path: the file.
        benchmark: the data set whose ranks it must hold.

    Returns:
        The table, checked.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or is not the ranks table of this benchmark.
    """
    try:
        content = io.BytesIO(path.read_bytes())
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing: evaluate again") from None
    try:
        ranks = pd.read_parquet(content)
        check_ranks(ranks)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        why = str(error).splitlines()[0]
        raise ValueError(f"{path} is damaged ({why}): delete it and evaluate again") from None
    names = sorted(map(str, ranks["dataset"].unique()))
    if names != [benchmark]:
        raise ValueError(f"{path} holds the ranks of {', '.join(names)}, not of {benchmark}: evaluate again")
    return ranks
