"""Vectors that were made elsewhere, from a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, is_zipfile

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.encoders.foreign import unit
from hybridnb.retrieval.vectors import Vectors, check_shapes

SUFFIXES = (".npz", ".safetensors")
SIDES = ("queries", "candidates")
BLOCK = 65_536
"""Rows that are looked at together."""


def read_vectors(path: Path, benchmark: Benchmark) -> tuple[Vectors, Vectors]:
    """The vectors of a benchmark's queries and candidates from a file; compared by cosine.

    Args:
        path: .npz or .safetensors with the arrays "queries/LANGUAGE" and "candidates/LANGUAGE" [texts, d], of any
            floating type, rows in the benchmark's order. Languages that the benchmark does not have are passed over.
        benchmark: whose texts they are of.

    Returns:
        (query vectors, candidate vectors), language -> float32 [texts, d] of length 1, made when they are asked for:
        of a .safetensors file nothing else is held in memory, an .npz is held as it is.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, holds something else, or not a row for each of the benchmark's texts.

    Example:
        >>> import tempfile
        >>> from hybridnb.corpora.benchmark import Queries
        >>> toy = Benchmark("toy", {"de": Queries(["q"], ["wo?"])}, {"de": ["hier"]}, {"q": {"de": [0]}})
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     file = Path(directory) / "mine.npz"
        ...     np.savez(file, **{"queries/de": np.ones((1, 4)), "candidates/de": np.ones((1, 4))})
        ...     queries, candidates = read_vectors(file, toy)
        >>> queries["de"][:]
        array([[0.5, 0.5, 0.5, 0.5]], dtype=float32)
    """
    sides: dict[str, dict[str, _UnitRows]] = {side: {} for side in SIDES}
    with _arrays(path) as arrays:
        for key in arrays:
            side, _, language = key.partition("/")
            if side not in SIDES or not language:
                raise ValueError(
                    f"{path}: array {key!r} is neither queries/LANGUAGE nor candidates/LANGUAGE, such as queries/de"
                )
            if language in getattr(benchmark, side):
                try:
                    vectors = _UnitRows(arrays[key])
                except ValueError as error:  # an array of Python objects
                    raise ValueError(f"{path}, {key}: {error}") from None
                _check(vectors, f"{path}, {key}")
                sides[side][language] = vectors
    queries, candidates = (sides[side] for side in SIDES)
    try:
        check_shapes(benchmark, queries, candidates)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return queries, candidates


@dataclass(frozen=True)
class _UnitRows:
    """An array or a tensor whose rows are brought to length 1 when they are read."""

    stored: Any

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.stored.shape)

    def __len__(self) -> int:
        return len(self.stored)

    def __getitem__(self, rows: Any, /) -> NDArray[np.float32]:
        vectors = self.raw(rows).astype(np.float32, copy=False)
        return unit(np.atleast_2d(vectors)).reshape(vectors.shape)

    def raw(self, rows: Any) -> NDArray[Any]:
        """Rows as they were given."""
        found = self.stored[rows]
        return found.float().numpy() if torch.is_tensor(found) else found  # numpy has no bfloat16


def _check(vectors: _UnitRows, where: str) -> None:
    kind = vectors.raw(slice(0)).dtype
    if not np.issubdtype(kind, np.number) or np.issubdtype(kind, np.complexfloating):
        raise ValueError(f"{where}: it holds {kind}, not numbers")
    if len(vectors.shape) == 2:
        for start in range(0, len(vectors), BLOCK):
            finite = np.isfinite(vectors.raw(slice(start, start + BLOCK))).all(axis=1)
            if not finite.all():
                raise ValueError(f"{where}: row {start + int(finite.argmin())} is not finite")


@dataclass(frozen=True)
class _Tensor:
    """A tensor of a safetensors file, mapped only while some of its rows are read."""

    path: Path
    key: str
    shape: tuple[int, ...]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any, /) -> torch.Tensor:
        with safe_open(self.path, "pt") as stored:
            tensor: torch.Tensor = stored.get_tensor(self.key)[rows]
        return tensor


@contextmanager
def _arrays(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as stored:
                shapes = {key: tuple(stored.get_slice(key).get_shape()) for key in stored.keys()}  # noqa: SIM118
            yield {key: _Tensor(path, key, shape) for key, shape in shapes.items()}
        else:
            if path.is_file() and not is_zipfile(path):
                raise BadZipFile("it is no .npz file")
            with np.load(path, allow_pickle=False) as stored:
                yield stored
    except (SafetensorError, BadZipFile, EOFError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise FileNotFoundError(f"{path}: no such file") from None
        raise ValueError(f"{path} is damaged ({error}): write it again") from None
