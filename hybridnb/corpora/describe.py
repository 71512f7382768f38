"""What is in a benchmark or a training corpus: counts and lengths by language, coverage of language pairs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hybridnb import corpora
from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.corpora.parallel import Item, ParallelCorpus
from hybridnb.corpora.tables import Texts

Row = dict[str, float | int]

ALL = "*"  # the row of all languages together
MEAN_OF = {
    "relevant": "queries",
    "query_characters": "queries",
    "candidate_characters": "candidates",
    "passage_characters": "passages",
}
"""Columns that are means, and the number of what they are means of."""
MOST = 100_000  # texts of a language that are measured; of more, so many evenly spaced ones


def load(
    name: str, *, directory: str | Path | None = None, skip_bad: bool = False
) -> Benchmark | ParallelCorpus:
    """What has a name or lies at a path, be it a benchmark or a corpus; of what is both, the benchmark.

    Parallel sentences are a benchmark: each retrieves its translations.

    Args:
        name: Out of any registry, or a path as `load_benchmark` and `training_corpus` take it.
        directory, skip_bad: As of `load_benchmark`.

    Raises:
        ValueError, MissingData: As of `load_benchmark`.

    Example:
        >>> load("cldr").name
        'cldr'
    """
    options: dict[str, Any] = {"directory": directory, "skip_bad": skip_bad}
    if corpora.is_path(name):
        if corpora.is_pairs(corpora.existing(name, corpora.BENCHMARKS, corpora.TRAINING)):
            return corpora.training_corpus(name, **options)
        return corpora.load_benchmark(name, **options)
    corpora.data_set(name)  # of an unknown name it says what there is
    if name in corpora.BENCHMARKS:
        return corpora.load_benchmark(name, **options)
    if name in corpora.TRAINING:
        return corpora.training_corpus(name, **options)
    if name in corpora.VALIDATION:
        return corpora.validation_corpus(name, **options)
    return corpora.load_sentences(name, **options).as_benchmark()


def describe(data: Benchmark | ParallelCorpus) -> pd.DataFrame:
    """One row a language, and "*" for all of them; index: language. Lengths are means in characters.

    Args:
        data: A benchmark or a corpus.

    Returns:
        Of a benchmark: queries, candidates ("*": the pool of the multilingual task), relevant (mean number of
        relevant candidates of a query, in all languages), query_characters, candidate_characters.
        Of a corpus: items (with any text in the language), queries, passages, query_characters,
        passage_characters.
        Lengths of more than 100,000 texts in memory are those of 100,000 evenly spaced ones. A mean of nothing is
        NaN.
    """
    rows = _of_benchmark(data) if isinstance(data, Benchmark) else _of_corpus(data)
    total: Row = {}
    for column in next(iter(rows.values())):
        if weight := MEAN_OF.get(column):
            counted = [row for row in rows.values() if row[weight]]
            sums = sum(row[column] * row[weight] for row in counted)
            total[column] = sums / sum(row[weight] for row in counted) if counted else float("nan")
        else:
            total[column] = sum(row[column] for row in rows.values())
    if isinstance(data, ParallelCorpus):
        total["items"] = len(data)  # an item is in several languages
    table = pd.DataFrame.from_dict({**rows, ALL: total}, orient="index")
    table.index.name = "language"
    return table


def language_pairs(data: Benchmark | ParallelCorpus) -> pd.DataFrame:
    """How many queries of a language (index) have an answer in a language (columns).

    Of a benchmark: queries with a relevant candidate there; of a corpus: items with that query and passage.
    """
    if isinstance(data, Benchmark):
        counts = {
            asked: {
                language: sum(language in data.relevance[query_id] for query_id in queries.ids)
                for language in sorted(data.candidates)
            }
            for asked, queries in sorted(data.queries.items())
        }
    else:
        index = data.index
        counts = {
            asked: {
                language: int(np.count_nonzero(index.has_query[:, a] & index.has_passage[:, b]))
                for b, language in enumerate(index.languages)
            }
            for a, asked in enumerate(index.languages)
        }
    table = pd.DataFrame.from_dict(counts, orient="index")
    return table.rename_axis(index="query_language", columns="passage_language")


def in_how_many_languages(corpus: ParallelCorpus) -> str:
    """How parallel a corpus is, in a sentence.

    Example:
        >>> items = [Item(f"{n}", "s", f"{n}", {"en": f"{n}?"}, {"en": f"{n}.", "de": f"{n}!"}) for n in range(3)]
        >>> in_how_many_languages(ParallelCorpus("toy", [*items, Item("x", "s", "x", {"en": "?"}, {"en": "."})]))
        '4 items, 2 languages: 0 items have query and passage in all of them, 3 offer a pair of two languages'
    """
    index = corpus.index
    both = index.has_query & index.has_passage
    two = index.has_query.sum(axis=1) * index.has_passage.sum(axis=1) > both.sum(axis=1)
    count = len(index.languages)
    if count == 1:
        return f"{len(corpus):,} items, all in {index.languages[0]}: no batch can mix languages"
    return (
        f"{len(corpus):,} items, {count} languages: {both.all(axis=1).sum():,} items have query and passage in all of "
        f"them, {two.sum():,} offer a pair of two languages{'' if two.any() else ': no X-Y batch can be drawn'}"
    )


def sources(corpus: ParallelCorpus) -> pd.Series[int]:
    """Items of each source, the largest first; index: source."""
    counts = np.bincount(corpus.index.source_of, minlength=len(corpus.index.sources))
    named = pd.Series(counts, index=pd.Index(corpus.index.sources, name="source"), name="items")
    return named.sort_values(ascending=False, kind="stable")


def item_table(item: Item) -> pd.DataFrame:
    """One item in every language it exists in; index: language, columns: query, passage."""
    languages = sorted({*item.queries, *item.passages})
    texts = {code: (item.queries.get(code, ""), item.passages.get(code, "")) for code in languages}
    table = pd.DataFrame.from_dict(texts, orient="index", columns=["query", "passage"])
    return table.rename_axis(index="language")


def lengths(corpus: ParallelCorpus) -> pd.DataFrame:
    """One row a text: language, part (queries, passages), characters; of 10,000 evenly spaced items at most."""
    positions = np.unique(np.linspace(0, len(corpus) - 1, min(len(corpus), 10_000)).astype(int))
    rows = [
        (language, part, len(text))
        for item in (corpus[int(position)] for position in positions)
        for part, texts in (("queries", item.queries), ("passages", item.passages))
        for language, text in sorted(texts.items())
    ]
    table = pd.DataFrame(rows, columns=["language", "part", "characters"])
    return table.sort_values(["part", "language"], ascending=[False, True], kind="stable")


def to_dict(data: Benchmark | ParallelCorpus) -> dict[str, Any]:
    """All of it for JSON: name, kind, sha256, totals, languages, language pairs; sources of a corpus."""
    table = describe(data).astype(object)
    languages = table.where(table.notna(), None).to_dict(orient="index")
    result: dict[str, Any] = {
        "name": data.name,
        "kind": "benchmark" if isinstance(data, Benchmark) else "corpus",
        "sha256": data.sha256,
        "all": languages.pop(ALL),
        "languages": languages,
        "pairs": language_pairs(data).to_dict(orient="index"),
    }
    if isinstance(data, ParallelCorpus):
        result["sources"] = {str(source): int(items) for source, items in sources(data).items()}
    return result


def examples(data: Benchmark | ParallelCorpus, number: int) -> list[dict[str, Any]]:
    """So many evenly spaced queries with what answers them, for JSON.

    Args:
        data: A benchmark or a corpus.
        number: How many, or all where there are fewer.

    Returns:
        Each with its id, query (language -> text) and relevant (language -> candidate id -> text; of a corpus,
        whose passages have no ids, the item's).

    Example:
        >>> benchmark = Benchmark("toy", {"en": Queries(["q"], ["Who?"])}, {"en": ["He.", "She."]}, {"q": {"en": [1]}})
        >>> examples(benchmark, 1)
        [{'id': 'q', 'query': {'en': 'Who?'}, 'relevant': {'en': {'1': 'She.'}}}]
    """
    if isinstance(data, ParallelCorpus):
        items = [data[position] for position in _spaced(len(data), number)]
        return [
            {
                "id": item.id,
                "query": dict(item.queries),
                "relevant": {language: {item.id: text} for language, text in item.passages.items()},
            }
            for item in items
        ]
    asked: dict[str, dict[str, str]] = {}
    for language, queries in sorted(data.queries.items()):
        for query_id, text in zip(queries.ids, queries.texts, strict=True):
            asked.setdefault(query_id, {})[language] = text
    ids = list(asked)
    return [
        {
            "id": ids[position],
            "query": asked[ids[position]],
            "relevant": {
                language: {
                    data.candidate_id(language, row): data.candidates[language][row] for row in sorted(rows)
                }
                for language, rows in sorted(data.relevance[ids[position]].items())
            },
        }
        for position in _spaced(len(ids), number)
    ]


def as_lines(example: dict[str, Any]) -> list[str]:
    """An example for the screen: a line a text, cut to what fits."""
    lines = [f"query {example['id']}"]
    lines += [f"  {language:<7} {_cut(text)}" for language, text in example["query"].items()]
    lines.append("is answered by")
    for language, texts in example["relevant"].items():
        lines += [f"  {language:<7} {name}  {_cut(text)}" for name, text in texts.items()]
    return lines


def _cut(text: str, characters: int = 90) -> str:
    line = " ".join(text.split())
    return line if len(line) <= characters else f"{line[:characters].rstrip()} ..."


def _of_benchmark(benchmark: Benchmark) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for language in benchmark.languages:
        queries = benchmark.queries.get(language, Queries((), ()))
        candidates = benchmark.candidates.get(language, ())
        rows[language] = {
            "queries": len(queries),
            "candidates": len(candidates),
            "relevant": _mean([sum(map(len, benchmark.relevance[i].values())) for i in queries.ids]),
            "query_characters": _characters(queries.texts),
            "candidate_characters": _characters(candidates),
        }
    return rows


def _of_corpus(corpus: ParallelCorpus) -> dict[str, Row]:
    index = corpus.index
    lengths: dict[tuple[str, str], list[int]] = defaultdict(list)
    for position in _spaced(len(corpus)):
        item = corpus[position]
        for part, texts in (("query", item.queries), ("passage", item.passages)):
            for language, text in texts.items():
                lengths[part, language].append(len(text))
    return {
        language: {
            "items": int(np.count_nonzero(index.has_query[:, column] | index.has_passage[:, column])),
            "queries": int(index.has_query[:, column].sum()),
            "passages": int(index.has_passage[:, column].sum()),
            "query_characters": _mean(lengths["query", language]),
            "passage_characters": _mean(lengths["passage", language]),
        }
        for column, language in enumerate(index.languages)
    }


def _spaced(size: int, most: int | None = None) -> list[int]:
    """All positions, or so many evenly spaced ones (MOST)."""
    most = MOST if most is None else most
    return list(range(size)) if size <= most else np.linspace(0, size - 1, most, dtype=np.int64).tolist()


def _characters(texts: Sequence[str]) -> float:
    if isinstance(texts, Texts):  # which knows
        return texts.characters / len(texts)
    return _mean([len(texts[position]) for position in _spaced(len(texts))])


def _mean(values: Sequence[int]) -> float:
    return float(np.mean(values)) if values else float("nan")
