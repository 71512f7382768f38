"""Which items may not meet in a batch because the encoder reads the same of them."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from hybridnb.corpora.parallel import CorpusIndex, ParallelCorpus, normalised
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.kinds import Kind
from hybridnb.training.settings import TrainingSettings


def groups_as_read(
    corpus: ParallelCorpus, encoder: DualEncoder, settings: TrainingSettings, languages: Collection[str] = ()
) -> NDArray[np.int64]:
    """The groups of the corpus' index, joined where texts cut to the training length begin with the same tokens.

    Texts shorter than the length are not cut, and the corpora that are read from disk (mMARCO, millions of items) are
    left as they are; there the loss at least leaves out equal passages (`data.Collator`).

    Args:
        languages: of training; empty means all of the corpus.

    Raises:
        ValueError: a training length that the encoder cannot have.

    Returns:
        int64 [items], for `BatchSampler(groups=...)`; the index's own where no texts are cut alike.
    """
    if not isinstance(corpus.items, list):
        return corpus.index.groups
    queries = _cut_alike(corpus, encoder, "query", settings.lengths["query"], languages)
    passages = _cut_alike(corpus, encoder, "passage", settings.lengths["passage"], languages)
    if not queries and not passages:
        return corpus.index.groups

    def query_key(text: str) -> str:
        return normalised(queries.get(text, text))

    def passage_key(text: str) -> str:
        return normalised(passages.get(text, text))

    return CorpusIndex.of(corpus.items, query_key, passage_key).groups


def _cut_alike(
    corpus: ParallelCorpus, encoder: DualEncoder, kind: Kind, length: int | None, languages: Collection[str]
) -> dict[str, str]:
    """Text -> the first text that is cut to the same tokens, of the texts for which that is another one."""
    if length is not None:
        encoder.check_length(kind, length)
    length = length or encoder.max_length(kind)
    taken = len(encoder.token_ids([""], kind)[0])
    # a token covers half a character or more, but for few tokenizers: equal tokens have an equal beginning
    same = max((length - taken) // 2, 1)
    beginnings: dict[str, set[str]] = defaultdict(set)
    for item in corpus.items:
        for code, text in (item.queries if kind == "query" else item.passages).items():
            if (not languages or code in languages) and len(text.encode()) + taken >= length:
                start = "".join(unicodedata.normalize("NFKC", text).casefold().split())[:same]
                beginnings[start].add(text)
    texts = sorted(text for alike in beginnings.values() if len(alike) > 1 for text in alike)
    first: dict[tuple[int, ...], str] = {}
    found = {}
    for text, ids in zip(texts, encoder.token_ids(texts, kind, length), strict=True):
        if len(ids) == length and first.setdefault(tuple(ids), text) != text:
            found[text] = first[tuple(ids)]
    return found
