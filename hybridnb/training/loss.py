"""InfoNCE over in-batch and hard negatives, for one process or many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.distributed
from torch import Tensor
from torch.nn.functional import cross_entropy, pad
from torch.utils.checkpoint import checkpoint

Features = dict[str, Tensor]
"""`input_ids` and `attention_mask`, int64 [texts, tokens]."""


def info_nce(
    queries: Tensor,
    passages: Tensor,
    *,
    temperature: float,
    hard_negatives: Tensor | None = None,
    same: Tensor | None = None,
    first: int = 0,
) -> Tensor:
    """InfoNCE: how surely each query finds its own passage among all candidates (arXiv 2408.10536, equation 1).

    With q the query vectors, c the candidates (the passages, then the hard negatives), t the temperature and o(i) the
    candidate that answers query i::

        loss = 1/n * sum over i of  -log( exp(q_i . c_o(i) / t)  /  sum over j in C_i of exp(q_i . c_j / t) )

    C_i holds every candidate but those that are the same text as c_o(i); c_o(i) itself stays.

    Args:
        queries: [n, d], unit vectors.
        passages: [m, d], unit vectors, m >= n: passage `first + i` answers query i, the others are its in-batch
            negatives (m > n where passages were gathered from other processes).
        temperature: above 0.
        hard_negatives: [k, d], unit vectors, negatives of every query.
        same: bool [n, m + k], True where a candidate is the same text as the query's own passage.
        first: where the passages of these queries begin.

    Returns:
        The mean over queries in nats, a scalar in float32.

    Raises:
        ValueError: the temperature is not above 0.

    Example:
        Two queries that lie on their passages, at right angles to the other one's: log(1 + exp(-1 / 0.5)).

        >>> axes = torch.eye(2)
        >>> round(info_nce(axes, axes, temperature=0.5).item(), 4)
        0.1269
        >>> round(info_nce(axes, axes, temperature=0.5, same=torch.ones(2, 2, dtype=torch.bool)).item(), 4)
        0.0
    """
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; it must be above 0")
    candidates = passages if hard_negatives is None else torch.cat([passages, hard_negatives])
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
    """Which candidates are the same text as each query's own passage.

    Args:
        own: int64 [n], a number for the text of each query's passage.
        candidates: int64 [m], the same of each candidate.

    Returns:
        bool [n, m].

    Example:
        >>> same_text(torch.tensor([7, 8]), torch.tensor([7, 8, 7])).tolist()
        [[True, False, True], [False, True, False]]
    """
    return own[:, None] == candidates[None, :]


def encode_in_chunks(encode: Callable[[Features], Tensor], features: Features, chunk: int) -> Tensor:
    """The vectors of `encode(features)` in the memory that `chunk` texts need, for about a third more time.

    The loss of a batch needs the vectors of all its texts, but not their activations, which take far more memory.
    Each chunk is encoded without keeping them, and again in the backward pass: gradient caching (arXiv 2101.06983),
    here by PyTorch's checkpointing, which also repeats the dropout. Vectors and gradients are those of one piece.

    Args:
        encode: features -> vectors [texts, d].
        features: of all texts.
        chunk: texts at a time.

    Returns:
        Vectors [texts, d].

    Example:
        >>> features = {"input_ids": torch.arange(6).reshape(3, 2)}
        >>> encode_in_chunks(lambda part: part["input_ids"] * 10, features, chunk=2).tolist()
        [[0, 10], [20, 30], [40, 50]]
    """
    size = len(features["input_ids"])
    parts = [
        {name: t[start : start + chunk] for name, t in features.items()} for start in range(0, size, chunk)
    ]
    return torch.cat([checkpoint(encode, part, use_reentrant=False) for part in parts])


def encode_by_length(
    encode: Callable[[Features], Tensor], features: Features, tokens: int, chunk: int = 0
) -> Tensor:
    """The vectors of `encode(features)`, encoded from the longest texts to the shortest, some of like length at a time.

    Less is spent on padding, and on a CPU the activations of a part stay in its caches.

    Args:
        encode: features -> vectors [texts, d].
        features: of all texts, padded to the longest; in each part the padding is cut to the longest of the part.
        tokens: that a part may hold, padding included; a longer text is a part of its own.
        chunk: texts that a part may hold, whose activations are not kept (see `encode_in_chunks`); 0 for neither.

    Returns:
        Vectors [texts, d], in the order of the features.

    Example:
        >>> features = {"attention_mask": torch.tensor([[1, 0, 0], [1, 1, 1], [1, 0, 0]])}
        >>> def encode(part):
        ...     print(tuple(part["attention_mask"].shape))
        ...     return part["attention_mask"].sum(1, keepdim=True)
        >>> encode_by_length(encode, features, tokens=3).tolist()
        (1, 3)
        (2, 1)
        [[1], [3], [1]]
    """
    lengths = features["attention_mask"].sum(dim=1)
    order = torch.argsort(lengths, descending=True)
    parts, start = list[Tensor](), 0
    while start < len(order):
        width = int(lengths[order[start]])
        rows = order[start : start + max(1, min(tokens // width, chunk or len(order)))]
        part = {name: values[rows, :width] for name, values in features.items()}
        parts.append(checkpoint(encode, part, use_reentrant=False) if chunk else encode(part))
        start += len(rows)
    return torch.cat(parts)[torch.argsort(order)]


def joined(sides: Sequence[Features], pad_token_id: int) -> Features:
    """The texts of several sides one after the other, padded to the longest of all.

    Example:
        >>> short, long = torch.tensor([[5]]), torch.tensor([[6, 6]])
        >>> sides = [{"input_ids": ids, "attention_mask": torch.ones_like(ids)} for ids in (short, long)]
        >>> joined(sides, pad_token_id=1)["input_ids"].tolist()
        [[5, 1], [6, 6]]
    """
    width = max(side["input_ids"].shape[1] for side in sides)
    return {
        name: torch.cat([pad(side[name], (0, width - side[name].shape[1]), value=fill) for side in sides])
        for name, fill in (("input_ids", pad_token_id), ("attention_mask", 0))
    }


def gather(vectors: Tensor) -> Tensor:
    """The vectors of all processes, one process after the other; gradients flow back to where they came from.

    Args:
        vectors: [n, ...], of as many rows in every process.

    Returns:
        [processes * n, ...]; the same tensor where there is but one process.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return vectors
    if torch.distributed.get_world_size() == 1:
        return vectors
    gathered: Tensor = _Gathered.apply(vectors.contiguous())
    return gathered


class _Gathered(torch.autograd.Function):
    """Rows of all processes; each row's gradient is the sum of what it has in every process."""

    @staticmethod
    def forward(context: Any, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(torch.distributed.get_world_size())]
        torch.distributed.all_gather(parts, rows)
        return torch.cat(parts)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        # summed over all rows, not scattered: gloo has no such operation, and the weights' gradients are far larger
        total = gradient.contiguous().clone()
        torch.distributed.all_reduce(total)
        return total.chunk(torch.distributed.get_world_size())[torch.distributed.get_rank()]
