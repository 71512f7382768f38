"""InfoNCE over in-batch and mined negatives, for one process or many."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.distributed.nn.functional
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

Features = dict[str, Tensor]


def info_nce(
    queries: Tensor,
    passages: Tensor,
    *,
    temperature: float,
    mined: Tensor | None = None,
    same: Tensor | None = None,
    first: int = 0,
) -> Tensor:
    """InfoNCE (arXiv 2408.10536, equation 1): cross-entropy of the own passage among all candidates.

    queries [n, d] and passages [m, d] are unit vectors, m >= n: passage `first + i` answers query i, the
    others are its in-batch negatives (m > n where passages were gathered from other processes).
    mined: [k, d] unit vectors, negatives of every query of the batch.
    same: bool [n, m + k], True where a candidate is the same text as the query's own passage: it is left out
        of the denominator (the own passage never is).
    Score: cosine / temperature. Returns the mean over queries, in nats.
    """
    if temperature <= 0:
        raise ValueError(f"temperature is {temperature}; it must be above 0")
    candidates = passages if mined is None else torch.cat([passages, mined])
    # in float32 whatever autocast says: at temperature 0.01 bfloat16 scores would be off by 0.4
    with torch.autocast(queries.device.type, enabled=False):
        scores = queries.float() @ candidates.float().T / temperature
    own = torch.arange(first, first + len(queries), device=queries.device)
    if same is not None:
        left_out = same.clone()
        left_out[torch.arange(len(queries), device=queries.device), own] = False
        scores = scores.masked_fill(left_out, float("-inf"))
    return cross_entropy(scores, own)


def same_text(own: Tensor, candidates: Tensor) -> Tensor:
    """bool [n, m]: which candidates are the same text as each query's own passage, from text numbers."""
    return own[:, None] == candidates[None, :]


def encode_in_chunks(encode: Callable[[Features], Tensor], features: Features, chunk: int) -> Tensor:
    """The vectors of `encode(features)`, holding the activations of `chunk` texts at a time.

    The loss over a batch needs every vector but not every activation: each chunk is encoded without keeping
    them and again in the backward pass (gradient caching, arXiv 2101.06983; here PyTorch's checkpointing, one
    checkpoint a chunk, which also replays dropout). Same gradients, about a third more time.
    """
    size = len(features["input_ids"])
    parts = [
        {name: t[start : start + chunk] for name, t in features.items()} for start in range(0, size, chunk)
    ]
    return torch.cat([checkpoint(encode, part, use_reentrant=False) for part in parts])


def encode_by_length(encode: Callable[[Features], Tensor], features: Features, tokens: int) -> Tensor:
    """The vectors of `encode(features)`, texts of like length together, about `tokens` tokens at a time.

    Less is spent on padding, and on a CPU the activations of a part stay in its caches.
    """
    lengths = features["attention_mask"].sum(dim=1)
    order = torch.argsort(lengths, descending=True)
    parts, start = list[Tensor](), 0
    while start < len(order):
        width = int(lengths[order[start]])
        rows = order[start : start + max(1, tokens // width)]
        parts.append(encode({name: values[rows, :width] for name, values in features.items()}))
        start += len(rows)
    return torch.cat(parts)[torch.argsort(order)]


def gather(vectors: Tensor) -> Tensor:
    """The vectors of all processes in rank order, with gradients; the same tensor where there is but one."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return vectors
    if torch.distributed.get_world_size() == 1:
        return vectors
    return torch.cat(torch.distributed.nn.functional.all_gather(vectors.contiguous()))
