"""Time to draw a batch of 100 from a million items in 11 languages: `pytest benchmarks/test_speed_batching.py`."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hybridnb.corpora.parallel import CorpusIndex, Item, ParallelCorpus
from hybridnb.training.batching import BatchSampler
from hybridnb.training.strategies import Strategy

SIZE = 1_000_000
LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")


@pytest.fixture(scope="module")
def corpus() -> ParallelCorpus:
    rng = np.random.default_rng(0)
    everywhere = np.ones((SIZE, len(LANGUAGES)), dtype=bool)
    # one passage in a hundred is shared with another item
    groups = np.where(rng.random(SIZE) < 0.01, rng.integers(SIZE, size=SIZE), np.arange(SIZE))
    index = CorpusIndex(LANGUAGES, everywhere, everywhere, groups, ("s",), np.zeros(SIZE, dtype=np.int64))
    return ParallelCorpus("million", [Item("", "s", "", {}, {})] * SIZE, sha256="", index=index)


@pytest.mark.parametrize("name", ["X-X-mono", "X-Y", "hybrid(0.5)"])
def test_draw(benchmark, corpus: ParallelCorpus, name: str) -> None:
    sampler = BatchSampler(corpus, Strategy.parse(name), batch_size=100, seed=0)
    steps = itertools.count()
    # 5,000 draws: every epoch's shuffle is in the mean
    benchmark.pedantic(lambda: sampler.batch(next(steps)), rounds=5000, iterations=1)
    benchmark.extra_info["mean_ms"] = benchmark.stats["mean"] * 1000
