"""Memory of a training step with and without chunks.

Forward and backward over a batch of 128 pairs whole, and over one of 4,096 pairs 128 texts at a time (`chunk`): one
layer as wide as multilingual-e5-small's, random weights, 48 tokens a text, bfloat16. Blocks of 256 KiB and more are
given back when they are freed; else glibc keeps hundreds of MiB of them in pieces that it cannot give back.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import pytest
import torch

from benchmarks.machine import in_fresh_process
from hybridnb.encoders.models.small import build_small_encoder
from hybridnb.training.trainer import Towers, contrastive_loss

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""As mallopt calls them."""


def _step(pairs: int, chunk: int) -> Callable[[], None]:
    for name in (TRIM_THRESHOLD, MMAP_THRESHOLD):
        ctypes.CDLL(None).mallopt(name, 262_144)
    encoder = build_small_encoder(["wo wohnt ana"], vocabulary=60, layers=1, hidden=384, heads=12).train()
    towers = Towers(encoder, chunk)
    random = torch.Generator().manual_seed(0)
    ids = torch.randint(4, encoder.vocabulary_size, (2, pairs, 48), generator=random)
    sides = {
        name: {"input_ids": of_side, "attention_mask": torch.ones_like(of_side)}
        for name, of_side in zip(("queries", "passages"), ids, strict=True)
    }

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = contrastive_loss(towers, {**sides, "passage_texts": torch.arange(pairs)}, 0.05, chunk)
        loss.backward()

    return step


@pytest.mark.parametrize(("pairs", "chunk"), [(128, 0), (4096, 128)])
def test_step(benchmark: Any, pairs: int, chunk: int) -> None:
    benchmark.group = "memory of a training step's batch"
    told = benchmark.pedantic(in_fresh_process, (_step, pairs, chunk), rounds=1)
    library = f"hybridnb, {pairs:,} pairs {f'in chunks of {chunk}' if chunk else 'whole'}"
    benchmark.extra_info |= {"library": library, "computes": "forward and backward", **told}
