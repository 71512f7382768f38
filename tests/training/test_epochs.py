"""Dealing items to batches: nobody meets its group, nobody is dealt twice, as many batches as there can be."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import TOY

from hybridnb.corpora.parallel import Item, ParallelCorpus
from hybridnb.training.epochs import Epochs, deal, full_batches, number_in_runs
from hybridnb.training.independent import choose

group_lists = st.lists(st.integers(0, 12), min_size=2, max_size=60)


def most_batches(groups: list[int], batch_size: int) -> int:
    """By trying: a group fills at most one place of each of n batches."""
    sizes = Counter(groups).values()
    return max(n for n in range(len(groups) + 1) if sum(min(size, n) for size in sizes) >= n * batch_size)


@given(group_lists, st.integers(2, 5))
def test_as_many_batches_as_can_be_filled(groups: list[int], batch_size: int) -> None:
    sizes = np.bincount(groups)
    assert full_batches(sizes, len(groups), batch_size) == most_batches(groups, batch_size)


@settings(max_examples=200)
@given(group_lists, st.integers(2, 5), st.integers(0, 99))
def test_nobody_meets_its_group_and_nobody_is_dealt_twice(
    groups: list[int], batch_size: int, seed: int
) -> None:
    batches = full_batches(np.bincount(groups), len(groups), batch_size)
    if batches == 0:
        return
    rng = np.random.default_rng(seed)
    members = rng.permutation(np.arange(len(groups), dtype=np.int32)) + 100
    dealt = deal(members, np.array(groups, dtype=np.int32)[members - 100], batches, batch_size, rng)
    assert dealt.shape == (batches, batch_size)
    assert len(set(dealt.ravel().tolist())) == dealt.size and set(dealt.ravel()) <= set(members)
    for batch in dealt:
        assert len({groups[item - 100] for item in batch}) == batch_size


def test_every_item_is_as_likely_in_every_place() -> None:
    """Of 6 items, two in a group of three, in two batches of two: the order of dealing is fair."""
    groups = np.arange(6, dtype=np.int32)
    counts = np.zeros((6, 4))
    for seed in range(3000):
        rng = np.random.default_rng(seed)
        members = rng.permutation(6).astype(np.int32)
        for place, item in enumerate(deal(members, groups[members], 2, 2, rng).ravel()):
            counts[item, place] += 1
    assert np.abs(counts / 3000 - 1 / 6).max() < 4 * np.sqrt(1 / 6 * 5 / 6 / 3000)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30))
def test_runs_are_numbered(values: list[int]) -> None:
    expected, before = [], None
    for value in values:
        expected.append(expected[-1] + 1 if value == before else 0)
        before = value
    assert number_in_runs(np.array(values)).tolist() == expected


@given(
    st.lists(st.lists(st.booleans(), min_size=5, max_size=5).filter(any), min_size=1, max_size=8),
    st.integers(0, 99),
)
def test_only_what_is_offered_is_chosen_and_all_of_it_with_the_same_probability(
    rows: list[list[bool]], seed: int
) -> None:
    offered = np.array(rows)
    rng = np.random.default_rng(seed)
    assert offered[np.arange(len(rows)), choose(offered, rng.random(len(rows)))].all()
    even = (np.arange(60) + 0.5) / 60  # 60 is a multiple of every number of offers
    counts = Counter(choose(np.repeat(offered[:1], 60, axis=0), even).tolist())
    assert counts == {column: 60 // sum(rows[0]) for column in np.flatnonzero(rows[0])}


def epochs(corpus: ParallelCorpus, weights: object = "proportional", batch_size: int = 4) -> Epochs:
    return Epochs(
        corpus,
        np.arange(len(corpus), dtype=np.int32),
        np.arange(len(corpus), dtype=np.int32),
        batch_size=batch_size,
        key=(0, 1),
        weights=weights,  # type: ignore[arg-type]
        what="items",
    )


def test_epochs_follow_each_other_in_other_orders() -> None:
    drawn = epochs(TOY)
    assert drawn.batches == 4
    first, second = (np.concatenate([drawn.batch(n) for n in range(e, e + 4)]).tolist() for e in (0, 4))
    assert sorted(first) == sorted(second) == list(range(16)) and first != second
    assert drawn.batch(1).tolist() == first[4:8]


def test_a_source_that_is_repeated_gives_all_its_items_before_any_again() -> None:
    items = [Item(f"{source}{n}", source, f"{n}", {"en": f"{source}{n}"}, {"en": f"{source}{n}"})
             for source, size in (("big", 40), ("small", 7)) for n in range(size)]  # fmt: skip
    drawn = epochs(ParallelCorpus("c", items), {"big": 1.0, "small": 1.0}, batch_size=2)
    small = [item for n in range(10 * drawn.batches) for item in drawn.batch(n).tolist() if item >= 40]
    counts = Counter(small)
    # what does not fill the last batch of an epoch is left out, at most one item here
    assert max(counts.values()) - min(counts.values()) <= 10
    assert len(small) / (10 * drawn.batches * 2) == pytest.approx(0.5, abs=0.03)


def test_an_epoch_is_shared_out_by_largest_remainders() -> None:
    """5.6, 3.3 and 1.1 of 10 items: the one left over goes to the first source."""
    items = [Item(f"{n}", "abc"[n % 3], f"{n}", {"en": f"q{n}"}, {"en": f"p{n}"}) for n in range(10)]
    drawn = epochs(ParallelCorpus("c", items), {"a": 5.6, "b": 3.3, "c": 1.1}, batch_size=2)
    assert drawn.quotas is not None
    assert [quota for _, quota in drawn.quotas.values()] == [6, 3, 1]
