"""Fine-tuning: transformers.Trainer with our batches, our loss and our validation."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pandas as pd
import torch
import transformers
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as recomputed
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerState,
    TrainingArguments,
)

from hybridnb.encoders.encoder import DualEncoder
from hybridnb.training import checkpoints
from hybridnb.training.attention import quick_backward
from hybridnb.training.batching import BatchSampler
from hybridnb.training.data import Ahead, Batch, Collator, StepDataset
from hybridnb.training.dropout import quick_dropout
from hybridnb.training.finite import check_gradient, check_validation, check_weights
from hybridnb.training.loss import (
    Features,
    encode_by_length,
    encode_in_chunks,
    gather,
    info_nce,
    joined,
    same_text,
)
from hybridnb.training.processes import first_says, training_processes
from hybridnb.training.rows import RowAdamW, by_rows, gradients
from hybridnb.training.settings import TrainingSettings
from hybridnb.training.speed import Speed
from hybridnb.training.watching import Progress

SIDES = ("queries", "passages", "hard_negatives")
"""The parts of a batch that are encoded."""


class Towers(nn.Module):
    """The encoder of all sides of a batch, in one forward pass, as distributed training needs it."""

    def __init__(self, encoder: DualEncoder, chunk: int = 0, sort_by_length: bool = False) -> None:
        super().__init__()
        self.encoder, self.chunk, self.sort_by_length = encoder, chunk, sort_by_length

    def forward(self, sides: dict[str, Features]) -> dict[str, Tensor]:
        """The vectors of each side."""
        chunk = self.chunk if torch.is_grad_enabled() else 0
        if self.sort_by_length:
            texts = joined(list(sides.values()), self.encoder.tokenizer.pad_token_id)
            vectors = encode_by_length(self.encoder, texts, self.encoder.token_budget(), chunk)
            counts = [len(features["input_ids"]) for features in sides.values()]
            return dict(zip(sides, vectors.split(counts), strict=True))
        if chunk:
            return {side: encode_in_chunks(self.encoder, texts, chunk) for side, texts in sides.items()}
        return {side: self.encoder(features) for side, features in sides.items()}


def contrastive_loss(
    towers: Callable[[dict[str, Features]], dict[str, Tensor]],
    batch: Batch,
    temperature: float,
    chunk: int = 0,
) -> Tensor:
    """InfoNCE of a batch, its candidates gathered from every process; the scores of `chunk` queries at a time."""
    vectors = towers({side: batch[side] for side in SIDES if side in batch})
    passages, texts = gather(vectors["passages"]), gather(batch["passage_texts"])
    negatives = None
    if "hard_negatives" in vectors:
        negatives = gather(vectors["hard_negatives"])
        texts = torch.cat([texts, gather(batch["hard_negative_texts"])])
    size = len(vectors["queries"])
    first = torch.distributed.get_rank() * size if len(passages) > size else 0

    def of_queries(start: int, stop: int) -> Tensor:
        return info_nce(
            vectors["queries"][start:stop],
            passages,
            temperature=temperature,
            hard_negatives=negatives,
            same=same_text(batch["passage_texts"][start:stop], texts),
            first=first + start,
        )

    if not 0 < chunk < size:
        return of_queries(0, size)
    # the scores of a large batch take more memory than a chunk's activations
    parts = [(start, min(start + chunk, size)) for start in range(0, size, chunk)]
    losses = [
        (stop - start) / size * recomputed(of_queries, start, stop, use_reentrant=False)
        for start, stop in parts
    ]
    return torch.stack(losses).sum()


class BatchTrainer(Trainer):
    """transformers.Trainer with our loss, and validation on fixed batches of each kind."""

    def __init__(
        self,
        towers: Towers,
        steps: StepDataset,
        validation: dict[str, StepDataset],
        *,
        collate: Collator,
        temperature: float,
        speed: Speed | None = None,
        **arguments: Any,
    ) -> None:
        # the Trainer wants an evaluation data set, though `evaluate` goes through `validation` itself
        some = next(iter(validation.values()))
        super().__init__(
            model=towers,
            train_dataset=steps,
            eval_dataset=some,
            data_collator=collate,
            optimizer_cls_and_kwargs=(RowAdamW, {"lr": arguments["args"].learning_rate}),
            **arguments,
        )
        self.towers, self.sampler, self.validation = towers, steps.sampler, validation
        self.collate, self.temperature, self.speed = collate, temperature, speed
        self.adamw: RowAdamW | None = None
        self._ahead = Ahead()

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        return contrastive_loss(model, inputs, self.temperature, self.towers.chunk)

    def get_batch_samples(
        self, epoch_iterator: Iterator[Batch], num_batches: int, device: torch.device
    ) -> tuple[list[Batch], None]:
        """The next batch; the one after it is drawn and tokenized while this one is trained on."""
        return [self._ahead.take(epoch_iterator)], None

    def training_step(
        self, model: nn.Module, inputs: Batch, num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """One batch forward and backward; what is not finite ends the training here."""
        loss: Tensor = super().training_step(model, inputs, num_items_in_batch)
        if self.speed is not None:
            self.speed.read([inputs[side]["attention_mask"] for side in SIDES if side in inputs])
        self._norm = check_gradient(self.towers, loss, self.sampler, self.state.global_step)
        return loss

    def _clip_grad_norm(self, model: nn.Module) -> Tensor:
        """As clip_grad_norm_, which computes the norm again and takes no sparse gradients."""
        factor = (self.args.max_grad_norm / (self._norm + 1e-6)).clamp(max=1.0)
        for gradient in gradients(model):
            gradient.mul_(factor)
        return self._norm

    def create_optimizer(self, *model: Any) -> RowAdamW:
        self.adamw = cast(RowAdamW, super().create_optimizer(*model))
        return self.adamw

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Mean loss over the validation batches of each kind (`eval_mono`, `eval_cross`), and of both (`eval_loss`).

        Every process sees whole batches, so it does not depend on their number.
        """
        self._ahead.wait()
        losses = {kind: self._validate(data) for kind, data in self.validation.items()}
        check_weights(self.towers, self.state.global_step)
        for kind, of_kind in losses.items():
            check_validation(kind, of_kind, self.validation[kind].sampler, self.state.global_step)
        metrics = {f"eval_{kind}": math.fsum(of_kind) / len(of_kind) for kind, of_kind in losses.items()}
        metrics["eval_loss"] = math.fsum(metrics.values()) / len(metrics)
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _validate(self, data: StepDataset) -> list[float]:
        """The loss of each validation batch."""
        towers = self.towers.eval()
        losses = []
        for step in range(data.steps):
            batch = self._prepare_inputs(self.collate(data.batch(step)))
            texts = batch["passage_texts"]
            with torch.no_grad(), self.compute_loss_context_manager():
                vectors = towers({side: batch[side] for side in ("queries", "passages")})
                loss = info_nce(
                    vectors["queries"],
                    vectors["passages"],
                    temperature=self.temperature,
                    same=same_text(texts, texts),
                )
            losses.append(loss.item())
        return losses

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        assert self.adamw is not None
        self.adamw.settle()
        checkpoint = checkpoints.place(Path(str(self.args.output_dir)), self.state.global_step)
        with checkpoints.writing(checkpoint):
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                checkpoints.seal(checkpoint)


@dataclass(frozen=True)
class Trained:
    """What training leaves.

    Args:
        history: a row a logged step: step, loss, learning_rate, grad_norm, validation, validation_mono, ...; step 0
            is the validation of the encoder before it was trained.
        best_step: whose weights the encoder holds now.
        steps: that were taken, before and after a kill.
        seconds: of this call.
        resumed_at: the step it went on from, 0 where it began.
        speed: as `Speed.summary` gives it, of this call.
    """

    history: pd.DataFrame
    best_step: int
    steps: int
    seconds: float
    resumed_at: int
    speed: dict[str, float | None] = field(default_factory=dict)


def train(
    encoder: DualEncoder,
    sampler: BatchSampler,
    validation: dict[str, StepDataset],
    settings: TrainingSettings,
    directory: Path,
) -> Trained:
    """Fine-tune `encoder` in place; it ends with the weights of the lowest validation loss, or with the last ones.

    Under `accelerate launch` or torchrun each process encodes its part of every batch: the same batches, losses and
    weights, however many there are, but for rounding (1e-6 of a loss) and the noise of dropout.

    Args:
        validation: as `data.validation_batches` gives them.
        directory: holds the checkpoints while training runs; called again after a kill it goes on from the last
            one, with the same batches and the same dropout. Removed by the caller when all is saved.

    Raises:
        ValueError: the processes cannot share a batch, a training length is impossible, the model cannot be saved; or
            it has dropout, and what is gone on from was made by another number of processes.
        NotFinite: at a step whose loss, gradient, weights or validation loss are no numbers.
        OSError: a checkpoint cannot be written.
        RuntimeError: the best checkpoint is gone.
    """
    processes = training_processes().num_processes
    if settings.batch_size % processes:
        raise ValueError(
            f"training.batch_size is {settings.batch_size}; {processes} processes cannot share it evenly"
        )
    for kind, length in settings.lengths.items():
        if length is not None:
            encoder.check_length(kind, length)
    encoder.check_trainable()
    transformers.utils.logging.set_verbosity_error()
    bfloat16 = encoder.uses_bfloat16("cuda" if torch.cuda.is_available() else "cpu")
    towers = Towers(encoder, settings.chunk, settings.sort_by_length)
    checkpoint = first_says(lambda: checkpoints.last_checkpoint(directory, keep_best=settings.keep_best))
    if checkpoint:
        _check_goes_on(checkpoint, processes, encoder)
    arguments = _arguments(settings, directory, sampler.seed, processes, bfloat16)
    arguments.eval_on_start = checkpoint is None  # of the encoder as it was, logged at step 0
    progress = Progress(f"{sampler.strategy} seed {sampler.seed}")
    speed = Speed(encoder, pairs=settings.batch_size, processes=processes, bfloat16=bfloat16)
    callbacks: list[TrainerCallback] = [progress, speed]
    if settings.patience:
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=settings.patience))
    trainer = BatchTrainer(
        towers,
        StepDataset(sampler, settings.steps, settings.hard_negatives),
        validation,
        collate=Collator(encoder, settings),
        temperature=settings.temperature,
        speed=speed,
        args=arguments,
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    started = time.monotonic()
    # a GPU is quicker with whole tables, and NCCL sends no sparse gradients
    alone_on_cpu = processes == 1 and not torch.accelerator.is_available()
    table = encoder.model.get_input_embeddings()
    rows = by_rows(table, lambda: trainer.adamw) if alone_on_cpu else nullcontext()
    try:
        with quick_backward(encoder.model), quick_dropout(encoder), rows:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    finally:
        progress.close()
    steps = trainer.state.global_step
    best = (trainer.state.best_global_step if settings.keep_best else None) or steps
    if best != steps:
        checkpoints.load_weights(towers, checkpoints.place(directory, best))
    check_weights(towers, best)
    return Trained(
        history=_history(trainer.state),
        best_step=best,
        steps=steps,
        seconds=round(time.monotonic() - started, 1),
        resumed_at=checkpoints.step_of(checkpoint) if checkpoint else 0,
        speed=speed.summary(),
    )


def _check_goes_on(checkpoint: Path, processes: int, encoder: DualEncoder) -> None:
    """ValueError: another number of processes than before would go on with other dropout."""
    before = checkpoints.processes_of(checkpoint)
    has_dropout = any(isinstance(part, nn.Dropout) and part.p > 0 for part in encoder.modules())
    if before != processes and has_dropout:
        raise ValueError(
            f"{checkpoint} was made by {before} process{'es' * (before > 1)}, and the dropout of {processes} would be "
            f"another: start as many as before, or remove {checkpoint.parent} to begin anew"
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
        metric_for_best_model="eval_loss",  # its checkpoint is not rotated away; `train` loads it
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
    table = pd.DataFrame(list(rows.values()))
    return table[[name for name in names.values() if name in table]]
