"""The lower layers of an encoder, where fine-tuning leaves them as they are.

What frozen layers make of a text is the same in every run of a study: it is computed once, and every run's
encoder starts from there.
"""

from __future__ import annotations

import copy
import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hybridnb.encoders.encoder import DualEncoder, Kind, progress_bar, token_batches


def freeze(encoder: DualEncoder, trained_layers: int) -> None:
    """Leave only the uppermost `trained_layers` layers (and a pooler) to be trained, in place.

    ValueError: the encoder has fewer layers, or is not built as BERT, XLM-R, LaBSE and E5 are.
    """
    below = frozen_layers(encoder, trained_layers)
    for module in (encoder.model.get_submodule("embeddings"), *_layers(encoder.model)[:below]):
        module.requires_grad_(False)


def frozen_layers(encoder: DualEncoder, trained_layers: int) -> int:
    """How many layers lie below the uppermost `trained_layers`."""
    layers = _layers(encoder.model)
    if trained_layers > len(layers):
        raise ValueError(f"encoder.trained_layers is {trained_layers}; the encoder has {len(layers)} layers")
    return len(layers) - trained_layers


def encode_above(
    encoder: DualEncoder, texts: Sequence[str], kind: Kind, layers: int, cache: Path
) -> NDArray[np.float32]:
    """`encoder.encode(texts, kind)`, from what the first `layers` layers make of the texts.

    cache: directory in which that is kept, under the hash of the layers and the tokens, as float32 [tokens,
    width]. The texts lie there from the longest to the shortest.
    """
    row_of = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    ids = encoder.token_ids(list(row_of), kind)
    rows = sorted(range(len(ids)), key=lambda row: -len(ids[row]))
    ids = [ids[row] for row in rows]
    lower, upper = _split(encoder, layers)
    states = _states(lower, ids, cache)
    starts = np.cumsum([0, *map(len, ids)])
    vectors = np.empty((len(ids), encoder.dimension), dtype=np.float32)
    with progress_bar(len(ids), f"encode {kind}") as bar, torch.inference_mode():
        for batch in token_batches([len(row) for row in ids], encoder.token_budget()):
            first, last = batch[0], batch[-1] + 1
            mask = encoder.pad(ids[first:last])["attention_mask"]
            padded = torch.zeros(*mask.shape, encoder.dimension)
            padded[mask.bool()] = torch.from_numpy(states[starts[first] : starts[last]].copy())
            vectors[rows[first:last]] = upper.embed({"inputs_embeds": padded, "attention_mask": mask})
            bar.update(len(batch))
    return vectors[[row_of[text] for text in texts]]


class _GivenStates(nn.Module):
    """Stands where the embeddings were: the input is hidden states already."""

    def forward(self, inputs_embeds: Tensor, **_: Any) -> Tensor:
        return inputs_embeds


def _layers(model: nn.Module) -> nn.ModuleList:
    layers = getattr(getattr(model, "encoder", None), "layer", None)
    if not isinstance(layers, nn.ModuleList) or not hasattr(model, "embeddings"):
        raise ValueError(
            f"encoder.trained_layers is set, but {type(model).__name__} is not built as BERT, XLM-R, LaBSE and E5 "
            "are (`embeddings` and `encoder.layer`); leave it out"
        )
    return layers


def _split(encoder: DualEncoder, layers: int) -> tuple[DualEncoder, DualEncoder]:
    """(the embeddings and the first `layers` layers, the rest), sharing the encoder's weights."""
    halves = []
    for part in (slice(0, layers), slice(layers, None)):
        half, model = copy.copy(encoder), copy.copy(encoder.model)
        stack = copy.copy(model.get_submodule("encoder"))
        stack._modules = {**stack._modules, "layer": _layers(model)[part]}
        model._modules = {**model._modules, "encoder": stack}
        half._modules = {**half._modules, "model": model}
        halves.append(half.eval())
    lower, upper = halves
    lower.model._modules["pooler"] = None
    upper.model._modules["embeddings"] = _GivenStates()
    return lower, upper


def _states(lower: DualEncoder, ids: Sequence[Sequence[int]], cache: Path) -> NDArray[np.float32]:
    """Hidden states of tokens [tokens, width], read from `cache` or made and left there whole."""
    file = cache / f"{_sha256(lower, ids)[:20]}.npy"
    if not file.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".writing-") as scratch:
            part = Path(scratch) / file.name
            shape = (sum(map(len, ids)), lower.dimension)
            states = np.lib.format.open_memmap(part, "w+", dtype=np.float32, shape=shape)
            _fill(states, lower, ids)
            states.flush()
            part.replace(file)
    return np.load(file, mmap_mode="r", allow_pickle=False)


def _fill(states: NDArray[np.float32], lower: DualEncoder, ids: Sequence[Sequence[int]]) -> None:
    device = lower.device
    start = 0
    with progress_bar(len(ids), "frozen layers") as bar, torch.inference_mode():
        for batch in token_batches([len(row) for row in ids], lower.token_budget()):
            features = lower.pad([ids[position] for position in batch])
            output = lower.model(**{name: values.to(device) for name, values in features.items()})
            tokens = output.last_hidden_state[features["attention_mask"].bool().to(device)].float().cpu()
            states[start : start + len(tokens)] = tokens.numpy()
            start += len(tokens)
            bar.update(len(batch))


def _sha256(lower: DualEncoder, ids: Sequence[Sequence[int]]) -> str:
    digest = hashlib.sha256(lower.device.type.encode())
    for name, weight in sorted(lower.model.state_dict().items()):
        digest.update(f"{name} {tuple(weight.shape)}".encode())
        digest.update(weight.cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    for row in ids:
        digest.update(np.asarray([len(row), *row], dtype=np.int32).data)
    return digest.hexdigest()
