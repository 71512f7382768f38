"""Shards and FAISS indexes of a million vectors: python -m benchmarks.index [--candidates 1000000]

Real vectors that `hybridnb evaluate` has kept in the user's cache (or --vectors DIR), each once, then mixtures of two
of them; real query vectors. For every factory string a fresh process builds the index of each shard, and another
searches them; seconds on the clock and of all cores, the most memory held, and recall against exact search go to
data/results/benchmarks/index.csv, with what MIRACL would cost to index-miracl.csv, and figures/benchmarks/index.png.
Not a test: a million takes minutes, and 2 GB of disk in a scratch directory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

from benchmarks.machine import description, held
from hybridnb.places import RESULTS, user_cache

FACTORIES = {"Flat": "", "SQ8": "", "IVF256,PQ192x4fs": "nprobe=16", "HNSW16_SQ8": "efSearch=128"}
K, QUERIES, LANGUAGE = 100, 200, "xx"

# Passages and dev topics: MIRACL (arXiv 2210.09984, table 2)
MIRACL = {
    "ar": (2_061_414, 2896), "bn": (297_265, 411), "de": (15_866_222, 305), "en": (32_893_221, 799),
    "es": (10_373_953, 648), "fa": (2_207_172, 632), "fi": (1_883_509, 1271), "fr": (14_636_953, 343),
    "hi": (506_264, 350), "id": (1_446_315, 960), "ja": (6_953_614, 860), "ko": (1_486_752, 213),
    "ru": (9_543_918, 1252), "sw": (131_924, 482), "te": (518_079, 828), "th": (542_166, 733),
    "yo": (49_043, 119), "zh": (4_934_368, 393),
}  # fmt: skip

TWO_CORES = 2 * 62_697 / (53 * 60)
"""Passages a second on two cores: twice what one thread of a busy machine did on MIRACL's judged passages, of up to
256 tokens, in bfloat16 (data/results/as-they-are/README.md)."""

ONE_GPU = 4_000
"""Passages a second on one GPU: an assumption, not measured. An NVIDIA H200 trains XLM-R-base on 380,000 tokens a
second; forward alone is a third of that work, multilingual-e5-small a quarter of that model, and passages have some 130
tokens: 35,000 a second, of which tokenising and small matrices are assumed to leave a ninth."""


def real(place: Path, kind: str) -> np.ndarray:
    """The kept vectors of the encoder of which there are most."""
    folder = max(place.iterdir(), key=lambda folder: len(list(folder.glob(f"{kind}-*"))))
    files = sorted(folder.glob(f"{kind}-*.safetensors"))
    return np.concatenate([load_file(file)["vectors"].astype(np.float16) for file in files])


class Mixed:
    """Rows of real vectors, each once, then of .8 of one and .2 of another, of length 1."""

    def __init__(self, vectors: np.ndarray, rows: int, start: int) -> None:
        self.vectors, self.start, self.shape = vectors, start, (rows, vectors.shape[1])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        at = np.arange(*rows.indices(len(self))) + self.start
        count = len(self.vectors)
        other = np.random.default_rng(int(at[0])).integers(count, size=len(at))
        share = np.where(at < count, 0, 0.2).astype(np.float32)[:, None]
        mixed = (1 - share) * self.vectors[at % count] + share * self.vectors[other]
        return mixed / np.linalg.norm(mixed, axis=1, keepdims=True)


def step(place: Path, what: str, factory: str, options: argparse.Namespace) -> dict[str, Any]:
    """Write, build or search, in this process."""
    from hybridnb.retrieval.pool import Pool, Qrels
    from hybridnb.retrieval.sharded.build import build_index
    from hybridnb.retrieval.sharded.layout import Index, Layout
    from hybridnb.retrieval.sharded.search import Search, merged, search_shard
    from hybridnb.retrieval.sharded.store import write_vectors

    imported = held("VmHWM")
    if what == "write":
        passages, queries = real(options.vectors, "passage"), real(options.vectors, "query")
        chosen = np.random.default_rng(1).permutation(len(queries))[:QUERIES]
        np.save(place / "queries.npy", queries[chosen].astype(np.float32))
        layout = Layout({LANGUAGE: options.candidates}, passages.shape[1], "float16", options.shard, {})
    began, cores = time.monotonic(), time.process_time()
    told: dict[str, Any] = {}
    if what == "write":
        index = Index.create(place / "index", layout)
        for shard in index.shards:
            write_vectors(index.vectors(shard), Mixed(passages, len(shard), shard.start), "float16")
        told = {"real": len(passages), "bytes": size(place / "index" / "vectors")}
    index = Index.open(place / "index")
    if what == "build":
        for shard in index.shards:
            build_index(index, shard, factory)
        told = {"bytes": size(place / "index" / "faiss" / factory)}
    if what == "search":
        queries = np.load(place / "queries.npy")
        ids = [str(number) for number in range(len(queries))]
        none = Qrels.of(ids, {}, [LANGUAGE])
        zeros = np.zeros(len(ids), dtype=np.int64)
        sizes = np.array([options.candidates])
        pool = Pool("vectors", [LANGUAGE], sizes, ids, zeros, np.arange(len(ids)), none, none)
        search = Search(index, factory, FACTORIES[factory], K, sample=0)
        for shard in index.shards:
            search_shard(search, pool, queries, shard)
        np.save(place / f"{factory}.npy", list(merged(search, pool))[-1].positions)
    seconds, cores = time.monotonic() - began, time.process_time() - cores
    return {**told, "s": seconds, "cpu_s": cores, "peak_mib": held("VmHWM"), "imported_mib": imported}


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*"))


def cost(table: pd.DataFrame) -> pd.DataFrame:
    """Hours, GB and memory of MIRACL by language and whole, computed from the table's figures.

    Seconds of indexes are those of all cores, halved for two; a search asks every topic in every shard.
    """
    languages = {**MIRACL, "whole": tuple(map(sum, zip(*MIRACL.values(), strict=True)))}
    rows = []
    for language, (passages, topics) in languages.items():
        millions = passages / table["vectors"].iloc[0]
        row = {
            "language": language,
            "passages": passages,
            "encode h, two cores": passages / TWO_CORES / 3600,
            "encode h, one GPU (assumed)": passages / ONE_GPU / 3600,
            "encode h, eight GPUs (assumed)": passages / ONE_GPU / 8 / 3600,
            "GB float16": passages * 384 * 2 / 1e9,
            "GB int8": passages * 384 / 1e9,
            "MiB of memory to build and search": table[["build_peak_mib", "search_peak_mib"]].max(axis=None),
        }
        for of in table.itertuples():
            per_topic = of.search_cpu_s / 2 / of.queries / of.vectors
            row |= {
                f"{of.factory}: GB": of.disk_mib * millions * 2**20 / 1e9,
                f"{of.factory}: build h": of.build_cpu_s / 2 * millions / 3600,
                f"{of.factory}: search h": passages * topics * per_topic / 3600,
            }
        rows.append(row)
    return pd.DataFrame(rows)


def draw(table: pd.DataFrame) -> None:
    import matplotlib.pyplot as plt

    from hybridnb.report.figures.look import COLOURS, MARKERS, described, save, style

    style()
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for n, of in enumerate(table.itertuples()):
        label = f"{of.factory}{f', {of.parameters}' if of.parameters else ''}"
        look = {"color": COLOURS[n], "marker": MARKERS[n], "s": 90, "label": label}
        left.scatter(of.queries_per_cpu_s, of._asdict()["recall_100"], **look)
        right.scatter(max(of.build_cpu_s, 1), of.disk_mib / of.vectors * 2**20, **look)
    left.set(xscale="log", xlabel="queries a second of one core", ylabel="recall@100 of exact search")
    right.set(
        xscale="log", xlabel="seconds of one core to build (Flat: none)", ylabel="bytes a vector on disk"
    )
    left.set_xticks([10, 20, 50, 100, 200], ["10", "20", "50", "100", "200"])
    left.set_xticks([], minor=True)
    left.legend(loc="lower left", fontsize=9)
    millions = table["vectors"].iloc[0] / 1e6
    figure.suptitle(f"{millions:g} million vectors of 384 dimensions in {table['shards'].iloc[0]} shards")
    words = "Recall against speed, and size against time to build: " + "; ".join(
        f"{of.factory} {of.recall_100:.3f} at {of.queries_per_cpu_s:.0f} queries a second, built in "
        f"{of.build_cpu_s:.0f} s"
        for of in table.itertuples()
    )
    save(described(figure, words), "benchmarks", "index")


def in_process(scratch: str, what: str, factory: str) -> dict[str, Any]:
    """What `step` tells, of a fresh process with the arguments of this one."""
    again = [sys.executable, "-m", "benchmarks.index", *sys.argv[1:], "--step", scratch, what, factory]
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
    done = subprocess.run(again, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    took: dict[str, Any] = json.loads(done.stdout)
    print(f"{what:7}{factory:12}", {key: round(value, 1) for key, value in took.items()}, flush=True)
    return took


def recall(exact: np.ndarray, found: np.ndarray, depth: int) -> float:
    """Of the first by exact search, the share that is among the first that were found; [queries, K] both."""
    shares = [len({*a[:depth]} & {*b[:depth]}) / depth for a, b in zip(exact, found, strict=True)]
    return float(np.mean(shares))


def row(
    factory: str,
    options: argparse.Namespace,
    written: dict[str, Any],
    built: dict[str, Any],
    found: dict[str, Any],
    exact: np.ndarray,
    mine: np.ndarray,
) -> dict[str, Any]:
    """Of index.csv: what the steps of a factory string took, and what it found."""
    told = description()
    return {
        "factory": factory,
        "parameters": FACTORIES[factory],
        "vectors": options.candidates,
        "real": written["real"],
        "dimension": 384,
        "shards": -(-options.candidates // options.shard),
        "queries": len(exact),
        "vectors_mib": written["bytes"] / 2**20,
        "disk_mib": built["bytes"] / 2**20,
        "build_s": built["s"],
        "build_cpu_s": built["cpu_s"],
        "search_s": found["s"],
        "search_cpu_s": found["cpu_s"],
        "queries_per_s": len(exact) / found["s"],
        "queries_per_cpu_s": len(exact) / found["cpu_s"],
        "recall_10": recall(exact, mine, 10),
        "recall_100": recall(exact, mine, K),
        "peak_mib": max(written["peak_mib"], built["peak_mib"], found["peak_mib"]),
        "build_peak_mib": built["peak_mib"],
        "search_peak_mib": found["peak_mib"],
        "machine": f"{told['device']}, load {os.getloadavg()[0]:.1f}, Python {told['python']}, "
        f"faiss {told['versions']['faiss-cpu']}, {told['date']}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=1_000_000)
    parser.add_argument("--shard", type=int, default=262_144)
    parser.add_argument("--vectors", type=Path, default=(user_cache() or Path()) / "embeddings")
    parser.add_argument("--results", type=Path, default=RESULTS / "benchmarks")
    parser.add_argument("--draw", action="store_true", help="the figure alone, from index.csv")
    parser.add_argument("--step", nargs=3, metavar=("PLACE", "WHAT", "FACTORY"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(step(Path(options.step[0]), *options.step[1:], options)))
        return
    if options.draw:
        draw(pd.read_csv(options.results / "index.csv", keep_default_na=False))
        return
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        written = in_process(scratch, "write", "Flat")
        for factory in FACTORIES:
            built = in_process(scratch, "build", factory)
            found = in_process(scratch, "search", factory)
            positions = [np.load(Path(scratch) / f"{name}.npy") for name in ("Flat", factory)]
            rows.append(row(factory, options, written, built, found, *positions))
    table = pd.DataFrame(rows)
    options.results.mkdir(parents=True, exist_ok=True)
    table.round(4).to_csv(options.results / "index.csv", index=False)
    cost(table).round(2).to_csv(options.results / "index-miracl.csv", index=False)
    print(table.drop(columns="machine").round(3).T.to_string())
    if options.results == RESULTS / "benchmarks":
        draw(table)


if __name__ == "__main__":
    main()
