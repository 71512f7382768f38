"""How runs were made: settings, time, losses."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from hybridnb.report.tables.headline import of_run
from hybridnb.study.runs import Run


def runs_table(runs: Sequence[Run]) -> pd.DataFrame:
    """How many seeds of which strategy on how much data, how long a run took, and with what."""
    rows = [
        {
            "strategy": run.strategy,
            "fraction of the data": f"{run.fraction:g}",
            "seed": run.seed,
            "pairs seen": run.info["pairs_seen"],
            "device": run.info["device"],
            "code": run.info["code"][:12],
            "minutes": run.info["seconds"] / 60,
        }
        for run in runs
    ]
    keys = ["strategy", "fraction of the data", "pairs seen", "device", "code"]
    grouped = pd.DataFrame(rows).groupby(keys, sort=False)
    table = grouped.agg(seeds=("seed", "size"), minutes=("minutes", "mean")).round(1).reset_index()
    return table.rename(columns={"minutes": "minutes of training"}).set_index("strategy")


def settings_table(run: Run) -> pd.DataFrame:
    """What a run was made with, one setting a row."""
    info = run.info
    training = info["settings"]["training"]
    values = {
        "strategy": info["strategy"],
        "seed": info["seed"],
        "languages": " ".join(info["languages"]),
        "encoder": info["model"]["name"],
        **{name: training[name] for name in ("steps", "batch_size", "temperature", "learning_rate")},
        "pairs seen": info["pairs_seen"],
        **{f"sha256 of {name}": corpus["sha256"][:16] for name, corpus in info["corpora"].items()},
    }
    return pd.DataFrame({"value": {name: str(value) for name, value in values.items()}})


def histories(runs: Sequence[Run]) -> pd.DataFrame:
    """The training logs of all runs, one below the other."""
    return pd.concat([run.history.assign(**of_run(run)) for run in runs])


def losses(run: Run) -> pd.DataFrame:
    """The validation losses of a run (InfoNCE, nats): first (at step 0 untrained), last, of the weights kept.

    Returns:
        Index step; validation, and validation_mono and validation_cross where there are batches of both kinds.
    """
    measured = run.history.dropna(subset="validation").set_index("step")
    steps = sorted({measured.index[0], run.info["best_step"], measured.index[-1]})
    return measured.loc[steps].filter(like="validation")
