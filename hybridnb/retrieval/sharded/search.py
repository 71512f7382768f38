"""The first candidates of every query in each shard, in a file a shard; put together, those of each pool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import faiss
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from hybridnb.files import atomic, sha256_of
from hybridnb.retrieval.nearest import without_excluded
from hybridnb.retrieval.pool import Pool
from hybridnb.retrieval.sharded.build import has_index
from hybridnb.retrieval.sharded.layout import Index, Shard
from hybridnb.retrieval.sharded.store import BLOCK, Stored, read_vectors

MORE = 4
"""Candidates that an index is asked for in place of one: the stored vectors tell which of them are the best."""

CHUNK = 2**24
"""Values of vectors that are scored together: 64 MB."""

Matrix = NDArray[np.float32]
Positions = NDArray[np.int64]


@dataclass(frozen=True)
class Search:
    """What is asked of every shard.

    Args:
        index: Whose shards.
        factory: Of their FAISS indexes, "Flat" for exact search.
        parameters: Of the search, as `faiss.ParameterSpace` reads them: "nprobe=16", "efSearch=64".
        k: Candidates of a query in a pool; what stands beyond counts as not retrieved.
        sample: Queries, evenly spaced, that are searched exactly besides; 0 where recall is not asked for.
    """

    index: Index
    factory: str
    parameters: str
    k: int
    sample: int

    @property
    def directory(self) -> Path:
        """What shards found, until all of it is evaluated."""
        asked = [self.factory, self.parameters, self.k, self.sample]
        return self.index.directory / "found" / sha256_of(asked)[:16]

    def file(self, shard: Shard) -> Path:
        """What a shard found."""
        return self.directory / f"{shard.name}.safetensors"

    @property
    def missing(self) -> list[Shard]:
        """The shards that were not searched yet."""
        return [shard for shard in self.index.shards if not self.file(shard).is_file()]

    def sampled(self, queries: int) -> NDArray[np.int64]:
        """Which of so many queries are searched exactly, too."""
        return np.unique(np.linspace(0, queries - 1, min(self.sample, queries)).astype(np.int64))


@dataclass(frozen=True)
class Found:
    """What is found in one pool.

    language: number of the pool's language, -1 for the merged one.
    positions, scores: [queries, up to k]: where candidates stand in the merged pool, best first, -1 as padding; by
        the exact inner products of the stored vectors, whatever found them.
    is_exact: whether it was found by exact search alone.
    exact: [sampled queries, up to k], positions by exact search.
    """

    language: int
    positions: Positions
    scores: Matrix
    is_exact: bool
    exact: Positions


def search_shard(search: Search, pool: Pool, queries: Matrix, shard: Shard) -> None:
    """Write what every query finds in a shard, unless it is there.

    The file has `rows` and `scores` [queries, depth] of candidates of the language, and as many of excluded ones as
    may be among them; `exact_rows`, `exact_scores` of the sampled queries; and `relevant` [queries, widest], the
    scores of the relevant candidates that lie in the shard, minus infinity for others.

    Args:
        search: What is asked.
        pool: The benchmark.
        queries: float32 [queries, d], in the pool's order.
        shard: Where.

    Raises:
        FileNotFoundError: the shard's vectors or index are missing.
        ValueError: they are damaged, or FAISS does not know a parameter.
    """
    path = search.file(shard)
    if path.is_file():
        return
    vectors = read_vectors(search.index.vectors(shard))
    depth = min(search.k + pool.excluded.row.shape[1], len(shard))
    sampled = queries[search.sampled(len(queries))]
    if has_index(shard, search.factory):
        rows = _by_index(search, shard, queries, min(MORE * depth, len(shard)))
        exact = _exactly(vectors, sampled, depth)
    else:
        rows = _exactly(vectors, queries, depth)
        exact = rows[search.sampled(len(queries))]
    scores = _scores(vectors, queries, rows)
    best = np.lexsort((rows, -scores), axis=1)[:, :depth]
    rows, scores = np.take_along_axis(rows, best, axis=1), np.take_along_axis(scores, best, axis=1)
    language = pool.languages.index(shard.language)
    relevant = np.where(pool.relevant.language == language, pool.relevant.row, -1)[pool.query_id]
    inside = (relevant >= shard.start) & (relevant < shard.stop)
    found = {
        "rows": np.where(rows < 0, -1, rows + shard.start).astype(np.int32),
        "scores": scores,
        "exact_rows": np.where(exact < 0, -1, exact + shard.start).astype(np.int32),
        "exact_scores": _scores(vectors, sampled, exact),
        "relevant": _scores(vectors, queries, np.where(inside, relevant - shard.start, -1)),
    }
    with atomic(path) as part:
        save_file(found, part)


def merged(search: Search, pool: Pool) -> Iterator[Found]:
    """What is found in every pool: of each language in turn, then of all.

    Args:
        search: All of whose shards were searched.
        pool: The benchmark.
    """
    asked = len(pool.query_language)
    sampled = search.sampled(asked)
    some = replace(pool, query_language=pool.query_language[sampled], query_id=pool.query_id[sampled])
    whole, whole_exact, all_exact = _Best(asked, search, pool), _Best(len(sampled), search, pool), True
    for code, language in pool.with_candidates:
        best, exact, is_exact = _Best(asked, search, pool), _Best(len(sampled), search, pool), True
        for shard in search.index.shards:
            if shard.language == language:
                found = load_file(search.file(shard))
                best.add(_positions(found["rows"], pool, code), found["scores"])
                exact.add(_positions(found["exact_rows"], pool, code), found["exact_scores"])
                is_exact = is_exact and not has_index(shard, search.factory)
        yield Found(code, *best.first(pool), is_exact, exact.first(some)[0])
        whole.add(best.positions, best.scores)
        whole_exact.add(exact.positions, exact.scores)
        all_exact = all_exact and is_exact
    yield Found(-1, *whole.first(pool), all_exact, whole_exact.first(some)[0])


def relevant_scores(search: Search, pool: Pool) -> Matrix:
    """[queries, widest]: the score of every relevant candidate, minus infinity as padding."""
    scores = np.full(pool.relevant_language.shape, -np.inf, dtype=np.float32)
    for shard in search.index.shards:
        np.maximum(scores, load_file(search.file(shard))["relevant"], out=scores)
    return scores


class _Best:
    """The best of what is added, with room for the excluded."""

    def __init__(self, queries: int, search: Search, pool: Pool) -> None:
        self.k, self.depth = search.k, search.k + pool.excluded.row.shape[1]
        self.positions: Positions = np.empty((queries, 0), dtype=np.int64)
        self.scores: Matrix = np.empty((queries, 0), dtype=np.float32)

    def add(self, positions: Positions, scores: Matrix) -> None:
        positions = np.concatenate([self.positions, positions], axis=1)
        scores = np.concatenate([self.scores, scores], axis=1)
        order = np.lexsort((positions, -scores), axis=1)[:, : self.depth]
        self.positions = np.take_along_axis(positions, order, axis=1)
        self.scores = np.take_along_axis(scores, order, axis=1)

    def first(self, pool: Pool) -> tuple[Positions, Matrix]:
        return without_excluded(pool, self.positions, self.scores, self.k)


def _positions(rows: NDArray[np.int32], pool: Pool, code: int) -> Positions:
    return np.where(rows < 0, -1, rows.astype(np.int64) + pool.starts[code])


def _by_index(search: Search, shard: Shard, queries: Matrix, depth: int) -> Positions:
    path = search.index.faiss(shard, search.factory)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: `hybridnb index`, all of its parts, must end first, with --factory "
            f"'{search.factory}'"
        )
    try:
        index = faiss.read_index(str(path))
    except RuntimeError as error:
        why = str(error).splitlines()[-1].strip()
        raise ValueError(f"{path} is damaged ({why}): delete it and index again") from None
    set_parameters(index, search.parameters)
    rows: Positions = index.search(queries, depth)[1]
    return rows


def set_parameters(index: faiss.Index, parameters: str) -> None:
    """Set parameters of the search. ValueError: FAISS does not know one of this index."""
    if parameters:
        try:
            faiss.ParameterSpace().set_index_parameters(index, parameters)  # type: ignore[arg-type]
        except RuntimeError as error:
            why = str(error).splitlines()[-1].strip()
            raise ValueError(
                f"FAISS does not take the parameters {parameters!r} here ({why}): write such as nprobe=16 or "
                "efSearch=64"
            ) from None


def _exactly(vectors: Stored, queries: Matrix, depth: int) -> Positions:
    if not len(queries):
        return np.empty((0, depth), dtype=np.int64)
    heap = faiss.ResultHeap(len(queries), depth, keep_max=True)
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK]
        scores, rows = faiss.knn(queries, block, min(depth, len(block)), faiss.METRIC_INNER_PRODUCT)
        heap.add_result(scores, start + rows)
    heap.finalize()
    positions: Positions = heap.I
    return positions


def _scores(vectors: Stored, queries: Matrix, rows: Positions) -> Matrix:
    """[queries, n]: the inner products with some rows for each query, the same for the same vector; -inf for row -1."""
    scores = np.full(rows.shape, -np.inf, dtype=np.float32)
    query, column = np.nonzero(rows >= 0)
    step = max(1, CHUNK // queries.shape[1])
    for start in range(0, len(query), step):
        at = query[start : start + step], column[start : start + step]
        # as `ranking.exact_ranks` scores relevant candidates
        products = torch.from_numpy(vectors[rows[at]]) * torch.from_numpy(queries[at[0]])
        scores[at] = torch.sum(products, dim=1).numpy()
    return scores
