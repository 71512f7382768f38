"""Frozen lower layers: nothing below is trained, and starting above them gives the same vectors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from toy import TEXTS, tiny_labse, tiny_xlmr

from hybridnb.encoders import frozen
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.frozen import freeze, frozen_layers

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(params=[(tiny_xlmr, "mean"), (tiny_labse, "pooler")])
def encoder(request: pytest.FixtureRequest, tmp_path: Path) -> DualEncoder:
    make: Callable[[Path], Path] = request.param[0]
    return DualEncoder.load(make(tmp_path / "model"), pooling=request.param[1], max_query_length=12)


@pytest.mark.parametrize("kind", ["query", "passage"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_starting_above_the_frozen_layers_gives_the_vectors_of_encode(
    encoder: DualEncoder, kind: str, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder.precision = precision  # type: ignore[assignment]
    texts = [*TEXTS, TEXTS[3], "a"]
    want = encoder.encode(texts, kind, progress=False)  # type: ignore[arg-type]
    encoder.reuse_frozen(1, tmp_path / "cache")
    made = encoder.encode(texts, kind, progress=False)  # type: ignore[arg-type]
    monkeypatch.setattr(frozen, "atomic", lambda _: pytest.fail("made again"))
    read = encoder.encode(texts, kind, progress=False)  # type: ignore[arg-type]
    np.testing.assert_array_equal(read, made)
    assert_allclose(made, want, atol=2e-6 if precision == "float32" else 0.02)


def test_what_is_kept_is_shared_by_the_layers_that_made_it_only(encoder: DualEncoder, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    encoder.reuse_frozen(1, cache)
    encoder.encode(TEXTS, "passage", progress=False)
    kept = len(list(cache.iterdir()))
    layers = encoder.model.get_submodule("encoder.layer")
    for layer, files in ((1, kept), (0, 2 * kept)):
        with torch.no_grad():
            for weight in layers[layer].parameters():
                weight.add_(0.1 * torch.randn_like(weight))
        plain = DualEncoder(encoder.network, name="plain")
        encoder.reuse_frozen(1, cache)
        want = plain.encode(TEXTS, "passage", progress=False)
        assert_allclose(encoder.encode(TEXTS, "passage", progress=False), want, atol=2e-6)
        assert len(list(cache.iterdir())) == files


def test_only_the_layers_above_learn(encoder: DualEncoder) -> None:
    freeze(encoder.model, 1)
    assert frozen_layers(encoder.model, 1) == 1
    encoder.train()(encoder.tokenize(TEXTS, "query")).sum().backward()
    learned = {name for name, weight in encoder.model.named_parameters() if weight.grad is not None}
    assert learned and all(name.startswith(("encoder.layer.1.", "pooler.")) for name in learned)


def test_more_trained_layers_than_there_are_is_an_error(encoder: DualEncoder) -> None:
    with pytest.raises(ValueError, match="trained_layers is 3; the encoder has 2 layers"):
        freeze(encoder.model, 3)


def test_a_model_of_another_build_is_refused() -> None:
    with pytest.raises(ValueError, match=r"trained_layers is set, but Linear .* leave it out"):
        freeze(torch.nn.Linear(2, 2), 1)
