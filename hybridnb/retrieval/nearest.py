"""The first candidates of every pool, by FAISS: exact, and block by block, so that the pool need not fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import faiss
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.retrieval.pool import Pool
from hybridnb.retrieval.vectors import Vectors, blocks, check_shapes, query_matrix

BLOCK = 65_536
"""Candidates that are searched at a time."""


@dataclass(frozen=True)
class First:
    """The first candidates of some queries in one pool, best first; equal scores in the order of the merged pool.

    language: number of the pool's language, -1 for the merged one.
    queries: [n], which of the pool's queries.
    positions: [n, k], where their candidates stand in the merged pool, without what is excluded; -1 as padding.
    scores: float32 [n, k].
    """

    language: int
    queries: NDArray[np.int64]
    positions: NDArray[np.int64]
    scores: NDArray[np.float32]


def top_languages(
    benchmark: Benchmark, query_vectors: Vectors, candidate_vectors: Vectors, k: int = 10
) -> pd.DataFrame:
    """How the first k candidates of the merged pool divide among the languages, by query language.

    Which of the candidates that tie for the k-th place is taken is left to FAISS.

    Args:
        benchmark, query_vectors, candidate_vectors: as `ranking.exact_ranks` takes them.
        k: how many candidates; a smaller pool is taken whole.

    Returns:
        query_language, candidate_language, share: the mean over queries of the share of their first k that is in the
        language; a query language's shares add up to 1.

    Raises:
        ValueError: as `ranking.exact_ranks`, or k is less than 1.

    Example:
        >>> from hybridnb.corpora.benchmark import Queries
        >>> queries = {"de": Queries(["q"], ["wo?"])}
        >>> toy = Benchmark("toy", queries, {"de": ["hier", "da"], "en": ["here"]}, {"q": {"de": [0], "en": [0]}})
        >>> scores = {"de": np.array([[0.3], [0.5]]), "en": np.array([[0.4]])}
        >>> top_languages(toy, {"de": np.ones((1, 1))}, scores, k=2)
          query_language candidate_language  share
        0             de                 de    0.5
        1             de                 en    0.5
    """
    if k < 1:
        raise ValueError(f"k is {k}: give 1 or more")
    check_shapes(benchmark, query_vectors, candidate_vectors)
    pool = Pool.of(benchmark)
    found = _first(pool, query_vectors, candidate_vectors, k).positions
    language = np.where(found < 0, -1, np.searchsorted(pool.starts, found, side="right") - 1)
    rows = []
    for asked in np.unique(pool.query_language):
        of_asked = language[pool.query_language == asked]
        for code, candidates in pool.with_candidates:
            share = (of_asked == code).sum(axis=1) / (of_asked >= 0).sum(axis=1)
            rows.append((pool.languages[int(asked)], candidates, float(share.mean())))
    return pd.DataFrame(rows, columns=["query_language", "candidate_language", "share"])


def first_of_pools(
    benchmark: Benchmark, query_vectors: Vectors, candidate_vectors: Vectors, k: int
) -> Iterator[First]:
    """The first k candidates in every pool: of each language in turn, then of all.

    Args:
        benchmark, query_vectors, candidate_vectors: as `ranking.exact_ranks` takes them.
        k: how many candidates.

    Yields:
        Those of every query.
    """
    pool = Pool.of(benchmark)
    for code, _ in pool.with_candidates:
        yield _first(pool, query_vectors, candidate_vectors, k, code)
    yield _first(pool, query_vectors, candidate_vectors, k)


def _first(
    pool: Pool, query_vectors: Vectors, candidate_vectors: Vectors, k: int, only: int | None = None
) -> First:
    """The first k of the merged pool, or of one language's."""
    queries = query_matrix(query_vectors, [pool.languages[n] for n in np.unique(pool.query_language)])
    # what is excluded of a query's pool is found with the rest, so more is looked for
    sizes = pool.sizes if only is None else pool.sizes[only : only + 1]
    depth = min(k + pool.excluded.row.shape[1], int(sizes.sum()))
    heap = faiss.ResultHeap(len(queries), depth, keep_max=True)
    for start, block in _blocks_of_pool(pool, candidate_vectors, only):
        scores, rows = faiss.knn(queries, block, min(depth, len(block)), faiss.METRIC_INNER_PRODUCT)
        heap.add_result(scores, start + rows)
    heap.finalize()
    positions, scores = without_excluded(pool, heap.I, heap.D, k)
    return First(-1 if only is None else only, np.arange(len(queries)), positions, scores)


def _blocks_of_pool(
    pool: Pool, candidate_vectors: Vectors, only: int | None
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """(position of the first row, up to BLOCK rows) through the merged pool, or through one language's part of it.

    Small languages are put together: FAISS has less to keep and to merge.
    """
    first, waiting = 0, list[NDArray[np.float32]]()
    for code, language in pool.with_candidates:
        if only not in (None, code):
            continue
        for start, block in blocks(language, candidate_vectors[language], BLOCK):
            if waiting and sum(map(len, waiting)) + len(block) > BLOCK:
                yield first, np.concatenate(waiting)
                waiting = []
            if not waiting:
                first = int(pool.starts[code]) + start
            waiting.append(block)
    if waiting:
        yield first, np.concatenate(waiting)


def without_excluded(
    pool: Pool, positions: NDArray[np.int64], scores: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The first k of what was found for every query, without what its pool does not have.

    Args:
        pool: of whose queries they are, in its order.
        positions, scores: [queries, found], in any order; -1 as padding.
        k: how many.

    Returns:
        [queries, up to k] twice: best first, equal scores in the order of the merged pool; -1 and minus infinity as
        padding, at the end.
    """
    excluded = pool.positions(pool.excluded)
    is_out = (positions[:, :, None] == excluded[pool.query_id][:, None, :]).any(axis=2) | (positions < 0)
    order = np.lexsort((positions, -scores, is_out), axis=1)[:, :k]
    found = np.take_along_axis(np.where(is_out, -1, positions), order, axis=1)
    return found, np.take_along_axis(np.where(is_out, np.float32(-np.inf), scores), order, axis=1)
