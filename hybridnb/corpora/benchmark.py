"""Benchmark: queries and candidates per language, and which answers which."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class Queries:
    """Query ids and their texts, in step. Parallel questions have the same id in every language."""

    ids: Sequence[str]
    texts: Sequence[str]

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.texts):
            raise ValueError(f"{len(self.ids)} query ids for {len(self.texts)} query texts")

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Benchmark:
    """A retrieval benchmark for the three tasks (monolingual, cross-lingual, multilingual).

    Args:
        name: Of the benchmark.
        queries: Language -> Queries.
        candidates: Language -> texts; a row is a position in that list.
        relevance: Query id -> language -> rows of the relevant candidates (never empty lists).
        excluded: The same shape: rows that are not in a query's pool at all (the query itself, where queries
            are candidates too, as in XM3600).

    Raises:
        ValueError: A repeated query id, a query without a relevant candidate, or rows that are none.

    Example:
        >>> queries = {"en": Queries(["q1"], ["Who?"]), "de": Queries(["q1"], ["Wer?"])}
        >>> relevance = {"q1": {"en": [0], "de": [1]}}
        >>> benchmark = Benchmark("toy", queries, {"en": ["She."], "de": ["Er.", "Sie."]}, relevance)
        >>> benchmark.languages, benchmark.candidates["de"][1]
        (('de', 'en'), 'Sie.')
    """

    name: str
    queries: Mapping[str, Queries]
    candidates: Mapping[str, Sequence[str]]
    relevance: Mapping[str, Mapping[str, Sequence[int]]]
    excluded: Mapping[str, Mapping[str, Sequence[int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for language, queries in self.queries.items():
            if len(set(queries.ids)) != len(queries.ids):
                repeated = next(i for n, i in enumerate(queries.ids) if i in queries.ids[:n])
                raise ValueError(f"{self.name}: query id {repeated!r} is repeated in {language}")
            for query_id in queries.ids:
                if not self.relevance.get(query_id):
                    raise ValueError(
                        f"{self.name}: query {query_id!r} ({language}) has no relevant candidate"
                    )
        for query_id, by_language in self.relevance.items():
            for language, rows in by_language.items():
                size = len(self.candidates.get(language, ()))
                if not rows or min(rows) < 0 or max(rows) >= size or len(set(rows)) != len(rows):
                    raise ValueError(
                        f"{self.name}: query {query_id!r} has relevant rows {list(rows)} in {language}; "
                        f"they must be distinct and in 0..{size - 1}"
                    )

    @property
    def languages(self) -> tuple[str, ...]:
        """Every language with queries or candidates, sorted."""
        return tuple(sorted({*self.queries, *self.candidates}))

    @cached_property
    def sha256(self) -> str:
        """Hash of every query, candidate and judgement; candidates read from disk may bring their own."""

        def rows(judgements: Mapping[str, Mapping[str, Sequence[int]]]) -> object:
            return {
                query: {language: list(map(int, rows)) for language, rows in of_query.items()}
                for query, of_query in judgements.items()
            }

        digest = hashlib.sha256()
        for part in (
            {language: [list(q.ids), list(q.texts)] for language, q in self.queries.items()},
            {code: getattr(texts, "sha256", None) or list(texts) for code, texts in self.candidates.items()},
            rows(self.relevance),
            rows(self.excluded),
        ):
            digest.update(json.dumps(part, ensure_ascii=False, sort_keys=True).encode())
        return digest.hexdigest()
