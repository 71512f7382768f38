"""One query against the merged pool of all languages: the first candidates by a system, and which of them are right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.foreign import ForeignEncoder
from hybridnb.retrieval.bm25 import index_of, scores_of, terms
from hybridnb.retrieval.embeddings import encode_candidates
from hybridnb.retrieval.vectors import blocks

BLOCK = 65_536
"""Candidates that are scored at a time."""

System = Callable[[str], NDArray[np.float32]]
"""A query -> the score of every candidate, language after language in the order of their codes; -inf: not retrieved."""


@dataclass(frozen=True)
class Hit:
    """A candidate that was found.

    language, row: where it stands among the benchmark's candidates; text: it.
    relevant: whether it answers the query; None where that is not known.
    """

    score: float
    language: str
    row: int
    text: str
    relevant: bool | None


def dense(encoder: DualEncoder | ForeignEncoder, benchmark: Benchmark, cache: Path | None = None) -> System:
    """A system that scores by the inner products of vectors.

    Args:
        encoder: Of the query and the candidates; a `DualEncoder` is moved to the accelerator where there is one.
        benchmark: Whose candidates.
        cache: As of `embeddings.encode_benchmark`, which shares it.
    """
    vectors = encode_candidates(encoder, benchmark, cache=cache)

    def scores(query: str) -> NDArray[np.float32]:
        (asked,) = encoder.encode([query], "query", progress=False)
        found = [block @ asked for code in sorted(vectors) for _, block in blocks(code, vectors[code], BLOCK)]
        return cast("NDArray[np.float32]", np.concatenate(found))

    return scores


def lexical(benchmark: Benchmark) -> System:
    """A system that scores by BM25 as `bm25.bm25_ranks` does; what shares no term is not retrieved."""
    index = index_of(
        [terms(text) for code in sorted(benchmark.candidates) for text in benchmark.candidates[code]]
    )

    def scores(query: str) -> NDArray[np.float32]:
        found = scores_of(index, terms(query))
        return np.where(found > 0, found, np.float32(-np.inf))

    return scores


def asked(benchmark: Benchmark, query: str) -> list[str]:
    """The ids of a benchmark's queries of this text, in whatever language; none for one of the user's own.

    Example:
        >>> from hybridnb.corpora import load_benchmark
        >>> asked(load_benchmark("cldr"), "Who?")
        []
    """
    text = query.strip()
    ids = (
        query_id
        for queries in benchmark.queries.values()
        for query_id, known in zip(queries.ids, queries.texts, strict=True)
        if known.strip() == text
    )
    return list(dict.fromkeys(ids))


def search(system: System, benchmark: Benchmark, query: str, k: int = 10) -> list[Hit]:
    """The first k candidates of the merged pool, best first; equal scores in the order of the pool.

    Args:
        system: What scores.
        benchmark: Whose candidates; what it excludes for a query of its own is not found.
        query: In any language.
        k: How many; a smaller pool is shown whole.

    Raises:
        ValueError: The query is empty, or k is less than 1.

    Example:
        >>> from hybridnb.corpora.benchmark import Queries
        >>> queries = {"en": Queries(["q"], ["who is there?"])}
        >>> candidates = {"de": ["Ana ist da", "who?"], "en": ["Ana is there", "nobody"]}
        >>> toy = Benchmark("toy", queries, candidates, {"q": {"de": [0], "en": [0]}})
        >>> [(hit.language, hit.text, hit.relevant) for hit in search(lexical(toy), toy, "who is there?")]
        [('en', 'Ana is there', True), ('de', 'who?', False)]
    """
    if not query.strip() or k < 1:
        raise ValueError(f"k is {k}: give 1 or more" if k < 1 else "the query is empty: type some words")
    languages = sorted(benchmark.candidates)
    starts = np.cumsum([0, *(len(benchmark.candidates[code]) for code in languages)])
    place = {code: int(start) for code, start in zip(languages, starts, strict=False)}

    def positions(judged: Mapping[str, Mapping[str, Sequence[int]]]) -> list[int]:
        named = [judged.get(query_id, {}) for query_id in ids]
        return [
            place[code] + row for by_language in named for code in by_language for row in by_language[code]
        ]

    ids = asked(benchmark, query)
    scores = np.array(system(query.strip()))
    right = set(positions(benchmark.relevance))
    # of two questions with one text each excludes its own, and what answers one of them is found
    scores[sorted(set(positions(benchmark.excluded)) - right)] = -np.inf
    found = np.argsort(-scores, kind="stable")[:k]
    hits = []
    for position in found[scores[found] > -np.inf].tolist():
        number = int(np.searchsorted(starts, position, side="right")) - 1
        language, row = languages[number], position - int(starts[number])
        text = benchmark.candidates[language][row]
        hits.append(Hit(float(scores[position]), language, row, text, position in right if ids else None))
    return hits
