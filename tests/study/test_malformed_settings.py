"""Whatever a study file or `--set` holds, it is a study or one line that names the file and the setting."""

from __future__ import annotations

import copy
import json
import string
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybridnb.study.plan import claim_name
from hybridnb.study.settings import BUILT_IN, Study

INF, NAN = float("inf"), float("nan")
WRONG: dict[str, list[Any]] = {
    "name": [3, None, True, [], "", ".", "..", "../x", "/x", "a/b", "a b", "a\nb", "a\0", "x" * 151, "é" * 76, ".hid"],
    "title": [3, None, [], {}],
    "strategies": [[], "X-Y", [3], [None], ["XY"], ["hybrid"], ["hybrid(2)"], ["hybrid(x)"], ["hybrid(nan)"], [""], {}],
    "seeds": [[], 0, [-1], [0.5], ["0"], [True], [None], [2**32], "0"],
    "benchmarks": [[], "ntrex", ["xquadr"], [3], [""], ["a/x", "b/x"]],
    "languages": ["de", [3], [None], 3],
    "baseline": [1, "true", None, []],
    "part": ["a/b", 3, "..\n"],
    "sweeps": [3, [3], [{}], [{"strategies": []}], [{"strategies": ["X-Y"], "fraction": 0}],
               [{"strategies": ["X-Y"], "fraction": 1.5}], [{"strategies": ["X-Y"], "benchmarks": ["ntrex"]}],
               [{"strategies": ["X-Y"], "seed": [0]}], [{"strategies": ["X-Y"], "seeds": [-1]}]],
    "recording": [3, {"ranks": 3}],
    "recording.ranks_of_seeds": [3, ["0"], [0.5]],
    "recording.ranks_of": [3, ["ntrex"], [3]],
    "corpus": ["cldr", [], None, 3, {"train": "cldr"}],
    "corpus.training": [3, None, []],
    "corpus.held_out": [0, 1, -0.1, NAN, INF, "0.1", True],
    "corpus.weights": ["even", -1.0, 0.0, NAN, INF, [], {"a": -1.0}, {"a": "b"}, {"a": NAN}, True],
    "corpus.context": ["sometimes", 3],
    "corpus.fraction": [0, 1.01, NAN, "half"],
    "corpus.exclude_sources": ["a", [3]],
    "encoder.hidden": [0, 3, "160", 160.5],  # 4 heads do not divide 3
    "encoder.layers": [0, -1],
    "encoder.trained_layers": [0, "all"],
    "encoder.dropout": [1, -0.1, NAN],
    "encoder.precision": ["float16", 32],
    "encoder.pooling": ["mean"],  # the small encoder has its own
    "training.steps": [0, -1, 1.5, "3", True, None, NAN, INF, [], {}],
    "training.batch_size": [1, 0, "64"],
    "training.temperature": [0, -1, NAN, INF, "hot", True],
    "training.learning_rate": [0, -1e-3, NAN, INF],
    "training.weight_decay": [-1, NAN, INF],
    "training.warmup": [1, -0.1, NAN],
    "training.schedule": ["sawtooth", 3],
    "training.max_gradient_norm": [0, NAN, INF],
    "training.keep_best": [0, "no"],
    "training.hard_negatives": ["yes"],
    "training.stepz": [3],
    "trainings": [{}],
    "training..steps": [3],
    "": [3],
}  # fmt: skip
CASES = [(setting, value) for setting, values in WRONG.items() for value in values]


def refused(error: pytest.ExceptionInfo[Exception], file: str, setting: str) -> None:
    message = str(error.value)
    assert "\n" not in message and file in message and len(message) < 500
    outer = setting.split(".")[0]
    assert outer in message, message


@pytest.mark.parametrize(("setting", "value"), CASES, ids=lambda x: repr(x)[:30])
def test_a_wrong_value_is_named(setting: str, value: Any) -> None:
    """As `--set NAME=VALUE` gives it, and in a JSON file."""
    with pytest.raises(ValueError) as error:
        Study.load("quick", {"name": "quick", setting: value})
    refused(error, "quick.toml", setting)


@pytest.mark.parametrize(
    ("setting", "value"), [c for c in CASES if c[0].count(".") < 2], ids=lambda x: repr(x)[:30]
)
def test_a_wrong_value_in_a_json_file(setting: str, value: Any, tmp_path: Path) -> None:
    table = tomllib.loads((BUILT_IN / "quick.toml").read_text(encoding="utf-8"))
    *outer, last = setting.split(".")
    (table.setdefault(outer[0], {}) if outer else table)[last] = value
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(table), encoding="utf-8")
    with pytest.raises(ValueError) as error:
        Study.load(file)
    refused(error, "mine.json", setting)


def test_tables_that_stand_in_each_other_without_end() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match=r"^here: tables or lists stand in each other too deep$"):
        Study.read({"seeds": deep}, "here")


DOCUMENTS = {
    "empty": b"", "no TOML": b"title = ", "binary": b"\x00\xff\xfe", "UTF-16": "title = 'a'".encode("utf-16"),
    "twice": b"title = 'a'\ntitle = 'b'", "a date": b"title = 2020-01-01", "deep": b"a = " + b"[" * 50_000,
    "unclosed": b"title = 'a", "a huge number": b"seeds = [" + b"9" * 5000 + b"]", "JSON": b'{"title": "a"}',
    "an array of tables": b"[[training]]\nsteps = 3", "a table in place of a text": b"[title]\na = 1",
}  # fmt: skip


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("ending", ["toml", "json"])
def test_a_document_that_is_no_study(document: str, ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"mine.{ending}"
    file.write_bytes(DOCUMENTS[document])
    with pytest.raises(ValueError) as error:
        Study.load(file)
    refused(error, str(file), "")


@pytest.mark.parametrize(
    "document", [b"[]", b"3", b"null", b'"a"', b"[" * 100_000, b'{"title": "\\ud800"}', b"NaN"]
)
def test_json_that_is_no_table(document: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hybridnb.study.plan.RUNS", tmp_path)
    (tmp_path / "quick").mkdir()
    file = tmp_path / "quick" / "study.json"
    file.write_bytes(document)
    for read in (lambda: Study.load(file), lambda: claim_name(Study.load("quick"))):
        with pytest.raises(ValueError) as error:
            read()
        refused(error, str(file), "")


@pytest.mark.parametrize(
    "name", ["none.toml", "none.json", "~nobody/x.toml", "a\0.toml", ".toml", "x" * 300 + ".toml"]
)
def test_a_file_that_is_not_there(name: str) -> None:
    with pytest.raises(OSError) as error:
        Study.load(name)
    refused(error, name.rsplit("/", 1)[-1], "")


@pytest.mark.parametrize("name", ["slow", "", "..", "quick/", "/", "quick.tom", "../studies/quick"])
def test_a_study_that_there_is_not(name: str) -> None:
    with pytest.raises(ValueError, match=r"there is no study .*: name one of e5, .*quick"):
        Study.load(name)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
QUICK = tomllib.loads((BUILT_IN / "e5.toml").read_text(encoding="utf-8"))
PLACES = [(key,) for key in QUICK] + [
    (key, inner) for key, part in QUICK.items() if isinstance(part, dict) for inner in part
]


@given(
    place=st.sampled_from(PLACES),
    how=st.sampled_from(["remove", "rename", "change"]),
    value=ANY,
    name=st.text(string.printable, max_size=9),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_one_mutation_of_a_study_is_read_or_refused(
    place: tuple[str, ...], how: str, value: Any, name: str, tmp_path: Path
) -> None:
    table = copy.deepcopy(QUICK)
    inner = table[place[0]] if len(place) == 2 else table
    old = inner[place[-1]]
    if how != "change":
        del inner[place[-1]]
    if how != "remove":
        inner[name if how == "rename" else place[-1]] = old if how == "rename" else value
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(table), encoding="utf-8")
    try:
        study = Study.load(file)
    except ValueError as error:
        assert "\n" not in str(error) and str(error).startswith(f"{file}: ")
    else:
        assert Study.read(json.loads(study.to_json()), "again") == study
