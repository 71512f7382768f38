"""The small encoder from scratch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from toy import SENTENCES, TEXTS
from transformers import AutoModel, AutoTokenizer, BertModel

from hybridnb.encoders.encoder import DualEncoder, encoder_sha256
from hybridnb.encoders.models.small import build_small_encoder

SIZES = {"vocabulary": 400, "layers": 1, "hidden": 32, "heads": 4}


@pytest.fixture(scope="module")
def encoder() -> DualEncoder:
    return build_small_encoder(TEXTS, **SIZES)


def test_it_has_the_sizes_asked_for(encoder: DualEncoder) -> None:
    config = encoder.model.config
    assert isinstance(encoder.model, BertModel)
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == (1, 32, 4)
    assert config.intermediate_size == 128
    assert encoder.vocabulary_size == len(encoder.tokenizer) <= 400
    assert encoder.conventions["pooling"] == "mean"


def test_every_language_is_read_without_unknown_pieces(encoder: DualEncoder) -> None:
    for text in SENTENCES.values():
        (ids,) = encoder.token_ids([text], "passage")
        assert encoder.tokenizer.unk_token_id not in ids
        assert ids[0] == encoder.tokenizer.bos_token_id and ids[-1] == encoder.tokenizer.eos_token_id
    (unknown,) = encoder.token_ids(["ꙮ"], "passage")
    assert encoder.tokenizer.unk_token_id in unknown


def test_words_are_pieces_and_case_does_not_matter(encoder: DualEncoder) -> None:
    lower, upper = encoder.token_ids(["all human beings", "ALL Human BEINGS"], "query")
    assert lower == upper
    assert len(lower) < len("all human beings")


def test_the_seed_decides_the_weights_and_nothing_else(encoder: DualEncoder) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    same, other = build_small_encoder(TEXTS, **SIZES), build_small_encoder(TEXTS, **SIZES, seed=1)
    assert torch.equal(torch.rand(3), expected)
    assert_array_equal(same.encode(TEXTS, "query"), encoder.encode(TEXTS, "query"))
    assert np.abs(other.encode(TEXTS, "query") - encoder.encode(TEXTS, "query")).max() > 0.01
    assert other.token_ids(TEXTS, "query") == encoder.token_ids(TEXTS, "query")


def test_another_process_builds_the_same(encoder: DualEncoder) -> None:
    code = (
        "from toy import TEXTS; from hybridnb.encoders.models.small import build_small_encoder as build;"
        "from hybridnb.encoders.encoder import encoder_sha256;"
        f"print(encoder_sha256(build(TEXTS, **{SIZES})))"
    )
    here = Path(__file__).parents[1]
    environment = {"PYTHONPATH": f"{here}:{here.parent}", "PYTHONHASHSEED": "3"}
    answer = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == encoder_sha256(encoder)


def test_it_is_saved_and_loaded_as_any_model(encoder: DualEncoder, tmp_path: Path) -> None:
    encoder.save(tmp_path)
    again = DualEncoder.load(tmp_path)
    assert_array_equal(again.encode(TEXTS, "passage"), encoder.encode(TEXTS, "passage"))
    same = {"model": "", "sources": {}}
    assert again.conventions | same == encoder.conventions | same
    assert encoder_sha256(again) == encoder_sha256(encoder)
    assert type(AutoModel.from_pretrained(tmp_path)) is BertModel
    ids = AutoTokenizer.from_pretrained(tmp_path)(TEXTS)["input_ids"]
    assert ids == encoder.token_ids(TEXTS, "query")


def test_it_learns(encoder: DualEncoder) -> None:
    """A few steps bring every sentence's own beginning to the top."""
    learner = build_small_encoder(TEXTS, **SIZES).train()
    sentences = list(SENTENCES.values())
    beginnings = [text[: len(text) // 2] for text in sentences]
    optimizer = torch.optim.AdamW(learner.parameters(), lr=3e-3)
    target = torch.arange(len(sentences))
    for _ in range(15):
        optimizer.zero_grad()
        queries = learner(learner.tokenize(beginnings, "query"))
        passages = learner(learner.tokenize(sentences, "passage"))
        torch.nn.functional.cross_entropy(queries @ passages.T / 0.05, target).backward()
        optimizer.step()
    scores = learner.encode(beginnings, "query") @ learner.encode(sentences, "passage").T
    assert_array_equal(scores.argmax(axis=1), np.arange(len(sentences)))


def test_what_cannot_be_built_says_why() -> None:
    with pytest.raises(ValueError, match="hidden is 30, which 4 heads do not divide"):
        build_small_encoder(TEXTS, hidden=30)
    with pytest.raises(ValueError, match="texts is empty"):
        build_small_encoder([])
    with pytest.raises(ValueError, match="vocabulary is 50, but the texts alone have"):
        build_small_encoder(TEXTS, vocabulary=50)
