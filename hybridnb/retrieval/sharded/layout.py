"""The directory of an index: which shards there are, where their files lie, and what they were made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from hybridnb.files import read_json, write_json

SHARD = 262_144
"""Candidates of a shard: 400 MB of vectors of 384 dimensions in float32, in which memory is counted."""

Storage = Literal["float16", "int8"]


@dataclass(frozen=True)
class Shard:
    """Candidates start to stop of a language."""

    language: str
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def name(self) -> str:
        return f"{self.language}-{self.start:09}"


@dataclass(frozen=True)
class Layout:
    """What an index is made of, by which its shards follow.

    sizes: language -> candidates.
    dimension, storage: of the vectors, and what they are kept as.
    shard: candidates of a shard; the last of a language may have fewer.
    made_of: what else is known of them: the encoder, the benchmark.
    """

    sizes: Mapping[str, int]
    dimension: int
    storage: Storage
    shard: int
    made_of: Mapping[str, Any]


@dataclass(frozen=True)
class Index:
    """The directory of an index.

    Example:
        >>> layout = Layout({"de": 5, "en": 2}, dimension=384, storage="float16", shard=3, made_of={})
        >>> [shard.name for shard in Index(Path("mine"), layout).shards]
        ['de-000000000', 'de-000000003', 'en-000000000']
    """

    directory: Path
    layout: Layout

    @classmethod
    def create(cls, directory: Path, layout: Layout) -> Index:
        """A new index, or the one that is there already and is made of the same.

        Raises:
            ValueError: the directory holds an index that is made of something else; in what it differs is said.
        """
        if not (directory / "index.json").is_file():
            write_json(directory / "index.json", asdict(layout))
        there = cls.open(directory)
        if asdict(there.layout) != asdict(layout):
            one, other = ({**asdict(of), **of.made_of} for of in (there.layout, layout))
            differ = sorted(key for key in one if key != "made_of" and one[key] != other.get(key))
            raise ValueError(
                f"{directory} holds an index of other {', '.join(differ) or 'things'}: choose another directory"
            )
        return there

    @classmethod
    def open(cls, directory: Path) -> Index:
        """The index in a directory.

        Raises:
            FileNotFoundError: there is none.
            ValueError: its index.json is damaged.
        """
        file = directory / "index.json"
        if not file.is_file():
            raise FileNotFoundError(f"{directory} holds no index: `hybridnb index` makes one")
        try:
            return cls(directory, Layout(**read_json(file)))
        except TypeError as error:
            raise ValueError(f"{file} is damaged ({error}): delete it and index again") from None

    @property
    def shards(self) -> list[Shard]:
        """All shards, language after language in the order of their codes."""
        step = self.layout.shard
        return [
            Shard(language, start, min(start + step, size))
            for language, size in sorted(self.layout.sizes.items())
            for start in range(0, size, step)
        ]

    def vectors(self, shard: Shard) -> Path:
        """The file of a shard's vectors."""
        return self.directory / "vectors" / f"{shard.name}.safetensors"

    def faiss(self, shard: Shard, factory: str) -> Path:
        """The file of a shard's FAISS index of a factory string."""
        return self.directory / "faiss" / factory.replace("/", "_") / f"{shard.name}.faiss"
