"""Exact ranks under BM25 against bm25s' own retrieval of the whole merged pool, asked in English."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import bm25s
import numpy as np
import pytest

from benchmarks.shapes import real_benchmark
from hybridnb.corpora.benchmark import Benchmark
from hybridnb.retrieval.bm25 import bm25_ranks, terms


def _data() -> Benchmark:
    whole = real_benchmark()
    return replace(whole, queries={"en": whole.queries["en"]})


def _ours() -> Callable[[], float]:
    data = _data()

    def mean_reciprocal_rank() -> float:
        first = (
            bm25_ranks(data).query("task == 'multilingual'").groupby("query_id", observed=True)["rank"].min()
        )
        return float((1 / first).fillna(0).mean())

    return mean_reciprocal_rank


def _bm25s() -> Callable[[], float]:
    data = _data()
    languages, asked = sorted(data.candidates), data.queries["en"]
    starts = dict(
        zip(languages, np.cumsum([0, *(len(data.candidates[code]) for code in languages)]), strict=False)
    )
    relevant = [[starts[c] + row for c, rows in data.relevance[i].items() for row in rows] for i in asked.ids]

    def mean_reciprocal_rank() -> float:
        pool = [terms(text) for code in languages for text in data.candidates[code]]
        index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
        index.index(pool, show_progress=False)
        found = index.retrieve(list(map(terms, asked.texts)), k=len(pool), show_progress=False)
        scores = np.empty_like(found.scores)
        np.put_along_axis(scores, found.documents, found.scores, axis=1)
        best = np.array([[row[rows].max()] for row, rows in zip(scores, relevant, strict=True)])
        ranks = 1 + (found.scores.round(5) > best.round(5)).sum(axis=1)
        return float(np.where(best[:, 0] > 0, 1 / ranks, 0).mean())

    return mean_reciprocal_rank


@pytest.mark.parametrize(
    ("library", "computes", "prepare"),
    [
        ("hybridnb", "every relevant candidate's exact rank from bm25s' scores, within English, too", _ours),
        ("bm25s", "all candidates in order, by retrieve", _bm25s),
    ],
    ids=lambda value: value if value in ("hybridnb", "bm25s") else "",
)
def test_bm25(measure: Any, library: str, computes: str, prepare: Callable[[], Callable[[], float]]) -> None:
    data = _data()
    group = f"BM25, {data.name}'s English questions against the merged pool: texts to ranks"
    found = measure(group, library, computes, prepare)
    assert found == pytest.approx(_ours()(), abs=1e-6)
