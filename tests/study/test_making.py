"""The runs of a study: what is missing is made, what is there is left alone, what was recorded stands in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pandas.testing import assert_frame_equal
from toy import write_xquad_r

from hybridnb.measures.questions_file import main_values
from hybridnb.retrieval.ranks_table import read_ranks
from hybridnb.study import making, plan
from hybridnb.study import recording as record
from hybridnb.study.run_evaluation import evaluate_run
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED, Recording, Study, Sweep

pytestmark = pytest.mark.usefixtures("one_thread")


def changed(settings: Any, **values: Any) -> Any:
    return settings.model_copy(update=values)


def modified(directory: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in directory.rglob("*")}


def test_completing_a_study_makes_what_is_missing_and_no_more(
    run: Run, study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = run.encoder_directory / "model.safetensors"
    before = weights.stat().st_mtime_ns
    made = making.complete(study)
    assert "1 of 2 runs are not trained yet" in capsys.readouterr().out
    assert [r.strategy for r in made] == ["X-X-mono", "hybrid(0.5)"]
    assert all(r.is_trained and r.is_evaluated("xquad-r") and not r.is_evaluated("cldr") for r in made)
    assert weights.stat().st_mtime_ns == before
    assert len(made[0].ranks("xquad-r")) == 24 * 11 * 11 * 2
    assert len(made[0].top_languages("xquad-r")) == 11 * 11
    after = modified(plan.RUNS)
    assert making.complete(study) == made
    assert capsys.readouterr().out == ""
    assert modified(plan.RUNS) == after


def test_what_cannot_be_read_costs_no_training(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "RUNS", tmp_path / "anew")
    english = changed(study, strategies=("X-X-mono", "X-Y"), languages=("en",))  # X-Y needs two
    with pytest.raises(ValueError, match="in two different languages"):
        making.complete(english)
    broken = tmp_path / "broken" / "lareqa" / "xquad-r" / "en.json"
    write_xquad_r(tmp_path / "broken")
    broken.write_text("{", encoding="utf-8")
    monkeypatch.setenv("HYBRIDNB_DATA", str(tmp_path / "broken"))
    with pytest.raises(ValueError, match=r"en\.json"):
        making.complete(study)
    assert not (tmp_path / "anew").exists()


def test_a_recorded_run_stands_in_for_one_that_is_not_there(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = making.complete(study)
    results, elsewhere = tmp_path / "results", tmp_path / "elsewhere"
    for module in (plan, record):
        monkeypatch.setattr(module, "RESULTS", results)
    more = changed(study, sweeps=(Sweep(strategies=("X-Y",)),))
    lines = [f"{r.label}: recorded" for r in made] + ["X-Y seed 0: not trained here"]
    assert list(record.record(more)) == lines
    assert list(record.record(study)) == lines[:2]  # again, over what is there
    monkeypatch.setattr(plan, "RUNS", elsewhere)
    found = making.complete(study)
    assert [r.directory for r in found] == [results / "toy" / r.directory.name for r in made]
    assert not elsewhere.exists()
    for ours, recorded in zip(made, found, strict=True):
        assert recorded.metrics == ours.metrics and recorded.info == ours.info
        assert_frame_equal(recorded.ranks("xquad-r"), ours.ranks("xquad-r"))
        assert_frame_equal(recorded.answers("xquad-r"), ours.answers("xquad-r"))
    assert not list(results.glob("toy/*/encoder"))
    with pytest.raises(
        FileNotFoundError, match=r"recorded run: it has no results on mlqa-r.*--set name=mine"
    ):
        evaluate_run(found[0], "mlqa-r")


def test_only_the_answers_that_are_drawn_are_recorded(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    twice = study.only(strategies=["X-X-mono"], seeds=[0, 1])
    first, second = making.complete(twice)
    assert len(list(record.record(twice))) == 2
    kept = {
        run.seed: {p.name for p in (tmp_path / "toy" / run.directory.name / "ranks").iterdir()}
        for run in (first, second)
    }
    assert kept[0] - kept[1] == {"xquad-r.answers.parquet"} and len(kept[1]) == 2


def test_of_some_seeds_and_benchmarks_no_ranks_are_recorded_and_they_are_evaluated_all_the_same(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (plan, record):
        monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    twice = changed(study, name="two", seeds=(0, 1), strategies=("X-Y",), languages=("de", "en"))
    made = making.complete(twice)
    kept_as = changed(twice, recording=Recording(ranks_of_seeds=(1,)))
    assert list(record.record(kept_as)) == ["X-Y seed 0: recorded", "X-Y seed 1: recorded"]
    monkeypatch.setattr(plan, "RUNS", tmp_path / "elsewhere")
    found = making.complete(kept_as)
    assert [run.is_ranked("xquad-r") for run in found] == [False, True]
    assert all(run.is_evaluated("xquad-r") for run in found) and not (tmp_path / "elsewhere").exists()
    for ours, recorded in zip(made, found, strict=True):
        for trained in ((), twice.languages):
            wanted = main_values(ours.ranks("xquad-r"), trained)
            assert_frame_equal(recorded.question_values("xquad-r", trained), wanted, check_exact=True)
        assert recorded.pools("xquad-r") == ours.pools("xquad-r")
    with pytest.raises(FileNotFoundError, match="recorded without its ranks table"):
        found[0].ranks("xquad-r")
    # whatever part of the study is asked for; of a run evaluated earlier the ranks are kept, for all is in them
    monkeypatch.setattr(plan, "RUNS", tmp_path / "runs")
    (made[0].directory / "questions" / "xquad-r.parquet").unlink()
    list(record.record(kept_as.only(seeds=[0])))
    assert found[0].is_ranked("xquad-r") and not (found[0].directory / "questions").exists()
    other = changed(twice, benchmarks=("xquad-r", "cldr"), recording=Recording(ranks_of=("cldr",)))
    assert not record._keeps_ranks(other, made[0], "xquad-r") and record._keeps_ranks(other, made[0], "cldr")
    untrained = Run(Path(), NOT_TRAINED, 0)
    assert record._keeps_ranks(other, untrained, "xquad-r")
    assert not record._keeps_ranks(other, untrained, "xquad-r", "means")


def test_results_on_what_lay_at_a_path_are_not_those_on_what_lies_there_now(
    study: Study, run: Run, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.jsonl"
    rows = (tmp_path.joinpath(study.corpus.training)).read_text().splitlines(keepends=True)
    mine.write_text("".join(rows[:9]))
    for _ in range(2):
        making.make(study, {run: [str(mine)]})
    assert run.is_evaluated(str(mine))
    assert read_ranks(run.directory / "ranks/mine.parquet", "mine")["query_id"].nunique() == 9
    mine.write_text("".join(rows[1:]))
    with pytest.raises(ValueError, match="holds results on another mine than lies there now: give the study"):
        making.make(study, {run: [str(mine)]})
    mine.unlink()
    making.make(study, {run: [str(mine)]})  # what was found is still there to be shown


def test_leaks_of_the_training_corpus_are_recorded(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    assert record.recorded_leaks(study) == {}
    found = record.record_leaks(study)
    assert found["xquad-r"]["exact"] > 0  # the toy pairs are the toy benchmark's
    assert record.recorded_leaks(study) == found


def test_a_run_is_evaluated_before_the_next_is_trained(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def noting(name: str) -> Any:
        real = getattr(making, name)

        def call(*arguments: Any, **options: Any) -> Any:
            of = arguments[0] if isinstance(arguments[0], Run) else arguments[1]
            done.append(f"{name} {of.strategy if isinstance(of, Run) else of}")
            return real(*arguments, **options)

        return call

    for name in ("finetune", "evaluate_run"):
        monkeypatch.setattr(making, name, noting(name))
    making.make(study, plan.planned(study))
    assert done == [
        "finetune X-X-mono",
        "evaluate_run X-X-mono",
        "finetune hybrid(0.5)",
        "evaluate_run hybrid(0.5)",
    ]
