"""Vocabulary pruning, for every kind of tokenizer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from toy import SENTENCES, TEXTS, tiny_labse, tiny_xlmr

from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.models.small import build_small_encoder
from tools.pruning import prune_vocabulary

SOME = [SENTENCES["en"], SENTENCES["zh"], SENTENCES["th"], "ꙮ unknown ꙮ", "  two  spaces "]


@pytest.fixture(scope="module", params=["unigram", "wordpiece", "bpe"])
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> DualEncoder:
    directory = tmp_path_factory.mktemp("models")
    if request.param == "unigram":
        return DualEncoder.load(tiny_xlmr(directory / "xlm-roberta-tiny"))
    if request.param == "wordpiece":
        return DualEncoder.load(tiny_labse(directory / "LaBSE"))
    return build_small_encoder(TEXTS, vocabulary=600, layers=1, hidden=32)


@pytest.fixture(scope="module")
def pruned(encoder: DualEncoder) -> DualEncoder:
    return prune_vocabulary(encoder, SOME)


def test_same_vectors_with_fewer_pieces(encoder: DualEncoder, pruned: DualEncoder) -> None:
    assert pruned.vocabulary_size == len(pruned.tokenizer) < encoder.vocabulary_size
    for kind in ("query", "passage"):
        assert_array_equal(
            pruned.encode(SOME, kind, progress=False), encoder.encode(SOME, kind, progress=False)
        )


def test_the_original_is_untouched(encoder: DualEncoder) -> None:
    before = encoder.token_ids(TEXTS, "query"), encoder.vocabulary_size
    prune_vocabulary(encoder, SOME)
    assert (encoder.token_ids(TEXTS, "query"), encoder.vocabulary_size) == before


def test_pieces_in_use_and_single_characters_stay(encoder: DualEncoder, pruned: DualEncoder) -> None:
    kept, original = set(pruned.tokenizer.get_vocab()), set(encoder.tokenizer.get_vocab())
    assert kept <= original
    assert {piece for piece in original if len(piece) == 1} <= kept
    assert set(encoder.tokenizer.all_special_tokens) <= kept
    (mask,) = pruned.token_ids([pruned.tokenizer.mask_token or "<s>"], "query")
    assert pruned.tokenizer.unk_token_id not in mask and max(mask) < pruned.vocabulary_size
    used = encoder.tokenizer.convert_ids_to_tokens(encoder.token_ids(SOME[:1], "query")[0])
    assert set(used) <= kept


def test_other_texts_fall_back_to_shorter_pieces(encoder: DualEncoder, pruned: DualEncoder) -> None:
    for text in TEXTS:
        (full,), (short,) = encoder.token_ids([text], "query"), pruned.token_ids([text], "query")
        assert len(short) >= len(full)
        unknown = encoder.tokenizer.unk_token_id, pruned.tokenizer.unk_token_id
        assert short.count(unknown[1]) <= full.count(unknown[0])
    assert np.isfinite(pruned.encode(TEXTS, "query", progress=False)).all()


def test_saved_and_loaded_as_any_model(pruned: DualEncoder, tmp_path: Path) -> None:
    pruned.save(tmp_path)
    again = DualEncoder.load(tmp_path)
    assert again.vocabulary_size == pruned.vocabulary_size
    assert again.token_ids([*TEXTS, *SOME], "query") == pruned.token_ids([*TEXTS, *SOME], "query")
    assert_array_equal(again.encode(TEXTS, "query"), pruned.encode(TEXTS, "query"))


def test_it_can_be_pruned_again(pruned: DualEncoder) -> None:
    twice = prune_vocabulary(pruned, SOME)
    assert_array_equal(twice.encode(SOME, "query"), pruned.encode(SOME, "query"))


@settings(max_examples=10, deadline=None)
@given(texts=st.lists(st.sampled_from(TEXTS), min_size=1, max_size=6))
def test_any_texts_keep_their_vectors(encoder: DualEncoder, texts: list[str]) -> None:
    pruned = prune_vocabulary(encoder, texts)
    assert_array_equal(
        pruned.encode(texts, "passage", progress=False), encoder.encode(texts, "passage", progress=False)
    )


def test_without_texts_it_says_so(encoder: DualEncoder) -> None:
    with pytest.raises(ValueError, match="texts is empty"):
        prune_vocabulary(encoder, [])
