"""metrics.json: one shape, packed and unpacked in one place; the recorded one follows from the recorded ranks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy import random_benchmark, score_vectors

from hybridnb.measures import metrics
from hybridnb.measures.metrics_file import pack, unpack
from hybridnb.places import RESULTS
from hybridnb.retrieval.ranking import exact_ranks

RECORDED = sorted(RESULTS.glob("*/*/metrics.json"))


def ranks() -> pd.DataFrame:
    benchmark = random_benchmark(np.random.default_rng(0), partly=True, several=True, excluded=False)
    return exact_ranks(benchmark, *score_vectors(benchmark, np.random.default_rng(0)))


def test_what_is_packed_is_unpacked():
    table = ranks()
    keys = ["task", "query_language", "candidate_language", "metric"]
    want = metrics.by_language(table)[[*keys, "value"]]
    packed = json.loads(json.dumps(pack(table)))
    got = unpack(packed)
    pd.testing.assert_frame_equal(
        got.sort_values(keys, ignore_index=True), want.sort_values(keys, ignore_index=True), check_dtype=False
    )
    assert set(packed["monolingual"]["by_language"]) == set(table["query_language"].unique())
    assert "aa>bb" in packed["crosslingual"]["by_language"]
    for task, values in metrics.summary(table).items():
        assert {name: value for name, value in packed[task].items() if name != "by_language"} == values


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.parent.name)
def test_recorded_metrics_follow_from_the_recorded_ranks_to_the_last_bit(file: Path):
    for benchmark, values in json.loads(file.read_text()).items():
        found = pack(pd.read_parquet(file.parent / "ranks" / f"{benchmark}.parquet"))
        assert json.dumps(found) == json.dumps(values)
