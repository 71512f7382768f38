"""Parallel query-passage pairs from JSONL (.jsonl or .jsonl.gz): one's own data, and opendocs.

A row:

    {"id": "guide/install.md#3", "src": "guide",
     "q": {"en": "Installing on Windows", "de": "Installation unter Windows"},
     "p": {"en": "Download the installer ...", "de": "Laden Sie ..."},
     "c": {"en": "Getting started", "de": "Erste Schritte"}, "k": "q", "doc": "guide/install.md"}

    id   unique text; up to its last "#" it names the document, which a split keeps together
    src  the collection the row is from; sources can be weighted and left out
    q    query by language code (BCP 47, "en", "zh-Hant", see `languages.canonical`); p: passage, in the same
         languages
    c    optional: title of the page, by language, where the query is a heading of it; may be empty
    k    optional: "q" where the query is a question and stands by itself
    doc  optional: the document, where the id does not tell it
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from hybridnb.corpora.languages import canonical, say_mapped
from hybridnb.corpora.lines import BadRow, BadRows, check_fields, check_text, json_lines
from hybridnb.corpora.parallel import Item, ParallelCorpus

REQUIRED = {"id", "src", "q", "p"}
OPTIONAL = {"c", "k", "doc"}

Context = Literal["never", "half", "always"]


@dataclass(frozen=True)
class Row:
    """What a row says: its item, the titles of its page, and whether the query is a heading of it."""

    item: Item
    titles: Mapping[str, str]
    is_heading: bool

    @classmethod
    def of(cls, row: Mapping[str, Any], path: Path, line: int, mapped: dict[str, str]) -> Row:
        """The row of a JSON object; BadRow where it is not of the schema. `mapped` gets code -> canonical code."""
        check_fields(row, REQUIRED, OPTIONAL, path, line)
        row_id = check_text(row["id"], path, line, "id")
        source = check_text(row["src"], path, line, "src")
        kind = row.get("k")
        if kind not in (None, "q"):
            raise BadRow(path, line, "k", f"is {kind!r}", 'write "q" where the query is a question')
        document = check_text(row["doc"], path, line, "doc") if "doc" in row else row_id.rsplit("#", 1)[0]
        queries = texts_of(row, "q", path, line, mapped)
        passages = texts_of(row, "p", path, line, mapped)
        for code in sorted(queries.keys() ^ passages.keys()):
            lacks, has = ("p", "q") if code in queries else ("q", "p")
            problem = f"missing, though {has} has {code}"
            raise BadRow(path, line, f"{lacks}.{code}", problem, "give q and p the same languages")
        titles = texts_of(row, "c", path, line, mapped, may_be_empty=True) if "c" in row else {}
        return cls(Item(row_id, source, document, queries, passages), titles, kind != "q")


def read_jsonl(
    path: str | Path, *, skip_bad: bool = False, name: str | None = None, context: Context = "never"
) -> ParallelCorpus:
    """The corpus of a JSONL file of the schema above.

    Args:
        path: The file; gzip is known by its content.
        skip_bad: Leave bad rows out, with a BadRowsWarning (count, first few, `rows`), instead of raising.
        name: Of the corpus; the file's by default.
        context: Put the page title before a heading ("Title: Heading") never, always, or for the half of the
            items that a hash of the id picks. Questions (k = "q") stay as they are.

    Raises:
        BadRow: The first bad row (a ValueError), with file, line and field.
        ValueError: No sound row at all.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     file = Path(directory) / "mine.jsonl"
        ...     _ = file.write_text('{"id": "a#1", "src": "s", "q": {"en": "Why?"}, "p": {"en": "So."}}')
        ...     corpus = read_jsonl(file)
        >>> corpus.name, corpus[0].document, corpus[0].queries
        ('mine', 'a', {'en': 'Why?'})
    """
    path = Path(path)
    bad = BadRows(skip=skip_bad)
    name = name or path.name.removesuffix(".gz").removesuffix(".jsonl")
    return corpus_of(path, json_lines(path, bad), bad, name=name, context=context)


def corpus_of(
    path: Path, rows: Iterable[tuple[int, Mapping[str, Any]]], bad: BadRows, *, name: str, context: Context
) -> ParallelCorpus:
    """The corpus of (line, fields) of a file; the other arguments as of `read_jsonl`, and so are the errors."""
    if context not in get_args(Context):
        raise ValueError(f"context is {context!r}; it must be never, half or always")
    items: list[Item] = []
    line_of: dict[str, int] = {}
    mapped: dict[str, str] = {}
    for number, fields in rows:
        try:
            row = Row.of(fields, path, number, mapped)
            if (first := line_of.setdefault(row.item.id, number)) != number:
                problem = f"{row.item.id!r} is there already, on line {first}"
                raise BadRow(path, number, "id", problem, "give every row its own id")
        except BadRow as error:
            bad.add(error)
        else:
            items.append(with_title(row, context))
    bad.warn()
    say_mapped(path, mapped)
    if not items:
        raise ValueError(f"{path}: no row in it; write one item a row")
    return ParallelCorpus(name, items)


def with_title(row: Row, context: Context) -> Item:
    """The row's item, the titles of its page before its headings where the context asks for it."""
    item = row.item
    picked = context == "always" or (context == "half" and _in_first_half(item.id))
    if not (row.is_heading and picked):
        return item
    titles = {code: title.strip() for code, title in row.titles.items()}
    queries = {
        code: f"{titles[code]}: {text}" if titles.get(code) else text for code, text in item.queries.items()
    }
    return replace(item, queries=queries)


def texts_of(
    row: Mapping[str, Any],
    field: str,
    path: Path,
    line: int,
    mapped: dict[str, str],
    *,
    may_be_empty: bool = False,
) -> dict[str, str]:
    """The texts of one field, by canonical code."""
    texts = row[field]
    if not isinstance(texts, dict) or not (texts or may_be_empty):
        problem = "is empty" if texts == {} else f"is {type(texts).__name__}, not an object"
        raise BadRow(path, line, field, problem, 'give {"language": "text"}')
    found: dict[str, str] = {}
    for code, text in texts.items():
        try:
            language = canonical(code)
        except ValueError:
            problem = "no language code"
            raise BadRow(path, line, f"{field}.{code}", problem, 'use codes like "en", "zh-Hant"') from None
        if language in found:
            problem = f"{language} is there already, under another code"
            raise BadRow(path, line, f"{field}.{code}", problem, "keep one of them")
        found[language] = (
            text if may_be_empty and text == "" else check_text(text, path, line, f"{field}.{code}")
        )
        mapped[code] = language
    return found


def _in_first_half(row_id: str) -> bool:
    """True for half of the ids, whatever stands around them."""
    return hashlib.sha256(f"context\t{row_id}".encode()).digest()[0] % 2 == 0
