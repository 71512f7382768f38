"""The settings of what is fine-tuned."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EncoderSettings:
    """What is fine-tuned: "small", built from scratch, or what `DualEncoder.load` takes.

    vocabulary, layers, hidden, heads: of the small encoder. Prefixes, pooling and lengths left out are the
    model's own, and so is the dropout. trained_layers: how many of the uppermost layers are trained, the rest and
    the word embeddings staying as they are; left out, everything is. precision: of the matrix products, in training
    and evaluation: float32 or bfloat16 (by autocast; some CPUs have it too); left out, bfloat16 on a GPU that has
    it and float32 elsewhere.
    """

    model: str = "small"
    vocabulary: int = 8000
    layers: int = 2
    hidden: int = 160
    heads: int = 4
    pooling: str | None = None
    query_prefix: str | None = None
    passage_prefix: str | None = None
    max_query_length: int | None = None
    max_passage_length: int | None = None
    trained_layers: int | None = None
    dropout: float | None = None
    precision: str | None = None

    def __post_init__(self) -> None:
        if self.precision not in (None, "float32", "bfloat16"):
            raise ValueError(f"encoder.precision is {self.precision!r}; it must be 'float32' or 'bfloat16'")
        if self.trained_layers is not None and self.trained_layers < 1:
            raise ValueError(f"encoder.trained_layers is {self.trained_layers}; at least 1 must be trained")
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise ValueError(f"encoder.dropout is {self.dropout}; it must be in [0, 1)")
        own = ("pooling", "query_prefix", "passage_prefix", "max_query_length", "max_passage_length")
        if self.model == "small" and (given := [name for name in own if getattr(self, name) is not None]):
            raise ValueError(f"encoder.{given[0]} is set, but the small encoder has its own; leave it out")
