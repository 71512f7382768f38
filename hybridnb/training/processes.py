"""The processes that a launcher has started to work together: how many there are, and what the first of them says.

All of them call what is here, in the same order; without a launcher nothing waits, and nothing is imported.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from accelerate import PartialState

Answer = TypeVar("Answer")

LAUNCHED = ("LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "MV2_COMM_WORLD_LOCAL_RANK")
"""What a launcher sets for each process: torchrun and accelerate launch, then those of MPI."""

PATIENCE = timedelta(hours=12)
"""That processes have with one another: the first ranks, or waits for a run that is made elsewhere. A launcher ends
them all where one fails."""


def launched() -> bool:
    """Whether a launcher has started this process."""
    return any(name in os.environ for name in LAUNCHED)


def training_processes() -> PartialState:
    """The processes of this training: one, unless under `accelerate launch`, torchrun or mpirun.

    Raises:
        ValueError: the environment announces processes that no launcher has started, as some clusters do.
    """
    import torch
    from accelerate import PartialState

    announced = os.environ.get("WORLD_SIZE", "1")
    mend = "start it by `accelerate launch` or torchrun, or unset WORLD_SIZE"
    if announced != "1" and not launched():
        raise ValueError(f"WORLD_SIZE is {announced}, but no launcher has started this process: {mend}")
    # with a GPU by it; without cpu=True each process under torchrun would train on its own
    state = PartialState(cpu=not torch.accelerator.is_available(), timeout=PATIENCE)
    if announced not in ("1", str(state.num_processes)):
        raise ValueError(
            f"WORLD_SIZE is {announced}, but {state.num_processes} processes have started: {mend}"
        )
    return state


def is_first() -> bool:
    """Whether this process is the first, which alone ranks, writes and tells.

    Example:
        >>> is_first()
        True
    """
    return not launched() or training_processes().is_main_process


def first_says(question: Callable[[], Answer]) -> Answer:
    """What the first process answers, in all: what a disk holds may change, or be seen later, between two who look.

    Args:
        question: asked in the first process alone.

    Example:
        >>> first_says(lambda: 3)
        3
    """
    if not launched():
        return question()
    from accelerate.utils import broadcast_object_list

    answers = [question() if is_first() else None]
    answer: Answer = broadcast_object_list(answers)[0]
    return answer


def my_share() -> slice:
    """Which of some tasks are this process's: of N processes every N-th.

    Example:
        >>> ["a", "b", "c"][my_share()]
        ['a', 'b', 'c']
    """
    if not launched():
        return slice(None)
    state = training_processes()
    return slice(state.process_index, None, state.num_processes)


def wait_for_all() -> None:
    """Wait until all processes are here."""
    if launched():
        training_processes().wait_for_everyone()


def leave() -> None:
    """Have this process, and what it starts, be one that no launcher has started: what it does now it does alone."""
    for name in ("WORLD_SIZE", "RANK", *LAUNCHED):
        os.environ.pop(name, None)


def check_shared(directory: Path) -> None:
    """Whether all processes see one and the same directory, on whichever machine they are.

    Args:
        directory: into which the first process can write.

    Raises:
        ValueError: some do not; their machines are named.
    """
    if not launched():
        return
    from accelerate.utils import gather_object

    with tempfile.TemporaryDirectory(dir=directory if is_first() else None, prefix=".seen-") as mine:
        token = first_says(lambda: Path(mine).name)
        blind = gather_object([] if (directory / token).is_dir() else [socket.gethostname()])
    if blind:
        raise ValueError(
            f"{directory} is not the same directory on every machine (another on {', '.join(sorted(set(blind)))}): "
            "set HYBRIDNB_HOME to one on a disk that all of them see"
        )
