"""TREC run files -> ranks, as trec_eval reads them: by score, not by the rank column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.retrieval.pool import Pool
from hybridnb.retrieval.ranks_table import TASKS, Task, make_ranks
from hybridnb.retrieval.trec_ids import Names
from hybridnb.retrieval.trec_lines import complain, read_lines, refuse


@dataclass(frozen=True)
class Part:
    """What a file brings of one task.

    pools: (query language, candidate language or -1 for all), by number.
    depth: candidates of the query with most of them; left_out: queries of these pools that the file does not have.
    tied: queries with candidates of equal score.
    """

    file: str
    task: Task
    pools: frozenset[tuple[int, int]]
    depth: int
    queries: int
    left_out: int
    tied: int

    def said(self, languages: Sequence[str]) -> str:
        """In a line."""
        asked = sorted({languages[query] for query, _ in self.pools})
        pairs = f", {len(self.pools)} pairs" if self.task == "crosslingual" else ""
        words = [
            f"{self.file}: {self.task}, {self.queries:,} queries ({' '.join(asked)}{pairs}), depth {self.depth:,}; "
            "what stands beyond counts as not retrieved"
        ]
        if self.left_out:
            words.append(f"{self.left_out:,} queries are not in it and retrieve nothing")
        if self.tied:
            words.append(
                f"equal scores in {self.tied:,} queries: ordered by id from the last, as by trec_eval"
            )
        return "; ".join(words)


def read_runs(
    paths: Sequence[Path], benchmark: Benchmark, task: Task | None = None
) -> tuple[pd.DataFrame, list[Part]]:
    """The ranks table of TREC runs: lines `query Q0 candidate rank score tag`, plain or .gz.

    The order of a query's candidates is that of trec_eval: by score (as float32), from the highest; equal scores by
    the candidate's id, from the last. Candidates that the benchmark excludes for a query are passed over.

    Args:
        paths: of the files; each may bring other tasks or languages.
        benchmark: whose queries and candidates they name, as `trec_ids` says; a bare id will do where one language
            only has it.
        task: of the files. By default found from the candidates: of several languages for some query, multilingual;
            all in the query's own, monolingual; cross-lingual by the query's name "de>es:ID", or all in one other.

    Returns:
        (ranks table, what each file brings). A relevant candidate that is not in a query's list has no rank (NaN);
        queries of a language, or pair, of which a file has none at all are left out of the table.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: what is wrong in a file; its name, line and column are told.

    Example:
        >>> import tempfile
        >>> from hybridnb.corpora.benchmark import Queries
        >>> toy = Benchmark("toy", {"de": Queries(["q"], ["wo?"])}, {"de": ["hier", "da"]}, {"q": {"de": [0]}})
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     file = Path(directory) / "mine.run"
        ...     _ = file.write_text("de:q Q0 de:0 1 0.5 mine\\nde:q Q0 de:1 2 0.75 mine\\n")
        ...     ranks, parts = read_runs([file], toy)
        >>> ranks[["task", "query_id", "rank", "pool_size"]].to_numpy().tolist(), parts[0].depth
        ([['monolingual', 'q', 2.0, 2]], 2)
    """
    pool = Pool.of(benchmark)
    names = Names(benchmark, pool)
    in_language, in_pool = np.full((2, *pool.relevant_language.shape), np.nan)
    parts: list[Part] = []
    for path in paths:
        for part in _read_run(path, names, benchmark, task, in_language, in_pool):
            for other in parts:
                if both := sorted(part.pools & other.pools if part.task == other.task else ()):
                    query, _ = both[0]
                    raise ValueError(
                        f"{other.file} and {path} both hold {part.task} results for {pool.languages[query]}: "
                        "give one of them"
                    )
            parts.append(part)
    table = make_ranks(pool, in_language, in_pool)
    code = {language: n for n, language in enumerate(pool.languages)}
    brought = {(p.task, q, c) for p in parts for q, c in p.pools}
    asked, among = (
        table[column].astype(str).map(code).fillna(-1).astype(int)
        for column in ("query_language", "candidate_language")
    )
    keep = [key in brought for key in zip(table["task"].astype(str), asked, among, strict=True)]
    if not any(keep):
        raise ValueError(f"{', '.join(map(str, paths))}: no query in it has a relevant candidate in its pool")
    return table[keep].reset_index(drop=True), parts


def _read_run(
    path: Path,
    names: Names,
    benchmark: Benchmark,
    task: Task | None,
    in_language: NDArray[np.float64],
    in_pool: NDArray[np.float64],
) -> list[Part]:
    """What a file brings; the ranks of relevant candidates are put into the arrays [queries, widest]."""
    pool = names.pool
    lines = read_lines(path)
    query, other = _resolved(path, lines["query"], names.find_query, benchmark.name).T
    candidate = _resolved(path, lines["candidate"], names.find_candidate, benchmark.name)
    score, language = lines["score"].to_numpy(), names.candidate_language[candidate]
    elsewhere = (other >= 0) & (other != language)
    refuse(path, elsewhere, lines, "candidate", "is not in the language of its query's pool")
    kind, group = _tasks(path, pool, query, other, language, task)
    again = pd.Series(group * len(names.candidates) + candidate).duplicated().to_numpy()
    refuse(path, again, lines, "candidate", "stands there twice for its query")

    by_id = np.argsort(np.argsort(lines["candidate"].cat.categories.to_numpy(dtype=object)))
    order = np.lexsort((-by_id[lines["candidate"].cat.codes], -score, group))
    order = order[~_excluded(names, query, candidate)[order]]
    query, candidate, language, score = query[order], candidate[order], language[order], score[order]
    kind, group = kind[order], group[order]
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    counts = np.diff(starts, append=len(order))
    rank = np.arange(len(order)) - np.repeat(starts, counts) + 1
    equal = (np.diff(group, prepend=-1) == 0) & (np.diff(score, prepend=np.nan) == 0)

    parts = []
    for number in np.unique(kind):
        here, own = kind == number, kind[starts] == number
        first = starts[own]
        merged = TASKS[number] == "multilingual"
        _put(in_pool if merged else in_language, names, query[here], candidate[here], rank[here])
        asked, among = query[first], np.full(len(first), -1) if merged else language[first]
        pools = frozenset(zip(pool.query_language[asked].tolist(), among.tolist(), strict=True))
        answered = sum(map(partial(_has_answer, pool), asked.tolist(), among.tolist()))
        part = Part(
            file=str(path),
            task=TASKS[number],
            pools=pools,
            depth=int(counts[own].max()),
            queries=len(first),
            left_out=sum(_answered(pool, q, c) for q, c in pools) - answered,
            tied=len(np.unique(group[equal & here])),
        )
        parts.append(part)
    return parts


def _excluded(names: Names, query: NDArray[np.int64], candidate: NDArray[np.int64]) -> NDArray[np.bool_]:
    """[lines]: whether the benchmark excludes a candidate for its query."""
    excluded, width = names.pool.positions(names.pool.excluded)[names.pool.query_id], len(names.candidates)
    at, column = np.nonzero(excluded >= 0)
    return np.isin(query * width + candidate, at * width + excluded[at, column])


def _tasks(
    path: Path,
    pool: Pool,
    query: NDArray[np.int64],
    other: NDArray[np.int64],
    language: NDArray[np.int64],
    task: Task | None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """([lines], [lines]): the number of each line's task, and of its query in its pool."""
    bare = other < 0
    kind = np.full(len(query), TASKS.index("crosslingual"))
    if task is not None and task != "crosslingual" and not bare.all():
        raise ValueError(f"{path}: it names queries of pairs of languages, which is not the {task} task")
    if bare.any():
        span = pd.DataFrame({"query": query[bare], "language": language[bare]}).groupby("query")["language"]
        low, high = span.min(), span.max()
        asked = pool.query_language[low.index.to_numpy()]
        several, at_home = (low != high).to_numpy(), ((low == high) & (low == asked)).to_numpy()
        if task is None:
            if not (several.any() or at_home.all() or not at_home.any()):
                raise ValueError(
                    f"{path}: the candidates are in the query's own language for some queries and in another for "
                    "others: say which task it is (task, --task)"
                )
            task = "multilingual" if several.any() else "monolingual" if at_home.all() else "crosslingual"
        wrong = {"monolingual": ~at_home, "crosslingual": several | at_home, "multilingual": several & False}[
            task
        ]
        if wrong.any():
            one = low.index[int(wrong.argmax())]
            raise ValueError(
                f"{path}: query {pool.ids[pool.query_id[one]]!r} has candidates in "
                f"{pool.languages[low[one]]}{f' and {pool.languages[high[one]]}' if low[one] != high[one] else ''}, "
                f"which is not the {task} task of {pool.languages[pool.query_language[one]]}"
            )
        kind[bare] = TASKS.index(task)
    among = np.where(kind == TASKS.index("multilingual"), len(pool.languages), language)
    return kind, query * (len(pool.languages) + 1) + among


def _put(
    into: NDArray[np.float64],
    names: Names,
    query: NDArray[np.int64],
    candidate: NDArray[np.int64],
    rank: NDArray[np.int64],
) -> None:
    """Write the ranks of relevant candidates to their places in [queries, widest]."""
    position = names.pool.positions(names.pool.relevant)[names.pool.query_id]
    width = len(names.candidates)
    keys = query * width + candidate
    order = np.argsort(keys)
    wanted = np.where(position < 0, -1, np.arange(len(position))[:, None] * width + position)
    at = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
    found = keys[order[at]] == wanted
    into[found] = rank[order[at[found]]]


def _has_answer(pool: Pool, query: int, language: int) -> bool:
    return language < 0 or bool((pool.relevant_language[query] == language).any())


def _answered(pool: Pool, asked: int, language: int) -> int:
    """How many queries of a language have a relevant candidate in another, or in any (-1)."""
    rows = pool.relevant_language[pool.query_language == asked]
    return len(rows) if language < 0 else int((rows == language).any(axis=1).sum())


def _resolved(
    path: Path, column: pd.Series[Any], find: Callable[[str], Any], benchmark: str
) -> NDArray[np.int64]:
    """What the name in each line of a column stands for: a number, or a few."""
    found = [find(name) for name in column.cat.categories]
    if None in found:
        unknown = {n for n, what in enumerate(found) if what is None}
        row = next(row for row, code in enumerate(column.cat.codes) if code in unknown)
        what = f"{column.iloc[row]!r} is not in {benchmark}, or in several languages"
        complain(path, row, str(column.name), what)
    return np.array(found, dtype=np.int64)[column.cat.codes]
