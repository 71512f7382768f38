"""Which runs a study asks for, where they are, and whose a name is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from toy import write_run_json, write_study

from hybridnb.debiasing.settings import DebiasingSettings
from hybridnb.files import write_json
from hybridnb.study import plan
from hybridnb.study.identity import identity
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED, Study, Sweep


def changed(settings: Any, **values: Any) -> Any:
    return settings.model_copy(update=values)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    for name in ("RUNS", "RESULTS"):
        monkeypatch.setattr(plan, name, tmp_path / name.lower())
    return Study.load(write_study(tmp_path))


def finished(study: Study, run: Run, where: Path | None = None) -> Path:
    """The run.json of a finished run, here or among the recorded ones."""
    directory = where or run.directory
    directory.mkdir(parents=True)
    stated = identity(study.with_fraction(run.fraction), run.strategy, run.seed)
    write_run_json(
        directory, strategy=run.strategy, seed=run.seed, settings=stated["settings"], identity=stated
    )
    return directory


def test_settings_seed_and_strategy_each_have_a_directory_of_their_own(study: Study) -> None:
    other = changed(study, training=changed(study.training, temperature=0.06))
    directories = [
        plan.run_of(study, "X-Y", 0).directory,
        plan.run_of(study, "X-Y", 1).directory,
        plan.run_of(study, "X-X", 0).directory,
        plan.run_of(other, "X-Y", 0).directory,
    ]
    assert len(set(directories)) == 4
    assert plan.run_of(changed(study, benchmarks=("cldr",)), "X-Y", 0).directory == directories[0]
    asked = plan.study_runs(study.only(seeds=[0, 1]))
    assert [(r.strategy, r.seed) for r in asked] == [
        ("X-X-mono", 0), ("X-X-mono", 1), ("hybrid(0.5)", 0), ("hybrid(0.5)", 1),
    ]  # fmt: skip


def test_a_study_plans_its_main_runs_seed_by_seed_and_then_its_sweeps(study: Study) -> None:
    sweeps = (
        Sweep(strategies=("X-Y",), fraction=0.5, benchmarks=("cldr",)),
        Sweep(strategies=("X-X-mono", "X-X")),
    )
    whole = changed(study, seeds=(0, 1), baseline=True, sweeps=sweeps, benchmarks=("xquad-r", "cldr"))
    found = {run.label: benchmarks for run, benchmarks in plan.planned(whole).items()}
    assert list(found) == [
        "no fine-tuning", "X-X-mono seed 0", "hybrid(0.5) seed 0", "X-X-mono seed 1", "hybrid(0.5) seed 1",
        "X-X seed 0", "X-Y seed 0 on 0.5 of the data",
    ]  # fmt: skip
    assert found.pop("X-Y seed 0 on 0.5 of the data") == ["cldr"]
    assert all(benchmarks == ["xquad-r", "cldr"] for benchmarks in found.values())
    shared = plan.sweep_runs(whole, "cldr")[0]
    assert shared.slug == "X-Y-seed0-fraction0.5"
    assert shared.directory == plan.run_of(study.with_fraction(0.5), "X-Y", 0).directory


def test_a_finished_run_here_comes_before_a_recorded_one(study: Study, tmp_path: Path) -> None:
    asked = plan.run_of(study, "X-Y", 0)
    assert asked.directory.parent == tmp_path / "runs" / "toy" and not asked.is_trained
    recorded = finished(study, asked, tmp_path / "results" / "toy" / "any-name")
    assert plan.run_of(study, "X-Y", 0) == Run(recorded, "X-Y", 0)
    assert plan.run_of(study, "X-Y", 1).directory != recorded
    assert plan.run_of(study, "X-Y", 0, 0.5).directory != recorded
    finished(study, asked)
    assert plan.run_of(study, "X-Y", 0) == asked


def test_a_recorded_run_is_known_by_the_content_of_its_data_and_not_by_its_place(
    study: Study, tmp_path: Path
) -> None:
    recorded = finished(study, plan.run_of(study, "X-Y", 0), tmp_path / "results" / "toy" / "x")
    (tmp_path / "there").mkdir()
    pairs = Path(shutil.move(tmp_path / "pairs.jsonl", tmp_path / "there" / "pairs.jsonl"))
    moved = changed(study, corpus=changed(study.corpus, training=str(pairs)))
    assert plan.run_of(moved, "X-Y", 0).directory == recorded
    pairs.write_text(pairs.read_text(encoding="utf-8").replace("wohnt", "lebt", 1), encoding="utf-8")
    assert plan.run_of(moved, "X-Y", 0).directory != recorded


def test_a_run_json_of_another_run_is_refused(study: Study) -> None:
    one, other = plan.run_of(study, "X-Y", 0), plan.run_of(study, "X-Y", 1)
    shutil.copytree(finished(study, one), other.directory)
    with pytest.raises(ValueError, match=r"run\.json is of another run \(seed: 0 and 1\)"):
        plan.run_of(study, "X-Y", 1)
    (one.directory / "run.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"run\.json is damaged"):
        plan.run_of(study, "X-Y", 0)


def test_how_a_recorded_run_was_made_otherwise_is_told(study: Study, tmp_path: Path) -> None:
    run = plan.run_of(study, "X-Y", 0)
    assert plan.recorded_otherwise(study, run) == ""
    finished(study, run, tmp_path / "results" / "toy" / "x")
    assert plan.recorded_otherwise(study, run) == ""
    longer = changed(study, training=changed(study.training, steps=7))
    told = "the recorded X-Y seed 0 was made otherwise (settings.training.steps: 6 and 7: there and here)"
    assert plan.recorded_otherwise(longer, plan.run_of(longer, "X-Y", 0)) == told
    for other in (
        plan.run_of(longer, "X-Y", 1),
        plan.run_of(longer, "X-X", 0),
        plan.run_of(longer, "X-Y", 0, 0.5),
    ):
        assert plan.recorded_otherwise(longer, other) == ""


def test_a_name_belongs_to_settings(study: Study, tmp_path: Path) -> None:
    plan.claim_name(study)
    file = tmp_path / "runs" / "toy" / "study.json"
    before = file.read_bytes()
    assert Study.load(file) == study
    more = changed(
        study.only(strategies=["X-X"], seeds=[3]), benchmarks=("cldr",), sweeps=(Sweep(strategies=("X-Y",)),)
    )
    plan.claim_name(more)
    for other in (
        changed(study, languages=("de", "en")),
        changed(study, corpus=changed(study.corpus, held_out=0.4)),
        changed(study, encoder=changed(study.encoder, layers=2)),
        changed(study, training=changed(study.training, steps=7)),
    ):
        with pytest.raises(
            ValueError, match=r"name 'toy' belongs to a study of other settings .* --set name=NEW"
        ):
            plan.claim_name(other)
    assert file.read_bytes() == before
    write_json(file, {**json.loads(before), "stepz": 3})
    with pytest.raises(ValueError, match=r"study\.json: unknown setting stepz"):
        plan.claim_name(study)


def test_the_baseline_is_one_run(study: Study) -> None:
    runs = plan.study_runs(changed(study, baseline=True, seeds=(4, 5)))
    assert [(r.strategy, r.seed) for r in runs[:2]] == [(NOT_TRAINED, 0), ("X-X-mono", 4)]
    assert len(runs) == 5


def test_trained_runs_have_all_debiasings_or_some_or_none(study: Study) -> None:
    two = changed(study, baseline=True, strategies=("X-Y",), sweeps=(Sweep(strategies=("X-X",)),))
    both = ("means", "lir")
    for of_trained, wanted in ((None, both), (("lir",), ("lir",)), ((), None)):
        settings = DebiasingSettings(methods=both, sentences=("ntrex",), of_trained=of_trained)
        found = {r.label: m for r, m in plan.methods_by_run(changed(two, debiasing=settings)).items()}
        assert found == {NOT_TRAINED: both, **({"X-Y seed 0": wanted} if wanted else {})}
    assert plan.methods_by_run(two) == {}


def test_a_sweep_of_a_study_has_its_name(study: Study) -> None:
    """A fraction of the data is another run, not another study."""
    from hybridnb.study.finetuning import finetune

    swept = changed(study, sweeps=(Sweep(strategies=("X-Y",), fraction=0.8),))
    plan.claim_name(study)
    (run,) = plan.sweep_runs(swept, "xquad-r")
    assert finetune(swept, "X-Y", 0, fraction=0.8) == run
    assert run.is_trained
