"""Texts by number in TSV files too large for memory: byte offsets, found once and kept in the cache.

Built for mMARCO's collections (8.8 million lines `id TAB text` a language), which stay where they are: an Arrow
table of them would be their second copy on disk (29 GB in seven languages; offsets are 16 bytes a line), takes
five times as long to make and is no faster to read.
"""

from __future__ import annotations

import codecs
import functools
import mmap
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hybridnb.corpora.lines import BadRow, BadRows
from hybridnb.corpora.tables import made_once
from hybridnb.progress import progress

CHUNK = 1 << 25  # bytes of lines read at a time


def line_blocks(path: Path) -> Iterator[list[bytes]]:
    """The lines of a file in blocks, with progress."""
    with path.open("rb") as file, progress(path.stat().st_size, f"indexing {path.name}", "B") as bar:
        while block := file.readlines(CHUNK):
            yield block
            bar.update(file.tell() - bar.n)


class TsvTexts:
    """The texts of a file of `id TAB text` lines, by id; read from disk on access.

    Args:
        path: The file.
        bad: Gets the lines that are no `id TAB text` in UTF-8, are empty, or repeat an id.
    """

    def __init__(self, path: Path, bad: BadRows) -> None:
        self.path = path
        folder = made_once("offsets", [path], functools.partial(_write_offsets, path), bad)
        self._ids: NDArray[np.int64] = np.load(folder / "ids.npy", mmap_mode="r")
        self._offsets: NDArray[np.int64] = np.load(folder / "offsets.npy", mmap_mode="r")
        # MS MARCO numbers its passages 0, 1, ...: then an id is its place
        self._counted = len(self) > 0 and self._ids[0] == 0 and self._ids[-1] == len(self) - 1

    @functools.cached_property
    def _bytes(self) -> mmap.mmap:
        with self.path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, text_id: int) -> str:
        """The text. KeyError: an id that is not in the file."""
        row = text_id if self._counted else int(np.searchsorted(self._ids, text_id))
        if not 0 <= row < len(self) or self._ids[row] != text_id:
            raise KeyError(f"{self.path} has no id {text_id}")
        start = int(self._offsets[row])
        end = self._bytes.find(b"\n", start)
        line = self._bytes[start : end if end >= 0 else None]
        return line.partition(b"\t")[2].decode().rstrip("\r")

    def has(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """bool, one an id: whether the file has it."""
        if not len(self):
            return np.zeros(len(ids), dtype=bool)
        rows = np.minimum(np.searchsorted(self._ids, ids), len(self) - 1)
        return np.asarray(self._ids[rows] == ids)


def _write_offsets(path: Path, folder: Path, bad: BadRows) -> None:
    """Write ids.npy (sorted) and offsets.npy, where the line of each begins."""
    ids, offsets, lines = array("q"), array("q"), array("q")
    offset = number = 0
    for block in line_blocks(path):
        for line in block:
            number += 1
            try:
                ids.append(_text_id(line, path, number))
                offsets.append(offset)
                lines.append(number)
            except BadRow as error:
                bad.add(error)
            offset += len(line)
    by_id = np.array(ids, dtype=np.int64)
    order = np.argsort(by_id, kind="stable")
    by_id = by_id[order]
    repeated = np.flatnonzero(by_id[1:] == by_id[:-1]) + 1
    for row in repeated:
        problem = f"{by_id[row]} is there already"
        bad.add(BadRow(path, lines[order[row]], "id", problem, "give every line its own id"))
    np.save(folder / "ids.npy", np.delete(by_id, repeated))
    np.save(folder / "offsets.npy", np.delete(np.array(offsets, dtype=np.int64)[order], repeated))


def _text_id(line: bytes, path: Path, number: int) -> int:
    """The id of a line `id TAB text`, once the whole line is found to be sound."""
    text_id, tab, text = (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).partition(b"\t")
    if not tab or not text_id.isdigit() or len(text_id) > 18:
        problem = f"{text_id[:40]!r} is no number before a tab"
        raise BadRow(path, number, "id", problem, "write `id TAB text` on every line")
    try:
        empty = not text.decode().strip()
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 ({error})"
        raise BadRow(path, number, "text", problem, "convert the file with `iconv -t UTF-8`") from error
    if empty:
        raise BadRow(path, number, "text", "is empty", "remove the line and the triples that name it")
    return int(text_id)
