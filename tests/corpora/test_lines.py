"""Lines of plain and gzipped files, and what is said about bad ones."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridnb.corpora.lines import (
    BadRow,
    BadRows,
    BadRowsWarning,
    check_fields,
    check_text,
    json_lines,
    numbered_lines,
)


def test_lines_end_at_newlines_only(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffeins\r\nzw\u2028ei\x0b\n\ndrei".encode())
    assert list(numbered_lines(path)) == [(1, "eins"), (2, "zw\u2028ei\x0b"), (3, ""), (4, "drei")]


def test_gzip_is_known_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "named.txt"
    path.write_bytes(gzip.compress(b"a\nb\n"))
    assert list(numbered_lines(path)) == [(1, "a"), (2, "b")]
    plain = tmp_path / "named.gz"
    plain.write_bytes(b"a\n")
    assert list(numbered_lines(plain)) == [(1, "a")]


rows = st.lists(
    st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.integers(), max_size=3), max_size=6
)


@given(rows=rows, zipped=st.booleans(), escaped=st.booleans())
def test_json_lines_reads_what_json_wrote(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]], zipped: bool, escaped: bool
) -> None:
    data = "".join(json.dumps(row, ensure_ascii=escaped) + "\n" for row in rows).encode()
    path = tmp_path_factory.getbasetemp() / "rows.jsonl"
    path.write_bytes(gzip.compress(data) if zipped else data)
    assert list(json_lines(path)) == list(enumerate(rows, 1))


BAD_LINES = {
    b"{": r"line 2: not a JSON row \(Expecting",
    b"[1]": r"line 2: not a JSON row \(a list, not an object\)",
    b'{"a": 1, "b": 2, "a": 3}': r"line 2: not a JSON row \(the key 'a' is there twice\)",
    b"[" * 100_000: r"line 2: not a JSON row \(maximum recursion",
    b"\xff{}": r"line 2: not UTF-8 \(byte 0xff at 0\); convert the file",
    "{}".encode("utf-16-be"): r"line 2: not a JSON row",
}


@pytest.mark.parametrize("line", BAD_LINES, ids=range(len(BAD_LINES)))
def test_bad_line(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"n": 1}\n' + line + b'\n\n{"n": 4}\n')
    with pytest.raises(BadRow, match=f"^{path}, {BAD_LINES[line]}"):
        list(json_lines(path))
    bad = BadRows(skip=True)
    assert list(json_lines(path, bad)) == [(1, {"n": 1}), (4, {"n": 4})]
    assert [row.line for row in bad] == [2]


@pytest.mark.parametrize("cut", ["tail", "middle", "changed"])
def test_damaged_gzip(tmp_path: Path, cut: str) -> None:
    whole = gzip.compress(b"".join(b"%d\n" % n for n in range(200_000)))
    damaged = {
        "tail": whole[:-1],
        "middle": whole[: len(whole) // 2],
        "changed": whole[:-8] + bytes(8),
    }[cut]
    path = tmp_path / "a.gz"
    path.write_bytes(damaged)
    bad = BadRows(skip=True)
    read = list(numbered_lines(path, bad))
    assert read == [(n + 1, str(n)) for n in range(len(read))]
    assert len(read) == 200_000 if cut != "middle" else 0 < len(read) < 200_000
    (row,) = bad
    assert row.line == len(read) + 1
    assert "the gzip " + ("is damaged" if cut == "changed" else "ends too early") in str(row)
    with pytest.raises(BadRow, match="fetch the file again"):
        list(numbered_lines(path))


def test_report_counts_all_and_lists_the_first() -> None:
    bad = BadRows(skip=True)
    with warnings.catch_warnings(action="error"):
        bad.warn()  # nothing to say, so no warning
    assert bad.report() == ""
    for line in range(1, 8):
        bad.add(BadRow("f.jsonl", line, "q.de", "is empty", "write one"))
    report = bad.report(first=2)
    assert report.splitlines() == [
        "7 bad rows skipped:",
        "  f.jsonl, line 1, field q.de: is empty; write one",
        "  f.jsonl, line 2, field q.de: is empty; write one",
        "  ... and 5 more",
    ]
    with pytest.warns(BadRowsWarning, match="7 bad rows") as caught:
        bad.warn()
    warning = caught[0].message
    assert isinstance(warning, BadRowsWarning)
    assert warning.rows == tuple(bad)


def test_fields() -> None:
    check_fields({"a", "b"}, {"a"}, {"b", "c"}, "f", 1)
    with pytest.raises(BadRow, match="f, line 3, field a: missing; give every row a"):
        check_fields({"b"}, {"a"}, {"b"}, "f", 3)
    with pytest.raises(BadRow, match=r"f, line 3, field z: not a known field; .*known: a, b"):
        check_fields({"a", "z"}, {"a"}, {"b"}, "f", 3)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", "is empty"),
        (" \n\u00a0", "is empty"),
        (None, "is NoneType, not text"),
        (3, "is int, not text"),
        ("a\ud800", "half a surrogate pair"),
    ],
)
def test_text(value: object, problem: str) -> None:
    with pytest.raises(BadRow, match=f"f, line 3, field q.en: .*{problem}"):
        check_text(value, "f", 3, "q.en")
    assert check_text(" a ", "f", 3, "q") == " a "


def test_what_follows_a_gzip_is_ignored_and_said(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"a\n") + gzip.compress(b"b\nno end") + b"garbage")
    with pytest.warns(UserWarning, match=f"{path}: what follows the end of the gzip data is ignored"):
        assert list(numbered_lines(path)) == [(1, "a"), (2, "b"), (3, "no end")]
    path.write_bytes(gzip.compress(b"a\n") + bytes(512))
    with warnings.catch_warnings(action="error"):
        assert list(numbered_lines(path)) == [(1, "a")]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"PAR1\x15\x04", "a Parquet file"),
        (b"PK\x03\x04rest", "a zip file"),
        (b"\xfd7zXZ\x00", "an xz file"),
        (lzma.compress(b"{}"), "an xz file"),
        (bz2.compress(b"{}"), "a bzip2 file"),
        ('{"a": 1}'.encode("utf-16"), "UTF-16"),
    ],
)
def test_file_of_another_kind(tmp_path: Path, content: bytes, kind: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    for skip in (False, True):
        with pytest.raises(ValueError, match=f"^{path} is {kind}, not lines of UTF-8 text"):
            list(json_lines(path, BadRows(skip=skip)))


@given(st.binary(max_size=40), st.booleans())
def test_any_bytes_are_lines_or_an_error_that_names_the_file(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, zipped: bool
) -> None:
    """Against splitting by hand, line ends and all."""
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_bytes(gzip.compress(content) if zipped else content)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = None
    try:
        read = list(numbered_lines(path))
    except ValueError as error:
        assert str(path) in str(error)
        assert text is None or content.startswith((b"PAR1", b"PK", b"BZh", b"ARROW1"))
    else:
        expected = (text or "").split("\n")
        expected = expected if expected[-1] else expected[:-1]
        assert text is None or [line for _, line in read] == [line.rstrip("\r") for line in expected]
