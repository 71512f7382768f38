"""The leak check: planted leaks, agreement with comparing all pairs, real text."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridnb import corpora
from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.corpora.leaks import COLUMNS, jaccard, leaks, ngrams, normalised, summary
from hybridnb.corpora.parallel import Item, ParallelCorpus

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def gram_set(text: str) -> set[str]:
    """The same n-grams, as Python strings."""
    folded = normalised(text)
    return {folded[i : i + 3] for i in range(len(folded) - 2)} or {folded}


def similarity(one: str, other: str) -> float:
    return len(gram_set(one) & gram_set(other)) / len(gram_set(one) | gram_set(other))


def corpus(**items: tuple[dict[str, str], dict[str, str]]) -> ParallelCorpus:
    return ParallelCorpus("training", [Item(i, "s", "d", q, p) for i, (q, p) in items.items()])


def benchmark(queries: dict[str, list[str]], candidates: dict[str, list[str]]) -> Benchmark:
    """Queries q0, q1, ... in each language; row 0 answers all of them."""
    ids = {language: [f"q{n}" for n in range(len(of))] for language, of in queries.items()}
    longest = max(ids.values(), key=len)
    return Benchmark(
        "test",
        {language: Queries(ids[language], of) for language, of in queries.items()},
        candidates,
        {query_id: {language: [0] for language in candidates} for query_id in longest},
    )


@given(texts, texts)
def test_jaccard_is_that_of_the_sets_of_ngrams(one: str, other: str) -> None:
    assert jaccard(ngrams(normalised(one)), ngrams(normalised(other))) == pytest.approx(
        similarity(one, other)
    )


@given(texts)
def test_normalised_text_stays_as_it_is(text: str) -> None:
    folded = normalised(text)
    assert normalised(folded) == folded
    assert normalised(f" {text}?!") == folded
    assert "  " not in folded


def test_planted_leaks() -> None:
    sought = benchmark(
        {
            "en": ["Who won the Super Bowl in 2015?", "How many yards did he run?"],
            "zh": ["约什·诺曼在职业生涯中一共拦截了多少球？"],
        },
        {
            "en": ["The Panthers won eleven straight games to open the season."],
            "zh": ["官方消息来源估计，吉尔吉斯坦80％的人口是穆斯林。"],
        },
    )
    trained = corpus(
        exact=({"en": "who won the SUPER BOWL, in ２０１５"}, {"en": "Nothing of that kind."}),
        near=(
            {"zh": "约什·诺曼在职业生涯中共拦截了多少球"},
            {"zh": "官方消息来源估计吉尔吉斯坦80%的人口为穆斯林"},
        ),
        sentence=(
            {"en": "Another question altogether?"},
            {
                "en": "It was a good year. The Panthers won eleven straight games, to open the season! They lost then."
            },
        ),
        other_language=({"de": "Who won the Super Bowl in 2015?"}, {"de": "How many yards did he run?"}),
        other_part=({"en": "nothing"}, {"en": "How many yards did he run?"}),
    )
    table = leaks(trained, sought)
    assert list(table.columns) == COLUMNS
    found = table.set_index("item_id")[["part", "language", "kind", "benchmark_id"]].apply(tuple, axis=1)
    assert found["exact"] == ("query", "en", "exact", "q0")
    assert found["sentence"] == ("passage", "en", "exact", "0")
    assert set(found["near"]) == {("query", "zh", "near", "q0"), ("passage", "zh", "near", "0")}
    assert len(table) == 4
    assert table["similarity"].is_monotonic_decreasing
    near = table[table["kind"] == "near"]
    expected = [similarity(a, b) for a, b in zip(near["item_text"], near["benchmark_text"], strict=True)]
    assert near["similarity"].tolist() == pytest.approx(expected)
    sentence = table.set_index("item_id").loc["sentence"]
    assert sentence["item_text"] == "The Panthers won eleven straight games, to open the season!"

    counts = summary(table, sought).set_index(["part", "language"])
    assert counts.loc[("query", "en")].to_dict() == {"texts": 2, "exact": 1, "near": 0, "share": 0.5}
    assert counts.loc[("query", "zh")].to_dict() == {"texts": 1, "exact": 0, "near": 1, "share": 1.0}
    assert counts.loc[("passage", "en"), "exact"] == 1
    assert summary(leaks(corpus(a=({"en": "x"}, {"en": "y"})), sought), sought)["share"].tolist() == [0] * 4


def test_equal_benchmark_texts_are_all_named_and_a_pair_once() -> None:
    sought = benchmark({"en": ["What is it?", "What is it"]}, {"en": ["A long enough sentence of a text."]})
    passage = "A long enough sentence of a text. A long enough sentence of a text!"
    table = leaks(corpus(a=({"en": "what is it"}, {"en": passage})), sought)
    assert sorted(table["benchmark_id"]) == ["0", "q0", "q1"]
    assert set(table["kind"]) == {"exact"}


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9])
def test_agrees_with_comparing_all_pairs(threshold: float) -> None:
    """No pair below the threshold, every similarity exact, and nearly every pair found."""
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghij", k=rng.randint(2, 7))) for _ in range(300)]
    sought = [" ".join(rng.choices(words, k=12)) for _ in range(150)]
    trained = []
    for text in sought:
        changed = text.split()
        for _ in range(rng.randint(0, 6)):
            changed[rng.randrange(12)] = rng.choice(words)
        trained.append(" ".join(changed))
    table = leaks(
        corpus(**{f"i{n}": ({"en": text}, {}) for n, text in enumerate(trained)}),
        benchmark({"en": sought}, {"en": ["unlike"]}),
        threshold=threshold,
    )
    pairs = {
        (f"i{n}", f"q{m}"): s
        for n, one in enumerate(trained)
        for m, other in enumerate(sought)
        if (s := similarity(one, other)) >= threshold
    }
    found = table.set_index(["item_id", "benchmark_id"])["similarity"].to_dict()
    assert found == pytest.approx({pair: pairs[pair] for pair in found})
    assert len(found) >= 0.95 * len(pairs)
    sure = {pair for pair, s in pairs.items() if s >= threshold + 0.1}
    assert sure <= found.keys()


@given(st.floats(-1, 2).filter(lambda t: not 0 < t <= 1))
@settings(max_examples=10)
def test_threshold_is_a_similarity(threshold: float) -> None:
    with pytest.raises(ValueError, match="it must be a similarity"):
        leaks(corpus(a=({"en": "x"}, {})), benchmark({"en": ["x"]}, {"en": ["y"]}), threshold=threshold)


@pytest.fixture(scope="module")
def xquad(real_data: Path) -> Benchmark:
    whole = corpora.load_benchmark("xquad-r", directory=real_data)
    languages = ("ar", "th", "zh")
    return Benchmark(
        "part of xquad-r",
        {c: whole.queries[c] for c in languages},
        {c: whole.candidates[c] for c in languages},
        {q: {c: of[c] for c in languages} for q, of in whole.relevance.items()},
    )


def test_planted_leaks_in_real_text_are_found(xquad: Benchmark) -> None:
    """Every 10th text, with a character in 40 exchanged, is found in most cases, and nothing but it."""
    rng = np.random.default_rng(0)

    def changed(text: str) -> str:
        characters = list(text)
        for place in rng.integers(0, len(text), max(1, len(text) // 40)):
            characters[place] = text[rng.integers(len(text))]
        return "".join(characters)

    items = {
        f"{n}@{language}": (
            {language: changed(xquad.queries[language].texts[n])},
            {language: changed(xquad.candidates[language][n])},
        )
        for language in xquad.languages
        for n in range(0, 800, 10)
    }
    table = leaks(corpus(**items), xquad)
    planted = pd.DataFrame(
        {
            "item_id": [i for i in items for _ in range(2)],
            "part": ["query", "passage"] * len(items),
            "benchmark_id": [
                i
                for item in items
                for number, language in [item.split("@")]
                for i in (xquad.queries[language].ids[int(number)], number)
            ],
        }
    )
    found = planted.merge(table, on=["item_id", "part", "benchmark_id"])
    assert len(found) > 0.85 * len(planted)
    assert len(table) - len(found) < 0.05 * len(table)  # questions that are nearly equal to each other


def test_opendocs_does_not_hold_xquad(xquad: Benchmark, real_data: Path) -> None:
    if not (real_data / "opendocs").is_dir():
        pytest.skip("no opendocs in the data directory")
    docs = corpora.training_corpus("opendocs", directory=real_data, languages=xquad.languages)
    assert leaks(docs.select(range(0, len(docs), 20)), xquad).empty
