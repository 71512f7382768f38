"""What can be evaluated, each as one kind of thing: what it is called and known by, its vectors or its ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.encoders.encoder import DualEncoder, encoder_sha256
from hybridnb.encoders.foreign import METHODS, ForeignEncoder, load_encoder
from hybridnb.files import file_sha256, sha256_of
from hybridnb.retrieval.bm25 import bm25_ranks
from hybridnb.retrieval.embeddings import encode_benchmark, to_accelerator
from hybridnb.retrieval.given import SUFFIXES, read_vectors
from hybridnb.retrieval.vectors import Vectors

BM25 = "bm25"


@dataclass(frozen=True)
class Encoded:
    """An encoder of texts."""

    encoder: DualEncoder | ForeignEncoder

    @property
    def entry(self) -> dict[str, Any]:
        if isinstance(self.encoder, ForeignEncoder):
            return {"encoder": self.encoder.conventions, "encoder_sha256": self.encoder.sha256}
        to_accelerator(self.encoder)
        precision = "bfloat16" if self.encoder.uses_bfloat16(self.encoder.device.type) else "float32"
        return {
            "encoder": {**self.encoder.conventions, "precision": precision},
            "encoder_sha256": encoder_sha256(self.encoder),
        }

    def vectors(self, benchmark: Benchmark, cache: Path) -> tuple[Vectors, Vectors]:
        return encode_benchmark(self.encoder, benchmark, cache=cache)


@dataclass(frozen=True)
class Given:
    """Vectors in a file."""

    path: Path
    name: str

    @property
    def entry(self) -> dict[str, Any]:
        return _of_files("vectors", self.name, [self.path])

    def vectors(self, benchmark: Benchmark, cache: Path) -> tuple[Vectors, Vectors]:
        return read_vectors(self.path, benchmark)


@dataclass(frozen=True)
class Bm25:
    """BM25: its `normalisation` is raised when `bm25.terms` changes."""

    @property
    def entry(self) -> dict[str, Any]:
        return {"encoder": {"model": BM25, "normalisation": 1}, "encoder_sha256": BM25}

    def ranks(self, benchmark: Benchmark) -> pd.DataFrame:
        return bm25_ranks(benchmark)


System = Encoded | Given | Bm25
"""Each has an `entry`, what evaluations.json says of it: "encoder", with its name as "model", and "encoder_sha256",
which tells whether two are the same."""


def as_system(system: Any, name: str | None = None) -> System:
    """Whatever `evaluate` takes, as a system.

    Args:
        system: see `evaluation.evaluate`.
        name: what results call it; an object of the user's own needs one.

    Raises:
        ValueError: it is nothing that can be evaluated, or needs a name.
        FileNotFoundError: there is no such model or file.

    Example:
        >>> as_system("mine.npz").name
        'mine'
    """
    if isinstance(system, str) and system == BM25:
        return Bm25()
    if isinstance(system, str | Path) and Path(system).suffix in SUFFIXES:
        return Given(Path(system), name or Path(system).stem)
    if isinstance(system, str | Path):
        return Encoded(load_encoder(system, name=name))
    if isinstance(system, DualEncoder | ForeignEncoder):
        return Encoded(system)
    if not any(hasattr(system, method) for method in (*METHODS.values(), "encode")):
        raise ValueError(
            f"a {type(system).__name__} is no system: give a model, an object with encode(texts), 'bm25', or the path "
            f"of vectors ({', '.join(SUFFIXES)})"
        )
    if not name:
        raise ValueError(f"a {type(system).__name__} needs a name, which results are known by: name='...'")
    return Encoded(ForeignEncoder(system, name))


def _of_files(kind: str, name: str, paths: Sequence[Path]) -> dict[str, Any]:
    """The entry of what has other files on every benchmark: known by its name, and on one benchmark by the files."""
    files = {path.name: file_sha256(path) for path in paths}
    return {
        "encoder": {"model": name, "made_of": kind, "files": files},
        "encoder_sha256": sha256_of([kind, name]),
    }
