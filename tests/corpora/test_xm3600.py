"""Crossmodal-3600: the published layout, the three tasks without the query itself, errors."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridnb import corpora
from hybridnb.corpora.captions import benchmark_of
from hybridnb.corpora.lines import BadRow, BadRowsWarning
from hybridnb.corpora.sets import xm3600
from hybridnb.corpora.source import MissingData
from hybridnb.retrieval.ranking import exact_ranks


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HYBRIDNB_DATA", raising=False)


def row(image: str, **captions: list[str]) -> dict[str, Any]:
    """A row as published: each caption as it was written, tokenized, and lower-cased."""
    languages = {
        language: {
            "caption": texts,
            "caption/tokenized": [text.replace(".", " .") for text in texts],
            "caption/tokenized/lowercase": [text.replace(".", " .").lower() for text in texts],
        }
        for language, texts in captions.items()
    }
    return {"image/key": image, "image/locale": "en", **languages}


ROWS = [
    row("a", en=["A red car.", "Car"], de=["Ein Auto.", "Rotes Auto.", "Auto"], bn=["গাড়ি"]),
    row("b", en=["A dog.", "Dog"], de=["Ein Hund."], bn=["কুকুর"]),
    row("c", en=["A tree."], de=[], bn=["গাছ"]),
]


def write(directory: Path, rows: list[Any], name: str = "xm3600/captions.jsonl") -> Path:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return path


def load(directory: Path, rows: list[Any] = ROWS, **options: Any) -> Any:
    write(directory, rows)
    return xm3600.load_benchmark(directory, **{"languages": ["bn", "de", "en"], **options})


def test_every_caption_is_a_candidate_and_the_first_is_a_query(tmp_path: Path) -> None:
    benchmark = load(tmp_path)
    assert benchmark.candidates == {
        "bn": ["গাড়ি", "কুকুর", "গাছ"],
        "de": ["Ein Auto.", "Rotes Auto.", "Auto", "Ein Hund."],
        "en": ["A red car.", "Car", "A dog.", "Dog", "A tree."],
    }
    assert list(benchmark.queries["de"].ids) == ["a@de", "b@de"]
    assert list(benchmark.queries["en"].texts) == ["A red car.", "A dog.", "A tree."]
    relevance = {q: {c: list(rows) for c, rows in of.items()} for q, of in benchmark.relevance.items()}
    assert relevance["a@de"] == {"bn": [0], "de": [1, 2], "en": [0, 1]}
    assert relevance["b@de"] == {"bn": [1], "en": [2, 3]}  # its only German caption is the query
    assert relevance["c@bn"] == {"en": [4]}
    assert {c: list(rows) for c, rows in benchmark.excluded["b@en"].items()} == {"en": [2]}


@pytest.mark.filterwarnings("ignore:.*collapsed")
def test_the_three_tasks(tmp_path: Path) -> None:
    """Captions of an image share a vector, so that all of them are found first, but for the query."""
    benchmark = load(tmp_path)
    image = {"bn": [0, 1, 2], "de": [0, 0, 0, 1], "en": [0, 0, 1, 1, 2]}
    candidates = {language: np.eye(3, dtype=np.float32)[rows] for language, rows in image.items()}
    queries = {
        language: np.eye(3, dtype=np.float32)[["abc".index(i[0]) for i in of_language.ids]]
        for language, of_language in benchmark.queries.items()
    }
    ranks = exact_ranks(benchmark, queries, candidates)
    sizes = ranks.groupby(["task", "query_language"], observed=True)["pool_size"].unique().map(list)
    assert sizes["monolingual"].to_dict() == {"de": [3], "en": [4]}  # the query is not in its pool
    assert sizes["multilingual"].to_dict() == {"bn": [11], "de": [11], "en": [11]}
    whole = ranks[(ranks["task"] == "multilingual") & (ranks["query_id"] == "a@de")]
    assert list(zip(whole["relevant_language"], whole["rank"], strict=True)) == [
        ("bn", 1),
        ("de", 2),
        ("de", 3),
        ("en", 4),
        ("en", 5),
    ]
    pairs = ranks[ranks["task"] == "crosslingual"]
    assert len(pairs.groupby(["query_language", "candidate_language"], observed=True)) == 6


numbers = st.integers(0, 3)


@given(st.lists(st.tuples(numbers, numbers, numbers), min_size=2, max_size=6))
@settings(max_examples=50, deadline=None)
def test_every_other_caption_of_the_image_is_relevant(counts: list[tuple[int, int, int]]) -> None:
    captions = {
        f"i{n}": {
            c: [f"{n}{c}{k}" for k in range(count)] for c, count in zip("xyz", of, strict=True) if count
        }
        for n, of in enumerate(counts)
    }
    benchmark = benchmark_of("toy", captions)
    assert sum(map(len, benchmark.candidates.values())) == sum(map(sum, counts))
    asked = set()
    for language, queries in benchmark.queries.items():
        for query_id, text in zip(queries.ids, queries.texts, strict=True):
            asked.add(text)
            image = query_id.partition("@")[0]
            (own,) = benchmark.excluded[query_id][language]
            assert benchmark.candidates[language][own] == text
            assert benchmark.candidate_id(language, own) == f"{query_id}#0"
            answers = {
                benchmark.candidates[c][r] for c, rows in benchmark.relevance[query_id].items() for r in rows
            }
            assert answers == {t for texts in captions[image].values() for t in texts} - {text}
    alone = [
        texts for of_image in captions.values() if sum(map(len, of_image.values())) == 1 for texts in of_image
    ]
    assert len(asked) == sum(map(len, captions.values())) - len(alone)


def test_languages_and_images_are_chosen(tmp_path: Path) -> None:
    benchmark = load(tmp_path, languages=["en", "de"], images=2)
    assert benchmark.languages == ("de", "en")
    assert benchmark.candidates["en"] == ["A red car.", "Car", "A dog.", "Dog"]
    assert list(benchmark.relevance["a@en"]) == ["en", "de"] or list(benchmark.relevance["a@en"]) == [
        "de",
        "en",
    ]
    with pytest.raises(ValueError, match="languages: 'xx'; XM3600 has ar, bn, cs"):
        load(tmp_path, languages=["en", "xx"])
    with pytest.raises(ValueError, match="languages: none"):
        load(tmp_path, languages=[])
    with pytest.raises(ValueError, match="images is 1; give at least 2"):
        load(tmp_path, images=1)


def test_all_36_languages_by_default(tmp_path: Path) -> None:
    captions = {language: [f"{language} one", f"{language} two"] for language in xm3600.LANGUAGES}
    write(tmp_path, [row("a", **captions), row("b", **captions)])
    benchmark = corpora.load_benchmark("xm3600", directory=tmp_path)
    assert len(benchmark.languages) == 36
    assert sum(map(len, benchmark.candidates.values())) == 2 * 36 * 2
    assert sum(map(len, benchmark.relevance["b@qu"].values())) == 36 * 2 - 1


def test_published_archive(tmp_path: Path) -> None:
    plain = load(tmp_path / "plain")
    archive = tmp_path / "zip/xm3600/captions.zip"
    archive.parent.mkdir(parents=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as files:
        files.write(tmp_path / "plain" / "xm3600/captions.jsonl", "captions.jsonl")
    for _ in range(2):
        zipped = xm3600.load_benchmark(tmp_path / "zip", languages=["bn", "de", "en"])
        assert zipped.sha256 == plain.sha256
    archive.write_bytes(b"no zip")
    with pytest.raises(BadRow, match=f"{archive}: not a zip file"):
        xm3600.load_benchmark(tmp_path / "zip")


def test_missing_data_say_what_was_tried(tmp_path: Path) -> None:
    (remote,) = xm3600.SOURCE.files
    assert remote.url == (
        f"https://raw.githubusercontent.com/google/crossmodal-3600/{xm3600.COMMIT}/web-data/captions.zip"
    )
    with pytest.raises(MissingData, match=r"no xm3600/captions.zip.*hybridnb fetch xm3600"):
        xm3600.load_benchmark(tmp_path)


BAD = {
    "no key": ({k: v for k, v in ROWS[0].items() if k != "image/key"}, "image/key"),
    "unknown field": ({**ROWS[2], "image/key": "d", "caption": ["x"]}, "caption"),
    "repeated image": (ROWS[0], "image/key"),
    "captions that are a text": ({"image/key": "d", "en": {"caption": "A house."}}, "en.caption"),
    "no captions": ({"image/key": "d", "en": {"caption/tokenized": ["A house ."]}}, "en.caption"),
    "empty caption": (row("d", en=["A house.", " "]), "en.caption[1]"),
    "not an object": (["d"], None),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_rows_are_named_and_may_be_skipped(tmp_path: Path, case: str) -> None:
    bad, field = BAD[case]
    rows = [*ROWS, bad]
    with pytest.raises(BadRow) as raised:
        load(tmp_path, rows)
    assert raised.value.path == str(tmp_path / "xm3600/captions.jsonl")
    assert (raised.value.line, raised.value.field) == (4, field)
    good = load(tmp_path / "good").sha256
    with pytest.warns(BadRowsWarning, match="1 bad row skipped"):
        assert load(tmp_path, rows, skip_bad=True).sha256 == good


def test_a_language_without_captions_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadRow, match="field th: no image has captions in it; leave it out"):
        load(tmp_path, languages=["en", "th"])
