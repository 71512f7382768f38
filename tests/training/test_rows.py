"""A table updated by rows against torch's AdamW over all of it, stopped and gone on with."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from hybridnb.training import rows
from hybridnb.training.rows import RowAdamW, by_rows, gradients

ROWS, WIDTH = 12, 3


def steps_of(batches: list[list[int]], *, sparse: bool, decay: float, stop_at: int = -1) -> nn.Embedding:
    """The table after AdamW on its own values at the rows of each batch; a growing share of the rows are read."""
    torch.manual_seed(0)
    table = nn.Embedding(ROWS, WIDTH)
    targets = torch.randn(ROWS, WIDTH)
    make = RowAdamW if sparse else torch.optim.AdamW
    optimizer = make(table.parameters(), lr=0.1, weight_decay=decay)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step / 20))
    with by_rows(table, lambda: optimizer) if sparse else nullcontext():
        for number, batch in enumerate(batches):
            read = torch.tensor(batch)
            ((table(read) - targets[read]) ** 2).sum().backward()
            assert table.weight.grad is not None and table.weight.grad.is_sparse == sparse
            if number == stop_at:
                state = copy.deepcopy(optimizer.state_dict())
                optimizer = make(table.parameters())
                optimizer.load_state_dict(state)
                scheduler.optimizer = optimizer
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
    return table


@pytest.fixture(autouse=True)
def every_table(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(rows, "LARGE", 0)
    yield


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=5), min_size=1, max_size=30),
    st.sampled_from([0.0, 0.01, 2.0]),
)
def test_all_steps_of_all_rows_are_those_of_adamw(batches: list[list[int]], decay: float) -> None:
    by_row = steps_of(batches, sparse=True, decay=decay)
    assert_close(by_row.weight, steps_of(batches, sparse=False, decay=decay).weight, rtol=1e-5, atol=1e-6)


def test_rows_whose_momentum_died_away_are_as_if_they_had_taken_every_step() -> None:
    # row 0 rests for 600 steps, is read again, and rests until the end; row 1 is never read
    batches = [[0, 2], *([[2, 3]] * 600), [0], *([[3]] * 300)]
    by_row = steps_of(batches, sparse=True, decay=0.05)
    assert_close(by_row.weight, steps_of(batches, sparse=False, decay=0.05).weight, rtol=1e-5, atol=1e-6)


def test_a_state_that_is_saved_and_loaded_goes_on_the_same() -> None:
    batches = [[0, 2], *([[2, 3]] * 200), [0, 1]]
    whole = steps_of(batches, sparse=True, decay=0.05)
    assert torch.equal(steps_of(batches, sparse=True, decay=0.05, stop_at=190).weight, whole.weight)


def test_a_training_may_go_on_with_whole_gradients_and_back() -> None:
    """As when a checkpoint of one process is gone on from by two."""

    def trained(whole_from: int, whole_to: int) -> torch.Tensor:
        torch.manual_seed(0)
        table = nn.Embedding(ROWS, WIDTH)
        optimizer = RowAdamW(table.parameters(), lr=0.1, weight_decay=0.1)
        for number in range(400):
            with nullcontext() if whole_from <= number < whole_to else by_rows(table, lambda: optimizer):
                read = torch.tensor([0, 1] if number % 250 == 0 else [1, 2])
                (table(read) ** 2).sum().backward()
                optimizer.step()
                optimizer.zero_grad()
        return table.weight.detach()

    assert_close(trained(200, 300), trained(0, 400), rtol=1e-5, atol=1e-6)


def test_what_is_read_before_a_step_has_had_all_decay() -> None:
    torch.manual_seed(0)
    table = nn.Embedding(ROWS, WIDTH)
    before = table.weight.detach().clone()
    optimizer = RowAdamW(table.parameters(), lr=0.1, weight_decay=0.5)
    with by_rows(table, lambda: optimizer):
        for _ in range(3):
            table(torch.tensor([0])).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        assert torch.equal(table.weight[5], before[5]), "nobody has read it"
        with torch.no_grad():
            assert_close(table(torch.tensor([5]))[0], before[5] * 0.95**3)
    assert_close(table.weight[6], before[6] * 0.95**3)
    assert not table.sparse and not table._forward_pre_hooks


def test_gradients_of_a_sparse_weight_have_each_row_once() -> None:
    table = nn.Embedding(ROWS, WIDTH, sparse=True)
    table(torch.tensor([2, 2, 5])).sum().backward()
    (values,) = gradients(table)
    assert values.tolist() == [[2.0] * WIDTH, [1.0] * WIDTH]
