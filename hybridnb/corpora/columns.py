"""Parallel query-passage pairs from tables: CSV (comma, semicolon or tab), Parquet, and directories of `datasets`.

An item a row, with a column for each language and side; an empty cell is no text:

    id,source,document,query_en,passage_en,query_de,passage_de

or a language a row, the rows of an item having one id:

    id,source,document,language,query,passage

or, in Parquet and `datasets`, the fields of `jsonl` as they are (id, src, q, p, ...). source and document may be
left out, and id where an item is a row: then the number of its line is its id.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hybridnb.corpora.jsonl import REQUIRED, Context, corpus_of
from hybridnb.corpora.languages import canonical
from hybridnb.corpora.lines import BadRow, BadRows, check_text, numbered_lines
from hybridnb.corpora.parallel import ParallelCorpus

TABLES = ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet"
"""How the names of tables end; a directory is one of Parquet files, or what `Dataset.save_to_disk` wrote."""

LONG = {"id", "language", "query", "passage"}
ABOUT = {"id", "source", "document"}
SIDES = {"query": "q", "passage": "p"}

Cells = dict[str, Any]


def is_table(folder: Path) -> bool:
    """Whether a directory is one of `datasets` or of Parquet files."""
    marks = (folder / "dataset_dict.json", folder / "state.json")
    return any(mark.is_file() for mark in marks) or any(folder.rglob("*.parquet"))


def read_table(path: str | Path, *, skip_bad: bool = False, context: Context = "never") -> ParallelCorpus:
    """The corpus of a table, as the module says.

    Args:
        path: CSV or Parquet file, or a directory.
        skip_bad: As of `jsonl.read_jsonl`.
        context: As of `jsonl.read_jsonl`, for tables with its fields.

    Raises:
        BadRow: The first bad row (a ValueError), with file, line (of Parquet: row) and column.
        ValueError: No sound row at all, or the table is none.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     file = Path(directory) / "faq.csv"
        ...     _ = file.write_text("query_en,passage_en,query_de,passage_de\\nWhy?,So.,,\\nHow?,Thus.,Wie?,So.\\n")
        ...     corpus = read_table(file)
        >>> corpus.name, [item.id for item in corpus.items], corpus[1].queries
        ('faq', ['2', '3'], {'de': 'Wie?', 'en': 'How?'})
    """
    path = Path(path)
    bad = BadRows(skip=skip_bad)
    columns, rows = table_rows(path, bad)
    if "q" in columns or "p" in columns:
        found: Iterator[tuple[int, Cells]] = ((line, _without_nulls(cells)) for line, cells in rows)
    elif "language" in columns:
        found = _long(path, columns, rows, bad)
    else:
        found = _wide(path, columns, rows, bad)
    return corpus_of(path, found, bad, name=_name(path), context=context)


def table_rows(path: Path, bad: BadRows) -> tuple[list[str], Iterator[tuple[int, Cells]]]:
    """The columns of a table, and (line, of Parquet: row, from 1; column -> cell) of each row; see `read_table`."""
    return _arrow_rows(path) if path.is_dir() or path.suffix == ".parquet" else _csv_rows(path, bad)


def _wide(
    path: Path, columns: Sequence[str], rows: Iterator[tuple[int, Cells]], bad: BadRows
) -> Iterator[tuple[int, Cells]]:
    """Rows of one item each, in the fields of `jsonl`."""
    texts: dict[tuple[str, str], str] = {}
    for column in columns:
        side, _, code = column.partition("_")
        if column in ABOUT:
            continue
        if side not in SIDES or not code:
            known = (
                "id, source, document, query_LANGUAGE and passage_LANGUAGE, or id, language, query, passage"
            )
            raise BadRow(path, 1, column, "not a known column", f"rename or remove it (known: {known})")
        if (other := texts.setdefault((side, _code(code, path, 1, column)), column)) != column:
            raise BadRow(path, 1, column, f"the same language as {other}", "keep one of them")
    sides = {side: {code for of_side, code in texts if of_side == side} for side in SIDES}
    remedy = "give each language two columns, query_LANGUAGE and passage_LANGUAGE"
    if not texts:
        raise BadRow(path, 1, None, "no column of texts", remedy)
    for code in sorted(sides["query"] ^ sides["passage"]):
        lacks, has = ("passage", "query") if code in sides["query"] else ("query", "passage")
        raise BadRow(path, 1, f"{lacks}_{code}", f"missing, though there is {has}_{code}", remedy)
    for line, cells in rows:
        item: Cells = {"q": {}, "p": {}}
        try:
            for code in sorted(sides["query"]):
                pair = {side: texts[side, code] for side in SIDES}
                if any(_filled(cells[column]) for column in pair.values()):
                    for side, column in pair.items():
                        said = column.removeprefix(f"{side}_")
                        item[SIDES[side]][said] = check_text(cells[column], path, line, column)
            if not item["q"]:
                raise BadRow(path, line, None, "no text in any language", "give it one or remove the row")
        except BadRow as error:
            bad.add(error)
        else:
            yield line, {**_about(path, cells, cells.get("id") or line), **item}


def _long(
    path: Path, columns: Sequence[str], rows: Iterator[tuple[int, Cells]], bad: BadRows
) -> Iterator[tuple[int, Cells]]:
    """Items out of rows of one language each, in the fields of `jsonl`; the line of an item is that of its first."""
    for column in columns:
        if column not in LONG | ABOUT:
            known = ", ".join(sorted(LONG | ABOUT))
            raise BadRow(path, 1, column, "not a known column", f"rename or remove it (known: {known})")
    for column in sorted(LONG - set(columns)):
        raise BadRow(path, 1, column, "missing", "give every row id, language, query and passage")
    items: dict[str, tuple[int, Cells]] = {}
    for line, cells in rows:
        try:
            name = check_text(_text(cells["id"]), path, line, "id")
            code = check_text(cells["language"], path, line, "language").strip()
            _code(code, path, line, "language")
            pair = {side: check_text(cells[side], path, line, side) for side in SIDES}
            first, item = items.setdefault(name, (line, {**_about(path, cells, name), "q": {}, "p": {}}))
            if code in item["q"]:
                problem = f"item {name!r} has {code} already; it begins on line {first}"
                raise BadRow(path, line, "language", problem, "give another item another id")
            for side, text in pair.items():
                item[SIDES[side]][code] = text
        except BadRow as error:
            bad.add(error)
    yield from items.values()


def _about(path: Path, cells: Cells, name: object) -> Cells:
    """id and src, and doc where the table says it."""
    about = {"id": _text(name), "src": _text(cells.get("source")) or _name(path)}
    return {**about, "doc": _text(cells["document"])} if _filled(cells.get("document")) else about


def _csv_rows(path: Path, bad: BadRows) -> tuple[list[str], Iterator[tuple[int, Cells]]]:
    """The columns, and (line of its beginning, column -> text) of each row."""
    lines = (f"{line}\n" for _, line in numbered_lines(path, bad))
    head = next(lines, "")
    delimiter = max(",;\t", key=head.count)
    columns = [column.strip() for column in next(csv.reader([head], delimiter=delimiter), [])]
    for column in columns:
        if not column or columns.count(column) > 1:
            problem = "a column of this name is there twice" if column else "a column has no name"
            raise BadRow(path, 1, column or None, problem, "write the names of the columns in the first line")
    csv.field_size_limit(1 << 30)

    def rows() -> Iterator[tuple[int, Cells]]:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            line = reader.line_num + 2
            try:
                cells = next(reader, None)
                if cells is None:
                    return
                if cells and len(cells) != len(columns):
                    problem = f"has {len(cells)} cells, not {len(columns)} as the first line"
                    raise BadRow(path, line, None, problem, "quote texts that have the delimiter in them")
            except csv.Error as error:
                bad.add(BadRow(path, line, None, f"not a CSV row ({error})", "double the quotes in a text"))
            except BadRow as error:
                bad.add(error)
            else:
                if cells:  # no blank line
                    yield line, dict(zip(columns, cells, strict=True))

    return columns, rows()


def _arrow_rows(path: Path) -> tuple[list[str], Iterator[tuple[int, Cells]]]:
    """The columns, and (number from 1, column -> value) of each row."""
    import datasets
    from pyarrow import parquet

    if (path / "dataset_dict.json").is_file():
        splits = sorted(part.name for part in path.iterdir() if part.is_dir())
        raise ValueError(f"{path} has the splits {', '.join(splits)}: name one of them, {path / splits[0]}")
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    if path.is_dir() and not is_table(path):
        raise ValueError(f"{path} is no directory of `Dataset.save_to_disk` and has no Parquet files")
    try:
        tables = [parquet.read_table(file) for file in files] or [datasets.load_from_disk(str(path)).data]
        rows = [row for table in tables for row in table.to_pylist()]
    except Exception as error:  # whatever a library makes of a damaged file
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path}: not a table ({why}); write it again") from None
    return tables[0].column_names, iter(enumerate(rows, 1))


def _without_nulls(cells: Cells) -> Cells:
    """The fields of `jsonl`: Arrow has every language in every row, null where there is no text."""
    kept = {key: value for key, value in cells.items() if value is not None or key in REQUIRED}
    for field in {"q", "p", "c"} & kept.keys():
        if isinstance(kept[field], Mapping):
            kept[field] = {code: text for code, text in kept[field].items() if text is not None}
    return kept


def _code(code: str, path: Path, line: int, column: str) -> str:
    try:
        return canonical(code)
    except ValueError:
        problem = f"{code!r} is no language code"
        raise BadRow(path, line, column, problem, 'use codes like "en", "zh-Hant"') from None


def _filled(cell: object) -> bool:
    return cell is not None and bool(str(cell).strip())


def _text(cell: object) -> str:
    """Of what is text, or a number of an id."""
    return "" if cell is None else str(cell).strip()


def _name(path: Path) -> str:
    name = path.name
    for ending in TABLES:
        name = name.removesuffix(ending)
    return name
