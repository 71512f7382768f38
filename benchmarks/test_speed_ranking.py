"""Exact ranks, their metrics and the first candidates, against other libraries, on random vectors in XQuAD-R's shape.

Every library's result is compared with ours. Those which look at the first 100 only give AP@100.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import faiss
import numpy as np
import pytest
import pytrec_eval
import ranx
import torch
from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator
from sentence_transformers.util import dot_score, semantic_search

from benchmarks.shapes import Given, random_benchmark
from hybridnb.measures.metrics import per_query
from hybridnb.retrieval.nearest import top_languages
from hybridnb.retrieval.ranking import exact_ranks

FIRST = 100


def _ranks(dimension: int) -> Callable[[], Any]:
    given = random_benchmark(dimension)
    return lambda: exact_ranks(*given)


def _products(dimension: int) -> Callable[[], Any]:
    _, *given = random_benchmark(dimension)
    queries, candidates = (torch.from_numpy(np.concatenate(list(side.values()))) for side in given)

    def multiply() -> None:
        for block in queries.split(1024):
            block @ candidates.T

    return multiply


@pytest.mark.parametrize("dimension", [384, 768])
@pytest.mark.parametrize("library", ["hybridnb", "torch"])
def test_exact_ranks(measure: Any, library: str, dimension: int) -> None:
    group = f"exact ranks, three tasks of XQuAD-R, {dimension} dimensions"
    if library == "torch":
        measure(group, library, "the matrix products alone, kept nowhere", _products, dimension)
    else:
        ranks = measure(group, library, "the rank of every relevant candidate", _ranks, dimension)
        assert len(ranks) == 1190 * 11 * 22


def _one_language() -> Given:
    return random_benchmark(384, asked=["en"])


def _relevant(given: Given) -> np.ndarray:
    """[queries, relevant]: positions in the merged pool."""
    data, _, candidates = given
    starts = dict(zip(candidates, np.cumsum([0, *map(len, candidates.values())]), strict=False))
    return np.array(
        [[starts[c] + row for c, (row,) in data.relevance[i].items()] for i in data.queries["en"].ids]
    )


def _sides(given: Given) -> tuple[np.ndarray, np.ndarray]:
    return given[1]["en"], np.concatenate(list(given[2].values()))


def _average_precision(ranks: np.ndarray, depth: int) -> float:
    """Of ranks [queries, relevant], those beyond the depth taken as not found."""
    ranks = np.sort(ranks, axis=1)
    return float(np.where(ranks <= depth, np.arange(1, ranks.shape[1] + 1) / ranks, 0).mean())


def _ours() -> Callable[[], float]:
    given = _one_language()

    def evaluate() -> float:
        values = per_query(exact_ranks(*given))
        return float(values.loc[values["task"] == "multilingual", "map"].mean())

    return evaluate


def _pytrec_eval() -> Callable[[], float]:
    given = _one_language()
    queries, pool = _sides(given)
    names, ids, relevant = [str(n) for n in range(len(pool))], given[0].queries["en"].ids, _relevant(given)

    def evaluate() -> float:
        run = {
            i: dict(zip(names, row.tolist(), strict=True))
            for i, row in zip(ids, queries @ pool.T, strict=True)
        }
        qrels = {i: {names[n]: 1 for n in row} for i, row in zip(ids, relevant, strict=True)}
        measures = {"map", "recall.1,10,100", "ndcg_cut.10", "recip_rank"}
        found = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
        return float(np.mean([values["map"] for values in found.values()]))

    return evaluate


def _ranx() -> Callable[[], float]:
    given = _one_language()
    queries, pool = map(torch.from_numpy, _sides(given))
    relevant = np.sort(_relevant(given).astype(np.float64))
    qrels = np.stack([relevant, np.ones_like(relevant)], axis=2)
    metrics = ["map", "recall@1", "recall@10", "recall@100", "ndcg@10", "mrr"]

    def evaluate() -> float:
        scores, order = (queries @ pool.T).sort(descending=True)
        run = np.stack([order.numpy(), scores.numpy()], axis=2).astype(np.float64)
        return float(ranx.evaluate(qrels, run, metrics)["map"])

    ranx.evaluate(qrels[:2], qrels[:2], metrics)  # compiled here
    return evaluate


class _StoredVectors(InformationRetrievalEvaluator):
    """The evaluator as it is, with the query vectors given instead of encoded."""

    def embed_inputs(self, model: Any, sentences: Any, **_: Any) -> torch.Tensor:
        return model


def _sentence_transformers() -> Callable[[], float]:
    given = _one_language()
    queries, pool = map(torch.from_numpy, _sides(given))
    ids, names = given[0].queries["en"].ids, [str(n) for n in range(len(pool))]
    evaluator = _StoredVectors(
        queries=dict(zip(ids, ids, strict=True)),
        corpus=dict(zip(names, names, strict=True)),
        relevant_docs={i: {names[n] for n in row} for i, row in zip(ids, _relevant(given), strict=True)},
        precision_recall_at_k=[1, 10, 100],
        score_functions={"cosine": dot_score},
    )
    return lambda: float(
        evaluator.compute_metrices(queries, corpus_embeddings=pool)["cosine"]["map@k"][FIRST]
    )


def _faiss() -> Callable[[], float]:
    given = _one_language()
    queries, pool = _sides(given)
    relevant = _relevant(given)

    def evaluate() -> float:
        index = faiss.IndexFlatIP(pool.shape[1])
        index.add(pool)
        _, found = index.search(queries, FIRST)
        hits = found[:, None, :] == relevant[:, :, None]
        ranks = np.where(hits.any(axis=2), 1 + hits.argmax(axis=2), FIRST + 1)
        return _average_precision(ranks, FIRST)

    return evaluate


EVERY, SOME = "AP, nDCG, recall and MRR of every rank", f"AP and others of the first {FIRST}"


@pytest.mark.parametrize(
    ("library", "computes", "prepare"),
    [
        ("hybridnb", f"{EVERY}, in the other two tasks, too", _ours),
        ("pytrec_eval", EVERY, _pytrec_eval),
        ("ranx", EVERY, _ranx),
        ("sentence-transformers", SOME, _sentence_transformers),
        ("FAISS, IndexFlatIP", f"AP@{FIRST}", _faiss),
    ],
)
def test_metrics(
    measure: Any, library: str, computes: str, prepare: Callable[[], Callable[[], float]]
) -> None:
    group = "one language against the merged pool: vectors to metrics"
    found = measure(group, library, computes, prepare, rounds=1 if library == "pytrec_eval" else 3)
    ranks = exact_ranks(*_one_language()).query("task == 'multilingual'")["rank"].to_numpy().reshape(1190, 11)
    depth = FIRST if str(FIRST) in computes else ranks.max()
    assert found == pytest.approx(_average_precision(ranks, depth), rel=1e-5)


def _first_ours() -> Callable[[], np.ndarray]:
    given = _one_language()
    return lambda: top_languages(*given, k=FIRST)["share"].to_numpy()


def _first_by(search: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[[], np.ndarray]:
    """The same from a library's (queries, pool) -> positions of the first [queries, FIRST]."""
    given = _one_language()
    queries, pool = _sides(given)
    language = np.repeat(np.arange(len(given[2])), list(map(len, given[2].values())))
    return lambda: np.bincount(language[search(queries, pool)].ravel()) / len(queries) / FIRST


def _by_faiss(queries: np.ndarray, pool: np.ndarray) -> np.ndarray:
    index = faiss.IndexFlatIP(pool.shape[1])
    index.add(pool)
    return index.search(queries, FIRST)[1]


def _by_sentence_transformers(queries: np.ndarray, pool: np.ndarray) -> np.ndarray:
    hits = semantic_search(
        torch.from_numpy(queries), torch.from_numpy(pool), top_k=FIRST, score_function=dot_score
    )
    return np.array([[hit["corpus_id"] for hit in of_query] for of_query in hits])


@pytest.mark.parametrize(
    ("library", "prepare"),
    [
        ("hybridnb", (_first_ours,)),
        ("FAISS, IndexFlatIP", (_first_by, _by_faiss)),
        ("sentence-transformers, semantic_search", (_first_by, _by_sentence_transformers)),
    ],
)
def test_first(measure: Any, library: str, prepare: tuple[Any, ...]) -> None:
    group = f"one language against the merged pool: the first {FIRST}"
    found = measure(group, library, "shares of the languages among them", *prepare)
    np.testing.assert_allclose(found, _first_ours()(), atol=1e-4)
