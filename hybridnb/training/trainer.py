"""Fine-tuning: transformers.Trainer with our batches, our loss and our validation."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import transformers
from torch import Tensor, nn
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerState,
    TrainingArguments,
)

from hybridnb.encoders.encoder import DualEncoder
from hybridnb.training.batching import BatchSampler
from hybridnb.training.checkpoints import last_checkpoint
from hybridnb.training.data import Batch, Collator, StepDataset, validation_batches
from hybridnb.training.loss import Features, encode_by_length, encode_in_chunks, gather, info_nce, same_text
from hybridnb.training.settings import TrainingSettings
from hybridnb.training.watching import Progress

__all__ = ["Trained", "train", "validation_batches"]

SIDES = ("queries", "passages", "hard_negatives")
"""The parts of a batch that are encoded."""


class Towers(nn.Module):
    """The encoder of all sides of a batch, in one forward pass, as distributed training needs it."""

    def __init__(self, encoder: DualEncoder, chunk: int = 0, sort_by_length: bool = False) -> None:
        super().__init__()
        self.encoder, self.chunk, self.sort_by_length = encoder, chunk, sort_by_length

    def forward(self, sides: dict[str, Features]) -> dict[str, Tensor]:
        """The vectors of each side."""
        return {side: self._encode(features) for side, features in sides.items()}

    def _encode(self, features: Features) -> Tensor:
        if self.chunk and torch.is_grad_enabled():
            return encode_in_chunks(self.encoder, features, self.chunk)
        if self.sort_by_length:
            return encode_by_length(self.encoder, features, self.encoder.token_budget())
        vectors: Tensor = self.encoder(features)
        return vectors


def contrastive_loss(
    towers: Callable[[dict[str, Features]], dict[str, Tensor]], batch: Batch, temperature: float
) -> Tensor:
    """InfoNCE of a batch, its candidates gathered from every process."""
    vectors = towers({side: batch[side] for side in SIDES if side in batch})
    passages, texts = gather(vectors["passages"]), gather(batch["passage_texts"])
    negatives = None
    if "hard_negatives" in vectors:
        negatives = gather(vectors["hard_negatives"])
        texts = torch.cat([texts, gather(batch["hard_negative_texts"])])
    size = len(vectors["queries"])
    first = torch.distributed.get_rank() * size if len(passages) > size else 0
    return info_nce(
        vectors["queries"],
        passages,
        temperature=temperature,
        hard_negatives=negatives,
        same=same_text(batch["passage_texts"], texts),
        first=first,
    )


class BatchTrainer(Trainer):
    """transformers.Trainer with our loss, and validation on fixed batches of each kind."""

    def __init__(
        self, *, collate: Collator, temperature: float, validation: dict[str, StepDataset], **arguments: Any
    ) -> None:
        # the Trainer wants an evaluation data set, though `evaluate` goes through `validation` itself
        super().__init__(data_collator=collate, eval_dataset=next(iter(validation.values())), **arguments)
        self.collate, self.temperature, self.validation = collate, temperature, validation

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        return contrastive_loss(model, inputs, self.temperature)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Mean loss over the validation batches of each kind (`eval_mono`, `eval_cross`), and of both (`eval_loss`).

        Every process sees whole batches, so it does not depend on their number.
        """
        metrics = {f"eval_{kind}": self._validate(data) for kind, data in self.validation.items()}
        metrics["eval_loss"] = math.fsum(metrics.values()) / len(metrics)
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _validate(self, data: StepDataset) -> float:
        towers = self.accelerator.unwrap_model(self.model).eval()
        losses = []
        for step in range(data.steps):
            batch = self._prepare_inputs(self.collate(data.batch(step)))
            with torch.no_grad(), self.compute_loss_context_manager():
                vectors = towers({side: batch[side] for side in ("queries", "passages")})
                loss = info_nce(vectors["queries"], vectors["passages"], temperature=self.temperature)
            losses.append(loss.item())
        return math.fsum(losses) / len(losses)


@dataclass(frozen=True)
class Trained:
    """What training leaves.

    Args:
        history: a row a logged step: step, loss, learning_rate, grad_norm, validation, validation_mono, ...
        best_step: whose weights the encoder holds now.
        steps: that were taken, before and after a kill.
        seconds: of this call.
        resumed_at: the step it went on from, 0 where it began.
    """

    history: pd.DataFrame
    best_step: int
    steps: int
    seconds: float
    resumed_at: int


def train(
    encoder: DualEncoder,
    sampler: BatchSampler,
    validation: dict[str, StepDataset],
    settings: TrainingSettings,
    directory: Path,
) -> Trained:
    """Fine-tune `encoder` in place; it ends with the weights of the lowest validation loss, or with the last ones.

    Under `accelerate launch` or torchrun each process encodes its part of every batch.

    Args:
        validation: as `validation_batches` gives them.
        directory: holds the checkpoints while training runs; called again after a kill it goes on from the last
            one, with the same batches and the same dropout. Removed by the caller when all is saved.

    Raises:
        ValueError: the processes cannot share a batch.
    """
    processes = int(os.environ.get("WORLD_SIZE", "1"))  # set by accelerate launch and torchrun
    if settings.batch_size % processes:
        raise ValueError(
            f"training.batch_size is {settings.batch_size}; {processes} processes cannot share it evenly"
        )
    transformers.utils.logging.set_verbosity_error()
    bfloat16 = encoder.uses_bfloat16("cuda" if torch.cuda.is_available() else "cpu")
    progress = Progress(f"{sampler.strategy} seed {sampler.seed}")
    callbacks: list[TrainerCallback] = [progress]
    if settings.patience:
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=settings.patience))
    trainer = BatchTrainer(
        model=Towers(encoder, settings.chunk, settings.sort_by_length),
        args=_arguments(settings, directory, sampler.seed, processes, bfloat16),
        train_dataset=StepDataset(sampler, settings.steps, settings.hard_negatives),
        collate=Collator(encoder, settings),
        callbacks=callbacks,
        temperature=settings.temperature,
        validation=validation,
    )
    trainer.remove_callback(PrinterCallback)
    started = time.monotonic()
    checkpoint = last_checkpoint(directory)
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    finally:
        progress.close()
    best = trainer.state.best_global_step if settings.keep_best else None
    return Trained(
        history=_history(trainer.state),
        best_step=int(best or trainer.state.global_step),
        steps=trainer.state.global_step,
        seconds=round(time.monotonic() - started, 1),
        resumed_at=int(checkpoint.name.split("-")[1]) if checkpoint else 0,
    )


def _log_every(evaluate_every: int) -> int:
    """About five times a validation, and at each: what is averaged in between does not outlive a kill."""
    return next(n for n in range(max(1, evaluate_every // 5), 0, -1) if evaluate_every % n == 0)


def _arguments(
    settings: TrainingSettings, directory: Path, seed: int, processes: int, bfloat16: bool
) -> TrainingArguments:
    """Our settings in the Trainer's words."""
    arguments = TrainingArguments(
        output_dir=str(directory),
        max_steps=settings.steps,
        per_device_train_batch_size=settings.batch_size // processes,
        train_sampling_strategy="sequential",
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        warmup_steps=round(settings.warmup * settings.steps),
        lr_scheduler_type=settings.schedule,
        max_grad_norm=settings.max_gradient_norm,
        bf16=bfloat16,
        eval_strategy="steps",
        eval_steps=settings.evaluate_every,
        save_strategy="steps",
        save_steps=settings.evaluate_every,
        save_total_limit=2,
        load_best_model_at_end=settings.keep_best,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        logging_steps=_log_every(settings.evaluate_every),
        logging_nan_inf_filter=False,  # it would put the mean of the losses before in the place of a NaN
        restore_callback_states_from_checkpoint=True,  # else patience starts anew
        # without this accelerate leaves each process under torchrun without a GPU to train on its own
        use_cpu=not torch.accelerator.is_available(),
        seed=seed,
        disable_tqdm=True,
        report_to="none",
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        ddp_find_unused_parameters=False,
    )
    if processes == 1:
        # several GPUs without a launcher: DataParallel would join the batches of several steps into one
        _ = arguments.n_gpu
        arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments


def _history(state: TrainerState) -> pd.DataFrame:
    names = {"step": "step", "loss": "loss", "learning_rate": "learning_rate", "grad_norm": "grad_norm"}
    names |= {"eval_loss": "validation", "eval_mono": "validation_mono", "eval_cross": "validation_cross"}
    rows: dict[float, dict[str, float]] = {}
    for entry in state.log_history:
        row = rows.setdefault(entry["step"], {})
        row.update({ours: entry[theirs] for theirs, ours in names.items() if theirs in entry})
    return pd.DataFrame(list(rows.values()))
