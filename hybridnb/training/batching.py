"""(corpus, strategy, seed, step) -> the pairs of a training batch.

A batch is a pure function of its step: what is kept between calls is only a cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hybridnb.corpora.parallel import ParallelCorpus
from hybridnb.training.epochs import Epochs, Weights
from hybridnb.training.strategies import Strategy

MIXED = -1
"""The stream of the batches in several languages; the others are numbered as the training languages are."""

_BLOCK = 4096  # steps whose streams are drawn at a time
_SCHEDULE, _PAIRS = 1 << 20, 1 << 21  # keep the random streams of one seed apart


class Pair(NamedTuple):
    """One query-passage pair of a batch: which item, and in which language each side is read."""

    item: int
    query_language: str
    passage_language: str


class BatchSampler:
    """Draws batches from a parallel corpus by a strategy.

    Each batch comes from a stream of items: those that exist in one language, for every training language, or those
    that offer a pair of languages for batches in several. `Schedule` says which stream a step draws from, `Epochs`
    deals the stream's items, and for batches in several languages each item then gets its two.

    Guarantees, for every step:
    - batches in one language have it uniform over the training languages; within an epoch of that language no item
      is drawn twice (an epoch ends when less than a batch is left, and reshuffles).
    - pairs of different languages are uniform over the ordered pairs that the item offers; an epoch runs over all
      items that offer one. The same goes for pairs of the same language in batches of several.
    - no two pairs come from one item, and none from items of one group.

    Args:
        languages: training languages (default: all of the corpus); other texts are never drawn.
        weights: of the corpus' sources, see `Weights`.
        groups: int64 [items], items of one number never meet in a batch (default: those of the corpus' index, which
            share a text; `lookalikes.groups_as_read` also knows what the encoder reads).

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
    ) -> None:
        if batch_size < 2:
            raise ValueError(f"batch_size is {batch_size}; in-batch negatives need at least 2")
        if seed < 0:
            raise ValueError(f"seed is {seed}; it must not be negative")
        self.corpus, self.strategy, self.batch_size, self.seed = corpus, strategy, batch_size, seed
        self.languages = _training_languages(corpus, strategy.recipe.languages or languages)
        columns = [corpus.languages.index(code) for code in self.languages]
        self._has_query = corpus.index.has_query[:, columns]
        self._has_passage = corpus.index.has_passage[:, columns]
        self._schedule = Schedule(strategy.mono_share, len(self.languages), seed)
        # renumbered from 0, once for all streams
        given = corpus.index.groups if groups is None else groups
        numbered = np.unique(given, return_inverse=True)[1].astype(np.int32)
        self._epochs = {
            stream: Epochs(
                corpus,
                np.flatnonzero(self._eligible(stream)).astype(np.int32),
                numbered,
                batch_size=batch_size,
                key=(seed, stream + 1),
                weights=weights,
                what=self._described(stream),
            )
            for stream in self._schedule.streams
        }

    def batch(self, step: int) -> list[Pair]:
        """The pairs of this step, counted from 0."""
        if step < 0:
            raise ValueError(f"step is {step}; steps are counted from 0")
        stream, nth = self._schedule.at(step)
        items = self._epochs[stream].batch(nth)
        if stream != MIXED:
            language = self.languages[stream]
            return [Pair(item, language, language) for item in items.tolist()]
        uniform = np.random.default_rng((self.seed, _PAIRS, step)).random(len(items))
        chosen = choose(self._offered(items).reshape(len(items), -1), uniform)
        query, passage = np.divmod(chosen, len(self.languages))
        return [
            Pair(item, self.languages[q], self.languages[p])
            for item, q, p in zip(items.tolist(), query.tolist(), passage.tolist(), strict=True)
        ]

    def _offered(self, items: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which (query language, passage language) each item offers to a batch in several: [items, L, L]."""
        offered = self._has_query[items][:, :, None] & self._has_passage[items][:, None, :]
        same = np.eye(len(self.languages), dtype=bool)
        return offered & (same if self.strategy.recipe.within_pair == "same" else ~same)

    def _eligible(self, stream: int) -> NDArray[np.bool_]:
        """Which items of the corpus a stream draws."""
        if stream != MIXED:
            return self._has_query[:, stream] & self._has_passage[:, stream]
        both = self._has_query & self._has_passage
        if self.strategy.recipe.within_pair == "same":
            return np.any(both, axis=1)
        # does `_offered` offer anything: counted, for [items, L, L] does not fit for millions of items
        pairs: NDArray[np.int64] = self._has_query.sum(1) * self._has_passage.sum(1) - both.sum(1)
        return pairs > 0

    def _described(self, stream: int) -> str:
        if stream != MIXED:
            return f"items with query and passage in {self.languages[stream]!r}"
        if self.strategy.recipe.within_pair == "same":
            return "items with query and passage in one language"
        return "items with query and passage in two different languages"


class Schedule:
    """Which stream of items each step draws from: that of a language, or `MIXED`.

    Every step is of one language with probability `mono_share`, and of each language with the same. (A schedule that
    gives all strategies the same items in the same order would be another class with `streams` and `at`.)

    Args:
        mono_share: fraction of the batches in one language.
        languages: how many there are.
    """

    def __init__(self, mono_share: float, languages: int, seed: int) -> None:
        self.mono_share, self.languages, self.seed = mono_share, languages, seed
        self._blocks: list[tuple[NDArray[np.int16], NDArray[np.int64]]] = []

    @property
    def streams(self) -> list[int]:
        """All streams that steps draw from."""
        return [
            *(range(self.languages) if self.mono_share > 0 else ()),
            *([MIXED] if self.mono_share < 1 else ()),
        ]

    def at(self, step: int) -> tuple[int, int]:
        """The stream of a step, and how many earlier steps drew from it."""
        block, within = divmod(step, _BLOCK)
        while len(self._blocks) <= block:
            self._draw_block()
        streams, before = self._blocks[block]
        stream = int(streams[within])
        return stream, int(before[stream + 1]) + int(np.count_nonzero(streams[:within] == stream))

    def _draw_block(self) -> None:
        """The streams of the next block of steps, and how often each was drawn from before it (`MIXED` first)."""
        rng = np.random.default_rng((self.seed, _SCHEDULE, len(self._blocks)))
        kind, language = rng.random((2, _BLOCK))
        of_language = (language * self.languages).astype(np.int16)
        streams = np.where(kind < self.mono_share, of_language, np.int16(MIXED))
        before = np.zeros(self.languages + 1, dtype=np.int64)
        if self._blocks:
            last, before_last = self._blocks[-1]
            before = before_last + np.bincount(last + 1, minlength=len(before))
        self._blocks.append((streams, before))


def choose(offered: NDArray[np.bool_], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    """One of the offered columns of each row, each with the same probability.

    Args:
        offered: [rows, columns], at least one in every row.
        uniform: [rows], random numbers in [0, 1).

    Example:
        The second row offers columns 1 and 3: below a half is the first of the two, above it the second.

        >>> offered = np.array([[True, False, False, False], [False, True, False, True]])
        >>> choose(offered, np.array([0.9, 0.4])).tolist(), choose(offered, np.array([0.9, 0.6])).tolist()
        ([0, 1], [0, 3])
    """
    wanted = (uniform * offered.sum(axis=1)).astype(np.int64)  # how many offers are passed over
    # counted from the left, the wanted offer is where the count first exceeds those passed over
    return (offered.cumsum(axis=1) > wanted[:, None]).argmax(axis=1)


def _training_languages(corpus: ParallelCorpus, languages: Sequence[str] | None) -> tuple[str, ...]:
    chosen = tuple(sorted(corpus.languages if languages is None else set(languages)))
    missing = [code for code in chosen if code not in corpus.languages]
    if missing or not chosen:
        raise ValueError(
            f"corpus {corpus.name!r} has no items in {', '.join(missing) or 'the empty list of languages'}; "
            f"it has {', '.join(corpus.languages)}"
        )
    return chosen
