"""The registries of data sets. Each module of `sets` adds its own; there is no other list of their names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.corpora.parallel import ParallelCorpus
from hybridnb.corpora.sentences import ParallelSentences
from hybridnb.corpora.source import Source
from hybridnb.registry import Registry

Data = TypeVar("Data")


@dataclass(frozen=True)
class DataSet(Generic[Data]):
    """One data set.

    Args:
        about: What it is, in a line.
        load: `load(directory, ...)` reads or makes it; directory: where to look first, or None. Its further
            parameters are the options that it takes (`skip_bad`, `languages`, ...).
        source: Its files and their public home; None where it is made here.
        made_of: Of one made here, what its content depends on, as anything JSON can hold.
        sentences_of: Of a benchmark, the sets of parallel sentences that it is made of.
        licence: Of the data, by its SPDX name where it has one.
    """

    about: str
    load: Callable[..., Data]
    source: Source | None
    made_of: Callable[[], Any] | None = None
    sentences_of: tuple[str, ...] = ()
    licence: str = "not stated"

    def __post_init__(self) -> None:
        if (self.source is None) == (self.made_of is None):
            raise ValueError(f"{self.about!r}: give either a source or what it is made of")


BENCHMARKS: Registry[DataSet[Benchmark]] = Registry("benchmark")
TRAINING: Registry[DataSet[ParallelCorpus]] = Registry("training corpus")
VALIDATION: Registry[DataSet[ParallelCorpus]] = Registry("validation corpus")
SENTENCES: Registry[DataSet[ParallelSentences]] = Registry("set of parallel sentences")
