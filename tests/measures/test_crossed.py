"""The crossed bootstrap: against a naive one, closed forms and by simulation; and what so many seeds resolve."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hybridnb.measures.crossed import Components, Estimate, estimate
from hybridnb.measures.significance import interval

LABEL = "Mo mAP"


def tables_of(differences: np.ndarray) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Two systems, [seeds, questions] apart."""
    names = [f"q{n}" for n in range(differences.shape[1])]
    first = [pd.DataFrame({LABEL: 0.5 + row}, index=names) for row in differences]
    return first, [pd.DataFrame({LABEL: 0.5}, index=names) for _ in differences]


def drawn(
    random: np.random.Generator, components: Components, seeds: int, clusters: int, mean: float = 0.0
) -> np.ndarray:
    """Differences [seeds, clusters] of these variances."""
    of_seeds = random.normal(0, components.seeds**0.5, (seeds, 1))
    of_clusters = random.normal(0, components.clusters**0.5, (1, clusters))
    return mean + of_seeds + of_clusters + random.normal(0, components.rest**0.5, (seeds, clusters))


def naive(values: np.ndarray, cluster: np.ndarray, times: int = 2000) -> float:
    """The standard error by drawing one fewer seeds and clusters than there are, and averaging what is there."""
    random = np.random.default_rng(0)
    members = [np.flatnonzero(cluster == name) for name in np.unique(cluster)]
    means = []
    for _ in range(times):
        seeds = random.integers(0, len(values), len(values) - 1)
        questions = np.concatenate([members[c] for c in random.integers(0, len(members), len(members) - 1)])
        means.append(values[np.ix_(seeds, questions)].mean())
    return float(np.std(means, ddof=1))


def test_the_error_is_that_of_a_naive_crossed_bootstrap_over_clusters_of_any_size() -> None:
    random = np.random.default_rng(1)
    cluster = np.repeat(np.arange(20), random.integers(1, 8, 20))
    values = drawn(random, Components(0.5, 0, 1), 5, len(cluster)) + random.normal(0, 2, 20)[cluster]
    names = {f"q{n}": f"p{c}" for n, c in enumerate(cluster)}
    found = estimate(*tables_of(values), LABEL, names)
    assert found.difference == pytest.approx(values.mean())
    assert (found.seeds, found.clusters) == (5, 20)
    assert found.error == pytest.approx(naive(values, cluster), rel=0.05)
    assert estimate(*tables_of(values), LABEL).error < 0.8 * found.error


@pytest.mark.parametrize("shape", [(4, 60), (12, 200)])
def test_it_agrees_with_the_closed_form(shape: tuple[int, int]) -> None:
    """Clark's min F', which counts what a seed does to a question twice where the bootstrap counts it thrice."""
    values = drawn(np.random.default_rng(2), Components(0.01, 1, 0.1), *shape, mean=0.3)
    difference, low, high = interval(*tables_of(values), LABEL)
    found = estimate(*tables_of(values), LABEL)
    assert found.difference == pytest.approx(difference)
    assert found.interval() == pytest.approx((low, high), abs=0.05 * (high - low))


def test_one_seed_is_the_paired_t_test_over_questions() -> None:
    values = np.random.default_rng(3).normal(0.02, 0.1, (1, 80))
    found, wanted = estimate(*tables_of(values), LABEL), stats.ttest_1samp(values[0], 0)
    assert found.interval() == pytest.approx(tuple(wanted.confidence_interval()), abs=0.001)
    assert found.p() == pytest.approx(wanted.pvalue, abs=0.01) and found.freedom == pytest.approx(79)


def test_questions_that_all_agree_leave_the_t_test_over_seeds() -> None:
    values = np.repeat([[0.1], [0.3], [0.15]], 30, axis=1)
    found, wanted = estimate(*tables_of(values), LABEL), stats.ttest_1samp([0.1, 0.3, 0.15], 0)
    assert found.freedom == pytest.approx(2)
    assert found.interval() == pytest.approx(tuple(wanted.confidence_interval()), abs=0.02)


@pytest.mark.parametrize(("seeds", "share"), [(4, 0.9), (12, 0.5)])
def test_intervals_cover_the_truth_and_p_rejects_as_often_as_it_should(seeds: int, share: float) -> None:
    """share: of the variance of the mean that is the seeds'."""
    random = np.random.default_rng(seeds)
    components = Components(share * seeds, (1 - share) * 50, 0.5)
    covered = rejected = 0
    for _ in range(200):
        found = estimate(*tables_of(drawn(random, components, seeds, 50)), LABEL)
        low, high = found.interval()
        covered += low <= 0 <= high
        rejected += found.p() < 0.05
    assert covered + rejected == 200
    assert 0.9 <= covered / 200 <= 0.99


@given(st.floats(-1, 1), st.floats(0.001, 1), st.floats(1, 100), st.floats(-1, 1))
def test_p_is_below_the_level_where_the_interval_leaves_a_value_out(
    difference: float, error: float, freedom: float, value: float
) -> None:
    found = Estimate(difference, error, freedom, 4, 10)
    low, high = found.interval()
    assert (found.p(value) < 0.05) == (not low <= value <= high) or found.p(value) == pytest.approx(0.05)
    narrow = found.interval(0.9)
    assert low < narrow[0] <= difference <= narrow[1] < high


def test_a_system_does_not_differ_from_itself() -> None:
    first, _ = tables_of(np.random.default_rng(0).normal(0, 1, (2, 30)))
    found = estimate(first, first, LABEL)
    assert (found.difference, found.error, found.interval()) == (0, 0, (0, 0))
    assert (found.p(), found.p(0.1)) == (1, 0)


def test_it_is_the_same_each_time_and_blind_to_the_order_of_questions() -> None:
    first, second = tables_of(np.random.default_rng(4).normal(0, 1, (3, 30)))
    shuffled = [table.sample(frac=1, random_state=n) for n, table in enumerate(second)]
    assert estimate(first, second, LABEL) == estimate(first, shuffled, LABEL)
    assert estimate(first, second[:1], LABEL).seeds == 3
    with pytest.raises(ValueError, match="3 runs cannot be paired with 2"):
        estimate(first, second[:2], LABEL)
    with pytest.raises(ValueError, match="one cluster of them, has no interval"):
        estimate(first, second, LABEL, dict.fromkeys((f"q{n}" for n in range(30)), "p"))


class TestPower:
    def test_components_are_found_again(self) -> None:
        true = Components(seeds=0.04, clusters=1.0, rest=0.25)
        random = np.random.default_rng(5)
        found = [Components.of(*tables_of(drawn(random, true, 12, 60)), LABEL) for _ in range(40)]
        for name in ("seeds", "clusters", "rest"):
            mean = np.mean([getattr(one, name) for one in found])
            assert mean == pytest.approx(getattr(true, name), rel=0.15), name

    @pytest.mark.parametrize(("effect", "needed"), [(0.5, 34), (0.8, 15)])
    def test_one_factor_is_the_power_of_the_t_test(self, effect: float, needed: int) -> None:
        """Cohen's tables: 34 pairs find half a standard deviation with a power of .8, 15 find .8 of one."""
        for count, is_found in ((needed - 1, False), (needed, True)):
            assert (Components(1, 0, 0).smallest(count, 100) <= effect) == is_found
            assert (Components(0, 1, 0).smallest(50, count) <= effect) == is_found
        assert Components(0, 0, 0).smallest(4, 10) == 0

    @pytest.mark.parametrize("seeds", [4, 12])
    def test_what_it_says_is_found_is_found_in_four_of_five(self, seeds: int) -> None:
        components = Components(seeds=0.01, clusters=1.0, rest=0.2)
        difference = components.smallest(seeds, 150)
        random = np.random.default_rng(seeds)
        found = sum(
            estimate(*tables_of(drawn(random, components, seeds, 150, difference)), LABEL).p() < 0.05
            for _ in range(150)
        )
        assert found / 150 == pytest.approx(0.8, abs=0.09)

    @given(st.floats(0.001, 1), st.floats(0.001, 1), st.floats(0, 1), st.integers(2, 20), st.integers(5, 300))
    @settings(max_examples=30, deadline=None)
    def test_more_seeds_and_less_power_resolve_more(
        self, seeds: float, clusters: float, rest: float, count: int, groups: int
    ) -> None:
        components = Components(seeds, clusters, rest)
        smallest = components.smallest(count, groups)
        # where nearly all is of few clusters, Satterthwaite's degrees of freedom fall by more than the error does
        assert components.smallest(count + 1, groups) < smallest * 1.01
        assert components.smallest(count, groups, power=0.5) < smallest
        assert components.smallest(count, groups, level=0.01) > smallest

    def test_a_pilot_needs_two_seeds(self) -> None:
        with pytest.raises(ValueError, match="two or more of each"):
            Components.of(*tables_of(np.zeros((1, 9))), LABEL)
