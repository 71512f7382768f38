"""Results for other tools: TREC runs and qrels, in which a tool that orders by score finds our ranks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.files import atomic
from hybridnb.retrieval.nearest import First
from hybridnb.retrieval.pool import Pool
from hybridnb.retrieval.ranks_table import TASKS, Task
from hybridnb.retrieval.trec_ids import Names

DEPTH = 100
"""Candidates of each query that a run holds."""


def more(pool: Pool, depth: int) -> int:
    """How many first candidates `write_trec` needs: relevant ones are put to their own ranks, others fill the gaps."""
    return depth + pool.relevant.row.shape[1]


def write_trec(
    directory: Path,
    benchmark: Benchmark,
    pool: Pool,
    in_language: NDArray[np.floating | np.integer],
    in_pool: NDArray[np.floating | np.integer],
    first: Iterable[First],
    *,
    tasks: Sequence[Task] = TASKS,
    depth: int = DEPTH,
    tag: str = "hybridnb",
) -> list[Path]:
    """Write BENCHMARK.TASK.run (`query Q0 candidate rank score tag`) and BENCHMARK.TASK.qrels for every task.

    A relevant candidate stands at its rank of the ranks table; the others fill the places between in the order of
    their scores. Scores are the system's own, lowered to the next smaller float32 where two would be equal, so that
    they fall strictly: ties stay decided by our rule whoever sorts. Names are those of `trec_ids`; queries of the
    cross-lingual task say the language of their pool.

    Args:
        directory: gets the files.
        benchmark: the data.
        pool, in_language, in_pool: of `ranking.relevant_ranks` or `bm25.relevant_bm25_ranks`.
        first: the first `more(pool, depth)` candidates of each pool.
        tasks: which of them.
        depth: candidates of each query; all of the pool where that is fewer.
        tag: the run's name.

    Returns:
        The files.

    Raises:
        ValueError: two ids are written alike, or depth is below 1.
    """
    names = Names(benchmark, pool)
    relevant = pool.positions(pool.relevant)[pool.query_id]
    tag = "_".join(tag.split()) or "hybridnb"
    kinds = [(task, kind) for task in tasks for kind in ("run", "qrels")]
    paths = [directory / f"{benchmark.name}.{task}.{kind}" for task, kind in kinds]
    with ExitStack() as stack:
        parts = [stack.enter_context(atomic(path)) for path in paths]
        opened = [stack.enter_context(part.open("w", encoding="utf-8", newline="\n")) for part in parts]
        files = dict(zip(kinds, opened, strict=True))
        for found in first:
            for task in tasks:
                queries = _asked(pool, found.language, task)
                if not len(queries):
                    continue
                at, judged = np.searchsorted(found.queries, queries), relevant[queries]
                if found.language >= 0:
                    judged = np.where(pool.relevant_language[queries] == found.language, judged, -1)
                ranks = (in_pool if found.language < 0 else in_language)[queries].astype(np.float64)
                ranks[judged < 0] = np.nan
                lists = _arranged(found.positions[at], found.scores[at], judged, ranks, depth)
                called = [
                    names.crossed(query, found.language) if task == "crosslingual" else names.queries[query]
                    for query in queries.tolist()
                ]
                _write_run(files[task, "run"], called, *lists, names.candidates, tag)
                _write_qrels(files[task, "qrels"], called, judged, names.candidates)
    return paths


def _asked(pool: Pool, language: int, task: Task) -> NDArray[np.int64]:
    """The queries that have a relevant candidate in a pool (-1: the merged one), which is theirs in this task."""
    if (task == "multilingual") != (language < 0):
        return np.empty(0, dtype=np.int64)
    if language < 0:
        return np.flatnonzero((pool.relevant_language >= 0).any(axis=1))
    at_home = pool.query_language == language
    answered = (pool.relevant_language == language).any(axis=1)
    return np.flatnonzero(answered & (at_home if task == "monolingual" else ~at_home))


def _arranged(
    positions: NDArray[np.int64],
    scores: NDArray[np.float32],
    relevant: NDArray[np.int64],
    ranks: NDArray[np.float64],
    depth: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """([n, depth], [n, depth]): the relevant candidates at their ranks, the others between; scores that fall strictly.

    positions, scores: [n, k], best first, -1 as padding; relevant, ranks: [n, widest], NaN where it has no rank here.
    """
    ours = np.isfinite(ranks)
    is_relevant = np.zeros(positions.shape, dtype=bool)
    own = np.full(
        relevant.shape, np.inf, dtype=np.float32
    )  # where it is not among the first: as high as its place
    for column in range(relevant.shape[1]):
        here = ours[:, column, None] & (positions == relevant[:, column, None])
        is_relevant |= here
        own[:, column] = np.where(here.any(axis=1), np.where(here, scores, 0).sum(axis=1), np.inf)

    # what is not relevant, moved to the left
    others = (positions >= 0) & ~is_relevant
    order = np.argsort(~others, axis=1, kind="stable")
    rest = np.take_along_axis(np.where(others, positions, -1), order, axis=1)
    rest_scores = np.take_along_axis(scores, order, axis=1)

    depth = min(depth, positions.shape[1])
    placed = np.full((len(positions), depth), -1, dtype=np.int64)
    kept = np.zeros((len(positions), depth), dtype=np.float32)
    taken = np.zeros((len(positions), depth), dtype=bool)
    row, which = np.nonzero(ours & (ranks <= depth))
    place = ranks[row, which].astype(np.int64) - 1
    taken[row, place] = True
    number = np.cumsum(~taken, axis=1) - 1
    placed[:] = np.where(taken, -1, np.take_along_axis(rest, np.maximum(number, 0), axis=1))
    kept[:] = np.take_along_axis(rest_scores, np.maximum(number, 0), axis=1)
    placed[row, place] = relevant[row, which]
    kept[row, place] = own[row, which]
    highest = np.max(np.where(np.isfinite(kept) & (placed >= 0), kept, -np.inf), axis=1, initial=-np.inf)
    kept = np.where(np.isinf(kept), np.where(np.isinf(highest), 0, highest)[:, None], kept)
    return placed, strictly_falling(kept.astype(np.float32))


def strictly_falling(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores [n, k] lowered as little as makes each row fall strictly, in float32.

    Example:
        >>> strictly_falling(np.array([[1, 1, 2, 0.5]], dtype=np.float32)).tolist()
        [[1.0, 0.9999999403953552, 0.9999998807907104, 0.5]]
    """
    # the bits of floats as whole numbers in the same order, one step apart where floats are neighbours, both zeros 0
    bits = np.ascontiguousarray(scores, dtype=np.float32).view(np.int32).astype(np.int64)
    steps = np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)
    column = np.arange(scores.shape[1])
    steps = np.minimum.accumulate(steps + column, axis=1) - column
    bits = np.where(steps < 0, -steps | 0x80000000, steps)
    return bits.astype(np.uint32).view(np.float32)


def _write_run(
    file: TextIO,
    queries: Sequence[str],
    positions: NDArray[np.int64],
    scores: NDArray[np.float32],
    candidates: Sequence[str],
    tag: str,
) -> None:
    for query, of_query, their_scores in zip(queries, positions.tolist(), scores.tolist(), strict=True):
        # nine digits tell every float32 from its neighbours
        file.writelines(
            f"{query} Q0 {candidates[position]} {rank} {score:.9g} {tag}\n"
            for rank, (position, score) in enumerate(zip(of_query, their_scores, strict=True), start=1)
            if position >= 0
        )


def _write_qrels(
    file: TextIO, queries: Sequence[str], judged: NDArray[np.int64], candidates: Sequence[str]
) -> None:
    for query, of_query in zip(queries, judged.tolist(), strict=True):
        file.writelines(f"{query} 0 {candidates[position]} 1\n" for position in of_query if position >= 0)
