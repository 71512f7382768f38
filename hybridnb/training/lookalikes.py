"""Which items may not meet in a batch because the encoder reads the same of them."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from hybridnb.corpora.parallel import ParallelCorpus
from hybridnb.encoders.encoder import DualEncoder, Kind
from hybridnb.training.settings import TrainingSettings


def groups_as_read(
    corpus: ParallelCorpus, encoder: DualEncoder, settings: TrainingSettings, languages: Collection[str] = ()
) -> NDArray[np.int64]:
    """The groups of the corpus' index, joined where texts cut to the training length begin with the same tokens.

    Items that share a whole text are in one group already. Texts shorter than the length are not cut, and the corpora
    that are read from disk (mMARCO, millions of items) are left as they are; there the loss at least leaves out equal
    passages (`data.Collator`).

    Args:
        languages: of training; empty means all of the corpus.

    Returns:
        int64 [items], for `BatchSampler(groups=...)`; the index's own where nothing is joined.
    """
    groups = corpus.index.groups
    if not isinstance(corpus.items, list):
        return groups
    numbers: dict[tuple[str, tuple[int, ...]], int] = {}
    items, texts = list[int](), list[int]()
    lengths: dict[Kind, int | None] = {
        "query": settings.max_query_length,
        "passage": settings.max_passage_length,
    }
    for kind, length in lengths.items():
        for item, ids in _cut_alike(corpus, encoder, kind, length or encoder.max_length(kind), languages):
            items.append(item)
            texts.append(numbers.setdefault((kind, tuple(ids)), len(numbers)))
    if len(texts) == len(numbers):
        return groups
    # groups and texts are the nodes of a graph, and an item joins its group to its texts
    names, number = np.unique(groups, return_inverse=True)
    size = len(names) + len(numbers)
    edges = (np.ones(len(items), dtype=bool), (number[items], len(names) + np.array(texts)))
    _, joined = connected_components(coo_matrix(edges, shape=(size, size)), directed=False)
    return joined[number].astype(np.int64)


def _cut_alike(
    corpus: ParallelCorpus, encoder: DualEncoder, kind: Kind, length: int, languages: Collection[str]
) -> Iterator[tuple[int, list[int]]]:
    """(item, token ids) of the texts that are cut, among those that might begin as another item's does."""
    taken = len(encoder.token_ids([""], kind)[0])
    # a token covers half a character or more, but for few tokenizers: equal tokens have an equal beginning
    same = max((length - taken) // 2, 1)
    beginnings: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for position, item in enumerate(corpus.items):
        for code, text in (item.queries if kind == "query" else item.passages).items():
            if (not languages or code in languages) and len(text.encode()) + taken >= length:
                start = "".join(unicodedata.normalize("NFKC", text).casefold().split())[:same]
                beginnings[start][position].append(text)
    several = [of_items for of_items in beginnings.values() if len(of_items) > 1]
    found = [
        (position, text) for of_items in several for position, texts in of_items.items() for text in texts
    ]
    ids = encoder.token_ids([text for _, text in found], kind, length)
    return ((position, row) for (position, _), row in zip(found, ids, strict=True) if len(row) == length)
