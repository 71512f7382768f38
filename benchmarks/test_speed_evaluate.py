"""The whole of `evaluate` beyond encoding: from a file of vectors to ranks, metrics, questions and their files.

On XQuAD-R with random vectors, and how time and memory grow with queries, candidates and languages: one of the three
at four sizes, the other two as they are in `BASE`, of exact ranks alone and of `evaluate`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.shapes import Given, random_benchmark, random_vectors, real_benchmark
from hybridnb.retrieval.ranking import exact_ranks
from hybridnb.study.evaluation import evaluate

BASE = {"queries": 500, "candidates": 2000, "languages": 4}
"""Queries and candidates of each language."""

SIZES = {
    "queries": (250, 500, 1000, 2000),
    "candidates": (500, 2000, 8000, 32_000),
    "languages": (2, 4, 8, 16),
}


def _evaluate(given: Given) -> Callable[[], Any]:
    benchmark, *sides = given
    place = tempfile.TemporaryDirectory()
    file = Path(place.name) / "vectors.npz"
    names = {"queries": sides[0], "candidates": sides[1]}
    np.savez(file, **{f"{side}/{code}": rows for side, of in names.items() for code, rows in of.items()})
    return lambda: evaluate(file, benchmark, Path(place.name) / "out")


def _xquad_r(dimension: int) -> Callable[[], Any]:
    data = real_benchmark()
    sizes = (
        {code: len(of.ids) for code, of in data.queries.items()},
        {c: len(t) for c, t in data.candidates.items()},
    )
    return _evaluate((data, *(random_vectors(of_side, dimension, n) for n, of_side in enumerate(sizes))))


@pytest.mark.parametrize("dimension", [384, 768])
def test_evaluate(measure: Any, dimension: int) -> None:
    group = f"evaluate, {real_benchmark().name}, {dimension} dimensions: file of vectors to files of results"
    measure(
        group,
        "hybridnb",
        "ranks, metrics, questions, languages of the first ten, all files",
        _xquad_r,
        dimension,
    )


def _sized(what: str, queries: int, candidates: int, languages: int) -> Callable[[], Any]:
    given = random_benchmark(384, {f"l{n:02}": candidates for n in range(languages)}, queries)
    return _evaluate(given) if what == "evaluate" else lambda: exact_ranks(*given)


@pytest.mark.parametrize("what", ["exact ranks", "evaluate"])
@pytest.mark.parametrize(("axis", "size"), [(axis, size) for axis, sizes in SIZES.items() for size in sizes])
def test_growth(measure: Any, axis: str, size: int, what: str) -> None:
    given = {**BASE, axis: size}
    measure(f"growth with {axis}", what, "", _sized, what, *given.values(), rounds=2, axis=axis, size=size)
