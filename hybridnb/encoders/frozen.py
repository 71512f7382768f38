"""The lower layers of an encoder, where fine-tuning leaves them as they are.

What frozen layers make of a text is the same in every run of a study: kept on disk, it halves the evaluation of an
encoder whose upper half is trained.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hybridnb.files import atomic

Features = dict[str, Tensor]


def freeze(model: nn.Module, trained_layers: int) -> None:
    """Leave only the uppermost layers (and a pooler) to be trained, in place.

    Args:
        model: Of transformers, built as BERT, XLM-R, LaBSE and E5 are.
        trained_layers: How many.

    Raises:
        ValueError: the model has fewer layers, or is built otherwise.
    """
    below = frozen_layers(model, trained_layers)
    model.get_submodule("embeddings").requires_grad_(False)
    _layers(model)[:below].requires_grad_(False)


def frozen_layers(model: nn.Module, trained_layers: int) -> int:
    """How many layers lie below the uppermost `trained_layers`."""
    layers = _layers(model)
    if trained_layers > len(layers):
        raise ValueError(f"encoder.trained_layers is {trained_layers}; the encoder has {len(layers)} layers")
    return len(layers) - trained_layers


class Trunk:
    """The embeddings and the first layers of a model, and what they make of each batch, kept in a directory.

    Args:
        model: Of transformers, in evaluation.
        layers: How many belong to the trunk.
        cache: Directory of the kept states, each file under the hash of these layers, the precision and the tokens.
    """

    def __init__(self, model: Any, layers: int, cache: Path) -> None:
        self.model, self.layers, self.cache = model, layers, cache
        digest = hashlib.sha256()
        for part in (model.get_submodule("embeddings"), _layers(model)[:layers]):
            for name, weight in sorted(part.state_dict().items()):
                digest.update(f"{name} {tuple(weight.shape)}".encode())
                digest.update(weight.cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
        self._sha256 = digest

    def states(self, features: Features, precision: str) -> Tensor:
        """Hidden states of a batch above the trunk, float32 [texts, tokens, width]: read, or made and kept."""
        digest = self._sha256.copy()
        digest.update(f"{precision} {features['input_ids'].device.type}".encode())
        for name in ("input_ids", "attention_mask"):
            digest.update(features[name].cpu().numpy().data)
        file = self.cache / f"{features['input_ids'].shape[1]}-{digest.hexdigest()[:24]}.npy"
        if file.is_file():
            return torch.from_numpy(np.load(file, allow_pickle=False)).to(features["input_ids"].device)
        with _only(self.model, self.model.embeddings, _layers(self.model)[: self.layers]):
            made: Tensor = self.model(**features).last_hidden_state.float()
        with atomic(file) as part:
            np.save(part, made.cpu().numpy())
        return made

    @contextmanager
    def above(self) -> Iterator[None]:
        """The model without its trunk, for a while: its input is `states`, given as `inputs_embeds`."""
        with _only(self.model, _GivenStates(), _layers(self.model)[self.layers :]):
            yield


class _GivenStates(nn.Module):
    """Stands where the embeddings were: the input is hidden states already."""

    def forward(self, inputs_embeds: Tensor, **_: Any) -> Tensor:
        return inputs_embeds


@contextmanager
def _only(model: Any, embeddings: nn.Module, layers: nn.ModuleList) -> Iterator[None]:
    whole = model.embeddings, model.encoder.layer
    model.embeddings, model.encoder.layer = embeddings, layers
    try:
        yield
    finally:
        model.embeddings, model.encoder.layer = whole


def _layers(model: nn.Module) -> Any:
    layers = getattr(getattr(model, "encoder", None), "layer", None)
    if not isinstance(layers, nn.ModuleList) or not hasattr(model, "embeddings"):
        raise ValueError(
            f"encoder.trained_layers is set, but {type(model).__name__} is not built as BERT, XLM-R, LaBSE and E5 "
            "are (`embeddings` and `encoder.layer`); leave it out"
        )
    return layers
