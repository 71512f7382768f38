"""Numbers that are no numbers end a training, at the step and batch that made them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from hybridnb.training.batching import BatchSampler
from hybridnb.training.rows import gradients

ADVICE = "; what was kept before is still good: look at these texts, or lower training.learning_rate"

SHOWN = 3
"""Pairs of a batch that a message names."""


class NotFinite(RuntimeError):
    """Loss, gradient, weights or validation loss are infinite or not a number."""


def check_gradient(model: nn.Module, loss: Tensor, sampler: BatchSampler, step: int) -> Tensor:
    """Stop before the weights take a gradient that is not finite, as that of a loss that is not finite never is.

    Args:
        model: after its backward pass.
        loss: of this step.
        step: counted from 0, whose batch it was.

    Returns:
        The norm of the gradient.

    Raises:
        NotFinite: what it is, at which step and batch.
    """
    norm = get_total_norm(gradients(model))
    if torch.isfinite(norm):
        return norm
    if broken := not_finite(model):
        what = (
            f"{len(broken)} of the weights ({broken[0]}, ...) have not been finite since step {step}; found"
        )
    elif math.isfinite(loss):
        what = f"the gradient's norm is {norm.item()}"
    else:
        what = f"the loss is {loss.item()}"
    raise NotFinite(f"{what} at step {step + 1}, on {described(sampler, step)}{ADVICE}")


def check_weights(model: nn.Module, step: int) -> None:
    """Stop before weights are kept that are not finite.

    Raises:
        NotFinite: which, after which step, counted from 1.
    """
    if broken := not_finite(model):
        raise NotFinite(
            f"{len(broken)} of the weights ({broken[0]}, ...) are not finite after step {step}{ADVICE}"
        )


def check_validation(kind: str, losses: Sequence[float], sampler: BatchSampler, step: int) -> None:
    """Stop before weights are kept whose validation loss is not finite.

    Args:
        kind: of the validation batches.
        losses: of each of them.
        step: after which it was, counted from 1.

    Raises:
        NotFinite: after which step and on which batch.
    """
    for number, loss in enumerate(losses):
        if not math.isfinite(loss):
            batch = described(sampler, number)
            raise NotFinite(f"the validation loss ({kind}) is {loss} after step {step}, on {batch}{ADVICE}")


def not_finite(model: nn.Module) -> list[str]:
    """The names of the weights that hold an infinity or no number.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> _ = layer.bias.data.fill_(float("nan"))
        >>> not_finite(layer)
        ['bias']
    """
    return [name for name, weight in model.named_parameters() if not torch.isfinite(weight).all()]


def described(sampler: BatchSampler, step: int) -> str:
    """The batch of a step in words: the first of its items, and the languages they are read in."""
    pairs = sampler.batch(step)
    shown = [f"{sampler.corpus[p.item].id} {p.query_language}-{p.passage_language}" for p in pairs[:SHOWN]]
    return f"{sampler.strategy} batch {step} ({', '.join(shown)} and {len(pairs) - len(shown)} more)"
