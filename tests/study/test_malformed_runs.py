"""Whatever became of a run's files, reading them ends in one line that names the file and what to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy import TOY_BENCHMARK, toy_encoder, write_run_json

from hybridnb.study.evaluation import evaluate
from hybridnb.study.results import check_results
from hybridnb.study.runs import Run, read_evaluations
from hybridnb.study.systems import Bm25


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("whole")
    evaluate(toy_encoder(), TOY_BENCHMARK, directory)
    write_run_json(directory, corpora={"toy": {"items": 3, "sha256": "0" * 64}})
    (directory / "history.csv").write_text("step,loss,validation\n1,2.5,\n3,1.5,0.5\n", encoding="utf-8")
    return directory


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Run:
    shutil.copytree(whole, tmp_path / "run")
    return Run(tmp_path / "run", "X-Y", 0)


READ: dict[str, Callable[[Run], Any]] = {
    "run.json": lambda run: run.info,
    "metrics.json": lambda run: run.metrics,
    "evaluations.json": lambda run: read_evaluations(run.directory),
    "history.csv": lambda run: run.history,
    "ranks/toy.parquet": lambda run: run.ranks("toy"),
    "questions/toy.parquet": lambda run: run.question_values("toy"),
    "ranks/toy.top10.csv": lambda run: run.top_languages("toy"),
    "ranks/toy.answers.parquet": lambda run: run.answers("toy"),
}


def refused(run: Run, name: str, part: str = "") -> None:
    with pytest.raises((ValueError, OSError)) as error:
        READ[name](run)
    message = str(error.value)
    assert "\n" not in message and str(run.directory / name) in message and part in message, message


CONTENT = {
    "nothing": b"", "half a bracket": b"{", "no JSON": b"hello", "not UTF-8": b"\xff\xfe\x00{", "zeros": b"\0" * 300,
    "null": b"null", "a list": b"[1, 2]", "a number": b"3", "a text": b'"a"', "deep": b"[" * 100_000, "NaN": b"NaN",
    "parquet's head": b"PAR1", "a foreign table": b"a,b\n1,2\n3,4\n", "ragged": b"step,loss\n1,2\n1,2,3,4\n",
}  # fmt: skip


@pytest.mark.parametrize("content", CONTENT)
@pytest.mark.parametrize("name", READ)
def test_foreign_content(run: Run, name: str, content: str) -> None:
    (run.directory / name).write_bytes(CONTENT[content])
    refused(run, name)


@pytest.mark.parametrize("name", [name for name in READ if name != "evaluations.json"])
def test_a_directory_in_the_place_of_a_file(run: Run, name: str) -> None:
    (run.directory / name).unlink()
    (run.directory / name).mkdir()
    refused(run, name)


@pytest.mark.parametrize("name", [name for name in READ if not name.endswith(".csv")])
def test_cut_in_half(run: Run, name: str) -> None:
    file = run.directory / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    refused(run, name)


RUN_JSON = [
    ("seed", -1), ("seed", "0"), ("seed", True), ("seed", 0.5), ("seed", None), ("study", 3), ("strategy", []),
    ("languages", "de"), ("languages", [1]), ("settings", []), ("settings", {"other": {}}),
    ("settings", {"corpus": 3}), ("identity", "x"), ("corpora", {"a": 3}), ("corpora", {"a": {"items": 1}}),
    ("corpora", {"a": {"items": -1, "sha256": "0" * 64}}), ("corpora", {"a": {"items": 1, "sha256": "short"}}),
    ("model", "small"), ("steps", -3), ("steps", 1.5), ("steps", float("nan")), ("best_step", 7),
    ("resumed_at_step", 9), ("pairs_seen", "many"), ("seconds", -1.0), ("seconds", float("inf")),
    ("seconds", float("nan")), ("code", None), ("device", 3), ("versions", []), ("versions", {"torch": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), RUN_JSON)
def test_a_wrong_field_of_run_json(run: Run, field: str, value: Any) -> None:
    write_run_json(run.directory, **{field: value})
    refused(run, "run.json", field)


@pytest.mark.parametrize(
    "field",
    [
        "study",
        "strategy",
        "seed",
        "languages",
        "settings",
        "corpora",
        "model",
        "steps",
        "best_step",
        "device",
    ],
)
def test_a_missing_field_of_run_json(run: Run, field: str) -> None:
    file = run.directory / "run.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    del content[field]
    file.write_text(json.dumps(content), encoding="utf-8")
    refused(run, "run.json", f"{field} is missing")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("encoder", "small"), ("encoder_sha256", 3), ("benchmark_sha256", "0"), ("benchmark_sha256", None),
        ("ranks_sha256", 3), ("ranks_sha256", "z" * 64), ("questions_sha256", 3), ("trained", "de"),
        ("pools", {"de": -1}),
    ],
)  # fmt: skip
def test_a_wrong_field_of_evaluations_json(run: Run, field: str, value: Any) -> None:
    file = run.directory / "evaluations.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["toy"][field] = value
    file.write_text(json.dumps(content), encoding="utf-8")
    refused(run, "evaluations.json", f"toy: {field}")


def test_metrics_that_no_evaluation_tells_of(run: Run) -> None:
    (run.directory / "evaluations.json").unlink()
    with pytest.raises(ValueError, match=r"no evaluations.json that says of what it holds on toy"):
        check_results(run.directory, Bm25().entry, TOY_BENCHMARK)


HISTORIES = {
    "a text": "step,loss\n1,much\n", "infinite": "step,loss\n1,inf\n", "backwards": "step,loss\n3,1\n1,1\n",
    "twice": "step,loss\n1,1\n1,1\n", "half a step": "step,loss\n0.5,1\n", "a negative step": "step,loss\n-1,1\n",
    "no step": "step,loss\n,1\n", "steps in words": "step,loss\none,1\n",
}  # fmt: skip


@pytest.mark.parametrize("content", HISTORIES)
def test_wrong_rows_of_a_history(run: Run, content: str) -> None:
    (run.directory / "history.csv").write_text(HISTORIES[content], encoding="utf-8")
    refused(run, "history.csv")


def _rank(ranks: pd.DataFrame, column: str, value: Any) -> pd.DataFrame:
    return ranks.assign(**{column: [value, *ranks[column].to_list()[1:]]})


RANKS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "rank 0": lambda ranks: _rank(ranks, "rank", 0),
    "rank beyond the pool": lambda ranks: _rank(ranks, "rank", 10_000),
    "half a rank": lambda ranks: _rank(ranks, "rank", 1.5),
    "no pool": lambda ranks: _rank(ranks, "pool_size", 0),
    "another task": lambda ranks: _rank(ranks, "task", "bilingual"),
    "another benchmark": lambda ranks: ranks.assign(dataset="other"),
    "two benchmarks": lambda ranks: _rank(ranks.astype({"dataset": str}), "dataset", "other"),
    "a query without a name": lambda ranks: _rank(ranks.astype({"query_id": object}), "query_id", None),
    "no rows": lambda ranks: ranks.head(0),
    "ranks as texts": lambda ranks: ranks.astype({"rank": str}),
    **{
        f"no {column}": lambda ranks, column=column: ranks.drop(columns=column)  # type: ignore[misc]
        for column in ("dataset", "task", "query_id", "rank", "pool_size", "candidate_language")
    },
}


@pytest.mark.parametrize("damage", RANKS)
def test_wrong_ranks(run: Run, damage: str) -> None:
    (run.directory / "evaluations.json").unlink()  # it would know the file as another one
    file = run.directory / "ranks" / "toy.parquet"
    RANKS[damage](pd.read_parquet(file)).to_parquet(file, index=False)
    refused(run, "ranks/toy.parquet")


@pytest.mark.parametrize("share", ["-0.1", "1.5", "nan", "much", "0.25"])
def test_wrong_shares(run: Run, share: str) -> None:
    file = run.directory / "ranks" / "toy.top10.csv"
    rows = f"de,de,{share}\nde,en,0.5\n"
    file.write_text(f"query_language,candidate_language,share\n{rows}", encoding="utf-8")
    refused(run, "ranks/toy.top10.csv")


def test_wrong_answers(run: Run) -> None:
    file = run.directory / "ranks" / "toy.answers.parquet"
    answers = pd.read_parquet(file)
    for wrong in (answers.reset_index(drop=True), answers.astype(float), answers.where(answers > 0)):
        wrong.to_parquet(file)
        refused(run, "ranks/toy.answers.parquet")


@given(
    st.sampled_from(["run.json", "metrics.json", "evaluations.json"]),
    st.integers(0, 10**6),
    st.binary(max_size=3),
)
def test_one_change_to_a_json_file_is_read_or_refused(
    whole: Path, name: str, place: int, bytes_: bytes
) -> None:
    """At any byte: what comes in its place is read as another value, or refused; nothing else happens."""
    run = Run(whole, "X-Y", 0)
    before = (whole / name).read_bytes()
    at = place % len(before)
    (whole / name).write_bytes(before[:at] + bytes_ + before[at + 1 :])
    try:
        READ[name](run)
    except (ValueError, OSError) as error:
        assert "\n" not in str(error) and name in str(error)
    finally:
        (whole / name).write_bytes(before)
