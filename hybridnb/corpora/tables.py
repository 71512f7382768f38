"""What takes minutes to make of large files: made once, whole, in the cache, and mapped from there.

It is found by the content of the files it was made of, wherever they lie and whenever they were written.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
from filelock import FileLock

from hybridnb.corpora.lines import BadRow, BadRows
from hybridnb.corpora.source import digest
from hybridnb.files import atomic, read_json, sha256_of, write_json
from hybridnb.places import cache_directory

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 10_000  # rows of a batch of an Arrow file
FORMAT = 3  # of what is in the cache

Reader = Callable[[Path, BadRows], Iterator[tuple[int, str, str, str]]]
"""(line, language, id, text) of every sound row of a file; the others are added to the BadRows."""


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


class Strings(Sequence[str]):
    """A column of an Arrow table that is mapped from disk."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            start, stop, step = row.indices(len(self))
            if step == 1:  # read where it lies
                texts: list[str] = self._column.slice(start, max(stop - start, 0)).to_pylist()
            else:
                texts = self._column.take(np.arange(start, stop, step)).to_pylist()
            return texts
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        text: str = self._column[int(row) % len(self)].as_py()
        return text

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), BATCH):
            yield from self[start : start + BATCH]


class Texts(Strings):
    """Texts too large for memory, with their ids; `texts_by_language` makes them.

    Args:
        path: An Arrow file of the columns id and text.
        sha256: Of all ids and texts in order.
        characters: Of all texts together.
    """

    def __init__(self, path: Path, sha256: str, characters: int) -> None:
        import pyarrow as pa

        with pa.memory_map(str(path)) as mapped:
            table = pa.ipc.open_file(mapped).read_all()
        super().__init__(table.column("text"))
        self.ids = Strings(table.column("id"))
        self.sha256 = sha256
        self.characters = characters

    def rows(self, ids: Iterable[str]) -> dict[str, int]:
        """id -> row, of those that are here."""
        import pyarrow as pa
        from pyarrow import compute

        column = self.ids._column
        wanted = compute.is_in(column, pa.array(sorted(ids), pa.string()))
        return {self.ids[row]: row for row in np.flatnonzero(wanted.to_numpy()).tolist()}


def texts_by_language(kind: str, files: Sequence[Path], read: Reader, bad: BadRows) -> dict[str, Texts]:
    """Language -> the texts of files, read one after the other, in one pass for all languages.

    Args:
        kind: Names what the files are, and whatever `read` depends on beside them.
        files: Read one after the other.
        read: Yields the rows of one file.
        bad: Gets the bad rows; an id that is there already in its language is one.
    """
    folder = made_once(kind, files, partial(_write, files, read), bad)
    return {
        language: Texts(folder / f"{number}.arrow", sha256, characters)
        for number, (language, sha256, characters) in enumerate(read_json(folder / "about.json"))
    }


def _write(files: Sequence[Path], read: Reader, folder: Path, bad: BadRows) -> None:
    """Write 0.arrow, 1.arrow, ..., one a language, and about.json."""
    tables: dict[str, _Table] = {}
    for number, file in enumerate(files):
        for line, language, text_id, text in read(file, bad):
            if language not in tables:
                tables[language] = _Table(folder / f"{len(tables)}.arrow")
            tables[language].add(text_id, text, number, line)
    for table in tables.values():
        table.finish(files, bad)
    about = [[language, table.sha256.hexdigest(), table.characters] for language, table in tables.items()]
    write_json(folder / "about.json", about)


class _Table:
    """An Arrow file of ids and texts as it is written; of each row 24 bytes are held."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        self.schema = pa.schema({"id": pa.string(), "text": pa.string()})
        self.path = path
        self.sha256 = hashlib.sha256()
        self.characters = 0
        self._writer = pa.ipc.new_file(str(path), self.schema)
        self._batch: list[tuple[str, str]] = []
        self._hashes, self._files, self._lines = array("Q"), array("q"), array("q")

    def add(self, text_id: str, text: str, file: int, line: int) -> None:
        self._hashes.append(_number(text_id))
        self._files.append(file)
        self._lines.append(line)
        self._put(text_id, text)

    def _put(self, text_id: str, text: str) -> None:
        self.characters += len(text)
        self._batch.append((text_id, text))
        if len(self._batch) == BATCH:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._batch:
            columns = [pa.array(column, pa.string()) for column in zip(*self._batch, strict=True)]
            self._writer.write_batch(pa.record_batch(columns, schema=self.schema))
            self.sha256.update(json.dumps(self._batch, ensure_ascii=False).encode())
            self._batch = []

    def finish(self, files: Sequence[Path], bad: BadRows) -> None:
        """Close the file; rows whose id was there already are added to `bad` and left out."""
        self._flush()
        self._writer.close()
        hashes = np.array(self._hashes, dtype=np.uint64)
        order = np.argsort(hashes, kind="stable")
        repeated = np.sort(order[1:][hashes[order[1:]] == hashes[order[:-1]]]).tolist()
        for row in repeated:
            problem = "is that of an earlier row"
            remedy = "give every row its own"
            bad.add(BadRow(files[self._files[row]], self._lines[row], "id", problem, remedy))
        if repeated:
            every, left_out = Texts(self.path, "", 0), set(repeated)
            kept = _Table(self.path.with_suffix(".kept"))
            for row, (text_id, text) in enumerate(zip(every.ids, every, strict=True)):
                if row not in left_out:
                    kept._put(text_id, text)
            kept.finish(files, bad)
            kept.path.replace(self.path)
            self.sha256, self.characters = kept.sha256, kept.characters


def _number(text_id: str) -> int:
    """64 bits that stand for an id."""
    return int.from_bytes(hashlib.blake2b(text_id.encode(), digest_size=8).digest(), "little")
