"""SQuADShifts new_wiki in both of its forms."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hybridnb.corpora.lines import BadRow, BadRowsWarning
from hybridnb.corpora.sets import squadshifts
from hybridnb.corpora.source import MissingData


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HYBRIDNB_DATA", raising=False)


STORED = "squadshifts/new_wiki.jsonl.gz"


def row(number: int = 0, **changes: Any) -> dict[str, Any]:
    questions = [{"id": f"{number}.{q}", "question": f"Why {q}?", "answers": []} for q in range(2)]
    return {"title": f"T{number}", "context": f"Paragraph {number}.\n", "qas": questions, **changes}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(*rows: dict[str, Any]) -> Path:
        path = tmp_path / STORED
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress("".join(json.dumps(r) + "\n" for r in rows).encode()))
        return path

    return write


def test_new_wiki(real_data: Path) -> None:
    corpus = squadshifts.load(real_data)
    assert (len(corpus), corpus.languages, corpus.index.sources) == (7938, ("en",), ("squadshifts",))
    # 1,581 paragraphs, whose questions never meet in a batch, nor does one that is asked of several
    assert len(set(corpus.index.groups.tolist())) == 1577
    assert len({item.document for item in corpus.items}) == 48


def test_published_file_gives_the_same(real_data: Path, tmp_path: Path) -> None:
    """The published JSON, written again from the rows at hand: it is byte for byte the pinned one."""
    articles: list[dict[str, Any]] = []
    with gzip.open(real_data / STORED, "rt", encoding="utf-8") as file:
        for line in file:
            stored = json.loads(line)
            if not articles or articles[-1]["title"] != stored["title"]:
                articles.append({"paragraphs": [], "title": stored["title"], "split": "new_wiki"})
            qas = [{key: q[key] for key in ("question", "id", "answers")} for q in stored["qas"]]
            articles[-1]["paragraphs"].append({"context": stored["context"], "qas": qas})
    published = json.dumps({"data": articles, "version": "1.0"})
    (remote,) = squadshifts.SOURCE.files
    assert f"sha256:{hashlib.sha256(published.encode()).hexdigest()}" == remote.digest
    path = tmp_path / remote.path
    path.parent.mkdir()
    path.write_text(published)
    assert squadshifts.load(tmp_path).sha256 == squadshifts.load(real_data).sha256


def test_reads_questions_and_their_paragraph(write: Callable[..., Path], tmp_path: Path) -> None:
    write(row(0), row(1))
    corpus = squadshifts.load(tmp_path)
    assert [(i.id, i.document, i.queries["en"], i.passages["en"]) for i in corpus.items][1:3] == [
        ("0.1", "T0", "Why 1?", "Paragraph 0.\n"),
        ("1.0", "T1", "Why 0?", "Paragraph 1.\n"),
    ]


BAD_ROWS = {
    "empty context": (row(1, context=" "), "context: is empty"),
    "no title": ({"context": "x", "qas": []}, "title: missing"),
    "unknown field": (row(1, extra=1), "extra: not a known field"),
    "no list": (row(1, qas={}), "qas: is dict, not list"),
    "no question": (row(1, qas=[{"id": "1"}]), r"qas\[0\].question: missing"),
    "empty question": (row(1, qas=[{"id": "1", "question": ""}]), r"qas\[0\].question: is empty"),
    "repeated id": (row(1, qas=[{"id": "0.0", "question": "?"}]), r"qas\[0\].id: '0.0' is there already"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_bad_row(write: Callable[..., Path], tmp_path: Path, case: str) -> None:
    bad, message = BAD_ROWS[case]
    path = write(row(0), bad, row(2))
    with pytest.raises(BadRow, match=f"^{path}, line 2, field {message}"):
        squadshifts.load(tmp_path)
    with pytest.warns(BadRowsWarning, match="1 bad row skipped"):
        corpus = squadshifts.load(tmp_path, skip_bad=True)
    assert [item.document for item in corpus.items] == ["T0", "T0", "T2", "T2"]


def test_bad_question_leaves_the_others_of_its_paragraph(write: Callable[..., Path], tmp_path: Path) -> None:
    write(row(1, qas=[{"id": "a", "question": "?"}, {"id": "b"}, {"id": "c", "question": "!"}]))
    with pytest.warns(BadRowsWarning, match=r"qas\[1\]\.question: missing"):
        assert [item.id for item in squadshifts.load(tmp_path, skip_bad=True).items] == ["a", "c"]


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"hybridnb fetch squadshifts"):
        squadshifts.load(tmp_path)
