"""A benchmark's vectors and their cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from toy import SENTENCES, TEXTS, tiny_xlmr

from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.retrieval.embeddings import encode_benchmark, encoder_sha256


def benchmark(extra: str = "") -> Benchmark:
    """Two languages with different numbers of candidates; a query's text is a candidate too."""
    en, de = SENTENCES["en"] + extra, SENTENCES["de"]
    return Benchmark(
        "toy",
        queries={"en": Queries(["a", "b"], [en, "dignity"]), "de": Queries(["a"], [de])},
        candidates={"en": [en, "rights", "free"], "de": [de, en]},
        relevance={"a": {"en": [0], "de": [0]}, "b": {"en": [1]}},
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_xlmr(tmp_path_factory.mktemp("models") / "xlm-roberta-tiny")


@pytest.fixture
def encoder(model: Path) -> DualEncoder:
    return DualEncoder.load(model)


def test_vectors_by_language_with_each_sides_prefix(encoder: DualEncoder) -> None:
    toy = benchmark()
    queries, candidates = encode_benchmark(encoder, toy, cache=None)
    assert {k: v.shape for k, v in queries.items()} == {"en": (2, 32), "de": (1, 32)}
    assert {k: v.shape for k, v in candidates.items()} == {"en": (3, 32), "de": (2, 32)}
    for language in ("en", "de"):
        alone = encoder.encode(toy.queries[language].texts, "query", progress=False)
        np.testing.assert_allclose(queries[language], alone, atol=2e-6)
        alone = encoder.encode(toy.candidates[language], "passage", progress=False)
        np.testing.assert_allclose(candidates[language], alone, atol=2e-6)
    assert np.abs(queries["en"][0] - candidates["en"][0]).max() > 1e-3


def test_the_cache_gives_the_same_without_encoding(
    encoder: DualEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = encode_benchmark(encoder, benchmark(), cache=tmp_path / "cache")
    monkeypatch.setattr(encoder, "encode", lambda *_, **__: pytest.fail("encoded again"))
    second = encode_benchmark(encoder, benchmark(), cache=tmp_path / "cache")
    for one, two in zip(first, second, strict=True):
        assert one.keys() == two.keys()
        for language in one:
            assert_array_equal(one[language], two[language])
            assert two[language].dtype == np.float32
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_other_data_or_another_encoder_is_another_entry(encoder: DualEncoder, tmp_path: Path) -> None:
    encode_benchmark(encoder, benchmark(), cache=tmp_path)
    encode_benchmark(encoder, benchmark(extra=" And more."), cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    with torch.no_grad():
        next(encoder.parameters())[7, 0] += 0.5
    encode_benchmark(encoder, benchmark(), cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_the_hash_is_of_what_the_vectors_depend_on(encoder: DualEncoder, model: Path, tmp_path: Path) -> None:
    digest = encoder_sha256(encoder)
    encoder.tokenize(TEXTS, "query")
    assert encoder_sha256(encoder) == digest, "it may not depend on the last call"
    encoder.save(tmp_path / "elsewhere")
    assert encoder_sha256(DualEncoder.load(tmp_path / "elsewhere")) == digest
    changes = [{"pooling": "cls"}, {"query_prefix": "q: "}, {"max_passage_length": 20}]
    others = {encoder_sha256(DualEncoder.load(model, **change)) for change in changes}
    assert len(others | {digest}) == 4


def test_a_write_cut_off_leaves_nothing(
    encoder: DualEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half_written(_tensors: object, file: Path) -> None:
        file.write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("hybridnb.retrieval.embeddings.save_file", half_written)
        with pytest.raises(KeyboardInterrupt):
            encode_benchmark(encoder, benchmark(), cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_entry_is_named(encoder: DualEncoder, tmp_path: Path) -> None:
    encode_benchmark(encoder, benchmark(), cache=tmp_path)
    (entry,) = tmp_path.iterdir()
    entry.write_bytes(entry.read_bytes()[:-50])
    with pytest.raises(ValueError, match=rf"{entry.name} is damaged .*delete it"):
        encode_benchmark(encoder, benchmark(), cache=tmp_path)
