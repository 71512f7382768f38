"""Searching the merged pool: the same order as exact ranks say, and what answers a benchmark's query is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy import NAMES, TEMPLATES, TOY_BENCHMARK, random_benchmark, score_vectors, toy_encoder

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.retrieval.bm25 import bm25_ranks
from hybridnb.retrieval.embeddings import encode_benchmark
from hybridnb.retrieval.nearest import first_of_pools
from hybridnb.retrieval.ranking import exact_ranks
from hybridnb.retrieval.search import asked, dense, lexical, search

pytestmark = pytest.mark.usefixtures("one_thread")


@given(seed=st.integers(0, 10**6), k=st.integers(1, 60))
def test_the_hits_are_the_first_of_the_merged_pool_without_what_is_excluded(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    benchmark = random_benchmark(rng, partly=True, several=True, excluded=True)
    queries, candidates = score_vectors(benchmark, rng)
    *_, merged = first_of_pools(benchmark, queries, candidates, k)
    place = [(code, row) for code in sorted(candidates) for row in range(len(candidates[code]))]
    texts = [(code, n) for code in sorted(queries) for n in range(len(queries[code]))]
    pool = np.concatenate([candidates[code] for code in sorted(candidates)])
    for (code, number), expected in zip(texts, merged.positions.tolist(), strict=True):
        scores = pool @ queries[code][number]
        query_id = benchmark.queries[code].ids[number]
        hits = search(lambda _, scores=scores: scores, benchmark, benchmark.queries[code].texts[number], k)
        assert [(hit.language, hit.row) for hit in hits] == [place[p] for p in expected if p >= 0]
        right = {(c, row) for c, rows in benchmark.relevance[query_id].items() for row in rows}
        assert all(hit.relevant == ((hit.language, hit.row) in right) for hit in hits)
        assert all(hit.text == benchmark.candidates[hit.language][hit.row] for hit in hits)


def test_an_encoder_finds_answers_where_its_ranks_say() -> None:
    encoder = toy_encoder()
    ranks = exact_ranks(TOY_BENCHMARK, *encode_benchmark(encoder, TOY_BENCHMARK, cache=None))
    system = dense(encoder, TOY_BENCHMARK)
    for code, name in (("de", NAMES[0]), ("es", NAMES[7])):
        hits = search(system, TOY_BENCHMARK, TEMPLATES[code][0].format(name), k=72)
        assert len(hits) == 72
        found = sorted(rank for rank, hit in enumerate(hits, 1) if hit.relevant)
        of_query = ranks[
            (ranks["task"] == "multilingual")
            & (ranks["query_language"] == code)
            & (ranks["query_id"] == name)
        ]
        # vectors of one text and of many differ in their last bits
        assert np.allclose(found, sorted(of_query["rank"]), atol=1)


def test_bm25_finds_what_its_ranks_say_and_nothing_that_shares_no_term() -> None:
    ranks = bm25_ranks(TOY_BENCHMARK)
    system = lexical(TOY_BENCHMARK)
    hits = search(system, TOY_BENCHMARK, TEMPLATES["en"][0].format(NAMES[3]), k=72)
    of_query = ranks[
        (ranks["task"] == "multilingual")
        & (ranks["query_language"] == "en")
        & (ranks["query_id"] == NAMES[3])
    ]
    assert [rank for rank, hit in enumerate(hits, 1) if hit.relevant] == sorted(of_query["rank"].dropna())
    assert all(set(hit.text.rstrip(".").split()) & {"where", "does", NAMES[3], "live"} for hit in hits)
    assert search(system, TOY_BENCHMARK, "zzz") == []


def test_of_a_query_of_one_s_own_nothing_is_known() -> None:
    assert asked(TOY_BENCHMARK, f" {TEMPLATES['de'][0].format(NAMES[5])}\n") == [NAMES[5]]
    assert asked(TOY_BENCHMARK, "wo?") == []
    assert {hit.relevant for hit in search(lexical(TOY_BENCHMARK), TOY_BENCHMARK, f"{NAMES[5]} wohnt")} == {
        None
    }
    own = Benchmark("own", {}, {"de": ["Ana wohnt hier"], "en": ["Ana lives here"]}, {})
    assert [hit.language for hit in search(lexical(own), own, "lives")] == ["en"]


def test_what_cannot_be_searched_for_is_said() -> None:
    system = lexical(TOY_BENCHMARK)
    with pytest.raises(ValueError, match="the query is empty"):
        search(system, TOY_BENCHMARK, " ")
    with pytest.raises(ValueError, match="k is 0"):
        search(system, TOY_BENCHMARK, "wo", k=0)
