"""Measures by language, from numbers small enough to check by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from hybridnb.report.tables import languages
from hybridnb.study.runs import Run

LANGUAGES = ("de", "en", "sw")


def rewrite(run: Run, **info: Any) -> None:
    """Change some of a run's run.json."""
    (run.directory / "run.json").write_text(json.dumps({**run.info, **info}))


def test_both_sides_are_named(runs: list[Run]) -> None:
    crossed = languages.by_language(runs, "toy", "Cr mAP")
    assert len(crossed) == 4 * 6
    keys = ["strategy", "seed", "query_language", "candidate_language"]
    assert crossed.set_index(keys).loc[("X-Y", 0, "de", "sw"), "value"] == pytest.approx(0.4)
    mono = languages.by_language(runs[:1], "toy", "Mo mAP")
    assert (mono["query_language"] == mono["candidate_language"]).all()
    assert set(languages.by_language(runs, "toy", "Mul mAP")["candidate_language"]) == {"*"}
    assert languages.by_language(runs, "toy", "Mo R@1").loc[0, "value"] == pytest.approx(0.35)


def test_the_monolingual_task_is_the_diagonal(runs: list[Run]) -> None:
    pairs = languages.language_pairs(runs, "toy")
    assert list(pairs) == ["X-X-mono", "X-Y"]
    assert pairs["X-Y"].loc["de", "de"] == pytest.approx((0.66 + 0.74) / 2)
    assert pairs["X-Y"].loc["sw", "en"] == pytest.approx((0.50 + 0.52) / 2 - 0.1)


@pytest.mark.parametrize("task", ["monolingual", "crosslingual"])
def test_pairs_of_the_tasks_there_are(task: str, runs: list[Run]) -> None:
    """NTREX has no monolingual task, MIRACL no cross-lingual one."""
    both = languages.language_pairs(runs, "toy")["X-Y"].to_numpy()
    for run in runs:
        metrics = run.metrics
        del metrics["toy"][task]
        (run.directory / "metrics.json").write_text(json.dumps(metrics))
    diagonal = np.eye(3, dtype=bool)
    kept = diagonal if task == "crosslingual" else ~diagonal
    pairs = languages.language_pairs(runs, "toy")
    assert list(pairs) == ["X-X-mono", "X-Y"]
    assert pairs["X-Y"].to_numpy()[kept] == pytest.approx(both[kept])
    assert np.isnan(pairs["X-Y"].to_numpy()[~kept]).all()


def test_a_pair_with_an_unseen_language_is_unseen(runs: list[Run]) -> None:
    table = languages.seen_table(runs, "toy")
    row = table.loc["X-X-mono"]
    assert row["Mo mAP", "seen"] == pytest.approx(0.71)
    assert row["Mo mAP", "unseen"] == pytest.approx(0.61)
    assert row["Cr mAP", "seen"] == pytest.approx(0.31)
    assert row["Cr mAP", "unseen"] == pytest.approx(0.21)
    assert row["Mul mAP", "unseen"] == pytest.approx(0.12)
    assert languages.unseen_languages(runs, "toy") == ["sw"]
    # a baseline was trained on nothing: the others' languages divide its table, too
    rewrite(runs[0], languages=[])
    assert languages.seen_table(runs, "toy").equals(table)
    for run in runs[2:]:
        rewrite(run, languages=LANGUAGES)
    everywhere = languages.seen_table(runs, "toy")
    assert everywhere.loc["X-Y", ("Cr mAP", "seen")] == pytest.approx((2 * 0.51 + 4 * 0.41) / 6)
    assert "unseen" not in everywhere.columns.get_level_values(1)
    assert languages.unseen_languages(runs, "toy") == []
