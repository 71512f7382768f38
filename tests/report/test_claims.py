"""Verdicts from runs whose difference is known, and which of them are counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridnb.measures import significance
from hybridnb.measures.bias import pool_sizes
from hybridnb.measures.catalogue import MAIN, MEASURES
from hybridnb.measures.crossed import Estimate, estimate
from hybridnb.measures.questions_file import write_questions
from hybridnb.report import claims, systems
from hybridnb.report.answer import answer
from hybridnb.report.claims import (
    CROSS,
    DISTANCE,
    EQUIVALENT,
    HELD,
    HYBRID,
    HYPOTHESES,
    LEVEL,
    METHOD,
    MONO,
    NO_MARGIN,
    NO_RUNS,
    REFUTED,
    TOO_FEW,
    UNDECIDED,
    Claim,
    Hypothesis,
)
from hybridnb.study.runs import Run
from hybridnb.study.settings import NOT_TRAINED

LANGUAGES = ("de", "en", "vi")
"""Runs are trained on de and en."""

BETTER = Hypothesis("x", HYBRID, CROSS, "better", ("Mul mAP",))
NOT_WORSE = replace(BETTER, kind="not worse")

Draw = Callable[..., Run]


def made(difference: float, error: float, hypothesis: Hypothesis = BETTER, label: str = "Mul mAP") -> Claim:
    margin = 0.01 if label != DISTANCE else 60.0
    return Claim(hypothesis, label, "toy", Estimate(difference, error, 100, 12, 240), margin=margin)


class TestVerdict:
    @pytest.mark.parametrize(
        ("difference", "error", "better", "not_worse"),
        [
            (0.02, 0.002, HELD, HELD),
            (-0.02, 0.002, REFUTED, REFUTED),
            (0.003, 0.001, HELD, HELD),  # less than matters, but surely above 0
            (-0.003, 0.001, REFUTED, HELD),
            (0.001, 0.004, EQUIVALENT, HELD),
            (-0.003, 0.004, EQUIVALENT, EQUIVALENT),
            (-0.004, 0.003, EQUIVALENT, HELD),
            (0.005, 0.006, UNDECIDED, HELD),
            (-0.005, 0.006, UNDECIDED, UNDECIDED),
            (0.0, 0.02, UNDECIDED, UNDECIDED),
        ],
    )
    def test_what_is_surely_so_is_held(
        self, difference: float, error: float, better: str, not_worse: str
    ) -> None:
        for hypothesis, wanted in ((BETTER, better), (NOT_WORSE, not_worse)):
            claim = made(difference, error, hypothesis)
            assert claim.verdict(claim.p) == wanted

    def test_less_distance_is_better(self) -> None:
        for difference, wanted in ((-200, HELD), (200, REFUTED)):
            claim = made(difference, 20, label=DISTANCE)
            assert claim.verdict(claim.p) == wanted
        behind = made(30, 10, NOT_WORSE, DISTANCE)
        assert behind.threshold == 60 and behind.verdict(behind.p) == HELD
        assert made(90, 10, NOT_WORSE, DISTANCE).verdict(0.001) == REFUTED

    def test_what_does_not_survive_the_correction_is_open_or_equivalent(self) -> None:
        claim = made(0.02, 0.007)
        assert claim.p < LEVEL and claim.verdict(claim.p) == HELD and claim.verdict(0.05) == UNDECIDED
        assert made(0.003, 0.001).verdict(0.05) == EQUIVALENT

    @given(st.floats(-0.05, 0.05), st.floats(0.0005, 0.05))
    def test_no_difference_is_equivalent_and_beyond_the_margin(self, difference: float, error: float) -> None:
        """And what is better is not worse."""
        claim, weaker = made(difference, error), made(difference, error, NOT_WORSE)
        found = claim.verdict(claim.p)
        if found == EQUIVALENT:
            assert max(map(abs, claim.estimate.interval(0.9))) < 0.01
        if found == HELD:
            assert weaker.verdict(weaker.p) == HELD
        if weaker.verdict(weaker.p) == REFUTED:
            assert found == REFUTED


def test_hypotheses_are_the_plan() -> None:
    keys = [one.key for one in HYPOTHESES]
    assert len(set(keys)) == len(keys) == 25
    assert {label for one in HYPOTHESES for label in one.labels} <= set(MEASURES)
    plan = claims.planned(["xquad-r", "mlqa-r"])
    assert len(plan) == sum(len(one.labels) for one in HYPOTHESES)
    row = plan.set_index("claim").loc["d1"]
    assert row.to_dict() == {
        "hypothesis": "hybrid(0.5) is better than X-X-mono",
        "measure": "rank distance",
        "benchmarks": "xquad-r mlqa-r",
        "direction": "lower",
        "smallest": "5% of that of no fine-tuning",
    }
    assert plan[plan["measure"] != DISTANCE]["smallest"].unique().tolist() == ["0.01"]
    assert "in languages unseen" in plan.set_index("claim").loc["e-a1", "hypothesis"]


def debias(run: Run, by: Run) -> None:
    """Give a run the debiased results of another."""
    there = run.directory / "debiased" / METHOD / "ranks"
    there.mkdir(parents=True)
    (there / "toy.parquet").write_bytes((by.directory / "ranks" / "toy.parquet").read_bytes())
    (there.parent / "metrics.json").write_bytes((by.directory / "metrics.json").read_bytes())


@pytest.fixture
def runs(draw_run: Draw) -> list[Run]:
    """Two seeds that agree: hybrid is best, X-X-mono worst, and debiasing changes hybrid in nothing."""
    spreads = {MONO: 900, CROSS: 6, HYBRID: 5}
    trained = [
        draw_run(name, seed, spread=spread, draw=0, languages=LANGUAGES)
        for name, spread in spreads.items()
        for seed in (0, 1)
    ]
    untrained = draw_run(NOT_TRAINED, spread=950, draw=0, languages=LANGUAGES)
    (untrained.directory / "run.json").write_text(json.dumps(untrained.info | {"languages": []}))
    debias(untrained, trained[0])
    for run in trained[-2:]:
        debias(run, run)
    return [*trained, untrained]


def test_each_claim_has_a_verdict(runs: list[Run]) -> None:
    table = claims.verdicts(runs, ["toy"])
    assert len(table) == sum(len(one.labels) for one in HYPOTHESES)
    found = table.set_index(["claim", "measure"])["verdict"]
    assert found["a1", "Mo mAP"] == REFUTED and found["a2", "Mo mAP"] == HELD
    assert found["c1", "Mul mAP"] == HELD and found["d1", DISTANCE] == HELD
    assert found["f2", "Mul mAP"] == HELD and found["g1", "Mul mAP"] == HELD
    assert found["g2", "Mul mAP"] == EQUIVALENT and found["g3", "Mo mAP"] == HELD
    assert set(found[["h0.25", "h0.4", "h0.6", "h0.75"]]) == {NO_RUNS}
    uncounted = table["verdict"] == NO_RUNS
    assert table.loc[uncounted, ["p", "p_holm", "difference", "resolved"]].isna().all(axis=None)
    counted = table[~uncounted]
    assert counted["p_holm"].to_numpy() == pytest.approx(significance.holm(counted["p"].to_numpy()))
    assert set(counted["seeds"]) == {2} and set(counted["clusters"]) == {12}


def test_numbers_are_those_of_the_runs(runs: list[Run]) -> None:
    table = claims.verdicts(runs, ["toy"]).set_index(["claim", "measure"])
    first, second = (
        [run.question_values("toy") for run in runs if run.strategy == name] for name in (HYBRID, MONO)
    )
    row, wanted = table.loc[("d1", DISTANCE)], estimate(first, second, DISTANCE)
    assert (row["difference"], row["low"], row["high"]) == (wanted.difference, *wanted.interval())
    assert row["p"] == wanted.p()
    untrained = significance.question_values(runs[-1].ranks("toy"))[DISTANCE].mean()
    assert row["margin"] == pytest.approx(0.05 * untrained)
    assert table.loc[("a1", "Mo mAP"), "margin"] == 0.01
    text = claims.as_text(claims.verdicts(runs, ["toy"])).reset_index()
    (shown,) = text[
        (text["measure"] == DISTANCE) & (text["hypothesis"] == "hybrid(0.5) is better than X-X-mono")
    ]["difference"]
    assert shown == f"{wanted.difference:+.0f} [{row['low']:+.0f}, {row['high']:+.0f}]"
    assert NO_RUNS not in set(text["verdict"])


def test_unseen_languages_are_those_alone(runs: list[Run]) -> None:
    """Hybrid is behind where Vietnamese asks or answers, which nothing was trained on, and ahead in all others."""
    for run in runs:
        path = run.directory / "ranks" / "toy.parquet"
        ranks = pd.read_parquet(path)
        unseen = (ranks[["query_language", "candidate_language"]] == "vi").any(axis=1)
        ranks.loc[unseen & (run.strategy == HYBRID), "rank"] += 300
        ranks.to_parquet(path)
    found = claims.verdicts(runs, ["toy"]).set_index(["claim", "measure"])["verdict"]
    for key, label in (("b2", "Cr mAP"), ("c2", "Mul mAP")):
        assert found[f"e-{key}", label] == REFUTED
    assert found["a2", "Mo mAP"] == HELD and found["f1", "Cr mAP"] == HELD


def test_without_unseen_languages_there_are_no_claims_of_them(runs: list[Run]) -> None:
    for run in runs[:-1]:
        (run.directory / "run.json").write_text(json.dumps(run.info | {"languages": LANGUAGES}))
    table = claims.verdicts(runs, ["toy"])
    assert not table["claim"].str.startswith("e-").any() and table["claim"].eq("a1").any()


def test_verdicts_need_no_ranks_tables(runs: list[Run]) -> None:
    """Bit for bit the same, with what was kept of each question alone; so is all else that compares systems."""

    def said() -> list[pd.DataFrame]:
        paid, facts = claims.where_it_pays(runs, "toy"), claims.checks(runs, ["toy", "xquad-r"], {})
        of = systems.systems(runs, "toy", [METHOD])
        tested = significance.against(claims.question_values(runs, "toy"), HYBRID, list(MAIN))
        sentences = pd.DataFrame(answer(runs, "toy"))
        return [claims.verdicts(runs, ["toy"]), paid, facts, systems.levels(of, "toy"), tested, sentences]

    before = said()
    keep_questions(runs, ["de", "en"])
    kept = said()
    for run in runs:
        for file in run.directory.rglob("ranks/toy.parquet"):
            file.unlink()
    without = said()
    for one, other, third in zip(before, kept, without, strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
        pd.testing.assert_frame_equal(one, third, check_exact=True)
    assert before[0]["claim"].str.startswith("e-").any() and len(before[3])


def keep_questions(runs: list[Run], trained: list[str]) -> None:
    """Add what an evaluation keeps of each question."""
    for file in (file for run in runs for file in run.directory.rglob("ranks/toy.parquet")):
        there, ranks = file.parent.parent, pd.read_parquet(file)
        write_questions(there / "questions" / "toy.parquet", ranks, trained)
        made = {"encoder": {}, "encoder_sha256": "a", "benchmark_sha256": "0" * 64, "trained": trained}
        made["pools"] = pool_sizes(ranks)
        (there / "evaluations.json").write_text(json.dumps({"toy": made}))


def test_too_few_seeds_decide_nothing(runs: list[Run]) -> None:
    table = claims.verdicts([run for run in runs if run.seed == 0], ["toy"])
    assert set(table["verdict"]) == {TOO_FEW, NO_RUNS}
    assert set(claims.verdicts(runs, ["toy"], fewest=3)["verdict"]) == {TOO_FEW, NO_RUNS}


def test_seeds_are_matched_and_the_encoder_as_it_is_stands_against_all(
    runs: list[Run], draw_run: Draw
) -> None:
    more = draw_run(HYBRID, 7, spread=10, draw=3, languages=LANGUAGES)
    systems = claims.Systems([*runs, more])
    first, second = systems.matched(HYBRID, CROSS, "toy")
    assert [run.seed for run in first] == [run.seed for run in second] == [0, 1]
    first, second = systems.matched(HYBRID, claims.debiased(NOT_TRAINED), "toy")
    assert [run.seed for run in first] == [0, 1, 7] and len(second) == 1
    small = draw_run(CROSS, 7, spread=10, fraction=0.5)
    assert claims.Systems([*runs, small]).by_name[CROSS].keys() == {0, 1}


def test_without_the_encoder_as_it_is_a_distance_has_no_margin(runs: list[Run]) -> None:
    found = claims.verdicts(runs[:-1], ["toy"]).set_index(["claim", "measure"])["verdict"]
    assert found["d2", DISTANCE] == NO_MARGIN and found["d1", DISTANCE] == HELD
    assert found["f2", "Mul mAP"] == NO_RUNS


def test_only_measures_that_a_benchmark_has(draw_run: Draw) -> None:
    runs = [
        draw_run(name, seed, spread=spread, languages=LANGUAGES, tasks=["crosslingual", "multilingual"])
        for name, spread in ((HYBRID, 10), (MONO, 100), (CROSS, 30))
        for seed in (0, 1)
    ]
    assert "Mo mAP" not in set(claims.verdicts(runs, ["toy"])["measure"])
    assert set(claims.verdicts(runs, ["ntrex"])["verdict"]) == {NO_RUNS}


def test_questions_of_a_paragraph_are_one_piece_of_evidence(
    draw_run: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [
        draw_run(name, seed, spread=40, draw=n) for n, name in enumerate((HYBRID, MONO)) for seed in (0, 1)
    ]
    alone = claims.verdicts(runs, ["toy"]).set_index(["claim", "measure"])
    paragraph = {f"q{n}": str(n // 6) for n in range(12)}
    monkeypatch.setattr(claims, "paragraphs", lambda benchmark: paragraph if benchmark == "toy" else {})
    together = claims.verdicts(runs, ["toy"]).set_index(["claim", "measure"])
    key = ("f1", "Mul mAP")
    assert (alone.loc[key, "clusters"], together.loc[key, "clusters"]) == (12, 2)
    assert alone.loc[key, "difference"] == pytest.approx(together.loc[key, "difference"])
    assert together.loc[key, "low"] != alone.loc[key, "low"]


def test_more_seeds_would_resolve_more(draw_run: Draw) -> None:
    spreads = {HYBRID: 40, MONO: 60}
    runs = [draw_run(name, seed, spread=spreads[name]) for name in spreads for seed in (0, 1, 2)]
    table = claims.power(runs, ["toy"], seeds=(3, 12))
    assert table.index.names == ["benchmark", "contrast", "measure"] and list(table) == [3, 12]
    assert set(table.index.get_level_values("contrast")) == {"X-X-mono - hybrid(0.5)"}
    row = claims.verdicts(runs, ["toy"]).set_index(["claim", "measure"]).loc[("f1", "Mul mAP")]
    now, more = table.loc[("toy", "X-X-mono - hybrid(0.5)", "Mul mAP")]
    assert now == f"{row['resolved']:.3f}" and float(more) < float(now)
    assert claims.power(runs[:1], ["toy"]).empty


class TestChecks:
    def test_settings_are_counted(self, draw_run: Draw) -> None:
        runs = [
            draw_run(
                "X-Y", spread=20, fraction=count, benchmarks=[benchmark],
                languages=[f"l{n}" for n in range(count)], tasks=["crosslingual", "multilingual"],
            )
            for benchmark, count in (("xquad-r", 11), ("mlqa-r", 6))
        ]  # fmt: skip
        table = claims.checks(runs, ["xquad-r", "mlqa-r", "toy"], {})
        assert table[table.index.str.contains("merged")].to_numpy().tolist() == [
            ["yes", "110 and 11"],
            ["no", "30 and 6"],
        ]

    def test_duplicates_are_counted(self) -> None:
        leaked = {"xquad-r": {"exact": 0, "near": 2}, "mlqa-r": {"exact": 1, "near": 0}}
        table = claims.checks([], ["xquad-r", "mlqa-r", "toy"], leaked)
        assert table.to_numpy().tolist() == [
            ["yes", "0 exact and 2 near duplicates"],
            ["no", "1 exact and 0 near duplicates"],
            ["not checked", ""],
        ]


class TestWhereItPays:
    def test_a_row_a_fraction_and_strategy(self, draw_run: Draw) -> None:
        runs = [
            draw_run(name, seed, spread=spread, fraction=fraction)
            for fraction in (1.0, 0.25)
            for name, spread in ((HYBRID, 10), (MONO, 100), (CROSS, 12))
            for seed in (0, 1)
            if (name, fraction, seed) != (MONO, 0.25, 1)
        ]
        # neither without hybrid, nor without another
        runs += [draw_run(CROSS, spread=12, fraction=0.5), draw_run(HYBRID, spread=12, fraction=0.125)]
        table = claims.where_it_pays(runs, "toy")
        assert table.index.names == ["fraction", "against", "seeds"]
        assert table.index.tolist() == [
            ("0.25", MONO, 1), ("0.25", CROSS, 2), ("1", MONO, 2), ("1", CROSS, 2),
        ]  # fmt: skip
        first, second = (
            [r.question_values("toy") for r in runs if r.fraction == 1 and r.strategy == name]
            for name in (HYBRID, MONO)
        )
        for label, digits in (("Mo mAP", 3), ("rank distance", 0)):
            difference, low, high = (
                f"{end:+.{digits}f}" for end in significance.interval(first, second, label)
            )
            assert table.loc[("1", MONO, 2), label] == f"{difference} [{low}, {high}]"

    def test_of_the_measures_there_are(self, draw_run: Draw) -> None:
        runs = [draw_run(name, spread=10, tasks=["monolingual"]) for name in (HYBRID, MONO)]
        assert list(claims.where_it_pays(runs, "toy")) == ["Mo mAP"]
        nothing = claims.where_it_pays(runs[1:], "toy")
        assert nothing.empty and nothing.index.names == ["fraction", "against", "seeds"]


def test_values_of_questions_by_strategy(runs: list[Run]) -> None:
    values = claims.question_values(runs, "toy")
    assert {name: len(part) for name, part in values.items()} == {
        MONO: 2,
        CROSS: 2,
        HYBRID: 2,
        NOT_TRAINED: 1,
    }
    found = values[HYBRID][0]["Mul mAP"].mean()
    assert found == pytest.approx(runs[4].metrics["toy"]["multilingual"]["map"])
