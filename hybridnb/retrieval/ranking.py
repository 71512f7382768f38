"""Exact ranks of the relevant candidates of every query, in the pools of all three tasks."""

from __future__ import annotations

import warnings
from concurrent.futures import Executor
from functools import partial

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from hybridnb.cores import one_core_each
from hybridnb.corpora.benchmark import Benchmark
from hybridnb.progress import progress
from hybridnb.retrieval.pool import Pool
from hybridnb.retrieval.ranks_table import make_ranks
from hybridnb.retrieval.tiles import Asked, Block, RelevantVectors
from hybridnb.retrieval.vectors import Vectors, blocks, check_shapes, query_matrix

# Queries and candidates of one tile of scores: on a CPU it stays in the cache while it is counted.
CPU_TILE = (256, 2048)
GPU_TILE = (4096, 16384)

# Share of the pool that ties with a relevant candidate from which an encoder counts as collapsed.
COLLAPSED = 0.2


def exact_ranks(benchmark: Benchmark, query_vectors: Vectors, candidate_vectors: Vectors) -> pd.DataFrame:
    """The ranks table of all three tasks: the rank of every relevant candidate over its whole pool.

    Tasks: monolingual (the query's own language as pool), crosslingual (one other language; every ordered pair) and
    multilingual (candidate_language "*": all languages; every parallel answer is relevant). A query without a
    relevant candidate in a language has no row there in the first two.

    Tie rule: a relevant candidate comes before the non-relevant ones of the same score; relevant candidates of the
    same score come in the order of language code, then row. Candidates whose vectors are identical to a relevant
    one's always have the same score as it.

    Args:
        benchmark: queries, candidates and which answers which.
        query_vectors, candidate_vectors: language -> unit vectors [queries or candidates of it, d], in the
            benchmark's order; score = inner product, in float32. Candidates may be np.memmap, `Parted`, float16:
            they are read once, block by block.

    Returns:
        dataset, task, query_language, candidate_language, query_id, relevant_language (categorical), rank (1-based)
        and pool_size (int32), one row a relevant candidate and pool. `benchmark.excluded` rows count in neither.

    Raises:
        ValueError: vectors of a wrong shape or with a value that is not finite (language and row are named), or a
            relevant candidate that is excluded.

    Warns:
        UserWarning: most candidates of a language tie with a relevant one.

    Example:
        >>> from hybridnb.corpora.benchmark import Queries
        >>> queries = {"de": Queries(["q"], ["wo?"])}
        >>> toy = Benchmark("toy", queries, {"de": ["hier", "da"], "en": ["here"]}, {"q": {"de": [0], "en": [0]}})
        >>> scores = {"de": np.array([[0.3], [0.5]]), "en": np.array([[0.4]])}
        >>> exact_ranks(toy, {"de": np.ones((1, 1))}, scores)[["task", "relevant_language", "rank", "pool_size"]]
                   task relevant_language  rank  pool_size
        0   monolingual                de     2          2
        1  crosslingual                en     1          1
        2  multilingual                de     3          3
        3  multilingual                en     2          3
    """
    return make_ranks(*relevant_ranks(benchmark, query_vectors, candidate_vectors))


def relevant_ranks(
    benchmark: Benchmark, query_vectors: Vectors, candidate_vectors: Vectors
) -> tuple[Pool, NDArray[np.int32], NDArray[np.int32]]:
    """What `exact_ranks` makes its table of: of every entry of `pool.relevant`, for each query, the two ranks.

    Returns:
        pool, and [queries, widest] twice: the rank among the candidates of its language, and among all.
    """
    check_shapes(benchmark, query_vectors, candidate_vectors)
    pool = Pool.of(benchmark)
    matrix = query_matrix(query_vectors, sorted(benchmark.queries))
    relevant = RelevantVectors.of(pool, candidate_vectors)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with one_core_each(device) as workers:
        scores = _relevant_scores(pool, matrix, relevant, workers)
        parts = (matrix, pool.query_id, relevant.of_id[pool.query_id], scores)
        asked = Asked(*(torch.from_numpy(part).to(device) for part in parts))
        in_language, in_pool = _count_better(pool, candidate_vectors, relevant, asked, scores, workers)
    _count_tied_before(scores, pool.relevant_language, in_language, in_pool)
    return pool, 1 + in_language, 1 + in_pool


def _relevant_scores(
    pool: Pool, matrix: NDArray[np.float32], relevant: RelevantVectors, workers: Executor
) -> NDArray[np.float32]:
    """[queries, widest]: the score of every relevant candidate; infinite as padding."""
    padded = np.concatenate([relevant.vectors, np.zeros((1, matrix.shape[1]), dtype=np.float32)])
    queries, vectors = torch.from_numpy(matrix), torch.from_numpy(padded)
    of_query = torch.from_numpy(relevant.of_id[pool.query_id])
    scores = torch.empty(of_query.shape)

    def score(chunk: slice) -> None:
        torch.sum(vectors[of_query[chunk]] * queries[chunk, None, :], dim=2, out=scores[chunk])

    list(workers.map(score, _chunks(len(matrix), 32)))
    scores[of_query == len(relevant.vectors)] = torch.inf
    return scores.numpy()


def _count_better(
    pool: Pool,
    candidate_vectors: Vectors,
    relevant: RelevantVectors,
    asked: Asked,
    scores: NDArray[np.float32],
    workers: Executor,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """([queries, widest] twice): how many candidates of a relevant one's language, and of all, score higher than it."""
    device = asked.scores.device
    queries_per_tile, candidates_per_tile = CPU_TILE if device.type == "cpu" else GPU_TILE
    chunks = _chunks(len(scores), queries_per_tile)
    in_language, in_pool = np.zeros((2, *scores.shape), dtype=np.int32)
    with progress(int(pool.sizes.sum()), "ranking", "candidates") as bar:
        for code, language in pool.with_candidates:
            here = pool.relevant_language == code
            better = np.zeros(scores.shape, dtype=np.int32)
            ties = np.zeros(len(scores), dtype=np.int64)
            # of each query's first answer in the language; of queries without one nothing is asked below
            tie_with = np.take_along_axis(scores, here.argmax(axis=1)[:, None], axis=1)[:, 0]
            for start, vectors in blocks(language, candidate_vectors[language], candidates_per_tile):
                block = Block.of(pool, relevant, code, start, vectors, device)
                counts = workers.map(partial(asked.count_better, block, tie_with), chunks)
                for chunk, (above, equal) in zip(chunks, counts, strict=True):
                    better[chunk] += above
                    ties[chunk] += equal
                bar.update(len(vectors))
            in_pool += better
            in_language += np.where(here, better, 0)
            _warn_if_collapsed(language, ties[here.any(axis=1)] - 1, int(pool.sizes[code]) - 1)
    return in_language, in_pool


def _chunks(count: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def _warn_if_collapsed(language: str, ties: NDArray[np.int64], others: int) -> None:
    if others > 0 and len(ties) and ties.mean() / others > COLLAPSED:
        warnings.warn(
            f"{ties.mean() / others:.0%} of the {language} candidates tie with a relevant one, on average: "
            "the encoder has collapsed there. Ties count for the relevant candidate, so these ranks look "
            "better than they are",
            stacklevel=5,
        )


def _count_tied_before(
    scores: NDArray[np.float32],
    language_of: NDArray[np.int32],
    in_language: NDArray[np.int32],
    in_pool: NDArray[np.int32],
) -> None:
    """Add to the counts the relevant candidates of the same score that come earlier (in place)."""
    for k in range(scores.shape[1] - 1):
        tied = scores[:, k + 1 :] == scores[:, k, None]
        in_pool[:, k + 1 :] += tied
        in_language[:, k + 1 :] += tied & (language_of[:, k + 1 :] == language_of[:, k, None])
