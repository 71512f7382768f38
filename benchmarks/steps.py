"""Both libraries' own trainers on the same batches, lengths and settings, for cpu_training.py and gpu_training.py."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from transformers import PrinterCallback, TrainerCallback

from hybridnb.encoders.encoder import DualEncoder
from hybridnb.training.data import Collator, StepDataset
from hybridnb.training.settings import TrainingSettings
from hybridnb.training.trainer import BatchTrainer, Towers, _arguments


class AfterEachStep(TrainerCallback):
    def __init__(self, mark: Callable[[], None]) -> None:
        self.mark = mark

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.mark()


def our_trainer(
    encoder: DualEncoder,
    data: StepDataset,
    settings: TrainingSettings,
    bfloat16: bool,
    mark: Callable[[], None],
    scratch: Path,
) -> BatchTrainer:
    arguments = _arguments(settings, scratch, 0, 1, bfloat16)
    arguments.eval_strategy = arguments.save_strategy = arguments.logging_strategy = "no"
    trainer = BatchTrainer(
        Towers(encoder, settings.chunk, settings.sort_by_length),
        data,
        {"mono": data},
        collate=Collator(encoder, settings),
        temperature=settings.temperature,
        args=arguments,
        callbacks=[AfterEachStep(mark)],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


@contextlib.contextmanager
def their_trainer(
    encoder: DualEncoder,
    data: StepDataset,
    settings: TrainingSettings,
    bfloat16: bool,
    mark: Callable[[], None],
    scratch: Path,
) -> Iterator[Any]:
    """MultipleNegativesRankingLoss; with a `chunk` the cached one, of such mini-batches. The prefixes must differ."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer import losses

    pairs = (pair for step in range(settings.steps) for pair in data.batch(step))
    queries, passages = zip(*pairs, strict=True)
    network, scale = encoder.network, 1 / settings.temperature
    loss = (
        losses.CachedMultipleNegativesRankingLoss(network, scale=scale, mini_batch_size=settings.chunk)
        if settings.chunk
        else losses.MultipleNegativesRankingLoss(network, scale=scale)
    )
    on_cpu = encoder.device.type == "cpu"
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(scratch),
        max_steps=settings.steps,
        per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        bf16=bfloat16,
        use_cpu=on_cpu,
        dataloader_pin_memory=not on_cpu,
        prompts={"query": encoder.prefix("query"), "passage": encoder.prefix("passage")},
        eval_strategy="no",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        report_to="none",
    )
    whole = network.preprocess

    def cut(texts: Any, prompt: str | None = None, **options: Any) -> Any:
        """Texts cut to the same tokens as ours; a column's prompt tells its kind."""
        kind = "query" if prompt == encoder.prefix("query") else "passage"
        return whole(texts, prompt=prompt, **{**options, "max_length": settings.lengths[kind]})

    with mock.patch.object(network, "preprocess", cut):
        trainer = SentenceTransformerTrainer(
            model=network,
            args=arguments,
            train_dataset=Dataset.from_dict({"query": list(queries), "passage": list(passages)}),
            loss=loss,
            callbacks=[AfterEachStep(mark)],
        )
        trainer.remove_callback(PrinterCallback)
        try:
            yield trainer
        finally:
            for module in (network, loss):  # accelerate's wrapper
                module.__dict__.pop("forward", None)
