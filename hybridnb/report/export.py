"""A run's encoder as a directory for others: sentence-transformers' files, a model card, ONNX where it is asked for."""

from __future__ import annotations

import warnings
from pathlib import Path

from hybridnb.debiasing.baking import bake
from hybridnb.debiasing.maps import Debiasing
from hybridnb.encoders.encoder import DualEncoder, encoder_sha256
from hybridnb.encoders.onnx import write_onnx
from hybridnb.files import atomic, write_text
from hybridnb.report.card import model_card
from hybridnb.study.named import encoder_of
from hybridnb.study.runs import DEBIASED, Run


def export(run: Run, out: Path, *, debias: str | None = None, onnx: bool = False) -> None:
    """Write a run's encoder for others to use.

    Args:
        run: A finished one.
        out: A directory that is not there yet; gets what SentenceTransformer loads (prompts, lengths, pooling, and
            the debiasing's maps as modules) and README.md, a card as the hub shows it.
        debias: Put this behind it: a method that the run was debiased with, or a directory of `hybridnb debias`.
        onnx: Also write out/onnx (see `write_onnx`).

    Raises:
        FileExistsError: `out` holds something.
        FileNotFoundError: The run has no encoder; or there is no such debiasing.
        ValueError: The debiasing needs the language of a text, or is for other vectors.

    Warns:
        UserWarning: The debiasing was fitted to the vectors of another encoder.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise FileExistsError(f"{out} is there already: choose another directory")
    encoder = DualEncoder.load(encoder_of(run))
    debiasing = _debiasing(run, debias) if debias else None
    if debiasing:
        _check_fitted(encoder, debiasing)
        bake(encoder.network, debiasing)
    with atomic(out) as part:
        encoder.save(part)
        if debiasing:
            debiasing.save(part / "debiasing")
        if onnx:
            write_onnx(encoder, part / "onnx")
        card = model_card(run, out.resolve().name, encoder.conventions, debiasing, onnx=onnx)
        write_text(part / "README.md", card)


def _debiasing(run: Run, debias: str) -> Debiasing:
    of_run = run.directory / DEBIASED / debias
    for place in (of_run, Path(debias).expanduser(), Path(debias).expanduser() / "debiasing"):
        if (place / "debiasing.json").is_file():
            return Debiasing.load(place)
    made = sorted(path.parent.name for path in (run.directory / DEBIASED).glob("*/debiasing.json"))
    raise FileNotFoundError(
        f"no debiasing {debias!r}: the run has {', '.join(made) or 'none'}; "
        f"`hybridnb debias {run.directory} --sentences SET --out DIR` fits one"
    )


def _check_fitted(encoder: DualEncoder, debiasing: Debiasing) -> None:
    """Warn of a debiasing that was fitted to other vectors; those of a GPU in bfloat16 are no others."""
    known = set()
    for encoder.precision in ("bfloat16", "float32", None):
        known.add(encoder_sha256(encoder))
    if debiasing.made_of.get("encoder_sha256") not in known:
        warnings.warn(f"{debiasing.method} was fitted to the vectors of another encoder", stacklevel=3)
