"""One gate for every model that is loaded: what cannot be used as its files say is refused, in one line.

Before loading (`read_model`): the files are whole, no code is asked for, it is an encoder that is known here. After
it (`check_network`): every weight came from the files and is finite, tokenizer and embedding table fit.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from sentence_transformers.sentence_transformer import modules
from sentence_transformers.sentence_transformer.modules import Pooling
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModel, AutoTokenizer, PretrainedConfig, PreTrainedModel

MODULES = ("Transformer", "Pooling", "Dense", "LayerNorm", "Dropout", "Normalize", "Router")
"""Of sentence-transformers; what else a pipeline may hold does not start from tokens, or needs weights in pickle."""

DENSE = "sentence_transformers.base.modules.dense.Dense"

ENCODER_HALVES = ("t5", "mt5", "umt5", "longt5")
"""Encoder-decoders of which sentence-transformers loads the encoder alone, as Sentence-T5 (arXiv 2108.08877) does."""

HEADS = ("ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering", "ForMultipleChoice")

LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
"""How everything of a model is read: from its directory, running none of its code."""

POSITIVE = ("max_seq_length", "query_length", "document_length")


class NotTrainable(ValueError):
    """A pipeline of sentence-transformers that may well work, but is not one that is trained here."""


@dataclass(frozen=True)
class ModelFiles:
    """What a model directory says of itself.

    Args:
        directory: Of the model.
        transformer: Of the files that transformers reads.
        config: The content of config.json.
        pipeline: Of config_sentence_transformers.json and sentence_bert_config.json together; None for a plain
            transformers model.
    """

    directory: Path
    transformer: Path
    config: dict[str, Any]
    pipeline: dict[str, Any] | None


def read_model(directory: Path) -> ModelFiles:
    """What the files of a model say, checked as far as that goes without loading it.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is damaged, or asks for what this project does not do; it is named.
    """
    pipeline: dict[str, Any] | None = None
    transformer = directory
    if (directory / "modules.json").exists():
        transformer = _check_modules(directory)
        pipeline = _optional(directory / "config_sentence_transformers.json")
        _check_pipeline(directory / "config_sentence_transformers.json", pipeline)
        settings = _optional(transformer / "sentence_bert_config.json")
        for key in POSITIVE:
            _check_length(transformer / "sentence_bert_config.json", settings, key)
        for key in ("query_expansion", "processing_kwargs"):
            if settings.get(key):
                raise NotTrainable(f"{transformer / 'sentence_bert_config.json'}: {key} is not supported")
        pipeline |= settings
    for adapter in {directory / "adapter_config.json", transformer / "adapter_config.json"}:
        if adapter.exists():
            raise ValueError(
                f"{adapter} is of an adapter (LoRA): merge it into its base model with peft's merge_and_unload, "
                "save that, and load it from there"
            )
    config = _json(transformer / "config.json", "without it this is no transformers model")
    tokenizer = _optional(transformer / "tokenizer_config.json")
    _check_length(transformer / "tokenizer_config.json", tokenizer, "model_max_length")
    for name, content in (("config.json", config), ("tokenizer_config.json", tokenizer)):
        if content.get("auto_map"):
            raise ValueError(
                f"{transformer / name} asks for Python code of the model's own (auto_map); none is ever run here"
            )
    _check_kind(transformer / "config.json", config)
    _check_weights(transformer)
    return ModelFiles(directory, transformer, config, pipeline)


def blame(files: ModelFiles, error: Exception) -> ValueError:
    """What is wrong with a model that did not load: the first part that cannot be read by itself is named."""
    directory = files.transformer
    parts: list[tuple[str, Callable[[], Any]]] = [
        ("config.json", lambda: AutoConfig.from_pretrained(directory, **LOCAL)),
        ("tokenizer.json", lambda: Tokenizer.from_file(str(directory / "tokenizer.json"))),
        ("tokenizer_config.json", lambda: AutoTokenizer.from_pretrained(directory, **LOCAL)),
        ("config.json", lambda: _check_shapes(directory)),
    ]
    for name, read in parts:
        if (directory / name).is_file():
            try:
                read()
            except Exception as reason:  # tokenizers raises bare ones
                return ValueError(f"{directory / name} cannot be used: {one_line(reason)}")
    where = str(directory)
    if files.pipeline is not None:
        # modules.json and the other modules were tried before
        where = f"{directory / 'sentence_bert_config.json'} or {files.directory / 'config_sentence_transformers.json'}"
    return ValueError(f"{where}: the model cannot be loaded: {one_line(error)}")


def _check_shapes(directory: Path) -> None:
    # on the meta device nothing is read but names and shapes
    _, report = AutoModel.from_pretrained(
        directory,
        device_map="meta",
        output_loading_info=True,
        ignore_mismatched_sizes=True,
        use_safetensors=True,
        **LOCAL,
    )
    for key, stored, wanted in sorted(report["mismatched_keys"]):
        raise ValueError(f"{key} is {list(wanted)} by it, and {list(stored)} in the weights")


def check_network(network: Any, files: ModelFiles) -> None:
    """Whether a loaded SentenceTransformer is what its files say.

    Raises:
        ValueError: the tokenizer cannot be used, weights are missing, left over or not finite.
    """
    model = network.transformers_model
    _check_tokenizer(network.tokenizer, model, files.transformer)
    _check_all_loaded(model, files.transformer)
    width = network[0].get_embedding_dimension()
    entries = _json(files.directory / "modules.json", kind=list) if files.pipeline is not None else []
    for module, entry in zip(network, entries, strict=False):
        if isinstance(module, Pooling) and module.embedding_dimension != width:
            file = files.directory / entry["path"] / "config.json"
            raise ValueError(
                f"{file}: Pooling is for {module.embedding_dimension} numbers a token, the model has {width}"
            )
    for name, weight in network.state_dict().items():
        # a sum is finite if every part is, and ten times faster than asking each
        if weight.is_floating_point() and not torch.isfinite(weight.sum()):
            raise ValueError(f"{files.directory}: the weights hold NaN or infinity in {name}")


def one_line(error: BaseException) -> str:
    """An error's words without its line ends, cut to what a line holds."""
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) <= 300 else f"{words[:297]}..."


def longest_input(model: PreTrainedModel) -> int | None:
    """Tokens that a model has positions for; None where positions are not counted (T5)."""
    for module in model.modules():
        table = getattr(module, "position_embeddings", None)
        if isinstance(table, torch.nn.Embedding):
            # the RoBERTa family counts positions from the one after its padding token's
            padding = getattr(module, "padding_idx", None)
            return table.num_embeddings - (padding + 1 if isinstance(padding, int) else 0)
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return positions if isinstance(positions, int) and positions > 0 else None


def _check_modules(directory: Path) -> Path:
    """The directory of the transformer in a pipeline that is known here."""
    file = directory / "modules.json"
    entries = _json(file, kind=list)
    kinds = []
    for module in entries:
        if not isinstance(module, dict) or not all(
            isinstance(module.get(k), str) for k in ("name", "path", "type")
        ):
            raise ValueError(
                f"{file}: every module needs a name, a path and a type, all of them text; got {module}"
            )
        package, _, kind = module["type"].rpartition(".")
        if not package.startswith("sentence_transformers."):
            raise ValueError(
                f"{file}: module {module['type']} is not supported; supported are {', '.join(MODULES)}"
            )
        path = Path(module["path"])
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{file}: the path {module['path']!r} leads out of the model's directory")
        kinds.append(kind)
        _check_module(directory / path, kind)
    if unknown := [kind for kind in kinds if kind not in MODULES]:
        raise NotTrainable(
            f"{file}: module {unknown[0]} is not supported; supported are {', '.join(MODULES)}"
        )
    if kinds[:1] != ["Transformer"] or kinds.count("Transformer") > 1:
        raise NotTrainable(
            f"{file}: the pipeline is [{', '.join(kinds)}]; it must start with its one Transformer"
        )
    transformer = directory / entries[0]["path"]
    output = _optional(transformer / "sentence_bert_config.json").get(
        "module_output_name", "token_embeddings"
    )
    if "Pooling" not in kinds and output != "sentence_embedding":
        raise ValueError(
            f"{file}: the pipeline has no Pooling, so nothing makes one vector of a text's tokens"
        )
    return transformer


def _check_module(directory: Path, kind: str) -> None:
    if kind == "Router":
        _check_router(directory)
    if kind in ("Pooling", "Dense", "LayerNorm"):
        config = _json(directory / "config.json")
        activation = str(config.get("activation_function", "torch."))
        if kind == "Dense" and not activation.startswith("torch."):
            raise ValueError(
                f"{directory / 'config.json'}: {activation} is code of another package than torch"
            )
    if kind in ("Dense", "LayerNorm"):
        _check_safetensors(directory / "model.safetensors")
    if kind in ("Pooling", "Dense", "LayerNorm"):
        try:
            module = getattr(modules, kind).load(str(directory), local_files_only=True)
        except Exception as error:  # whatever a library makes of a damaged file
            raise ValueError(f"{directory / 'config.json'} cannot be used: {one_line(error)}") from None
        if kind == "Pooling" and not module.include_prompt:
            raise NotTrainable(
                f"{directory / 'config.json'}: include_prompt is off, so that a prompt is left out of the pooling: "
                "that is not supported"
            )


def _check_router(directory: Path) -> None:
    """Whether it sends queries and documents each through Dense modules, as a debiased encoder does."""
    file = directory / "router_config.json"
    config = _optional(file)
    kinds, routes, parameters = (config.get(key, {}) for key in ("types", "structure", "parameters"))
    if not all(isinstance(part, dict) for part in (kinds, routes, parameters)):
        raise ValueError(f"{file}: types, structure and parameters must be objects")
    other = {str(kind) for kind in kinds.values()} - {DENSE}
    if other or set(routes) != {"query", "document"} or parameters.get("route_mappings"):
        raise NotTrainable(
            f"{file}: a Router is supported where it is of a Dense for queries and one for documents"
        )
    for name in kinds:
        if Path(name).name != name:
            raise ValueError(f"{file}: the path {name!r} leads out of the model's directory")
        _check_module(directory / name, "Dense")


def _check_pipeline(file: Path, settings: dict[str, Any]) -> None:
    kind = settings.get("model_type", "SentenceTransformer")
    if kind != "SentenceTransformer":
        raise ValueError(f"{file}: the model is a {kind}, which does not make one vector of a text")
    prompts = settings.get("prompts", {})
    if not isinstance(prompts, dict) or not all(isinstance(text, str | None) for text in prompts.values()):
        raise ValueError(f"{file}: prompts is {prompts!r}; it must give each name a text")
    default = settings.get("default_prompt_name")
    if default is not None and default not in list(prompts):
        raise ValueError(f"{file}: default_prompt_name is {default!r}, which is not among its prompts")
    similarity = settings.get("similarity_fn_name")
    if similarity not in (None, "cosine", "dot"):
        raise ValueError(f"{file}: similarity_fn_name is {similarity!r}; ranks here are by 'cosine' or 'dot'")
    _check_length(file, settings, "truncate_dim")


def _check_kind(file: Path, config: dict[str, Any]) -> None:
    kind = config.get("model_type")
    try:
        known: PretrainedConfig = AutoConfig.from_pretrained(file.parent, **LOCAL)
    except Exception as error:
        raise ValueError(f"{file} cannot be used (model_type {kind!r}): {one_line(error)}") from None
    if known.is_encoder_decoder and known.model_type not in ENCODER_HALVES:
        raise ValueError(
            f"{file}: {kind} is an encoder-decoder; of these only the encoders of T5 are used here"
        )
    names = known.architectures if isinstance(known.architectures, list) else []
    for name in names:
        if str(name).endswith(HEADS):
            raise ValueError(
                f"{file}: the model is a {name}, which judges texts and makes no vectors of them"
            )


def _check_weights(directory: Path) -> None:
    single, index = directory / "model.safetensors", directory / "model.safetensors.index.json"
    if single.is_file():
        return _check_safetensors(single)
    if not index.is_file():
        raise FileNotFoundError(
            f"no safetensors weights in {directory}; only these are read. Save the model once with transformers' "
            "save_pretrained, or name a revision that has them"
        )
    shards = _json(index).get("weight_map")
    if not isinstance(shards, dict) or not all(isinstance(shard, str) for shard in shards.values()):
        raise ValueError(f"{index}: weight_map must give each weight its file")
    for shard in sorted(set(shards.values())):
        _check_safetensors(directory / shard)
    return None


def _check_safetensors(file: Path) -> None:
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing: only safetensors weights are read")
    try:
        with safe_open(file, "pt") as tensors:
            tensors.keys()
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{file} is damaged or cut off: {one_line(error)}") from None


def _check_tokenizer(tokenizer: Any, model: Any, directory: Path) -> None:
    if not getattr(tokenizer, "is_fast", False):
        raise ValueError(
            f"{directory}: {type(tokenizer).__name__} has no fast form (tokenizer.json), which is needed"
        )
    names = {"tokenizer.json", *tokenizer.vocab_files_names.values()}
    if not any((directory / name).is_file() for name in names):
        # transformers would make an empty one
        raise FileNotFoundError(f"{directory} has no tokenizer: none of {', '.join(sorted(names))}")
    if tokenizer.pad_token_id is None:
        raise ValueError(
            f"{directory / 'tokenizer_config.json'}: the tokenizer has no padding token; name one as pad_token"
        )
    rows = model.get_input_embeddings().weight.shape[0]
    # a tokenizer's class may add marks that no text holds (Qwen's <|endoftext|>); a prefix of them fails the trial
    marks = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    pieces = set(tokenizer.get_vocab().values()) - marks
    if not pieces:
        raise ValueError(
            f"{directory / 'tokenizer.json'} has no pieces but marks: no text can be told from another"
        )
    last = max(pieces)
    if last >= rows:
        raise ValueError(
            f"{directory / 'tokenizer.json'} has pieces up to number {last}, and the embedding table "
            f"{rows} rows: tokenizer and weights are of different models"
        )


def _check_all_loaded(model: Any, directory: Path) -> None:
    """Whether every weight came from the files, and none of the files' layers was left out."""
    # on the meta device nothing is read but names and shapes
    _, report = type(model).from_pretrained(
        directory,
        config=model.config,
        device_map="meta",
        output_loading_info=True,
        use_safetensors=True,
        **LOCAL,
    )
    needed = {name for name, _ in model.named_parameters()}
    if missing := sorted(needed & set(report["missing_keys"])):
        hint = "; choose pooling 'mean' or 'cls'" if all(key.startswith("pooler.") for key in missing) else ""
        raise ValueError(f"{directory}: the weights lack {', '.join(missing[:3])}{hint}")
    own = {name for name, _ in model.named_children()} - {"pooler"}
    left_over = [key.removeprefix(f"{model.base_model_prefix}.") for key in sorted(report["unexpected_keys"])]
    left_over = [
        key for key in left_over if key.partition(".")[0] in own and not key.endswith("position_ids")
    ]
    if left_over:
        raise ValueError(
            f"{directory}: the weights hold {', '.join(left_over[:3])}, which config.json has no place for"
        )


def _check_length(file: Path, settings: dict[str, Any], key: str) -> None:
    value = settings.get(key)
    if value is not None and (
        isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value < float("inf")
    ):
        raise ValueError(f"{file}: {key} is {value!r}; it must be a number of at least 1")


def _optional(file: Path) -> dict[str, Any]:
    return _json(file) if file.exists() else {}


def _json(file: Path, missing: str = "save the model again", kind: type = dict) -> Any:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"{file} is missing: {missing}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{file} is damaged, it is not JSON: {one_line(error)}") from None
    if not isinstance(content, kind):
        raise ValueError(f"{file} holds a {type(content).__name__} where a {kind.__name__} belongs")
    return content
