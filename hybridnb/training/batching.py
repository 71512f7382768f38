"""Batch strategies: (corpus, strategy, seed, step) -> the pairs of a training batch.

X-X-mono, X-Y and hybrid are those of arXiv 2408.10536; En-En and X-X those of LAReQA (arXiv 2004.05484).
A batch is a pure function of its step: what is kept between calls is only a cache.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hybridnb.corpora.parallel import ParallelCorpus

STRATEGIES = ("X-X-mono", "X-Y", "hybrid", "X-X", "En-En")
"""Names a strategy may have; `hybrid` takes alpha."""

Weights = Literal["proportional"] | float | Mapping[str, float]
"""How sources are weighted: in proportion to their size, by size ** (1 / temperature), or as given."""

_BLOCK = 4096  # steps whose kind and language are drawn at a time
_MIXED = -1  # the stream of the batches whose pairs differ in language
_SCHEDULE, _PAIRS, _TURN = 1 << 20, 1 << 21, 1 << 22  # keep the random streams of one seed apart


class Pair(NamedTuple):
    """One query-passage pair of a batch: which item, and in which language each side is read."""

    item: int
    query_language: str
    passage_language: str


@dataclass(frozen=True)
class Strategy:
    """A batch strategy: its name and, for hybrid, the probability alpha of an X-X-mono batch."""

    name: str
    alpha: float | None = None

    def __post_init__(self) -> None:
        if self.name not in STRATEGIES:
            raise ValueError(f"strategy is {self.name!r}; known are {', '.join(STRATEGIES)}")
        if self.name == "hybrid":
            if not isinstance(self.alpha, (int, float)) or not 0 <= self.alpha <= 1:
                raise ValueError(f"alpha is {self.alpha!r}; the hybrid strategy needs a number in [0, 1]")
        elif self.alpha is not None:
            raise ValueError(
                f"alpha is {self.alpha!r}, but only the hybrid strategy takes one, not {self.name}"
            )

    def __str__(self) -> str:
        return self.name if self.alpha is None else f"hybrid({float(self.alpha)!r})"

    @classmethod
    def parse(cls, text: str) -> Strategy:
        """The strategy that `str` wrote: "X-Y", "hybrid(0.5)"."""
        match = re.fullmatch(r"hybrid\((.*)\)", text)
        if match is None:
            return cls(text)
        try:
            alpha = float(match[1])
        except ValueError:
            raise ValueError(f"strategy is {text!r}; write hybrid(ALPHA) with a number in [0, 1]") from None
        return cls("hybrid", alpha)

    @property
    def mono_share(self) -> float:
        """Probability that a batch is in one language."""
        return {"X-X-mono": 1.0, "En-En": 1.0}.get(self.name, self.alpha or 0.0)


class BatchSampler:
    """Draws batches from a parallel corpus by a strategy.

    languages: training languages (default: all of the corpus); other texts are never drawn.
    weights: see `Weights`. With anything but "proportional" a small source is repeated within an epoch,
        never before all its items were drawn.

    Guarantees, for every step:
    - X-X-mono batches have one language, uniform over the training languages; within an epoch of that
      language no item is drawn twice (an epoch ends when less than a batch is left, and reshuffles).
    - X-Y pairs have two different languages, uniform over the ordered pairs that the item offers; an epoch
      runs over all items that offer one.
    - no two pairs come from one item, and none from items that share a passage text (`corpus.index.groups`).

    ValueError: a corpus too small for the batch, a training language without items, bad weights.
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
    ) -> None:
        if batch_size < 2:
            raise ValueError(f"batch_size is {batch_size}; in-batch negatives need at least 2")
        if seed < 0:
            raise ValueError(f"seed is {seed}; it must not be negative")
        self.corpus, self.strategy, self.batch_size, self.seed = corpus, strategy, batch_size, seed
        self.languages = _training_languages(corpus, strategy, languages)
        columns = [corpus.languages.index(code) for code in self.languages]
        self._has_query = corpus.index.has_query[:, columns]
        self._has_passage = corpus.index.has_passage[:, columns]
        self._schedule: list[tuple[NDArray[np.int16], NDArray[np.int64]]] = []
        self._streams: dict[int, _Stream] = {}
        # renumbered from 0, once for all streams
        groups = np.unique(corpus.index.groups, return_inverse=True)[1].astype(np.int32)
        needed = list(range(len(self.languages))) if strategy.mono_share > 0 else []
        if strategy.mono_share < 1:
            needed.append(_MIXED)
        for stream in needed:
            self._streams[stream] = _Stream(
                corpus,
                groups,
                self._eligible(stream),
                batch_size,
                (seed, stream + 1),
                weights,
                self._describe(stream),
            )

    def batch(self, step: int) -> list[Pair]:
        """The pairs of this step (counted from 0)."""
        if step < 0:
            raise ValueError(f"step is {step}; steps are counted from 0")
        stream, nth = self._stream_of(step)
        positions = self._streams[stream].batch(nth)
        if stream != _MIXED:
            language = self.languages[stream]
            return [Pair(item, language, language) for item in positions.tolist()]
        rng = np.random.default_rng((self.seed, _PAIRS, step))
        offered = self._has_query[positions][:, :, None] & self._has_passage[positions][:, None, :]
        same = np.eye(len(self.languages), dtype=bool)
        offered &= same if self.strategy.name == "X-X" else ~same
        flat = offered.reshape(len(positions), -1)
        # the n-th offered pair, n uniform: exact, with one uniform number an item
        nth_pair = (rng.random(len(positions)) * flat.sum(1)).astype(np.int64)
        choice = (flat.cumsum(1) > nth_pair[:, None]).argmax(1)
        return [
            Pair(item, self.languages[c // len(self.languages)], self.languages[c % len(self.languages)])
            for item, c in zip(positions.tolist(), choice.tolist(), strict=True)
        ]

    def _eligible(self, stream: int) -> NDArray[np.bool_]:
        if stream != _MIXED:
            return self._has_query[:, stream] & self._has_passage[:, stream]
        both = self._has_query & self._has_passage
        if self.strategy.name == "X-X":
            return np.any(both, axis=1)
        # some ordered pair of different languages: all products of the two sides, less the diagonal
        ordered_pairs: NDArray[np.int64] = self._has_query.sum(1) * self._has_passage.sum(1) - both.sum(1)
        return ordered_pairs > 0

    def _describe(self, stream: int) -> str:
        if stream != _MIXED:
            return f"items with query and passage in {self.languages[stream]!r}"
        if self.strategy.name == "X-X":
            return "items with query and passage in one language"
        return "items with query and passage in two different languages"

    def _stream_of(self, step: int) -> tuple[int, int]:
        """Which stream of items this step draws from, and how many earlier steps drew from it."""
        block, within = divmod(step, _BLOCK)
        while len(self._schedule) <= block:
            self._extend_schedule()
        streams, before = self._schedule[block]
        stream = int(streams[within])
        return stream, int(before[stream + 1]) + int(np.count_nonzero(streams[:within] == stream))

    def _extend_schedule(self) -> None:
        rng = np.random.default_rng((self.seed, _SCHEDULE, len(self._schedule)))
        kind, language = rng.random((2, _BLOCK))
        mono = kind < self.strategy.mono_share
        streams = np.where(mono, (language * len(self.languages)).astype(np.int16), np.int16(_MIXED))
        before = np.zeros(len(self.languages) + 1, dtype=np.int64)
        if self._schedule:
            last_streams, last_before = self._schedule[-1]
            before = last_before + np.bincount(last_streams + 1, minlength=len(before))
        self._schedule.append((streams, before))


class _Stream:
    """Batches of item positions in which no group meets itself, epoch after epoch.

    An epoch lists the items group by group, groups shuffled, and deals them out like cards to its batches:
    members of a group lie side by side, so they go to different batches, and items that share a passage
    with no other are a plain random permutation. A group larger than the number of batches is cut to it,
    by other members each epoch.
    """

    def __init__(
        self,
        corpus: ParallelCorpus,
        groups: NDArray[np.int32],
        eligible: NDArray[np.bool_],
        batch_size: int,
        key: tuple[int, int],
        weights: Weights,
        what: str,
    ) -> None:
        self.batch_size, self.key = batch_size, key
        self.items = np.flatnonzero(eligible).astype(np.int32)
        if len(self.items) == 0:
            raise ValueError(f"corpus {corpus.name!r} has no {what}: leave that language out or add items")
        self.groups = groups
        self.quotas = _quotas(corpus, self.items, weights)
        largest = self._largest_groups()
        self.batches = len(self.items) // batch_size
        while self.batches and (held := self._held(largest)) < self.batches * batch_size:
            self.batches = max(held, 0) // batch_size
        if self.batches == 0:
            distinct = np.count_nonzero(largest)
            raise ValueError(
                f"corpus {corpus.name!r} has {len(self.items):,} {what}, {distinct:,} of them with different "
                f"passages: too few for a batch of {batch_size}; lower batch_size or add items"
            )
        self._epoch = lru_cache(maxsize=1)(self._deal)

    def batch(self, nth: int) -> NDArray[np.int32]:
        epoch, position = divmod(nth, self.batches)
        return self._epoch(epoch)[position]

    def _largest_groups(self) -> NDArray[np.int64]:
        """The most often that an epoch can draw each group."""
        if self.quotas is None:
            return np.bincount(self.groups[self.items])
        sizes = np.zeros(int(self.groups.max()) + 1, dtype=np.int64)
        for positions, quota in self.quotas.values():
            rounds = -(-(quota - 1) // len(positions)) + 1
            np.add.at(sizes, self.groups[self.items[positions]], rounds)
        return sizes

    def _held(self, sizes: NDArray[np.int64]) -> int:
        """Items left of an epoch when every group is cut to the number of batches."""
        return len(self.items) - int(np.maximum(sizes - self.batches, 0).sum())

    def _members(self, epoch: int) -> NDArray[np.int64]:
        """Positions in `self.items` that this epoch draws, with repeats where a source is enlarged."""
        if self.quotas is None:
            return np.arange(len(self.items))
        drawn = []
        for number, (positions, quota) in self.quotas.items():
            # go round and round the source, from where the epoch before stopped, reshuffling every round
            size, start = len(positions), epoch * quota
            for turn in range(start // size, -(-(start + quota) // size)):
                order = np.random.default_rng((*self.key, _TURN + number, turn)).permutation(positions)
                drawn.append(order[max(start - turn * size, 0) : start + quota - turn * size])
        return np.concatenate(drawn)

    def _deal(self, epoch: int) -> NDArray[np.int32]:
        """[batches, batch_size] item positions."""
        rng = np.random.default_rng((*self.key, epoch))
        members = rng.permutation(self._members(epoch))
        groups = self.groups[self.items[members]]
        shuffled = rng.permutation(int(groups.max()) + 1)[groups]
        order = np.argsort(shuffled, kind="stable")
        ranked = shuffled[order]
        # place within the group, counted from 0: beyond the number of batches a member would meet its group
        first = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
        place = np.arange(len(ranked)) - np.repeat(first, np.diff(np.r_[first, len(ranked)]))
        kept = members[order[place < self.batches]]
        spare = len(kept) - self.batches * self.batch_size
        start = int(rng.integers(spare + 1))
        dealt = kept[start : start + self.batches * self.batch_size].reshape(self.batch_size, self.batches).T
        # consecutive batches would otherwise see the members of a group one after the other
        return np.ascontiguousarray(self.items[dealt[rng.permutation(self.batches)]])


def _training_languages(
    corpus: ParallelCorpus, strategy: Strategy, languages: Sequence[str] | None
) -> tuple[str, ...]:
    if strategy.name == "En-En":
        languages = ["en"]
    chosen = tuple(sorted(corpus.languages if languages is None else set(languages)))
    missing = [code for code in chosen if code not in corpus.languages]
    if missing or not chosen:
        raise ValueError(
            f"corpus {corpus.name!r} has no items in {', '.join(missing) or 'the empty list of languages'}; "
            f"it has {', '.join(corpus.languages)}"
        )
    return chosen


def _quotas(
    corpus: ParallelCorpus, items: NDArray[np.int32], weights: Weights
) -> dict[int, tuple[NDArray[np.int64], int]] | None:
    """Per source its positions in `items` and its draws per epoch; None where every item is drawn once."""
    if weights == "proportional" or weights == 1.0:
        return None
    source_of = corpus.index.source_of[items]
    numbers = np.unique(source_of).tolist()
    names = [corpus.index.sources[number] for number in numbers]
    if isinstance(weights, Mapping):
        unknown = sorted(set(weights) - set(corpus.index.sources))
        if unknown:
            known = ", ".join(corpus.index.sources)
            raise ValueError(f"weights name {', '.join(unknown)}; the sources of {corpus.name!r} are {known}")
        raw = np.array([weights.get(name, 0.0) for name in names], dtype=float)
    elif isinstance(weights, (int, float)) and weights > 0:
        raw = np.array([np.count_nonzero(source_of == number) for number in numbers], dtype=float) ** (
            1 / weights
        )
    else:
        raise ValueError(
            f"weights are {weights!r}; give 'proportional', a temperature above 0, or weights by source"
        )
    if not np.isfinite(raw).all() or (raw < 0).any() or raw.sum() == 0:
        raise ValueError(
            f"weights are {weights!r}; each must be at least 0 and one above 0 among {', '.join(names)}"
        )
    exact = raw / raw.sum() * len(items)
    quotas = np.floor(exact).astype(int)
    largest = np.argsort(quotas - exact, kind="stable")[: len(items) - int(quotas.sum())]
    quotas[largest] += 1
    return {
        number: (np.flatnonzero(source_of == number), int(quota))
        for number, quota in zip(numbers, quotas, strict=True)
        if quota
    }
