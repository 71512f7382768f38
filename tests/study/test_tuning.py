"""Trials of a grid: all strategies alike, ranked on validation sets, found again, the table made from them alone."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from toy import write_study

from hybridnb.study import tuning
from hybridnb.study.settings import NOT_TRAINED, Study

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    for module in ("hybridnb.study.plan", "hybridnb.study.tuning"):
        monkeypatch.setattr(f"{module}.RUNS", tmp_path / "runs")
    grid = [{"steps": [2], "learning_rate": [1e-3, 1e-2]}, {"steps": [2, 4], "learning_rate": [1e-3]}]
    part = {"strategies": ["X-Y", "hybrid(0.5)"], "name": "toy"}
    own = {"tuning": {"grid": grid, "sets": ["held-out", str(tmp_path / "pairs.jsonl")], "limit": 3}}
    return Study.load(write_study(tmp_path), part | own)


def test_a_trial_is_every_combination_under_every_strategy_once(study: Study) -> None:
    rates = [
        (t.strategy, t.study.training.steps, t.study.training.learning_rate) for t in tuning.trials(study)
    ]
    assert rates[0][0] == NOT_TRAINED
    assert rates[1:] == [
        (strategy, steps, rate)
        for steps, rate in ((2, 1e-3), (2, 1e-2), (4, 1e-3))
        for strategy in ("X-Y", "hybrid(0.5)")
    ]


def test_sets_are_cut_to_the_languages_and_the_limit(study: Study) -> None:
    sets = tuning.validation_sets(study)
    assert list(sets) == ["held-out", "pairs"]
    for benchmark in sets.values():
        assert max(map(len, benchmark.queries.values())) <= 3
    german = tuning.validation_sets(study.model_copy(update={"languages": ("de",)}))
    assert {benchmark.languages for benchmark in german.values()} == {("de",)}


def test_the_table_is_made_again_from_what_trials_left(study: Study) -> None:
    lines = list(tuning.tune(study))
    assert len(lines) == len(tuning.trials(study)) == 7
    table = tuning.trial_table(study, tuning.validation_sets(study))
    assert_frame_equal(table, pd.read_csv(tuning.RUNS / "toy" / tuning.TABLE), check_dtype=False)
    assert table["strategy"].to_list() == [t.strategy for t in tuning.trials(study)]
    of_tasks = [[c for c in table if c.endswith(f" {short}")] for short in tuning.TASKS.values()]
    by_hand = sum(table[columns].mean(axis=1) for columns in of_tasks) / 3
    assert (by_hand - table["score"]).abs().max() < 2e-4  # of rounding
    before = [trial.run.info["ended"] for trial in tuning.trials(study)]
    assert list(tuning.tune(study)) == lines
    assert [trial.run.info["ended"] for trial in tuning.trials(study)] == before
    assert not any(trial.run.encoder_directory.exists() for trial in tuning.trials(study))


def test_trials_on_other_sets_are_made_anew(study: Study) -> None:
    list(tuning.tune(study, slice(1, 2)))
    assert study.tuning is not None
    trial = tuning.trials(study)[1]
    before = trial.run.metrics["held-out"]
    fewer = study.model_copy(update={"tuning": study.tuning.model_copy(update={"limit": 2})})
    assert tuning.trial_table(fewer, tuning.validation_sets(fewer)).empty
    list(tuning.tune(fewer, slice(1, 2)))
    assert len(tuning.trial_table(fewer, tuning.validation_sets(fewer))) == 1
    assert trial.run.metrics["held-out"] != before


def test_parts_share_the_trials(study: Study) -> None:
    list(tuning.tune(study, slice(1, None, 3)))
    finished = [trial.run.is_trained for trial in tuning.trials(study)]
    assert finished == [False, True, False, False, True, False, False]


def test_a_study_without_a_grid_says_so(study: Study) -> None:
    with pytest.raises(ValueError, match=r"study toy has no \[tuning\]"):
        tuning.trials(study.model_copy(update={"tuning": None}))


def test_an_unknown_training_setting_is_named(study: Study) -> None:
    assert study.tuning is not None
    wrong = study.tuning.model_copy(update={"grid": ({"learning_rat": (1e-3,)},)})
    with pytest.raises(ValueError, match=r"tuning.grid: unknown setting training.learning_rat; did you mean"):
        tuning.trials(study.model_copy(update={"tuning": wrong}))
