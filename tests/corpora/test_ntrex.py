"""NTREX as a benchmark: pools without the query itself, both forms, errors."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hybridnb.corpora.lines import BadRow, BadRowsWarning
from hybridnb.corpora.sets import ntrex


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HYBRIDNB_DATA", raising=False)


STORED = "ntrex/sentences.jsonl.gz"


def row(number: int = 0, **changes: Any) -> dict[str, Any]:
    texts = {code: f"{code} {number}" for code in ntrex.LANGUAGES}
    return {"id": f"ntrex/{number}", "doc": "d", "t": texts, **changes}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(*rows: dict[str, Any]) -> Path:
        path = tmp_path / STORED
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress("".join(json.dumps(r) + "\n" for r in rows).encode()))
        return path

    return write


def test_ntrex(real_data: Path) -> None:
    benchmark = ntrex.load_benchmark(real_data)
    assert benchmark.languages == ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")
    assert {len(texts) for texts in benchmark.candidates.values()} == {1997}
    assert {len(queries) for queries in benchmark.queries.values()} == {1997}
    assert benchmark.candidates["en"][0] == "Welsh AMs worried about 'looking like muppets'"
    assert benchmark.queries["en"].texts == benchmark.candidates["en"]


def test_published_files_give_the_same(real_data: Path, tmp_path: Path) -> None:
    """The published texts, written again from the rows at hand: they are byte for byte the pinned ones."""
    with gzip.open(real_data / STORED, "rt", encoding="utf-8") as file:
        rows = [json.loads(line)["t"] for line in file]
    for code, remote in zip(ntrex.LANGUAGES, ntrex.SOURCE.files, strict=True):
        text = "".join(texts[code] + "\r\n" for texts in rows).encode()
        assert (len(text), f"sha256:{hashlib.sha256(text).hexdigest()}") == (remote.size, remote.digest)
        path = tmp_path / remote.path
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text)
    assert ntrex.load_benchmark(tmp_path).sha256 == ntrex.load_benchmark(real_data).sha256

    short = tmp_path / ntrex.SOURCE.files[3].path
    short.write_bytes(short.read_bytes().split(b"\r\n", 1)[1])
    with pytest.raises(BadRow, match=f"{short}, line 1997: missing, other languages have 1997 lines"):
        ntrex.load_benchmark(tmp_path)


def test_a_sentence_is_in_every_pool_but_its_own(write: Callable[..., Path], tmp_path: Path) -> None:
    write(row(0), row(1))
    benchmark = ntrex.load_benchmark(tmp_path)
    for code, queries in benchmark.queries.items():
        for number, query in enumerate(queries.ids):
            assert benchmark.excluded[query] == {code: [number]}
            relevant = {
                language: [benchmark.candidates[language][n] for n in numbers]
                for language, numbers in benchmark.relevance[query].items()
            }
            assert relevant == {other: [f"{other} {number}"] for other in ntrex.LANGUAGES if other != code}


BAD_ROWS = {
    "missing language": (row(1, t={"en": "x"}), r"t\.ar: missing"),
    "empty text": (row(1, t={**row(1)["t"], "th": ""}), r"t\.th: is empty"),
    "repeated id": (row(0), "id: 'ntrex/0' is there already"),
    "wrong type": (row(1, t=["x"]), "t: not an object"),
    "wrong field": (row(1, text="x"), "text: not a known field"),
    "missing field": ({"doc": "d", "t": {}}, "id: missing"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_bad_row(write: Callable[..., Path], tmp_path: Path, case: str) -> None:
    bad, message = BAD_ROWS[case]
    path = write(row(0), bad, row(2))
    with pytest.raises(BadRow, match=f"^{path}, line 2, field {message}"):
        ntrex.load_benchmark(tmp_path)
    with pytest.warns(BadRowsWarning, match="1 bad row skipped"):
        benchmark = ntrex.load_benchmark(tmp_path, skip_bad=True)
    assert benchmark.queries["de"].ids == ["ntrex/0@de", "ntrex/2@de"]
    assert benchmark.candidates["de"] == ["de 0", "de 2"]
    assert benchmark.relevance["ntrex/2@de"]["en"] == [1]


def test_bad_published_line_is_left_out_of_every_language(tmp_path: Path) -> None:
    for remote in ntrex.SOURCE.files:
        path = tmp_path / remote.path
        path.parent.mkdir(exist_ok=True)
        path.write_text("one\n\nthree\n" if "hin" in remote.path else "one\ntwo\nthree\n")
    with pytest.raises(BadRow, match=r"ref\.hin\.txt, line 2, field hi: is empty"):
        ntrex.load_benchmark(tmp_path)
    with pytest.warns(BadRowsWarning, match="1 bad row skipped"):
        benchmark = ntrex.load_benchmark(tmp_path, skip_bad=True)
    assert benchmark.queries["en"].ids == ["ntrex/0@en", "ntrex/2@en"]
