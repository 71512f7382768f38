"""Speed of exact ranks and metrics: pytest benchmarks/test_speed_ranking.py

Random unit vectors in the shape of XQuAD-R: 1,190 questions in 11 languages, 13,014 candidates, one relevant
candidate a language. The group "one language against the merged pool" gives the same 1,190 questions and
13,014 candidates to trec_eval and to sentence-transformers; pytest-benchmark prints the ratio of each to the
fastest.
"""

from __future__ import annotations

import multiprocessing
import resource
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import pytest
import pytrec_eval
import torch
from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.measures.metrics import per_query, summary
from hybridnb.retrieval.ranking import exact_ranks

CANDIDATES = {
    "ar": 1222, "de": 1276, "el": 1234, "en": 1180, "es": 1215, "hi": 1244,
    "ru": 1219, "th": 852, "tr": 1167, "vi": 1209, "zh": 1196,
}  # fmt: skip
ONE_LANGUAGE = "one language against the merged pool"
Vectors = dict[str, np.ndarray]


def xquad_r_shape(dimension: int, questions: int, languages: list[str]) -> tuple[Benchmark, Vectors, Vectors]:
    """(benchmark, query vectors, candidate vectors), the questions asked in some of the languages."""
    rng = np.random.default_rng(0)

    def unit(rows: int) -> np.ndarray:
        vectors = rng.standard_normal((rows, dimension), dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    ids = [f"q{number}" for number in range(questions)]
    benchmark = Benchmark(
        "xquad-r",
        {language: Queries(ids, ids) for language in languages},
        {c: [f"{c}/{row}" for row in range(size)] for c, size in CANDIDATES.items()},
        {i: {c: [int(rng.integers(size))] for c, size in CANDIDATES.items()} for i in ids},
    )
    queries = {language: unit(questions) for language in languages}
    return benchmark, queries, {c: unit(size) for c, size in CANDIDATES.items()}


def _peak_above_the_embeddings(dimension: int) -> float:
    given = xquad_r_shape(dimension, 1190, list(CANDIDATES))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    exact_ranks(*given)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


@pytest.mark.parametrize("dimension", [384, 768])
def test_ranks_of_all_three_tasks(benchmark: Any, dimension: int) -> None:
    given = xquad_r_shape(dimension, 1190, list(CANDIDATES))
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh_process:
        peak = fresh_process.submit(_peak_above_the_embeddings, dimension).result()
    benchmark.group = "all three tasks of XQuAD-R"
    benchmark.extra_info["peak MiB above the embeddings"] = round(peak)
    ranks = benchmark.pedantic(exact_ranks, given, rounds=3, warmup_rounds=1)
    print(f"\n{dimension} dimensions: peak {peak:.0f} MiB above the embeddings")
    assert len(ranks) == 1190 * 11 * 22


def test_metrics_of_all_three_tasks(benchmark: Any) -> None:
    ranks = exact_ranks(*xquad_r_shape(64, 1190, list(CANDIDATES)))
    benchmark.group = "metrics of all three tasks of XQuAD-R"
    assert set(benchmark.pedantic(summary, [ranks], rounds=3)) == set(ranks["task"].unique())


@pytest.fixture(scope="module")
def one_language() -> tuple[Benchmark, Vectors, Vectors]:
    return xquad_r_shape(384, 1190, ["en"])


def mean_average_precision(given: tuple[Benchmark, Vectors, Vectors]) -> float:
    values = per_query(exact_ranks(*given))
    return float(values.loc[values["task"] == "multilingual", "map"].mean())


def test_multilingual_here(benchmark: Any, one_language: tuple[Benchmark, Vectors, Vectors]) -> None:
    """Counts the ranks of the other two tasks as well."""
    benchmark.group = ONE_LANGUAGE
    assert benchmark.pedantic(mean_average_precision, [one_language], rounds=5, warmup_rounds=1) > 0


def test_multilingual_pytrec_eval(benchmark: Any, one_language: tuple[Benchmark, Vectors, Vectors]) -> None:
    data, queries, candidates = one_language
    names = [text for texts in data.candidates.values() for text in texts]
    pool = np.concatenate(list(candidates.values()))

    def evaluate() -> float:
        scores = queries["en"] @ pool.T
        ids = data.queries["en"].ids
        run = {i: dict(zip(names, row.tolist(), strict=True)) for i, row in zip(ids, scores, strict=True)}
        qrels = {i: {f"{c}/{row}": 1 for c, (row,) in data.relevance[i].items()} for i in ids}
        measures = {"map", "recall.1,10,100", "ndcg_cut.10", "recip_rank"}
        found = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
        return float(np.mean([values["map"] for values in found.values()]))

    benchmark.group = ONE_LANGUAGE
    found = benchmark.pedantic(evaluate, rounds=1)
    assert found == pytest.approx(mean_average_precision(one_language), abs=1e-6)


class _StoredVectors(InformationRetrievalEvaluator):
    """The evaluator as it is, with the query vectors given instead of encoded."""

    def embed_inputs(self, model: Any, sentences: Any, **_: Any) -> torch.Tensor:
        return model


def test_multilingual_sentence_transformers(
    benchmark: Any, one_language: tuple[Benchmark, Vectors, Vectors]
) -> None:
    """Top 100 only, which is what it offers: its AP is a lower bound."""
    data, queries, candidates = one_language
    ids = data.queries["en"].ids
    corpus = {text: text for texts in data.candidates.values() for text in texts}
    evaluator = _StoredVectors(
        queries=dict(zip(ids, ids, strict=True)),
        corpus=corpus,
        relevant_docs={i: {f"{c}/{row}" for c, (row,) in data.relevance[i].items()} for i in ids},
        precision_recall_at_k=[1, 10, 100],
        score_functions={"cosine": lambda left, right: left @ right.T},
    )
    asked = torch.from_numpy(queries["en"])
    pool = torch.from_numpy(np.concatenate(list(candidates.values())))

    def evaluate() -> float:
        return float(evaluator.compute_metrices(asked, corpus_embeddings=pool)["cosine"]["map@k"][100])

    benchmark.group = ONE_LANGUAGE
    found = benchmark.pedantic(evaluate, rounds=3)
    assert found <= mean_average_precision(one_language) + 1e-9
