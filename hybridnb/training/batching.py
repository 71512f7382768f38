"""(corpus, strategy, seed, step) -> the pairs of a training batch.

A batch is a pure function of its step: what is kept between calls is only a cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hybridnb.corpora.parallel import ParallelCorpus
from hybridnb.training.epochs import Epochs, Weights
from hybridnb.training.independent import IndependentDraws
from hybridnb.training.paired import PairedDraws
from hybridnb.training.strategies import Strategy

Draws = Literal["independent", "paired"]
"""How the batches of different strategies go together, see `IndependentDraws` and `PairedDraws`."""


class Pair(NamedTuple):
    """One query-passage pair of a batch: which item, and in which language each side is read."""

    item: int
    query_language: str
    passage_language: str


class BatchSampler:
    """Draws batches from a parallel corpus by a strategy.

    Each step draws from a stream of items, which `Epochs` deals: within an epoch no item is drawn twice (an epoch ends
    when less than a batch is left, and reshuffles). Which stream, and which two languages each of its items is read
    in, is said by `IndependentDraws`, as in the paper, or by `PairedDraws`, where all strategies see the same items
    in the same order. No two pairs of a batch come from one item, and none from items of one group.

    Args:
        languages: training languages (default: all of the corpus); other texts are never drawn.
        weights: of the corpus' sources, see `Weights`.
        groups: int64 [items], items of one number never meet in a batch (default: those of the corpus' index, which
            share a text; `lookalikes.groups_as_read` also knows what the encoder reads).
        draws: independent or paired.

    Raises:
        ValueError: a corpus too small for the batch, a training language without items, bad weights.

    Example:
        >>> from hybridnb.corpora.parallel import Item, ParallelCorpus
        >>> def asked(n, mark):
        ...     return {"de": f"ja {n}{mark}", "en": f"yes {n}{mark}"}
        >>> items = [Item(f"{n}", "toy", f"{n}", asked(n, "?"), asked(n, ".")) for n in range(9)]
        >>> sampler = BatchSampler(ParallelCorpus("toy", items), Strategy("X-Y"), batch_size=2, seed=0)
        >>> for pair in sampler.batch(step=0):
        ...     print(*pair)
        8 de en
        7 en de
    """

    def __init__(
        self,
        corpus: ParallelCorpus,
        strategy: Strategy,
        *,
        batch_size: int,
        seed: int,
        languages: Sequence[str] | None = None,
        weights: Weights = "proportional",
        groups: NDArray[np.int64] | None = None,
        draws: Draws = "independent",
    ) -> None:
        if batch_size < 2:
            raise ValueError(f"batch_size is {batch_size}; in-batch negatives need at least 2")
        if seed < 0:
            raise ValueError(f"seed is {seed}; it must not be negative")
        self.corpus, self.strategy, self.batch_size, self.seed = corpus, strategy, batch_size, seed
        every = _training_languages(corpus, languages)
        self.languages = _training_languages(corpus, strategy.recipe.languages or languages)
        # paired: the items of all strategies are the same, of those in one language too
        of_items = every if draws == "paired" else self.languages
        columns = [corpus.languages.index(code) for code in of_items]
        drawn: type[IndependentDraws | PairedDraws] = PairedDraws if draws == "paired" else IndependentDraws
        self._draws = drawn(
            strategy,
            self.languages,
            corpus.index.has_query[:, columns],
            corpus.index.has_passage[:, columns],
            batch_size=batch_size,
            seed=seed,
        )
        # renumbered from 0, once for all streams
        given = corpus.index.groups if groups is None else groups
        numbered = np.unique(given, return_inverse=True)[1].astype(np.int32)
        self._epochs = {
            stream: Epochs(
                corpus,
                np.flatnonzero(eligible).astype(np.int32),
                numbered,
                batch_size=batch_size,
                key=(seed, stream + 1),
                weights=weights,
                what=words,
            )
            for stream, eligible, words in self._draws.streams()
        }

    def batch(self, step: int) -> list[Pair]:
        """The pairs of this step, counted from 0."""
        if step < 0:
            raise ValueError(f"step is {step}; steps are counted from 0")
        stream, nth = self._draws.stream(step)
        items = self._epochs[stream].batch(nth)
        query, passage = self._draws.languages(step, items)
        return [
            Pair(item, self.languages[q], self.languages[p])
            for item, q, p in zip(items.tolist(), query.tolist(), passage.tolist(), strict=True)
        ]


def _training_languages(corpus: ParallelCorpus, languages: Sequence[str] | None) -> tuple[str, ...]:
    chosen = tuple(sorted(corpus.languages if languages is None else set(languages)))
    missing = [code for code in chosen if code not in corpus.languages]
    if missing or not chosen:
        raise ValueError(
            f"corpus {corpus.name!r} has no items in {', '.join(missing) or 'the empty list of languages'}; "
            f"it has {', '.join(corpus.languages)}"
        )
    return chosen
