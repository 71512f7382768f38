"""Counts, lengths and language pairs of benchmarks and corpora."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import random_benchmark

from hybridnb import corpora
from hybridnb.corpora import describe as room
from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.corpora.describe import describe, language_pairs, sources, to_dict
from hybridnb.corpora.parallel import Item, ParallelCorpus

SMALL = Benchmark(
    "small",
    {"de": Queries(["1"], ["Frage"]), "en": Queries(["1", "2"], ["what", "which one"])},
    {"de": ["Antwort", "A"], "en": ["answer"], "th": ["คำตอบ"]},
    {"1": {"de": [0, 1], "en": [0]}, "2": {"de": [1]}},
)
CORPUS = ParallelCorpus(
    "corpus",
    [
        Item("1", "wiki", "d", {"en": "what", "de": "was"}, {"en": "that", "de": "das da"}),
        Item("2", "wiki", "d", {"en": "who"}, {"en": "she herself"}),
        Item("3", "news", "e", {"de": "wo"}, {"th": "ที่นี่"}),
    ],
)


def test_benchmark() -> None:
    table = describe(SMALL)
    assert list(table.index) == ["de", "en", "th", "*"]
    assert table.loc["de"].to_dict() == {
        "queries": 1,
        "candidates": 2,
        "relevant": 3,
        "query_characters": 5,
        "candidate_characters": 4,
    }
    assert table.loc["en", "relevant"] == 2
    assert np.isnan(table.loc["th", "query_characters"])
    assert table.loc["*", ["queries", "candidates"]].tolist() == [3, 4]
    assert table.loc["*", "relevant"] == pytest.approx(7 / 3)
    assert table.loc["*", "query_characters"] == pytest.approx((5 + 4 + 9) / 3)
    assert table.loc["*", "candidate_characters"] == pytest.approx((7 + 1 + 6 + 5) / 4)
    pairs = language_pairs(SMALL)
    assert pairs.loc["en"].to_dict() == {"de": 2, "en": 1, "th": 0}


def test_corpus() -> None:
    table = describe(CORPUS)
    assert table[["items", "queries", "passages"]].to_dict("index") == {
        "de": {"items": 2, "queries": 2, "passages": 1},
        "en": {"items": 2, "queries": 2, "passages": 2},
        "th": {"items": 1, "queries": 0, "passages": 1},
        "*": {"items": 3, "queries": 4, "passages": 4},
    }
    assert table.loc["en", "passage_characters"] == (4 + 11) / 2
    assert table.loc["*", "query_characters"] == (4 + 3 + 3 + 2) / 4
    pairs = language_pairs(CORPUS)
    assert pairs.loc["de"].to_dict() == {"de": 1, "en": 1, "th": 1}
    assert pairs.loc["th"].sum() == 0
    assert sources(CORPUS).to_dict() == {"wiki": 2, "news": 1}


@pytest.mark.parametrize("data", [SMALL, CORPUS])
def test_to_dict_is_json(data: Benchmark | ParallelCorpus) -> None:
    described = json.loads(json.dumps(to_dict(data), allow_nan=False))
    assert described == to_dict(data)
    assert described["sha256"] == data.sha256
    assert described["languages"].keys() == {"de", "en", "th"}
    kind = "benchmark" if data is SMALL else "corpus"
    assert (described["name"], described["kind"], "sources" in described) == (
        data.name,
        kind,
        kind == "corpus",
    )
    if data is SMALL:
        assert described["all"]["candidates"] == 4
        assert described["languages"]["th"]["query_characters"] is None
        assert described["pairs"]["en"]["de"] == 2


@given(seed=st.integers(0, 2**32), partly=st.booleans(), several=st.booleans())
@settings(max_examples=30, deadline=None)
def test_the_whole_is_the_sum_of_the_languages(seed: int, partly: bool, several: bool) -> None:
    rng = np.random.default_rng(seed)
    benchmark = random_benchmark(rng, partly=partly, several=several, excluded=False)
    table = describe(benchmark)
    whole, parts = table.loc["*"], table.drop(index="*")
    assert whole["queries"] == parts["queries"].sum()
    assert whole["candidates"] == parts["candidates"].sum()
    texts = [text for of_language in benchmark.candidates.values() for text in of_language]
    assert whole["candidate_characters"] == pytest.approx(np.mean([len(text) for text in texts]))
    pairs = language_pairs(benchmark)
    assert (pairs.max(axis=1) <= parts["queries"].reindex(pairs.index)).all()
    if not partly:
        assert (pairs == 12).all(axis=None)


class Counted(Sequence[str]):
    """Texts read on access, as in MIRACL; counts the reads."""

    sha256 = "of the files"

    def __init__(self, size: int) -> None:
        self.size, self.reads = size, 0

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, row):  # type: ignore[no-untyped-def]
        self.reads += 1
        return "text" if row < self.size // 2 else "longer"


def test_of_many_texts_only_some_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST", 100)
    texts = Counted(1_000_000)
    benchmark = Benchmark("large", {"en": Queries(["1"], ["?"])}, {"en": texts}, {"1": {"en": [7]}})
    described = to_dict(benchmark)
    assert described["all"]["candidates"] == 1_000_000
    assert described["all"]["candidate_characters"] == 5
    assert texts.reads == 100  # the sha256 comes from the texts themselves


def test_real_benchmarks(real_data: Path) -> None:
    xquad = describe(corpora.load_benchmark("xquad-r", directory=real_data))
    assert xquad.loc["*", "candidates"] == 13014
    assert set(xquad["relevant"]) == {11}
    mlqa = corpora.load_benchmark("mlqa-r", directory=real_data)
    assert describe(mlqa).loc["*", "candidates"] == 20534
    pairs = language_pairs(mlqa)
    assert (pairs == pairs.T).all(axis=None)  # the same questions, in 2 to 4 languages
    assert np.diag(pairs).tolist() == describe(mlqa).drop(index="*")["queries"].tolist()
