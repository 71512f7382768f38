"""Small files written whole, and read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_metrics(out: Path) -> dict[str, Any]:
    """The content of out/metrics.json."""
    content: dict[str, Any] = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    return content


def write_whole(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
