"""What takes minutes to make of large files: made once, whole, in the cache, and mapped from there.

It is found by the content of the files it was made of, wherever they lie and whenever they were written.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import overload

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from hybridnb.corpora.lines import BadRow, BadRows
from hybridnb.corpora.source import digest
from hybridnb.files import atomic, read_json, sha256_of, write_json
from hybridnb.places import cache_directory

BATCH = 10_000  # rows of a batch of an Arrow file
FORMAT = 2  # of what is in the cache

Reader = Callable[[Path, BadRows], Iterator[tuple[int, str, str]]]
"""(line, key, text) of every sound row of a file; the others are added to the BadRows."""


def made_once(kind: str, files: Sequence[Path], make: Callable[[Path, BadRows], None], bad: BadRows) -> Path:
    """The folder in the cache that `make(folder, bad)` fills from these files, once for their content.

    Args:
        kind: Names what is made.
        files: All that it is made of.
        make: Fills an empty folder.
        bad: Gets the bad rows, which are kept with the folder, each time. Whether they are skipped is a part
            of what is made.
    """
    key = sha256_of([FORMAT, kind, bad.skip, [digest(file) for file in files]])[:32]
    folder = cache_directory() / "tables" / key
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):  # two processes that want the same shall not both read for minutes
        if not folder.is_dir():
            found = BadRows(skip=bad.skip)
            with atomic(folder) as part:
                part.mkdir()
                make(part, found)
                paths = [str(file) for file in files]
                rows = [
                    [paths.index(row.path), row.line, row.field, row.problem, row.remedy] for row in found
                ]
                write_json(part / "bad.json", rows)
    for number, *rest in read_json(folder / "bad.json"):
        bad.add(BadRow(files[number], *rest))
    return folder


class Texts(Sequence[str]):
    """The texts of files too large for memory, in an Arrow table (library `datasets`) mapped from the cache.

    Args:
        kind: Names what the files are.
        files: Read one after the other.
        read: Yields the rows of one file.
        bad: Gets the bad rows; a key that is there already is one.

    `sha256` is of all keys and texts in order.
    """

    def __init__(self, kind: str, files: Sequence[Path], read: Reader, bad: BadRows) -> None:
        from datasets import Dataset

        folder = made_once(kind, files, partial(_write, files, read), bad)
        self.sha256: str = read_json(folder / "about.json")["sha256"]
        table = Dataset.from_file(str(folder / "rows.arrow")).data
        # the columns themselves: a row read through the Dataset takes many times as long
        self._keys, self._texts = table.column("key"), table.column("text")

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            texts: list[str] = self._texts.take(np.arange(len(self))[row]).to_pylist()
            return texts
        text: str = self._texts[int(row)].as_py()
        return text

    def key(self, row: int) -> str:
        """The key of a row."""
        key: str = self._keys[row].as_py()
        return key

    def rows(self, keys: Iterable[str]) -> dict[str, int]:
        """key -> row, of those that are here."""
        import pyarrow as pa
        from pyarrow import compute

        wanted = compute.is_in(self._keys, pa.array(sorted(keys), pa.string()))
        return {self.key(row): row for row in np.flatnonzero(wanted.to_numpy()).tolist()}


def _write(files: Sequence[Path], read: Reader, folder: Path, bad: BadRows) -> None:
    """Write rows.arrow and about.json."""
    from datasets import Dataset

    places = array("q"), array("q")
    keys, sha256 = _write_rows(folder / "rows.arrow", _placed(files, read, bad, *places))
    order = np.argsort(keys, kind="stable")
    repeated = np.sort(order[1:][keys[order[1:]] == keys[order[:-1]]])
    for row in repeated.tolist():
        problem = "is that of an earlier row"
        bad.add(BadRow(files[places[0][row]], places[1][row], "docid", problem, "give every row its own"))
    if len(repeated):
        every = Dataset.from_file(str(folder / "rows.arrow"))
        kept = every.select(np.delete(np.arange(len(every)), repeated))
        _, sha256 = _write_rows(folder / "kept.arrow", ((row["key"], row["text"]) for row in kept))
        (folder / "kept.arrow").replace(folder / "rows.arrow")
    write_json(folder / "about.json", {"files": [str(file) for file in files], "sha256": sha256})


def _placed(
    files: Sequence[Path], read: Reader, bad: BadRows, numbers: array[int], lines: array[int]
) -> Iterator[tuple[str, str]]:
    """(key, text) of every row of every file; where it is from is appended to the arrays."""
    for number, file in enumerate(files):
        for line, key, text in read(file, bad):
            numbers.append(number)
            lines.append(line)
            yield key, text


def _write_rows(path: Path, rows: Iterator[tuple[str, str]]) -> tuple[NDArray[np.uint64], str]:
    """Write an Arrow file of (key, text); 64 bits that stand for each key, and the sha256 of the rows."""
    import pyarrow as pa
    from datasets.arrow_writer import ArrowWriter

    schema = pa.schema({"key": pa.string(), "text": pa.string()})
    made = hashlib.sha256()
    numbers = array("Q")
    with ArrowWriter(path=str(path), schema=schema) as writer:
        while batch := list(islice(rows, BATCH)):
            keys, texts = map(list, zip(*batch, strict=True))
            writer.write_table(pa.table([keys, texts], schema=schema))
            made.update(json.dumps(batch, ensure_ascii=False).encode())
            numbers.extend(_number(key) for key in keys)
        writer.finalize()
    return np.array(numbers, dtype=np.uint64), made.hexdigest()


def _number(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")
