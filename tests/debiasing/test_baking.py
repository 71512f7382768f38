"""A debiasing behind an encoder: the vectors are those of `apply`, in this package and in sentence-transformers."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sentence_transformers import SentenceTransformer
from toy import NAMES, TEXTS, static_model, tiny_labse, tiny_xlmr, toy_encoder

from hybridnb.debiasing import Debiasing
from hybridnb.debiasing.baking import bake
from hybridnb.debiasing.maps import Affine
from hybridnb.encoders.encoder import DualEncoder, encoder_sha256
from hybridnb.encoders.foreign import ForeignEncoder, load_encoder
from hybridnb.encoders.kinds import TASKS

pytestmark = pytest.mark.usefixtures("one_thread")


def random_maps(dimension: int, seed: int = 0) -> Debiasing:
    """As far from the identity, and from each other, as maps of two sides can be."""
    rng = np.random.default_rng(seed)
    maps: Any = {
        kind: {"*": Affine(rng.normal(size=(dimension, dimension)), rng.normal(size=dimension))}
        for kind in TASKS
    }
    return Debiasing("one-map", ("de", "en"), maps, {"method": "one-map"})


def expected(encoder: DualEncoder | ForeignEncoder, debiasing: Debiasing) -> dict[str, Any]:
    return {kind: debiasing.apply(encoder.encode(TEXTS, kind, progress=False), kind) for kind in TASKS}


def as_sentence_transformers_has_it(directory: Path, caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    """The vectors of a model loaded with nothing of this package; nothing is warned of."""
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        model = SentenceTransformer(str(directory), device="cpu")
        found = {"query": model.encode_query(TEXTS), "passage": model.encode_document(TEXTS)}
    assert [record.getMessage() for record in caplog.records] == []
    assert_allclose(model.encode(TEXTS, prompt_name="document"), found["passage"], atol=1e-6)
    return found


@pytest.mark.parametrize("make", [tiny_labse, tiny_xlmr])
def test_every_reader_gives_the_debiased_vectors(
    make: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    plain = make(tmp_path / "plain")
    encoder = DualEncoder.load(
        plain, pooling="mean", query_prefix="q: ", passage_prefix="p: ", max_query_length=12
    )
    debiasing, before = random_maps(encoder.dimension), encoder_sha256(encoder)
    vectors = expected(encoder, debiasing)
    bake(encoder.network, debiasing)
    encoder.save(tmp_path / "baked")
    capfd.readouterr()
    again = DualEncoder.load(tmp_path / "baked")
    assert capfd.readouterr().err == ""  # nothing is assumed
    foreign = as_sentence_transformers_has_it(tmp_path / "baked", caplog)
    for kind in TASKS:
        for read in (encoder, again):
            assert_allclose(read.encode(TEXTS, kind, progress=False), vectors[kind], atol=1e-5)
        assert_allclose(foreign[kind], vectors[kind], atol=1e-5)
    assert encoder_sha256(encoder) == encoder_sha256(again) != before
    assert not [path for path in (tmp_path / "baked").rglob("*") if path.suffix in (".bin", ".pt", ".pkl")]


def test_another_debiasing_is_another_encoder() -> None:
    hashes = set()
    for seed in (0, 1):
        encoder = toy_encoder()
        bake(encoder.network, random_maps(16, seed))
        hashes.add(encoder_sha256(encoder))
    assert len(hashes) == 2


def test_maps_are_in_float32_where_the_layers_below_are_not() -> None:
    encoder = toy_encoder()
    encoder.precision = "bfloat16"
    vectors = expected(encoder, random_maps(16))
    bake(encoder.network, random_maps(16))
    for kind in TASKS:
        assert_allclose(encoder.encode(TEXTS, kind, progress=False), vectors[kind], atol=1e-5)


def test_frozen_layers_are_used_again_below_a_debiasing(tmp_path: Path) -> None:
    encoder = toy_encoder()
    vectors = expected(encoder, random_maps(16))
    bake(encoder.network, random_maps(16))
    encoder.reuse_frozen(0, tmp_path / "trunk")
    for kind in TASKS:
        assert_allclose(encoder.encode(TEXTS, kind, progress=False), vectors[kind], atol=1e-5)


def test_what_is_no_dual_encoder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    encoder = load_encoder(static_model(tmp_path / "static", similarity_fn_name="cosine"), name="static")
    assert isinstance(encoder, ForeignEncoder)
    vectors = expected(encoder, random_maps(24))
    bake(encoder.network, random_maps(24))
    encoder.network.save(str(tmp_path / "baked"), create_model_card=False)
    foreign = as_sentence_transformers_has_it(tmp_path / "baked", caplog)
    again = load_encoder(tmp_path / "baked")
    for kind in TASKS:
        assert_allclose(foreign[kind], vectors[kind], atol=1e-5)
        assert_allclose(again.encode(TEXTS, kind), vectors[kind], atol=1e-5)


def test_what_cannot_be_baked(tmp_path: Path) -> None:
    zero = Affine(None, np.zeros(16))
    maps: Any = {kind: {"*": zero, "de": zero} for kind in TASKS}
    with pytest.raises(ValueError, match="language-maps needs the language of every text"):
        bake(toy_encoder().network, Debiasing("language-maps", ("de", "en"), maps, {}))
    with pytest.raises(ValueError, match="is for vectors of 8 numbers, the encoder's have 16"):
        bake(toy_encoder().network, random_maps(8))
    for setting, value in {"truncate_dim": 8, "similarity_fn_name": "dot"}.items():
        encoder = toy_encoder()
        setattr(encoder.network, setting, value)
        with pytest.raises(ValueError, match="maps whole vectors that are compared by cosine"):
            bake(encoder.network, random_maps(16))


def test_a_debiased_encoder_is_not_trained() -> None:
    encoder = toy_encoder()
    encoder.check_trainable()
    bake(encoder.network, random_maps(16))
    with pytest.raises(ValueError, match="is debiased, with a map for queries and one for passages"):
        encoder.check_trainable()


DAMAGED: dict[str, tuple[str, Any, str]] = {
    "no weights": ("query_0_Dense/model.safetensors", None, r"query_0_Dense/model.safetensors is missing"),
    "damaged weights": (
        "query_0_Dense/model.safetensors",
        b"x",
        r"query_0_Dense/model.safetensors is damaged",
    ),
    "no JSON": ("router_config.json", b"{", r"router_config.json is damaged"),
    "a list": ("router_config.json", b"[]", r"router_config.json holds a list"),
    "types are a list": (
        "router_config.json",
        {"types": []},
        "types, structure and parameters must be objects",
    ),
    "a path out of it": (
        "router_config.json",
        {"types": {"../x": "sentence_transformers.base.modules.dense.Dense"}},
        "leads out of the model's directory",
    ),
    "other modules": ("router_config.json", {"types": {"a": "mine.Dense"}}, "a Router is supported where"),
    "other routes": ("router_config.json", {"structure": {"query": []}}, "a Router is supported where"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_debiasing_is_told_in_a_line(case: str, tmp_path: Path) -> None:
    encoder = toy_encoder()
    bake(encoder.network, random_maps(16))
    encoder.save(tmp_path)
    name, content, message = DAMAGED[case]
    file = tmp_path / "3_Router" / name
    if content is None:
        file.unlink()
    elif isinstance(content, dict):
        file.write_text(json.dumps({**json.loads(file.read_text()), **content}))
    else:
        file.write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        DualEncoder.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_one_text_and_none() -> None:
    encoder = toy_encoder()
    bake(encoder.network, random_maps(16))
    assert encoder.encode([], "query").shape == (0, 16)
    one = encoder.encode(NAMES[:1], "passage")
    assert_allclose(one, encoder.encode(NAMES, "passage")[:1], atol=1e-5)
    assert_allclose(torch.linalg.norm(torch.from_numpy(one), dim=1), 1, atol=1e-5)
