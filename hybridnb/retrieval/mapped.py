"""A benchmark's vectors with a debiasing put on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridnb.debiasing.maps import Debiasing
from hybridnb.encoders.kinds import Kind
from hybridnb.retrieval.vectors import Rows, Vectors

Languages = Mapping[str, Sequence[str | None]]
"""language -> the language of each of its texts, as somebody says; None where it is not known."""


@dataclass(frozen=True)
class Mapped:
    """Rows that are mapped when they are asked for; language: of all of them, or of each."""

    rows: Rows
    debiasing: Debiasing
    kind: Kind
    language: str | NDArray[np.object_]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.rows.shape

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Any, /) -> NDArray[np.float32]:
        vectors = np.asarray(self.rows[rows])
        if isinstance(self.language, str):
            return self.debiasing.apply(vectors, self.kind, self.language)
        languages, mapped = self.language[rows], np.empty(vectors.shape, dtype=np.float32)
        for language in set(languages.tolist()):
            here = languages == language
            mapped[here] = self.debiasing.apply(vectors[here], self.kind, language)
        return mapped


def mapped(vectors: Vectors, debiasing: Debiasing, kind: Kind, languages: Languages | None = None) -> Vectors:
    """Vectors with a debiasing put on them: arrays at once, what is read from disk when it is asked for.

    Args:
        vectors: language -> unit vectors [texts, d], of a benchmark's queries or candidates.
        debiasing: what is put on them.
        kind: which of the two they are.
        languages: of the texts, where they are not to be taken from the benchmark.

    Raises:
        ValueError: as `Debiasing.apply`.

    Example:
        >>> from hybridnb.debiasing.maps import Affine
        >>> swap = Affine(np.array([[0.0, 1.0], [1.0, 0.0]]), np.zeros(2))
        >>> debiasing = Debiasing("one-map", ("de", "en"), {"query": {"*": swap}, "passage": {"*": swap}}, {})
        >>> mapped({"de": np.array([[0.6, 0.8]])}, debiasing, "query")
        {'de': array([[0.8, 0.6]], dtype=float32)}
    """
    found: dict[str, Rows] = {}
    for language, rows in vectors.items():
        said = np.array(languages[language], dtype=object) if languages else language
        lazy = Mapped(rows, debiasing, kind, said)
        found[language] = (
            lazy[:] if isinstance(rows, np.ndarray) and not isinstance(rows, np.memmap) else lazy
        )
    return found
