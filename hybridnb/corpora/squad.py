"""SQuAD's JSON, as LAReQA and SQuADShifts publish it: data > paragraphs > context and qas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hybridnb.corpora.lines import BadRow, BadRows


def paragraphs(path: Path, bad: BadRows) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(place in the file, article, paragraph) of every paragraph.

    Raises:
        BadRow: A file that is not UTF-8, not JSON or cut off, skipped or not; an article without paragraphs.
    """
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BadRow(path, None, None, f"not a JSON file ({error})", "fetch it again") from error
    for a, article in enumerate(member(content, "data", list, path, "")):
        try:
            of_article = member(article, "paragraphs", list, path, f"data[{a}]")
        except BadRow as error:
            bad.add(error)
        else:
            for p, paragraph in enumerate(of_article):
                yield f"data[{a}].paragraphs[{p}]", article, paragraph


def member(row: Any, name: str, kind: type, path: Path, where: str, line: int | None = None) -> Any:
    """row[name], which must be of this kind; BadRow with the place in the file otherwise."""
    field = f"{where}.{name}".lstrip(".")
    if not isinstance(row, dict) or name not in row:
        raise malformed(path, field, "missing", line)
    value = row[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise malformed(path, field, f"is {type(value).__name__}, not {kind.__name__}", line)
    return value


def malformed(path: Path, field: str, problem: str, line: int | None = None) -> BadRow:
    """The error for a published file that is not as published."""
    return BadRow(path, line, field, problem, "the file is not in the published format, fetch it again")
