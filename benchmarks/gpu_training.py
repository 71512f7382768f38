"""Training steps on a GPU, ours in several ways and sentence-transformers': python -m benchmarks.gpu_training

Encoders of the sizes of XLM-R base and multilingual-e5-small with random weights, texts of random words, bfloat16
autocast over float32 weights, all weights trained. A row is a way to take a step; it says milliseconds (the median),
pairs a second, model FLOP utilisation and peak memory. The most important rows come first; one that fails says why,
and the others go on. Rows that begin after --budget seconds are left out. Needs no network and no files.
--device cpu --tiny tries it anywhere.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import itertools
import json
import platform
import statistics
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch.nn.functional import pad

from benchmarks.steps import our_trainer, their_trainer
from hybridnb.corpora.parallel import Item, ParallelCorpus
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.models.small import build_small_encoder
from hybridnb.training.batching import BatchSampler
from hybridnb.training.data import Collator, StepDataset
from hybridnb.training.settings import TrainingSettings
from hybridnb.training.speed import PEAK_BF16, step_flops
from hybridnb.training.strategies import Strategy
from hybridnb.training.trainer import Towers, contrastive_loss

SIZES = {"base": (768, 250_002), "small": (384, 250_037)}
"""Width, and rows of the embedding table; 12 layers each."""

WORDS = ["".join(letters) for letters in np.random.default_rng(0).choice(list("abcdefghij"), (4_000, 5))]
"""Each one token of the random encoders."""


@dataclass(frozen=True)
class Row:
    """A way to take a step.

    Args:
        how: "ours", "theirs": a loop of forward, loss, backward, clipping and AdamW over batches that lie on the
            device; "our trainer", "their trainer": the library's own trainer, tokenisation included.
        size: of the encoder.
        batch: pairs.
        lengths: tokens of queries and of passages.
        mixed: texts of a quarter of these tokens up to all, else all.
        compiled: each layer on its own.
        chunk: texts whose activations are held at a time, 0 all.
    """

    how: str
    size: str = "base"
    batch: int = 100
    lengths: tuple[int, int] = (40, 48)
    mixed: bool = False
    compiled: bool = False
    chunk: int = 0

    def __str__(self) -> str:
        ways = ["layers compiled"] * self.compiled + [f"chunk {self.chunk}"] * bool(self.chunk)
        ways += ["mixed"] * self.mixed
        shape = f"{self.batch:>4} x {self.lengths[0]}/{self.lengths[1]}"
        return f"{self.how:14} {self.size:6} {shape:14} {', '.join(ways) or 'eager':26}"


LONG = (64, 256)
EAGER, LAYERS, THEIRS, TRAINER = (
    Row("ours"),
    Row("ours", compiled=True),
    Row("their trainer"),
    Row("our trainer"),
)
FOUR = (EAGER, LAYERS, THEIRS, TRAINER)
ROWS = [
    *FOUR,
    *(replace(row, lengths=LONG) for row in FOUR),
    *(replace(row, batch=256) for row in FOUR),
    *(replace(row, batch=256, lengths=LONG) for row in FOUR),
    *(replace(row, batch=1024) for row in FOUR),
    *(replace(row, batch=1024, lengths=LONG, chunk=128) for row in (EAGER, LAYERS, THEIRS)),
    replace(EAGER, batch=128),
    replace(EAGER, batch=4096, chunk=128),
    *(replace(row, size="small") for row in FOUR),
    *(replace(row, size="small", batch=1024) for row in FOUR),
    replace(EAGER, lengths=LONG, mixed=True),
    replace(LAYERS, lengths=LONG, mixed=True),
    Row("theirs"),
]


def random_encoder(size: str, tiny: bool) -> DualEncoder:
    """Random weights; a prefix tells queries from passages."""
    hidden, vocabulary = SIZES[size]
    shape = {"layers": 2, "hidden": 64, "heads": 2} if tiny else {"layers": 12, "hidden": hidden, "heads": 12}
    encoder = build_small_encoder([*WORDS, "q p"], vocabulary=20_000, max_length=512, **shape)
    if not tiny:
        encoder.model.resize_token_embeddings(vocabulary, mean_resizing=False)
    encoder.set_dropout(0.1)
    encoder.network.prompts = {"query": "q ", "passage": "p ", "document": "p "}
    return encoder


def random_corpus(row: Row) -> ParallelCorpus:
    """Pairs of texts of random words, of the row's tokens or, before they are cut, of a few more."""
    rng = np.random.default_rng(0)

    def text(length: int) -> str:
        count = int(rng.integers(length // 4, length + 1)) if row.mixed else length
        return " ".join(rng.choice(WORDS, count))

    queries, passages = row.lengths
    items = [
        Item(str(n), "random", str(n), {"en": text(queries)}, {"en": text(passages)})
        for n in range(max(4 * row.batch, 512))
    ]
    return ParallelCorpus("random", items)


class Clock:
    """Milliseconds between marks, on the device's own clock, without waiting for it."""

    def __init__(self, device: torch.device) -> None:
        self.on_gpu, self.marks = device.type == "cuda", list[Any]()

    def mark(self) -> None:
        if self.on_gpu:
            self.marks.append(torch.cuda.Event(enable_timing=True))
            self.marks[-1].record()
        else:
            self.marks.append(time.perf_counter())

    def between(self) -> list[float]:
        pairs = itertools.pairwise(self.marks)
        if self.on_gpu:
            torch.cuda.synchronize()
            return [a.elapsed_time(b) for a, b in pairs]
        return [1000 * (b - a) for a, b in pairs]


def to(device: torch.device, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: to(device, of_key) for key, of_key in value.items()}
    return value.to(device)


def bucketed(batch: dict[str, Any], step: int = 8) -> dict[str, Any]:
    """A batch padded to multiples of a width: what is compiled for a width is seldom compiled anew."""
    batch = dict(batch)
    for side in ("queries", "passages"):
        width = batch[side]["input_ids"].shape[1]
        more = -width % (step if width <= 64 else 8 * step)
        pads = {"input_ids": 1, "attention_mask": 0}
        batch[side] = {n: pad(batch[side][n], (0, more), value=v) for n, v in pads.items()}
    return batch


@contextlib.contextmanager
def compiled(encoder: DualEncoder, row: Row) -> Iterator[None]:
    """The encoder with its layers compiled, where a row says so, for a while."""
    layers = list(encoder.model.encoder.layer)
    if row.compiled:
        for layer in layers:
            layer.compile(dynamic=False)
    try:
        yield
    finally:
        for layer in layers:
            layer._compiled_call_impl = None
        encoder.zero_grad(set_to_none=True)


class Bench:
    """Measures rows."""

    def __init__(self, device: torch.device, tiny: bool, rounds: int, warmups: int) -> None:
        self.device, self.rounds, self.warmups = device, rounds, warmups
        self.name = torch.cuda.get_device_name() if device.type == "cuda" else platform.machine()
        self.peak = next((peak for card, peak in PEAK_BF16.items() if card in self.name), None)
        self.encoder = cache(lambda size: random_encoder(size, tiny).to(device).train())

    def measure(self, row: Row) -> dict[str, Any]:
        encoder = self.encoder(row.size)
        steps = self.warmups + 1 + (self.rounds if row.batch <= 1024 else 5)
        sampler = BatchSampler(random_corpus(row), Strategy("X-X-mono"), batch_size=row.batch, seed=0)
        settings = TrainingSettings(
            steps=steps, batch_size=row.batch, temperature=0.01, learning_rate=1e-5, chunk=row.chunk,
            max_query_length=row.lengths[0], max_passage_length=row.lengths[1],
        )  # fmt: skip
        data, collate = StepDataset(sampler, steps), Collator(encoder, settings)
        batches = [collate(data.batch(step)) for step in range(4)]
        masks = [batch[side]["attention_mask"] for batch in batches for side in ("queries", "passages")]
        lengths = torch.cat([mask.sum(1).double() for mask in masks])
        tokens, squares = float(lengths.sum()) / 4, float((lengths**2).sum()) / 4
        if row.compiled:
            batches = [bucketed(batch) for batch in batches]
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        began, clock = time.perf_counter(), Clock(self.device)
        with compiled(encoder, row), tempfile.TemporaryDirectory() as scratch:
            trainer = encoder, data, settings, True, clock.mark, Path(scratch)
            if row.how == "our trainer":
                loss = our_trainer(*trainer).train().training_loss
            elif row.how == "their trainer":
                with their_trainer(*trainer) as theirs:
                    loss = theirs.train().training_loss
            else:
                loss = self.loop(row, [to(self.device, batch) for batch in batches], settings, clock)
        times = clock.between()[self.warmups :]
        took, work = statistics.median(times), step_flops(encoder, tokens, squares)
        return {
            "ms": round(took, 2),
            "ms_least": round(min(times), 2),
            "pairs_per_second": round(1000 * row.batch / took),
            "tokens_per_second": round(1000 * tokens / took),
            "mfu": round(work / (took / 1000) / self.peak, 4) if self.peak else None,
            "tflop": round(work / 1e12, 3),
            "peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2) if self.peak else None,
            "loss": round(loss, 3),
            "seconds_in_all": round(time.perf_counter() - began, 1),
        }

    def loop(self, row: Row, batches: list[Any], settings: TrainingSettings, clock: Clock) -> float:
        """What a trainer does in a step, on batches that are on the device already; the last loss."""
        encoder = self.encoder(row.size)
        towers = Towers(encoder, row.chunk).train()
        weights = list(encoder.parameters())
        optimizer = torch.optim.AdamW(weights, lr=settings.learning_rate, fused=True)
        if row.how == "theirs":
            from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

            theirs = MultipleNegativesRankingLoss(encoder.network, scale=1 / settings.temperature)

        for number in range(settings.steps):
            batch = batches[number % len(batches)]
            clock.mark()
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(self.device.type, dtype=torch.bfloat16):
                loss = (
                    theirs([dict(batch["queries"]), dict(batch["passages"])], None)
                    if row.how == "theirs"
                    else contrastive_loss(towers, batch, settings.temperature, row.chunk)
                )
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, settings.max_gradient_norm)
            optimizer.step()
        clock.mark()
        return float(loss.detach())


def shown(row: Row, found: dict[str, Any]) -> str:
    """A line of the table."""
    if "error" in found:
        return f"{row} {found['error'][:140]}"
    mfu = "" if found["mfu"] is None else f"{found['mfu']:7.1%} MFU {found['peak_gib']:7.1f} GiB"
    return f"{row} {found['ms']:9.2f} ms {found['pairs_per_second']:7} pairs/s {mfu}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--tiny", action="store_true", help="two narrow layers and batches of 8")
    parser.add_argument("--budget", type=float, default=225, help="seconds in which rows may begin")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--warmups", type=int, default=5)
    parser.add_argument("--only", default="", help="rows whose line has this in it")
    parser.add_argument("--out", type=Path, default=Path("gpu-training.json"))
    options = parser.parse_args()
    began = time.monotonic()
    transformers.utils.logging.set_verbosity_error()
    torch._dynamo.config.recompile_limit = 64  # one for each width and batch; beyond it nothing is compiled
    bench = Bench(torch.device(options.device), options.tiny, options.rounds, options.warmups)
    versions = {m.__name__: m.__version__ for m in (torch, transformers)}
    print(bench.name, versions, flush=True)
    results = []
    for row in [replace(row, batch=8) for row in ROWS] if options.tiny else ROWS:
        if options.only not in str(row):
            continue
        if time.monotonic() - began > options.budget:
            print(f"left out: {row}", flush=True)
            continue
        try:
            found = bench.measure(row)
        except Exception as error:  # whatever one way breaks on, the others go on
            trace = traceback.format_exc().splitlines()[-12:]
            found = {"error": f"{type(error).__name__}: {error}".replace("\n", " ")[:500], "trace": trace}
        results.append({**vars(row), **found})
        print(shown(row, found), flush=True)
        whole = {"device": bench.name, "peak_flops": bench.peak, "versions": versions, "rows": results}
        options.out.write_text(json.dumps(whole, indent=1), encoding="utf-8")
    print(f"{time.monotonic() - began:.0f} s in all")


if __name__ == "__main__":
    main()
