"""Text -> unit vectors: encoders loaded, built, run and saved."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from hybridnb.encoders.settings import EncoderSettings
from hybridnb.files import file_sha256, sha256_of

if TYPE_CHECKING:
    from hybridnb.encoders.encoder import DualEncoder


def start(settings: EncoderSettings, texts: Iterable[str], seed: int) -> DualEncoder:
    """The encoder before fine-tuning: built from the texts ("small"), or loaded."""
    from hybridnb.encoders.encoder import DualEncoder
    from hybridnb.encoders.small import build_small_encoder
    from hybridnb.encoders.trunk import freeze

    if settings.model == "small":
        sizes = settings.model_dump(include={"vocabulary", "layers", "hidden", "heads"})
        encoder = build_small_encoder(texts, **sizes, seed=seed)
    else:
        given = {"pooling", "query_prefix", "passage_prefix", "max_query_length", "max_passage_length"}
        encoder = DualEncoder.load(settings.model, **settings.model_dump(include=given))
        if settings.dropout is not None:
            encoder.set_dropout(settings.dropout)
        if settings.trained_layers is not None:
            freeze(encoder, settings.trained_layers)
    encoder.precision = settings.precision
    return encoder


def content_sha256(settings: EncoderSettings) -> str:
    """What would be loaded, by content: the files of a directory; of what is not at hand, its name."""
    directory = Path(settings.model).expanduser()
    if not directory.is_dir():
        return settings.model
    files = [
        path for path in sorted(directory.rglob("*")) if path.is_file() and "checkpoints" not in path.parts
    ]
    return _directory_sha256(
        tuple((str(path), str(path.relative_to(directory)), path.stat().st_mtime_ns) for path in files)
    )


@lru_cache(maxsize=8)
def _directory_sha256(files: tuple[tuple[str, str, int], ...]) -> str:
    return sha256_of([(name, file_sha256(Path(path))) for path, name, _ in files])
