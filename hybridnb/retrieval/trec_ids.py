"""What a benchmark's queries and candidates are called in files of other tools (TREC runs and qrels).

A query is "LANGUAGE:ID", a candidate "LANGUAGE:ID"; an ID that starts with its "LANGUAGE:" already stays as it is.
A query of the cross-lingual task is "LANGUAGE>OTHER:ID", for its pool is the candidates of one other language.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.retrieval.pool import Pool

_SPACE = re.compile(r"\s")


def outside(language: str, identifier: str) -> str:
    """A query's or candidate's name in a file; white space, which parts columns, is written as in a URL.

    Example:
        >>> outside("de", "q 1"), outside("de", "de:7")
        ('de:q%201', 'de:7')
    """
    name = _escaped(identifier)
    return name if name.startswith(f"{language}:") else f"{language}:{name}"


class Names:
    """The names of a benchmark's queries and candidates, both ways.

    Args:
        benchmark: whose they are.
        pool: `Pool.of` it.

    Raises:
        ValueError: two candidates or queries would have the same name.
    """

    def __init__(self, benchmark: Benchmark, pool: Pool) -> None:
        self.pool = pool
        self.query_ids = [pool.ids[n] for n in pool.query_id]
        codes = [pool.languages[n] for n in pool.query_language]
        self.queries = [outside(code, i) for code, i in zip(codes, self.query_ids, strict=True)]
        self.candidate_language: NDArray[np.int64] = np.repeat(np.arange(len(pool.sizes)), pool.sizes)
        self.candidates = [
            outside(code, benchmark.candidate_id(code, row))
            for n, code in pool.with_candidates
            for row in range(pool.sizes[n])
        ]
        self.query_of, self.candidate_of = (
            _numbered(benchmark.name, names) for names in (self.queries, self.candidates)
        )

    def crossed(self, query: int, language: int) -> str:
        """The name of a query whose pool is another language's candidates."""
        own = self.pool.languages[self.pool.query_language[query]]
        return f"{own}>{self.pool.languages[language]}:{_escaped(self.query_ids[query])}"

    def find_query(self, name: str) -> tuple[int, int] | None:
        """(query, number of the candidates' language or -1 where the name does not say it); None: there is none."""
        found = self.query_of.get(name, self._only_query.get(name))
        if found is not None:
            return found, -1
        pair, _, identifier = name.partition(":")
        own, _, other = pair.partition(">")
        if other in self.pool.languages:
            found = self.query_of.get(outside(own, identifier))
            if found is not None:
                return found, self.pool.languages.index(other)
        return None

    def find_candidate(self, name: str) -> int | None:
        """Its position in the merged pool; a bare id will do where one language only has it."""
        return self.candidate_of.get(name, self._only_candidate.get(name))

    @cached_property
    def _only_query(self) -> dict[str, int]:
        return self._alone(self.queries, self.pool.query_language)

    @cached_property
    def _only_candidate(self) -> dict[str, int]:
        return self._alone(self.candidates, self.candidate_language)

    def _alone(self, names: Sequence[str], language: NDArray[np.int64]) -> dict[str, int]:
        """The number of each name without its language, where that is one name's only."""
        numbers: dict[str, int] = {}
        several = set()
        for n, (name, code) in enumerate(zip(names, language.tolist(), strict=True)):
            bare = name.removeprefix(f"{self.pool.languages[code]}:")
            if numbers.setdefault(bare, n) != n:
                several.add(bare)
        return {bare: n for bare, n in numbers.items() if bare not in several}


def _escaped(identifier: str) -> str:
    return _SPACE.sub(lambda space: quote(space.group()), identifier)


def _numbered(benchmark: str, names: Sequence[str]) -> dict[str, int]:
    numbers = {name: n for n, name in enumerate(names)}
    if len(numbers) < len(names):
        repeated = next(name for n, name in enumerate(names) if numbers[name] != n)
        raise ValueError(f"{benchmark}: two ids are {repeated!r} in a TREC file: give one of them another id")
    return numbers
