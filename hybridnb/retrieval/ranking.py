"""Exact ranks of the relevant candidates of every query, in the pools of all three tasks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import faiss
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.retrieval.pool import Judgements, Pool, Vectors, blocks, check_finite, query_matrix
from hybridnb.retrieval.ranks_table import COLUMNS, TASKS, WHOLE_POOL

# Queries and candidates of one tile of scores: on a CPU it stays in the cache while it is counted.
CPU_TILE = (256, 2048)
GPU_TILE = (4096, 16384)

# Share of the pool that ties with a relevant candidate from which an encoder counts as collapsed.
COLLAPSED = 0.2


def exact_ranks(
    benchmark: Benchmark, query_vectors: Vectors, candidate_vectors: Vectors, *, progress: bool = False
) -> pd.DataFrame:
    """The ranks table of all three tasks: the rank of every relevant candidate over its whole pool.

    query_vectors, candidate_vectors: language -> unit vectors [queries or candidates of it, d], in the
        benchmark's order; score = inner product, in float32. Candidates may be np.memmap and float16:
        they are read once, block by block.
    Tasks: monolingual (the query's own language as pool), crosslingual (one other language; every ordered
        pair) and multilingual (candidate_language "*": all languages; every parallel answer is relevant).
        A query without a relevant candidate in a language has no row there in the first two.
    Columns: dataset, task, query_language, candidate_language, query_id, relevant_language (categorical),
        rank (1-based) and pool_size (int32). `benchmark.excluded` rows count in neither.

    Tie rule: a relevant candidate comes before the non-relevant ones of the same score; relevant
    candidates of the same score come in the order of language code, then row. Candidates whose vectors
    are identical to a relevant one's always have the same score as it.

    Raises ValueError for vectors of a wrong shape or with a value that is not finite (language and row
    are named) and for a relevant candidate that is excluded. Warns when most candidates tie.
    """
    pool = Pool.of(benchmark, query_vectors, candidate_vectors)
    matrix = query_matrix(pool, query_vectors)
    distinct = _DistinctVectors.of(pool.relevant, pool.languages, candidate_vectors)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with _one_core_each(device) as workers:
        scores = _relevant_scores(pool, matrix, distinct, workers)
        tiles = _Tiles(pool, matrix, distinct, scores, device)
        in_language, in_pool = _count_better(pool, candidate_vectors, scores, tiles, workers, progress)
    _count_tied_before(scores, pool.relevant.language[pool.judgement], in_language, in_pool)
    return _ranks_table(pool, 1 + in_language, 1 + in_pool)


def top_languages(
    benchmark: Benchmark, query_vectors: Vectors, candidate_vectors: Vectors, k: int = 10
) -> pd.DataFrame:
    """How the top k of the merged pool divides among the candidate languages, by query language.

    Returns query_language, candidate_language, share: the mean over queries of the share of the k best
    candidates of the multilingual task which are in that language; a query language's shares add up to 1.
    The pool is held in memory as float32. Ties at the k-th place are FAISS's to break.
    """
    pool = Pool.of(benchmark, query_vectors, candidate_vectors)
    width = pool.excluded.row.shape[1]
    smallest = int(pool.sizes.sum()) - width
    if not 1 <= k <= smallest:
        raise ValueError(f"k is {k}; {benchmark.name} has pools of {smallest} candidates, give 1..{smallest}")
    index = faiss.IndexFlatIP(pool.dimension)
    for language in pool.languages:
        for _, block in blocks(language, candidate_vectors[language], 65536):
            index.add(block)
    matrix = query_matrix(pool, query_vectors)
    found = index.search(matrix, k + width)[1]
    if width:
        starts = np.concatenate(([0], np.cumsum(pool.sizes)[:-1]))
        out = np.where(pool.excluded.language < 0, -1, starts[pool.excluded.language] + pool.excluded.row)
        is_out = (found[:, :, None] == out[pool.judgement][:, None, :]).any(axis=2)
        found = np.take_along_axis(found, np.argsort(is_out, axis=1, kind="stable")[:, :k], axis=1)
    found_language = np.repeat(np.arange(len(pool.languages)), pool.sizes)[found]
    rows = [
        (query_language, language, float((found_language[queries] == code).mean()))
        for query_language, queries in pool.query_slices.items()
        for code, language in enumerate(pool.languages)
        if queries.stop > queries.start
    ]
    return pd.DataFrame(rows, columns=["query_language", "candidate_language", "share"])


@dataclass(frozen=True)
class _DistinctVectors:
    """The relevant candidates' vectors, each once: what makes equal vectors have equal scores.

    A blocked matrix product may give one vector scores that differ in the last bit from column to column.
    So a relevant vector is scored once, outside of it, and that score replaces the product's wherever
    the vector stands.

    vectors: float32 [distinct, d]; of_judgement: int64 [ids, widest], numbers of the relevant candidates'
    vectors, `len(vectors)` as padding; number: bytes of a vector -> its number.
    """

    vectors: NDArray[np.float32]
    of_judgement: NDArray[np.int64]
    number: Mapping[bytes, int]

    @classmethod
    def of(
        cls, relevant: Judgements, languages: Sequence[str], candidate_vectors: Vectors
    ) -> _DistinctVectors:
        number: dict[bytes, int] = {}
        distinct: list[NDArray[np.float32]] = []
        of_judgement = np.full(relevant.row.shape, -1, dtype=np.int64)
        for code, language in enumerate(languages):
            here = relevant.language == code
            rows, inverse = np.unique(relevant.row[here], return_inverse=True)
            vectors = np.array(candidate_vectors[language][rows], dtype=np.float32)
            check_finite("candidate", language, vectors, rows)
            numbers = np.empty(len(rows), dtype=np.int64)
            for at, vector in enumerate(vectors):
                numbers[at] = number.setdefault(vector.tobytes(), len(distinct))
                if numbers[at] == len(distinct):
                    distinct.append(vector)
            of_judgement[here] = numbers[inverse]
        of_judgement[of_judgement < 0] = len(distinct)
        return cls(np.stack(distinct), of_judgement, number)

    def find(self, block: NDArray[np.float32]) -> NDArray[np.int64]:
        """[rows]: the number of each row's vector, -1 where no relevant candidate has that vector."""
        found = np.full(len(block), -1, dtype=np.int64)
        # hashing a whole row is slow, and in a large corpus hardly any starts with a relevant one's value
        for row in np.flatnonzero(np.isin(block[:, 0], self.vectors[:, 0])):
            found[row] = self.number.get(block[row].tobytes(), -1)
        return found


def _relevant_scores(
    pool: Pool, matrix: NDArray[np.float32], distinct: _DistinctVectors, workers: Executor
) -> NDArray[np.float32]:
    """[queries, widest]: the score of every relevant candidate; infinite where there is none (padding)."""
    padded = np.concatenate([distinct.vectors, np.zeros((1, pool.dimension), dtype=np.float32)])
    queries, vectors = torch.from_numpy(matrix), torch.from_numpy(padded)
    of_query = torch.from_numpy(distinct.of_judgement[pool.judgement])
    scores = torch.empty(of_query.shape)

    def score(chunk: slice) -> None:
        torch.sum(vectors[of_query[chunk]] * queries[chunk, None, :], dim=2, out=scores[chunk])

    list(workers.map(score, _chunks(len(matrix), 32)))
    scores[of_query == len(distinct.vectors)] = torch.inf
    return scores.numpy()


def _count_better(
    pool: Pool,
    candidate_vectors: Vectors,
    scores: NDArray[np.float32],
    tiles: _Tiles,
    workers: Executor,
    progress: bool,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """([queries, widest] twice): how many candidates of a relevant one's language, and of the whole pool,
    score higher than it."""
    queries_per_tile, candidates_per_tile = CPU_TILE if tiles.device.type == "cpu" else GPU_TILE
    chunks = _chunks(len(scores), queries_per_tile)
    in_language = np.zeros(scores.shape, dtype=np.int32)
    in_pool = np.zeros(scores.shape, dtype=np.int32)
    language_of = pool.relevant.language[pool.judgement]
    ties = np.zeros(len(scores), dtype=np.int64)

    def add_counts(code: int, first: NDArray[np.float32], chunk: slice) -> None:
        better, tied = tiles.count(chunk, first[chunk])
        in_pool[chunk] += better
        in_language[chunk] += np.where(language_of[chunk] == code, better, 0)
        ties[chunk] += tied

    total = int(pool.sizes.sum())
    with tqdm(total=total, disable=not progress, unit=" candidates", desc="ranking") as bar:
        for code, language in enumerate(pool.languages):
            ties[:] = 0
            has, first = _first_of_language(scores, language_of, code)
            for start, block in blocks(language, candidate_vectors[language], candidates_per_tile):
                tiles.load(code, start, block)
                list(workers.map(partial(add_counts, code, first), chunks))
                bar.update(len(block))
            _warn_if_collapsed(language, ties[has] - 1, int(pool.sizes[code]) - 1)
    return in_language, in_pool


def _chunks(count: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


@contextmanager
def _one_core_each(device: torch.device) -> Iterator[Executor]:
    """Threads whose torch operations use one core each: as many as torch would use cores, one for a GPU.

    A tile takes dozens of short operations. Each divided among the cores would wait for the slowest core
    every time, which on a machine that is busy otherwise costs a hundred times the work itself.
    """
    cores = torch.get_num_threads()
    workers = cores if device.type == "cpu" else 1
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(cores)


class _Tiles:
    """Scores of a block of candidates for one chunk of queries after the other, and the counts in them."""

    def __init__(
        self,
        pool: Pool,
        matrix: NDArray[np.float32],
        distinct: _DistinctVectors,
        scores: NDArray[np.float32],
        device: torch.device,
    ) -> None:
        self.distinct, self.excluded_rows, self.device = distinct, pool.excluded, device
        self.queries = torch.from_numpy(matrix).to(device)
        self.relevant_scores = torch.from_numpy(scores).to(device)
        self.vectors_of = torch.from_numpy(distinct.of_judgement).to(device)
        self.judgement = torch.from_numpy(pool.judgement).to(device)

    def load(self, language: int, start: int, block: NDArray[np.float32]) -> None:
        """Take up rows start, start + 1, ... of a language as the candidates."""
        size = len(block)
        number = self.distinct.find(block)
        columns = np.flatnonzero(number >= 0)
        # the column of each relevant vector; `size`, one past the candidates, where it is not in the block
        first = np.full(len(self.distinct.vectors) + 1, size, dtype=np.int64)
        first[number[columns][::-1]] = columns[::-1]
        copies = columns[first[number[columns]] != columns]
        excluded = self.excluded_rows
        inside = (excluded.language == language) & (excluded.row >= start) & (excluded.row < start + size)
        self.block = torch.from_numpy(block).to(self.device)
        self.column_of_vector = torch.from_numpy(first).to(self.device)
        self.copies = torch.from_numpy(copies).to(self.device)
        self.copied = torch.from_numpy(first[number[copies]]).to(self.device)
        self.excluded = torch.from_numpy(np.where(inside, excluded.row - start, size)).to(self.device)

    def count(
        self, chunk: slice, tie_with: NDArray[np.float32]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """[chunk, widest]: candidates above each relevant score; [chunk]: candidates equal to `tie_with`."""
        queries, size = self.queries[chunk], len(self.block)
        relevant_scores = self.relevant_scores[chunk]
        tile = torch.empty(len(queries), size + 1, device=self.device)
        flags = torch.empty(len(queries), size, device=self.device)
        candidates = tile[:, :size]
        torch.mm(queries, self.block.T, out=candidates)
        tile.scatter_(1, self.column_of_vector[self.vectors_of[self.judgement[chunk]]], relevant_scores)
        if len(self.copies):
            tile[:, self.copies] = tile[:, self.copied]
        if self.excluded.numel():
            tile.scatter_(1, self.excluded[self.judgement[chunk]], -torch.inf)
        # flags are 0.0 or 1.0: torch sums float32 several times faster than bool, exactly below 2 ** 24
        better = torch.empty(relevant_scores.T.shape, device=self.device)
        for k, score in enumerate(relevant_scores.T):
            torch.sum(torch.gt(candidates, score[:, None], out=flags), dim=1, out=better[k])
        ties = torch.from_numpy(tie_with).to(self.device)
        tied = torch.eq(candidates, ties[:, None], out=flags).sum(dim=1)
        return better.T.to("cpu", torch.int32).numpy(), tied.to("cpu", torch.int64).numpy()


def _first_of_language(
    scores: NDArray[np.float32], language_of: NDArray[np.int16], code: int
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """[queries] twice: whether a query has a relevant candidate in a language, and the first one's score
    (NaN without one, which ties with nothing)."""
    here = language_of == code
    has = here.any(axis=1)
    first = np.take_along_axis(scores, here.argmax(axis=1)[:, None], axis=1)[:, 0]
    return has, np.where(has, first, np.float32(np.nan))


def _warn_if_collapsed(language: str, ties: NDArray[np.int64], others: int) -> None:
    if others > 0 and len(ties) and ties.mean() / others > COLLAPSED:
        warnings.warn(
            f"{ties.mean() / others:.0%} of the {language} candidates tie with a relevant one, on average: "
            "the encoder has collapsed there. Ties count for the relevant candidate, so these ranks look "
            "better than they are",
            stacklevel=4,
        )


def _count_tied_before(
    scores: NDArray[np.float32],
    language_of: NDArray[np.int16],
    in_language: NDArray[np.int32],
    in_pool: NDArray[np.int32],
) -> None:
    """Add to the counts the relevant candidates of the same score that come earlier (in place)."""
    for k in range(scores.shape[1] - 1):
        tied = scores[:, k + 1 :] == scores[:, k, None]
        in_pool[:, k + 1 :] += tied
        in_language[:, k + 1 :] += tied & (language_of[:, k + 1 :] == language_of[:, k, None])


def _ranks_table(pool: Pool, in_language: NDArray[np.int32], in_pool: NDArray[np.int32]) -> pd.DataFrame:
    """The ranks table from the two ranks, [queries, widest], of every relevant candidate."""
    language_of = pool.relevant.language[pool.judgement]
    query, column = np.nonzero(language_of >= 0)
    relevant_language = language_of[query, column]
    languages = sorted({*pool.query_slices, *pool.languages})
    lengths = [max(0, s.stop - s.start) for s in pool.query_slices.values()]
    of_query = np.repeat([languages.index(c) for c in pool.query_slices], lengths)[query]
    of_candidate = np.array([languages.index(c) for c in pool.languages])[relevant_language]
    judgement = pool.judgement[query]
    own = np.where(of_query == of_candidate, 0, 1)
    merged = np.full(len(query), len(languages))
    parts: dict[str, NDArray[np.int64]] = {
        "task": np.concatenate([own, np.full(len(query), 2)]),
        "query_language": np.concatenate([of_query, of_query]),
        "candidate_language": np.concatenate([of_candidate, merged]),
        "query_id": np.concatenate([judgement, judgement]),
        "relevant_language": np.concatenate([of_candidate, of_candidate]),
    }
    # equal values side by side keep the Parquet file small
    order = np.lexsort([*reversed(parts.values())])
    categories: dict[str, Sequence[str]] = {
        "task": TASKS,
        "query_language": languages,
        "candidate_language": [*languages, WHOLE_POOL],
        "query_id": pool.ids,
        "relevant_language": languages,
    }
    table: dict[str, Any] = {
        name: pd.Categorical.from_codes(codes[order], pd.Index(categories[name]))
        for name, codes in parts.items()
    }
    table["dataset"] = pd.Categorical.from_codes(np.zeros(len(order), dtype=np.int64), pd.Index([pool.name]))
    ranks = np.concatenate([in_language[query, column], in_pool[query, column]])
    table["rank"] = ranks[order].astype(np.int32)
    sizes = np.concatenate(
        [pool.available[judgement, relevant_language], pool.available.sum(axis=1)[judgement]]
    )
    table["pool_size"] = sizes[order].astype(np.int32)
    return pd.DataFrame(table)[COLUMNS]
