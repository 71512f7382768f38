"""Our batches in other training loops: sentence-transformers' Trainer, any other, a loop of one's own."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset
from datasets.table import InMemoryTable
from torch.utils.data import Sampler

from hybridnb.corpora.parallel import ParallelCorpus
from hybridnb.training.batching import BatchSampler, Pair
from hybridnb.training.strategies import Strategy

CHUNK = 1 << 16
"""Rows of one piece of a column; pieces of the same content are one in memory."""


class PairDataset(Dataset):
    """Every pair that can be drawn from a corpus, as a `datasets.Dataset` (and so any PyTorch loop's).

    A row is an item, its query in one language and its passage in one: {"query": text, "document": text}, read from
    the corpus when it is asked for. There are items x languages x languages of them, and they take next to no memory.

    Args:
        corpus: what is trained on.

    Example:
        >>> from hybridnb.corpora.parallel import Item
        >>> items = [Item(f"{n}", "toy", f"{n}", {"de": f"{n}?", "en": f"{n}?!"}, {"de": f"{n}."}) for n in range(3)]
        >>> pairs = PairDataset(ParallelCorpus("toy", items))
        >>> len(pairs), pairs[4]
        (6, {'query': '1?!', 'document': '1.'})
        >>> pairs.rows([Pair(1, "en", "de")])
        [4]
    """

    def __init__(self, corpus: ParallelCorpus) -> None:
        self.corpus, self.epoch = corpus, 0
        index, number = corpus.index, len(corpus.languages)
        every = np.arange(len(corpus), dtype=np.int32)
        self._items, items, languages = list[Any](), list[pa.Array](), list[pa.Array]()
        for pair, (query, passage) in enumerate(product(range(number), repeat=2)):
            has = index.has_query[:, query] & index.has_passage[:, passage]
            of_pair = every if has.all() else np.flatnonzero(has).astype(np.int32)
            self._items.append(of_pair)
            same = pa.array(np.full(min(CHUNK, len(of_pair)), pair, dtype=np.int32))
            for start in range(0, len(of_pair), CHUNK):
                items.append(pa.array(of_pair[start : start + CHUNK]))
                languages.append(same[: len(items[-1])])
        self._starts = np.cumsum([0, *map(len, self._items)])
        columns = {"item": items, "languages": languages}
        table = pa.table({name: pa.chunked_array(parts, pa.int32()) for name, parts in columns.items()})
        super().__init__(InMemoryTable(table), fingerprint=corpus.sha256[:16])
        self.set_transform(_Texts(corpus))

    def rows(self, pairs: Sequence[Pair]) -> list[int]:
        """The rows of these pairs."""
        place = {code: number for number, code in enumerate(self.corpus.languages)}
        numbers = [place[pair.query_language] * len(place) + place[pair.passage_language] for pair in pairs]
        return [
            int(self._starts[number] + np.searchsorted(self._items[number], pair.item))
            for number, pair in zip(numbers, pairs, strict=True)
        ]

    def set_epoch(self, epoch: int) -> None:
        """What `StrategyBatches.set_epoch` does.

        It is here since accelerate tells the data set of an epoch, but not a batch sampler which one of several
        processes resumes.
        """
        self.epoch = epoch


class _Texts:
    """Rows of a `PairDataset`'s columns -> texts."""

    def __init__(self, corpus: ParallelCorpus) -> None:
        self.corpus = corpus

    def __call__(self, rows: dict[str, list[int]]) -> dict[str, list[str]]:
        codes, texts = self.corpus.languages, {"query": list[str](), "document": list[str]()}
        for item, pair in zip(rows["item"], rows["languages"], strict=True):
            query, passage = divmod(pair, len(codes))
            texts["query"].append(self.corpus[item].queries[codes[query]])
            texts["document"].append(self.corpus[item].passages[codes[passage]])
        return texts

    def __reduce__(self) -> Any:
        # datasets hashes what it is given by a pickler in Python, which takes seconds for a corpus
        return _unpickled, (pickle.dumps(self.corpus),)


def _unpickled(corpus: bytes) -> _Texts:
    return _Texts(pickle.loads(corpus))


class StrategyBatches(Sampler[list[int]]):
    """The batches of a strategy as rows of a `PairDataset`, for a DataLoader's `batch_sampler`.

    They are those of `BatchSampler`: what a step draws follows from strategy, seed and the size of the whole batch,
    and from nothing that was drawn before. sentence-transformers takes the class itself
    (`batch_sampler=partial(StrategyBatches, strategy="hybrid(0.5)")`) and gives it data set, batch size and seed.

    In several processes a step's batch is that of one process with `processes` times the batch size, and each gets
    its part of it. The parts come one after the other, as accelerate's `prepare`, and with it every Trainer, deals
    them to the processes. (Not where a Trainer mixes several data sets: there each process gets a part of another
    batch.)

    Args:
        dataset: the pairs.
        batch_size: pairs a step in each process.
        strategy: as it is written, or as an object.
        seed: of everything.
        steps: an epoch has; by default as many as the corpus fills. The next epoch goes on where it ended.
        first: the step to begin with, where the steps before it were taken already.
        processes: share each batch; by default those of torch.distributed. 1 where accelerate is told to split
            batches (`split_batches`), which are then whole.
        process: whose part alone is drawn, where nothing like accelerate deals them.
        drop_last, valid_label_columns, generator: what sentence-transformers gives to every sampler; not needed.
        drawing: languages, weights, groups or draws of `BatchSampler`.

    Raises:
        ValueError: `dataset` is no `PairDataset`, or as `BatchSampler`.

    Example:
        >>> from hybridnb.corpora.parallel import Item
        >>> def asked(n, mark):
        ...     return {"de": f"ja {n}{mark}", "en": f"yes {n}{mark}"}
        >>> items = [Item(f"{n}", "toy", f"{n}", asked(n, "?"), asked(n, ".")) for n in range(9)]
        >>> pairs = PairDataset(ParallelCorpus("toy", items))
        >>> batches = StrategyBatches(pairs, 2, strategy="X-Y", seed=0)
        >>> for batch in torch.utils.data.DataLoader(pairs, batch_sampler=batches):
        ...     print(*batch["query"], *batch["document"])
        ja 8? yes 7? yes 8. ja 7.
        ja 2? ja 6? yes 2. yes 6.
        yes 0? yes 3? ja 0. ja 3.
        ja 5? yes 1? yes 5. ja 1.
    """

    drop_last = True  # accelerate asks; every batch is full

    def __init__(
        self,
        dataset: PairDataset,
        batch_size: int,
        drop_last: bool = True,
        valid_label_columns: list[str] | None = None,
        generator: torch.Generator | None = None,
        seed: int = 0,
        *,
        strategy: Strategy | str,
        steps: int | None = None,
        first: int = 0,
        processes: int | None = None,
        process: int | None = None,
        **drawing: Any,
    ) -> None:
        if not isinstance(dataset, PairDataset):
            raise ValueError(
                f"StrategyBatches draws from a PairDataset, not from a {type(dataset).__name__}: give "
                "PairDataset(corpus), for training and as eval_dataset, and select nothing from it"
            )
        distributed = torch.distributed
        together = distributed.is_available() and distributed.is_initialized()
        self.processes = processes or (distributed.get_world_size() if together else 1)
        self.dataset, self.batch_size, self.first, self.process = dataset, batch_size, first, process
        self.sampler = BatchSampler(
            dataset.corpus,
            Strategy.parse(strategy) if isinstance(strategy, str) else strategy,
            batch_size=batch_size * self.processes,
            seed=seed,
            **drawing,
        )
        self.steps = steps or len(dataset.corpus) // self.sampler.batch_size
        self.set_epoch(first // self.steps)

    def set_epoch(self, epoch: int) -> None:
        """Go to the beginning of an epoch, counted from 0; without it one follows the other."""
        self.dataset.set_epoch(epoch)

    def __iter__(self) -> Iterator[list[int]]:
        epoch = self.dataset.epoch
        parts = range(self.processes) if self.process is None else [self.process]
        for step in self._steps(epoch):
            rows = self.dataset.rows(self.sampler.batch(step))
            for part in parts:
                yield rows[part * self.batch_size : (part + 1) * self.batch_size]
        self.set_epoch(epoch + 1)

    def __len__(self) -> int:
        return len(self._steps(self.dataset.epoch)) * (self.processes if self.process is None else 1)

    def _steps(self, epoch: int) -> range:
        return range(max(epoch * self.steps, self.first), (epoch + 1) * self.steps)
