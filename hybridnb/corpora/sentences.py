"""Parallel sentences: the same texts in several languages, to fit on what needs no training (see `debiasing`).

A JSONL file has a sentence a row, `{"id": "dev-0", "t": {"en": "...", "de": "..."}}` (doc and label may stand beside
it), or its languages alone, `{"en": "...", "de": "..."}`; a table (CSV, Parquet, `datasets`) a column a language. A
field or column "id" of the latter two is Indonesian. Every row has every language.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.corpora.columns import TABLES, table_rows
from hybridnb.corpora.languages import canonical
from hybridnb.corpora.lines import BadRow, BadRows, check_fields, check_text, json_lines
from hybridnb.corpora.parallel import ParallelCorpus
from hybridnb.files import sha256_of

REMEDY = "give every row all languages, or name fewer languages"


@dataclass(frozen=True)
class ParallelSentences:
    """Sentences in several languages: text i of each language says the same.

    Args:
        name: Of the set.
        texts: Language -> its texts, the languages sorted.
        ids: Of the sentences.

    Raises:
        ValueError: No sentence, fewer than two languages, or one that has another number of texts.

    Example:
        >>> toy = ParallelSentences("toy", {"de": ["ja", "nein"], "en": ["yes", "no"]}, ["a", "b"])
        >>> len(toy), toy.languages, toy.cut(limit=1).texts
        (2, ('de', 'en'), {'de': ['ja'], 'en': ['yes']})
    """

    name: str
    texts: Mapping[str, Sequence[str]]
    ids: Sequence[str]

    def __post_init__(self) -> None:
        if not self.ids:
            raise ValueError(f"{self.name}: no sentence in it")
        if len(self.texts) < 2:
            raise ValueError(
                f"{self.name}: sentences in {', '.join(self.texts) or 'no language'}; parallel ones need two languages"
            )
        for language, texts in self.texts.items():
            if len(texts) != len(self.ids):
                raise ValueError(
                    f"{self.name}: {len(texts)} texts in {language} for {len(self.ids)} sentences"
                )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def languages(self) -> tuple[str, ...]:
        """Sorted."""
        return tuple(self.texts)

    @property
    def sha256(self) -> str:
        """Hash of ids and texts."""
        return sha256_of([list(self.ids), {code: list(texts) for code, texts in self.texts.items()}])

    def cut(self, languages: Collection[str] | None = None, limit: int | None = None) -> ParallelSentences:
        """The same in fewer languages, or so many sentences of it at most, evenly spaced.

        Raises:
            ValueError: A language that it does not have.
        """
        if unknown := sorted(set(languages or ()) - set(self.texts)):
            raise ValueError(f"{self.name} has no language {unknown[0]!r}; it has {', '.join(self.texts)}")
        chosen = self.texts if languages is None else sorted(set(languages))
        count = len(self) if limit is None else min(limit, len(self))
        rows = [number * len(self) // count for number in range(count)]
        texts = {code: [self.texts[code][row] for row in rows] for code in chosen}
        return ParallelSentences(self.name, texts, [self.ids[row] for row in rows])

    def as_benchmark(self) -> Benchmark:
        """Each sentence, in each language, retrieves itself and its translations; candidate rows are sentence numbers.

        Example:
            >>> toy = ParallelSentences("toy", {"de": ["ja", "nein"], "en": ["yes", "no"]}, ["a", "b"])
            >>> toy.as_benchmark().relevance["b"]
            {'de': [1], 'en': [1]}
        """
        queries = {code: Queries(self.ids, texts) for code, texts in self.texts.items()}
        relevance = {name: {code: [row] for code in self.texts} for row, name in enumerate(self.ids)}
        return Benchmark(self.name, queries, self.texts, relevance)


class Sides(NamedTuple):
    """What is encoded as queries, and what as passages: the same sentences, or texts and what answers them."""

    queries: ParallelSentences
    passages: ParallelSentences

    def cut(self, languages: Collection[str] | None = None, limit: int | None = None) -> Sides:
        """Both, as `ParallelSentences.cut`."""
        queries = self.queries.cut(languages, limit)
        same = self.queries is self.passages
        return Sides(queries, queries if same else self.passages.cut(languages, limit))

    @classmethod
    def of_corpus(cls, corpus: ParallelCorpus, languages: Collection[str] = ()) -> Sides:
        """The queries and passages of the items that have both in all languages.

        Args:
            corpus: Parallel pairs.
            languages: Which; left out, the corpus's.

        Raises:
            ValueError: There is no such item.
        """
        chosen = sorted(languages or corpus.languages)
        items = [
            item
            for item in corpus.items
            if all(code in item.queries and code in item.passages for code in chosen)
        ]
        if not items:
            raise ValueError(
                f"{corpus.name}: no item has query and passage in all of {', '.join(chosen)}: name fewer languages, or "
                "other sentences to fit debiasings to"
            )
        ids = [item.id for item in items]
        return cls(
            ParallelSentences(
                corpus.name, {code: [item.queries[code] for item in items] for code in chosen}, ids
            ),
            ParallelSentences(
                corpus.name, {code: [item.passages[code] for item in items] for code in chosen}, ids
            ),
        )


def read_sentences(
    path: Path, name: str, *, languages: Collection[str] | None = None, skip_bad: bool = False
) -> ParallelSentences:
    """The sentences of a file as the module says.

    Args:
        path: The file or directory.
        name: Of the set.
        languages: What each row must have; None: those of the first.
        skip_bad: Leave bad rows out of all languages, with a BadRowsWarning.

    Raises:
        BadRow: The first bad row (a ValueError), with file, line (of Parquet: row) and field.
        ValueError: No sound row at all.
    """
    bad = BadRows(skip=skip_bad)
    rows: Iterable[tuple[int, Mapping[str, Any]]]
    rows = table_rows(path, bad)[1] if path.is_dir() or path.name.endswith(TABLES) else json_lines(path, bad)
    wanted = None if languages is None else tuple(sorted(set(languages)))
    sentences: dict[str, dict[str, str]] = {}
    for line, row in rows:
        try:
            row_id, texts = _sentence(row, path, line, wanted)
            if row_id in sentences:
                raise BadRow(path, line, "id", f"{row_id!r} is there already", "give every row its own id")
        except BadRow as error:
            bad.add(error)
        else:
            wanted = wanted or tuple(texts)
            sentences[row_id] = texts
    bad.warn()
    if not sentences:
        raise ValueError(f"{path}: no sentence in it; write one a row")
    columns = {code: [texts[code] for texts in sentences.values()] for code in wanted or ()}
    return ParallelSentences(name, columns, list(sentences))


def _sentence(
    row: Mapping[str, Any], path: Path, line: int, wanted: Sequence[str] | None
) -> tuple[str, dict[str, str]]:
    """The id and the texts, by language in order, of a row; wanted: which it must have, None: those it has."""
    row_id, place, fields = str(line), "", row
    if "t" in row:
        check_fields(row, {"id", "t"}, {"doc", "label"}, path, line)
        row_id, place, fields = check_text(row["id"], path, line, "id"), "t.", row["t"]
        if not isinstance(fields, Mapping):
            raise BadRow(path, line, "t", "not an object", 'give {"language": "text"}')
    given: dict[str, str] = {}
    for field in fields:
        try:
            code = canonical(field)
        except ValueError:
            if wanted is None:
                problem = "no language code"
                raise BadRow(path, line, place + field, problem, 'use codes like "en", "zh-Hant"') from None
            continue
        if (other := given.setdefault(code, field)) != field:
            raise BadRow(path, line, place + field, f"the same language as {other}", "keep one of them")
    texts = {}
    for code in wanted or sorted(given):
        if code not in given or fields[given[code]] is None:
            raise BadRow(path, line, place + code, "missing", REMEDY)
        texts[code] = check_text(fields[given[code]], path, line, place + given[code])
    return row_id, texts
