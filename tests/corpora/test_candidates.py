"""Candidates of one's own: three kinds of files give the same pool; what is wrong is named with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from hybridnb.corpora.candidates import read_candidates
from hybridnb.corpora.lines import BadRow, BadRowsWarning

ROWS = [
    {"text": "Wo ist der Hafen?", "language": "de"},
    {"text": "港口在哪里？", "language": "zh_CN"},
    {"text": "Der Hafen.", "language": "de"},
]


def test_jsonl_csv_and_parquet_are_one_pool(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    pd.DataFrame(ROWS).to_csv(tmp_path / "a.csv", index=False)
    pd.DataFrame(ROWS).to_parquet(tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.csv", "a.parquet"):
        read = read_candidates(tmp_path / name)
        assert (read.name, read.queries) == ("a", {})
        assert read.candidates == {"de": ["Wo ist der Hafen?", "Der Hafen."], "zh": ["港口在哪里？"]}


def test_lines_of_text_and_rows_without_a_language_are_of_an_unknown_one(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n\ntwo\n")
    (tmp_path / "a.csv").write_text("text\none\ntwo\n")
    for name in ("a.txt", "a.csv"):
        assert read_candidates(tmp_path / name).candidates == {"und": ["one", "two"]}


def test_a_bad_row_is_named_or_left_out(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    rows = [ROWS[0], {"text": "x", "language": "klingonese"}, {"language": "de"}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(BadRow, match=r"a\.jsonl, line 2, field language: 'klingonese' is no language code"):
        read_candidates(file)
    with pytest.warns(BadRowsWarning, match="2 bad rows"):
        assert read_candidates(file, skip_bad=True).candidates == {"de": ["Wo ist der Hafen?"]}
    (tmp_path / "none.txt").write_text("\n")
    with pytest.raises(ValueError, match="has no candidate"):
        read_candidates(tmp_path / "none.txt")
