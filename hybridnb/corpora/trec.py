"""Topics, judgements and passages in the forms of TREC and of MIRACL, plain or gzipped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hybridnb.corpora.lines import BadRow, BadRows, check_fields, check_text, json_lines, numbered_lines
from hybridnb.progress import progress


def topics(path: Path, bad: BadRows) -> dict[str, tuple[int, str]]:
    """Topic -> (line, question) of lines `id TAB question`."""
    found: dict[str, tuple[int, str]] = {}
    for line, row in numbered_lines(path, bad):
        if not row.strip():
            continue
        try:
            topic, tab, question = row.partition("\t")
            if not tab or "\t" in question:
                raise BadRow(path, line, None, f"{row[:40]!r} is not two columns", "write `id TAB question`")
            check_text(topic, path, line, "id")
            if topic in found:
                raise BadRow(path, line, "id", f"{topic!r} is there already", "give every topic its own id")
            found[topic] = line, check_text(question, path, line, "question")
        except BadRow as error:
            bad.add(error)
    return found


def top_topics(path: Path, bad: BadRows) -> dict[str, tuple[int, str]]:
    """The same of TREC's <top>, <num>, <title>, ..., </top>, on lines of their own."""
    found: dict[str, tuple[int, str]] = {}
    first, top = 0, ""
    for line, row in numbered_lines(path, bad):
        if "<top>" in row:
            first, top = line, ""
        top += f"{row}\n"
        if "</top>" not in row:
            continue
        try:
            number = re.search(r"<num>(?:\s*Number:)?\s*([^\s<]+)", top)
            title = re.search(r"<title>(?:\s*Topic:)?([^<]+)", top)
            if not (first and number and title):
                missing = "<title>" if first and number else "<num>" if first else "<top>"
                raise BadRow(
                    path, first or line, None, f"a topic without {missing}", "write it into every one"
                )
            if number[1] in found:
                raise BadRow(
                    path, first, "num", f"{number[1]!r} is there already", "give every topic its own"
                )
            found[number[1]] = first, check_text(" ".join(title[1].split()), path, first, "title")
        except BadRow as error:
            bad.add(error)
        first = 0
    return found


def qrels(path: Path, bad: BadRows) -> Iterator[tuple[int, str, str, int, str]]:
    """(line, topic, docid, grade, language or "") of lines `topic Q0 docid grade`.

    Or of BEIR's, whose first line names the columns: `query-id corpus-id score`, parted by tabs; with a fourth,
    `language`, a candidate is judged in that language alone.
    """
    columns: list[str] | None = None
    judged: set[tuple[str, ...]] = set()
    for number, (line, row) in enumerate(numbered_lines(path, bad)):
        if not row.strip():
            continue
        if number == 0 and "query-id" in row:
            columns = row.strip().split("\t")
            if columns[:3] != ["query-id", "corpus-id", "score"] or columns[3:] not in ([], ["language"]):
                problem = f"the columns are {', '.join(columns)}"
                raise BadRow(path, line, None, problem, "write `query-id TAB corpus-id TAB score`")
            continue
        cells = row.split("\t") if columns else row.split()
        try:
            if len(cells) != (len(columns) if columns else 4):
                remedy = "write `topic Q0 docid grade`, or BEIR's header `query-id TAB corpus-id TAB score`"
                if columns:
                    remedy = f"write {len(columns)}, as the first line has"
                raise BadRow(path, line, None, f"{len(cells)} columns", remedy)
            topic, docid, grade, language = (
                (*cells, "")[:4] if columns else (cells[0], cells[2], cells[3], "")
            )
            if (topic, docid, language) in judged:
                raise BadRow(path, line, "docid", f"{docid!r} is judged twice for {topic!r}", "remove one")
            if not grade.removeprefix("-").isdecimal():
                raise BadRow(path, line, "grade", f"{grade!r} is no whole number", "write 0 or 1")
        except BadRow as error:
            bad.add(error)
            continue
        judged.add((topic, docid, language))
        yield line, topic, docid, int(grade), language


def passages(language: str, path: Path, bad: BadRows) -> Iterator[tuple[int, str, str, str]]:
    """(line, language, docid, text) of every sound row {docid, title, text}, as MIRACL publishes them."""
    with progress(None, f"unpacking {path.name}", "passages") as bar:
        for line, row in json_lines(path, bad):
            bar.update()
            try:
                check_fields(row, {"docid", "title", "text"}, set(), path, line)
                docid = check_id(row["docid"], path, line, "docid")
                text = titled(row, path, line)
            except BadRow as error:
                bad.add(error)
            else:
                yield line, language, docid, text


def titled(row: Mapping[str, Any], path: Path, line: int) -> str:
    """The text of a row with its title before it, where it has one, and a line break between.

    That is what MIRACL's own baselines index (Pyserini; to the tokenizers of multilingual encoders a line break is a
    space).
    """
    text = check_text(row["text"], path, line, "text")
    if row.get("title") in ("", None):
        return text
    return f"{check_text(row['title'], path, line, 'title')}\n{text}"


def check_id(value: object, path: Path, line: int, field: str) -> str:
    """The value, if it is text without a space: files of runs and judgements are parted by spaces."""
    text = check_text(value, path, line, field)
    if text.split() != [text]:
        raise BadRow(path, line, field, f"{text!r} has a space in it", "remove the space")
    return text
