"""The vectors of a benchmark's queries and candidates, kept on disk by what made them, part by part.

A kept part is a file named by the hash of the encoder and of the texts in it, so it is found again by any benchmark
with these texts, after a kill, and by a second process, and never by another encoder.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.encoders.encoder import DualEncoder, Kind, encoder_sha256
from hybridnb.files import atomic, sha256_of
from hybridnb.progress import progress
from hybridnb.retrieval.vectors import Vectors

PART = 2048
"""Texts that are encoded between two writes."""


def encode_benchmark(
    encoder: DualEncoder, benchmark: Benchmark, *, cache: Path | None
) -> tuple[Vectors, Vectors]:
    """The vectors of a benchmark's queries, with the query prefix, and candidates, with the passage prefix.

    Moves the encoder to the accelerator where there is one.

    Args:
        encoder: what encodes.
        benchmark: whose texts; one that stands several times is encoded once a side.
        cache: directory in which the vectors are kept, None for nowhere. What is damaged there, or was made by
            something else, is made anew with a warning; so is everything, where the directory cannot be written.

    Returns:
        (query vectors, candidate vectors): language -> float32 [texts, dimension], rows in the benchmark's order.

    Warns:
        UserWarning: the cache is damaged or cannot be written; the file is named.
    """
    if torch.accelerator.is_available():
        encoder.to(torch.accelerator.current_accelerator())
    parts = _Parts(encoder, cache)
    queries = {language: queries.texts for language, queries in benchmark.queries.items()}
    return parts.encode(queries, "query"), parts.encode(benchmark.candidates, "passage")


class _Parts:
    """Encodes texts part by part, and keeps each part."""

    def __init__(self, encoder: DualEncoder, cache: Path | None) -> None:
        self.encoder = encoder
        self.sha256 = encoder_sha256(encoder) if cache else ""
        self.directory = cache / self.sha256[:20] if cache else None

    def encode(self, texts: Mapping[str, Sequence[str]], kind: Kind) -> Vectors:
        """language -> vectors; all languages in one go, a text that stands several times once."""
        row_of = {text: row for row, text in enumerate(dict.fromkeys(chain.from_iterable(texts.values())))}
        unique = list(row_of)
        # texts of like length together, so that batches of a part hold little padding
        longest_first = sorted(range(len(unique)), key=lambda row: -len(unique[row]))
        vectors = np.empty((len(unique), self.encoder.dimension), dtype=np.float32)
        with progress(len(unique), f"encode {kind}", "texts") as bar:
            for start in range(0, len(unique), PART):
                rows = longest_first[start : start + PART]
                vectors[rows] = self._part([unique[row] for row in rows], kind)
                bar.update(len(rows))
        return {language: vectors[[row_of[text] for text in part]] for language, part in texts.items()}

    def _part(self, texts: list[str], kind: Kind) -> NDArray[np.float32]:
        made_of = {"encoder": self.sha256, "kind": kind, "texts": sha256_of(texts)}
        path = self.directory / f"{kind}-{made_of['texts'][:20]}.safetensors" if self.directory else None
        shape = (len(texts), self.encoder.dimension)
        vectors = _read(path, made_of, shape) if path else None
        if vectors is None:
            vectors = self.encoder.encode(texts, kind, progress=False)
            # what is not finite is refused where it is ranked, and must not be found again
            if path and np.isfinite(vectors).all() and not _write(path, made_of, vectors):
                self.directory = None
        return vectors


def _read(path: Path, made_of: Mapping[str, str], shape: tuple[int, int]) -> NDArray[np.float32] | None:
    """The vectors in a kept part; None where there is none that is whole and made of just this."""
    try:
        with safe_open(path, "numpy") as stored:
            kept, vectors = stored.metadata() or {}, stored.get_tensor("vectors")
    except FileNotFoundError:
        return None
    except (SafetensorError, OSError) as error:
        warnings.warn(f"{path} is damaged ({error}): encoding its texts again", stacklevel=2)
        return None
    if (
        kept != {**made_of, "vectors": _sha256(vectors)}
        or vectors.shape != shape
        or vectors.dtype != np.float32
    ):
        warnings.warn(
            f"{path} is damaged or was made by something else: encoding its texts again", stacklevel=2
        )
        return None
    return vectors


def _write(path: Path, made_of: Mapping[str, str], vectors: NDArray[np.float32]) -> bool:
    """Whether a part could be kept."""
    try:
        with atomic(path) as scratch:
            save_file({"vectors": vectors}, scratch, {**made_of, "vectors": _sha256(vectors)})
    except (OSError, SafetensorError) as error:
        warnings.warn(
            f"the vectors cannot be kept in {path.parent} ({error}): goes on without, and encodes again next time",
            stacklevel=2,
        )
        return False
    return True


def _sha256(vectors: NDArray[np.float32]) -> str:
    return hashlib.sha256(np.ascontiguousarray(vectors).data).hexdigest()
