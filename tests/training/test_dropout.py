"""Dropout of few random numbers is torch's dropout but for which values fall."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from hybridnb.training.dropout import dropout, quick_dropout


@pytest.mark.parametrize("p", [0.02, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_shares_and_scale_are_those_of_torch(p: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    values = torch.full((400, 501), 3.0, dtype=dtype)
    dropped = dropout(values, p)
    of_torch = torch.dropout(values, p, True)
    assert dropped.dtype == dtype
    spread = (p * (1 - p) / values.numel()) ** 0.5
    assert (dropped == 0).double().mean().item() == pytest.approx(p, abs=5 * spread)
    torch.testing.assert_close(dropped.unique(), of_torch.unique(), atol=0, rtol=1e-2 if p > 0.5 else 1e-3)


def test_values_fall_independently() -> None:
    torch.manual_seed(0)
    fell = (dropout(torch.ones(200_000), 0.3) == 0).double() - 0.3
    for apart in (1, 2, 3, 4, 8):  # four values share a number
        correlation = (fell[apart:] * fell[:-apart]).mean().item() / 0.21
        assert abs(correlation) < 5 / len(fell) ** 0.5


def test_what_falls_gets_no_gradient() -> None:
    torch.manual_seed(0)
    values = torch.rand(5, 7, dtype=torch.float64, requires_grad=True)
    dropped = dropout(values, 0.25)
    dropped.sum().backward()
    assert values.grad is not None
    torch.testing.assert_close(values.grad * values, dropped)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_computed_again_in_the_backward_pass_draws_the_same(seed: int) -> None:
    layers = nn.Sequential(nn.Linear(6, 6), nn.Dropout(0.3), nn.Linear(6, 6), nn.Dropout(0.3))
    gradients = []
    for again in (False, True):
        layers.zero_grad()
        torch.manual_seed(seed)
        values = torch.rand(20, 6)
        with quick_dropout(layers):
            made = checkpoint(layers, values, use_reentrant=False) if again else layers(values)
            (made**2).sum().backward()
        gradients.append([weight.grad.clone() for weight in layers.parameters() if weight.grad is not None])
    torch.testing.assert_close(*gradients, atol=0, rtol=0)


def test_the_seed_says_what_falls() -> None:
    def drawn() -> torch.Tensor:
        torch.manual_seed(3)
        return dropout(torch.ones(10), 0.5)

    torch.testing.assert_close(drawn(), drawn(), atol=0, rtol=0)
    assert dropout(torch.ones(0, 4), 0.5).shape == (0, 4)


def test_a_model_in_training_draws_by_it_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[float]()

    def counted(values: torch.Tensor, p: float) -> torch.Tensor:
        asked.append(p)
        return values

    monkeypatch.setattr("hybridnb.training.dropout.dropout", counted)
    model, texts = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.1)), torch.ones(2, 3)
    with quick_dropout(model):
        model(texts)
        nn.functional.dropout(texts, p=0.3)
        model.eval()(texts)
    model.train()(texts)
    assert asked == [0.1, 0.3]
    with quick_dropout(nn.Linear(3, 3)):
        nn.functional.dropout(texts, p=0.3)
    assert asked == [0.1, 0.3]
