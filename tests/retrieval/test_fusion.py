"""Balanced fusion against a ranking made candidate by candidate."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.measures.metrics import summary
from hybridnb.retrieval.fusion import balanced
from hybridnb.retrieval.ranking import exact_ranks
from hybridnb.retrieval.ranks_table import COLUMNS, check_ranks

pytestmark = pytest.mark.usefixtures("one_thread")


def drawn(sizes: dict[str, int], seed: int) -> tuple[Benchmark, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """A benchmark in which every query has an answer or two in each language; vectors of it."""
    draw = np.random.default_rng(seed)
    languages = sorted(sizes)
    relevance = {
        f"q{number}": {
            language: sorted(draw.choice(size, min(size, 1 + number % 2), replace=False).tolist())
            for language, size in sizes.items()
        }
        for number in range(3)
    }
    queries = {language: Queries(list(relevance), ["?"] * 3) for language in languages}
    candidates = {language: [f"{language}{row}" for row in range(size)] for language, size in sizes.items()}
    asked = {language: draw.normal(size=(3, 4)).astype(np.float32) for language in languages}
    answers = {language: draw.normal(size=(size, 4)).astype(np.float32) for language, size in sizes.items()}
    return Benchmark("drawn", queries, candidates, relevance), asked, answers


@settings(max_examples=25)
@given(st.lists(st.integers(1, 6), min_size=2, max_size=4), st.integers(0, 2**16))
def test_it_takes_a_candidate_of_each_language_by_turns(counts: list[int], seed: int) -> None:
    sizes = dict(zip(("ar", "de", "en", "zh"), counts, strict=False))
    languages = sorted(sizes)
    benchmark, asked, answers = drawn(sizes, seed)
    plain = exact_ranks(benchmark, asked, answers)
    fused = balanced(plain)
    check_ranks(fused)
    of_languages = fused["task"] != "multilingual"
    pd.testing.assert_frame_equal(fused[of_languages], plain[plain["task"] != "multilingual"])
    for (language, query), rows in fused[~of_languages].groupby(
        ["query_language", "query_id"], observed=True
    ):
        own = languages.index(language)
        turns = languages[own:] + languages[:own]
        vector = asked[language][int(query[1:])]
        by_score = {
            code: [(code, int(row)) for row in np.argsort(-(answers[code] @ vector), kind="stable")]
            for code in turns
        }
        merged = [
            by_score[code][place] for place in range(max(counts)) for code in turns if place < sizes[code]
        ]
        expected = sorted(
            (code, 1 + merged.index((code, row)))
            for code, named in benchmark.relevance[query].items()
            for row in named
        )
        found = sorted(zip(rows["relevant_language"], rows["rank"], strict=True))
        assert found == expected
        assert set(rows["pool_size"]) == {sum(counts)}


def test_what_is_not_retrieved_stays_so() -> None:
    benchmark, asked, answers = drawn({"de": 4, "en": 4}, 0)
    plain = exact_ranks(benchmark, asked, answers)
    plain["rank"] = plain["rank"].astype(float).mask((plain["rank"] > 2) & (plain["task"] != "multilingual"))
    fused = balanced(plain)
    of_languages = fused["task"] != "multilingual"
    assert fused[~of_languages]["rank"].isna().sum() == fused[of_languages]["rank"].isna().sum() > 0
    assert fused[~of_languages]["rank"].max() <= 4


def test_the_query_itself_is_not_in_its_languages_pool() -> None:
    """As with captions: in its own language a query has itself only, which is excluded."""
    vectors = {language: np.eye(4, dtype=np.float32) for language in ("de", "en")}
    benchmark = Benchmark(
        "captions",
        {language: Queries([f"{row}@{language}" for row in range(4)], ["?"] * 4) for language in vectors},
        {language: ["!"] * 4 for language in vectors},
        {f"{row}@{a}": {b: [row]} for row in range(4) for a, b in (("de", "en"), ("en", "de"))},
        {f"{row}@{language}": {language: [row]} for row in range(4) for language in vectors},
    )
    fused = balanced(exact_ranks(benchmark, vectors, vectors))
    assert summary(fused)["multilingual"]["map"] == 0.5  # one of the own language comes before it
    assert set(fused[fused["task"] == "multilingual"]["pool_size"]) == {7}


def test_a_language_without_any_answer_is_an_error() -> None:
    benchmark, asked, answers = drawn({"de": 4, "en": 4}, 0)
    relevance = {query: {"de": named["de"]} for query, named in benchmark.relevance.items()}
    only_german = Benchmark("drawn", {"de": benchmark.queries["de"]}, benchmark.candidates, relevance)
    with pytest.raises(ValueError, match="cannot be told from these ranks"):
        balanced(exact_ranks(only_german, {"de": asked["de"]}, answers))


def test_without_the_ranks_of_the_languages_there_is_none() -> None:
    table = pd.DataFrame([("d", "multilingual", "de", "*", "q", "de", 1, 2)], columns=COLUMNS)
    with pytest.raises(ValueError, match="evaluate all three tasks"):
        balanced(table)
