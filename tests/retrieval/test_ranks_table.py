"""The ranks table: what is not one is named, and what is written is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy import random_benchmark, score_vectors

from hybridnb.places import RESULTS
from hybridnb.retrieval.ranking import exact_ranks
from hybridnb.retrieval.ranks_table import check_ranks, read_ranks, write_ranks

RECORDED = sorted(RESULTS.glob("*/*/ranks/*-r.parquet"))


@pytest.fixture(scope="module")
def ranks() -> pd.DataFrame:
    benchmark = random_benchmark(np.random.default_rng(0), partly=True, several=True, excluded=True)
    return exact_ranks(benchmark, *score_vectors(benchmark, np.random.default_rng(0)))


def at_row_3(column: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(ranks: pd.DataFrame) -> pd.DataFrame:
        values = ranks[column].astype(object)
        values.iloc[3] = value
        return ranks.assign(**{column: values.infer_objects()})

    return change


WRONG: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "column rank, pool_size missing": lambda ranks: ranks.drop(columns=["rank", "pool_size"]),
    "it has no rows": lambda ranks: ranks[:0],
    "task 'zero-shot' is unknown; tasks are monolingual": at_row_3("task", "zero-shot"),
    "column rank holds .*, not numbers": lambda ranks: ranks.assign(rank=ranks["rank"].astype("str")),
    "column pool_size holds .*, not numbers": lambda ranks: ranks.assign(pool_size="9"),
    r"row 3 \(task .*rank 0, .*\): ranks start at 1": at_row_3("rank", 0),
    "row 3 .*rank -2.0, .*ranks start at 1": at_row_3("rank", -2.0),
    "row 3 .*a rank is a whole number": at_row_3("rank", 1.5),
    "row 3 .*a pool has a size": at_row_3("pool_size", 0),
    "row 3 .*nan.*a pool has a size": at_row_3("pool_size", np.nan),
    "row 3 .*a rank is at most the pool's size": at_row_3("rank", 5000),
    "row 3 .*is the pool of the multilingual task": at_row_3("candidate_language", "*"),
    "row 3 .*a value is missing": at_row_3("relevant_language", None),
}


@pytest.mark.parametrize(("message", "wrong"), WRONG.items(), ids=WRONG)
def test_what_is_not_a_ranks_table_is_named(
    ranks: pd.DataFrame, message: str, wrong: Callable, tmp_path: Path
):
    check_ranks(ranks)
    with pytest.raises(ValueError, match=message):
        check_ranks(wrong(ranks))
    with pytest.raises(ValueError, match=message):
        write_ranks(tmp_path / "ranks.parquet", wrong(ranks))
    assert list(tmp_path.iterdir()) == []
    path = tmp_path / "ranks.parquet"
    wrong(ranks).to_parquet(path)
    with pytest.raises(ValueError, match=message) as caught:
        read_ranks(path, "random")
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_ranks_may_be_missing_and_rows_in_any_order(ranks: pd.DataFrame):
    check_ranks(ranks.assign(rank=ranks["rank"].astype(float).where(ranks["rank"] < 5)))
    check_ranks(ranks.assign(rank=ranks["rank"].astype(float).replace(1, np.inf)))
    check_ranks(ranks.astype(dict.fromkeys(ranks.columns[:6], "str")).sample(frac=1, random_state=0))


def test_what_is_written_is_read(ranks: pd.DataFrame, tmp_path: Path):
    write_ranks(tmp_path / "ranks" / "random.parquet", ranks)
    pd.testing.assert_frame_equal(read_ranks(tmp_path / "ranks" / "random.parquet", "random"), ranks)
    with pytest.raises(ValueError, match=r"holds the ranks of random, not of xquad-r: evaluate again"):
        read_ranks(tmp_path / "ranks" / "random.parquet", "xquad-r")


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-9], lambda data: b"", lambda data: data[:99] + b"?" * 200 + data[299:]]
)
def test_a_damaged_file_is_named(ranks: pd.DataFrame, tmp_path: Path, damage: Callable[[bytes], bytes]):
    path = tmp_path / "random.parquet"
    write_ranks(path, ranks)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(
        ValueError, match=r"random.parquet is damaged .*: delete it and evaluate again"
    ) as caught:
        read_ranks(path, "random")
    assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError):
        read_ranks(tmp_path / "none.parquet", "random")


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parents[1].name}/{path.stem}")
def test_the_recorded_ranks_are_read(path: Path):
    assert read_ranks(path, path.stem)["pool_size"].max() == {"xquad-r": 13014, "mlqa-r": 20534}[path.stem]
