"""BM25: terms of every script, ranks against a naive computation, the reference values, the tie rule."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import random_benchmark

from hybridnb import corpora
from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.measures import metrics
from hybridnb.retrieval.bm25 import bm25_ranks, terms
from hybridnb.retrieval.ranks_table import COLUMNS, check_ranks


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Panthers' D-Line, 2015!", ["the", "panthers", "d", "line", "2015"]),
        ("Straße ＩＢＭ", ["strasse", "ibm"]),
        ("क्या हिन्दी", ["क्या", "हिन्दी"]),  # vowel signs and the virama stay in the word
        ("约什·诺曼拦截", ["约什", "诺曼", "曼拦", "拦截"]),
        ("黑 in 2015年", ["黑", "in", "2015", "年"]),
        ("ที่ไหน", ["ที", "ี่", "่ไ", "ไห", "หน"]),
        ("Việt Nam", ["việt", "nam"]),
        ("... !", []),
        ("\u0301 x", ["\u0301", "x"]),  # a mark alone
    ],
)
def test_terms(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("language", "written", "plain"),
    [
        ("ar", "كِتَابٌ \u200fوالكـتـاب", "كتاب والكتاب"),  # vowels, tatweel, a direction mark
        ("de", "Donau\u00addampfschiff STRASSE", "donaudampfschiff straße"),
        ("el", "Η ΑΘΗΝΑ ΛΌΓΟΣ", "η Αθήνα λόγος"),  # capitals without accents, final sigma
        ("en", "ﬁnd co\u2060operate ＩＢＭ", "find cooperate ibm"),
        ("es", "man\u0303ana ¿QUÉ?", "mañana qué"),
        ("fa", "می\u200cخواهم", "میخواهم"),
        ("hi", "क्\u200dष \u0958लम", "क्ष क\u093cलम"),
        ("ru", "за\u0301мок Й", "замок и\u0306"),  # stress goes, the short i stays
        ("th", "น\u0e33", "น\u0e4d\u0e32"),
        ("tr", "İlk IŞIK", "ilk ışık"),
        ("vi", "Vie\u0323\u0302t NAM", "việt nam"),
        ("zh", "约\u200d什２０１５", "约什2015"),
    ],
)
def test_one_word_is_one_term_however_it_is_written(language: str, written: str, plain: str) -> None:
    assert terms(written) == terms(plain)
    assert len(terms(plain)) == len(plain.split()) or language in ("th", "zh")


@pytest.mark.parametrize(
    ("one", "other"),
    [("schon", "schön"), ("ano", "año"), ("всеи", "всей"), ("viet", "việt"), ("की", "कि"), ("sık", "şık")],
)
def test_letters_of_a_language_stay_what_they_are(one: str, other: str) -> None:
    assert terms(one) != terms(other)


def test_a_zero_width_space_ends_a_word() -> None:
    assert terms("one\u200btwo") == ["one", "two"]


@given(st.text())
def test_terms_do_not_depend_on_case_width_or_punctuation(text: str) -> None:
    assert terms(text) == terms(f"«{text}» — ")
    assert all(term for term in terms(text))


def lucene(query: str, texts: list[str], k1: float = 1.5, b: float = 0.75) -> list[float]:
    """BM25 as Lucene computes it, from Robertson and Zaragoza (2009), term by term."""
    documents = [Counter(terms(text)) for text in texts]
    mean = sum(sum(d.values()) for d in documents) / len(documents)
    scores = []
    for document in documents:
        score = 0.0
        for term in terms(query):
            containing = sum(term in d for d in documents)
            idf = math.log(1 + (len(documents) - containing + 0.5) / (containing + 0.5))
            length = sum(document.values()) / mean
            score += idf * document[term] / (document[term] + k1 * (1 - b + b * length))
        scores.append(score)
    return scores


def naive_ranks(benchmark: Benchmark) -> set[tuple]:
    """The rows by sorting every pool in full."""
    rows = set()
    for asked, queries in benchmark.queries.items():
        for pool_name, languages in ((asked, [asked]), ("*", sorted(benchmark.candidates))):
            everything = [(c, r) for c in languages for r in range(len(benchmark.candidates[c]))]
            texts = [benchmark.candidates[c][r] for c, r in everything]
            for query_id, text in zip(queries.ids, queries.texts, strict=True):
                relevant, out = benchmark.relevance[query_id], benchmark.excluded.get(query_id, {})
                # rounded: equal texts have equal scores however the sum was made
                ordered = sorted(
                    (-round(score, 5), r not in relevant.get(c, ()), c, r)
                    for (c, r), score in zip(everything, lucene(text, texts), strict=True)
                    if r not in out.get(c, ())
                )
                task = "multilingual" if pool_name == "*" else "monolingual"
                for rank, (minus, irrelevant, c, _) in enumerate(ordered, start=1):
                    if not irrelevant:
                        found = rank if minus < 0 else None
                        rows.add((task, asked, pool_name, query_id, c, found, len(ordered)))
    return rows


@given(seed=st.integers(0, 2**32), shape=st.tuples(st.booleans(), st.booleans(), st.booleans()))
@settings(max_examples=25, deadline=None)
def test_ranks_agree_with_sorting_every_pool(seed: int, shape: tuple[bool, bool, bool]) -> None:
    rng = np.random.default_rng(seed)
    partly, several, excluded = shape
    drawn = random_benchmark(rng, partly=partly, several=several, excluded=excluded)

    def text() -> str:
        # few words, so that texts repeat and scores tie; "zz" is in no candidate
        return " ".join(rng.choice(["one", "two", "three", "four"], rng.integers(1, 4)))

    benchmark = Benchmark(
        "random",
        {
            c: Queries(q.ids, [text() if rng.random() < 0.9 else "zz" for _ in q.ids])
            for c, q in drawn.queries.items()
        },
        {c: [text() for _ in texts] for c, texts in drawn.candidates.items()},
        drawn.relevance,
        drawn.excluded,
    )
    table = bm25_ranks(benchmark)
    check_ranks(table)
    assert list(table.columns) == COLUMNS
    rows = {
        (*row[1:6], None if math.isnan(row.rank) else row.rank, row.pool_size)
        for row in table.itertuples(index=False)
    }
    assert rows == naive_ranks(benchmark)


def test_a_candidate_without_a_shared_term_is_not_retrieved() -> None:
    """Zero scores tie; were that tie counted for the relevant candidate, knowing nothing would pay."""
    benchmark = Benchmark(
        "none",
        {"en": Queries(["1", "2"], ["apples", "pears"])},
        {"en": ["oranges", "some pears", "plums"]},
        {"1": {"en": [0]}, "2": {"en": [1]}},
    )
    table = bm25_ranks(benchmark)
    ranks = table[table["task"] == "monolingual"].set_index("query_id")["rank"]
    assert pd.isna(ranks["1"])
    assert ranks["2"] == 1
    assert metrics.summary(table)["monolingual"]["map"] == 0.5


def test_reference_values(real_data) -> None:
    """Monolingual mAP: an independent evaluation of the same files, with marks as they are, had .727 and .514."""
    for name, expected in (("xquad-r", 0.7275), ("mlqa-r", 0.5171)):
        benchmark = corpora.load_benchmark(name, directory=real_data)
        summary = metrics.summary(bm25_ranks(benchmark))
        assert summary["monolingual"]["map"] == pytest.approx(expected, abs=0.00006)
        assert summary["multilingual"]["map"] < 0.2  # hardly anything is found in other languages
        assert "crosslingual" not in summary
