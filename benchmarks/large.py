"""Memory and seconds of a large benchmark, stage by stage: python benchmarks/large.py [--candidates 1000000]

A BEIR folder of generated texts in two languages and random unit vectors are written to a scratch directory. A fresh
process opens the folder, ranks, and writes the results; each stage prints its seconds and the most memory that it
held: its own, and that of files mapped into it, which the system takes back when it needs it. With --encode a small
encoder makes the vectors, as `hybridnb evaluate` would. Not a test: a million takes minutes, and 3 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

LANGUAGES = ("de", "en")
BLOCK = 65_536


def texts_of(language: str, start: int, stop: int) -> Iterator[str]:
    """Short texts, none twice."""
    rng = np.random.default_rng([len(language), start])
    for row, words in enumerate(rng.integers(3, 12, stop - start).tolist(), start):
        yield f"{language} {row} " + " ".join(str(word) for word in rng.integers(0, 3000, words).tolist())


def unit(rng: np.random.Generator, rows: int, dimension: int) -> np.ndarray:
    vectors = rng.standard_normal((rows, dimension), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def write(place: Path, candidates: int, queries: int, dimension: int) -> None:
    """The folder, and language-queries.npy and language-candidates.npy beside it."""
    rng = np.random.default_rng(0)
    for language in LANGUAGES:
        folder = place / "folder" / language
        (folder / "qrels").mkdir(parents=True)
        count = candidates // len(LANGUAGES)
        with (folder / "corpus.jsonl").open("w", encoding="utf-8") as file:
            for start in range(0, count, BLOCK):
                rows = enumerate(texts_of(language, start, min(start + BLOCK, count)), start)
                file.writelines(
                    json.dumps({"_id": f"{language}{row}", "text": text}) + "\n" for row, text in rows
                )
        asked = queries // len(LANGUAGES)
        with (folder / "queries.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(
                json.dumps({"_id": f"{language}-q{number}", "text": f"{language} {number}?"}) + "\n"
                for number in range(asked)
            )
        relevant = rng.integers(count, size=asked).tolist()
        with (folder / "qrels" / "test.tsv").open("w", encoding="utf-8") as file:
            file.write("query-id\tcorpus-id\tscore\n")
            file.writelines(f"{language}-q{n}\t{language}{row}\t1\n" for n, row in enumerate(relevant))
        np.save(place / f"{language}-queries.npy", unit(rng, asked, dimension))
        vectors = np.lib.format.open_memmap(
            place / f"{language}-candidates.npy", "w+", np.float32, (count, dimension)
        )
        for start in range(0, count, BLOCK):
            vectors[start : start + BLOCK] = unit(rng, min(BLOCK, count - start), dimension)


def held() -> tuple[int, int]:
    """(own, mapped from files) MiB of this process now."""
    kib = dict.fromkeys(("RssAnon", "RssFile", "RssShmem"), 0)
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key in kib:
            kib[key] = int(value.split()[0])
    return kib["RssAnon"] // 1024, (kib["RssFile"] + kib["RssShmem"]) // 1024


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Print the seconds of a stage, on the clock and of all cores, and the most memory held in it."""
    most, over = [held()], threading.Event()

    def watch() -> None:
        while not over.wait(0.01):
            most[0] = tuple(map(max, most[0], held()))

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    began, cores = time.monotonic(), time.process_time()
    try:
        yield
    finally:
        seconds, cores = time.monotonic() - began, time.process_time() - cores
        over.set()
        watching.join()
        own, mapped = map(max, most[0], held())
        print(
            f"{name:24} {seconds:8.1f} s {cores:8.1f} cpu s {own:8} MiB own {mapped:8} MiB mapped", flush=True
        )


def measure(place: Path, encode: bool) -> None:
    with stage("import"):
        from hybridnb.corpora import load_benchmark
        from hybridnb.measures.metrics_file import pack
        from hybridnb.retrieval.embeddings import encode_benchmark
        from hybridnb.retrieval.nearest import top_languages
        from hybridnb.retrieval.ranking import exact_ranks
        from hybridnb.retrieval.ranks_table import write_ranks
    for name in ("open, the first time", "open again"):
        with stage(name):
            benchmark = load_benchmark(place / "folder")
            print(f"{benchmark.sha256[:12]}: {sum(map(len, benchmark.candidates.values())):,} candidates")
    if encode:
        from hybridnb.encoders.models.small import build_small_encoder

        some = [text for language in LANGUAGES for text in texts_of(language, 0, 500)]
        encoder = build_small_encoder(some, vocabulary=2000, layers=1, hidden=64, heads=2)
        for name in ("encode", "find the vectors again"):
            with stage(name):
                queries, candidates = encode_benchmark(encoder, benchmark, cache=place / "vectors")
    else:
        queries, candidates = (
            {code: np.load(place / f"{code}-{kind}.npy", mmap_mode="r") for code in LANGUAGES}
            for kind in ("queries", "candidates")
        )
    with stage("rank"):
        ranks = exact_ranks(benchmark, queries, candidates)
    with stage("top languages"):
        top_languages(benchmark, queries, candidates, k=10)
    with stage("metrics"):
        print(f"multilingual mAP {pack(ranks)['multilingual']['map']:.6f}, {len(ranks):,} rows")
    with stage("write"):
        write_ranks(place / "ranks.parquet", ranks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--dimension", type=int, default=384, help="of the random vectors")
    parser.add_argument("--encode", action="store_true")
    parser.add_argument("--place", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.place:
        measure(options.place, options.encode)
        return
    with tempfile.TemporaryDirectory() as scratch:
        with stage("write the benchmark"):
            write(Path(scratch), options.candidates, options.queries, options.dimension)
        again = [sys.executable, __file__, "--place", scratch, *(["--encode"] if options.encode else [])]
        subprocess.run(again, env={**os.environ, "XDG_CACHE_HOME": f"{scratch}/cache"}, check=True)


if __name__ == "__main__":
    main()
