"""Vectors by language, checked: one row for each text, every number finite."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hybridnb.corpora.benchmark import Benchmark


class Rows(Protocol):
    """Vectors [rows, d] that can be asked for some of their rows: an array, an np.memmap, `Parted`."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, rows: Any, /) -> Any: ...


Vectors = Mapping[str, Rows]
"""language -> unit vectors [texts, d]."""


@dataclass(frozen=True)
class Parted:
    """Vectors that lie in parts, of which nothing is read but the rows that are asked for.

    parts: each gives its [size, dimension] when it is called, the last may be shorter; place: int64 [rows], where each
    row is in the parts one below the other.

    Example:
        >>> one, other = np.array([[0.0], [1.0]]), np.array([[2.0]])
        >>> Parted([lambda: one, lambda: other], np.array([2, 2, 0]), size=2, dimension=1)[:2]
        array([[2.],
               [2.]], dtype=float32)
    """

    parts: Sequence[Callable[[], NDArray[np.floating[Any]]]]
    place: NDArray[np.int64]
    size: int
    dimension: int

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.place), self.dimension

    def __len__(self) -> int:
        return len(self.place)

    def __getitem__(self, rows: Any, /) -> NDArray[np.float32]:
        place = np.asarray(self.place[rows])
        found = np.empty((*place.shape, self.dimension), dtype=np.float32)
        part = place // self.size
        for number in np.unique(part).tolist():
            here = part == number
            found[here] = self.parts[number]()[place[here] % self.size]
        return found


def check_shapes(benchmark: Benchmark, query_vectors: Vectors, candidate_vectors: Vectors) -> None:
    """ValueError: the vectors of a language are missing, not one a text, or of another dimension than the others."""
    dimension: int | None = None
    for kind, expected, given in (
        ("query", benchmark.queries, query_vectors),
        ("candidate", benchmark.candidates, candidate_vectors),
    ):
        for language in sorted(expected):
            if language not in given:
                raise ValueError(f"{benchmark.name}: no {kind} vectors for {language!r}")
            shape, count = np.shape(given[language]), len(expected[language])
            if dimension is None and len(shape) == 2:
                dimension = shape[1]
            if shape != (count, dimension):
                raise ValueError(
                    f"{benchmark.name}: {kind} vectors of {language!r} have shape {shape}; "
                    f"expected ({count}, {dimension or 'd'}), one row for each {kind}"
                )
    if not dimension:
        raise ValueError(f"{benchmark.name}: the vectors have no dimension")


def query_matrix(query_vectors: Vectors, languages: list[str]) -> NDArray[np.float32]:
    """float32 [queries, d], the languages one below the other. ValueError: a vector is not finite."""
    parts = [np.array(query_vectors[language][:], dtype=np.float32, order="C") for language in languages]
    for language, vectors in zip(languages, parts, strict=True):
        check_finite("query", language, vectors, np.arange(len(vectors)))
    return np.concatenate(parts)


def blocks(language: str, vectors: Rows, size: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """(first row, float32 [up to size, d]) through a language's candidates. ValueError: a vector is not finite."""
    for start in range(0, len(vectors), size):
        block = np.array(vectors[start : start + size], dtype=np.float32, order="C")
        _release(vectors)
        check_finite("candidate", language, block, np.arange(start, start + len(block)))
        yield start, block


def _release(vectors: Rows) -> None:
    """Let the system have back the memory of what was read of a mapped file, before it is short of it."""
    base = vectors
    while isinstance(base, np.ndarray):
        base = base.base  # type: ignore[assignment]
    # of one that was mapped copy-on-write ("c"), changes would be lost
    shared = isinstance(vectors, np.memmap) and vectors.mode != "c"
    if shared and isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


def check_finite(
    kind: str, language: str, vectors: NDArray[np.float32], rows: NDArray[np.integer[Any]]
) -> None:
    """ValueError: a vector has a NaN or an infinity; its language and row are named."""
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        row = rows[int(finite.argmin())]
        raise ValueError(f"{kind} vectors of {language!r}: row {row} is not finite; check the encoder")
