"""Paired batches: strategies differ in languages alone, and in these by exactly what they are meant to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridnb.corpora.parallel import Item, ParallelCorpus
from hybridnb.training.batching import BatchSampler, Pair
from hybridnb.training.paired import PairedDraws
from hybridnb.training.strategies import Strategy

CODES = ("ar", "de", "en", "hi", "th", "zh")
ALL_LANGUAGES = ["X-X-mono", "X-Y", "X-X", "hybrid(0.5)", "hybrid(0.25)", "hybrid(0.4)", "hybrid(0.75)"]


def corpus(complete: int, languages: int, partly: int = 0) -> ParallelCorpus:
    """Items in all of the first so many languages, and some that lack one of them."""
    codes = CODES[:languages]

    def item(n: int, of: tuple[str, ...]) -> Item:
        return Item(
            str(n), "s", str(n), {code: f"{code} q{n}" for code in of}, {code: f"{code} p{n}" for code in of}
        )

    whole = [item(n, codes) for n in range(complete)]
    return ParallelCorpus(
        "toy", whole + [item(n, codes[n % 2 :][: languages - 1]) for n in range(1000, 1000 + partly)]
    )


def sampler(of: ParallelCorpus, name: str, batch_size: int, seed: int) -> BatchSampler:
    return BatchSampler(of, Strategy.parse(name), batch_size=batch_size, seed=seed, draws="paired")


def draws(name: str, languages: int, batch_size: int, seed: int) -> PairedDraws:
    every = np.ones((batch_size, languages), dtype=bool)
    return PairedDraws(
        Strategy.parse(name), CODES[:languages], every, every, batch_size=batch_size, seed=seed
    )


def pairs(of: PairedDraws, steps: range) -> Iterator[tuple[int, int]]:
    for step in steps:
        query, passage = of.languages(step, np.arange(of.batch_size))
        yield from zip(query.tolist(), passage.tolist(), strict=True)


DEALT = [(0, 2), (1, 0), (2, 1), (0, 1), (1, 2), (2, 0)]
"""Languages of the first queries and passages of X-Y in three languages, as when studies were recorded."""

sizes = st.tuples(st.integers(2, 6), st.integers(2, 12), st.integers(0, 2**20))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(ALL_LANGUAGES), sizes)
def test_over_a_cycle_every_strategy_has_the_same_languages(name: str, size: tuple[int, int, int]) -> None:
    of = draws(name, *size)
    languages, batch_size, _ = size
    for first in (0, of.cycle):
        drawn = list(pairs(of, range(first, first + of.cycle)))
        for side in zip(*drawn, strict=True):
            counts = Counter(side)
            assert len(counts) == languages and set(counts.values()) == {of.cycle * batch_size // languages}
        crossed = Counter(pair for pair in drawn if pair[0] != pair[1])
        assert len(set(crossed.values())) <= 1, "some ordered pairs of languages come more often"
        assert len(crossed) == (languages * (languages - 1) if name[:3] in ("X-Y", "hyb") else 0)


def test_the_cycle_is_the_shortest_one() -> None:
    for name, languages, batch_size, steps in (
        ("X-X-mono", 9, 64, 9),
        ("X-Y", 9, 64, 9),  # 9 * 64 = 8 * 72 ordered pairs
        ("X-Y", 9, 72, 1),
        ("hybrid(0.5)", 9, 64, 18),
        ("hybrid(0.25)", 9, 64, 36),
        ("hybrid(0.4)", 9, 64, 45),
        ("X-X", 9, 64, 9),
        ("hybrid(0.0099)", 9, 64, 900),  # alpha counts to two decimals
    ):
        every = np.ones((2, languages), dtype=bool)
        names = tuple(f"{n}" for n in range(languages))
        of = PairedDraws(Strategy.parse(name), names, every, every, batch_size=batch_size, seed=0)
        assert of.cycle == steps, name


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["X-Y", "X-X"]), sizes, st.integers(0, 50))
def test_languages_are_balanced_within_a_mixed_batch(
    name: str, size: tuple[int, int, int], step: int
) -> None:
    of = draws(name, *size)
    query, passage = of.languages(step, np.arange(size[1]))
    for side in (query, passage):
        counts = np.bincount(side, minlength=size[0])
        assert counts.max() - counts.min() <= 2
    assert ((query != passage) if name == "X-Y" else (query == passage)).all()


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([0.5, 0.25, 0.4, 0.6, 0.75]), sizes, st.integers(0, 30))
def test_alpha_is_exact_in_every_block(alpha: float, size: tuple[int, int, int], block: int) -> None:
    of = draws(f"hybrid({alpha})", *size)
    length = {0.5: 2, 0.25: 4, 0.4: 5, 0.6: 5, 0.75: 4}[alpha]
    kinds = [
        all(q == p for q, p in pairs(of, range(step, step + 1)))
        for step in range(block * length, (block + 1) * length)
    ]
    assert sum(kinds) == alpha * length


def test_all_strategies_see_the_same_items_and_only_whole_ones() -> None:
    of = corpus(40, 4, partly=30)
    names = [*ALL_LANGUAGES, "En-En"]
    for step in (0, 3, 11, 700):
        drawn = {name: sampler(of, name, 8, seed=5).batch(step) for name in names}
        items = {tuple(pair.item for pair in batch) for batch in drawn.values()}
        assert len(items) == 1
        assert max(items.pop()) < 40
        assert {pair[1:] for pair in drawn["En-En"]} == {("en", "en")}


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(ALL_LANGUAGES), st.permutations([0, 1, 2, 7, 30, 400]), st.integers(0, 99))
def test_a_batch_depends_on_its_step_alone(name: str, steps: list[int], seed: int) -> None:
    of = corpus(30, 3)
    one = sampler(of, name, 6, seed)
    assert {step: one.batch(step) for step in steps} == {
        step: sampler(of, name, 6, seed).batch(step) for step in sorted(steps)
    }


def test_languages_of_recorded_studies_can_be_dealt_again() -> None:
    assert list(pairs(draws("X-Y", 3, 6, seed=0), range(1))) == DEALT
    assert list(pairs(draws("X-Y", 3, 2, seed=0), range(3))) == DEALT


def test_an_item_is_whole_with_both_its_sides_in_every_language() -> None:
    asked = np.array([[True, True], [True, False], [True, True], [False, True]])
    answered = np.array([[True, True], [True, True], [False, True], [True, False]])
    of = PairedDraws(Strategy("X-Y"), ("de", "en"), asked, answered, batch_size=2, seed=0)
    ((_, drawn, _),) = of.streams()
    assert drawn.tolist() == [True, False, False, False]


def test_an_item_need_not_be_in_languages_that_are_left_out() -> None:
    of = corpus(0, 3, partly=40)  # half of them in ar and de, half in de and en
    chosen = BatchSampler(
        of, Strategy("X-Y"), batch_size=20, seed=0, languages=["en", "de"], draws="paired"
    ).batch(0)
    assert {pair.item for pair in chosen} == set(range(1, 40, 2))


def test_seeds_draw_other_items_in_other_languages() -> None:
    of = corpus(60, 4)

    def drawn(seed: int) -> list[Pair]:
        return sampler(of, "X-Y", 8, seed).batch(0)

    assert [pair.item for pair in drawn(0)] != [pair.item for pair in drawn(1)]
    assert [pair[1:] for pair in drawn(0)] != [pair[1:] for pair in drawn(1)]


def test_a_corpus_without_whole_items_is_told() -> None:
    with pytest.raises(ValueError, match="no items in every training language, which paired batches need"):
        sampler(corpus(0, 3, partly=40), "X-Y", 4, 0)
    with pytest.raises(ValueError, match="too few for a batch of 31"):
        sampler(corpus(30, 3, partly=40), "X-Y", 31, 0)
