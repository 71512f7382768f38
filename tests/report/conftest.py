"""Runs as a study leaves them: numbers small enough to check by hand, or ranks that are drawn."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from toy import write_run_json

from hybridnb.measures.metrics_file import pack
from hybridnb.report.tables import headline
from hybridnb.retrieval.ranks_table import COLUMNS, TASKS, write_ranks
from hybridnb.study.runs import CURVES, DEBIASED, Run
from hybridnb.study.settings import NOT_TRAINED

matplotlib.use("Agg")

LANGUAGES = ("de", "en", "sw")
PAIRS = [(one, other) for one in LANGUAGES for other in LANGUAGES if one != other]

# strategy, seed -> Mo mAP, Cr mAP, Mul mAP, rank distance
MADE = {
    ("X-X-mono", 0): (0.70, 0.30, 0.20, 400.0),
    ("X-X-mono", 1): (0.72, 0.32, 0.24, 420.0),
    ("X-Y", 0): (0.66, 0.50, 0.40, 100.0),
    ("X-Y", 1): (0.74, 0.52, 0.22, 120.0),
}


def made_metrics(mono: float, cross: float, multi: float, distance: float) -> dict[str, Any]:
    """metrics.json of a benchmark; Swahili is 0.1 worse, and the averages are over what is there."""
    by_language = {code: {"map": mono - 0.1 * (code == "sw"), "recall@1": mono / 2} for code in LANGUAGES}
    by_pair = {f"{q}>{c}": {"map": cross - 0.1 * ("sw" in (q, c)), "recall@1": cross / 2} for q, c in PAIRS}
    merged = {code: {"map": multi - 0.1 * (code == "sw"), "recall@10": multi / 2} for code in LANGUAGES}
    return {
        "monolingual": {"map": mono, "recall@1": mono / 2, "by_language": by_language},
        "crosslingual": {"map": cross, "recall@1": cross / 2, "by_language": by_pair},
        "multilingual": {
            "map": multi,
            "recall@10": multi / 2,
            "rank_distance": distance,
            "by_language": merged,
        },
    }


RUN = {
    "settings": {"training": {"steps": 4, "batch_size": 8, "temperature": 0.05, "learning_rate": 0.001}},
    "corpora": {"toy:train": {"items": 16, "sha256": "ab" * 32}},
    "model": {"name": "toy-e5"},
    "steps": 40,
    "best_step": 2,
    "pairs_seen": 32,
    "code": "0123456789abcdef",
}
"""What tables read of run.json."""


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[..., Run]:
    """Writes a run's run.json and metrics.json, and beside them empty files of ranks; names are as in `Run`."""

    def write(
        strategy: str,
        seed: int = 0,
        fraction: float = 1.0,
        metrics: Mapping[str, Any] | None = None,
        **info: Any,
    ) -> Run:
        directory = tmp_path / f"{strategy}-{seed}-{fraction:g}"
        directory.mkdir(exist_ok=True)
        made = {**RUN, "strategy": strategy, "seed": seed, "seconds": 60 * (seed + 1)}
        write_run_json(directory, **{**made, **info})
        if metrics is not None:
            (directory / "metrics.json").write_text(json.dumps(metrics))
            (directory / "ranks").mkdir(exist_ok=True)
            for benchmark, kind in product(metrics, ("parquet", "top10.csv")):
                (directory / "ranks" / f"{benchmark}.{kind}").touch()
        return Run(directory, strategy, seed, fraction)

    return write


@pytest.fixture
def runs(write_run: Callable[..., Run]) -> list[Run]:
    """Two strategies of two seeds, of the numbers of `MADE`."""
    return [
        write_run(strategy, seed, metrics={"toy": made_metrics(*values)})
        for (strategy, seed), values in MADE.items()
    ]


@pytest.fixture
def scores(runs: list[Run]) -> pd.DataFrame:
    return headline.scores(runs, "toy")


@lru_cache
def drawn_ranks(
    benchmark: str, spread: int, draw: int, languages: tuple[str, ...], tasks: tuple[str, ...]
) -> pd.DataFrame:
    """A ranks table whose relevant candidates lie at random among the first `spread` of each pool."""
    rng = np.random.default_rng((draw, spread))
    pools = {
        "monolingual": [(code, code, [code]) for code in languages],
        "crosslingual": [(q, c, [c]) for q, c in product(languages, languages) if q != c],
        "multilingual": [(code, "*", languages) for code in languages],
    }
    rows = [
        (benchmark, task, asked, pool, f"q{n}", answer, int(rank), 1000)
        for task in tasks
        for asked, pool, answers in pools[task]
        for n in range(12)
        for answer, rank in zip(answers, rng.permutation(spread)[: len(answers)] + 1, strict=True)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


@lru_cache
def drawn_metrics(*arguments: Any) -> dict[str, Any]:
    return pack(drawn_ranks(*arguments))


@pytest.fixture
def draw_run(write_run: Callable[..., Run]) -> Callable[..., Run]:
    """A run with all that an evaluation leaves, of drawn ranks: the smaller `spread`, the better.

    draw: runs of one spread and draw have the same ranks; left out, the seed.
    """

    def make(
        strategy: str,
        seed: int = 0,
        *,
        spread: int,
        benchmarks: Sequence[str] = ("toy",),
        languages: Sequence[str] = LANGUAGES,
        tasks: Sequence[str] = TASKS,
        fraction: float = 1.0,
        draw: int | None = None,
        **info: Any,
    ) -> Run:
        metrics = {}
        run = write_run(strategy, seed, fraction, **info)
        for benchmark in benchmarks:
            drawn = (benchmark, spread, seed if draw is None else draw, tuple(languages), tuple(tasks))
            ranks, metrics[benchmark] = drawn_ranks(*drawn), drawn_metrics(*drawn)
            path = run.directory / "ranks" / f"{benchmark}.parquet"
            path.parent.mkdir(exist_ok=True)
            write_ranks(path, ranks)
            shares = [(q, c, 1 / len(languages)) for q, c in product(languages, languages)]
            columns = ["query_language", "candidate_language", "share"]
            pd.DataFrame(shares, columns=columns).to_csv(path.with_suffix(".top10.csv"), index=False)
            index = pd.MultiIndex.from_product([range(3), languages], names=["answer", "language"])
            vectors = np.random.default_rng(seed).normal(size=(len(index), 4)).astype(np.float32)
            pd.DataFrame(vectors, index, list("0123")).to_parquet(path.with_suffix(".answers.parquet"))
        (run.directory / "metrics.json").write_text(json.dumps(metrics))
        losses = [(2, 2.0, 1.5, 1.0, 2.0), (4, 1.0, 1.75, 1.25, 2.25)]
        names = ["step", "loss", "validation", "validation_mono", "validation_cross"]
        pd.DataFrame(losses, columns=names).to_csv(run.directory / "history.csv", index=False)
        return run

    return make


@pytest.fixture
def ranked_runs(draw_run: Callable[..., Run]) -> list[Run]:
    """The encoder as it is, with one map beside it, and two seeds of a strategy."""
    plain, other = draw_run(NOT_TRAINED, spread=900), draw_run("X-X", spread=50)
    shutil.copytree(other.directory, plain.directory / DEBIASED / "one-map")
    return [plain, *(draw_run("X-Y", seed, spread=20) for seed in (0, 1))]


@pytest.fixture
def tried() -> pd.DataFrame:
    rows = [
        ("means", count, left_out, scope, "multilingual", metric, value)
        for count, left_out, scope, value in (
            (100, "", "all", 0.2), (100, "", "unseen", 0.1), (300, "", "all", 0.4), (300, "", "unseen", 0.3),
            (300, "el vi", "all", 0.38), (300, "el vi", "unseen", 0.25),
        )
        for metric in ("map", "rank_distance")
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(CURVES))


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")
