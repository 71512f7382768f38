"""A benchmark as arrays: one numbering of languages and of queries, one pool of candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hybridnb.corpora.benchmark import Benchmark


@dataclass(frozen=True)
class Qrels:
    """The candidates named for each query id, in the order of language code, then row.

    language, row: int32 [ids, widest]: number of the language and row in it, -1 as padding.
    """

    language: NDArray[np.int32]
    row: NDArray[np.int32]

    @classmethod
    def of(
        cls, ids: Sequence[str], named: Mapping[str, Mapping[str, Sequence[int]]], languages: Sequence[str]
    ) -> Qrels:
        number = {language: n for n, language in enumerate(languages)}
        widest = max((sum(map(len, named.get(query_id, {}).values())) for query_id in ids), default=0)
        table = np.full((2, len(ids), widest), -1, dtype=np.int32)
        for i, query_id in enumerate(ids):
            by_language = named.get(query_id, {})
            pairs = sorted(
                {(number[language], row) for language, rows in by_language.items() for row in rows}
            )
            if pairs:
                table[:, i, : len(pairs)] = np.transpose(pairs)
        return cls(*table)


@dataclass(frozen=True)
class Pool:
    """A benchmark as arrays.

    languages: of queries and candidates, in the order of the codes; their place is their number.
    sizes: int64 [languages], candidates in each.
    ids: every query id once (parallel queries share one).
    query_language, query_id: int64 [queries], numbers of each query's language and id; language after language.
    relevant, excluded: the Qrels of the ids.
    """

    name: str
    languages: Sequence[str]
    sizes: NDArray[np.int64]
    ids: Sequence[str]
    query_language: NDArray[np.int64]
    query_id: NDArray[np.int64]
    relevant: Qrels
    excluded: Qrels

    @classmethod
    def of(cls, benchmark: Benchmark) -> Pool:
        """ValueError: there is no query, or what is excluded is not there, or is relevant."""
        _check_excluded(benchmark)
        number: dict[str, int] = {}
        query_language: list[int] = []
        query_id: list[int] = []
        for n, language in enumerate(benchmark.languages):
            ids = benchmark.queries[language].ids if language in benchmark.queries else ()
            query_language += [n] * len(ids)
            query_id += [number.setdefault(i, len(number)) for i in ids]
        if not query_id:
            raise ValueError(f"benchmark {benchmark.name} has no queries")
        sizes = [len(benchmark.candidates.get(language, ())) for language in benchmark.languages]
        return cls(
            name=benchmark.name,
            languages=benchmark.languages,
            sizes=np.array(sizes, dtype=np.int64),
            ids=list(number),
            query_language=np.array(query_language, dtype=np.int64),
            query_id=np.array(query_id, dtype=np.int64),
            relevant=Qrels.of(list(number), benchmark.relevance, benchmark.languages),
            excluded=Qrels.of(list(number), benchmark.excluded, benchmark.languages),
        )

    @property
    def with_candidates(self) -> list[tuple[int, str]]:
        """(number, code) of the languages that have candidates."""
        return [(n, language) for n, language in enumerate(self.languages) if self.sizes[n]]

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """[languages]: where each begins in the merged pool, which has them one below the other."""
        return np.cumsum(self.sizes) - self.sizes

    def positions(self, qrels: Qrels) -> NDArray[np.int64]:
        """[ids, widest]: where the candidates of each id stand in the merged pool, -1 as padding."""
        return np.where(qrels.row < 0, -1, self.starts[qrels.language] + qrels.row)

    @cached_property
    def available(self) -> NDArray[np.int64]:
        """[ids, languages]: candidates of each language that are in the pool of each query id."""
        counts = np.tile(self.sizes, (len(self.ids), 1))
        at, column = np.nonzero(self.excluded.row >= 0)
        np.subtract.at(counts, (at, self.excluded.language[at, column]), 1)
        return counts

    @cached_property
    def relevant_language(self) -> NDArray[np.int32]:
        """[queries, widest]: the language of each relevant candidate, -1 as padding."""
        return self.relevant.language[self.query_id]


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
