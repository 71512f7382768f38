"""The ranks table: its columns and tasks, and the check every reader of one makes first."""

from __future__ import annotations

from typing import Literal

import pandas as pd

Task = Literal["monolingual", "crosslingual", "multilingual"]

TASKS: tuple[Task, ...] = ("monolingual", "crosslingual", "multilingual")
WHOLE_POOL = "*"  # candidate_language of the multilingual task
POOL = ["dataset", "task", "query_language", "candidate_language"]
COLUMNS = [*POOL, "query_id", "relevant_language", "rank", "pool_size"]


def check_ranks(ranks: pd.DataFrame) -> None:
    """Raise a ValueError naming what is wrong where `ranks` is not a ranks table.

    One row is one relevant candidate in one pool. `rank` is 1-based; missing (NaN) means not retrieved.
    """
    missing = [column for column in COLUMNS if column not in ranks.columns]
    if missing:
        raise ValueError(
            f"not a ranks table: column {', '.join(missing)} missing; it needs {', '.join(COLUMNS)}"
        )
    unknown = sorted(map(str, set(ranks["task"].unique()) - set(TASKS)))
    if unknown:
        raise ValueError(f"ranks table: task {unknown[0]!r} is unknown; tasks are {', '.join(TASKS)}")
    if not pd.api.types.is_numeric_dtype(ranks["rank"]):
        raise ValueError(f"ranks table: column rank holds {ranks['rank'].dtype}, not numbers")
    below_one = ranks["rank"] < 1
    if below_one.any():
        row = int(below_one.to_numpy().argmax())
        raise ValueError(f"ranks table: rank {ranks['rank'].iloc[row]} in row {row}; ranks start at 1")


def of_task(ranks: pd.DataFrame, task: Task) -> pd.DataFrame:
    """The rows of one task, after `check_ranks`."""
    check_ranks(ranks)
    return ranks[ranks["task"] == task]
