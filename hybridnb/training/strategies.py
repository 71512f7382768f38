"""Batch strategies by name: how many batches are in one language, and how the languages of a pair differ."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hybridnb.registry import Registry

Pairing = Callable[
    [int, tuple[str, ...], NDArray[np.bool_], np.random.Generator],
    tuple[NDArray[np.int64], NDArray[np.int64]],
]
"""(step, languages, offered, random) -> the numbers of the languages that a batch's queries and passages are read in.

`offered[i, q, p]` says whether item i of the batch has a query in language q and a passage in language p; what is
returned, [batch] each, must be offered. The same step always gets the same `random`.
"""


@dataclass(frozen=True)
class Recipe:
    """What a strategy's name means.

    Args:
        about: in words; with the paper that has it.
        mono_share: fraction of the batches that are in one language; None: the strategy's alpha says.
        within_pair: in all other batches, whether query and passage are in the same or in different languages, drawn
            uniformly; or a function that draws them.
        languages: the only ones drawn from; None: all training languages.
    """

    about: str
    mono_share: float | None
    within_pair: Literal["same", "different"] | Pairing = "different"
    languages: tuple[str, ...] | None = None


STRATEGIES = Registry[Recipe]("strategy")
"""Every strategy there is. To add one, add its line below, or `STRATEGIES.register` it in a module of your own."""

for _name, _recipe in {
    "X-X-mono": Recipe("every batch in one language (arXiv 2408.10536)", mono_share=1.0),
    "X-Y": Recipe("every query and its passage in two languages (arXiv 2408.10536)", mono_share=0.0),
    "hybrid": Recipe("X-X-mono with probability alpha, else X-Y (arXiv 2408.10536)", mono_share=None),
    "X-X": Recipe(
        "every query and its passage in one language, several in a batch (LAReQA, arXiv 2004.05484)",
        mono_share=0.0,
        within_pair="same",
    ),
    "En-En": Recipe("every batch in English (LAReQA, arXiv 2004.05484)", mono_share=1.0, languages=("en",)),
}.items():
    STRATEGIES.register(_name, _recipe)


@dataclass(frozen=True)
class Strategy:
    """A batch strategy.

    Args:
        name: one of `STRATEGIES`.
        alpha: fraction of one-language batches, in [0, 1], where the strategy leaves it open (hybrid).

    Raises:
        ValueError: no such strategy, or alpha is missing, out of range, or not asked for.

    Example:
        >>> Strategy.parse("hybrid(.5)")
        Strategy(name='hybrid', alpha=0.5)
        >>> str(Strategy("hybrid", 0.25)), Strategy("hybrid", 0.25).mono_share
        ('hybrid(0.25)', 0.25)
    """

    name: str
    alpha: float | None = None

    def __post_init__(self) -> None:
        if self.recipe.mono_share is not None:
            if self.alpha is not None:
                raise ValueError(f"alpha is {self.alpha!r}, but {self.name} takes none")
        elif not isinstance(self.alpha, (int, float)) or not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha is {self.alpha!r}; {self.name} needs a number in [0, 1]")

    def __str__(self) -> str:
        return self.name if self.alpha is None else f"{self.name}({float(self.alpha)!r})"

    @classmethod
    def parse(cls, text: str) -> Strategy:
        """The strategy that `str` wrote: "X-Y", "hybrid(0.5)"."""
        written = re.fullmatch(r"(.*)\((.*)\)", text)
        if written is None:
            return cls(text)
        try:
            alpha = float(written[2])
        except ValueError:
            raise ValueError(
                f"strategy is {text!r}; write {written[1]}(ALPHA) with a number in [0, 1]"
            ) from None
        return cls(written[1], alpha)

    @property
    def recipe(self) -> Recipe:
        """What the name means."""
        return STRATEGIES[self.name]

    @property
    def mono_share(self) -> float:
        """Fraction of the batches that are in one language."""
        share = self.alpha if self.recipe.mono_share is None else self.recipe.mono_share
        assert share is not None  # alpha was checked
        return float(share)

    @property
    def alpha_equivalent(self) -> float | None:
        """The alpha at which hybrid batches are this strategy's; None where there is no such alpha.

        Example:
            >>> {name: Strategy(name).alpha_equivalent for name in ("X-Y", "X-X-mono", "X-X", "En-En")}
            {'X-Y': 0.0, 'X-X-mono': 1.0, 'X-X': None, 'En-En': None}
        """
        recipe = self.recipe
        differs_in_alpha_alone = recipe.languages is None and (
            self.mono_share == 1 or recipe.within_pair == "different"
        )
        return self.mono_share if differs_in_alpha_alone else None


def spellings() -> list[str]:
    """How each strategy is written.

    Example:
        >>> spellings()
        ['X-X-mono', 'X-Y', 'hybrid(ALPHA)', 'X-X', 'En-En']
    """
    return [f"{name}(ALPHA)" if recipe.mono_share is None else name for name, recipe in STRATEGIES.items()]
