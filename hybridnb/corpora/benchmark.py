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

    queries: language -> Queries. candidates: language -> texts; a row is a position in that list.
    relevance: query id -> language -> rows of the relevant candidates (never empty lists).
    excluded: the same shape: rows that are not in a query's pool at all (the query itself, where queries
        are candidates too, as in XM3600).
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
        digest = hashlib.sha256()
        for part in (
            {language: [list(q.ids), list(q.texts)] for language, q in self.queries.items()},
            {
                language: getattr(texts, "sha256", None) or list(texts)
                for language, texts in self.candidates.items()
            },
            {
                q: {language: list(map(int, r)) for language, r in rows.items()}
                for q, rows in self.relevance.items()
            },
            {
                q: {language: list(map(int, r)) for language, r in rows.items()}
                for q, rows in self.excluded.items()
            },
        ):
            digest.update(json.dumps(part, ensure_ascii=False, sort_keys=True).encode())
        return digest.hexdigest()
