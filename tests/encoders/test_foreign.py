"""Encoders that are not ours: any object, what only sentence-transformers loads, and what is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize
from toy import TEXTS, static_model, toy_encoder

from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.foreign import PROBES, ForeignEncoder, load_encoder


class Counts:
    """Vectors of how often each of 16 kinds of letters stands in a text."""

    def encode(self, texts: list[str]) -> Any:
        assert isinstance(texts, list)
        return [np.bincount([ord(c) % 16 for c in text], minlength=16) for text in texts]


class Sided(Counts):
    def encode_query(self, texts: list[str]) -> Any:
        return self.encode([f"? {text}" for text in texts])


def test_an_object_is_asked_by_kind_and_compared_by_cosine(capsys: pytest.CaptureFixture[str]) -> None:
    plain, sided = ForeignEncoder(Counts(), "counts"), ForeignEncoder(Sided(), "sided")
    assert "counts: its vectors are not of length 1" in capsys.readouterr().err
    raw = np.array(Counts().encode(TEXTS), dtype=np.float64)
    expected = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    assert_allclose(plain.encode(TEXTS, "query"), expected, atol=1e-6)
    assert_allclose(sided.encode(TEXTS, "passage"), expected, atol=1e-6)
    assert_allclose(sided.encode(TEXTS, "query"), plain.encode([f"? {t}" for t in TEXTS], "query"))
    assert plain.conventions["class"].endswith("Counts") and plain.conventions["similarity"] == "cosine"


def test_it_is_known_by_its_name_and_its_vectors() -> None:
    class Cut(Counts):
        """Another for long texts only."""

        def encode(self, texts: list[str]) -> Any:
            return super().encode([text[:1000] for text in texts])

    of = ForeignEncoder(Counts(), "counts").sha256
    assert of == ForeignEncoder(Counts(), "counts").sha256
    assert max(map(len, PROBES)) > 1000
    others = {
        ForeignEncoder(m, n).sha256 for m, n in ((Counts(), "x"), (Cut(), "counts"), (Sided(), "counts"))
    }
    assert len(others) == 3 and of not in others


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            lambda texts: [1.0] * len(texts),
            r"gave an array of shape \(8,\); it must be \(8, d\), one row a text",
        ),
        (lambda texts: np.ones((3, 4)), r"of 8 texts gave an array of shape \(3, 4\); it must be \(8, 4\)"),
        (lambda texts: np.ones((len(texts), 0)), r"shape \(8, 0\)"),
        (lambda texts: [["a"]] * len(texts), "no array of numbers"),
        (lambda texts: [[1.0], [1.0, 2.0]], "no array of numbers"),
        (lambda texts: None, "no array of numbers|shape"),
    ],
)
def test_what_gives_no_vectors_is_refused(model: Any, message: str) -> None:
    class Wrong:
        encode = staticmethod(model)

    with pytest.raises(ValueError, match=f"wrong: .*{message}"):
        ForeignEncoder(Wrong(), "wrong")


def test_an_object_without_encode_is_refused() -> None:
    with pytest.raises(ValueError, match="a dict has neither encode_query nor encode"):
        ForeignEncoder({}, "nothing")


def test_what_is_no_model_of_ours_is_loaded_by_sentence_transformers(tmp_path: Path) -> None:
    directory = static_model(tmp_path / "static")
    with pytest.raises(ValueError, match=r"module .*StaticEmbedding is not supported"):
        DualEncoder.load(directory)
    encoder = load_encoder(directory, name="static")
    assert isinstance(encoder, ForeignEncoder)
    theirs = SentenceTransformer(str(directory), device="cpu")
    for kind, vectors in (("query", theirs.encode_query(TEXTS)), ("passage", theirs.encode_document(TEXTS))):
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        assert_allclose(encoder.encode(TEXTS, kind), vectors / lengths, atol=1e-6)  # type: ignore[arg-type]
    assert encoder.conventions["prompts"] == {"query": "wo ", "document": "am see "}
    other = load_encoder(directory, name="static", query_prefix="wer ")
    assert isinstance(other, ForeignEncoder) and other.sha256 != encoder.sha256
    assert_allclose(other.encode(["ana"], "passage"), encoder.encode(["ana"], "passage"))
    with pytest.raises(ValueError, match=r"max_query_length cannot be set here: .*StaticEmbedding"):
        load_encoder(directory, max_query_length=8)


def test_its_own_similarity_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    encoder = load_encoder(static_model(tmp_path / "dot", similarity_fn_name="dot"), name="dot")
    assert encoder.conventions["similarity"] == "dot"
    assert np.ptp(np.linalg.norm(encoder.encode(TEXTS, "query"), axis=1)) > 0.1
    assert "length 1" not in capsys.readouterr().err
    with pytest.raises(ValueError, match="compared by 'euclidean'"):
        load_encoder(static_model(tmp_path / "euclidean", similarity_fn_name="euclidean"), name="e")


def test_a_model_of_ours_stays_one(tmp_path: Path) -> None:
    toy_encoder().save(tmp_path)
    encoder = load_encoder(tmp_path, precision="bfloat16")
    assert isinstance(encoder, DualEncoder) and encoder.precision == "bfloat16"


def test_code_of_other_packages_and_pickles_are_refused(tmp_path: Path) -> None:
    directory = static_model(tmp_path / "static")
    modules = json.loads((directory / "modules.json").read_text())
    (directory / "modules.json").write_text(json.dumps([{**modules[0], "type": "subprocess.Popen"}]))
    with pytest.raises(ValueError, match=r"module subprocess.Popen is not supported"):
        load_encoder(directory)
    (directory / "modules.json").write_text(json.dumps(modules))
    (weights,) = directory.rglob("*.safetensors")
    weights.rename(weights.with_name("pytorch_model.bin"))
    with pytest.raises(ValueError, match=r"pytorch_model.bin is a pickle"):
        load_encoder(directory)
    weights.write_bytes(b"x" * 40)
    with pytest.raises(ValueError, match="sentence-transformers cannot load it"):
        load_encoder(directory)


def test_a_static_model_with_a_normalisation(tmp_path: Path) -> None:
    directory = static_model(tmp_path / "static")
    model: Any = SentenceTransformer(str(directory), device="cpu")
    model.append(Normalize())
    encoder = ForeignEncoder(model, "static")
    assert_allclose(encoder.encode(TEXTS, "query"), model.encode_query(TEXTS), atol=1e-6)


def test_a_pooling_that_leaves_the_prompt_out_does(tmp_path: Path) -> None:
    encoder = toy_encoder()
    encoder.network.prompts = {"query": "ana wohnt ", "document": "", "passage": ""}
    encoder.save(tmp_path)
    pooled_with_it = DualEncoder.load(tmp_path).encode(TEXTS, "query")
    file = tmp_path / "1_Pooling" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "include_prompt": False}))
    with pytest.raises(ValueError, match="include_prompt is off"):
        DualEncoder.load(tmp_path)
    foreign = load_encoder(tmp_path)
    assert isinstance(foreign, ForeignEncoder)
    vectors = foreign.encode(TEXTS, "query")
    assert_allclose(vectors, SentenceTransformer(str(tmp_path)).encode_query(TEXTS), atol=1e-5)
    assert np.abs(vectors - pooled_with_it).max() > 1e-3
