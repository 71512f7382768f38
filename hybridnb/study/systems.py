"""What can be evaluated, each as one kind of thing: what it is called and known by, its vectors or its ranks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.encoders.encoder import DualEncoder, encoder_sha256
from hybridnb.encoders.foreign import METHODS, ForeignEncoder, load_encoder
from hybridnb.files import file_sha256, sha256_of
from hybridnb.retrieval.bm25 import bm25_first, bm25_table, relevant_bm25_ranks
from hybridnb.retrieval.embeddings import encode_benchmark, to_accelerator
from hybridnb.retrieval.given import SUFFIXES, read_vectors
from hybridnb.retrieval.nearest import first_of_pools
from hybridnb.retrieval.ranking import relevant_ranks
from hybridnb.retrieval.ranks_table import Task, make_ranks
from hybridnb.retrieval.trec_read import read_runs
from hybridnb.retrieval.trec_write import more, write_trec
from hybridnb.retrieval.vectors import Vectors

BM25 = "bm25"


@dataclass(frozen=True)
class Ranked:
    """What a system makes of a benchmark.

    table: the ranks table.
    vectors: of queries and candidates, where there are some.
    trec: writes TREC files to a directory, of so many candidates a query, by a name; None for what was such files.
    made_of: what evaluations.json says of it beside the system.
    """

    table: pd.DataFrame
    vectors: tuple[Vectors, Vectors] | None = None
    trec: Callable[[Path, int, str], list[Path]] | None = None
    made_of: Mapping[str, Any] = field(default_factory=dict)


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

    def rank(self, benchmark: Benchmark, cache: Path) -> Ranked:
        return _by_vectors(benchmark, *encode_benchmark(self.encoder, benchmark, cache=cache))


@dataclass(frozen=True)
class Given:
    """Vectors in a file."""

    path: Path
    name: str

    @property
    def entry(self) -> dict[str, Any]:
        return _of_files("vectors", self.name, [self.path])

    def rank(self, benchmark: Benchmark, cache: Path) -> Ranked:
        return _by_vectors(benchmark, *read_vectors(self.path, benchmark))


@dataclass(frozen=True)
class Runs:
    """TREC run files; task: theirs, None to find it from what they hold."""

    paths: tuple[Path, ...]
    name: str
    task: Task | None = None

    @property
    def entry(self) -> dict[str, Any]:
        return _of_files("TREC runs", self.name, self.paths)

    def rank(self, benchmark: Benchmark, cache: Path) -> Ranked:
        table, parts = read_runs(self.paths, benchmark, self.task)
        for part in parts:
            print(part.said(benchmark.languages), file=sys.stderr)
        counts = ("task", "depth", "queries", "left_out", "tied")
        runs = [
            {"file": Path(part.file).name, **{key: getattr(part, key) for key in counts}} for part in parts
        ]
        return Ranked(table, made_of={"runs": runs})


@dataclass(frozen=True)
class Bm25:
    """BM25: its `normalisation` is raised when `bm25.terms` changes."""

    @property
    def entry(self) -> dict[str, Any]:
        return {"encoder": {"model": BM25, "normalisation": 1}, "encoder_sha256": BM25}

    def rank(self, benchmark: Benchmark, cache: Path) -> Ranked:
        ranks = relevant_bm25_ranks(benchmark)

        def trec(directory: Path, depth: int, tag: str) -> list[Path]:
            first = bm25_first(benchmark, more(ranks[0], depth))
            tasks: tuple[Task, ...] = ("monolingual", "multilingual")
            return write_trec(directory, benchmark, *ranks, first, tasks=tasks, depth=depth, tag=tag)

        return Ranked(bm25_table(*ranks), trec=trec)


System = Encoded | Given | Runs | Bm25
"""Each has an `entry`, what evaluations.json says of it: "encoder", with its name as "model", and "encoder_sha256",
which tells whether two are the same."""


def as_system(system: Any, name: str | None = None, task: Task | None = None) -> System:
    """Whatever `evaluate` takes, as a system.

    Args:
        system: see `evaluation.evaluate`.
        name: what results call it; an object of the user's own needs one.
        task: of TREC runs, where it is not to be found from them.

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
    paths = [Path(part) for part in system] if isinstance(system, list | tuple) else []
    if isinstance(system, str | Path) and Path(system).is_file():
        paths = [Path(system)]
    if paths:
        return Runs(tuple(paths), name or paths[0].stem, task)
    if task is not None:
        raise ValueError(f"task {task} is for TREC runs: every other system is asked for all tasks")
    if isinstance(system, str | Path):
        return Encoded(load_encoder(system, name=name))
    if isinstance(system, DualEncoder | ForeignEncoder):
        return Encoded(system)
    if not any(hasattr(system, method) for method in (*METHODS.values(), "encode")):
        raise ValueError(
            f"a {type(system).__name__} is no system: give a model, an object with encode(texts), 'bm25', the path of "
            f"vectors ({', '.join(SUFFIXES)}), or a list of paths of TREC runs"
        )
    if not name:
        raise ValueError(f"a {type(system).__name__} needs a name, which results are known by: name='...'")
    return Encoded(ForeignEncoder(system, name))


def _by_vectors(benchmark: Benchmark, queries: Vectors, candidates: Vectors) -> Ranked:
    ranks = relevant_ranks(benchmark, queries, candidates)

    def trec(directory: Path, depth: int, tag: str) -> list[Path]:
        first = first_of_pools(benchmark, queries, candidates, more(ranks[0], depth))
        return write_trec(directory, benchmark, *ranks, first, depth=depth, tag=tag)

    return Ranked(make_ranks(*ranks), (queries, candidates), trec)


def _of_files(kind: str, name: str, paths: Sequence[Path]) -> dict[str, Any]:
    """The entry of what has other files on every benchmark: known by its name, and on one benchmark by the files."""
    files = {path.name: file_sha256(path) for path in paths}
    return {
        "encoder": {"model": name, "made_of": kind, "files": files},
        "encoder_sha256": sha256_of([kind, name]),
    }
