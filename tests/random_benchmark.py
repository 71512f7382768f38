"""Small random benchmarks, and score matrices as vectors, for the tests of what is computed from ranks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hybridnb.corpora.benchmark import Benchmark, Queries

LANGUAGES = ("aa", "bb", "cc", "dd")
Vectors = dict[str, NDArray[np.float32]]


def random_benchmark(rng: np.random.Generator, *, partly: bool, several: bool, excluded: bool) -> Benchmark:
    """12 questions in 4 languages of 9 to 12 candidates.

    partly: each question and its answers in 1 to 4 of the languages (the questions' languages are not all
    answers' languages); several: up to 3 relevant candidates a language; excluded: up to 2 rows that are
    not in the pool.
    """
    sizes = {language: int(rng.integers(9, 13)) for language in LANGUAGES}
    asked: dict[str, list[str]] = {language: [] for language in LANGUAGES}
    relevance, out = {}, {}
    for number in range(12):
        query_id = f"q{number}"
        answered = rng.permutation(LANGUAGES)[: rng.integers(1, 5) if partly else 4]
        for language in rng.permutation(LANGUAGES)[: rng.integers(1, 5) if partly else 4]:
            asked[language].append(query_id)
        rows = {c: rng.permutation(sizes[c]) for c in LANGUAGES}
        count = {c: int(rng.integers(1, 4)) if several else 1 for c in LANGUAGES}
        relevance[query_id] = {str(c): rows[c][: count[c]].tolist() for c in answered}
        if excluded:
            out[query_id] = {str(c): rows[c][4 : 4 + rng.integers(0, 3)].tolist() for c in LANGUAGES}
    return Benchmark(
        "random",
        {c: Queries(ids, [f"{c} {i}" for i in ids]) for c, ids in asked.items()},
        {c: [f"{c} {row}" for row in range(size)] for c, size in sizes.items()},
        relevance,
        out,
    )


def score_vectors(benchmark: Benchmark, rng: np.random.Generator) -> tuple[Vectors, Vectors]:
    """Vectors whose inner products are any score matrix: queries are unit axes, candidates its columns."""
    count = sum(map(len, benchmark.queries.values()))
    axes = np.eye(count, dtype=np.float32)
    queries, start = {}, 0
    for language, of_language in benchmark.queries.items():
        queries[language] = axes[start : start + len(of_language)]
        start += len(of_language)
    return queries, {
        c: rng.random((len(texts), count), dtype=np.float32) for c, texts in benchmark.candidates.items()
    }
