"""How long work shows itself: a bar in a terminal, a line now and then in notebooks and logs."""

from __future__ import annotations

import io
import sys
from typing import Any

from tqdm import tqdm

LINE = "{desc}: {n_fmt}/{total_fmt}{unit}, {elapsed} and {remaining} to go{postfix}"

FIRST, EVERY = 8, 20
"""Seconds until the first line of a log, and between two."""


def progress(total: int | None, title: str, unit: str, *, start: int = 0, show: bool = True) -> tqdm[Any]:
    """A bar of `total` units, counted from `start`; `update(n)` moves it, used as a context it closes itself.

    Outside a terminal (notebooks, papermill's log, files) a bar redrawn in place would be a line each time: there
    what takes less than 8 seconds says nothing, and the rest a line every 20.
    """
    if sys.stderr.isatty():
        pace: dict[str, Any] = {"mininterval": 0.5}
    else:
        pace = {"mininterval": FIRST, "delay": FIRST, "leave": False, "file": _Lines(), "bar_format": LINE}
    scaled = unit == "B"
    bar: tqdm[Any] = tqdm(
        total=total, initial=start, desc=title, unit=unit if scaled else f" {unit}", unit_scale=scaled,
        disable=not show, **pace,
    )  # fmt: skip
    if isinstance(lines := pace.get("file"), _Lines):
        lines.bar = bar
    return bar


class _Lines(io.TextIOBase):
    """What tqdm would redraw in place, each time as a line of its own."""

    bar: tqdm[Any] | None = None

    def write(self, text: str) -> int:
        if line := text.strip():
            print(line, file=sys.stderr, flush=True)
            if self.bar is not None:
                self.bar.mininterval = EVERY
        return len(text)
