"""Items dealt to batches, epoch after epoch, so that what may not meet never does."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hybridnb.corpora.parallel import ParallelCorpus

Weights = Literal["proportional"] | float | Mapping[str, float]
"""How sources are weighted: in proportion to their size, by size ** (1 / temperature), or as given."""

_ROUND = 1 << 22  # keeps the rounds' random streams apart from the epochs'


class Epochs:
    """Batches of the items of a corpus; within an epoch every item is drawn once (weights change that).

    Items of one group may not meet in a batch. A group larger than the number of batches is cut to it, by other
    members each epoch.

    Args:
        corpus: for its sources and its name.
        items: int32, positions of the items that are drawn.
        groups: int32 [corpus], numbered from 0.
        batch_size: items a batch.
        key: which stream of random numbers this is.
        weights: see `Weights`. With anything but "proportional" a small source is repeated within an epoch, never
            before all its items were drawn.
        what: the items in words, for errors.

    Raises:
        ValueError: too few items for a batch, bad weights.
    """

    def __init__(
        self,
        corpus: ParallelCorpus,
        items: NDArray[np.int32],
        groups: NDArray[np.int32],
        *,
        batch_size: int,
        key: tuple[int, int],
        weights: Weights,
        what: str,
    ) -> None:
        if len(items) == 0:
            raise ValueError(f"corpus {corpus.name!r} has no {what}: add some, or leave out what needs them")
        self.items, self.groups, self.batch_size, self.key = items, groups, batch_size, key
        self.quotas = _quotas(corpus, items, weights)
        largest = self._largest_groups()
        self.batches = full_batches(largest, len(items), batch_size)
        if self.batches == 0:
            raise ValueError(
                f"corpus {corpus.name!r} has {len(items):,} {what}, {np.count_nonzero(largest):,} of them without a "
                f"text in common, as they are read in training: too few for a batch of {batch_size}; lower batch_size, "
                "raise training.max_query_length or max_passage_length, or add items"
            )
        self._dealt = lru_cache(maxsize=1)(self._deal)

    def batch(self, nth: int) -> NDArray[np.int32]:
        """Positions of the items of the nth batch, counted from 0 over all epochs."""
        epoch, position = divmod(nth, self.batches)
        return self._dealt(epoch)[position]

    def _deal(self, epoch: int) -> NDArray[np.int32]:
        """[batches, batch_size] item positions."""
        rng = np.random.default_rng((*self.key, epoch))
        members = self.items[rng.permutation(self._members(epoch))]
        return deal(members, self.groups[members], self.batches, self.batch_size, rng)

    def _members(self, epoch: int) -> NDArray[np.int64]:
        """Positions in `self.items` that this epoch draws, with repeats where a source is enlarged."""
        if self.quotas is None:
            return np.arange(len(self.items))
        drawn = []
        for number, (positions, quota) in self.quotas.items():
            # go round and round the source, from where the epoch before stopped, reshuffling every round
            size, start = len(positions), epoch * quota
            for turn in range(start // size, _up(start + quota, size)):
                order = np.random.default_rng((*self.key, _ROUND + number, turn)).permutation(positions)
                drawn.append(order[max(start - turn * size, 0) : start + quota - turn * size])
        return np.concatenate(drawn)

    def _largest_groups(self) -> NDArray[np.int64]:
        """The most often that an epoch can draw each group."""
        if self.quotas is None:
            return np.bincount(self.groups[self.items])
        sizes = np.zeros(int(self.groups.max()) + 1, dtype=np.int64)
        for positions, quota in self.quotas.values():
            # `quota` draws in a row touch at most this many rounds, and each round draws an item once
            rounds = _up(quota - 1, len(positions)) + 1
            np.add.at(sizes, self.groups[self.items[positions]], rounds)
        return sizes


def deal(
    members: NDArray[np.int32],
    groups: NDArray[np.int32],
    batches: int,
    batch_size: int,
    rng: np.random.Generator,
) -> NDArray[np.int32]:
    """Deal items to batches as cards to players, so that no two of a group get into one batch.

    The cards are put in a row, group beside group, and the k-th goes to batch k modulo `batches`. Neighbours thus go
    to different batches, and so do all members of a group that has no more members than there are batches; further
    ones are put away. Groups and members are in random order: items without a group are a plain random permutation.

    Args:
        members: the items, in random order.
        groups: their groups.
        batches, batch_size: what is filled; it must not be more than what is kept.

    Returns:
        Items [batches, batch_size].

    Example:
        Items 1, 2 and 3 are of one group. There are two batches, so one of the three, here 3, is put away; the
        two others are neighbours in the row, and each batch gets one of them.

        >>> items, groups = np.array([1, 2, 3, 4, 5, 6], np.int32), np.array([0, 0, 0, 1, 2, 3], np.int32)
        >>> deal(items, groups, batches=2, batch_size=2, rng=np.random.default_rng(1)).tolist()
        [[2, 5], [1, 4]]
    """
    place = rng.permutation(int(groups.max()) + 1)[groups]
    order = np.argsort(place, kind="stable")
    row = order[number_in_runs(place[order]) < batches]
    # what does not fill a batch is left out at the two ends of the row
    start = int(rng.integers(len(row) - batches * batch_size + 1))
    row = row[start : start + batches * batch_size]
    dealt = row.reshape(batch_size, batches).T
    # consecutive batches would otherwise see the members of a group one after the other
    return np.ascontiguousarray(members[dealt[rng.permutation(batches)]])


def number_in_runs(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The place of each value in its run of equal values, counted from 0.

    Example:
        >>> number_in_runs(np.array([7, 7, 7, 2, 5, 5])).tolist()
        [0, 1, 2, 0, 0, 1]
    """
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    lengths = np.diff(np.r_[starts, len(values)])
    return np.arange(len(values)) - np.repeat(starts, lengths)


def full_batches(sizes: NDArray[np.int64], items: int, batch_size: int) -> int:
    """How many batches an epoch fills when none may hold two items of a group.

    Of a group larger than the number n of batches only n items are used: the answer is the largest n whose
    n * batch_size places can be filled so.

    Args:
        sizes: the most items an epoch can draw of each group.
        items: how many it draws in all.

    Example:
        Four batches of 2 need 8 items, but of a group of 5 they can use only 4, and so on down to three batches,
        which use 3 of the 5 and the 3 others.

        >>> full_batches(np.array([5, 1, 1, 1]), items=8, batch_size=2)
        3
    """
    batches = items // batch_size
    while batches:
        used = max(items - int(np.maximum(sizes - batches, 0).sum()), 0)
        if used >= batches * batch_size:
            break
        batches = used // batch_size
    return batches


def _quotas(
    corpus: ParallelCorpus, items: NDArray[np.int32], weights: Weights
) -> dict[int, tuple[NDArray[np.int64], int]] | None:
    """Per source its positions in `items` and its draws per epoch; None where every item is drawn once."""
    if weights == "proportional" or weights == 1.0:
        return None
    source_of = corpus.index.source_of[items]
    numbers, sizes = np.unique(source_of, return_counts=True)
    raw = _raw_weights(corpus, numbers.tolist(), sizes, weights)
    # largest remainders: whole numbers that add up to the items of an epoch
    exact = raw / raw.sum() * len(items)
    quotas = np.floor(exact).astype(int)
    largest = np.argsort(quotas - exact, kind="stable")[: len(items) - int(quotas.sum())]
    quotas[largest] += 1
    return {
        number: (np.flatnonzero(source_of == number), quota)
        for number, quota in zip(numbers.tolist(), quotas.tolist(), strict=True)
        if quota
    }


def _raw_weights(
    corpus: ParallelCorpus, numbers: list[int], sizes: NDArray[np.int64], weights: Weights
) -> NDArray[np.float64]:
    """The weight of each source that has items, by its number, before they are made to add up."""
    names = [corpus.index.sources[number] for number in numbers]
    if isinstance(weights, Mapping):
        unknown = sorted(set(weights) - set(corpus.index.sources))
        if unknown:
            known = ", ".join(corpus.index.sources)
            raise ValueError(f"weights name {', '.join(unknown)}; the sources of {corpus.name!r} are {known}")
        raw = np.array([weights.get(name, 0.0) for name in names], dtype=float)
    elif isinstance(weights, (int, float)) and weights > 0:
        raw = sizes.astype(float) ** (1 / weights)
    else:
        raise ValueError(
            f"weights are {weights!r}; give 'proportional', a temperature above 0, or weights by source"
        )
    if not np.isfinite(raw).all() or (raw < 0).any() or raw.sum() == 0:
        raise ValueError(
            f"weights are {weights!r}; each must be at least 0 and one above 0 among {', '.join(names)}"
        )
    return raw


def _up(numerator: int, denominator: int) -> int:
    """The quotient, rounded up."""
    return -(-numerator // denominator)
