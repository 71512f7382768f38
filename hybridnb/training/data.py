"""Batches as transformers.Trainer wants them: rows of text in a row, and what makes tensors of them."""

from __future__ import annotations

import concurrent.futures
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hybridnb.corpora.parallel import ParallelCorpus
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.kinds import Kind
from hybridnb.training.batching import BatchSampler, Pair
from hybridnb.training.settings import TrainingSettings
from hybridnb.training.strategies import Strategy

Row = tuple[str, ...]
"""(query, passage) or (query, passage, hard negative)."""

Batch = dict[str, Any]
"""Features of "queries", "passages" and perhaps "hard_negatives"; "passage_texts" and "hard_negative_texts" number
their texts."""


class StepDataset(torch.utils.data.Dataset[Row]):
    """The pairs of all steps in a row: row i is pair `i % batch_size` of step `i // batch_size`.

    Read in order it gives every process its part of the same batch, and the Trainer's own skipping resumes it
    exactly.

    Args:
        steps: how many there are.
        hard_negatives: whether rows have one, in the language of the passage; `corpus.items.negative` gives it.

    Raises:
        ValueError: hard negatives of a corpus that has none.
    """

    def __init__(self, sampler: BatchSampler, steps: int, hard_negatives: bool = False) -> None:
        self.sampler, self.steps = sampler, steps
        self._negative: Callable[[int], Mapping[str, str]] | None = None
        if hard_negatives:
            self._negative = getattr(sampler.corpus.items, "negative", None)
            if self._negative is None:
                raise ValueError(
                    f"training.hard_negatives is on, but corpus {sampler.corpus.name!r} has none; "
                    "turn it off or train on mmarco"
                )
        self._step, self._pairs = -1, list[Pair]()

    def __len__(self) -> int:
        return self.steps * self.sampler.batch_size

    def __getitem__(self, row: int) -> Row:
        step, slot = divmod(row, self.sampler.batch_size)
        if step != self._step:
            self._step, self._pairs = step, self.sampler.batch(step)
        pair = self._pairs[slot]
        item = self.sampler.corpus[pair.item]
        texts = (item.queries[pair.query_language], item.passages[pair.passage_language])
        return texts if self._negative is None else (*texts, self._negative(pair.item)[pair.passage_language])

    def batch(self, step: int) -> list[Row]:
        """All rows of a step."""
        size = self.sampler.batch_size
        return [self[row] for row in range(step * size, (step + 1) * size)]


class Collator:
    """Rows -> token tensors, and a number for each candidate by which those that look the same are known.

    Texts look the same where the encoder reads the same tokens: after its normalisation, and cut to the training
    length.
    """

    def __init__(self, encoder: DualEncoder, settings: TrainingSettings) -> None:
        self.encoder = encoder
        self.max_length = settings.lengths

    def __call__(self, rows: Sequence[Row]) -> Batch:
        queries, passages, *negatives = zip(*rows, strict=True)
        batch: Batch = {"queries": self.encoder.pad(self._ids(queries, "query"))}
        for name, texts in (("passage", passages), *(("hard_negative", n) for n in negatives)):
            ids = self._ids(texts, "passage")
            batch[f"{name}s"] = self.encoder.pad(ids)
            batch[f"{name}_texts"] = _numbers(ids)
        return batch

    def _ids(self, texts: Sequence[str], kind: Kind) -> list[list[int]]:
        return self.encoder.token_ids(texts, kind, self.max_length[kind])


class Ahead:
    """Batches of an iterator, each made by a thread while the one before it is worked on."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._next: Future[Batch | None] | None = None

    def take(self, batches: Iterator[Batch]) -> Batch:
        """The next batch.

        Raises:
            StopIteration: there is none. Whatever making it raises is raised here, too.
        """
        batch = (self._next or self._thread.submit(next, batches, None)).result()
        if batch is None:
            raise StopIteration
        self._next = self._thread.submit(next, batches, None)
        return batch

    def wait(self) -> None:
        """Until the thread rests: a tokenizer serves one thread at a time."""
        if self._next is not None:
            concurrent.futures.wait([self._next])


def _numbers(ids: Sequence[Sequence[int]]) -> Tensor:
    digests = (
        hashlib.blake2b(np.asarray(row, dtype=np.int64).tobytes(), digest_size=8).digest() for row in ids
    )
    return torch.tensor([int.from_bytes(digest, "big", signed=True) for digest in digests])


def validation_batches(
    corpus: ParallelCorpus, settings: TrainingSettings, languages: Sequence[str] | None
) -> dict[str, StepDataset]:
    """The same validation batches for every strategy: in one language and, in parallel corpora, across two.

    Args:
        corpus: that is held out.
        languages: the training languages; those in which the corpus has no two items are left out (SQuADShifts is
            English only).

    Returns:
        "mono" and, where two of the items offer it, "cross".

    Raises:
        ValueError: the corpus is too small for a batch.
    """
    index = corpus.index
    both = index.has_query & index.has_passage
    counts = dict(zip(corpus.languages, both.sum(axis=0), strict=True))
    present = [code for code in languages or corpus.languages if counts.get(code, 0) > 1]
    columns = [corpus.languages.index(code) for code in present]
    offers_two = index.has_query[:, columns].sum(1) * index.has_passage[:, columns].sum(1) > both[
        :, columns
    ].sum(1)
    kinds = {"mono": Strategy("X-X-mono")}
    if offers_two.sum() > 1:
        kinds["cross"] = Strategy("X-Y")
    size = min(settings.validation_batch_size, settings.batch_size)
    return {
        kind: StepDataset(
            BatchSampler(corpus, strategy, batch_size=size, seed=0, languages=present),
            settings.validation_batches,
        )
        for kind, strategy in kinds.items()
    }
