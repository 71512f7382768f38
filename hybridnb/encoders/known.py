"""The encoders that have a name here; each module of `models` registers one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybridnb.encoders.settings import EncoderSettings
from hybridnb.registry import Registry


@dataclass(frozen=True)
class Known:
    """An encoder of a name: built from texts, or a model directory that is made on first use.

    Args:
        content: What it is made of besides its settings, as JSON: it goes into the fingerprint of every run that
            starts from it. Loads no torch.
        base, licence: Of pretrained weights: what the hub calls them, and their licence.
        directory: Makes the model directory where it is not there yet.
        build: (settings, training texts, seed) -> the `DualEncoder`, for one that has no directory.
    """

    content: Any
    base: str | None = None
    licence: str | None = None
    directory: Callable[[], Path] | None = None
    build: Callable[[EncoderSettings, Iterable[str], int], Any] | None = None


ENCODERS: Registry[Known] = Registry("encoder")
