"""Work in pieces, each on one core."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

import torch


@contextmanager
def one_core_each(device: torch.device) -> Iterator[Executor]:
    """Threads whose torch operations use one core each: as many as torch would use cores, one for an accelerator.

    A piece takes dozens of short operations. Each divided among the cores would wait for the slowest core every time,
    which on a machine that is busy otherwise costs a hundred times the work itself. What is left when it is stopped
    is not begun.
    """
    cores = torch.get_num_threads()
    workers = cores if device.type == "cpu" else 1
    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(cores)
