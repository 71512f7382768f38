"""What a process is set to before it works: how its threads wait, its streams, its signals; nothing on import."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any


class Stopped(KeyboardInterrupt):
    """A signal asked the process to end: what Ctrl-C stops in order, this does too."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def prepare() -> None:
    """Set what counts only if it is set before torch starts: for this process, and for kernels it starts."""
    # threads that spin while they wait make a busy two-core machine six times slower (60 training steps beside
    # three other jobs: 16 s against more than 90 s)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("PYTHONUTF8", "1")  # of kernels
    # of processes that work together, the first alone says what is done; all say what goes wrong
    if "LOCAL_RANK" in os.environ and os.environ.get("RANK", "0") != "0":
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # texts in eleven scripts are shown, whatever the locale; a path that is not UTF-8 does not stop anything
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """While it lasts, SIGTERM and SIGHUP raise `Stopped`, so that what is open is closed as after Ctrl-C.

    A signal that is ignored (nohup) or handled by somebody else stays so.
    """
    known: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                known[number] = signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in known.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped(number)
