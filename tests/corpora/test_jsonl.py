"""Parallel pairs from JSONL: the schema, its errors, and opendocs itself."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hybridnb.corpora import jsonl, training_corpus
from hybridnb.corpora.jsonl import read_jsonl
from hybridnb.corpora.lines import BadRow, BadRowsWarning

Row = dict[str, Any]


def row(number: int = 0, **changes: Any) -> Row:
    return {
        "id": f"guide/a.md#{number}",
        "src": "guide",
        "q": {"en": f"heading {number}", "de": f"Titel {number}"},
        "p": {"en": f"text {number}", "de": f"Absatz {number}"},
        **changes,
    }


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(*rows: Row) -> Path:
        path = tmp_path / "pairs.jsonl"
        path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
        return path

    return write


def test_reads_the_schema(write: Callable[..., Path]) -> None:
    rows = row(0), row(1, q={"en": "Why?"}, p={"en": "So."}, k="q", doc="guide/b.md", src="faq")
    corpus = read_jsonl(write(*rows))
    assert corpus.name == "pairs"
    assert corpus.languages == ("de", "en")
    first, second = corpus.items
    assert (first.id, first.source, first.document) == ("guide/a.md#0", "guide", "guide/a.md")
    assert first.queries == rows[0]["q"]
    assert first.passages == rows[0]["p"]
    assert (second.source, second.document) == ("faq", "guide/b.md")
    assert corpus.index.has_query.tolist() == [[True, True], [False, True]]


def test_document_is_the_id_to_its_last_mark(write: Callable[..., Path]) -> None:
    corpus = read_jsonl(write(row(id="a#b.md#3"), row(id="no-mark")), name="mine")
    assert [item.document for item in corpus.items] == ["a#b.md", "no-mark"]
    assert corpus.name == "mine"


def test_gzip_and_plain_are_the_same_corpus(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write(row(0), row(1))
    zipped = tmp_path / "pairs.jsonl.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    assert read_jsonl(zipped).sha256 == read_jsonl(path).sha256
    assert read_jsonl(zipped).name == "pairs"


BAD_ROWS = {
    "missing q": ({**row(7), "q": None}, "q", "is NoneType, not an object"),
    "no id": ({k: v for k, v in row(7).items() if k != "id"}, "id", "missing; give every row"),
    "no p": ({k: v for k, v in row(7).items() if k != "p"}, "p", "missing"),
    "empty q": (row(7, q={}), "q", "is empty"),
    "empty text": (row(7, p={"en": "x", "de": "  "}), "p.de", "is empty"),
    "wrong type of text": (row(7, q={"en": ["x"], "de": "y"}), "q.en", "is list, not text"),
    "missing language in p": (row(7, p={"en": "x"}), "p.de", "missing, though q has de"),
    "missing language in q": (row(7, q={"de": "x"}), "q.en", "missing, though p has en"),
    "wrong type of id": (row(7, id=7), "id", "is int, not text"),
    "repeated id": (row(0), "id", r"'guide/a.md#0' is there already, on line 1"),
    "unknown field": (
        row(7, query="x"),
        "query",
        r"not a known field; .*\(known: c, doc, id, k, p, q, src\)",
    ),
    "no language code": (row(7, q={"english": "x"}, p={"english": "x"}), "q.english", "no language code"),
    "empty source": (row(7, src=""), "src", "is empty"),
    "wrong type of titles": (row(7, c="title"), "c", "is str, not an object"),
    "wrong type of a title": (row(7, c={"en": 1}), "c.en", "is int, not text"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_bad_row_is_named_or_skipped_and_listed(write: Callable[..., Path], case: str) -> None:
    bad, field, problem = BAD_ROWS[case]
    path = write(row(0), bad, row(2))
    with pytest.raises(BadRow, match=f"^{path}, line 2, field {field}: {problem}"):
        read_jsonl(path)
    with pytest.warns(BadRowsWarning, match="1 bad row skipped") as caught:
        corpus = read_jsonl(path, skip_bad=True)
    assert [item.id for item in corpus.items] == ["guide/a.md#0", "guide/a.md#2"]
    warning = caught[0].message
    assert isinstance(warning, BadRowsWarning)
    assert [(bad_row.line, bad_row.field) for bad_row in warning.rows] == [(2, field)]


def test_bad_lines_of_the_file_itself(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write(row(0), row(1))
    whole = gzip.compress(path.read_bytes())
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(whole[:-9])
    with pytest.raises(BadRow, match=f"{cut}, line .: the gzip ends too early"):
        read_jsonl(cut)
    path.write_bytes(path.read_bytes() + b"not json\n" + "ä".encode("latin-1"))
    with pytest.raises(BadRow, match=f"{path}, line 3: not a JSON row"):
        read_jsonl(path)
    with pytest.warns(
        BadRowsWarning, match=r"2 bad rows skipped:\n.*line 3: not a JSON .*\n.*line 4: not UTF-8"
    ):
        assert len(read_jsonl(path, skip_bad=True)) == 2


def test_languages_restrict_the_texts(write: Callable[..., Path]) -> None:
    path = write(row(0), row(1, q={"en": "only"}, p={"en": "English"}))
    corpus = training_corpus(path, languages=["de"])
    assert corpus.languages == ("de",)
    assert [dict(item.queries) for item in corpus.items] == [{"de": "Titel 0"}]
    with pytest.raises(ValueError, match="pairs has no language 'sw'; it has de, en"):
        training_corpus(path, languages=["en", "sw"])


def test_sources_are_left_out(write: Callable[..., Path]) -> None:
    path = write(row(0), row(1, src="faq"))
    assert [item.source for item in training_corpus(path, exclude_sources=["guide"]).items] == ["faq"]
    with pytest.raises(ValueError, match="pairs has no source 'tldr'; it has faq, guide"):
        training_corpus(path, exclude_sources=["tldr"])
    with pytest.raises(ValueError, match="'pairs' has no items"):
        training_corpus(path, exclude_sources=["guide", "faq"])


def test_context_goes_before_headings(write: Callable[..., Path]) -> None:
    titles = {"en": "Guide", "de": "", "fr": "not in q"}
    path = write(row(0, c=titles), row(1, c=titles, k="q"), row(2), row(3, c={}))

    def queries(context: jsonl.Context) -> list[list[str]]:
        return [list(item.queries.values()) for item in read_jsonl(path, context=context).items]

    plain = [[f"heading {n}", f"Titel {n}"] for n in range(4)]
    assert queries("never") == plain
    assert queries("always") == [["Guide: heading 0", "Titel 0"], *plain[1:]]
    with pytest.raises(ValueError, match="context is 'sometimes'; it must be never, half or always"):
        queries("sometimes")  # type: ignore[arg-type]


def test_half_of_the_headings_get_context_whatever_stands_around_them(write: Callable[..., Path]) -> None:
    rows = [row(n, c={"en": "Guide", "de": "Führer"}) for n in range(1000)]
    with_context = {
        item.id
        for item in read_jsonl(write(*rows), context="half").items
        if item.queries["en"].startswith("Guide: ")
    }
    assert 450 < len(with_context) < 550
    for item in read_jsonl(write(*rows[::-7]), context="half").items:
        assert item.queries["de"].startswith("Führer: ") == (item.id in with_context)


def test_opendocs(real_data: Path) -> None:
    """The counts of the data's own README."""
    corpus = read_jsonl(real_data / "opendocs" / "train.jsonl.gz")
    assert len(corpus) == 12_893
    assert corpus.languages == ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")
    by_source = {s: int((corpus.index.source_of == n).sum()) for n, s in enumerate(corpus.index.sources)}
    assert by_source == {
        "msbeginners": 3393,
        "libreoffice_help": 4816,
        "ddtp": 1940,
        "tldr": 742,
        "debian_handbook": 728,
        "react_docs": 622,
        "gnome_help": 472,
        "bitcoin_faq": 180,
    }
    languages_of = corpus.index.has_query.sum(axis=1)
    assert languages_of.min() == 2
    assert (languages_of == 11).sum() == 2253
    trained = [
        corpus.languages.index(code) for code in ("en", "ar", "zh", "de", "es", "ru", "th", "tr", "hi")
    ]
    assert corpus.index.has_query[:, trained].all(axis=1).sum() == 2432
