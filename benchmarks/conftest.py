"""How a benchmark is measured: seconds by pytest-benchmark, and the memory of a fresh process beside them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.machine import description, in_fresh_process

IMPORTED = ("faiss", "ranx", "sentence_transformers", "hybridnb.study.evaluation", "seaborn")
"""Before a fresh process begins: importing is not what is measured."""


def pytest_benchmark_update_machine_info(config: Any, machine_info: dict[str, Any]) -> None:
    machine_info["hybridnb"] = description()


def pytest_sessionstart() -> None:
    multiprocessing.get_context("forkserver").set_forkserver_preload([*IMPORTED])


@pytest.fixture
def measure(benchmark: Any) -> Callable[..., Any]:
    """measure(group, library, computes, prepare, *given) -> what `prepare(*given)()`, which is measured, gives.

    So many `rounds` are timed, after one that is not (unless it is one). `table.py` makes a row of it, of `more`, too.
    """

    def measured(
        group: str,
        library: str,
        computes: str,
        prepare: Callable[..., Any],
        *given: Any,
        rounds: int = 3,
        **more: Any,
    ) -> Any:
        benchmark.group = group
        benchmark.extra_info |= {"library": library, "computes": computes, **more}
        benchmark.extra_info["peak_mib"] = in_fresh_process(prepare, *given)["peak_mib"]
        return benchmark.pedantic(prepare(*given), rounds=rounds, warmup_rounds=min(1, rounds - 1))

    return measured
