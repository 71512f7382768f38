"""The vectors of a shard in a file, in half or a quarter of their size; read as float32, row by row."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from hybridnb.files import atomic
from hybridnb.retrieval.sharded.layout import Storage
from hybridnb.retrieval.vectors import Rows, blocks

BLOCK = 65_536
"""Vectors that are turned into float32 together."""


def write_vectors(path: Path, vectors: Rows, storage: Storage) -> None:
    """Write vectors to a file, whole or not at all.

    In int8 each dimension has its own step, the largest absolute value in it through 127; a value is off by half a
    step at most.

    Args:
        path: The file.
        vectors: [n, d].
        storage: What they are kept as.

    Raises:
        ValueError: a vector is not finite, or too large for float16.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     file = Path(directory) / "de.safetensors"
        ...     write_vectors(file, np.array([[0.6, -0.8], [1.0, 0.0]]), "float16")
        ...     read_vectors(file)[[1, 0]]
        array([[ 1.        ,  0.        ],
               [ 0.60009766, -0.7998047 ]], dtype=float32)
    """
    count, dimension = vectors.shape
    scale = np.ones(dimension, dtype=np.float32)
    if storage == "int8":
        largest = np.zeros(dimension, dtype=np.float32)
        for _, block in blocks(path.stem, vectors, BLOCK):
            np.maximum(largest, np.abs(block).max(axis=0), out=largest)
        scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    kept = np.empty((count, dimension), dtype=storage)
    for start, block in blocks(path.stem, vectors, BLOCK):
        with np.errstate(over="ignore"):
            kept[start : start + len(block)] = np.rint(block / scale) if storage == "int8" else block
        if not np.isfinite(kept[start : start + len(block)]).all():
            raise ValueError(f"the vectors of {path.stem} are too large for float16: keep them as int8")
    with atomic(path) as part:
        save_file({"vectors": kept, "scale": scale}, part)


@dataclass(frozen=True)
class Stored:
    """The vectors of a file: float32 [rows, d] for the rows that are asked for; the file is mapped meanwhile."""

    path: Path
    shape: tuple[int, int]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any, /) -> NDArray[np.float32]:
        kept, scale = _mapped(self.path)
        found: NDArray[np.float32] = kept[rows].astype(np.float32)
        return found if kept.dtype == np.float16 else found * scale


def read_vectors(path: Path) -> Stored:
    """The vectors of a file of `write_vectors`, of which none is read yet.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged.
    """
    try:
        kept, _ = _mapped(path)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path} is missing: `hybridnb index`, all of its parts, must end first"
        ) from None
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is damaged ({error}): delete it and index again") from None
    return Stored(path, kept.shape)


def is_written(path: Path, shape: tuple[int, int], storage: Storage) -> bool:
    """Whether there is a whole file of such vectors; of one that is damaged a warning says that it is made again."""
    if not path.is_file():
        return False
    try:
        kept, _ = _mapped(path)
    except (SafetensorError, OSError) as error:
        warnings.warn(f"{path} is damaged ({error}): encoding its texts again", stacklevel=2)
        return False
    return bool(kept.shape == shape and kept.dtype == storage)


def _mapped(path: Path) -> tuple[NDArray[Any], NDArray[np.float32]]:
    # as "pt" it is mapped, and no file stays open; as "numpy" it would be in memory
    with safe_open(path, "pt") as stored:
        return stored.get_tensor("vectors").numpy(), stored.get_tensor("scale").numpy()
