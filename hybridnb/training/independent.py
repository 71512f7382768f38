"""Independent batches, as the paper draws them: each step's kind, its language, its items and theirs by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridnb.training.strategies import Strategy

MIXED = -1
"""The stream of the batches in several languages; the others are numbered as the training languages are."""

_BLOCK = 4096  # steps whose streams are drawn at a time
_SCHEDULE, _PAIRS = 1 << 20, 1 << 21  # keep the random streams of one seed apart


class IndependentDraws:
    """What each step draws: from a stream of items, and of each item two languages.

    A stream holds the items that exist in one language, for every training language, or those that offer a pair of
    languages for batches in several; `Schedule` says which one a step draws from.

    - Batches in one language have it uniform over the training languages; an epoch of that language runs over all its
      items.
    - Pairs of different languages are uniform over the ordered pairs that the item offers; an epoch runs over all
      items that offer one. The same goes for pairs of the same language in batches of several.
    - A strategy's own function (`strategies.Pairing`) gets items that have a query and a passage in some languages.

    Args:
        strategy: what is drawn.
        languages: the training languages.
        has_query, has_passage: bool [items, languages].
        batch_size: pairs a step.
        seed: of everything.
    """

    def __init__(
        self,
        strategy: Strategy,
        languages: tuple[str, ...],
        has_query: NDArray[np.bool_],
        has_passage: NDArray[np.bool_],
        *,
        batch_size: int,
        seed: int,
    ) -> None:
        self.names, self.seed, self.strategy = languages, seed, strategy
        self.within_pair = strategy.recipe.within_pair
        self.has_query, self.has_passage = has_query, has_passage
        self.schedule = Schedule(strategy.mono_share, len(languages), seed)

    def streams(self) -> Iterator[tuple[int, NDArray[np.bool_], str]]:
        """(stream, which items it draws, these in words) of every stream."""
        both = self.has_query & self.has_passage
        for stream in self.schedule.streams:
            if stream != MIXED:
                yield stream, both[:, stream], f"items with query and passage in {self.names[stream]!r}"
            elif self.within_pair == "same":
                yield stream, np.any(both, axis=1), "items with query and passage in one language"
            elif callable(self.within_pair):
                offers = np.any(self.has_query, axis=1) & np.any(self.has_passage, axis=1)
                yield stream, offers, "items with query and passage"
            else:
                # whether any is offered: counted, for [items, L, L] does not fit for millions of items
                pairs = self.has_query.sum(1) * self.has_passage.sum(1) - both.sum(1)
                yield stream, pairs > 0, "items with query and passage in two different languages"

    def stream(self, step: int) -> tuple[int, int]:
        """The stream of a step, and how many earlier steps drew from it."""
        return self.schedule.at(step)

    def languages(self, step: int, items: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The numbers of the languages that a step's queries and passages are read in."""
        stream, _ = self.schedule.at(step)
        if stream != MIXED:
            chosen = np.full(len(items), stream)
            return chosen, chosen
        random = np.random.default_rng((self.seed, _PAIRS, step))
        offered = self.has_query[items][:, :, None] & self.has_passage[items][:, None, :]
        if callable(self.within_pair):
            drawn = self.within_pair(step, self.names, offered, random)
            return self._checked(step, offered, *map(np.asarray, drawn))
        same = np.eye(len(self.names), dtype=bool)
        offered &= same if self.within_pair == "same" else ~same
        chosen = choose(offered.reshape(len(items), -1), random.random(len(items)))
        return np.divmod(chosen, len(self.names))

    def _checked(
        self, step: int, offered: NDArray[np.bool_], query: NDArray[Any], passage: NDArray[Any]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """What a strategy's own function drew, if the items have it."""
        size, names = len(offered), len(self.names)
        for side in (query, passage):
            if side.shape != (size,) or not np.isin(side, range(names)).all():
                raise ValueError(
                    f"{self.strategy} gave {side.tolist()} in step {step}: return the numbers of the languages, 0 to "
                    f"{names - 1}, of {size} queries and of {size} passages"
                )
        query, passage = query.astype(np.int64), passage.astype(np.int64)
        if absent := np.flatnonzero(~offered[np.arange(size), query, passage]).tolist():
            pair = f"{self.names[query[absent[0]]]}>{self.names[passage[absent[0]]]}"
            raise ValueError(
                f"{self.strategy} reads item {absent[0]} of step {step} in {pair}, which the item does not have: "
                "return what is offered"
            )
        return query, passage


class Schedule:
    """Which stream of items each step draws from: that of a language, or `MIXED`.

    Every step is of one language with probability `mono_share`, and of each language with the same.

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
