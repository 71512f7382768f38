"""Parallel query-passage pairs from JSONL (.jsonl or .jsonl.gz): one's own data, and opendocs.

A row:

    {"id": "guide/install.md#3", "src": "guide",
     "q": {"en": "Installing on Windows", "de": "Installation unter Windows"},
     "p": {"en": "Download the installer ...", "de": "Laden Sie ..."},
     "c": {"en": "Getting started", "de": "Erste Schritte"}, "k": "q", "doc": "guide/install.md"}

    id   unique text; up to its last "#" it names the document, which a split keeps together
    src  the collection the row is from; sources can be weighted and left out
    q    query by language code (ISO 639, "en", "zh-Hant"); p: passage, in the same languages
    c    optional: title of the page, by language, where the query is a heading of it; may be empty
    k    optional: "q" where the query is a question and stands by itself
    doc  optional: the document, where the id does not tell it
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from hybridnb.corpora.lines import BadRow, BadRows, check_fields, check_text, json_lines
from hybridnb.corpora.parallel import Item, ParallelCorpus
from hybridnb.corpora.source import Home, Remote

REQUIRED = {"id", "src", "q", "p"}
OPTIONAL = {"c", "k", "doc"}
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")

Context = Literal["never", "half", "always"]

OPENDOCS = Home(
    "opendocs",
    "none (take mMARCO or any JSONL of this schema in its place)",
    (
        Remote(
            "opendocs/train.jsonl.gz",
            None,
            11_612_620,
            "sha256:104b8d64fe327bfdd653814960e9745ba09656c36d331671e1dfcc7a44690167",
        ),
    ),
)


def read_jsonl(
    path: str | Path,
    *,
    languages: Collection[str] | None = None,
    skip_bad: bool = False,
    name: str | None = None,
    context: Context = "never",
    exclude_sources: Collection[str] = (),
) -> ParallelCorpus:
    """The corpus of a JSONL file of the schema above.

    languages: keep only these; items with no text in them are left out.
    skip_bad: leave bad rows out, with a BadRowsWarning (count, first few, `rows`), instead of raising.
    name: of the corpus; the file's by default.
    context: put the page title before a heading ("Title: Heading") never, always, or for the half of the
        items that a hash of the id picks. Questions (k = "q") stay as they are.
    exclude_sources: values of `src` to leave out.

    BadRow (a ValueError): the first bad row, with file, line and field. ValueError: a language or source that
    no row has, or no item left.
    """
    path = Path(path)
    if context not in ("never", "half", "always"):
        raise ValueError(f"context is {context!r}; it must be never, half or always")
    bad = BadRows(skip=skip_bad)
    items: list[Item] = []
    line_of: dict[str, int] = {}
    sources: set[str] = set()
    seen_languages: set[str] = set()
    for number, row in json_lines(path, bad):
        try:
            item = _item(row, path, number, context)
            if item.id in line_of:
                problem = f"{item.id!r} is there already, on line {line_of[item.id]}"
                raise BadRow(path, number, "id", problem, "give every row its own id")
        except BadRow as error:
            bad.add(error)
            continue
        line_of[item.id] = number
        sources.add(item.source)
        seen_languages.update(item.queries)
        if item.source not in exclude_sources and (kept := in_languages(item, languages)):
            items.append(kept)
    bad.warn()
    _all_there(path, "language", languages or (), seen_languages)
    _all_there(path, "source", exclude_sources, sources)
    if not items:
        raise ValueError(f"{path}: no item is left; check the file, the languages and the excluded sources")
    return ParallelCorpus(name or path.name.removesuffix(".gz").removesuffix(".jsonl"), items)


def _item(row: Mapping[str, Any], path: Path, line: int, context: Context) -> Item:
    """The item of a row with all its languages; BadRow where the row is not of the schema."""
    check_fields(row, REQUIRED, OPTIONAL, path, line)
    row_id = check_text(row["id"], path, line, "id")
    source = check_text(row["src"], path, line, "src")
    kind = check_text(row["k"], path, line, "k") if "k" in row else None
    document = check_text(row["doc"], path, line, "doc") if "doc" in row else row_id.rsplit("#", 1)[0]
    queries = _texts(row, "q", path, line)
    passages = _texts(row, "p", path, line)
    for code in sorted(queries.keys() ^ passages.keys()):
        lacks, has = ("p", "q") if code in queries else ("q", "p")
        problem = f"missing, though {has} has {code}"
        raise BadRow(path, line, f"{lacks}.{code}", problem, "give q and p the same languages")
    titles = _texts(row, "c", path, line, may_be_empty=True) if "c" in row else {}
    if kind != "q" and (context == "always" or (context == "half" and _picked(row_id))):
        queries = {
            code: f"{title}: {text}" if (title := titles.get(code, "").strip()) else text
            for code, text in queries.items()
        }
    return Item(row_id, source, document, queries, passages)


def _texts(
    row: Mapping[str, Any], field: str, path: Path, line: int, *, may_be_empty: bool = False
) -> dict[str, str]:
    """The texts by language of one field."""
    texts = row[field]
    if not isinstance(texts, dict) or not (texts or may_be_empty):
        problem = "is empty" if texts == {} else f"is {type(texts).__name__}, not an object"
        raise BadRow(path, line, field, problem, 'give {"language": "text"}')
    for code, text in texts.items():
        if not LANGUAGE.fullmatch(code):
            raise BadRow(path, line, f"{field}.{code}", "no language code", 'use codes like "en", "zh-Hant"')
        if not (may_be_empty and text == ""):
            check_text(text, path, line, f"{field}.{code}")
    return texts


def in_languages(item: Item, languages: Collection[str] | None) -> Item | None:
    """The item in these languages only; None where it has no text in them."""
    if languages is None:
        return item
    queries = {code: text for code, text in item.queries.items() if code in languages}
    passages = {code: text for code, text in item.passages.items() if code in languages}
    return Item(item.id, item.source, item.document, queries, passages) if queries else None


def _picked(row_id: str) -> bool:
    """True for half of the ids."""
    return hashlib.sha256(f"context\t{row_id}".encode()).digest()[0] % 2 == 0


def _all_there(path: Path, what: str, asked: Collection[str], there: Collection[str]) -> None:
    if absent := sorted(set(asked) - set(there)):
        raise ValueError(f"{path}: no row has the {what} {absent[0]!r}; it has {', '.join(sorted(there))}")
