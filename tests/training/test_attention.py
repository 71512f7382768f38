"""Attention in plain products: the same gradients, and nothing of it is left afterwards."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from hybridnb.encoders.models.small import build_small_encoder
from hybridnb.training.attention import quick_backward


@pytest.mark.skipif(torch.accelerator.is_available(), reason="an accelerator keeps the fused kernel")
def test_gradients_are_those_of_the_fused_kernel() -> None:
    encoder = build_small_encoder(["wo wohnt ana", "ana wohnt am see"], vocabulary=60, hidden=16).eval()
    features = encoder.tokenize(["wo wohnt ana", "ana"], "query")

    def gradients() -> list[torch.Tensor]:
        encoder.zero_grad()
        encoder(features)[:, 0].sum().backward()
        return [p.grad.clone() for p in encoder.parameters() if p.grad is not None]

    fused = gradients()
    with quick_backward(encoder.model):
        assert encoder.model.config._attn_implementation == "eager"
        plain = gradients()
    assert encoder.model.config._attn_implementation == "sdpa"
    assert_close(plain, fused)
