"""Paired tests over questions: against scipy, a naive count, and data whose answer is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats
from toy import random_benchmark, score_vectors

from hybridnb.measures import metrics
from hybridnb.measures.catalogue import MEASURES
from hybridnb.measures.significance import (
    RESAMPLES,
    against,
    compare,
    holm,
    interval,
    question_values,
    randomisation_test,
)
from hybridnb.retrieval.ranking import exact_ranks


def one_run(seed: int, benchmark_seed: int = 0, *, partly: bool = True) -> pd.DataFrame:
    benchmark = random_benchmark(
        np.random.default_rng(benchmark_seed), partly=partly, several=False, excluded=False
    )
    return exact_ranks(benchmark, *score_vectors(benchmark, np.random.default_rng(seed)))


def tables_of(differences: np.ndarray) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Two strategies, [seeds, questions] apart."""
    names = [f"q{n}" for n in range(differences.shape[1])]
    first = [pd.DataFrame({"Mo mAP": 0.5 + row}, index=names) for row in differences]
    return first, [pd.DataFrame({"Mo mAP": 0.5}, index=names) for _ in differences]


def compared(differences: np.ndarray) -> pd.Series:
    """`compare` of two strategies [seeds, questions] apart."""
    return compare(*tables_of(differences), ["Mo mAP"]).loc["Mo mAP"]


@pytest.mark.parametrize("partly", [True, False])
def test_the_mean_over_questions_is_the_measure(partly: bool) -> None:
    for seed in range(5):
        ranks = one_run(seed, seed, partly=partly)
        summary = metrics.summary(ranks)
        want = {label: summary[measure.task][measure.name] for label, measure in MEASURES.items()}
        got = question_values(ranks)
        assert len(got) == 12
        assert list(got) == list(want)
        assert_allclose(got.mean(), list(want.values()), rtol=1e-12)


def test_captions_of_one_image_are_one_question() -> None:
    """Their ids end with their own languages; the mean over images is the measure as before."""
    ranks = one_run(0, 0, partly=True)
    apart = ranks.astype({"query_id": str, "query_language": str})
    apart["query_id"] = apart["query_id"] + "@" + apart["query_language"]
    found, expected = question_values(apart), question_values(ranks)
    assert set(found.index) == set(expected.index)
    assert_allclose(found.mean(), expected.mean())
    assert_allclose(found.loc[expected.index], expected)


def test_what_is_not_known_has_no_column() -> None:
    """bm25 does not retrieve every answer: a rank distance of the others would be wrong."""
    ranks = one_run(0)
    merged = ranks["task"] == "multilingual"
    cut_off = ranks.assign(rank=ranks["rank"].where(~merged | (ranks["rank"] < 20)))
    assert set(question_values(ranks)) - set(question_values(cut_off)) == {"rank distance"}
    assert list(question_values(ranks[merged]))[-2:] == ["Mul MRR", "rank distance"]


def test_one_seed_is_the_paired_t_interval_over_questions() -> None:
    values = np.random.default_rng(3).normal(0.02, 0.1, 80)
    row = compared(values[None])
    assert_allclose(row["difference"], values.mean())
    assert_allclose(row["effect"], values.mean() / values.std(ddof=1))
    assert_allclose([row["low"], row["high"]], stats.ttest_1samp(values, 0).confidence_interval())


def test_questions_and_seeds_are_both_samples() -> None:
    """Clark's min F' is F1 F2 / (F1 + F2), of the tests over questions and over seeds."""
    values = np.random.default_rng(0).normal(0.1, 0.2, (4, 50)) + np.array([[0.1], [0], [-0.1], [0.05]])
    over_questions, over_seeds = (stats.ttest_1samp(values.mean(axis), 0).statistic ** 2 for axis in (0, 1))
    smallest = over_questions * over_seeds / (over_questions + over_seeds)
    freedom = (over_questions + over_seeds) ** 2 / (over_questions**2 / 3 + over_seeds**2 / 49)
    reach = values.mean() / smallest**0.5 * stats.t.ppf(0.975, freedom)
    row = compared(values)
    assert_allclose([row["low"], row["high"]], [values.mean() - reach, values.mean() + reach])


def test_a_cluster_of_like_questions_counts_as_one() -> None:
    """Questions that are all thrice there, one paragraph each: the interval is that of one of each."""
    random = np.random.default_rng(5)
    values = random.normal(0.02, 0.1, (1, 40)) + random.normal(0, 0.01, (3, 40))
    names = [f"q{n}" for n in range(120)]
    paragraph = {name: f"p{n // 3}" for n, name in enumerate(names)}
    once = interval(*tables_of(values), "Mo mAP")
    thrice = tables_of(np.repeat(values, 3, axis=1))
    assert_allclose(interval(*thrice, "Mo mAP", paragraph), once)
    assert np.ptp(interval(*thrice, "Mo mAP")[1:]) < np.ptp(once[1:])
    # what is not named stands by itself, and a name of its own changes nothing
    alone = {name: name for name in names[:7]}
    assert_allclose(interval(*thrice, "Mo mAP", alone), interval(*thrice, "Mo mAP"))
    p = compare(*thrice, ["Mo mAP"], paragraph).loc["Mo mAP", "p"]
    assert_allclose(p, compare(*tables_of(values), ["Mo mAP"]).loc["Mo mAP", "p"], atol=0.02)


def test_two_seeds_are_both_counted() -> None:
    """Of two seeds 0.2 apart and three questions that differ by nothing, the error is the seeds' alone."""
    row = compared(np.array([[0.1] * 3, [0.3] * 3]))
    reach = stats.t.ppf(0.975, 1) * 0.1  # standard error of two values: half their distance
    assert_allclose([row["difference"], row["low"], row["high"]], [0.2, 0.2 - reach, 0.2 + reach])
    low, high = stats.ttest_1samp([0.1, 0.3], 0).confidence_interval()
    assert_allclose([row["low"], row["high"]], [low, high])


def test_two_questions_are_both_counted_and_one_has_no_interval() -> None:
    row = compared(np.array([[0.1, 0.3]]))
    assert_allclose([row["low"], row["high"]], stats.ttest_1samp([0.1, 0.3], 0).confidence_interval())
    with pytest.raises(ValueError, match="one question has no interval"):
        compared(np.array([[0.1], [0.2]]))


@pytest.mark.parametrize("sign", [1, -1])
def test_difference_and_effect_have_the_sign_of_first_minus_second(sign: int) -> None:
    row = compared(sign * np.random.default_rng(0).normal(0.3, 0.1, (2, 50)))
    assert sign * row["difference"] > 0.2
    assert sign * row["effect"] > 2
    assert row["low"] < row["difference"] < row["high"]
    assert row["low"] * row["high"] > 0


@pytest.mark.parametrize("seed_spread", [0, 0.5, 2])
def test_the_interval_covers_the_truth_however_much_seeds_vary(seed_spread: float) -> None:
    """seed_spread: standard deviation between seeds, in standard errors over questions."""
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(200):
        questions, seeds = rng.normal(0, 1, (1, 100)), rng.normal(0, 0.1 * seed_spread, (3, 1))
        row = interval(*tables_of(questions + seeds + rng.normal(0, 0.5, (3, 100))), "Mo mAP")
        covered += row[1] <= 0 <= row[2]
    assert covered / 200 > 0.9  # a percentile bootstrap over three seeds: .89 where seeds vary most


def test_p_agrees_with_scipy() -> None:
    values = np.random.default_rng(3).normal(0.02, 0.1, 80)
    want = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", rng=np.random.default_rng(0), vectorized=True
    )
    assert_allclose(randomisation_test(values), want.pvalue, atol=0.02)
    assert_allclose(randomisation_test(values + 0.1), 1e-4)


def test_signs_that_give_the_same_sum_reach_it_whatever_the_order_of_its_terms() -> None:
    """Of the 8 signs of three differences two are as far from 0 as observed; sums of .1, .2 and .3 are not exact."""
    for values in ([0.1, 0.2, 0.3], [0.3, 0.1, 0.2], [-0.1, -0.2, -0.3]):
        assert_allclose(randomisation_test(np.array(values)), 0.25, atol=0.02)


def test_seeds_that_disagree_widen_the_interval() -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, 200)
    alike = compared(np.stack([0.02 + noise] * 3))
    apart = compared(np.stack([noise - 0.02, noise + 0.02, noise + 0.06]))
    assert_allclose(alike["difference"], apart["difference"])
    assert alike["low"] > 0 > apart["low"]
    assert apart["high"] > alike["high"]


def test_an_encoder_without_seeds_is_held_against_each_of_the_other() -> None:
    first, second = tables_of(np.random.default_rng(1).normal(0, 1, (3, 40)))
    assert interval(first, second[:1], "Mo mAP") == interval(first, second, "Mo mAP")
    with pytest.raises(ValueError, match="3 runs cannot be paired with 2"):
        interval(first, second[:2], "Mo mAP")
    with pytest.raises(ValueError, match="2 runs cannot be paired with 3"):
        interval(first[:2], second, "Mo mAP")


def test_a_strategy_does_not_differ_from_itself() -> None:
    first, _ = tables_of(np.random.default_rng(0).normal(0, 1, (2, 30)))
    row = compare(first, first, ["Mo mAP"]).loc["Mo mAP"]
    assert row.to_dict() == {"difference": 0, "low": 0, "high": 0, "effect": 0, "p": 1}


def test_every_comparison_counts_in_the_correction() -> None:
    one, other = ([question_values(one_run(seed))] for seed in (1, 2))
    table = against({"a": one, "b": other, "c": other}, "a", ["Mo mAP", "Mul mAP"])
    assert table[["against", "measure"]].to_numpy().tolist() == [
        ["b", "Mo mAP"], ["b", "Mul mAP"], ["c", "Mo mAP"], ["c", "Mul mAP"],
    ]  # fmt: skip
    assert_allclose(table["p_holm"], holm(table["p"].to_numpy()))
    assert_allclose(table["difference"], [(one[0] - other[0]).mean()[f] for f in table["measure"]])


def test_other_questions_are_refused() -> None:
    first, second = tables_of(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="not evaluated on the same questions"):
        compare([first[0], first[0].rename(index={"q0": "x"})], second, ["Mo mAP"])


def test_questions_may_come_in_any_order_but_none_may_be_missing() -> None:
    first, second = tables_of(np.random.default_rng(0).normal(0, 1, (2, 9)))
    shuffled = [table.sample(frac=1, random_state=seed) for seed, table in enumerate(second)]
    assert interval(first, shuffled, "Mo mAP") == interval(first, second, "Mo mAP")
    for side in ([first[0], first[1][1:]], [first[0].mask(first[0] > 1), first[1]]):
        with pytest.raises(ValueError, match="not evaluated on the same questions"):
            interval(side, second, "Mo mAP")
        with pytest.raises(ValueError, match="not evaluated on the same questions"):
            interval(second, side, "Mo mAP")


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30))
def test_p_is_between_its_bounds_and_blind_to_sign_and_scale(values: list[float]) -> None:
    differences = np.array(values)
    p = randomisation_test(differences)
    assert 1 / (1 + RESAMPLES) <= p <= 1
    assert p == randomisation_test(-differences) == randomisation_test(4 * differences)


def test_no_adjusted_p_is_above_one() -> None:
    assert holm(np.array([0.9, 0.8, 0.25])).tolist() == [1, 1, 0.75]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_the_step_down_procedure(values: list[float]) -> None:
    adjusted = holm(np.array(values))
    for level in (0.01, 0.05, 0.2):
        rejected = set()
        for n, i in enumerate(sorted(range(len(values)), key=values.__getitem__)):
            if values[i] * (len(values) - n) > level:
                break
            rejected.add(i)
        assert {i for i, p in enumerate(adjusted) if p <= level} == rejected
