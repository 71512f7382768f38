"""What is kept of evaluations in one directory: each benchmark's beside the others', or an error."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from toy import TOY_BENCHMARK

from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.measures.metrics_file import pack
from hybridnb.retrieval.ranks_table import COLUMNS
from hybridnb.study.evaluation import evaluate
from hybridnb.study.results import keep_results, parallel_answers
from hybridnb.study.systems import Bm25


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("evaluated")
    return out, evaluate("bm25", TOY_BENCHMARK, out)


def test_a_second_data_set_is_added_and_a_repeated_one_replaced(
    evaluated: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    ranks = pd.read_parquet(evaluated[0] / "ranks" / "toy.parquet")
    other = replace(TOY_BENCHMARK, name="other")
    keep_results(tmp_path, Bm25().entry, TOY_BENCHMARK, ranks)
    keep_results(tmp_path, Bm25().entry, other, ranks.assign(dataset="other"))
    perfect = ranks.assign(rank=1 + ranks.groupby(COLUMNS[:5], observed=True).cumcount())
    assert keep_results(tmp_path, Bm25().entry, TOY_BENCHMARK, perfect)["multilingual"]["map"] == 1
    written = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert list(written) == ["toy", "other"]
    assert written["other"] == evaluated[1] and written["toy"] == pack(perfect)
    assert list(json.loads((tmp_path / "evaluations.json").read_text(encoding="utf-8"))) == ["toy", "other"]


def test_ranks_of_two_data_sets_are_not_one_record(
    evaluated: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    ranks = pd.read_parquet(evaluated[0] / "ranks" / "toy.parquet").astype({"dataset": str})
    with pytest.raises(ValueError):
        keep_results(tmp_path, Bm25().entry, TOY_BENCHMARK, pd.concat([ranks, ranks.assign(dataset="other")]))
    assert not (tmp_path / "metrics.json").exists()


def test_of_queries_answered_in_few_languages_no_vectors_are_kept() -> None:
    relevance = {"a": {"x": [0]}, "b": {"x": [1], "y": [0]}, "c": {"x": [2], "y": [1]}}
    queries = {"x": Queries(["a", "b", "c"], ["a", "b", "c"])}
    benchmark = Benchmark("partly", queries, {"x": ["0", "1", "2"], "y": ["0", "1"]}, relevance)
    vectors = {"x": np.eye(3, dtype=np.float32), "y": np.eye(3, dtype=np.float32)[:2]}
    kept = parallel_answers(benchmark, vectors, 5)
    assert kept.index.to_list() == [(0, "x"), (0, "y"), (1, "x"), (1, "y")]
    assert kept.to_numpy().argmax(axis=1).tolist() == [1, 0, 2, 1]
