"""Checkpoints: which one training goes on from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path


def last_checkpoint(directory: Path) -> Path | None:
    """The newest whole checkpoint; what a kill cut short is removed (trainer_state.json comes last)."""
    found = sorted(directory.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    for path in reversed(found):
        try:
            json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
            return path
        except (FileNotFoundError, ValueError):
            shutil.rmtree(path, ignore_errors=True)
    return None
