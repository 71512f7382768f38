"""What hatchling puts into a wheel beside the code: notebooks/ and data/; an editable install has them at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDERS = ("notebooks", "data")


class Shipping(BuildHookInterface):
    """Called by hatchling before each build of a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name every file of the folders; none for an editable install, nor what hides (.ipynb_checkpoints)."""
        root = Path(self.root)
        files = [path.relative_to(root) for folder in FOLDERS for path in (root / folder).rglob("*.*")]
        shown = [file for file in files if not any(part.startswith(".") for part in file.parts)]
        if version == "standard":
            build_data["force_include"] |= {
                str(file): f"hybridnb/shipped/{file.as_posix()}" for file in shown if (root / file).is_file()
            }
