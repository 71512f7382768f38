"""ParallelCorpus: items that exist in several languages; what every batch strategy draws from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Item:
    """One query and its passage, each in one or more languages.

    `document` names what may not be torn apart by a split (a file, a fact); `source` the collection.
    """

    id: str
    source: str
    document: str
    queries: Mapping[str, str]
    passages: Mapping[str, str]


class ParallelCorpus:
    """Parallel query-passage items with the index a batch strategy needs.

    items: any sequence of Item (a list, or one that reads from disk on access).
    languages: sorted codes; the columns of `has_query` and `has_passage`.
    has_query, has_passage: bool [items, languages]: the texts each item has.
    groups: int64 [items]: items with the same number share a passage text (directly or through other
        items) and must not meet in a batch.
    sources, source_of: names, and int64 [items] into them.

    The four arrays are computed from the items unless `index` brings them (lazy corpora).
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

    def split(self, validation: float, seed: int = 0) -> tuple[ParallelCorpus, ParallelCorpus]:
        """(training, validation) with whole documents on either side, drawn by hash of (seed, document).

        validation: share of the documents, in (0, 1). Adding documents never moves one that was there.
        """
        if not 0 < validation < 1:
            raise ValueError(f"validation is {validation}; it must be a share between 0 and 1")

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


@dataclass(frozen=True)
class CorpusIndex:
    """The arrays of a ParallelCorpus (see there)."""

    languages: tuple[str, ...]
    has_query: NDArray[np.bool_]
    has_passage: NDArray[np.bool_]
    groups: NDArray[np.int64]
    sources: tuple[str, ...]
    source_of: NDArray[np.int64]

    @classmethod
    def of(cls, items: Sequence[Item]) -> CorpusIndex:
        languages = tuple(sorted({code for item in items for code in (*item.queries, *item.passages)}))
        column = {code: c for c, code in enumerate(languages)}
        has_query = np.zeros((len(items), len(languages)), dtype=bool)
        has_passage = np.zeros_like(has_query)
        sources = tuple(sorted({item.source for item in items}))
        source_number = {source: s for s, source in enumerate(sources)}
        source_of = np.empty(len(items), dtype=np.int64)
        parent = list(range(len(items)))
        first_with: dict[str, int] = {}

        def root(i: int) -> int:
            while parent[i] != i:
                parent[i] = parent[parent[i]]
                i = parent[i]
            return i

        for i, item in enumerate(items):
            has_query[i, [column[code] for code in item.queries]] = True
            has_passage[i, [column[code] for code in item.passages]] = True
            source_of[i] = source_number[item.source]
            for text in item.passages.values():
                parent[root(i)] = root(first_with.setdefault(text, i))
        groups = np.fromiter((root(i) for i in range(len(items))), dtype=np.int64, count=len(items))
        return cls(languages, has_query, has_passage, groups, sources, source_of)
