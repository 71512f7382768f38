"""Benchmark: what it refuses, and what its hash is of."""

from __future__ import annotations

from typing import Any

import pytest

from hybridnb.corpora.benchmark import Benchmark, Queries


def make(**changes: Any) -> Benchmark:
    parts: dict[str, Any] = {
        "name": "toy",
        "queries": {"en": Queries(["a", "b"], ["A?", "B?"])},
        "candidates": {"en": ["A.", "B.", "C."]},
        "relevance": {"a": {"en": [0]}, "b": {"en": [1, 2]}},
    }
    return Benchmark(**{**parts, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"queries": {"en": Queries(["a", "a"], ["A?", "B?"])}}, "toy: query id 'a' is repeated in en"),
        ({"relevance": {"a": {"en": [0]}}}, r"toy: query 'b' \(en\) has no relevant candidate"),
        (
            {"relevance": {"a": {"en": [0]}, "b": {"en": [3]}}},
            r"'b' has relevant rows \[3\] in en; .* in 0\.\.2",
        ),
        ({"relevance": {"a": {"en": [0]}, "b": {"en": [1, 1]}}}, "must be distinct"),
        ({"relevance": {"a": {"en": [0]}, "b": {"en": []}}}, "relevant rows"),
        ({"relevance": {"a": {"en": [0]}, "b": {"de": [0]}}}, "in de"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**changes)


def test_ids_and_texts_are_in_step() -> None:
    with pytest.raises(ValueError, match="1 query ids for 2 query texts"):
        Queries(["a"], ["A?", "B?"])


def test_hash_is_of_every_part_but_the_name() -> None:
    before = make().sha256
    assert make(name="other").sha256 == before
    changed = [
        make(queries={"en": Queries(["a", "b"], ["A?", "B!"])}),
        make(candidates={"en": ["A.", "B.", "D."]}),
        make(relevance={"a": {"en": [0]}, "b": {"en": [1]}}),
        make(excluded={"a": {"en": [2]}}),
    ]
    assert len({before, *(benchmark.sha256 for benchmark in changed)}) == 5


def test_a_benchmark_cut_to_languages_holds_what_is_in_them() -> None:
    benchmark = Benchmark(
        "toy",
        {
            "de": Queries(["1", "2"], ["a", "b"]),
            "en": Queries(["1", "3"], ["c", "d"]),
            "fr": Queries(["1"], ["e"]),
        },
        {"de": ["x", "y"], "en": ["z"], "fr": ["u", "v"]},
        {"1": {"de": [0], "fr": [1]}, "2": {"fr": [0]}, "3": {"en": [0]}},
        excluded={"1": {"de": [1], "fr": [0]}, "2": {"fr": [1]}},
        candidate_ids={"de": ["d1", "d2"], "fr": ["f1", "f2"]},
    )
    cut = benchmark.in_languages(["en", "de"])
    assert (cut.name, cut.languages) == ("toy-de-en", ("de", "en"))
    assert {code: list(q.ids) for code, q in cut.queries.items()} == {"de": ["1"], "en": ["1", "3"]}
    assert cut.relevance == {"1": {"de": [0]}, "3": {"en": [0]}} and cut.excluded == {"1": {"de": [1]}}
    assert cut.candidate_id("de", 1) == "d2" and cut.candidates["en"] == ["z"]
    assert benchmark.in_languages(benchmark.languages).relevance == benchmark.relevance
    with pytest.raises(ValueError, match="toy has no language 'el'; it has de, en, fr"):
        benchmark.in_languages(["de", "el"])
    with pytest.raises(ValueError, match="no language is named"):
        benchmark.in_languages([])
