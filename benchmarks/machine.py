"""What a benchmark ran on, and the memory that it took (Linux)."""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hybridnb.study.provenance import provenance

LOAD = os.getloadavg()[0]
"""When this was imported, before there was anything to measure."""

OTHERS = ("ranx", "numba", "pytrec_eval-terrier", "pytest-benchmark")


def description() -> dict[str, Any]:
    """Processor, threads, memory, load, versions, code revision and date."""
    told = provenance()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    more = {"memory_gib": round(memory, 1), "load": LOAD, "date": f"{datetime.now(UTC):%Y-%m-%d}"}
    return {**told, **more, "versions": {**told["versions"], **{name: version(name) for name in OTHERS}}}


def held(*kinds: str) -> int:
    """MiB of this process by the kernel's names, added up: VmRSS now, RssAnon its own, VmHWM at most so far."""
    lines = map(str.split, Path("/proc/self/status").read_text().splitlines())
    return sum(int(words[1]) for words in lines if words[0].rstrip(":") in kinds) // 1024


def forget_peak() -> None:
    """Let VmHWM begin anew, what is freed given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def in_fresh_process(prepare: Callable[..., Callable[[], Any]], *given: Any) -> dict[str, float]:
    """Of `prepare(*given)()`: seconds, and peak_mib that it held at most above what the process held before it."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("forkserver")) as fresh:
        return fresh.submit(_once, prepare, given).result()


def _once(prepare: Callable[..., Callable[[], Any]], given: tuple[Any, ...]) -> dict[str, float]:
    call = prepare(*given)
    forget_peak()
    before, began = held("VmRSS"), time.perf_counter()
    call()
    return {"seconds": time.perf_counter() - began, "peak_mib": held("VmHWM") - before}
