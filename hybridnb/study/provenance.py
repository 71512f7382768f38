"""What made a result: code revision, data, device, library versions."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

LIBRARIES = (
    "accelerate", "babel", "bm25s", "datasets", "faiss-cpu", "lingua-language-detector", "numpy", "pandas",
    "pyarrow", "scipy", "sentence-transformers", "tokenizers", "torch", "transformers",
)  # fmt: skip


def provenance() -> dict[str, Any]:
    """The parts of run.json that the machine and the installation decide."""
    return {
        "code": code_revision(),
        "device": device_name(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in LIBRARIES},
    }


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:  # faiss from conda, say
        return None


def code_revision() -> str:
    """Commit of the package's checkout, with "+" where files differ from it; the version outside one."""

    def git(*arguments: str) -> str:
        here = Path(__file__).parents[1]
        return subprocess.run(
            ["git", *arguments], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "__init__.py")  # a checkout of this code, not one around it
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ".")
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return f"hybridnb {version('hybridnb')}"


def device_name() -> str:
    """The GPU's name, or the processor and how many of its cores are used."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return f"{model or platform.processor() or platform.machine()}, {os.cpu_count()} cores"
