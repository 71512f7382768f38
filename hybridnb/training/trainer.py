"""Fine-tuning: transformers.Trainer made to draw its batches by strategy."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import transformers
from torch import Tensor, nn
from tqdm import tqdm
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from hybridnb.corpora.parallel import ParallelCorpus
from hybridnb.encoders.encoder import DualEncoder, Kind
from hybridnb.training.batching import BatchSampler, Pair, Strategy
from hybridnb.training.loss import encode_by_length, encode_in_chunks, gather, info_nce, same_text
from hybridnb.training.settings import TrainingSettings

Batch = dict[str, Any]


class StepDataset(torch.utils.data.Dataset[tuple[str, ...]]):
    """The pairs of all steps in a row: row i is pair `i % batch_size` of step `i // batch_size`.

    Read in order it gives every process its part of the same batch, and the Trainer's own skipping resumes it
    exactly. A row is (query, passage) or (query, passage, mined negative).
    """

    def __init__(self, sampler: BatchSampler, steps: int, mined: bool = False) -> None:
        self.sampler, self.steps = sampler, steps
        self.negative: Callable[[int], Any] | None = None
        if mined:
            self.negative = getattr(sampler.corpus.items, "negative", None)
            if self.negative is None:
                raise ValueError(
                    f"training.mined_negatives is on, but corpus {sampler.corpus.name!r} has none; "
                    "turn it off or train on mmarco"
                )
        self._step, self._pairs = -1, list[Pair]()

    def __len__(self) -> int:
        return self.steps * self.sampler.batch_size

    def __getitem__(self, row: int) -> tuple[str, ...]:
        step, slot = divmod(row, self.sampler.batch_size)
        if step != self._step:
            self._step, self._pairs = step, self.sampler.batch(step)
        pair = self._pairs[slot]
        item = self.sampler.corpus[pair.item]
        texts = (item.queries[pair.query_language], item.passages[pair.passage_language])
        return texts if self.negative is None else (*texts, self.negative(pair.item)[pair.passage_language])


class Collator:
    """Texts -> token tensors, and a number for each candidate text by which equal ones are known."""

    def __init__(self, encoder: DualEncoder, settings: TrainingSettings) -> None:
        self.encoder = encoder
        self.max_length = {"query": settings.max_query_length, "passage": settings.max_passage_length}

    def __call__(self, rows: Sequence[tuple[str, ...]]) -> Batch:
        queries, passages, *mined = zip(*rows, strict=True)
        batch = {
            "queries": self._tokenize(queries, "query"),
            "passages": self._tokenize(passages, "passage"),
            "passage_texts": _text_numbers(passages),
        }
        if mined:
            batch["mined"] = self._tokenize(mined[0], "passage")
            batch["mined_texts"] = _text_numbers(mined[0])
        return batch

    def _tokenize(self, texts: Sequence[str], kind: Kind) -> dict[str, Tensor]:
        return self.encoder.tokenize(texts, kind, self.max_length[kind])


def _text_numbers(texts: Sequence[str]) -> Tensor:
    digests = (hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts)
    return torch.tensor([int.from_bytes(digest, "big", signed=True) for digest in digests])


class _Towers(nn.Module):
    """Encodes all sides of a batch in one forward pass, as distributed training needs it."""

    def __init__(self, encoder: DualEncoder, chunk: int, sort_by_length: bool) -> None:
        super().__init__()
        self.encoder, self.chunk, self.sort_by_length = encoder, chunk, sort_by_length

    def forward(self, sides: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
        if self.chunk and torch.is_grad_enabled():
            return {side: encode_in_chunks(self.encoder, f, self.chunk) for side, f in sides.items()}
        if self.sort_by_length:
            budget = self.encoder.token_budget()
            return {side: encode_by_length(self.encoder, f, budget) for side, f in sides.items()}
        return {side: self.encoder(features) for side, features in sides.items()}


def contrastive_loss(towers: Callable[..., dict[str, Tensor]], batch: Batch, temperature: float) -> Tensor:
    """InfoNCE of a batch, its candidates gathered from every process."""
    sides = {side: batch[side] for side in ("queries", "passages", "mined") if side in batch}
    vectors = towers(sides)
    passages, texts = gather(vectors["passages"]), gather(batch["passage_texts"])
    mined = gather(vectors["mined"]) if "mined" in vectors else None
    if "mined" in vectors:
        texts = torch.cat([texts, gather(batch["mined_texts"])])
    distributed = len(passages) > len(vectors["queries"])
    first = torch.distributed.get_rank() * len(vectors["queries"]) if distributed else 0
    return info_nce(
        vectors["queries"],
        passages,
        mined=mined,
        temperature=temperature,
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
        """Mean loss over the validation batches of each kind (`eval_mono`, `eval_cross`), and of both.

        Every process sees whole batches, so the figure does not depend on their number.
        """
        towers = self.accelerator.unwrap_model(self.model).eval()
        by_kind = {}
        for kind, data in self.validation.items():
            losses = []
            for step in range(data.steps):
                rows = [
                    data[step * data.sampler.batch_size + slot] for slot in range(data.sampler.batch_size)
                ]
                batch = self._prepare_inputs(self.collate(rows))
                with torch.no_grad(), self.compute_loss_context_manager():
                    vectors = towers({side: batch[side] for side in ("queries", "passages")})
                    loss = info_nce(vectors["queries"], vectors["passages"], temperature=self.temperature)
                losses.append(loss.item())
            by_kind[kind] = math.fsum(losses) / len(losses)
        metrics = {f"eval_{kind}": value for kind, value in by_kind.items()}
        metrics["eval_loss"] = math.fsum(by_kind.values()) / len(by_kind)
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class Progress(TrainerCallback):
    """A bar in a terminal; elsewhere (JupyterLab, papermill logs, files) a line at each validation."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.bar: tqdm[Any] | None = None
        self.started, self.first_step, self.loss = 0.0, 0, math.nan

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self.started, self.first_step = time.monotonic(), state.global_step
        if state.is_world_process_zero and state.global_step:
            print(f"{self.title}  goes on from step {state.global_step}", flush=True)
        if state.is_world_process_zero and sys.stderr.isatty():
            self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc=self.title, unit="batch")

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if self.bar is not None:
            self.bar.update(state.global_step - self.bar.n)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        self.loss = (logs or {}).get("loss", self.loss)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        if not state.is_world_process_zero:
            return
        validation = (metrics or {}).get("eval_loss", math.nan)
        if self.bar is not None:
            self.bar.set_postfix(loss=f"{self.loss:.3f}", validation=f"{validation:.3f}")
            return
        done = round(20 * state.global_step / state.max_steps)
        elapsed = time.monotonic() - self.started
        left = elapsed / max(state.global_step - self.first_step, 1) * (state.max_steps - state.global_step)
        print(
            f"{self.title}  [{'#' * done}{'.' * (20 - done)}] {state.global_step:>5}/{state.max_steps}  "
            f"loss {self.loss:.3f}  validation {validation:.3f}  {elapsed:.0f} s, {left:.0f} s left",
            flush=True,
        )

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if self.bar is not None:
            self.bar.close()


@dataclass(frozen=True)
class Trained:
    """What training leaves: the log, and which step's weights the encoder holds now."""

    history: pd.DataFrame
    best_step: int
    steps: int
    seconds: float
    resumed_at: int


def validation_batches(
    corpus: ParallelCorpus, settings: TrainingSettings, languages: Sequence[str] | None
) -> dict[str, StepDataset]:
    """The same validation batches for every strategy: monolingual ones and, in parallel corpora, mixed.

    languages: the training languages; those the corpus lacks are left out (SQuADShifts is English only).
    """
    present = [code for code in languages or corpus.languages if code in corpus.languages]
    kinds = {"mono": Strategy("X-X-mono")}
    if len(present) > 1:
        kinds["cross"] = Strategy("X-Y")
    size = min(settings.validation_batch_size, settings.batch_size)
    return {
        kind: StepDataset(
            BatchSampler(corpus, strategy, batch_size=size, seed=0, languages=present),
            settings.validation_batches,
        )
        for kind, strategy in kinds.items()
    }


def train(
    encoder: DualEncoder,
    sampler: BatchSampler,
    validation: dict[str, StepDataset],
    settings: TrainingSettings,
    directory: Path,
) -> Trained:
    """Fine-tune `encoder` in place; it ends with the weights of the lowest validation loss, or with the last ones.

    directory: holds the checkpoints while training runs; called again after a kill it goes on from the last
    one, with the same batches and the same dropout. Removed by the caller when all is saved.
    Under `accelerate launch` or torchrun each process encodes its part of every batch.
    """
    processes = int(os.environ.get("WORLD_SIZE", "1"))  # set by accelerate launch and torchrun
    if settings.batch_size % processes:
        raise ValueError(
            f"training.batch_size is {settings.batch_size}; {processes} processes cannot share it evenly"
        )
    transformers.utils.logging.set_verbosity_error()
    bfloat16 = encoder.uses_bfloat16("cuda" if torch.cuda.is_available() else "cpu")
    arguments = _arguments(settings, directory, sampler.seed, processes, bfloat16)
    callbacks: list[TrainerCallback] = [Progress(f"{sampler.strategy} seed {sampler.seed}")]
    if settings.patience:
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=settings.patience))
    trainer = BatchTrainer(
        model=_Towers(encoder, settings.chunk, settings.sort_by_length),
        args=arguments,
        train_dataset=StepDataset(sampler, settings.steps, settings.mined_negatives),
        collate=Collator(encoder, settings),
        callbacks=callbacks,
        temperature=settings.temperature,
        validation=validation,
    )
    trainer.remove_callback(PrinterCallback)
    started = time.monotonic()
    checkpoint = last_checkpoint(directory)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
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


def last_checkpoint(directory: Path) -> Path | None:
    """The newest whole checkpoint; what a kill cut short is removed (trainer_state.json comes last)."""
    found = sorted(directory.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    for path in reversed(found):
        try:
            json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
            return path
        except (FileNotFoundError, ValueError):
            shutil.rmtree(path, ignore_errors=True)
    return None


def _history(state: TrainerState) -> pd.DataFrame:
    """One row a logged step: step, loss, learning_rate, grad_norm, validation, validation_mono, ..."""
    rows: dict[float, dict[str, float]] = {}
    for entry in state.log_history:
        row = rows.setdefault(entry["step"], {"step": entry["step"]})
        for name in ("loss", "learning_rate", "grad_norm"):
            if name in entry:
                row[name] = entry[name]
        for name in ("eval_loss", "eval_mono", "eval_cross"):
            if name in entry:
                row[name.replace("eval_loss", "validation").replace("eval", "validation")] = entry[name]
    return pd.DataFrame(list(rows.values()))
