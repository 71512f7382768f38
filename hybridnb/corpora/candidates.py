"""Candidates of one's own to search in: text, JSONL or a table, with no queries and no judgements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.corpora.columns import TABLES, table_rows
from hybridnb.corpora.languages import canonical
from hybridnb.corpora.lines import BadRow, BadRows, check_text, json_lines, numbered_lines

UNKNOWN = "und"
"""The language of a candidate that says none, as ISO 639 has it."""

JSONL = ".jsonl", ".jsonl.gz"


def read_candidates(path: str | Path, *, skip_bad: bool = False) -> Benchmark:
    """Candidates from a file, as a benchmark without queries.

    Args:
        path: .jsonl, .csv, .tsv or .parquet with the field `text` and, where it is known, `language`; or text, one
            candidate a line.
        skip_bad: Leave bad rows out, with a BadRowsWarning.

    Raises:
        BadRow: The first bad row (a ValueError), with file, line and field.
        FileNotFoundError: There is no such file.
        ValueError: It has no sound row.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     file = Path(directory) / "faq.csv"
        ...     _ = file.write_text("language,text\\nde,Hier.\\nen,Here.\\nde,Dort.\\n")
        ...     read_candidates(file).candidates
        {'de': ['Hier.', 'Dort.'], 'en': ['Here.']}
    """
    path, bad = Path(path), BadRows(skip=skip_bad)
    rows: Any
    if path.name.endswith(JSONL):
        rows = json_lines(path, bad)
    elif path.name.endswith(TABLES):
        _, rows = table_rows(path, bad)
    else:
        rows = ((line, {"text": text}) for line, text in numbered_lines(path, bad) if text.strip())
    found: dict[str, list[str]] = {}
    for line, row in rows:
        try:
            text = check_text(row.get("text"), path, line, "text")
            found.setdefault(_language(row.get("language"), path, line), []).append(text)
        except BadRow as error:
            bad.add(error)
    bad.warn()
    if not found:
        raise ValueError(f"{path} has no candidate: give each a line, or a row with `text` and `language`")
    return Benchmark(path.name.partition(".")[0], {}, dict(sorted(found.items())), {})


def _language(code: Any, path: Path, line: int) -> str:
    if code is None or code == "":
        return UNKNOWN
    try:
        return canonical(str(code))
    except ValueError:
        problem = f"{code!r} is no language code"
        raise BadRow(path, line, "language", problem, 'write one like "en" or "zh-Hant"') from None
