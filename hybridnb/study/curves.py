"""What a debiasing needs and where it serves: by number of sentences, and in languages that it was not fitted on.

Computed for one run of a study, the encoder as it is where the study has it, else the first, and kept with it:
debiased/BENCHMARK.curves.csv, and debiased/BENCHMARK.curves.json with what made it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.corpora.sentences import Sides
from hybridnb.debiasing import Debiasing, SentenceVectors, fit
from hybridnb.debiasing.settings import DebiasingSettings
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.files import write_json, write_text
from hybridnb.measures.metrics import by_language
from hybridnb.progress import progress
from hybridnb.retrieval.embeddings import encode_benchmark, encode_sentences
from hybridnb.retrieval.mapped import mapped
from hybridnb.retrieval.ranking import exact_ranks
from hybridnb.retrieval.vectors import Vectors
from hybridnb.study.debiased import stated
from hybridnb.study.provenance import provenance
from hybridnb.study.runs import CURVES, curves_file

METRICS = ("map", "rank_distance")
"""What is kept of each."""


def curves(
    benchmark: Benchmark,
    vectors: tuple[Vectors, Vectors],
    sentences: SentenceVectors,
    methods: Sequence[str],
    counts: Sequence[int],
    unseen: Collection[str] = (),
) -> pd.DataFrame:
    """Each method fitted to fewer sentences, and to all of them in fewer languages.

    Args:
        benchmark: what is retrieved from.
        vectors: of its queries and candidates.
        sentences: what there is to fit to; so many as a count says are evenly spaced among them.
        methods: of `METHODS`.
        counts: numbers of sentences; more than there are means all of them.
        unseen: languages that a method is also fitted without.

    Returns:
        method, sentences (how many), left_out ("" or the unseen languages), scope ("all"; "seen" and "unseen": the
        pairs that have no, or some, unseen language; of the multilingual task, the queries), task, metric, value.

    Raises:
        ValueError: as `fit`.
    """
    numbers = sorted(
        {min(count, len(sentences)) for count in counts} | ({len(sentences)} if unseen else set())
    )
    tries = [(count, frozenset[str]()) for count in numbers]
    tries += [(len(sentences), frozenset(unseen))] if unseen else []
    parts = []
    with progress(len(tries) * len(methods), f"fit for {benchmark.name}", "fits") as bar:
        for count, left_out in tries:
            some = _cut(sentences, count, left_out)
            for method in methods:
                named: dict[str, Any] = {
                    "method": method, "sentences": count, "left_out": " ".join(sorted(left_out)),
                }  # fmt: skip
                for scope, means in _measured(benchmark, vectors, fit(method, some), frozenset(unseen)):
                    parts.append(means.assign(**named, scope=scope))
                bar.update(1)
    table = pd.concat(parts, ignore_index=True)
    return table[list(CURVES)]


def keep_curves(
    encoder: DualEncoder,
    benchmark: Benchmark,
    sets: Sequence[Sides],
    debiasing: DebiasingSettings,
    directory: Path,
    cache: Path,
) -> None:
    """Compute `curves` with an encoder, and keep them in a run's directory.

    Args:
        encoder: the run's.
        benchmark: what is retrieved from.
        sets: the sentences, as `debiased.read_sets` gives them.
        debiasing: the study's settings.
        directory: the run's.
        cache: as of `encode_benchmark`.
    """
    table = curves(
        benchmark,
        encode_benchmark(encoder, benchmark, cache=cache),
        encode_sentences(encoder, sets, cache=cache),
        debiasing.methods,
        debiasing.curve.counts,
        debiasing.curve.unseen,
    )
    made = {"benchmark_sha256": benchmark.sha256, **stated(encoder, sets), **provenance()}
    write_json(curves_file(directory, benchmark.name).with_suffix(".json"), made)
    write_text(curves_file(directory, benchmark.name), table.to_csv(index=False))


def _cut(sentences: SentenceVectors, count: int, left_out: Collection[str]) -> SentenceVectors:
    rows = np.arange(count) * len(sentences) // count
    kept = [code for code in sentences.languages if code not in left_out]
    return SentenceVectors(
        query={code: sentences.query[code][rows] for code in kept},
        passage={code: sentences.passage[code][rows] for code in kept},
    )


def _measured(
    benchmark: Benchmark, vectors: tuple[Vectors, Vectors], debiasing: Debiasing, unseen: frozenset[str]
) -> Iterator[tuple[str, pd.DataFrame]]:
    """(scope, task, metric, value) of a debiasing."""
    queries, candidates = vectors
    ranks = exact_ranks(
        benchmark, mapped(queries, debiasing, "query"), mapped(candidates, debiasing, "passage")
    )
    means = by_language(ranks)
    means = means[means["metric"].isin(METRICS)]
    yield "all", _average(means)
    if unseen:
        of_unseen = means["query_language"].isin(unseen) | means["candidate_language"].isin(unseen)
        yield "seen", _average(means[~of_unseen])
        yield "unseen", _average(means[of_unseen])


def _average(means: pd.DataFrame) -> pd.DataFrame:
    return means.groupby(["task", "metric"], sort=False)["value"].mean().reset_index()
