"""What is measured on: XQuAD-R, and benchmarks of random unit vectors in its shape or others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hybridnb.corpora import load_benchmark
from hybridnb.corpora.benchmark import Benchmark, Queries

XQUAD_R = {
    "ar": 1222, "de": 1276, "el": 1234, "en": 1180, "es": 1215, "hi": 1244,
    "ru": 1219, "th": 852, "tr": 1167, "vi": 1209, "zh": 1196,
}  # fmt: skip
"""Candidates of XQuAD-R, which has 1,190 questions in each language."""

Vectors = dict[str, np.ndarray]
Given = tuple[Benchmark, Vectors, Vectors]
"""A benchmark, and the vectors of its queries and candidates."""


def real_benchmark() -> Benchmark:
    """XQuAD-R, or CLDR where it is not to be had."""
    try:
        return load_benchmark("xquad-r")
    except OSError:
        return load_benchmark("cldr")


def random_vectors(sizes: Mapping[str, int], dimension: int, seed: int) -> Vectors:
    rng = np.random.default_rng(seed)
    vectors = {code: rng.standard_normal((rows, dimension), dtype=np.float32) for code, rows in sizes.items()}
    return {code: rows / np.linalg.norm(rows, axis=1, keepdims=True) for code, rows in vectors.items()}


def random_benchmark(
    dimension: int,
    candidates: Mapping[str, int] = XQUAD_R,
    questions: int = 1190,
    asked: Sequence[str] | None = None,
) -> Given:
    """Every question asked in all languages, or in those `asked`, and answered by one candidate of each language."""
    rng = np.random.default_rng(0)
    ids = [f"q{number}" for number in range(questions)]
    benchmark = Benchmark(
        "random",
        {language: Queries(ids, ids) for language in asked or candidates},
        {code: [f"{code}/{row}" for row in range(size)] for code, size in candidates.items()},
        {i: {code: [int(rng.integers(size))] for code, size in candidates.items()} for i in ids},
    )
    queries = random_vectors(dict.fromkeys(benchmark.queries, questions), dimension, 1)
    return benchmark, queries, random_vectors(candidates, dimension, 2)
