"""Parallel sentences: the registered sets, one's own files in every form, and what is wrong with them."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hybridnb import corpora
from hybridnb.corpora import load_sentences
from hybridnb.corpora.lines import BadRow, BadRowsWarning
from hybridnb.corpora.sentences import ParallelSentences

TEXTS = {"de": ["ja, gern", "nein"], "en": ["yes", "no"], "zh": ["是", "不"]}
ROWS = [dict(zip(TEXTS, texts, strict=True)) for texts in zip(*TEXTS.values(), strict=True)]


def jsonl(*rows: Any) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def rows_of(path: Path) -> list[Any]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.mark.parametrize(
    ("name", "sentences", "languages"), [("ntrex", 1997, 11), ("flores", 2009, 59), ("xnli", 10_000, 11)]
)
def test_registered_sets(real_data: Path, name: str, sentences: int, languages: int) -> None:
    if not (real_data / name).is_dir():
        pytest.skip(f"no {name} in {real_data}")
    loaded = load_sentences(name, directory=real_data)
    rows = rows_of(real_data / name / "sentences.jsonl.gz")
    assert (loaded.name, len(loaded), len(loaded.languages)) == (name, sentences, languages)
    assert list(loaded.ids) == [row["id"] for row in rows]
    assert loaded.languages == tuple(sorted(loaded.languages))
    for language in ("de", "th"):
        assert loaded.texts[language] == [row["t"][language] for row in rows]
    cut = load_sentences(name, directory=real_data, languages=["zh", "de"])
    assert dict(cut.texts) == {"de": loaded.texts["de"], "zh": loaded.texts["zh"]}


def test_humandocs(real_data: Path) -> None:
    if not (real_data / "humandocs").is_dir():
        pytest.skip(f"no humandocs in {real_data}")
    rows = rows_of(real_data / "humandocs" / "pairs.jsonl.gz")
    whole = [row for row in rows if any(row["p"].values())]
    counts = Counter(language for row in whole for language in row["p"])
    for load in (corpora.training_corpus, corpora.validation_corpus):
        corpus = load("humandocs", directory=real_data)
        index = corpus.index
        assert len(corpus) == len(whole) == len(rows) - 1
        found = dict(zip(index.languages, index.has_passage.sum(axis=0).tolist(), strict=True))
        assert found == counts


def write(directory: Path, form: str) -> Path:
    path = directory / f"mine.{form}"
    frame = pd.DataFrame(TEXTS)
    if form == "csv":
        frame.to_csv(path, index=False)
    elif form == "tsv":
        frame.to_csv(path, index=False, sep="\t")
    elif form == "parquet":
        frame.to_parquet(path)
    elif form == "jsonl":
        path.write_text(jsonl(*ROWS))
    elif form == "jsonl.gz":
        rows = ({"id": f"s{n}", "t": row, "doc": "d", "label": "x"} for n, row in enumerate(ROWS))
        path.write_bytes(gzip.compress(jsonl(*rows).encode()))
    else:
        path.mkdir()
        frame.to_parquet(path / "part.parquet")
    return path


@pytest.mark.parametrize("form", ["csv", "tsv", "parquet", "jsonl", "jsonl.gz", "folder"])
def test_every_form_of_a_file(tmp_path: Path, form: str) -> None:
    path = write(tmp_path, form)
    loaded = load_sentences(path)
    assert dict(loaded.texts) == TEXTS
    assert loaded.name == ("mine.folder" if form == "folder" else "mine")
    if form == "jsonl.gz":
        assert list(loaded.ids) == ["s0", "s1"]
    assert load_sentences(str(path), languages=["zh", "en"]).languages == ("en", "zh")


def test_codes_are_read_in_one_form(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("zh-CN,en_US,id\nx,y,z\n")
    assert load_sentences(path).languages == ("en", "id", "zh")


GOOD = {"en": "a", "de": "b"}
BAD: dict[str, tuple[Any, str]] = {
    "a language is missing": ({"en": "x"}, "field de: missing; give every row all languages"),
    "empty": ({"en": "x", "de": " "}, "field de: is empty"),
    "no text": ({"en": "x", "de": 3}, "field de: is int, not text"),
    "null": ({"en": "x", "de": None}, "field de: missing"),
    "twice": ({"en": "x", "de": "y", "de-AT": "z"}, "field de-AT: the same language as de"),
    "t is a list": ({"id": "a", "t": ["x"]}, "field t: not an object"),
    "t without an id": ({"t": GOOD}, "field id: missing"),
    "a field beside t": ({"id": "a", "t": GOOD, "text": "x"}, "field text: not a known field"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_rows(tmp_path: Path, case: str) -> None:
    row, message = BAD[case]
    path = tmp_path / "mine.jsonl"
    path.write_text(jsonl(GOOD, row, GOOD))
    with pytest.raises(BadRow, match=f"^{path}, line 2, {message}"):
        load_sentences(path)
    with pytest.warns(BadRowsWarning, match="1 bad row skipped"):
        assert list(load_sentences(path, skip_bad=True).ids) == ["1", "3"]


def test_more_languages_than_the_first_row_has_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(jsonl(GOOD, {**GOOD, "fr": "c", "note": "d"}))
    assert load_sentences(path).languages == ("de", "en")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no sentence in it"),
        (jsonl({"en": "a"}), "sentences in en; parallel ones need two languages"),
        (jsonl({**GOOD, "note!": "x"}), "line 1, field note!: no language code"),
        (jsonl({"id": "a", "t": GOOD}, {"id": "a", "t": GOOD}), "line 2, field id: 'a' is there already"),
        ("<html>", "line 1: not a JSON row"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(content)
    with pytest.raises(ValueError, match=f"^(mine|{path}).*{message}"):
        load_sentences(path)


def test_names_that_there_are_not(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"no set of parallel sentences is named 'flore'. Did you mean 'flores'"
    ):
        load_sentences("flore")
    with pytest.raises(FileNotFoundError, match=r"mine\.csv: no such file; .* or one of flores, ntrex, xnli"):
        load_sentences(tmp_path / "mine.csv")
    with pytest.raises(ValueError, match="toy has no language 'fr'; it has de, en, zh"):
        ParallelSentences("toy", TEXTS, ["1", "2"]).cut(["fr"])


def test_sentences_are_in_step() -> None:
    with pytest.raises(ValueError, match="toy: 1 texts in en for 2 sentences"):
        ParallelSentences("toy", {**TEXTS, "en": ["yes"]}, ["1", "2"])
    with pytest.raises(ValueError, match="toy: no sentence in it"):
        ParallelSentences("toy", {"de": [], "en": []}, [])


def test_the_hash_goes_by_content() -> None:
    toy = ParallelSentences("toy", TEXTS, ["1", "2"])
    assert toy.sha256 == ParallelSentences("other", TEXTS, ["1", "2"]).sha256
    assert toy.sha256 != toy.cut(["de", "en"]).sha256
    assert toy.sha256 != ParallelSentences("toy", TEXTS, ["1", "3"]).sha256
