"""How runs were made."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pandas as pd

from hybridnb.report.tables import training
from hybridnb.study.runs import Run


def rewrite(run: Run, **info: Any) -> None:
    """Change some of a run's run.json."""
    (run.directory / "run.json").write_text(json.dumps({**run.info, **info}))


def test_runs_of_one_kind_are_one_row(runs: list[Run]) -> None:
    table = training.runs_table(runs)
    assert table.index.to_list() == ["X-X-mono", "X-Y"]
    assert table.iloc[0].to_dict() == {
        "fraction of the data": "1",
        "pairs seen": 32,
        "device": "a GPU",
        "code": "0123456789ab",
        "seeds": 2,
        "minutes of training": 1.5,
    }
    rewrite(runs[1], device="another")
    assert training.runs_table(runs)["device"].to_list() == ["a GPU", "another", "a GPU"]


def test_settings_are_a_row_each(runs: list[Run]) -> None:
    values = training.settings_table(runs[3])["value"].to_dict()
    assert values == {
        "strategy": "X-Y",
        "seed": "1",
        "languages": "de en",
        "encoder": "toy-e5",
        "steps": "4",
        "batch_size": "8",
        "temperature": "0.05",
        "learning_rate": "0.001",
        "pairs seen": "32",
        "sha256 of toy:train": "abababababababab",
    }


def test_losses_at_both_ends_and_where_the_weights_are_from(draw_run: Callable[..., Run]) -> None:
    run = draw_run("X-Y", spread=20)
    history = pd.DataFrame({"step": [1, 5, 10, 20, 30], "loss": [4.0, 3.0, 2.0, 1.0, 0.5]})
    history["validation"] = [None, 2.5, 1.75, 1.25, 1.5]
    history.to_csv(run.directory / "history.csv", index=False)
    rewrite(run, best_step=20)
    assert training.losses(run)["validation"].to_dict() == {5: 2.5, 20: 1.25, 30: 1.5}
    rewrite(run, best_step=30)
    assert training.losses(run)["validation"].to_dict() == {5: 2.5, 30: 1.5}


def test_histories_stand_one_below_the_other(draw_run: Callable[..., Run]) -> None:
    table = training.histories([draw_run("X-Y", seed, spread=20) for seed in (0, 1)])
    assert table[["strategy", "seed", "step"]].to_numpy().tolist() == [
        ["X-Y", 0, 2], ["X-Y", 0, 4], ["X-Y", 1, 2], ["X-Y", 1, 4],
    ]  # fmt: skip
