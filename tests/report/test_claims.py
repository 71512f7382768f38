"""Verdicts on the paper's claims, from differences whose answer is known; and the paper's own figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hybridnb.report import claims, published
from hybridnb.report.claims import CROSS, HELD, HYBRID, MONO, NOT_HELD, OPEN
from hybridnb.retrieval.ranks_table import COLUMNS
from hybridnb.study.runs import Run
from hybridnb.study.settings import Study


def made(level: float, seeds: int = 2, figure: str = "Mul mAP", noise: float = 0.01) -> list[pd.DataFrame]:
    """`question_values` of runs whose figure is about `level`."""
    index = [f"q{n}" for n in range(100)]
    draws = np.random.default_rng(int(1e6 * level)).normal(level, noise, (seeds, 100))
    return [pd.DataFrame({figure: draw}, index) for draw in draws]


def write_ranks(directory: Path, benchmark: str, rows: Sequence[tuple[Any, ...]]) -> Run:
    (directory / "ranks").mkdir(parents=True)
    pd.DataFrame(rows, columns=COLUMNS).to_parquet(directory / "ranks" / f"{benchmark}.parquet")
    return Run(directory, "X-Y", 0)


def strategies(hybrid: float, mono: float, cross: float, **options: Any) -> claims.Values:
    levels = {HYBRID: hybrid, MONO: mono, CROSS: cross}
    return {strategy: made(level, **options) for strategy, level in levels.items()}


@pytest.mark.parametrize(
    "low, high, margin, want",
    [
        (0.01, 0.02, 0, HELD),
        (-0.02, -0.01, 0, NOT_HELD),
        (-0.01, 0.01, 0, OPEN),
        (-0.004, 0.01, 0.005, HELD),
        (-0.02, -0.001, 0.005, OPEN),
        (-0.02, -0.006, 0.005, NOT_HELD),
    ],
)
def test_the_whole_interval_must_be_on_one_side(low: float, high: float, margin: float, want: str) -> None:
    assert claims.verdict(low, high, margin) == want


@pytest.mark.parametrize(
    "verdicts, want",
    [([HELD, HELD], HELD), ([HELD, OPEN], OPEN), ([OPEN, NOT_HELD, HELD], NOT_HELD), ([], OPEN)],
)
def test_one_failure_decides_and_success_needs_all(verdicts: Sequence[str], want: str) -> None:
    assert claims.overall(verdicts) == want


@pytest.mark.parametrize(
    "mono, cross, want", [(0.45, 0.47, HELD), (0.45, 0.53, NOT_HELD), (0.45, 0.5001, OPEN)]
)
def test_hybrid_must_be_ahead_of_both(mono: float, cross: float, want: str) -> None:
    claim = claims.ahead("best", {"xquad-r": strategies(0.5, mono, cross)}, ["Mul mAP"])
    assert (claim.text, claim.verdict) == ("best", want)
    least = CROSS if cross > mono else MONO
    assert f"surely not; least: xquad-r, Mul mAP against {least}: " in claim.evidence
    assert claim.evidence.endswith("(the paper: LaBSE +0.003, XLM-R -0.001)")  # against X-Y
    assert claims.one_encoder(claim).verdict == (NOT_HELD if want == NOT_HELD else OPEN)


def test_a_failure_must_survive_the_correction_for_all_comparisons() -> None:
    """One interval in eight that lies just below 0 is what chance brings."""
    behind = strategies(0.5, 0.45, 0.5035, noise=0.012)
    assert claims.ahead("", {"xquad-r": behind}, ["Mul mAP"], [CROSS]).verdict == NOT_HELD
    many = {f"b{n}": behind if n == 0 else strategies(0.5, 0.45, 0.45) for n in range(40)}
    claim = claims.ahead("", many, ["Mul mAP"])
    assert claim.verdict == OPEN
    assert claim.evidence.startswith(
        "79 of 80 surely so, 0 surely not; least: b0, Mul mAP against X-Y: -0.00"
    )


@pytest.mark.parametrize(
    "apart, seeds, want", [(0, 3, HELD), (0.02, 3, NOT_HELD), (0.005, 3, OPEN), (0, 1, OPEN)]
)
def test_alphas_are_level_within_the_margin(
    apart: float, seeds: int, want: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = {"hybrid(0.4)": 0.5 - apart, "hybrid(0.5)": 0.5, "hybrid(0.6)": 0.5}
    runs = [Run(Path(), strategy, seed) for strategy in levels for seed in range(seeds)]
    runs.append(Run(Path(), "hybrid(0.4)", 2, fraction=0.5))  # no seed of all the data
    table = pd.DataFrame({"alpha": [0.4, 0.5, 0.6], "Mul mAP": list(levels.values())})
    monkeypatch.setattr(claims.tables, "by_alpha", lambda *_: table)
    monkeypatch.setattr(
        claims, "question_values", lambda of, _: {of[0].strategy: made(levels[of[0].strategy], len(of))}
    )
    assert claims.alphas("", runs, "xquad-r").verdict == want


@pytest.mark.parametrize("hybrid, want", [(200.0, HELD), (390.0, NOT_HELD), (600.0, NOT_HELD)])
def test_much_less_bias_is_what_the_paper_printed(hybrid: float, want: str) -> None:
    given = strategies(hybrid, 400.0, 300.0, figure="rank distance", noise=2)
    claim = claims.less_bias("", {"xquad-r": given})
    assert claim.verdict == want
    assert claim.evidence.endswith("the paper's smallest is 15%")  # LaBSE: 261.5 to 221.1


def test_settings_are_counted(tmp_path: Path) -> None:
    runs = {}
    for benchmark, languages in (("xquad-r", 11), ("mlqa-r", 7)):
        codes = [f"l{n}" for n in range(languages)]
        pools = [("crosslingual", a, b) for a in codes for b in codes if a != b]
        pools += [("multilingual", a, "*") for a in codes]
        rows = [(benchmark, task, a, b, "q", b.replace("*", a), 1, 9) for task, a, b in pools]
        runs[benchmark] = write_ranks(tmp_path / benchmark, benchmark, rows)
    assert claims.settings("", runs) == claims.Claim("", HELD, "xquad-r: 110 and 11; mlqa-r: 42 and 7")
    assert claims.settings("", {"xquad-r": runs["xquad-r"]}).verdict == OPEN
    ranks = runs["mlqa-r"].directory / "ranks" / "mlqa-r.parquet"
    pd.read_parquet(ranks).iloc[1:].to_parquet(ranks)
    assert claims.settings("", runs).verdict == NOT_HELD


def test_of_what_the_encoder_saw_before_nothing_is_said() -> None:
    assert claims.leaks("", {"xquad-r": {"exact": 0, "near": 2}}, "e5").verdict == OPEN
    assert claims.leaks("", {"xquad-r": {"exact": 1, "near": 2}}, "e5").verdict == NOT_HELD


class TestPublished:
    def test_the_headline_figures_are_those_of_the_paper(self) -> None:
        table = published.headline("xquad-r")
        row = table.loc[("XLM-R (paper)", "hybrid")]
        assert row[["Mo mAP", "Cr mAP", "Mul mAP", "rank distance"]].tolist() == [
            0.7977,
            0.7053,
            0.5927,
            286.6,
        ]
        assert table.index[0] == ("XLM-R (paper)", "X-X-mono") and len(table) == 6
        assert published.headline("cldr").empty

    def test_every_printed_mean_is_that_of_its_rows(self) -> None:
        table = published.results()
        keys = ["dataset", "model", "strategy", "task", "metric"]
        means = table[table["language"] == "mean"].set_index(keys)["value"]
        rows = table[table["language"] != "mean"].groupby(keys)["value"].mean()
        tolerance = np.where(means.index.get_level_values("metric") == "rank_distance", 0.06, 0.00016)
        assert (np.abs(means - rows.reindex(means.index)) <= tolerance).all()

    def test_a_study_on_other_data_is_not_compared_with_the_paper(self) -> None:
        assert published.compares_with(Study.load("e5"))
        assert not published.compares_with(Study.load("quick"))
        assert not published.compares_with(Study.load("e5").only(strategies=["X-Y"]))
