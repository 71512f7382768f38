"""One gate at load: what a model's files do not bear out is refused in one line that names the file."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from toy import TEXTS, tiny_labse, tiny_xlmr
from transformers import (
    AutoTokenizer,
    BartConfig,
    BartModel,
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    ByT5Tokenizer,
    FunnelBaseModel,
    FunnelConfig,
    GPT2Config,
    GPT2Model,
    ModernBertConfig,
    ModernBertModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2Model,
    T5Config,
    T5EncoderModel,
    T5Model,
)

from hybridnb.encoders.encoder import DualEncoder

pytestmark = pytest.mark.usefixtures("one_thread")

SIZES: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
}  # fmt: skip
DENSE = {
    "in_features": 32,
    "out_features": 32,
    "bias": True,
    "activation_function": "torch.nn.modules.activation.Tanh",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers directory: Transformer, Pooling (cls), Dense, Normalize."""
    directory = tmp_path_factory.mktemp("models") / "whole"
    encoder = DualEncoder.load(tiny_labse(directory.parent / "labse"), pooling="cls", query_prefix="q: ")
    encoder.save(directory)
    modules = json.loads((directory / "modules.json").read_text())
    modules.insert(
        2, {"idx": 2, "name": "dense", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    )
    (directory / "modules.json").write_text(json.dumps(modules))
    (directory / "2_Dense").mkdir()
    (directory / "2_Dense" / "config.json").write_text(json.dumps(DENSE))
    save_file(
        {"linear.weight": torch.eye(32), "linear.bias": torch.zeros(32)},
        directory / "2_Dense" / "model.safetensors",
    )
    DualEncoder.load(directory)
    return directory


def put(file: str, **values: Any) -> Callable[[Path], None]:
    """Other values in a JSON file, nested ones by a dotted name; None takes the name out."""

    def change(model: Path) -> None:
        content = json.loads((model / file).read_text()) if (model / file).exists() else {}
        for name, value in values.items():
            *path, last = name.split("__")
            place = content
            for part in path:
                place = place[int(part)] if isinstance(place, list) else place[part]
            key = int(last) if isinstance(place, list) else last
            if value is None:
                del place[key]
            else:
                place[key] = value
        (model / file).write_text(json.dumps(content))

    return change


def write(file: str, content: str | bytes) -> Callable[[Path], None]:
    def change(model: Path) -> None:
        (model / file).write_bytes(content.encode() if isinstance(content, str) else content)

    return change


def cut(file: str, part: float) -> Callable[[Path], None]:
    """The beginning of a file."""

    def change(model: Path) -> None:
        content = (model / file).read_bytes()
        (model / file).write_bytes(content[: int(len(content) * part)])

    return change


def remove(*files: str) -> Callable[[Path], None]:
    def change(model: Path) -> None:
        for file in files:
            shutil.rmtree(model / file) if (model / file).is_dir() else (model / file).unlink()

    return change


def weights(file: str = "model.safetensors", **values: Any) -> Callable[[Path], None]:
    """Other weights: the names' dots are written __; None takes one out, a number is put into it."""

    def change(model: Path) -> None:
        tensors = load_file(model / file)
        for name, value in values.items():
            key = name.replace("__", ".")
            if value is None:
                del tensors[key]
            elif isinstance(value, float):
                tensors[key].view(-1)[7] = value
            else:
                tensors[key] = value
        save_file(tensors, model / file, {"format": "pt"})

    return change


def a_small_table(model: Path) -> None:
    weights(embeddings__word_embeddings__weight=torch.ones(20, 32))(model)
    put(CONFIG, vocab_size=20)(model)


CONFIG, TOKENIZER, SETTINGS = "config.json", "tokenizer.json", "sentence_bert_config.json"
TOKENIZER_CONFIG, MODULES, PROMPTS = (
    "tokenizer_config.json",
    "modules.json",
    "config_sentence_transformers.json",
)
POOLING, DENSE_CONFIG, DENSE_WEIGHTS = (
    "1_Pooling/config.json",
    "2_Dense/config.json",
    "2_Dense/model.safetensors",
)
WEIGHTS, KIND = "model.safetensors", "sentence_transformers.models."
JSON = (CONFIG, TOKENIZER, SETTINGS, TOKENIZER_CONFIG, MODULES, PROMPTS, POOLING, DENSE_CONFIG)

# fault -> what is changed, what the message says; an empty one where the words are a library's
MALFORMED: dict[str, tuple[Callable[[Path], None], str]] = {
    **{f"{file} is cut off": (cut(file, 0.5), file) for file in JSON},
    **{f"{file} is empty": (write(file, ""), file) for file in JSON},
    **{f"{file} is a list of one number": (write(file, "[1]"), file) for file in JSON},
    **{f"{file} is null": (write(file, "null"), file) for file in JSON},
    **{f"{file} is not UTF-8": (write(file, b'{"a": "\xff\xfe"}'), file) for file in JSON},
    **{f"{file} nests too deeply": (write(file, "[" * 100_000), file) for file in JSON},
    "no config.json": (remove(CONFIG), CONFIG),
    "no weights": (remove(WEIGHTS), "no safetensors weights"),
    "no tokenizer": (remove(TOKENIZER, TOKENIZER_CONFIG), TOKENIZER),
    "no tokenizer.json": (remove(TOKENIZER), TOKENIZER),
    "no pooling": (remove("1_Pooling"), POOLING),
    "no Dense weights": (remove(DENSE_WEIGHTS), DENSE_WEIGHTS),
    # config.json
    "a model type that nobody knows": (put(CONFIG, model_type="newbert"), CONFIG),
    "no model type": (put(CONFIG, model_type=None), CONFIG),
    "code for the model": (put(CONFIG, auto_map={"AutoModel": "code.Model"}), "auto_map"),
    "code for the tokenizer": (
        put(TOKENIZER_CONFIG, auto_map={"AutoTokenizer": ["code.T", None]}),
        "auto_map",
    ),
    "a width that is text": (put(CONFIG, hidden_size="wide"), CONFIG),
    "a width of another model": (put(CONFIG, hidden_size=16), "16] by it, and ["),
    "a negative width": (put(CONFIG, hidden_size=-32), CONFIG),
    "no layers": (put(CONFIG, num_hidden_layers=0), "encoder.layer.0"),
    "fewer layers than weights": (put(CONFIG, num_hidden_layers=1), "encoder.layer.1"),
    "more layers than weights": (put(CONFIG, num_hidden_layers=3), "lack encoder.layer.2"),
    "heads that do not divide": (put(CONFIG, num_attention_heads=5), CONFIG),
    "an activation that is unknown": (put(CONFIG, hidden_act="gelllu"), CONFIG),
    "a vocabulary of another model": (put(CONFIG, vocab_size=20), CONFIG),
    "a classifier": (put(CONFIG, architectures=["BertForSequenceClassification"]), "judges texts"),
    "a decoder's flag that is text": (put(CONFIG, is_encoder_decoder="perhaps"), ""),
    # weights
    "weights cut off in the head": (cut(WEIGHTS, 0.001), WEIGHTS),
    "weights cut off": (cut(WEIGHTS, 0.9), WEIGHTS),
    "weights that are something else": (write(WEIGHTS, b"GGUF" + bytes(200)), WEIGHTS),
    "weights that are empty": (write(WEIGHTS, b""), WEIGHTS),
    "a weight is missing": (
        weights(encoder__layer__1__output__dense__weight=None),
        "lack encoder.layer.1.output",
    ),
    "no word embeddings": (
        weights(embeddings__word_embeddings__weight=None),
        "lack embeddings.word_embeddings",
    ),
    "a NaN": (
        weights(encoder__layer__1__output__dense__weight=torch.nan),
        "encoder.layer.1.output.dense.weight",
    ),
    "an infinity": (
        weights(embeddings__word_embeddings__weight=torch.inf),
        "embeddings.word_embeddings.weight",
    ),
    "a weight of another shape": (weights(encoder__layer__1__output__dense__weight=torch.ones(5, 5)), ""),
    "an adapter among the weights": (weights(encoder__layer__0__lora_A__weight=torch.ones(2)), "lora_A"),
    "an adapter beside the weights": (
        write("adapter_config.json", '{"peft_type": "LORA"}'),
        "adapter_config.json",
    ),
    "a NaN in Dense": (
        weights(DENSE_WEIGHTS, linear__bias=torch.nan),
        "NaN or infinity in dense.linear.bias",
    ),
    "Dense weights of another shape": (weights(DENSE_WEIGHTS, linear__bias=torch.ones(7)), DENSE_CONFIG),
    "Dense weights of other names": (
        weights(DENSE_WEIGHTS, linear__bias=None, bias=torch.ones(32)),
        DENSE_CONFIG,
    ),
    # tokenizer
    "a tokenizer larger than the table": (a_small_table, "embedding table"),
    "a tokenizer of an unknown type": (put(TOKENIZER, model__type="Sentence"), TOKENIZER),
    "a tokenizer without pieces": (put(TOKENIZER, model__vocab={}), "no pieces"),
    "a length that is text": (put(TOKENIZER_CONFIG, model_max_length="long"), TOKENIZER_CONFIG),
    # the pipeline
    "no modules": (write(MODULES, "[]"), MODULES),
    "a module without a type": (put(MODULES, **{"0__type": None}), MODULES),
    "a module without a path": (put(MODULES, **{"1__path": 7}), MODULES),
    "a module of another package": (put(MODULES, **{"1__type": "mine.Pooling"}), MODULES),
    "a module in code beside the model": (put(MODULES, **{"0__type": "code.Transformer"}), MODULES),
    "a module that is no text pipeline": (put(MODULES, **{"0__type": f"{KIND}CLIPModel"}), "CLIPModel"),
    "a path out of the model": (put(MODULES, **{"1__path": "../1_Pooling"}), MODULES),
    "two Transformers": (put(MODULES, **{"1__type": f"{KIND}Transformer"}), MODULES),
    "no Pooling": (put(MODULES, **{"1": None}), MODULES),
    "a pooling that nobody knows": (put(POOLING, pooling_mode="median"), POOLING),
    "a pooling that is a number": (put(POOLING, pooling_mode=0), POOLING),
    "a pooling that leaves the prompt out": (put(POOLING, include_prompt=False), "include_prompt is off"),
    "a pooling of another width": (
        put(POOLING, embedding_dimension=16),
        f"{POOLING}: Pooling is for 16 numbers",
    ),
    "Dense of another width": (put(DENSE_CONFIG, in_features=31), ""),
    "Dense with code of one's own": (put(DENSE_CONFIG, activation_function="mine.Swish"), DENSE_CONFIG),
    "a length of 0": (put(SETTINGS, max_seq_length=0), SETTINGS),
    "a negative length": (put(SETTINGS, query_length=-3), SETTINGS),
    "a query length that is text": (put(SETTINGS, query_length="x"), SETTINGS),
    "a length without end": (put(SETTINGS, query_length=float("inf")), SETTINGS),
    "a length that is true": (put(SETTINGS, document_length=True), SETTINGS),
    "no room for text": (put(SETTINGS, query_length=4), "nothing of the text would be left"),
    "query expansion": (put(SETTINGS, query_expansion={"strategy": "fixed", "length": 32}), SETTINGS),
    "prompts that are a list": (put(PROMPTS, prompts=["q: "]), PROMPTS),
    "prompts that are null": (write(PROMPTS, '{"prompts": null}'), PROMPTS),
    "a default prompt that is a list": (put(PROMPTS, default_prompt_name=["query"]), PROMPTS),
    "versions that are null": (write(PROMPTS, '{"__version__": null}'), PROMPTS),
    "a task that nobody knows": (put(SETTINGS, transformer_task="hum"), SETTINGS),
    "a prompt that is a number": (put(PROMPTS, prompts={"query": 3}), PROMPTS),
    "a default prompt that is not there": (put(PROMPTS, default_prompt_name="search"), PROMPTS),
    "a similarity that is not computed": (put(PROMPTS, similarity_fn_name="euclidean"), PROMPTS),
    "a cross-encoder": (put(PROMPTS, model_type="CrossEncoder"), PROMPTS),
    "vectors cut to nothing": (put(PROMPTS, truncate_dim=0), PROMPTS),
    "a later version needed": (put(PROMPTS, requirements={"sentence-transformers": ">=99"}), ""),
}


def refused(model: Path, **given: Any) -> str:
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        DualEncoder.load(model, **given)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 700
    assert str(model) in message, "the file is named"
    return message


@pytest.mark.parametrize("fault", MALFORMED)
def test_a_malformed_model_is_refused_in_one_line(whole: Path, tmp_path: Path, fault: str) -> None:
    change, says = MALFORMED[fault]
    model = tmp_path / "model"
    shutil.copytree(whole, model)
    change(model)
    assert says in refused(model)


T5 = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "pad_token_id": 1}
BART = {
    "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 4, "pad_token_id": 1,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_position_embeddings": 64,
}  # fmt: skip
SPECIAL = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "cls_token_id": 0, "sep_token_id": 2}
FUNNEL = {
    "d_model": 32,
    "n_head": 4,
    "d_head": 8,
    "d_inner": 64,
    "block_sizes": [1, 1],
    "num_decoder_layers": 1,
}
OTHER_FORMS: dict[str, tuple[type, Any, str]] = {
    "T5 of which the encoder is used": (T5Model, T5Config(**T5, decoder_start_token_id=1), ""),
    "the encoder of T5": (T5EncoderModel, T5Config(**T5), ""),
    "ModernBERT": (ModernBertModel, ModernBertConfig(**SIZES, **SPECIAL, max_position_embeddings=64), ""),
    "a decoder": (Qwen2Model, Qwen2Config(**SIZES, num_key_value_heads=4, max_position_embeddings=64), ""),
    "GPT-2": (GPT2Model, GPT2Config(n_embd=32, n_layer=1, n_head=4, n_positions=64), ""),
    "pre-trained by masking": (BertForMaskedLM, BertConfig(**SIZES, max_position_embeddings=64), ""),
    "BART": (BartModel, BartConfig(**BART), "bart is an encoder-decoder"),
    "a classifier": (BertForSequenceClassification, BertConfig(**SIZES), "judges texts"),
    "one of several classes, which shortens": (
        FunnelBaseModel,
        FunnelConfig(**FUNNEL),
        "padding changes the vectors",
    ),
}


def plain_tokenizer(directory: Path, **special: str) -> PreTrainedTokenizerFast:
    """XLM-R's pieces in a tokenizer of no model's own class."""
    file = tiny_xlmr(directory / "xlmr") / TOKENIZER
    return PreTrainedTokenizerFast(
        tokenizer_file=str(file), unk_token="<unk>", model_max_length=64, **special
    )


@pytest.mark.parametrize("form", OTHER_FORMS)
def test_other_forms_of_models_are_used_as_they_are_or_refused(form: str, tmp_path: Path) -> None:
    model_class, config, says = OTHER_FORMS[form]
    tokenizer = plain_tokenizer(tmp_path, pad_token="<pad>")
    config.vocab_size = len(tokenizer)  # though Qwen's own tokenizer adds a mark
    torch.manual_seed(0)
    network = model_class(config).eval()
    network.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    if says:
        assert says in refused(tmp_path / "model")
        return
    encoder = DualEncoder.load(tmp_path / "model", query_prefix="", pooling="mean")
    features = encoder.tokenizer(TEXTS[0], return_tensors="pt", return_token_type_ids=False)
    inner = (
        getattr(network, "encoder", network)
        if config.model_type == "t5"
        else getattr(network, "bert", network)
    )
    with torch.inference_mode():
        want = torch.nn.functional.normalize(inner(**features).last_hidden_state.mean(1), dim=-1)
    (got,) = encoder.encode(TEXTS[:1], "query")
    torch.testing.assert_close(torch.from_numpy(got), want[0], atol=1e-5, rtol=0)
    encoder.save(tmp_path / "saved")
    again = DualEncoder.load(tmp_path / "saved")
    assert (again.encode(TEXTS, "query") == encoder.encode(TEXTS, "query")).all()
    if config.model_type == "t5":
        with pytest.raises(ValueError, match="are one weight, which a checkpoint in safetensors cannot hold"):
            encoder.check_trainable()
    else:
        encoder.check_trainable()


def test_a_mark_without_a_row_is_refused_where_a_prefix_holds_it(tmp_path: Path) -> None:
    model = tiny_labse(tmp_path / "labse")
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.add_special_tokens({"additional_special_tokens": ["[QUERY]"]})
    tokenizer.save_pretrained(model)
    DualEncoder.load(model)
    assert "a trial text could not be encoded" in refused(model, query_prefix="[QUERY] ")
    tokenizer.add_tokens(["justice"])
    tokenizer.save_pretrained(model)
    assert "embedding table" in refused(model)


def test_a_tokenizer_without_a_padding_token(tmp_path: Path) -> None:
    tokenizer = plain_tokenizer(tmp_path)
    GPT2Model(GPT2Config(n_embd=32, n_layer=1, n_head=4, vocab_size=len(tokenizer))).save_pretrained(
        tmp_path / "m"
    )
    tokenizer.save_pretrained(tmp_path / "m")
    assert "tokenizer_config.json: the tokenizer has no padding token" in refused(tmp_path / "m")


def test_a_tokenizer_without_a_fast_form(tmp_path: Path) -> None:
    T5EncoderModel(T5Config(**T5)).save_pretrained(tmp_path)
    ByT5Tokenizer().save_pretrained(tmp_path)
    assert "has no fast form" in refused(tmp_path)


def test_weights_in_shards_and_half_precision(tmp_path: Path) -> None:
    model = tiny_xlmr(tmp_path / "xlmr")
    network = DualEncoder.load(model).model.half()
    network.save_pretrained(tmp_path / "shards", max_shard_size="20KB")
    shutil.copy(model / "tokenizer.json", tmp_path / "shards")
    shutil.copy(model / "tokenizer_config.json", tmp_path / "shards")
    index = json.loads((tmp_path / "shards" / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 1
    one, other = (DualEncoder.load(path).encode(TEXTS, "query") for path in (model, tmp_path / "shards"))
    assert ((one * other).sum(axis=1) > 0.999).all()
    (tmp_path / "shards" / next(iter(index["weight_map"].values()))).unlink()
    assert "is missing" in refused(tmp_path / "shards")


MODEL_CODE = {"AutoConfig": "configuration_new.Config", "AutoModel": "modeling_new.Model"}
TOKENIZER_CODE = {"AutoTokenizer": ["modeling_new.Tokenizer", None]}
CODE = {
    "model": put(CONFIG, model_type="newbert", auto_map=MODEL_CODE),
    "model of a known type": put(CONFIG, auto_map=MODEL_CODE),
    "tokenizer": put(TOKENIZER_CONFIG, tokenizer_class="Tokenizer", auto_map=TOKENIZER_CODE),
    "module": put(MODULES, **{"0__type": "modeling_new.Model"}),
    "pooling": put(MODULES, **{"1__type": "modeling_new.Model"}),
    "activation": put(DENSE_CONFIG, activation_function="modeling_new.Model"),
}


@pytest.mark.parametrize("named", CODE)
def test_no_code_of_a_model_is_run(
    named: str, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where a person, or `yes |`, would say so on standard input."""
    model = tmp_path / "model"
    shutil.copytree(whole, model)
    CODE[named](model)
    executed = tmp_path / "EXECUTED"
    code = f"open({str(executed)!r}, 'w')\nclass Model: pass\nclass Config: pass\nclass Tokenizer: pass\n"
    for name in ("configuration_new.py", "modeling_new.py"):
        (model / name).write_text(code)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n" * 9))
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.chdir(model)
    refused(model)
    assert not executed.exists()


def test_pickled_weights_are_not_read(whole: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(whole, model)
    (model / "2_Dense" / "model.safetensors").rename(model / "2_Dense" / "pytorch_model.bin")
    assert "only safetensors weights are read" in refused(model)
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    refused(model)


def test_lengths_are_checked_against_the_positions_of_the_model(tmp_path: Path) -> None:
    encoder = DualEncoder.load(tiny_labse(tmp_path / "labse"), query_prefix="query : ", passage_prefix="")
    encoder.check_length("query", 48)
    with pytest.raises(ValueError, match=r"max_query_length is 49; .* takes 1 to 48 tokens"):
        encoder.check_length("query", 49)
    taken = len(encoder.tokenizer("query : ")["input_ids"])
    encoder.check_length("query", taken + 1)
    with pytest.raises(
        ValueError, match=rf"max_query_length is {taken}; .*takes {taken}: nothing of the text"
    ):
        encoder.check_length("query", taken)
    encoder.check_length("passage", 3)
    with pytest.raises(ValueError, match="nothing of the text would be left"):
        encoder.check_length("passage", 2)


def test_bert_keeps_its_pooler_only_where_it_is_the_pooling(tmp_path: Path) -> None:
    model = tiny_labse(tmp_path / "labse")
    assert DualEncoder.load(model, pooling="mean").model.pooler is None
    assert isinstance(DualEncoder.load(model, pooling="pooler").model, BertModel)
    assert DualEncoder.load(model, pooling="pooler").model.pooler is not None
