"""Benchmark: queries and candidates per language, and which answers which."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


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
        candidate_ids: Language -> ids in step with its candidates; a language without them has its row numbers.

    Raises:
        ValueError: A repeated query or candidate id, a query without a relevant candidate, or rows that are none.

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
    candidate_ids: Mapping[str, Sequence[str]] = field(default_factory=dict)

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

        for language, ids in self.candidate_ids.items():
            texts = self.candidates.get(language, ())
            if len(ids) != len(texts):
                raise ValueError(
                    f"{self.name}: {len(ids)} candidate ids for {len(texts)} candidates in {language}"
                )
            # who reads a million of them from disk has looked already
            if not hasattr(texts, "sha256") and len(set(ids)) != len(ids):
                repeated = next(i for n, i in enumerate(ids) if i in ids[:n])
                raise ValueError(f"{self.name}: candidate id {repeated!r} is repeated in {language}")

    @classmethod
    def from_frames(
        cls,
        name: str,
        queries: pd.DataFrame,
        candidates: pd.DataFrame,
        qrels: pd.DataFrame,
        threshold: float = 1,
    ) -> Benchmark:
        """The benchmark of three pandas tables.

        Args:
            name: Of the benchmark.
            queries: id, language, text. A query that stands in several languages under one id is one question
                in translation: what is relevant to it is so in each of them.
            candidates: id, language, text. A candidate that stands in several languages under one id is one
                answer in translation: a judgement of it counts in each of them.
            qrels: query_id, candidate_id; grade, where candidates are not simply relevant; language of the
                candidate, where it is judged in that alone (empty where not).
            threshold: The least grade that counts as relevant; said where there are grades above 1.

        Raises:
            BadRow: A cell that is missing, empty, repeated or names nothing (a ValueError); the table, the row
                (by its index) and the column are told.
            ValueError: A table lacks a column, or qrels has one that is not known.

        Example:
            >>> import pandas as pd
            >>> queries = pd.DataFrame({"id": ["q", "q"], "language": ["en", "de"], "text": ["Who?", "Wer?"]})
            >>> candidates = pd.DataFrame({"id": ["a", "b"], "language": ["en", "de"], "text": ["She.", "Er."]})
            >>> qrels = pd.DataFrame({"query_id": ["q"], "candidate_id": ["b"]})
            >>> benchmark = Benchmark.from_frames("toy", queries, candidates, qrels)
            >>> benchmark.relevance, benchmark.candidate_id("de", 0)
            ({'q': {'de': [0]}}, 'b')
        """
        from hybridnb.corpora.frames import read_frames

        asked, answers, relevance = read_frames(name, queries, candidates, qrels, threshold)
        return cls(
            name,
            {language: Queries(list(texts), list(texts.values())) for language, texts in asked.items()},
            {language: list(texts.values()) for language, texts in answers.items()},
            relevance,
            candidate_ids={language: list(texts) for language, texts in answers.items()},
        )

    def candidate_id(self, language: str, row: int) -> str:
        """The id of a candidate: its own, or its row number where the benchmark gives none."""
        ids = self.candidate_ids.get(language)
        return str(row) if ids is None else ids[row]

    def in_languages(self, languages: Collection[str]) -> Benchmark:
        """The benchmark cut to some of its languages: their queries and candidates, and the judgements among them.

        Args:
            languages: Which; queries that no candidate in them answers are left out.

        Returns:
            A benchmark of its own, whose name ends in the languages.

        Raises:
            ValueError: A language that it does not have, or none.

        Example:
            >>> queries = {"en": Queries(["q1", "q2"], ["Who?", "Where?"]), "de": Queries(["q1"], ["Wer?"])}
            >>> relevance = {"q1": {"en": [0], "de": [0]}, "q2": {"de": [1]}}
            >>> toy = Benchmark("toy", queries, {"en": ["She."], "de": ["Sie.", "Hier."]}, relevance)
            >>> cut = toy.in_languages(["en"])
            >>> cut.name, cut.queries["en"].ids, cut.relevance
            ('toy-en', ['q1'], {'q1': {'en': [0]}})
        """
        if not languages:
            raise ValueError(f"{self.name}: no language is named; it has {', '.join(self.languages)}")
        if unknown := sorted(set(languages) - set(self.languages)):
            raise ValueError(
                f"{self.name} has no language {unknown[0]!r}; it has {', '.join(self.languages)}"
            )

        def kept(
            judgements: Mapping[str, Mapping[str, Sequence[int]]],
        ) -> dict[str, dict[str, Sequence[int]]]:
            cut = {
                query: {language: rows for language, rows in of_query.items() if language in languages}
                for query, of_query in judgements.items()
            }
            return {query: of_query for query, of_query in cut.items() if of_query}

        relevance, queries = kept(self.relevance), {}
        for language, asked in self.queries.items():
            if language in languages:
                rows = [row for row, query in enumerate(asked.ids) if query in relevance]
                queries[language] = Queries([asked.ids[n] for n in rows], [asked.texts[n] for n in rows])
        asked_for = {query for of_language in queries.values() for query in of_language.ids}
        return Benchmark(
            f"{self.name}-{'-'.join(sorted(languages))}",
            queries,
            {language: texts for language, texts in self.candidates.items() if language in languages},
            {query: of_query for query, of_query in relevance.items() if query in asked_for},
            {query: of_query for query, of_query in kept(self.excluded).items() if query in asked_for},
            {language: ids for language, ids in self.candidate_ids.items() if language in languages},
        )

    @property
    def languages(self) -> tuple[str, ...]:
        """Every language with queries or candidates, sorted."""
        return tuple(sorted({*self.queries, *self.candidates}))

    @cached_property
    def sha256(self) -> str:
        """Hash of every query, candidate and judgement; candidates read from disk may bring their own, ids included."""

        def rows(judgements: Mapping[str, Mapping[str, Sequence[int]]]) -> object:
            return {
                query: {language: list(map(int, rows)) for language, rows in of_query.items()}
                for query, of_query in judgements.items()
            }

        digest = hashlib.sha256()
        ids = {
            code: list(of_language)
            for code, of_language in self.candidate_ids.items()
            if not hasattr(self.candidates[code], "sha256")
        }
        for part in (
            {language: [list(q.ids), list(q.texts)] for language, q in self.queries.items()},
            {code: getattr(texts, "sha256", None) or list(texts) for code, texts in self.candidates.items()},
            rows(self.relevance),
            rows(self.excluded),
            *([ids] if ids else []),
        ):
            digest.update(json.dumps(part, ensure_ascii=False, sort_keys=True).encode())
        return digest.hexdigest()
