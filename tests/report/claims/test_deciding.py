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
from hybridnb.measures.catalogue import MAIN
from hybridnb.measures.crossed import Estimate, estimate
from hybridnb.measures.questions_file import write_questions
from hybridnb.measures.significance import LEVEL
from hybridnb.report.answer import answer
from hybridnb.report.claims import contrasts, deciding, facts, words
from hybridnb.report.claims.deciding import (
    EQUIVALENT,
    HELD,
    NO_MARGIN,
    NO_RUNS,
    REFUTED,
    TOO_FEW,
    UNDECIDED,
    Claim,
)
from hybridnb.report.claims.hypotheses import DISTANCE, HYPOTHESES, METHOD, Hypothesis
from hybridnb.report.published import HYBRID
from hybridnb.report.tables import systems
from hybridnb.report.tables.headline import CROSS, MONO
from hybridnb.study.runs import Run

LANGUAGES = ("de", "en", "vi")
"""Runs are trained on de and en."""

BETTER = Hypothesis("x", HYBRID, CROSS, "better", ("Mul mAP",))

NOT_WORSE = replace(BETTER, kind="not worse")

Draw = Callable[..., Run]


def made(difference: float, error: float, hypothesis: Hypothesis = BETTER, label: str = "Mul mAP") -> Claim:
    margin = 0.01 if label != DISTANCE else 60.0
    return Claim(hypothesis, label, "toy", Estimate(difference, error, 100, 12, 240), margin=margin)


def keep_questions(runs: list[Run], trained: list[str]) -> None:
    """Add what an evaluation keeps of each question."""
    for file in (file for run in runs for file in run.directory.rglob("ranks/toy.parquet")):
        there, ranks = file.parent.parent, pd.read_parquet(file)
        write_questions(there / "questions" / "toy.parquet", ranks, trained)
        made = {"encoder": {}, "encoder_sha256": "a", "benchmark_sha256": "0" * 64, "trained": trained}
        made["pools"] = pool_sizes(ranks)
        (there / "evaluations.json").write_text(json.dumps({"toy": made}))


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
def test_what_is_surely_so_is_held(difference: float, error: float, better: str, not_worse: str) -> None:
    for hypothesis, wanted in ((BETTER, better), (NOT_WORSE, not_worse)):
        claim = made(difference, error, hypothesis)
        assert claim.verdict(claim.p) == wanted


def test_less_distance_is_better() -> None:
    for difference, wanted in ((-200, HELD), (200, REFUTED)):
        claim = made(difference, 20, label=DISTANCE)
        assert claim.verdict(claim.p) == wanted
    behind = made(30, 10, NOT_WORSE, DISTANCE)
    assert behind.threshold == 60 and behind.verdict(behind.p) == HELD
    assert made(90, 10, NOT_WORSE, DISTANCE).verdict(0.001) == REFUTED


def test_what_does_not_survive_the_correction_is_open_or_equivalent() -> None:
    claim = made(0.02, 0.007)
    assert claim.p < LEVEL and claim.verdict(claim.p) == HELD and claim.verdict(0.05) == UNDECIDED
    assert made(0.003, 0.001).verdict(0.05) == EQUIVALENT


@given(st.floats(-0.05, 0.05), st.floats(0.0005, 0.05))
def test_no_difference_is_equivalent_and_beyond_the_margin(difference: float, error: float) -> None:
    """And what is better is not worse."""
    claim, weaker = made(difference, error), made(difference, error, NOT_WORSE)
    found = claim.verdict(claim.p)
    if found == EQUIVALENT:
        assert max(map(abs, claim.estimate.interval(0.9))) < 0.01
    if found == HELD:
        assert weaker.verdict(weaker.p) == HELD
    if weaker.verdict(weaker.p) == REFUTED:
        assert found == REFUTED


def test_each_claim_has_a_verdict(runs: list[Run]) -> None:
    table = deciding.verdicts(runs, ["toy"])
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
    table = deciding.verdicts(runs, ["toy"]).set_index(["claim", "measure"])
    first, second = (
        [run.question_values("toy") for run in runs if run.strategy == name] for name in (HYBRID, MONO)
    )
    row, wanted = table.loc[("d1", DISTANCE)], estimate(first, second, DISTANCE)
    assert (row["difference"], row["low"], row["high"]) == (wanted.difference, *wanted.interval())
    assert row["p"] == wanted.p()
    untrained = significance.question_values(runs[-1].ranks("toy"))[DISTANCE].mean()
    assert row["margin"] == pytest.approx(0.05 * untrained)
    assert table.loc[("a1", "Mo mAP"), "margin"] == 0.01
    text = words.as_text(deciding.verdicts(runs, ["toy"])).reset_index()
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
    found = deciding.verdicts(runs, ["toy"]).set_index(["claim", "measure"])["verdict"]
    for key, label in (("b2", "Cr mAP"), ("c2", "Mul mAP")):
        assert found[f"e-{key}", label] == REFUTED
    assert found["a2", "Mo mAP"] == HELD and found["f1", "Cr mAP"] == HELD


def test_without_unseen_languages_there_are_no_claims_of_them(runs: list[Run]) -> None:
    for run in runs[:-1]:
        (run.directory / "run.json").write_text(json.dumps(run.info | {"languages": LANGUAGES}))
    table = deciding.verdicts(runs, ["toy"])
    assert not table["claim"].str.startswith("e-").any() and table["claim"].eq("a1").any()


def test_verdicts_need_no_ranks_tables(runs: list[Run]) -> None:
    """Bit for bit the same, with what was kept of each question alone; so is all else that compares systems."""

    def said() -> list[pd.DataFrame]:
        paid = contrasts.where_it_pays(runs, "toy")
        checked = facts.checks(runs, ["toy", "xquad-r"], {})
        of = systems.systems(runs, "toy", [METHOD])
        tested = significance.against(contrasts.question_values(runs, "toy"), HYBRID, list(MAIN))
        sentences = pd.DataFrame(answer(runs, "toy"))
        return [deciding.verdicts(runs, ["toy"]), paid, checked, systems.levels(of, "toy"), tested, sentences]

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


def test_too_few_seeds_decide_nothing(runs: list[Run]) -> None:
    table = deciding.verdicts([run for run in runs if run.seed == 0], ["toy"])
    assert set(table["verdict"]) == {TOO_FEW, NO_RUNS}


def test_without_the_encoder_as_it_is_a_distance_has_no_margin(runs: list[Run]) -> None:
    found = deciding.verdicts(runs[:-1], ["toy"]).set_index(["claim", "measure"])["verdict"]
    assert found["d2", DISTANCE] == NO_MARGIN and found["d1", DISTANCE] == HELD
    assert found["f2", "Mul mAP"] == NO_RUNS


def test_only_measures_that_a_benchmark_has(draw_run: Draw) -> None:
    runs = [
        draw_run(name, seed, spread=spread, languages=LANGUAGES, tasks=["crosslingual", "multilingual"])
        for name, spread in ((HYBRID, 10), (MONO, 100), (CROSS, 30))
        for seed in (0, 1)
    ]
    assert "Mo mAP" not in set(deciding.verdicts(runs, ["toy"])["measure"])
    assert set(deciding.verdicts(runs, ["ntrex"])["verdict"]) == {NO_RUNS}


def test_questions_of_a_paragraph_are_one_piece_of_evidence(
    draw_run: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [
        draw_run(name, seed, spread=40, draw=n) for n, name in enumerate((HYBRID, MONO)) for seed in (0, 1)
    ]
    alone = deciding.verdicts(runs, ["toy"]).set_index(["claim", "measure"])
    paragraph = {f"q{n}": str(n // 6) for n in range(12)}
    monkeypatch.setattr(deciding, "paragraphs", lambda benchmark: paragraph if benchmark == "toy" else {})
    together = deciding.verdicts(runs, ["toy"]).set_index(["claim", "measure"])
    key = ("f1", "Mul mAP")
    assert (alone.loc[key, "clusters"], together.loc[key, "clusters"]) == (12, 2)
    assert alone.loc[key, "difference"] == pytest.approx(together.loc[key, "difference"])
    assert together.loc[key, "low"] != alone.loc[key, "low"]


def test_more_seeds_would_resolve_more(draw_run: Draw) -> None:
    spreads = {HYBRID: 40, MONO: 60}
    runs = [draw_run(name, seed, spread=spreads[name]) for name in spreads for seed in (0, 1, 2)]
    table = deciding.power(runs, ["toy"], seeds=(3, 12))
    assert table.index.names == ["benchmark", "contrast", "measure"] and list(table) == [3, 12]
    assert set(table.index.get_level_values("contrast")) == {"X-X-mono - hybrid(0.5)"}
    row = deciding.verdicts(runs, ["toy"]).set_index(["claim", "measure"]).loc[("f1", "Mul mAP")]
    now, more = table.loc[("toy", "X-X-mono - hybrid(0.5)", "Mul mAP")]
    assert now == f"{row['resolved']:.3f}" and float(more) < float(now)
    assert deciding.power(runs[:1], ["toy"]).empty
