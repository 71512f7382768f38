"""Vectors of parallel sentences, which every method is fitted to, and what is computed of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridnb.corpora.languages import canonical
from hybridnb.encoders.kinds import KINDS, Kind

CHUNK = 4096
"""Sentences of a language that are copied at a time."""

UNIT = 1e-3
"""How far the length of a unit vector may be from 1: encoders compute in bfloat16, too."""


@dataclass(frozen=True)
class SentenceVectors:
    """Unit vectors of parallel sentences: row i is one sentence, in every language.

    query, passage: language -> float32 [sentences, d], under the query prefix and under the passage prefix; arrays
        or np.memmap. Both have the same languages, two or more, by their canonical codes (`corpora.languages`).

    Raises:
        ValueError: a language or a side is missing, shapes differ, or a vector is not finite or not of length 1; the
            side, language and row are named.

    Example:
        >>> unit = {"de": np.eye(3, dtype=np.float32), "en": np.eye(3, dtype=np.float32)}
        >>> sentences = SentenceVectors(query=unit, passage=unit)
        >>> sentences.languages, len(sentences), sentences.dimension
        (('de', 'en'), 3, 3)
    """

    query: Mapping[str, NDArray[np.float32]]
    passage: Mapping[str, NDArray[np.float32]]

    def __post_init__(self) -> None:
        if self.query.keys() != self.passage.keys():
            raise ValueError(
                f"sentences: queries are in {', '.join(sorted(self.query)) or 'no language'}, passages in "
                f"{', '.join(sorted(self.passage)) or 'no language'}: give both in every language"
            )
        if len(self.query) < 2:
            raise ValueError("sentences: give them in two languages or more")
        shape = np.shape(self.query[self.languages[0]])
        for kind in KINDS:
            for language, vectors in self.side(kind).items():
                if canonical(language) != language:
                    raise ValueError(f"sentences: {language!r} is written {canonical(language)!r} here")
                _check(f"{kind} vectors of {language!r}", vectors, shape)

    def __len__(self) -> int:
        return len(self.query[self.languages[0]])

    @property
    def languages(self) -> tuple[str, ...]:
        """In the order of their codes."""
        return tuple(sorted(self.query))

    @property
    def dimension(self) -> int:
        return int(self.query[self.languages[0]].shape[1])

    def side(self, kind: Kind) -> Mapping[str, NDArray[np.float32]]:
        """language -> vectors, under the query or the passage prefix; the languages in the order of their codes."""
        vectors = self.query if kind == "query" else self.passage
        return {language: vectors[language] for language in self.languages}


def _check(name: str, vectors: Any, shape: tuple[int, ...]) -> None:
    if np.shape(vectors) != shape or len(shape) != 2 or 0 in shape:
        raise ValueError(
            f"sentences: {name} have shape {np.shape(vectors)}; every side and language has the same "
            f"[sentences, d], as {shape} here"
        )
    for start in range(0, len(vectors), CHUNK):
        length = np.linalg.norm(np.asarray(vectors[start : start + CHUNK], dtype=np.float32), axis=1)
        wrong = ~(np.abs(length - 1) < UNIT)
        if wrong.any():
            row = int(wrong.argmax())
            what = f"has length {length[row]:.3g}, not 1" if np.isfinite(length[row]) else "is not finite"
            raise ValueError(f"sentences: {name}: row {start + row} {what}; check the encoder")


@dataclass(frozen=True)
class Moments:
    """First and second moments of vectors x and of their targets t: of each, the mean of all vectors of its sentence.

    mean [d]: of x; covariance [d, d]: E (x - mean)^T (x - mean); cross [d, d]: E (x - mean)^T (t - E t). float64.
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    cross: NDArray[np.float64]


@dataclass(frozen=True)
class Statistics:
    """What methods need to know of some of the sentences; read once, block by block, and when it is asked for.

    sentences: all; rows: int64, which of them.
    """

    sentences: SentenceVectors
    rows: NDArray[np.int64]

    @property
    def languages(self) -> tuple[str, ...]:
        return self.sentences.languages

    @property
    def dimension(self) -> int:
        return self.sentences.dimension

    def means(self, kind: Kind) -> dict[str, NDArray[np.float64]]:
        """language -> [d], the mean of its vectors."""
        return self._means[kind]

    def moments(self, kind: Kind) -> dict[str, Moments]:
        """language -> its moments; targets are means over all languages and both sides."""
        return self._moments[kind]

    @cached_property
    def _means(self) -> dict[Kind, dict[str, NDArray[np.float64]]]:
        return {
            kind: {
                language: sum(vectors[rows].sum(axis=0, dtype=np.float64) for rows in self._blocks())
                / len(self.rows)
                for language, vectors in self.sentences.side(kind).items()
            }
            for kind in KINDS
        }

    @cached_property
    def _moments(self) -> dict[Kind, dict[str, Moments]]:
        sides = [(kind, language) for kind in KINDS for language in self.languages]
        vectors = {(kind, language): self.sentences.side(kind)[language] for kind, language in sides}
        means = {(kind, language): self.means(kind)[language] for kind, language in sides}
        centre = np.mean(list(means.values()), axis=0)
        covariance, cross = ({side: np.zeros((self.dimension,) * 2) for side in sides} for _ in range(2))
        for rows in self._blocks():
            targets = np.zeros((len(rows), self.dimension))
            for side in sides:
                targets += vectors[side][rows]
            # about the mean float32 is exact enough, and twice as fast
            centred = (targets / len(sides) - centre).astype(np.float32)
            for side in sides:
                x = (vectors[side][rows] - means[side]).astype(np.float32)
                covariance[side] += x.T @ x
                cross[side] += x.T @ centred
        n = len(self.rows)
        found: dict[Kind, dict[str, Moments]] = {kind: {} for kind in KINDS}
        for side in sides:
            found[side[0]][side[1]] = Moments(means[side], covariance[side] / n, cross[side] / n)
        return found

    def _blocks(self) -> Iterator[NDArray[np.int64]]:
        return (self.rows[start : start + CHUNK] for start in range(0, len(self.rows), CHUNK))
