"""How many processes train together: what accelerate says, and the environment must agree."""

from __future__ import annotations

import os

import torch
from accelerate import PartialState

LAUNCHED = ("LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "MV2_COMM_WORLD_LOCAL_RANK")
"""What a launcher sets for each process: torchrun and accelerate launch, then those of MPI."""


def training_processes() -> PartialState:
    """The processes of this training: one, unless under `accelerate launch`, torchrun or mpirun.

    Raises:
        ValueError: the environment announces processes that no launcher has started, as some clusters do.
    """
    announced = os.environ.get("WORLD_SIZE", "1")
    mend = "start it by `accelerate launch` or torchrun, or unset WORLD_SIZE"
    if announced != "1" and not any(name in os.environ for name in LAUNCHED):
        raise ValueError(f"WORLD_SIZE is {announced}, but no launcher has started this process: {mend}")
    # with a GPU by it; without cpu=True each process under torchrun would train on its own
    state = PartialState(cpu=not torch.accelerator.is_available())
    if announced not in ("1", str(state.num_processes)):
        raise ValueError(
            f"WORLD_SIZE is {announced}, but {state.num_processes} processes have started: {mend}"
        )
    return state
