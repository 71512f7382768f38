"""A benchmark and its vectors as arrays: one numbering of queries, one pool of candidates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridnb.corpora.benchmark import Benchmark

Vectors = Mapping[str, NDArray[np.floating[Any]]]


@dataclass(frozen=True)
class Judgements:
    """Candidates named for each query id, [ids, widest]: language codes and rows, padded with -1."""

    language: NDArray[np.int16]
    row: NDArray[np.int32]

    @classmethod
    def of(
        cls, ids: Sequence[str], named: Mapping[str, Mapping[str, Sequence[int]]], languages: Sequence[str]
    ) -> Judgements:
        code = {language: c for c, language in enumerate(languages)}
        flat_language: list[int] = []
        flat_row: list[int] = []
        lengths = np.zeros(len(ids), dtype=np.int64)
        for i, query_id in enumerate(ids):
            before = len(flat_row)
            for language, rows in sorted(named.get(query_id, {}).items()):
                distinct = sorted(set(rows))
                flat_row += distinct
                flat_language += [code[language]] * len(distinct)
            lengths[i] = len(flat_row) - before
        filled = np.arange(lengths.max(initial=0)) < lengths[:, None]
        language_table = np.full(filled.shape, -1, dtype=np.int16)
        row_table = np.full(filled.shape, -1, dtype=np.int32)
        language_table[filled] = flat_language
        row_table[filled] = flat_row
        return cls(language_table, row_table)


@dataclass(frozen=True)
class Pool:
    """A benchmark as arrays. Queries are numbered through all languages, in the order of the codes.

    languages: the candidates' languages, sorted; sizes: int64 [languages], candidates in each.
    query_slices: query language -> its queries' numbers; judgement: int64 [queries], the row of a query's
    id in `ids`, `relevant` and `excluded` (parallel queries share one).
    """

    name: str
    dimension: int
    languages: tuple[str, ...]
    sizes: NDArray[np.int64]
    query_slices: Mapping[str, slice]
    ids: Sequence[str]
    judgement: NDArray[np.int64]
    relevant: Judgements
    excluded: Judgements

    @classmethod
    def of(cls, benchmark: Benchmark, query_vectors: Vectors, candidate_vectors: Vectors) -> Pool:
        dimension = _checked_dimension(benchmark, query_vectors, candidate_vectors)
        _check_excluded(benchmark)
        languages = tuple(sorted(benchmark.candidates))
        slices: dict[str, slice] = {}
        number: dict[str, int] = {}
        judgement: list[int] = []
        for language in sorted(benchmark.queries):
            ids = benchmark.queries[language].ids
            slices[language] = slice(len(judgement), len(judgement) + len(ids))
            judgement += [number.setdefault(query_id, len(number)) for query_id in ids]
        if not judgement:
            raise ValueError(f"benchmark {benchmark.name} has no queries")
        return cls(
            name=benchmark.name,
            dimension=dimension,
            languages=languages,
            sizes=np.array([len(benchmark.candidates[c]) for c in languages], dtype=np.int64),
            query_slices=slices,
            ids=list(number),
            judgement=np.array(judgement, dtype=np.int64),
            relevant=Judgements.of(list(number), benchmark.relevance, languages),
            excluded=Judgements.of(list(number), benchmark.excluded, languages),
        )

    @cached_property
    def available(self) -> NDArray[np.int64]:
        """[ids, languages]: candidates of each language that are in the pool of each query id."""
        counts = np.tile(self.sizes, (len(self.ids), 1))
        at, column = np.nonzero(self.excluded.row >= 0)
        np.subtract.at(counts, (at, self.excluded.language[at, column]), 1)
        return counts


def blocks(
    language: str, vectors: NDArray[np.floating[Any]], size: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """(first row, float32 [up to size, d]) through a language's candidates; ValueError if not finite."""
    for start in range(0, len(vectors), size):
        block = np.array(vectors[start : start + size], dtype=np.float32, order="C")
        check_finite("candidate", language, block, np.arange(start, start + len(block)))
        yield start, block


def query_matrix(pool: Pool, query_vectors: Vectors) -> NDArray[np.float32]:
    """float32 [queries, d], the languages one below the other."""
    parts = []
    for language in pool.query_slices:
        vectors = np.array(query_vectors[language], dtype=np.float32, order="C")
        check_finite("query", language, vectors, np.arange(len(vectors)))
        parts.append(vectors)
    return np.concatenate(parts)


def check_finite(
    kind: str, language: str, vectors: NDArray[np.float32], rows: NDArray[np.integer[Any]]
) -> None:
    """Raise ValueError on a vector with a NaN or infinity, naming its language and row."""
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        row = rows[int(finite.argmin())]
        raise ValueError(f"{kind} vectors of {language!r}: row {row} is not finite; check the encoder")


def _checked_dimension(benchmark: Benchmark, query_vectors: Vectors, candidate_vectors: Vectors) -> int:
    """d, the same in every language; ValueError names the language whose vectors do not fit."""
    dimension: int | None = None
    for kind, expected, given in (
        ("query", benchmark.queries, query_vectors),
        ("candidate", benchmark.candidates, candidate_vectors),
    ):
        for language in sorted(expected):
            if language not in given:
                raise ValueError(f"{benchmark.name}: no {kind} vectors for {language!r}")
            shape = np.shape(given[language])
            count = len(expected[language])
            dimension = shape[1] if dimension is None and len(shape) == 2 else dimension
            if shape != (count, dimension):
                raise ValueError(
                    f"{benchmark.name}: {kind} vectors of {language!r} have shape {shape}; "
                    f"expected ({count}, {dimension or 'd'}), one row for each {kind}"
                )
    if not dimension:
        raise ValueError(f"{benchmark.name}: the vectors have no dimension")
    return dimension


def _check_excluded(benchmark: Benchmark) -> None:
    for query_id, by_language in benchmark.excluded.items():
        for language, rows in by_language.items():
            size = len(benchmark.candidates.get(language, ()))
            wrong = [row for row in rows if not 0 <= row < size]
            if wrong:
                raise ValueError(
                    f"{benchmark.name}: query {query_id!r} excludes row {wrong[0]} in {language}, "
                    f"which has rows 0..{size - 1}"
                )
            both = set(rows) & set(benchmark.relevance.get(query_id, {}).get(language, ()))
            if both:
                raise ValueError(
                    f"{benchmark.name}: query {query_id!r} excludes row {min(both)} in {language}, "
                    "which is relevant to it; take it out of one of them"
                )
