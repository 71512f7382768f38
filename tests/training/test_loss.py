"""InfoNCE against a naive loop, chunked against plain gradients, two processes against one."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize
from toy import TEXTS

from hybridnb.encoders.models.small import build_small_encoder
from hybridnb.training.loss import encode_by_length, encode_in_chunks, gather, info_nce, same_text
from hybridnb.training.trainer import Towers


def unit(rows: int, seed: int, dimension: int = 8) -> torch.Tensor:
    return normalize(torch.randn(rows, dimension, generator=torch.Generator().manual_seed(seed)), dim=-1)


def naive(queries, passages, temperature, hard=(), left_out=lambda query, candidate: False):
    candidates = [*passages, *hard]
    total = 0.0
    for i, query in enumerate(queries):
        scores = [float(query @ c) / temperature for c in candidates]
        kept = [s for j, s in enumerate(scores) if j == i or not left_out(i, j)]
        total -= scores[i] - math.log(sum(math.exp(s) for s in kept))
    return total / len(queries)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), st.integers(0, 4), st.floats(0.02, 2), st.integers(0, 99))
def test_agrees_with_a_loop(size, negatives, temperature, seed):
    queries, passages, hard = unit(size, seed), unit(size, seed + 1), unit(negatives, seed + 2)
    loss = info_nce(queries, passages, temperature=temperature, hard_negatives=hard if negatives else None)
    assert loss.item() == pytest.approx(naive(queries, passages, temperature, hard), rel=1e-4, abs=1e-5)


def test_the_same_text_is_no_negative():
    queries, passages, hard = unit(4, 0), unit(4, 1), unit(2, 2)
    own, all_texts = torch.tensor([7, 8, 7, 9]), torch.tensor([7, 8, 7, 9, 8, 5])
    same = same_text(own, all_texts)
    loss = info_nce(queries, passages, temperature=0.1, hard_negatives=hard, same=same)
    assert torch.equal(same, same_text(own, all_texts)), "the caller's mask was written to"
    expected = naive(queries, passages, 0.1, hard, lambda i, j: bool(own[i] == all_texts[j]))
    assert loss.item() == pytest.approx(expected, rel=1e-4)
    assert loss < info_nce(queries, passages, temperature=0.1, hard_negatives=hard)


def test_queries_may_begin_anywhere_among_the_passages():
    queries, passages = unit(6, 0), unit(6, 1)
    halves = [info_nce(queries[k : k + 3], passages, temperature=0.1, first=k) for k in (0, 3)]
    torch.testing.assert_close(sum(halves) / 2, info_nce(queries, passages, temperature=0.1))


def test_bfloat16_vectors_are_scored_in_float32():
    queries, passages = unit(16, 0, 64), unit(16, 1, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = info_nce(queries, passages, temperature=0.01)
    assert loss.item() == pytest.approx(naive(queries, passages, 0.01), rel=1e-4)


def test_a_temperature_must_be_positive():
    with pytest.raises(ValueError, match="temperature is 0"):
        info_nce(unit(2, 0), unit(2, 1), temperature=0)


def test_chunks_have_the_gradients_of_the_whole_dropout_included():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Embedding(50, 8), torch.nn.Flatten(), torch.nn.Linear(24, 8))
    features = {"input_ids": torch.randint(50, (10, 3))}

    def encode(part):
        return normalize(net(part["input_ids"]), dim=-1)

    gradients = []
    for chunk in (0, 3):
        net.zero_grad()
        vectors = encode_in_chunks(encode, features, chunk) if chunk else encode(features)
        info_nce(vectors, unit(10, 5), temperature=0.1).backward()
        gradients.append([p.grad.clone() for p in net.parameters()])
    for whole, chunked in zip(*gradients, strict=True):
        torch.testing.assert_close(whole, chunked)

    # with dropout: the second pass over a chunk must drop what the first one dropped
    net.insert(2, torch.nn.Dropout(0.5))
    seen = []
    handle = net[2].register_forward_hook(lambda module, args, output: seen.append((output == 0).clone()))
    encode_in_chunks(encode, features, 5).sum().backward()
    handle.remove()
    assert len(seen) == 4  # two chunks, each encoded twice; the backward pass goes from the last to the first
    assert torch.equal(seen[0], seen[3])
    assert torch.equal(seen[1], seen[2])


def chunked_and_plain_gradients(dtype: torch.dtype, dropout: float, **towers: Any) -> list[torch.Tensor]:
    """Of InfoNCE over 24 pairs of an encoder with two layers: whole, and 5 texts at a time."""
    encoder = build_small_encoder(TEXTS, vocabulary=300, layers=2, hidden=32, heads=2).train().to(dtype)
    encoder.set_dropout(dropout)
    sides = {
        "queries": encoder.tokenize(TEXTS[:24], "query"),
        "passages": encoder.tokenize(TEXTS[8:32], "passage"),
    }
    found = []
    for chunk in (0, 5):
        encoder.zero_grad()
        torch.manual_seed(1)
        vectors = Towers(encoder, chunk, **towers)(sides)
        info_nce(vectors["queries"], vectors["passages"], temperature=0.05).backward()
        found.append(torch.cat([p.grad.flatten() for p in encoder.parameters() if p.grad is not None]))
    return found


@pytest.mark.parametrize("sort_by_length", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_chunks_have_the_gradients_of_the_whole(dtype: torch.dtype, sort_by_length: bool) -> None:
    """Within 1e-5 of the gradient's length, as GradCache (arXiv 2101.06983)."""
    whole, chunked = chunked_and_plain_gradients(dtype, 0.0, sort_by_length=sort_by_length)
    assert whole.norm() > 0 and (whole - chunked).norm() <= 1e-5 * whole.norm()


def test_the_second_pass_over_a_chunk_drops_what_the_first_did() -> None:
    """The gradient of a loss with dropout, by chunks, is that of the same parts with their activations kept."""
    encoder = build_small_encoder(TEXTS, vocabulary=300, layers=2, hidden=32, heads=2).train()
    encoder.set_dropout(0.3)
    features = encoder.tokenize(TEXTS[:20], "passage")
    parts = [{name: t[start : start + 5] for name, t in features.items()} for start in range(0, 20, 5)]
    found = []
    for encode in (
        lambda: encode_in_chunks(encoder, features, 5),
        lambda: torch.cat([encoder(part) for part in parts]),
    ):
        encoder.zero_grad()
        torch.manual_seed(2)
        info_nce(encode(), unit(20, 5, 32), temperature=0.05).backward()
        found.append(torch.cat([p.grad.flatten() for p in encoder.parameters() if p.grad is not None]))
    assert (found[0] - found[1]).norm() <= 1e-5 * found[1].norm()


def test_one_process_gathers_nothing():
    vectors = unit(3, 0)
    assert gather(vectors) is vectors


TWO_PROCESSES = """
import sys, torch, torch.distributed as dist
from torch.nn.functional import normalize
from hybridnb.training.loss import gather, info_nce
rank, store = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
torch.manual_seed(0)
layer, texts = torch.nn.Linear(6, 4), torch.randn(8, 2, 6)
half = texts[rank * 4 : rank * 4 + 4]
queries, passages = (normalize(layer(half[:, side]), dim=-1) for side in (0, 1))
numbers = torch.arange(4) + 10 * rank
assert gather(numbers).tolist() == [0, 1, 2, 3, 10, 11, 12, 13]
info_nce(queries, gather(passages), temperature=0.1, first=4 * rank).backward()
dist.all_reduce(layer.weight.grad)
layer.weight.grad /= 2  # what DistributedDataParallel does
if rank == 0:
    ours, layer.weight.grad = layer.weight.grad.clone(), None
    queries, passages = (normalize(layer(texts[:, side]), dim=-1) for side in (0, 1))
    info_nce(queries, passages, temperature=0.1).backward()
    torch.testing.assert_close(ours, layer.weight.grad)
dist.destroy_process_group()
"""


def test_two_processes_have_the_gradient_of_one(tmp_path: Path):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TWO_PROCESSES, str(rank), str(tmp_path / "store")],
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors


def test_sorting_by_length_changes_no_vector_and_no_gradient() -> None:
    torch.manual_seed(0)
    table = torch.nn.Embedding(50, 8)
    widths: list[tuple[int, ...]] = []

    def encode(features: dict[str, torch.Tensor]) -> torch.Tensor:
        widths.append(tuple(features["input_ids"].shape))
        mask = features["attention_mask"].unsqueeze(-1)
        return (table(features["input_ids"]) * mask).sum(dim=1)

    mask = (torch.arange(9) < torch.randint(1, 10, (20, 1))).long()
    features = {"input_ids": torch.randint(50, (20, 9)), "attention_mask": mask}
    gradients = []
    for vectors in (encode(features), encode_by_length(encode, features, 16)):
        table.zero_grad()
        vectors.pow(2).sum().backward()
        gradients.append((vectors.detach(), table.weight.grad.clone()))  # type: ignore[union-attr]
    torch.testing.assert_close(*gradients)
    assert sum(texts for texts, _ in widths[1:]) == 20
    assert all(texts * width <= 16 for texts, width in widths[1:])
