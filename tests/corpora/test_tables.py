"""What is made once of large files, and texts in an Arrow table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybridnb.corpora import tables
from hybridnb.corpora.lines import BadRow, BadRows, numbered_lines
from hybridnb.corpora.tables import Texts, made_once, texts_by_language


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "hybridnb" / "tables"


def read(path: Path, bad: BadRows) -> Iterator[tuple[int, str, str, str]]:
    for line, row in numbered_lines(path, bad):
        key, _, text = row.partition("=")
        if text:
            yield line, key.rpartition(":")[0] or "en", key, text
        else:
            bad.add(BadRow(path, line, "text", "is empty", "write one"))


def put(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def texts(*paths: Path, skip: bool = False) -> tuple[Texts, BadRows]:
    bad = BadRows(skip=skip)
    return texts_by_language("toy", paths, read, bad)["en"], bad


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text("abcü", min_size=1), st.text("xyz界 ", min_size=1), min_size=1, max_size=30))
def test_texts_by_row_and_by_key(tmp_path: Path, rows: dict[str, str]) -> None:
    found, _ = texts(put(tmp_path / "a", "".join(f"{key}={text}\n" for key, text in rows.items())))
    assert list(found) == list(rows.values())
    assert found[::-2] == list(rows.values())[::-2]
    assert list(found.ids) == list(rows)
    assert found.rows([*rows, "absent"]) == {key: row for row, key in enumerate(rows)}


def test_more_rows_than_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "BATCH", 3)
    found, bad = texts(put(tmp_path / "a", "".join(f"{n % 8}=text {n}\n" for n in range(10))), skip=True)
    assert list(found) == [f"text {n}" for n in range(8)]
    assert [(row.line, row.field, row.problem) for row in bad] == [
        (line, "id", "is that of an earlier row") for line in (9, 10)
    ]


def test_languages_of_one_file_are_read_in_one_pass(tmp_path: Path) -> None:
    file = put(tmp_path / "a", "de:1=eins\n1=one\nde:2=zwei\nde:1=nochmal\n")
    bad = BadRows(skip=True)
    found = texts_by_language("toy", [file], read, bad)
    assert {language: (list(of.ids), list(of)) for language, of in found.items()} == {
        "de": (["de:1", "de:2"], ["eins", "zwei"]),
        "en": (["1"], ["one"]),
    }
    assert {language: of.characters for language, of in found.items()} == {"de": 8, "en": 3}
    assert [row.line for row in bad] == [4]
    assert (
        texts_by_language("toy", [file], read, bad)["en"].sha256
        == texts(put(tmp_path / "b", "1=one\n"))[0].sha256
    )


def test_rows_that_there_are_not(tmp_path: Path) -> None:
    found, _ = texts(put(tmp_path / "a", "a=1\nb=2\n"))
    assert (found[-1], found[5:], found[1:0]) == ("2", [], [])
    for row in (2, -3):
        with pytest.raises(IndexError, match=f"row {row} of 2"):
            found[row]


def test_found_by_content_and_nothing_else(tmp_path: Path, cache: Path) -> None:
    one = put(tmp_path / "one", "a=1\nb=2\n")
    first, _ = texts(one)
    moved = one.rename(tmp_path / "other")
    again, _ = texts(moved)
    assert again.sha256 == first.sha256
    assert len([path for path in cache.iterdir() if path.is_dir()]) == 1
    assert texts(put(moved, "a=1\nb=3\n"))[0].sha256 != first.sha256
    assert texts(put(tmp_path / "x", "a=1\n"), put(tmp_path / "y", "b=2\n"))[0].sha256 == first.sha256


def test_bad_rows_are_told_again_under_the_name_the_file_has_now(tmp_path: Path) -> None:
    one = put(tmp_path / "one", "a=1\nb=\n")
    with pytest.raises(BadRow, match=f"{one}, line 2"):
        texts(one)
    assert [str(row.path) for row in texts(one, skip=True)[1]] == [str(one)]
    moved = one.rename(tmp_path / "other")
    assert [str(row.path) for row in texts(moved, skip=True)[1]] == [str(moved)]


def test_a_failure_leaves_nothing_behind(tmp_path: Path, cache: Path) -> None:
    def fail(folder: Path, bad: BadRows) -> None:
        (folder / "half").touch()
        raise OSError("disk full")

    one = put(tmp_path / "one", "")
    with pytest.raises(OSError, match="disk full"):
        made_once("toy", [one], fail, BadRows(skip=False))
    assert [path for path in cache.iterdir() if path.suffix != ".lock"] == []
    made = made_once("toy", [one], lambda folder, bad: (folder / "whole").touch(), BadRows(skip=False))
    assert sorted(path.name for path in made.iterdir()) == ["bad.json", "whole"]
