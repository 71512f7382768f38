"""What an evaluation leaves in a directory: ranks, metrics, what made them; other systems' results are not touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.files import atomic, file_sha256, locked, write_json, write_text
from hybridnb.measures.bias import pool_sizes
from hybridnb.measures.metrics_file import pack, read_metrics
from hybridnb.measures.questions_file import write_questions
from hybridnb.retrieval.nearest import top_languages
from hybridnb.retrieval.ranks_table import write_ranks
from hybridnb.retrieval.vectors import Vectors
from hybridnb.study.identity import differences
from hybridnb.study.provenance import provenance
from hybridnb.study.runs import read_evaluations

ANSWERS = 12
"""Parallel answers whose vectors are kept, to be drawn."""

FIRST = 10
"""Candidates whose languages are counted."""


def check_results(out: Path, system: Mapping[str, Any], benchmark: Benchmark) -> dict[str, Any]:
    """The entries of out/evaluations.json, if this system's results on this benchmark may stand beside them.

    Raises:
        ValueError: they may not; the message says what the directory holds, and in what it differs.
    """
    known = read_evaluations(out)
    metrics = read_metrics(out) if (out / "metrics.json").is_file() else {}
    if unknown := sorted(metrics.keys() - known.keys()):
        raise ValueError(
            f"{out} has a metrics.json, but no evaluations.json that says of what it holds on {unknown[0]}: "
            "choose another directory"
        )
    for name, other in known.items():
        if other.encoder_sha256 != system["encoder_sha256"]:
            found = differences(other.encoder, system["encoder"]) or [
                "the vectors: weights, tokenizer or what else makes them"
            ]
            raise ValueError(
                f"{out} holds the results of another encoder ({other.encoder.get('model')}, on {name}; different: "
                f"{'; '.join(found[:3])}): choose another directory"
            )
    mine = known.get(benchmark.name)
    if mine and mine.benchmark_sha256 != benchmark.sha256:
        raise ValueError(
            f"{out} holds results on another {benchmark.name} (sha256 {mine.benchmark_sha256[:12]} there, "
            f"{benchmark.sha256[:12]} here): choose another directory"
        )
    if mine and mine.encoder.get("files") != system["encoder"].get("files"):
        raise ValueError(
            f"{out} holds what {', '.join(mine.encoder.get('files', ()))} gave on {benchmark.name}; these are other "
            "files, or their content is another: choose another directory, or give all files at once"
        )
    return {name: entry.model_dump(exclude_unset=True) for name, entry in known.items()}


def keep_results(
    out: Path,
    system: Mapping[str, Any],
    benchmark: Benchmark,
    ranks: pd.DataFrame,
    trained: Sequence[str] = (),
) -> dict[str, Any]:
    """Write a ranks table and what its questions add, and bring evaluations.json and metrics.json up to date.

    What others wrote there stays. `trained` is as of `evaluation.evaluate`.
    """
    file, questions = (out / kind / f"{benchmark.name}.parquet" for kind in ("ranks", "questions"))
    with locked(out):
        known = check_results(out, system, benchmark)
        metrics = read_metrics(out) if (out / "metrics.json").is_file() else {}
        metrics[benchmark.name] = pack(ranks)
        write_ranks(file, ranks)
        write_questions(questions, ranks, trained)
        made = {
            "benchmark_sha256": benchmark.sha256,
            "ranks_sha256": file_sha256(file),
            "questions_sha256": file_sha256(questions),
            "trained": sorted(trained),
            "pools": pool_sizes(ranks),
        }
        write_json(out / "evaluations.json", {**known, benchmark.name: {**system, **made, **provenance()}})
        write_json(out / "metrics.json", metrics)  # last: it says what is done
    result: dict[str, Any] = metrics[benchmark.name]
    return result


def keep_of_vectors(out: Path, benchmark: Benchmark, queries: Vectors, candidates: Vectors) -> None:
    """Write what vectors alone tell: the languages of the first candidates, and vectors of a few answers."""
    shares = top_languages(benchmark, queries, candidates, k=FIRST)
    with locked(out):
        with atomic(out / "ranks" / f"{benchmark.name}.answers.parquet") as part:
            parallel_answers(benchmark, candidates, ANSWERS).to_parquet(part)
        write_text(out / "ranks" / f"{benchmark.name}.top10.csv", shares.to_csv(index=False))


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
