"""The recorded studies: whole, consistent in themselves, and readable without a model."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hybridnb.corpora import load_benchmark
from hybridnb.places import RESULTS
from hybridnb.study import plan, recording
from hybridnb.study.settings import Study

RECORDED = sorted(path.parent for path in RESULTS.glob("*/*/run.json"))
STUDIES = sorted({path.parent.name for path in RECORDED})


@pytest.mark.parametrize("name", STUDIES)
def test_every_run_that_the_study_plans_is_recorded_and_no_other(name: str) -> None:
    study = Study.load(name)
    planned = plan.planned(study)
    names = {run.directory.name for run in planned}
    assert {path.name for path in RECORDED if path.parent.name == name} == names
    for run, benchmarks in planned.items():
        assert all(map(run.is_evaluated, benchmarks)), run.label
        shared = {"pairs_seen": study.training.steps * study.training.batch_size, "resumed_at_step": 0}
        if run.info["steps"]:
            assert {key: run.info[key] for key in shared} == shared


@pytest.mark.parametrize("directory", RECORDED, ids=lambda path: path.name)
def test_every_benchmark_with_metrics_has_ranks_or_what_each_question_adds(directory: Path) -> None:
    known = json.loads((directory / "metrics.json").read_text())
    files = [path for kind in ("ranks", "questions") for path in (directory / kind).glob("*.parquet")]
    assert {path.stem for path in files} >= set(known)


@pytest.mark.parametrize("directory", RECORDED, ids=lambda path: path.name)
def test_a_run_says_what_made_it(directory: Path) -> None:
    info = json.loads((directory / "run.json").read_text())
    evaluations = json.loads((directory / "evaluations.json").read_text())
    made = [info, *evaluations.values()]
    assert all(re.fullmatch("[0-9a-f]{40}", part["code"]) for part in made), "of a commit, nothing changed"
    assert all(part["device"] and part["versions"]["torch"] for part in made)
    assert len({part["encoder_sha256"] for part in evaluations.values()}) == 1
    assert all(len(corpus["sha256"]) == 64 for corpus in info["corpora"].values())


@pytest.mark.parametrize("name", ["xquad-r", "mlqa-r"])
def test_the_recorded_benchmarks_are_the_real_ones(
    name: str, real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYBRIDNB_DATA", str(real_data))
    sha256 = load_benchmark(name).sha256
    for directory in RECORDED:
        evaluations = json.loads((directory / "evaluations.json").read_text())
        assert evaluations.get(name, {"benchmark_sha256": sha256})["benchmark_sha256"] == sha256


def test_the_table_of_trials_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, place in ((recording, "RESULTS"), (recording, "RUNS"), (plan, "RESULTS"), (plan, "RUNS")):
        monkeypatch.setattr(module, place, tmp_path / place)
    study = Study.load("quick")
    assert {line.split(": ")[1] for line in recording.record(study)} == {"not trained here"}
    assert not (tmp_path / "RESULTS").exists()
    (tmp_path / "RUNS" / "quick").mkdir(parents=True)
    (tmp_path / "RUNS" / "quick" / "trials.csv").write_text("strategy,score\nX-Y,0.5\n")
    list(recording.record(study))
    assert (tmp_path / "RESULTS" / "quick" / "trials.csv").read_text() == "strategy,score\nX-Y,0.5\n"


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        '{"xquad-r": 0}',
        '{"xquad-r": {"exact": 0}}',
        '{"xquad-r": {"exact": 0, "near": -1}}',
        '{"xquad-r": {"exact": 0, "near": "1"}}',
        '{"xquad-r": {"exact": 0, "near": 1, "far": 2}}',
        '{"xquad-r": ',
    ],
)
def test_damaged_leaks_are_told_in_a_line(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "RESULTS", tmp_path)
    (tmp_path / "quick").mkdir()
    (tmp_path / "quick" / "leaks.json").write_text(content)
    with pytest.raises(ValueError, match=r"leaks\.json") as caught:
        recording.recorded_leaks(Study.load("quick"))
    assert "\n" not in str(caught.value)
