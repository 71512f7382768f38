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
from hybridnb.measures.catalogue import MAIN
from hybridnb.measures.metrics_file import pack, read_metrics, unpack
from hybridnb.measures.questions_file import ALL, of_scope
from hybridnb.places import RESULTS
from hybridnb.retrieval.ranking import exact_ranks

RECORDED = sorted(RESULTS.glob("*/*/metrics.json"))
WITH_RANKS = sorted(
    file
    for pattern in ("*/*/ranks/*.parquet", "*/*/debiased/*/ranks/*.parquet")
    for file in RESULTS.glob(pattern)
    if "answers" not in file.name
)


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


def close(found: object, recorded: object) -> bool:
    """Equal but for the order that sums were taken in, which is another in every version of numpy."""
    if isinstance(found, dict) and isinstance(recorded, dict):
        return list(found) == list(recorded) and all(close(found[key], recorded[key]) for key in found)
    return found == pytest.approx(recorded, rel=1e-12)


@pytest.mark.parametrize("file", WITH_RANKS, ids=lambda file: f"{file.parts[-3]}-{file.stem}")
def test_recorded_metrics_follow_from_the_recorded_ranks(file: Path):
    values = json.loads((file.parents[1] / "metrics.json").read_text())
    assert close(pack(pd.read_parquet(file)), values[file.stem])


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.parent.name)
def test_what_questions_add_has_the_recorded_metrics_for_its_mean(file: Path):
    values = json.loads(file.read_text())
    for questions in (file.parent / "questions").glob("*.parquet"):
        table = of_scope(pd.read_parquet(questions), ALL)
        for label, mean in table.mean().items():
            measure = MAIN[str(label)]
            assert values[questions.stem][measure.task][measure.name] == pytest.approx(mean, rel=1e-5)


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
    kept = [*file.parent.glob("ranks/*.parquet"), *file.parent.glob("questions/*.parquet")]
    assert set(read_metrics(file.parent)) <= {path.stem for path in kept}
