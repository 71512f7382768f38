"""Vectors of made-up parallel sentences, whose languages differ in a known way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridnb.debiasing import SentenceVectors

LANGUAGES = ("de", "en", "th")


def unit(vectors: NDArray[Any]) -> NDArray[np.float32]:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def parallel(
    spoken: Callable[[NDArray[np.float64], str], NDArray[np.float64]],
    *,
    count: int = 120,
    dimension: int = 12,
    noise: float = 0.1,
    seed: int = 0,
    languages: Sequence[str] = LANGUAGES,
) -> SentenceVectors:
    """Meanings, what each language makes of them, and noise of each vector's own."""
    draw = np.random.default_rng(seed)
    meaning = draw.normal(size=(count, dimension))
    query, passage = (
        {
            language: unit(spoken(meaning, language) + noise * draw.normal(size=(count, dimension)))
            for language in languages
        }
        for _ in range(2)
    )
    return SentenceVectors(query=query, passage=passage)


def offset(**options: Any) -> SentenceVectors:
    """Each language adds a vector of its own."""
    dimension = options.get("dimension", 12)
    own = {
        code: 2 * np.random.default_rng(ord(code[0])).normal(size=dimension)
        for code in ("ar", "de", "en", "th")
    }
    return parallel(lambda meaning, language: meaning + own[language], **options)


def turned(**options: Any) -> SentenceVectors:
    """Each language turns the meanings by a rotation of its own."""
    dimension = options.get("dimension", 12)
    own = {code: rotation(dimension, ord(code[0])) for code in ("ar", "de", "en", "th")}
    return parallel(lambda meaning, language: meaning @ own[language], **options)


def rotation(dimension: int, seed: int) -> NDArray[np.float64]:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(dimension, dimension)))[0]
