"""SentenceTransformers as they are used here: made of a plain transformers model, and written to files."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

from hybridnb.encoders.gate import LOCAL
from hybridnb.files import named_if_full, read_json, write_json

POOLINGS = (*Pooling.POOLING_MODES, "pooler")
"""What a model may be asked to pool by; "pooler" is a BERT model's own layer over its first token."""

WEIGHTS: dict[str, Any] = {"dtype": torch.float32, "use_safetensors": True}
"""How weights are read, whatever type they are stored in."""


def pipeline(directory: Path, pooling: str, *, query_length: int, passage_length: int) -> SentenceTransformer:
    """A plain transformers model with pooling and normalisation after it; without prefixes.

    Args:
        directory: Of model and tokenizer. The model's pooler is dropped unless it is the pooling.
        pooling: One of `POOLINGS`.
        query_length: Tokens that queries are cut to.
        passage_length: Tokens that passages are cut to.
    """
    output = "pooler_output" if pooling == "pooler" else "last_hidden_state"
    transformer = Transformer(
        str(directory),
        model_kwargs={**WEIGHTS, **LOCAL},
        processor_kwargs=dict(LOCAL),
        config_kwargs=dict(LOCAL),
        modality_config={"text": {"method": "forward", "method_output_name": output}},
        module_output_name="sentence_embedding" if pooling == "pooler" else "token_embeddings",
    )
    modules: list[torch.nn.Module] = [transformer, Normalize()]
    if pooling != "pooler":
        modules.insert(1, Pooling(transformer.get_embedding_dimension(), pooling))
    network = SentenceTransformer(modules=modules, device="cpu", similarity_fn_name="cosine")
    drop_unused_pooler(network)
    set_conventions(network, {"query": "", "passage": ""}, {"query": query_length, "passage": passage_length})
    return network.eval()


def pipeline_of(
    model: Any, tokenizer: Any, pooling: str, *, query_length: int, passage_length: int
) -> SentenceTransformer:
    """`pipeline` of a model and a tokenizer that are in memory; a SentenceTransformer is made from files only."""
    with tempfile.TemporaryDirectory() as scratch, named_if_full(Path(scratch)), quiet_transformers():
        _write_model(model, Path(scratch))
        tokenizer.save_pretrained(scratch)
        return pipeline(Path(scratch), pooling, query_length=query_length, passage_length=passage_length)


def save_pipeline(network: Any, directory: Path) -> None:
    """Write a directory that SentenceTransformer, AutoModel and AutoTokenizer read; safetensors only."""
    # a tokenizer remembers the lengths it was last asked for
    network.tokenizer.backend_tokenizer.no_truncation()
    network.tokenizer.backend_tokenizer.no_padding()
    with quiet_transformers():
        network.save(str(directory), create_model_card=False)
    model = network.transformers_model
    if not (directory / "config.json").is_file():
        _write_model(model, directory)
    takes_pooler = "add_pooling_layer" in inspect.signature(type(model).__init__).parameters
    if takes_pooler and getattr(model, "pooler", None) is None:
        # else loading would draw the weights of a pooler, and warn of them
        settings = read_json(directory / "sentence_bert_config.json")
        settings["model_kwargs"] = {"add_pooling_layer": False}
        write_json(directory / "sentence_bert_config.json", settings)


def set_conventions(network: Any, prefixes: dict[str, str], lengths: dict[str, int]) -> None:
    """Give a network its prefixes and lengths, under the names that its own methods use."""
    network.prompts = {**network.prompts, **prefixes, "document": prefixes["passage"]}
    network.default_prompt_name = None
    network[0].query_length, network[0].document_length = lengths["query"], lengths["passage"]
    network.max_seq_length = lengths["passage"]


def drop_unused_pooler(network: Any) -> None:
    """An unused pooler would get no gradient, which DistributedDataParallel refuses."""
    used = "pooler_output" in str(network[0].modality_config["text"]["method_output_name"])
    model = network.transformers_model
    if not used and getattr(model, "pooler", None) is not None:
        model.pooler = None


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No bars and no report of dropped poolers while weights are read and written."""
    log = transformers.utils.logging
    verbosity, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(verbosity)
        if bars:
            log.enable_progress_bar()


def _write_model(model: Any, directory: Path) -> None:
    """`model.save_pretrained`, which of several processes lets only the first write."""
    model.config.save_pretrained(directory)
    weights = {name: weight.contiguous() for name, weight in model.state_dict().items()}
    save_file(weights, directory / "model.safetensors", {"format": "pt"})
