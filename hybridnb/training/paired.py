"""Paired batches: strategies whose batches hold the same items at every step, and differ in their languages alone.

Drawn independently, as in the paper, strategies also differ in which items they see, in how often each language is
asked and answered in, and in the alpha that came out; then a difference between them is not one between batches.
Here all of that is the same for all: what each item is read in is dealt in cycles, not drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import lcm

import numpy as np
from numpy.typing import NDArray

from hybridnb.training.strategies import Strategy

_KINDS, _ONE, _SEVERAL = 1 << 22, 1 << 23, 1 << 24  # keep the random streams of one seed apart


class PairedDraws:
    """What each step draws: items that have every training language, in an order that is the same for all strategies
    of a seed and batch size, and of each item two languages.

    - Batches in one language and in several come in blocks with the exact share alpha, in random order.
    - Languages of batches in one language come in blocks of all of them, in random order.
    - In batches in several, every ordered pair of different languages comes once before any comes again; within a
      batch each language is a query's, and a passage's, equally often to within 2. (X-X: each language equally often
      to within 2.)

    So after every `cycle` steps each language was a query's and a passage's exactly equally often, under every
    strategy but En-En.

    Args:
        strategy: what is drawn; alpha counts to two decimals.
        languages: those that the strategy reads its items in.
        has_query, has_passage: bool [items, training languages].
        batch_size: pairs a step.
        seed: of everything.

    Raises:
        ValueError: a strategy that pairs languages by a function of its own.

    Example:
        >>> parallel = np.ones((9, 3), dtype=bool)
        >>> draws = PairedDraws(Strategy("hybrid", 0.5), ("de", "en", "th"), parallel, parallel, batch_size=4, seed=0)
        >>> for step in range(4):
        ...     query, passage = draws.languages(step, np.arange(4))
        ...     print(*(f"{draws.names[q]}>{draws.names[p]}" for q, p in zip(query, passage)))
        de>th en>de th>en de>en
        th>th th>th th>th th>th
        en>en en>en en>en en>en
        en>th th>de de>en th>de
        >>> draws.cycle
        6
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
        self.names, self.batch_size, self.seed = languages, batch_size, seed
        self.within_pair = strategy.recipe.within_pair
        if callable(self.within_pair):
            raise ValueError(
                f"{strategy} pairs languages by a function, and paired batches deal them in cycles: draw independently"
            )
        self.complete: NDArray[np.bool_] = np.all(has_query & has_passage, axis=1)
        self._share = Fraction(strategy.mono_share).limit_denominator(100)

    @property
    def cycle(self) -> int:
        """Steps after which every language was a query's and a passage's exactly equally often."""
        steps = self._share.denominator
        if self._share > 0:
            steps = lcm(steps, (len(self.names) / self._share).numerator)
        if self._share < 1:
            batches = lcm(self._turn, self.batch_size) // self.batch_size
            steps = lcm(steps, (batches / (1 - self._share)).numerator)
        return steps

    def streams(self) -> Iterator[tuple[int, NDArray[np.bool_], str]]:
        """(stream, which items it draws, these in words) of the only stream."""
        yield 0, self.complete, "items in every training language, which paired batches need"

    def stream(self, step: int) -> tuple[int, int]:
        """The stream of a step, and how many earlier steps drew from it."""
        return 0, step

    def languages(self, step: int, items: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The numbers of the languages that a step's queries and passages are read in."""
        block, within = divmod(step, self._share.denominator)
        one = self._share.numerator
        of_one = self._random(_KINDS, block).permutation(self._share.denominator) < one
        earlier = block * one + int(of_one[:within].sum())
        if of_one[within]:
            turn, place = divmod(earlier, len(self.names))
            language = self._random(_ONE, turn).permutation(len(self.names))[place]
            chosen = np.full(self.batch_size, language)
            return chosen, chosen
        first = (step - earlier) * self.batch_size
        turns = range(first // self._turn, (first + self.batch_size - 1) // self._turn + 1)
        dealt = np.concatenate([self._deal(turn) for turn in turns], axis=1)
        start = first - turns.start * self._turn
        query, passage = dealt[:, start : start + self.batch_size]
        return query, passage

    @property
    def _turn(self) -> int:
        """Pairs of languages that are dealt before any comes again."""
        same = self.within_pair == "same"
        return len(self.names) if same else len(self.names) * (len(self.names) - 1)

    def _deal(self, turn: int) -> NDArray[np.int64]:
        """Every pair of languages once: [2, _turn]. Any `languages` in a row of them have every query language once."""
        random = self._random(_SEVERAL, turn)
        names = random.permutation(len(self.names))
        if self.within_pair == "same":
            return np.stack([names, names])
        shifts = random.permutation(np.arange(1, len(self.names)))
        passages = names[(np.arange(len(self.names)) + shifts[:, None]) % len(self.names)]
        return np.stack([np.tile(names, len(self.names) - 1), passages.ravel()])

    def _random(self, stream: int, number: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, stream, number))
