"""Frozen lower layers: nothing below is trained, and starting above them gives the same vectors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from numpy.testing import assert_allclose
from toy import TEXTS, TOY_BENCHMARK, tiny_labse, tiny_xlmr

from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.small import build_small_encoder
from hybridnb.encoders.trunk import encode_above, freeze, frozen_layers
from hybridnb.retrieval.embeddings import encode_benchmark

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(params=[tiny_xlmr, tiny_labse])
def encoder(request: pytest.FixtureRequest, tmp_path: Path) -> DualEncoder:
    make: Callable[[Path], Path] = request.param
    return DualEncoder.load(make(tmp_path / "model"), max_query_length=12)


@pytest.mark.parametrize("kind", ["query", "passage"])
def test_starting_above_the_frozen_layers_gives_the_vectors_of_encode(
    encoder: DualEncoder, kind: str, tmp_path: Path
) -> None:
    texts = [*TEXTS, TEXTS[3], "a"]
    want = encoder.encode(texts, kind, progress=False)  # type: ignore[arg-type]
    for _ in ("made", "read"):
        got = encode_above(encoder, texts, kind, 1, tmp_path / "cache")  # type: ignore[arg-type]
        assert_allclose(got, want, atol=2e-6)


def test_other_upper_layers_start_from_the_same_file_and_other_lower_layers_do_not(
    encoder: DualEncoder, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    encode_above(encoder, TEXTS, "passage", 1, cache)
    layers = encoder.model.get_submodule("encoder.layer")
    for layer, files in ((1, 1), (0, 2)):
        with torch.no_grad():
            for weight in layers.get_submodule(str(layer)).parameters():
                weight.add_(0.1 * torch.randn_like(weight))
        want = encoder.encode(TEXTS, "passage", progress=False)
        assert_allclose(encode_above(encoder, TEXTS, "passage", 1, cache), want, atol=2e-6)
        assert len(list(cache.iterdir())) == files


def test_a_benchmark_is_encoded_alike_with_and_without_frozen_layers(tmp_path: Path) -> None:
    encoder = build_small_encoder(TEXTS, vocabulary=300, layers=2, hidden=16, heads=2, seed=0)
    plain = encode_benchmark(encoder, TOY_BENCHMARK, cache=None)
    above = encode_benchmark(encoder, TOY_BENCHMARK, cache=tmp_path, frozen=1)
    for side, other in zip(plain, above, strict=True):
        assert list(side) == list(other)
        for language in side:
            assert_allclose(other[language], side[language], atol=2e-6)


def test_only_the_layers_above_learn(encoder: DualEncoder) -> None:
    freeze(encoder, 1)
    assert frozen_layers(encoder, 1) == 1
    encoder.train()(encoder.tokenize(TEXTS, "query")).sum().backward()
    learned = {name for name, weight in encoder.model.named_parameters() if weight.grad is not None}
    assert learned and all(name.startswith(("encoder.layer.1.", "pooler.")) for name in learned)


def test_more_trained_layers_than_there_are_is_an_error(encoder: DualEncoder) -> None:
    with pytest.raises(ValueError, match="trained_layers is 3; the encoder has 2 layers"):
        freeze(encoder, 3)


def test_an_encoder_of_another_build_is_refused(encoder: DualEncoder) -> None:
    encoder.model = torch.nn.Linear(2, 2)  # type: ignore[assignment]
    with pytest.raises(ValueError, match=r"trained_layers is set, but Linear .* leave it out"):
        freeze(encoder, 1)
