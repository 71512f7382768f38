"""Checkpoints: written whole or not at all, and only whole ones are gone on from."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors.torch import load_model
from torch import nn

from hybridnb.files import named_if_full, read_json, write_json

WEIGHTS, STATE = "model.safetensors", "trainer_state.json"
PARTS = {WEIGHTS, STATE, "optimizer.pt", "scheduler.pt"}
"""What training cannot go on without; there is a file of random numbers' states for each process, too."""

SEAL = "whole.json"
"""Written last: the size of every file of the checkpoint."""


def place(directory: Path, step: int) -> Path:
    """Where the checkpoint of a step is."""
    return directory / f"checkpoint-{step}"


def step_of(checkpoint: Path) -> int:
    """The step after which a checkpoint was written."""
    return int(checkpoint.name.split("-")[1])


def seal(checkpoint: Path) -> None:
    """Say that a checkpoint is whole, once all processes have written their files."""
    write_json(checkpoint / SEAL, {file.name: file.stat().st_size for file in sorted(checkpoint.iterdir())})


def is_whole(checkpoint: Path) -> bool:
    """Whether a checkpoint has all it was sealed with."""
    try:
        sizes = read_json(checkpoint / SEAL)
        return sizes.keys() >= PARTS and all(
            (checkpoint / name).stat().st_size == size for name, size in sizes.items()
        )
    except (OSError, ValueError, AttributeError):
        return False


def processes_of(checkpoint: Path) -> int:
    """How many processes wrote a checkpoint that is whole: each keeps the state of its random numbers."""
    return sum(name.startswith("rng_state") for name in read_json(checkpoint / SEAL))


def last_checkpoint(directory: Path, *, keep_best: bool) -> Path | None:
    """The newest checkpoint that training can go on from; newer ones that it cannot are removed.

    Args:
        keep_best: whether it takes the best checkpoint up to there, too, whose weights are kept in the end.
    """
    found = sorted(directory.glob("checkpoint-*"), key=step_of)
    for checkpoint in reversed(found):
        if is_whole(checkpoint):
            best = read_json(checkpoint / STATE).get("best_global_step") if keep_best else None
            if not best or is_whole(place(directory, best)):
                return checkpoint
        shutil.rmtree(checkpoint, ignore_errors=True)
    if found:
        print(f"{directory}: no checkpoint there is whole; training begins anew", flush=True)
    return None


def load_weights(model: nn.Module, checkpoint: Path) -> None:
    """Give the model the weights of a checkpoint.

    Raises:
        RuntimeError: it is gone or damaged.
    """
    if not is_whole(checkpoint):
        raise RuntimeError(
            f"{checkpoint}, which had the lowest validation loss, is gone or damaged: run the same command again, and "
            "it goes on from before"
        )
    load_model(model, checkpoint / WEIGHTS)


@contextmanager
def writing(checkpoint: Path) -> Iterator[None]:
    """While a checkpoint is written: one that there is no room for is removed, and the error names it.

    Raises:
        OSError: with the checkpoint as its file name.
    """
    try:
        with named_if_full(checkpoint):
            yield
    except OSError:
        shutil.rmtree(checkpoint, ignore_errors=True)
        raise
