"""ParallelCorpus: items that exist in several languages; what every batch strategy draws from."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hybridnb.corpora.languages import canonical

Key = Callable[[str], Hashable]
"""text -> what all texts have in common that count as the same."""


def normalised(text: str) -> str:
    """The text in NFC, its white space as single spaces: texts that differ in nothing else are the same.

    Example:
        >>> normalised("Cafe\\u0301 \\n au  lait ") == "Caf\u00e9 au lait"
        True
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


@dataclass(frozen=True, slots=True)
class Item:
    """One query and its passage, each in one or more languages.

    Args:
        id: Of its own in the corpus.
        source: The collection it is from.
        document: What may not be torn apart by a split (a file, a fact).
        queries: Language -> text.
        passages: Language -> text.
    """

    id: str
    source: str
    document: str
    queries: Mapping[str, str]
    passages: Mapping[str, str]


class ParallelCorpus:
    """Parallel query-passage items with the index a batch strategy needs.

    Args:
        name: Of the corpus.
        items: A list, or any sequence that reads from disk on access.
        sha256: Of the content, where the reader knows it.
        index: The arrays computed from the items, where the reader brings them (lazy corpora).

    Raises:
        ValueError: No items.

    Example:
        >>> items = [Item(f"d{n}", "s", f"d{n}", {"en": f"Q{n}?", "de": f"F{n}?"}, {"en": f"A{n}."}) for n in range(9)]
        >>> corpus = ParallelCorpus("toy", items)
        >>> len(corpus), corpus.languages, corpus[0].queries["de"]
        (9, ('de', 'en'), 'F0?')
        >>> [len(part) for part in corpus.split(0.3)]
        [6, 3]
    """

    def __init__(
        self,
        name: str,
        items: Sequence[Item],
        *,
        sha256: str | None = None,
        index: CorpusIndex | None = None,
    ) -> None:
        if len(items) == 0:
            raise ValueError(f"corpus {name!r} has no items")
        self.name = name
        self.items = items
        self._sha256 = sha256
        self.index = index if index is not None else CorpusIndex.of(items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, position: int) -> Item:
        return self.items[position]

    @property
    def languages(self) -> tuple[str, ...]:
        """Sorted codes."""
        return self.index.languages

    @cached_property
    def sha256(self) -> str:
        """Hash of every id and text in order (or of the files, where the reader gave it)."""
        if self._sha256 is not None:
            return self._sha256
        digest = hashlib.sha256()
        for item in self.items:
            row = [item.id, item.source, item.document, dict(item.queries), dict(item.passages)]
            digest.update(json.dumps(row, ensure_ascii=False, sort_keys=True).encode())
            digest.update(b"\n")
        return digest.hexdigest()

    def select(self, positions: Iterable[int], name: str | None = None) -> ParallelCorpus:
        """The corpus of the items at these positions."""
        return ParallelCorpus(name or self.name, [self.items[int(p)] for p in positions])

    def in_languages(self, languages: Collection[str]) -> ParallelCorpus:
        """The corpus in these languages only; items without a query or passage in them are left out.

        Raises:
            ValueError: A language that the corpus does not have, or none.
        """
        languages = {canonical(code) for code in languages}
        self._all_there("language", languages, self.languages)

        def of(texts: Mapping[str, str]) -> dict[str, str]:
            return {code: text for code, text in texts.items() if code in languages}

        items = (replace(item, queries=of(item.queries), passages=of(item.passages)) for item in self.items)
        return ParallelCorpus(self.name, [item for item in items if item.queries and item.passages])

    def without_sources(self, sources: Collection[str]) -> ParallelCorpus:
        """The corpus without the items of these sources.

        Raises:
            ValueError: A source that the corpus does not have, or no item left.
        """
        self._all_there("source", sources, self.index.sources)
        return ParallelCorpus(self.name, [item for item in self.items if item.source not in sources])

    def split(self, validation: float, seed: int = 0) -> tuple[ParallelCorpus, ParallelCorpus]:
        """(training, validation) with whole documents on either side, drawn by hash of (seed, document).

        Args:
            validation: Fraction of the documents, in (0, 1). Adding documents never moves one that was there.
            seed: Another seed draws other documents.

        Raises:
            ValueError: A side would be empty.
        """
        if not 0 < validation < 1:
            raise ValueError(f"validation is {validation}; it must be a fraction between 0 and 1")

        def held_out(document: str) -> bool:
            digest = hashlib.sha256(f"{seed}\t{document}".encode()).digest()
            return int.from_bytes(digest[:8], "big") < validation * 2**64

        held = [held_out(item.document) for item in self.items]
        if all(held) or not any(held):
            documents = len({item.document for item in self.items})
            raise ValueError(
                f"corpus {self.name!r} has {documents} documents, too few to hold out {validation:.0%}; "
                "give a separate validation corpus instead"
            )
        return (
            self.select((i for i, h in enumerate(held) if not h), f"{self.name}:train"),
            self.select((i for i, h in enumerate(held) if h), f"{self.name}:validation"),
        )

    def _all_there(self, what: str, asked: Collection[str], there: Collection[str]) -> None:
        if absent := sorted(set(asked) - set(there)):
            raise ValueError(f"{self.name} has no {what} {absent[0]!r}; it has {', '.join(sorted(there))}")


@dataclass(frozen=True)
class CorpusIndex:
    """The arrays of a ParallelCorpus.

    Args:
        languages: Sorted codes, the columns of the next two.
        has_query: bool [items, languages]: the queries each item has.
        has_passage: bool [items, languages]: the passages.
        groups: int64 [items]: items of one number must not meet in a batch: they have a query or a passage in
            common, in whichever language, directly or through further items. The passage of the one would be
            a false negative of the other.
        sources: Names.
        source_of: int64 [items] into sources.
    """

    languages: tuple[str, ...]
    has_query: NDArray[np.bool_]
    has_passage: NDArray[np.bool_]
    groups: NDArray[np.int64]
    sources: tuple[str, ...]
    source_of: NDArray[np.int64]

    @classmethod
    def of(
        cls, items: Sequence[Item], query_key: Key = normalised, passage_key: Key = normalised
    ) -> CorpusIndex:
        """The index of these items.

        Args:
            items: All that is indexed.
            query_key: Queries of one key count as the same text; what an encoder sees may be less than all of it.
            passage_key: The same for passages.

        Example:
            >>> items = [Item(n, "s", n, {"en": "Usage"}, {"en": text}) for n, text in (("a", "one"), ("b", "two"))]
            >>> items.append(Item("c", "s", "c", {"en": "Why?"}, {"en": "t  wo"}))
            >>> CorpusIndex.of(items).groups.tolist()
            [0, 0, 2]
            >>> CorpusIndex.of(items, passage_key=lambda text: text[0]).groups.tolist()
            [0, 0, 0]
        """
        languages = tuple(sorted({code for item in items for code in (*item.queries, *item.passages)}))
        column = {code: c for c, code in enumerate(languages)}
        has_query = np.zeros((len(items), len(languages)), dtype=bool)
        has_passage = np.zeros_like(has_query)
        sources = tuple(sorted({item.source for item in items}))
        for i, item in enumerate(items):
            has_query[i, [column[code] for code in item.queries]] = True
            has_passage[i, [column[code] for code in item.passages]] = True
        source_of = np.array([sources.index(item.source) for item in items], dtype=np.int64)
        return cls(
            languages, has_query, has_passage, _groups(items, query_key, passage_key), sources, source_of
        )


def _groups(items: Sequence[Item], query_key: Key, passage_key: Key) -> NDArray[np.int64]:
    """The number of each item's group: that of its root, where items that share a text are joined."""
    parent = list(range(len(items)))
    first_with: dict[tuple[str, Hashable], int] = {}

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, item in enumerate(items):
        keys = [("q", query_key(text)) for text in item.queries.values()]
        keys += [("p", passage_key(text)) for text in item.passages.values()]
        for key in keys:
            parent[root(i)] = root(first_with.setdefault(key, i))
    return np.array([root(i) for i in range(len(items))], dtype=np.int64)
