"""What is shown while training runs."""

from __future__ import annotations

import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

import hybridnb.progress
from hybridnb.training.watching import Progress


def shown(capsys: pytest.CaptureFixture[str], state: TrainerState, logs: dict[int, dict[str, float]]) -> str:
    """What a training of these steps writes to a log."""
    arguments, control, progress = (
        TrainingArguments(report_to="none"),
        TrainerControl(),
        Progress("X-Y seed 0"),
    )
    progress.on_train_begin(arguments, state, control)
    for step in range(state.global_step, state.max_steps):
        state.global_step = step + 1
        progress.on_step_end(arguments, state, control)
        progress.on_log(arguments, state, control, logs=logs.get(step + 1, {}))
        progress.on_evaluate(arguments, state, control, metrics=logs.get(step + 1, {}))
    progress.close()
    captured = capsys.readouterr()
    return captured.out + captured.err


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hybridnb.progress, "FIRST", 0)
    monkeypatch.setattr(hybridnb.progress, "EVERY", 0)


def test_the_last_losses_are_shown_and_none_before_there_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    logs = {2: {"eval_loss": 0.75}, 3: {"loss": 0.5}}
    lines = shown(capsys, TrainerState(max_steps=4), logs).replace("\r", "\n").split("\n")
    at = {step: next(line for line in lines if f"{step}/4" in line) for step in range(5)}
    assert all(line.startswith("X-Y seed 0") for line in at.values())
    assert "validation" not in at[2] and "validation=0.750" in at[3] and "loss=" not in at[3]
    assert "validation=0.750, loss=0.500" in at[4]
    assert "nan" not in "".join(lines)


def test_a_training_that_goes_on_says_from_where(capsys: pytest.CaptureFixture[str]) -> None:
    state = TrainerState(max_steps=9, global_step=6)
    text = shown(capsys, state, {})
    assert text.startswith("X-Y seed 0  goes on from step 6\n") and "7/9" in text and "5/9" not in text


def test_only_the_first_process_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    state = TrainerState(max_steps=9, global_step=6, is_world_process_zero=False)
    assert shown(capsys, state, {}) == ""
