"""Line-based files, plain or gzipped, with errors that name file, line and field.

Every reader of lines goes the same way:

    bad = BadRows(skip=skip_bad)
    for number, row in json_lines(path, bad):
        try:
            check_fields(row, {"id", "text"}, set(), path, number)
            texts.append(check_text(row["text"], path, number, "text"))
        except BadRow as error:
            bad.add(error)  # raised again unless bad rows are to be skipped
    bad.warn()
"""

from __future__ import annotations

import gzip
import json
import os
import warnings
import zlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

SKIP_BAD = "HYBRIDNB_SKIP_BAD"
"""What `hybridnb run --skip-bad` tells its notebooks by."""

GZIP = b"\x1f\x8b"
FOREIGN = {
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"PK\x03\x04": "a zip file",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"\xfd7zXZ": "an xz file",
    b"BZh": "a bzip2 file",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"\x89HDF": "an HDF5 file",
}
"""First bytes of what is taken for lines by mistake."""
CHUNK = 1 << 20


class BadRow(ValueError):
    """One row that cannot be used: "FILE, line N, field F: what is wrong; remedy".

    line counts from 1; line and field are None where the trouble is not with one of them.
    """

    def __init__(
        self, path: str | Path, line: int | None, field: str | None, problem: str, remedy: str
    ) -> None:
        where = str(path)
        if line is not None:
            where += f", line {line}"
        if field is not None:
            where += f", field {field}"
        super().__init__(f"{where}: {problem}; {remedy}")
        self.path = str(path)
        self.line = line
        self.field = field
        self.problem = problem
        self.remedy = remedy


class BadRowsWarning(UserWarning):
    """Rows were skipped; `rows` has them all, the message the count and the first few."""

    def __init__(self, report: str, rows: Sequence[BadRow]) -> None:
        super().__init__(report)
        self.rows = tuple(rows)


class BadRows:
    """The bad rows met by a reader. skip, or HYBRIDNB_SKIP_BAD=1: collect them; otherwise the first one is raised."""

    def __init__(self, *, skip: bool) -> None:
        self.skip = skip or os.environ.get(SKIP_BAD) == "1"
        self.rows: list[BadRow] = []

    def add(self, error: BadRow) -> None:
        """Record the error, or raise it where bad rows are not to be skipped."""
        if not self.skip:
            error.args = (f"{error} (--skip-bad, in Python skip_bad=True, leaves such rows out)",)
            raise error
        self.rows.append(error)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[BadRow]:
        return iter(self.rows)

    def report(self, first: int = 5) -> str:
        """The count and the first few, one a line; "" where there are none."""
        if not self.rows:
            return ""
        lines = [f"{len(self.rows)} bad row{'s' if len(self.rows) > 1 else ''} skipped:"]
        lines += [f"  {error}" for error in self.rows[:first]]
        if len(self.rows) > first:
            lines.append(f"  ... and {len(self.rows) - first} more")
        return "\n".join(lines)

    def warn(self) -> None:
        """Issue the report as a BadRowsWarning, where there is anything to report."""
        if self.rows:
            warnings.warn(BadRowsWarning(self.report(), self.rows), stacklevel=3)


RAISE = BadRows(skip=False)


def numbered_lines(path: str | Path, bad: BadRows = RAISE) -> Iterator[tuple[int, str]]:
    """(line number from 1, decoded line without its end) of a UTF-8 file, gzipped or not.

    Gzip is known by its first bytes, not by the name; what follows its end is ignored, as gzip itself does, with a
    warning. A byte order mark is no part of the first line. Only "\\n" (and "\\r\\n") ends a line.

    Raises:
        BadRow: A line that is not UTF-8; a gzip that is cut off or damaged (its readable lines come first).
        ValueError: A file of another kind (Parquet, zip, ...), with or without `bad.skip`.
    """
    path = Path(path)
    number = 0
    try:
        for number, data in enumerate(_lines(path), 1):
            try:
                yield number, data.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r")
            except UnicodeDecodeError as error:
                problem = f"not UTF-8 (byte {data[error.start]:#04x} at {error.start})"
                bad.add(BadRow(path, number, None, problem, "convert the file with `iconv -t UTF-8`"))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        what = "ends too early" if isinstance(error, EOFError) else "is damaged"
        bad.add(BadRow(path, number + 1, None, f"the gzip {what} ({error})", "fetch the file again"))


def _lines(path: Path) -> Iterator[bytes]:
    """Each line without its "\\n"; errors as `_unzipped`."""
    with path.open("rb") as raw:
        start = raw.peek(8)[:8]
        for magic, kind in FOREIGN.items():
            if start.startswith(magic):
                raise ValueError(
                    f"{path} is {kind}, not lines of UTF-8 text (plain or gzipped): convert it first"
                )
        rest = b""
        for block in _unzipped(raw, path) if start.startswith(GZIP) else iter(lambda: raw.read(CHUNK), b""):
            *lines, rest = (rest + block).split(b"\n")
            yield from lines
        if rest:
            yield rest


def _unzipped(raw: IO[bytes], path: Path) -> Iterator[bytes]:
    """What is in a gzip file. EOFError: it is cut off. BadGzipFile, zlib.error: it is damaged."""
    stream = gzip.GzipFile(fileobj=raw)
    try:
        while block := stream.read1(CHUNK):
            yield block
    except gzip.BadGzipFile as error:
        if not str(error).startswith("Not a gzipped file"):
            raise
        # the first member was one, or we were not here
        warnings.warn(f"{path}: what follows the end of the gzip data is ignored", stacklevel=2)


def json_lines(path: str | Path, bad: BadRows = RAISE) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number from 1, object) of a JSONL file, gzipped or not; blank lines are passed over.

    BadRow: what `numbered_lines` finds; a line that is not JSON, not an object, or repeats a key.
    """
    for number, line in numbered_lines(path, bad):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=_without_repeats)
            if not isinstance(row, dict):
                raise ValueError(f"a {type(row).__name__}, not an object")
        except (ValueError, RecursionError) as error:
            bad.add(BadRow(path, number, None, f"not a JSON row ({error})", "write one object a line"))
        else:
            yield number, row


def first_fields(path: Path) -> set[str]:
    """The fields of the first sound row of a JSONL file; none where there is no such row."""
    return next((set(row) for _, row in json_lines(path, BadRows(skip=True))), set())


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(k for k in keys if keys.count(k) > 1)!r} is there twice")
    return row


def check_fields(
    row: Collection[str], required: set[str], optional: set[str], path: str | Path, line: int | None
) -> None:
    """BadRow for the first required field that is missing or the first field that is not known."""
    for field in sorted(required.difference(row)):
        raise BadRow(path, line, field, "missing", f"give every row {', '.join(sorted(required))}")
    for field in sorted(set(row) - required - optional):
        known = ", ".join(sorted(required | optional))
        raise BadRow(path, line, field, "not a known field", f"rename or remove it (known: {known})")


def check_text(value: object, path: str | Path, line: int | None, field: str | None) -> str:
    """The value, if it is text with something in it that can be encoded; BadRow otherwise."""
    if not isinstance(value, str):
        problem = f"is {type(value).__name__}, not text"
    elif not value.strip():
        problem = "is empty"
    elif not _encodable(value):
        problem = "has half a surrogate pair, which is no character"
    else:
        return value
    raise BadRow(path, line, field, problem, "give a non-empty string or remove the row")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
