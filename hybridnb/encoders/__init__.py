"""Text -> unit vectors: encoders loaded, built, run and saved.

What is here imports no torch, so that plans and tables come without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hybridnb.encoders import models  # noqa: F401 (each registers itself)
from hybridnb.encoders.known import ENCODERS
from hybridnb.encoders.locate import content_of
from hybridnb.encoders.settings import CONVENTIONS, EncoderSettings
from hybridnb.files import sha256_of

if TYPE_CHECKING:
    from hybridnb.encoders.encoder import DualEncoder

__all__ = ["ENCODERS", "content_sha256", "start"]


def start(settings: EncoderSettings, texts: Iterable[str], seed: int) -> DualEncoder:
    """The encoder before fine-tuning, the same for every strategy.

    Args:
        settings: What is fine-tuned, and how.
        texts: The training texts, for an encoder that is built from them.
        seed: Of the weights that are drawn.

    Returns:
        On the CPU, with its dropout, precision and frozen layers as the settings say.

    Raises:
        FileNotFoundError: there is no such model.
        ValueError: the model cannot be used as the settings say, and why.
    """
    from hybridnb.encoders.encoder import DualEncoder
    from hybridnb.encoders.frozen import freeze

    if settings.model in ENCODERS and (build := ENCODERS[settings.model].build):
        encoder = build(settings, texts, seed)
    else:
        encoder = DualEncoder.load(settings.model, **{name: getattr(settings, name) for name in CONVENTIONS})
    encoder.precision = settings.precision
    if settings.dropout is not None:
        encoder.set_dropout(settings.dropout)
    if settings.trained_layers is not None:
        freeze(encoder.model, settings.trained_layers)
    return encoder


def content_sha256(settings: EncoderSettings) -> str:
    """Hash of what `start` would load, by content and not by name: for the fingerprint of a run.

    A directory is known by the content of its files, a hub model by the commit that its name stands for now, an
    encoder of this project by what its module registers. The settings themselves are not in it.

    Raises:
        FileNotFoundError: there is no such model.

    Example:
        >>> content_sha256(EncoderSettings(model="small"))[:12]
        'bb4b44682cde'
    """
    return sha256_of(content_of(settings.model))
