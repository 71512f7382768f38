"""Parallel pairs as a benchmark: the passage of each item answers its query, in every language that has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.corpora.parallel import Item, normalised


def benchmark_of(
    name: str, items: Sequence[Item], candidate_id: Callable[[Item], str] = lambda item: item.id
) -> Benchmark:
    """The benchmark of items: the query of an item is asked in each of its languages, its passages are relevant.

    Passages of a language that are the same text (once `normalised`) are one candidate. Items that have a query text in
    common ask the same: the passages of each are relevant to all of them.

    Args:
        name: Of the benchmark.
        items: Query ids are theirs.
        candidate_id: Of an item's passages; of equal ones it is the first item's.

    Example:
        >>> items = [Item(n, "s", n, {"en": q}, {"en": p}) for n, q, p in (("a", "Why?", "So."), ("b", "Why?", "No."))]
        >>> benchmark = benchmark_of("toy", items)
        >>> benchmark.candidates["en"], benchmark.relevance["b"]["en"], benchmark.candidate_id("en", 1)
        (['So.', 'No.'], [0, 1], 'b')
    """
    row_of: dict[str, dict[str, int]] = {}
    candidates: dict[str, list[str]] = {}
    ids: dict[str, list[str]] = {}
    queries: dict[str, tuple[list[str], list[str]]] = {}
    rows: list[dict[str, int]] = []
    asking: dict[tuple[str, str], list[int]] = {}
    for number, item in enumerate(items):
        rows.append({})
        for language, text in item.passages.items():
            known = row_of.setdefault(language, {})
            row = rows[number][language] = known.setdefault(normalised(text), len(known))
            if row == len(candidates.setdefault(language, [])):
                candidates[language].append(text)
                ids.setdefault(language, []).append(candidate_id(item))
        for language, text in item.queries.items():
            asking.setdefault((language, normalised(text)), []).append(number)
            of_language = queries.setdefault(language, ([], []))
            of_language[0].append(item.id)
            of_language[1].append(text)
    relevance: dict[str, dict[str, list[int]]] = {}
    for item in items:
        same = {n for language, text in item.queries.items() for n in asking[language, normalised(text)]}
        of_item: dict[str, set[int]] = {}
        for number in same:
            for language, row in rows[number].items():
                of_item.setdefault(language, set()).add(row)
        relevance[item.id] = {language: sorted(found) for language, found in sorted(of_item.items())}
    return Benchmark(
        name,
        {language: Queries(*of_language) for language, of_language in sorted(queries.items())},
        dict(sorted(candidates.items())),
        relevance,
        candidate_ids=ids,
    )
