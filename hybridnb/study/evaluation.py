"""An encoder on a benchmark: its ranks table on disk, and metrics.json beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.files import write_text
from hybridnb.measures.metrics_file import pack
from hybridnb.retrieval.embeddings import Vectors, encode_benchmark, encoder_sha256
from hybridnb.retrieval.nearest import top_languages
from hybridnb.retrieval.ranking import exact_ranks
from hybridnb.study.provenance import provenance
from hybridnb.study.runs import read_metrics

ANSWERS = 12
"""Parallel answers whose vectors are kept, to be drawn."""


def evaluate(
    encoder: DualEncoder, benchmark: Benchmark, out: Path, *, cache: Path | None = None, frozen: int = 0
) -> dict[str, Any]:
    """All three tasks of a benchmark in one call; returns its part of metrics.json.

    Writes out/ranks/NAME.parquet (the ranks table), NAME.top10.csv beside it (share of each candidate language
    among the first ten), NAME.answers.parquet (see `parallel_answers`), out/evaluations.json (what made them) and
    out/metrics.json: benchmark -> task -> metric -> macro-average over languages or pairs, and under "by_language"
    the same for each.
    cache, frozen: of `encode_benchmark`. ValueError: `out` holds another encoder's results.
    """
    made_with = _made_with(encoder, benchmark, out)
    queries, candidates = encode_benchmark(encoder, benchmark, cache=cache, frozen=frozen)
    ranks = exact_ranks(benchmark, queries, candidates)
    shares = top_languages(benchmark, queries, candidates, k=10)
    write_text(out / "ranks" / f"{benchmark.name}.top10.csv", shares.to_csv(index=False))
    parallel_answers(benchmark, candidates, ANSWERS).to_parquet(
        out / "ranks" / f"{benchmark.name}.answers.parquet"
    )
    write_text(out / "evaluations.json", json.dumps(made_with, ensure_ascii=False, indent=1))
    record(ranks, out)  # last: metrics.json says what is done
    return read_metrics(out)[benchmark.name]


def parallel_answers(benchmark: Benchmark, candidates: Vectors, count: int) -> pd.DataFrame:
    """Vectors of the answers to `count` queries, evenly spaced among those answered in most languages.

    float32 [texts, d], indexed by (answer, language).
    """
    most = max(map(len, benchmark.relevance.values()))
    parallel = [relevant for relevant in benchmark.relevance.values() if len(relevant) == most]
    chosen = np.linspace(0, len(parallel) - 1, min(count, len(parallel))).astype(int)
    vectors = {
        (answer, language): candidates[language][rows[0]]
        for answer, position in enumerate(chosen)
        for language, rows in parallel[position].items()
    }
    index = pd.MultiIndex.from_tuples(vectors, names=["answer", "language"])
    matrix = np.stack(list(vectors.values()))
    return pd.DataFrame(matrix, index, [str(axis) for axis in range(matrix.shape[1])])


def _made_with(encoder: DualEncoder, benchmark: Benchmark, out: Path) -> dict[str, Any]:
    """out/evaluations.json with this evaluation: benchmark -> encoder, data, code, device, versions.

    ValueError: `out` holds the results of another encoder.
    """
    path = out / "evaluations.json"
    known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    sha256 = encoder_sha256(encoder)
    for name, other in known.items():
        if other["encoder_sha256"] != sha256:
            model = other["encoder"]["model"]
            raise ValueError(
                f"{out} holds the results of another encoder ({model}, on {name}): choose another directory"
            )
    made = {"encoder": encoder.conventions, "encoder_sha256": sha256, "benchmark_sha256": benchmark.sha256}
    return {**known, benchmark.name: {**made, **provenance()}}


def record(ranks: pd.DataFrame, out: Path) -> None:
    """Write a ranks table of one data set and bring out/metrics.json up to date."""
    (name,) = ranks["dataset"].unique()
    directory = out / "ranks"
    directory.mkdir(parents=True, exist_ok=True)
    part = directory / f"{name}.parquet.part"
    ranks.to_parquet(part, index=False, compression="zstd")
    part.replace(directory / f"{name}.parquet")
    known = read_metrics(out) if (out / "metrics.json").is_file() else {}
    known[name] = pack(ranks)
    write_text(out / "metrics.json", json.dumps(known, indent=1))
