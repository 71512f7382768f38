"""The transformer of an encoder as ONNX, by the exporter of transformers (`pip install 'hybridnb[onnx]'`)."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import torch

from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.pipeline import quiet_transformers


def write_onnx(encoder: DualEncoder, directory: Path) -> None:
    """Write model.onnx (its weights beside it): token ids and mask [texts, tokens] -> last_hidden_state.

    What stands behind the transformer (pooling, a debiasing's map) is no part of it. sentence-transformers' own way, by
    optimum, cannot be installed beside transformers 5.

    Args:
        encoder: On the CPU.
        directory: Is made.

    Raises:
        ValueError: onnx and onnxscript are not installed.
    """
    try:
        import onnxscript  # noqa: F401 (what the exporter works with)
    except ImportError:
        raise ValueError("ONNX needs further packages: pip install 'hybridnb[onnx]'") from None
    from transformers.exporters import OnnxConfig, OnnxExporter

    example: dict[str, Any] = encoder.tokenize(["a", "two words"], "query")
    changing = {name: {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC} for name in example}
    with _quiet(), torch.inference_mode():
        config = OnnxConfig(dynamic=True, dynamic_shapes=changing)
        OnnxExporter().export(encoder.model.eval(), example, config=config).save_pretrained(directory)


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter prints its stages, warns of versions it was not tried with, and of what torch lacks."""
    logging.disable(logging.WARNING)
    try:
        with quiet_transformers(), redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(logging.NOTSET)
