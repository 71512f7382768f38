"""Methods fitted to vectors whose languages are known to differ in one way only."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hybridnb.debiasing import METHODS, SentenceVectors, fit

LANGUAGES = ("de", "en", "th")


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def offset(count: int = 120, dimension: int = 12, seed: int = 0) -> SentenceVectors:
    """Languages differ by a constant and by a little noise, queries and passages by noise."""
    draw = np.random.default_rng(seed)
    meaning = draw.normal(size=(count, dimension))
    moved = {language: 2 * draw.normal(size=dimension) for language in LANGUAGES}
    query, passage = (
        {
            language: unit(meaning + moved[language] + 0.1 * draw.normal(size=(count, dimension)))
            for language in LANGUAGES
        }
        for _ in range(2)
    )
    return SentenceVectors(query=query, passage=passage)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_brings_translations_nearer_than_other_sentences(method: str) -> None:
    from hybridnb.debiasing.fitting import translation_map

    sentences = offset()
    debiasing = fit(method, sentences)
    plain = translation_map(list(sentences.query.values()), list(sentences.passage.values()))
    queries, passages = (
        [debiasing.apply(vectors, kind, language) for language, vectors in sentences.side(kind).items()]
        for kind in ("query", "passage")
    )
    assert translation_map(queries, passages) > plain + 0.1
