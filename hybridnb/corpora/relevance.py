"""Judgements, graded or not, as the rows that are relevant to each query."""

from __future__ import annotations

import warnings
from collections.abc import Mapping


class Relevance:
    """Judgements as they are read: which rows are relevant to a query, and the grades that there were.

    Args:
        threshold: The least grade that counts as relevant.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.highest = 0.0
        self._rows: dict[str, dict[str, set[int]]] = {}

    def add(self, query_id: str, grade: float, rows: Mapping[str, int]) -> None:
        """A judgement of a candidate, which stands in these rows, by language."""
        self.highest = max(self.highest, grade)
        if grade >= self.threshold:
            of_query = self._rows.setdefault(query_id, {})
            for language, row in rows.items():
                of_query.setdefault(language, set()).add(row)

    def __contains__(self, query_id: str) -> bool:
        return query_id in self._rows

    def rows(self) -> dict[str, dict[str, list[int]]]:
        """Query id -> language -> rows, in order."""
        return {
            query_id: {language: sorted(rows) for language, rows in sorted(by_language.items())}
            for query_id, by_language in self._rows.items()
        }

    def say_grades(self, where: object) -> None:
        """Warn of graded relevance, where there is any, and what counts as relevant."""
        if self.highest > 1:
            warnings.warn(
                f"{where}: relevance is graded, up to {self.highest:g}: candidates of grade {self.threshold:g} or "
                "more count as relevant (set by `threshold`)",
                stacklevel=3,
            )
