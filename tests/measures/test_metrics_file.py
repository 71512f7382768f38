"""metrics.json: one shape, packed and unpacked in one place; the recorded one follows from the recorded ranks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy import random_benchmark, score_vectors

from hybridnb.files import write_json
from hybridnb.measures import metrics
from hybridnb.measures.metrics_file import pack, read_metrics, unpack
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


def test_what_is_packed_is_read(tmp_path: Path):
    content = {"random": pack(ranks())}
    write_json(tmp_path / "metrics.json", content)
    assert read_metrics(tmp_path / "metrics.json") == content


PAIR = "crosslingual aa>bb: map is"


@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        ("{", "not JSON"),
        ("[]", r"holds '\[\]', not entries"),
        ('{"b": {"zero-shot": {}}}', "b: task 'zero-shot' is unknown"),
        ('{"b": {"monolingual": 1}}', "b monolingual holds '1'"),
        ('{"b": {"monolingual": {"map": 1.2}}}', "b monolingual: map is 1.2"),
        ('{"b": {"monolingual": {"map": null}}}', "b monolingual: map is None"),
        ('{"b": {"multilingual": {"rank_distance": -1}}}', "rank_distance is -1"),
        ('{"b": {"multilingual": {"rank_distance": Infinity}}}', "rank_distance is inf"),
        ('{"b": {"crosslingual": {"by_language": {"aa>bb": {"map": NaN}}}}}', f"{PAIR} nan"),
        ('{"b": {"crosslingual": {"by_language": {"aa>bb": {"map": "0.5"}}}}}', f"{PAIR} 0.5"),
        ('{"b": {"crosslingual": {"by_language": []}}}', "by_language holds"),
        ('{"b": {"crosslingual": {"by_language": {"aa>bb": 0.5}}}}', "b crosslingual aa>bb holds '0.5'"),
    ],
)
def test_what_is_damaged_is_named(tmp_path: Path, damaged: str, message: str):
    path = tmp_path / "metrics.json"
    path.write_text(damaged)
    with pytest.raises(ValueError, match=message) as caught:
        read_metrics(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.parent.name)
def test_recorded_metrics_are_read(file: Path):
    assert set(read_metrics(file)) <= {path.stem for path in file.parent.glob("ranks/*.parquet")}
