"""A debiasing: an affine map of vectors for each side, and where need be for each language; applied, saved, loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from hybridnb.corpora.languages import canonical
from hybridnb.encoders.kinds import KINDS, Kind
from hybridnb.files import atomic, read_json, write_json

ANY = "*"
"""Stands for every language that has no map of its own."""

FORMAT = 1
STATED, TENSORS = "debiasing.json", "maps.safetensors"
"""The two files of a saved debiasing."""

CHUNK = 8192
"""Vectors that are mapped at a time."""


class Affine(NamedTuple):
    """x -> x matrix + offset, of row vectors x [d].

    matrix: [d, d], None for the identity; offset: [d].
    """

    matrix: NDArray[np.floating[Any]] | None
    offset: NDArray[np.floating[Any]]

    def __call__(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        return (vectors if self.matrix is None else vectors @ self.matrix) + self.offset

    def single(self) -> Affine:
        """In float32, as it is kept and baked into models."""
        return Affine(
            None if self.matrix is None else self.matrix.astype(np.float32), self.offset.astype(np.float32)
        )


def without(axes: NDArray[np.float64]) -> Affine:
    """The map that projects orthonormal axes, [d, axes], out.

    Example:
        >>> without(np.array([[1.0], [0.0]]))(np.array([[3.0, 4.0]]))
        array([[0., 4.]])
    """
    return Affine(np.eye(len(axes)) - axes @ axes.T, np.zeros(len(axes)))


Maps = Mapping["Kind", Mapping[str, Affine]]
"""query and passage -> language, or `ANY` -> map. Every side has `ANY`."""


@dataclass(frozen=True)
class Debiasing:
    """What `fit` gives: maps unit vectors to unit vectors that say less of their language.

    method: its name in `METHODS`. languages: those it was fitted on, in the order of their codes.
    maps: by side, and by language where the method needs it.
    made_of: for JSON: method, strength, languages, sentences (how many), dimension, and, where the strength was
        chosen, held_out: how many sentences chose it, the mAP that was enough, and that of every strength tried.

    Example:
        >>> turn = Affine(np.array([[0.0, 1.0], [-1.0, 0.0]]), np.zeros(2))
        >>> debiasing = Debiasing("one-map", ("de", "en"), {"query": {"*": turn}, "passage": {"*": turn}}, {})
        >>> debiasing.apply(np.array([[0.6, 0.8]]), "query")
        array([[-0.8,  0.6]], dtype=float32)
    """

    method: str
    languages: tuple[str, ...]
    maps: Maps
    made_of: Mapping[str, Any]

    @property
    def needs_language(self) -> bool:
        """Whether the language of a text must be known; if not, the map is the same for all."""
        return any(set(by_language) != {ANY} for by_language in self.maps.values())

    @property
    def dimension(self) -> int:
        return len(self.maps["query"][ANY].offset)

    def apply(self, vectors: NDArray[Any], kind: Kind, language: str | None = None) -> NDArray[np.float32]:
        """Map vectors and bring them to length 1.

        Computed in float64, so that equal vectors stay equal wherever they stand.

        Args:
            vectors: [n, d], as the encoder gives them.
            kind: "query" or "passage".
            language: of all of them. One that the method was not fitted on, and None for one that is not known, is
                served by what each method says of it.

        Returns:
            float32 [n, d], each of length 1.

        Raises:
            ValueError: the kind or the language is none, the dimension is another, or a vector is not finite or is
                mapped to zero; the row is named.
        """
        affine = self._affine(kind, language)
        if np.ndim(vectors) != 2 or np.shape(vectors)[1] != self.dimension:
            raise ValueError(
                f"the vectors have shape {np.shape(vectors)}; {self.method} was fitted to [n, {self.dimension}]"
            )
        mapped = np.empty(np.shape(vectors), dtype=np.float32)
        for start in range(0, len(vectors), CHUNK):
            block = affine(np.asarray(vectors[start : start + CHUNK], dtype=np.float64))
            length = np.linalg.norm(block, axis=1, keepdims=True)
            usable = np.isfinite(length) & (length > 0)
            if not usable.all():
                row = start + int(usable.argmin())
                raise ValueError(
                    f"{kind} vectors: row {row} is not finite, or {self.method} leaves nothing of it"
                )
            mapped[start : start + CHUNK] = block / length
        return mapped

    def matrix(
        self, kind: Kind, language: str | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The map of a side as (W [d, d], b [d]): `apply` is x W + b, brought to length 1. float32.

        A Dense module of sentence-transformers has W transposed as its weight, and b as its bias.

        Args:
            kind: "query" or "passage".
            language: whose map; None for the one of all languages.

        Raises:
            ValueError: there is no one map for all languages, and no language is given.
        """
        if language is None and self.needs_language:
            raise ValueError(
                f"{self.method} has a map for each language: name one of {', '.join(self.languages)}"
            )
        matrix, offset = self._affine(kind, language)
        whole = np.eye(self.dimension) if matrix is None else matrix
        return whole.astype(np.float32), offset.astype(np.float32)

    def _affine(self, kind: Kind, language: str | None) -> Affine:
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}; it must be 'query' or 'passage'")
        of_side = self.maps[kind]
        return of_side.get(ANY if language is None else canonical(language), of_side[ANY])

    @cached_property
    def sha256(self) -> str:
        """Hash of all that acts: method, languages and maps."""
        return _sha256(self.method, self.languages, self._tensors())

    def save(self, directory: str | Path) -> None:
        """Write debiasing.json and maps.safetensors to a directory; `load` knows whether the two are of one.

        Raises:
            OSError: it cannot be written.
        """
        directory = Path(directory)
        with atomic(directory / TENSORS) as part:
            save_file(self._tensors(), part)
        # last: it says what the other file must be
        stated = {
            "format": FORMAT,
            "method": self.method,
            "languages": list(self.languages),
            "sha256": self.sha256,
        }
        write_json(directory / STATED, {**stated, "made_of": dict(self.made_of)})

    @classmethod
    def load(cls, directory: str | Path) -> Debiasing:
        """What `save` wrote; the same vectors come out, bit by bit.

        Raises:
            FileNotFoundError: there is none.
            ValueError: a file is damaged, or not of a debiasing, or the two are not of one; the file is named.
        """
        stated_file, tensors_file = Path(directory) / STATED, Path(directory) / TENSORS
        for file in (stated_file, tensors_file):
            if not file.is_file():
                raise FileNotFoundError(f"{file} is missing: {directory} holds no debiasing; fit one")
        stated = read_json(stated_file)
        try:
            method, languages = str(stated["method"]), tuple(map(str, stated["languages"]))
            sha256, made_of = stated["sha256"], dict(stated["made_of"])
            known = stated["format"] == FORMAT
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"{stated_file} does not describe a debiasing: fit it again") from None
        if not known:
            raise ValueError(
                f"{stated_file} has format {stated['format']!r}; only {FORMAT} is known: fit it again"
            )
        try:
            tensors = load_file(tensors_file)
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{tensors_file} is damaged ({error}): fit it again") from None
        if _sha256(method, languages, tensors) != sha256:
            raise ValueError(f"{tensors_file} is damaged, or {stated_file} is not its own: fit it again")
        return cls(method, languages, _maps(tensors), made_of)

    def _tensors(self) -> dict[str, NDArray[Any]]:
        return {
            f"{kind} {language} {part}": np.ascontiguousarray(values)
            for kind, by_language in self.maps.items()
            for language, affine in by_language.items()
            for part, values in affine._asdict().items()
            if values is not None
        }


def _maps(tensors: Mapping[str, NDArray[Any]]) -> Maps:
    """From the names and arrays of `_tensors`."""
    maps: dict[Kind, dict[str, Affine]] = {kind: {} for kind in KINDS}
    for kind in KINDS:
        for name in tensors:
            side, language, part = name.split(" ")
            if side == kind and part == "offset":
                maps[kind][language] = Affine(tensors.get(f"{kind} {language} matrix"), tensors[name])
    return maps


def _sha256(method: str, languages: tuple[str, ...], tensors: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(f"{FORMAT} {method} {' '.join(languages)}".encode())
    for name, values in sorted(tensors.items()):
        digest.update(f"{name} {values.dtype.str} {values.shape}".encode())
        digest.update(values.data)
    return digest.hexdigest()
