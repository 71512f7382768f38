"""AdamW that spends no time on the rows of a large embedding table that a batch does not touch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

LARGE = 2**24
"""Weights from which a table is updated by rows; a smaller one stays in a CPU's caches and gains nothing."""

FORGOTTEN = 1e-8
"""What is left of a momentum that can be left out: its steps no longer change a float32."""


class RowAdamW(torch.optim.AdamW):
    """AdamW (arXiv 1711.05101) in one kernel; of a weight whose gradient is sparse it updates live rows only.

    A row is live from its first gradient until its momentum has died away after its last (beta1 ** steps below 1e-8:
    175 steps); live rows take every step, with a gradient of zero where they have none, as in AdamW over the whole
    table. What the others lack, weight decay and the decay of the second moment, they are given when they are read
    (`catch_up`). So the weights are those of AdamW over the whole table, up to rounding.

    Args:
        params: as of torch.optim.AdamW, and `options`.

    Example:
        >>> table = nn.Embedding(4, 2, sparse=True)
        >>> optimizer = RowAdamW(table.parameters(), lr=0.1, weight_decay=0.0)
        >>> before = table.weight.detach().clone()
        >>> table(torch.tensor([1, 3])).sum().backward()
        >>> optimizer.step()
        >>> (table.weight != before).any(dim=1).tolist()
        [False, True, False, True]
    """

    def __init__(self, params: Any, **options: Any) -> None:
        super().__init__(params, **{"fused": True, **options})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One step of all weights that have a gradient."""
        sparse = list[tuple[dict[str, Any], Tensor, Tensor]]()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None and weight.grad.is_sparse:
                    sparse.append((group, weight, weight.grad))
                    weight.grad = None
                elif weight.grad is not None and "factors" in self.state[weight]:
                    # gone on with in another way, from a checkpoint
                    self.catch_up(weight)
                    for name in ("seen", "current", "factors"):
                        del self.state[weight][name]
        super().step(closure)
        for group, weight, gradient in sparse:
            self._step_rows(group, weight, gradient.coalesce())
            weight.grad = gradient

    @torch.no_grad()
    def catch_up(self, weight: Tensor, rows: Tensor | None = None) -> None:
        """Give rows, or all, the decay of the steps that they took no part in.

        Args:
            weight: a table.
            rows: numbers of rows, in any shape and order, some perhaps more than once.
        """
        state = self.state.get(weight, {})
        if "factors" not in state:
            return
        now, current = len(state["factors"]), state["current"]
        rows = torch.arange(len(weight)) if rows is None else rows.flatten()
        rows = rows[current[rows] < now].unique()
        if not len(rows):
            return
        missed = now - current[rows].long()
        # products of the last 1, 2, ... factors
        lasting = torch.tensor(state["factors"], dtype=torch.float64).flip(0).cumprod(0)
        weight[rows] *= lasting[missed - 1].to(weight.dtype)[:, None]
        known = state["seen"][rows] > 0
        for name, beta in zip(("exp_avg", "exp_avg_sq"), self._betas(weight), strict=True):
            state[name][rows[known]] *= (beta ** missed[known].double()).to(weight.dtype)[:, None]
        current[rows] = now

    def settle(self) -> None:
        """Give all rows of all tables the decay that they lack."""
        for weight in self.state:
            self.catch_up(weight)

    def _step_rows(self, group: dict[str, Any], weight: Tensor, gradient: Tensor) -> None:
        state, rows = self.state[weight], gradient.indices()[0]
        if "exp_avg" not in state:
            state["step"] = torch.tensor(0.0)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(weight), torch.zeros_like(weight)
        if "factors" not in state:
            steps = int(state["step"])
            # float, as an optimizer that is loaded makes all of a weight's state
            state["seen"], state["current"] = (torch.full([len(weight)], float(steps)) for _ in range(2))
            state["factors"] = [1.0] * steps
        self.catch_up(weight, rows)
        state["factors"].append(1 - group["lr"] * group["weight_decay"])
        now, (beta1, beta2) = len(state["factors"]), group["betas"]
        state["seen"][rows] = now
        lasts = math.ceil(math.log(FORGOTTEN) / math.log(beta1)) if beta1 else 1
        (live,) = (state["seen"] > max(0, now - lasts)).nonzero(as_tuple=True)
        of_live = torch.zeros(len(live), *weight.shape[1:], dtype=weight.dtype)
        of_live[torch.searchsorted(live, rows)] = gradient.values()
        whole = (weight, state["exp_avg"], state["exp_avg_sq"])
        parts = [tensor.index_select(0, live) for tensor in whole]
        adamw(
            [parts[0]],
            [of_live],
            [parts[1]],
            [parts[2]],
            [],
            [state["step"]],
            fused=True,
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )
        for tensor, part in zip(whole, parts, strict=True):
            tensor.index_copy_(0, live, part)
        state["current"][live] = now

    def _betas(self, weight: Tensor) -> tuple[float, float]:
        groups = self.param_groups
        betas: tuple[float, float] = next(
            g["betas"] for g in groups if any(weight is other for other in g["params"])
        )
        return betas


@contextmanager
def by_rows(table: nn.Module, optimizer: Callable[[], RowAdamW | None]) -> Iterator[None]:
    """For a while, a table's gradient holds only the rows that were read, and what is read has caught up.

    Args:
        table: of embeddings; one that is small, frozen or no nn.Embedding is left as it is.
        optimizer: gives what updates it, once there is one.
    """
    if not isinstance(table, nn.Embedding) or table.weight.numel() < LARGE or not table.weight.requires_grad:
        yield
        return

    def catch_up(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        if (given := optimizer()) is not None:
            given.catch_up(table.weight, arguments[0])

    hook = table.register_forward_pre_hook(catch_up)
    usual, table.sparse = table.sparse, True
    try:
        yield
    finally:
        hook.remove()
        table.sparse = usual
        if (given := optimizer()) is not None:
            given.settle()


def gradients(model: nn.Module) -> list[Tensor]:
    """The gradients of a model's weights; of a sparse one the values, each row once."""
    found = list[Tensor]()
    for weight in model.parameters():
        if weight.grad is not None and weight.grad.is_sparse:
            weight.grad = weight.grad.coalesce()
            found.append(weight.grad.values())
        elif weight.grad is not None:
            found.append(weight.grad)
    return found
