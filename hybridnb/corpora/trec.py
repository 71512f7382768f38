"""Topics, judgements and passages in the forms of TREC and of MIRACL, plain or gzipped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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


def qrels(path: Path, bad: BadRows) -> Iterator[tuple[int, str, str, int]]:
    """(line, topic, docid, grade) of lines `topic Q0 docid grade`."""
    judged: set[tuple[str, str]] = set()
    for line, row in numbered_lines(path, bad):
        if not row.strip():
            continue
        try:
            columns = row.split()
            if len(columns) != 4:
                problem = f"{len(columns)} columns"
                raise BadRow(path, line, None, problem, "write `topic Q0 docid grade`")
            topic, _, docid, grade = columns
            if (topic, docid) in judged:
                raise BadRow(path, line, "docid", f"{docid!r} is judged twice for {topic!r}", "remove one")
            if not grade.removeprefix("-").isdecimal():
                raise BadRow(path, line, "grade", f"{grade!r} is no whole number", "write 0 or 1")
        except BadRow as error:
            bad.add(error)
            continue
        judged.add((topic, docid))
        yield line, topic, docid, int(grade)


def passages(language: str, path: Path, bad: BadRows) -> Iterator[tuple[int, str, str, str]]:
    """(line, language, docid, text) of every sound row {docid, title, text}.

    Title and text together, with a line break between, are what MIRACL's own baselines index (Pyserini; to the
    tokenizers of multilingual encoders a line break is a space).
    """
    with progress(None, f"unpacking {path.name}", "passages") as bar:
        for line, row in json_lines(path, bad):
            bar.update()
            try:
                check_fields(row, {"docid", "title", "text"}, set(), path, line)
                docid = check_id(row["docid"], path, line, "docid")
                text = check_text(row["text"], path, line, "text")
                title = check_text(row["title"], path, line, "title") if row["title"] != "" else ""
            except BadRow as error:
                bad.add(error)
            else:
                yield line, language, docid, f"{title}\n{text}" if title else text


def check_id(value: object, path: Path, line: int, field: str) -> str:
    """The value, if it is text without a space: files of runs and judgements are parted by spaces."""
    text = check_text(value, path, line, field)
    if text.split() != [text]:
        raise BadRow(path, line, field, f"{text!r} has a space in it", "remove the space")
    return text
