"""Real text: MIRACL's judged passages, captions in many languages, Belebele; each beside an independent reading."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hybridnb import corpora
from hybridnb.corpora.benchmark import Benchmark
from hybridnb.corpora.lines import BadRow, BadRowsWarning
from hybridnb.corpora.sets.miracl_judged import LANGUAGES
from hybridnb.corpora.source import MissingData

TOPICS = {
    **{"id": 142, "sw": 120, "ar": 115, "te": 70, "zh": 46, "fa": 39, "hi": 33, "ja": 29, "ru": 23},
    **{"bn": 19, "ko": 18, "de": 17, "fi": 17, "yo": 17, "en": 13, "fr": 13, "es": 9},
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def newer_data(real_data: Path) -> Path:
    if not (real_data / "miracl_judged").is_dir():
        pytest.skip(f"no miracl_judged in {real_data}")
    return real_data


def rows_of(path: Path) -> Iterator[Any]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def relevant_ids(benchmark: Benchmark) -> set[tuple[str, str, str]]:
    """(query id, language, candidate id)"""
    return {
        (query_id, language, benchmark.candidate_id(language, row))
        for query_id, by_language in benchmark.relevance.items()
        for language, rows in by_language.items()
        for row in rows
    }


def test_miracl_judged(newer_data: Path) -> None:
    benchmark = corpora.load_benchmark("miracl-judged", directory=newer_data)
    assert {language: len(queries) for language, queries in benchmark.queries.items()} == TOPICS
    assert list(benchmark.candidates) == sorted(LANGUAGES)
    assert sum(map(len, benchmark.candidates.values())) == 62_697
    expected = set()
    for language in LANGUAGES:
        folder = newer_data / "miracl_judged" / language
        docs = list(rows_of(folder / "docs-0.jsonl.gz"))
        assert list(benchmark.candidate_ids[language]) == [row["docid"] for row in docs]
        assert list(benchmark.candidates[language]) == [
            f"{row['title']}\n{row['text']}" if row["title"] else row["text"] for row in docs
        ]
        names = ["topic", "q0", "docid", "grade"]
        qrels = pd.read_csv(
            folder / f"qrels.miracl-v1.0-{language}-dev.tsv.gz", sep="\t", names=names, dtype={"topic": str}
        )
        for row in qrels[qrels["grade"] > 0].itertuples():
            expected.add((f"{language}:{row.topic}", language, row.docid))
    assert relevant_ids(benchmark) == expected
    assert len(expected) == 1006


def test_a_language_of_miracl_judged_is_that_of_the_pool(newer_data: Path) -> None:
    whole = corpora.load_benchmark("miracl-judged", directory=newer_data)
    alone = corpora.load_benchmark("miracl-judged-yo", directory=newer_data)
    assert alone.languages == ("yo",)
    assert list(alone.candidates["yo"]) == list(whole.candidates["yo"])
    assert alone.relevance == {q: rows for q, rows in whole.relevance.items() if q.startswith("yo:")}


def test_captions_flickr(newer_data: Path) -> None:
    benchmark = corpora.load_benchmark("captions-flickr", directory=newer_data)
    images = list(rows_of(newer_data / "captions/flickr30k200.captions.jsonl.gz"))
    assert len(benchmark.languages) == 36
    assert benchmark.candidates["qu"] == [image["quz"]["caption"][0] for image in images]
    assert benchmark.candidates["qu"] == list(benchmark.queries["qu"].texts)
    first = images[0]["image/key"]
    assert benchmark.candidate_id("qu", 0) == f"{first}@qu#0"
    assert {
        (language, list(rows)) == (language, [0])
        for language, rows in benchmark.relevance[f"{first}@qu"].items()
    } == {True}
    assert len(benchmark.relevance[f"{first}@qu"]) == 35


def test_captions_human_has_rows_that_must_be_skipped(newer_data: Path) -> None:
    with pytest.raises(BadRow, match=r"xflickrco.*line 901, field id\.caption\[0\]: is empty"):
        corpora.load_benchmark("captions-human", directory=newer_data)
    with pytest.warns(BadRowsWarning, match="2 bad rows skipped") as told:
        benchmark = corpora.load_benchmark("captions-human", directory=newer_data, skip_bad=True)
    (warning,) = [w.message for w in told if isinstance(w.message, BadRowsWarning)]
    images = list(rows_of(newer_data / "captions/xflickrco.captions.jsonl.gz"))
    empty = [line for line, row in enumerate(images, 1) if any(v == {"caption": [""]} for v in row.values())]
    assert [row.line for row in warning.rows] == empty
    assert {language: len(texts) for language, texts in benchmark.candidates.items()} == dict.fromkeys(
        ("de", "en", "es", "id", "ja", "ru", "tr", "zh"), 2000 - len(empty)
    )


def test_belebele(newer_data: Path) -> None:
    benchmark = corpora.load_benchmark("belebele", directory=newer_data)
    rows = list(rows_of(newer_data / "belebele/pairs.jsonl.gz"))
    assert {language: len(q) for language, q in benchmark.queries.items()} == {"de": 900, "en": 900}
    assert {len(texts) for texts in benchmark.candidates.values()} == {488}
    assert relevant_ids(benchmark) == {
        (row["id"], language, row["pid"]) for row in rows for language in row["p"]
    }
    assert set(benchmark.candidates["th"]) == {row["p"]["th"] for row in rows}


@pytest.mark.parametrize("change", ["pid", "q", "again"])
def test_belebele_bad_rows(tmp_path: Path, change: str) -> None:
    rows = [
        {"id": f"b-{n}", "q": {"en": f"Q{n}?"}, "p": {"en": f"A{n}.", "th": f"ก{n}"}, "pid": f"p{n}"}
        for n in "012"
    ]
    rows[2] |= {"pid": {"pid": "p1"}, "q": {"q": {"en": ""}}, "again": {"id": "b-1"}}[change]
    path = tmp_path / "belebele/pairs.jsonl.gz"
    path.parent.mkdir()
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    field = {"pid": "p", "q": "q.en", "again": "id"}[change]
    with pytest.warns(UserWarning), pytest.raises(BadRow, match=f"line 3, field {field}"):
        corpora.load_benchmark("belebele", directory=tmp_path)
    with pytest.warns(BadRowsWarning, match="1 bad row skipped"):
        benchmark = corpora.load_benchmark("belebele", directory=tmp_path, skip_bad=True)
    assert benchmark.candidate_ids == {"en": ["p0", "p1"], "th": ["p0", "p1"]}


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("miracl-judged", "miracl_judged/ar/topics.miracl-v1.0-ar-dev.tsv.gz and 50 more"),
        ("captions-human", "captions/xflickrco.captions.jsonl.gz"),
        ("belebele", "belebele/pairs.jsonl.gz"),
    ],
)
def test_missing_files_say_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, file: str
) -> None:
    monkeypatch.delenv("HYBRIDNB_DATA", raising=False)
    with pytest.raises(
        MissingData, match=rf"no {file}.*public home none in this form.*set HYBRIDNB_DATA to the"
    ):
        corpora.load_benchmark(name, directory=tmp_path)
