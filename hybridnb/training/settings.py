"""The settings of how it is fine-tuned."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from hybridnb.settings import Settings


class TrainingSettings(Settings):
    """How it is fine-tuned; see `hybridnb.training.trainer.train`.

    Args:
        steps: batches seen.
        draws: how the batches of different strategies go together: drawn independently, as in the paper, or paired, the
            same items in the same order (see `paired.PairedDraws`; needs items in every training language).
        temperature: of InfoNCE.
        warmup: fraction of the steps.
        schedule: of the learning rate afterwards, by its transformers name.
        patience: validations without improvement before stopping, 0 never.
        chunk: texts whose activations are held at a time, 0 all: batches larger than memory, with the same gradients
            (see `loss.encode_in_chunks`).
        hard_negatives: whether the corpus' own are negatives of every query of their batch.
        keep_best: end with the weights of the lowest validation loss, else with the last ones.
        sort_by_length: encode queries and passages of like length together, about 1,000 tokens at a time on a CPU;
            faster there.
        max_query_length, max_passage_length: tokens that texts are cut to in training; left out, as the encoder
            cuts them anywhere.
    """

    steps: int = Field(500, ge=1)
    batch_size: int = Field(100, ge=2)
    draws: Literal["independent", "paired"] = "independent"
    temperature: float = Field(0.05, gt=0)
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(1e-2, ge=0)
    warmup: float = Field(0.1, ge=0, lt=1)
    schedule: Literal["linear", "cosine", "constant", "constant_with_warmup"] = "linear"
    max_gradient_norm: float = Field(1.0, gt=0)
    evaluate_every: int = Field(100, ge=1)
    patience: int = Field(0, ge=0)
    chunk: int = Field(0, ge=0)
    hard_negatives: bool = False
    validation_batches: int = Field(11, ge=1)
    validation_batch_size: int = Field(64, ge=2)
    keep_best: bool = True
    sort_by_length: bool = False
    max_query_length: int | None = Field(None, ge=1)
    max_passage_length: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _patience_needs_the_best(self) -> Self:
        if self.patience and not self.keep_best:
            raise ValueError("training.patience is set, but keep_best is off; stopping early needs it on")
        return self

    @property
    def lengths(self) -> dict[Literal["query", "passage"], int | None]:
        """The length that texts of each kind are cut to in training; None: the encoder's own."""
        return {"query": self.max_query_length, "passage": self.max_passage_length}
