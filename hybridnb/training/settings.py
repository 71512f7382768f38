"""The settings of how it is fine-tuned."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingSettings:
    """How it is fine-tuned; see `hybridnb.training.train`.

    steps: batches seen. temperature: of InfoNCE. warmup: share of the steps. schedule: of the learning rate
    afterwards, by its transformers name. patience: validations without improvement before stopping, 0 never.
    chunk: texts whose activations are held at a time, 0 all (see `loss.encode_in_chunks`).
    keep_best: end with the weights of the lowest validation loss, else with the last ones.
    sort_by_length: encode texts of like length together, about 1,000 tokens at a time; faster on a CPU.
    max_query_length, max_passage_length: tokens that texts are cut to in training; left out, as the encoder cuts
        them anywhere.
    """

    steps: int = 500
    batch_size: int = 100
    temperature: float = 0.05
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    warmup: float = 0.1
    schedule: str = "linear"
    max_gradient_norm: float = 1.0
    evaluate_every: int = 100
    patience: int = 0
    chunk: int = 0
    hard_negatives: bool = False
    validation_batches: int = 11
    validation_batch_size: int = 64
    keep_best: bool = True
    sort_by_length: bool = False
    max_query_length: int | None = None
    max_passage_length: int | None = None

    def __post_init__(self) -> None:
        lowest = {"steps": 1, "batch_size": 2, "evaluate_every": 1, "validation_batches": 1}
        lowest |= {"validation_batch_size": 2, "patience": 0, "chunk": 0, "weight_decay": 0}
        for name, low in lowest.items():
            if getattr(self, name) < low:
                raise ValueError(f"training.{name} is {getattr(self, name)}; it must be at least {low}")
        for name in ("temperature", "learning_rate", "max_gradient_norm"):
            if getattr(self, name) <= 0:
                raise ValueError(f"training.{name} is {getattr(self, name)}; it must be above 0")
        if self.patience and not self.keep_best:
            raise ValueError("training.patience is set, but keep_best is off; stopping early needs it on")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"training.warmup is {self.warmup}; it is a share of the steps, in [0, 1)")
