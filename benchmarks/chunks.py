"""Memory of a training step with and without chunks: python benchmarks/chunks.py [--layers 12 --batch 4096]

Forward and backward over a batch of 128 pairs whole, and over one of 4,096 pairs 128 texts at a time (`chunk`), each in
a fresh process: an encoder of random weights as wide as multilingual-e5-small, 48 tokens a text, bfloat16. What is
printed is what a process held at most above what it held before the step, with blocks of 256 KiB and more given back
when they are freed. Needs Linux.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path


def measure(batch: int, chunk: int, layers: int) -> None:
    import torch

    from hybridnb.encoders.models.small import build_small_encoder
    from hybridnb.training.trainer import Towers, contrastive_loss

    encoder = build_small_encoder(
        ["wo wohnt ana"], vocabulary=60, layers=layers, hidden=384, heads=12
    ).train()
    towers = Towers(encoder, chunk)
    ids = torch.randint(
        4, encoder.vocabulary_size, (2, batch, 48), generator=torch.Generator().manual_seed(0)
    )
    sides = {
        name: {"input_ids": of_side, "attention_mask": torch.ones_like(of_side)}
        for name, of_side in zip(("queries", "passages"), ids, strict=True)
    }
    before = held("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    began = time.perf_counter()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = contrastive_loss(towers, {**sides, "passage_texts": torch.arange(batch)}, 0.05, chunk)
    loss.backward()
    took = time.perf_counter() - began
    print(f"batch {batch:5} chunk {chunk:4}: {held('VmHWM') - before:6} MiB, {took:.1f} s", flush=True)


def held(what: str) -> int:
    """MiB of this process, by the kernel's name."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(what))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--measure", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(*options.measure, options.layers)
        return
    for batch, chunk in ((128, 0), (options.batch, 128)):
        again = [
            sys.executable,
            __file__,
            "--measure",
            str(batch),
            str(chunk),
            "--layers",
            str(options.layers),
        ]
        # else glibc keeps what is freed in pieces that it cannot give back, hundreds of MiB of them
        threshold = {"MALLOC_MMAP_THRESHOLD_": "262144", "MALLOC_TRIM_THRESHOLD_": "262144"}
        subprocess.run(again, check=True, env={**os.environ, **threshold})


if __name__ == "__main__":
    main()
