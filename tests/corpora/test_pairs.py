"""Parallel pairs as a benchmark."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hybridnb.corpora.pairs import benchmark_of
from hybridnb.corpora.parallel import Item, normalised


def item(number: str, queries: dict[str, str], passages: dict[str, str]) -> Item:
    return Item(number, "s", number, queries, passages)


def test_equal_passages_are_one_candidate_and_equal_queries_share_theirs() -> None:
    items = [
        item("a", {"de": "Nutzung", "en": "Usage"}, {"de": "So.", "en": "Thus."}),
        item("b", {"de": "Gebrauch", "en": "Usage"}, {"de": "Anders.", "en": "Else  wise."}),
        item("c", {"en": "Why?"}, {"en": "Else wise."}),
    ]
    benchmark = benchmark_of("toy", items)
    assert benchmark.candidates == {"de": ["So.", "Anders."], "en": ["Thus.", "Else  wise."]}
    assert benchmark.candidate_ids == {"de": ["a", "b"], "en": ["a", "b"]}
    assert list(benchmark.queries["en"].ids) == ["a", "b", "c"]
    assert list(benchmark.queries["de"].texts) == ["Nutzung", "Gebrauch"]
    both = {"de": [0, 1], "en": [0, 1]}
    assert benchmark.relevance == {"a": both, "b": both, "c": {"en": [1]}}


texts = st.dictionaries(
    st.sampled_from(["de", "en", "th"]), st.sampled_from(["x", "y", "x  y", "x y"]), min_size=1
)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=6))
def test_relevance_is_that_of_all_pairs_of_items(rows: list[tuple[dict[str, str], dict[str, str]]]) -> None:
    items = [item(str(n), *row) for n, row in enumerate(rows)]
    benchmark = benchmark_of("toy", items)
    for one in items:
        same = [
            other
            for other in items
            if any(normalised(one.queries.get(c, "")) == normalised(t) for c, t in other.queries.items())
        ]
        assert {
            (language, normalised(benchmark.candidates[language][row]))
            for language, of_language in benchmark.relevance[one.id].items()
            for row in of_language
        } == {(language, normalised(text)) for other in same for language, text in other.passages.items()}
    for language, candidates in benchmark.candidates.items():
        assert len({normalised(text) for text in candidates}) == len(candidates), language
