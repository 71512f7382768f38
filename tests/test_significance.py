"""Paired tests over questions: against scipy, a naive count, and data whose answer is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from random_benchmark import random_benchmark, score_vectors
from scipy import stats

from hybridnb import metrics
from hybridnb.ranking import exact_ranks
from hybridnb.significance import against, compare, contributions, holm
from hybridnb.tables import headline


def one_run(seed: int, benchmark_seed: int = 0, *, partly: bool = True) -> pd.DataFrame:
    benchmark = random_benchmark(
        np.random.default_rng(benchmark_seed), partly=partly, several=False, excluded=False
    )
    return exact_ranks(benchmark, *score_vectors(benchmark, np.random.default_rng(seed)))


def tables_of(differences: np.ndarray) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Two strategies, [seeds, questions] apart."""
    names = [f"q{n}" for n in range(differences.shape[1])]
    first = [pd.DataFrame({"figure": 0.5 + row}, index=names) for row in differences]
    return first, [pd.DataFrame({"figure": 0.5}, index=names) for _ in differences]


def compared(differences: np.ndarray) -> pd.Series:
    """`compare` of two strategies [seeds, questions] apart."""
    return compare(*tables_of(differences), ["figure"]).loc["figure"]


@pytest.mark.parametrize("partly", [True, False])
def test_the_mean_of_the_contributions_is_the_figure(partly: bool) -> None:
    for seed in range(5):
        ranks = one_run(seed, seed, partly=partly)
        want = headline(metrics.summary(ranks))
        got = contributions(ranks)
        assert len(got) == 12
        assert_allclose(got.mean()[list(want)], list(want.values()), rtol=1e-12)


def test_p_and_interval_agree_with_scipy_for_one_seed() -> None:
    values = np.random.default_rng(3).normal(0.02, 0.1, 80)
    row = compared(values[None])
    assert_allclose(row["difference"], values.mean())
    assert_allclose(row["effect"], values.mean() / values.std(ddof=1))
    assert_allclose(row["p"], stats.ttest_1samp(values, 0).pvalue, atol=0.02)
    bootstrap = stats.bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(0))
    assert_allclose([row["low"], row["high"]], bootstrap.confidence_interval, atol=0.002)


def test_few_questions_give_the_exact_randomisation_test() -> None:
    values = np.array([0.3, 0.1, 0.2, 0.4, -0.1, 0.25])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1)
    sums = values @ signs
    exact = (np.abs(sums) >= values.sum() - 1e-12).mean()
    assert_allclose(compared(values[None])["p"], exact)


def test_seeds_that_disagree_widen_the_interval() -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, 200)
    alike = compared(np.stack([0.02 + noise] * 3))
    apart = compared(np.stack([noise - 0.02, noise + 0.02, noise + 0.06]))
    assert_allclose(alike["difference"], apart["difference"])
    assert alike["low"] > 0 > apart["low"]
    assert apart["high"] > alike["high"]


def test_a_strategy_does_not_differ_from_itself() -> None:
    first, _ = tables_of(np.random.default_rng(0).normal(0, 1, (2, 30)))
    row = compare(first, first, ["figure"]).loc["figure"]
    assert row.to_dict() == {"difference": 0, "low": 0, "high": 0, "effect": 0, "p": 1}


def test_every_comparison_counts_in_the_correction() -> None:
    one, other = ([contributions(one_run(seed))] for seed in (1, 2))
    table = against({"a": one, "b": other, "c": other}, "a", ["Mo mAP", "Mul mAP"])
    assert table[["against", "figure"]].to_numpy().tolist() == [
        ["b", "Mo mAP"], ["b", "Mul mAP"], ["c", "Mo mAP"], ["c", "Mul mAP"],
    ]  # fmt: skip
    assert_allclose(table["p_holm"], holm(table["p"].to_numpy()))
    assert_allclose(table["difference"], [(one[0] - other[0]).mean()[f] for f in table["figure"]])


def test_other_questions_are_refused() -> None:
    first, second = tables_of(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="not evaluated on the same questions"):
        compare([first[0], first[0].rename(index={"q0": "x"})], second, ["figure"])


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
