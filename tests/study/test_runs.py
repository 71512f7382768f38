"""A run's files are read whole, and what does not belong together is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from toy import TOY_BENCHMARK, toy_encoder, write_run_json

from hybridnb.measures.questions_file import main_values
from hybridnb.study.evaluation import evaluate
from hybridnb.study.runs import Run, read_evaluations
from hybridnb.study.settings import NOT_TRAINED


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("run")
    evaluate(toy_encoder(), TOY_BENCHMARK, directory, trained=["de", "es"])
    write_run_json(directory)
    (directory / "history.csv").write_text("step,loss,validation\n1,2.5,\n3,1.5,0.5\n", encoding="utf-8")
    return directory


@pytest.fixture
def run(evaluated: Path, tmp_path: Path) -> Run:
    shutil.copytree(evaluated, tmp_path / "run")
    return Run(tmp_path / "run", "X-Y", 0)


def test_labels_and_slugs() -> None:
    names = [("hybrid(0.5)", 3, 1.0), ("X-Y", 0, 0.25), (NOT_TRAINED, 0, 1.0)]
    runs = [Run(Path(), *name) for name in names]
    assert [run.label for run in runs] == [
        "hybrid(0.5) seed 3", "X-Y seed 0 on 0.25 of the data", "no fine-tuning",
    ]  # fmt: skip
    assert [run.slug for run in runs] == ["hybrid-0.5-seed3", "X-Y-seed0-fraction0.25", "no-fine-tuning"]


def test_every_file_is_read(run: Run) -> None:
    assert run.is_trained and run.is_evaluated("toy") and not run.is_evaluated("other")
    assert run.info["seed"] == 0 and run.info["model"] == {"name": "small"}
    assert run.metrics.keys() == {"toy"} and run.history["loss"].tolist() == [2.5, 1.5]
    assert len(run.ranks("toy")) == 24 * 3 * 3 * 2
    assert run.pool("toy") == 3 * 24
    assert len(run.top_languages("toy")) == 9 and len(run.answers("toy")) == 12 * 3
    assert run.encoder_directory == run.directory / "encoder"


def test_what_is_written_last_says_that_a_run_is_evaluated(run: Run) -> None:
    (run.directory / "metrics.json").unlink()
    assert not run.is_evaluated("toy")


@pytest.mark.parametrize("trained", [(), ("es", "de"), ("de",), ("de", "es", "sw")])
def test_what_questions_add_is_kept_or_computed_and_the_same(run: Run, trained: tuple[str, ...]) -> None:
    """Whatever was trained on; the values outside of German and Spanish are those that were kept."""
    kept = run.question_values("toy", trained)
    wanted = main_values(run.ranks("toy"), trained)
    pd.testing.assert_frame_equal(kept, wanted, check_exact=True)
    (run.directory / "questions" / "toy.parquet").unlink()
    assert run.is_evaluated("toy")
    pd.testing.assert_frame_equal(run.question_values("toy", trained), wanted, check_exact=True)


def test_a_run_without_ranks_is_evaluated_and_compared(run: Run) -> None:
    whole, pools = run.question_values("toy"), run.pools("toy")
    unseen = run.question_values("toy", {"de", "es"})
    (run.directory / "ranks" / "toy.parquet").unlink()
    assert run.is_evaluated("toy") and run.is_compared("toy") and not run.is_ranked("toy")
    pd.testing.assert_frame_equal(run.question_values("toy"), whole, check_exact=True)
    pd.testing.assert_frame_equal(run.question_values("toy", {"de", "es"}), unseen, check_exact=True)
    assert run.pools("toy") == pools and run.pool("toy") == 3 * 24
    for read in (run.ranks, lambda name: run.question_values(name, {"de"})):
        with pytest.raises(
            FileNotFoundError, match=r"toy\.parquet is missing: .* recorded without its ranks"
        ):
            read("toy")
    (run.directory / "questions" / "toy.parquet").unlink()
    assert not run.is_evaluated("toy")


def test_questions_of_another_evaluation_are_refused(run: Run) -> None:
    file = run.directory / "questions" / "toy.parquet"
    pd.read_parquet(file).to_parquet(file, index=False)
    with pytest.raises(ValueError, match=r"not the table of questions that evaluations\.json tells of"):
        run.question_values("toy")


def test_what_is_missing_is_named(run: Run) -> None:
    (run.directory / "questions" / "toy.parquet").unlink()
    for name, read in (
        ("toy.parquet", run.ranks), ("toy.top10.csv", run.top_languages), ("toy.answers.parquet", run.answers)
    ):  # fmt: skip
        (run.directory / "ranks" / name).unlink()
        with pytest.raises(FileNotFoundError, match=f"{name} is missing: .* evaluate it again"):
            read("toy")
    (run.directory / "run.json").unlink()
    assert not run.is_trained


def test_ranks_of_another_evaluation_are_refused(run: Run) -> None:
    file = run.directory / "ranks" / "toy.parquet"
    ranks = pd.read_parquet(file)
    ranks["rank"] = 1
    ranks.to_parquet(file, index=False)
    with pytest.raises(ValueError, match=r"not the ranks table that evaluations\.json tells of"):
        run.ranks("toy")
    # earlier records do not say
    made = json.loads((run.directory / "evaluations.json").read_text(encoding="utf-8"))
    del made["toy"]["ranks_sha256"]
    (run.directory / "evaluations.json").write_text(json.dumps(made), encoding="utf-8")
    assert len(run.ranks("toy")) == len(ranks)


def test_evaluations_are_read_by_benchmark(run: Run, tmp_path: Path) -> None:
    assert read_evaluations(run.directory)["toy"].benchmark_sha256 == TOY_BENCHMARK.sha256
    assert read_evaluations(tmp_path) == {}


def test_a_run_that_was_not_trained_has_an_empty_log(run: Run) -> None:
    (run.directory / "history.csv").write_text("step\n", encoding="utf-8")
    assert run.history["step"].tolist() == []
