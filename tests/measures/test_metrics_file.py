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
    assert read_metrics(tmp_path) == content


def read_back(directory: Path, text: str) -> dict:
    (directory / "metrics.json").write_text(text)
    return read_metrics(directory)


TASKS_ARE = "tasks are monolingual, crosslingual, multilingual"
PAIR = '{"b": {"crosslingual": {"map": 0.5, "by_language": {"aa>bb": %s}}}}'


@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        ("[]", "it holds '[]', not entries by name"),
        ('{"b": 1}', "b holds '1', not entries by name"),
        ('{"b": {"zero-shot": {}}}', f"b: task 'zero-shot' is unknown; {TASKS_ARE}"),
        ('{"b": {"monolingual": 1}}', "b monolingual holds '1', not entries by name"),
        ('{"b": {"monolingual": {"map": 1.2}}}', "b monolingual: map is 1.2"),
        ('{"b": {"monolingual": {"map": -0.1}}}', "b monolingual: map is -0.1"),
        ('{"b": {"monolingual": {"map": null}}}', "b monolingual: map is None"),
        ('{"b": {"monolingual": {"new": NaN}}}', "b monolingual: new is nan"),
        ('{"b": {"multilingual": {"rank_distance": -1}}}', "b multilingual: rank_distance is -1"),
        ('{"b": {"multilingual": {"rank_distance": Infinity}}}', "b multilingual: rank_distance is inf"),
        (PAIR % '{"map": NaN}', "b crosslingual aa>bb: map is nan"),
        (PAIR % '{"map": "0.5"}', "b crosslingual aa>bb: map is 0.5"),
        (PAIR % "0.5", "b crosslingual aa>bb holds '0.5', not entries by name"),
        (
            '{"b": {"crosslingual": {"by_language": []}}}',
            "b crosslingual by_language holds '[]', not entries by name",
        ),
    ],
)
def test_what_is_damaged_is_named(tmp_path: Path, damaged: str, message: str):
    with pytest.raises(ValueError) as caught:
        read_back(tmp_path, damaged)
    path = tmp_path / "metrics.json"
    assert str(caught.value) == f"{path} is damaged ({message}): delete it and evaluate again"


def test_what_is_not_json_is_named(tmp_path: Path):
    with pytest.raises(ValueError, match=r"metrics.json is damaged, it is not JSON"):
        read_back(tmp_path, "{")


@pytest.mark.parametrize(
    "text", ["{}", '{"b": {}}', '{"b": {"monolingual": {"map": 1.0, "mrr": 1, "new": 7}}}']
)
def test_what_has_no_languages_or_other_metrics_is_read(tmp_path: Path, text: str):
    assert read_back(tmp_path, text) == json.loads(text)
    for packed in read_metrics(tmp_path).values():
        assert unpack(packed).empty


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.parent.name)
def test_recorded_metrics_are_read(file: Path):
    assert set(read_metrics(file.parent)) <= {path.stem for path in file.parent.glob("ranks/*.parquet")}
