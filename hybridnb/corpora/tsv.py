"""Texts by number in TSV files too large for memory: an index of byte offsets, built once and cached.

Built for mMARCO's collections (8.8 million lines `id TAB text`). What stays open is mapped from disk.
"""

from __future__ import annotations

import functools
import hashlib
import json
import mmap
import shutil
import tempfile
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from hybridnb.corpora.lines import BadRow, BadRows
from hybridnb.places import cache_directory

CHUNK = 1 << 25  # bytes of lines read at a time
FORMAT = 1  # of the cached arrays

Arrays = Mapping[str, NDArray[Any]]


def cached_arrays(
    files: Sequence[Path], build: Callable[[Path, BadRows], str], names: Sequence[str], bad: BadRows
) -> tuple[Arrays, str]:
    """(mapped arrays, sha256) of what `build` makes of these files, made once in the cache.

    build(folder, bad): writes NAME.npy into the folder for each name and returns a sha256 of what it read.
    The cache is keyed by path, size and time of change of the files; bad rows are kept with the arrays and
    reported again each time.
    """
    stats = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    key = hashlib.sha256(json.dumps([FORMAT, list(names), bad.skip, stats]).encode()).hexdigest()[:32]
    folder = cache_directory() / "index" / key
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{key}."))
        try:
            found = BadRows(skip=bad.skip)
            sha256 = build(scratch, found)
            rows = [(row.path, row.line, row.field, row.problem, row.remedy) for row in found]
            facts = {"files": stats, "sha256": sha256, "bad": rows}
            (scratch / "index.json").write_text(json.dumps(facts))
            if not folder.exists():  # another process may have been faster
                scratch.rename(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    facts = json.loads((folder / "index.json").read_text())
    for row in facts["bad"]:
        bad.add(BadRow(*row))
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}, facts["sha256"]


def line_blocks(path: Path, digest: Any) -> Iterator[list[bytes]]:
    """The lines of a file in blocks, with a progress bar; every byte goes through the digest."""
    with (
        path.open("rb") as file,
        tqdm(total=path.stat().st_size, unit="B", unit_scale=True, desc=f"indexing {path.name}") as bar,
    ):
        while block := file.readlines(CHUNK):
            data = b"".join(block)
            digest.update(data)
            bar.update(len(data))
            yield block


class TsvTexts:
    """The texts of a file of `id TAB text` lines, by id; read from disk on access.

    ids: int64, sorted. sha256: of the file.
    BadRow: a line that is no `id TAB text`, an empty text, a repeated id, a line that is not UTF-8.
    """

    def __init__(self, path: Path, bad: BadRows) -> None:
        build = functools.partial(_index_texts, path)
        arrays, self.sha256 = cached_arrays([path], build, ["ids", "offsets"], bad)
        self.path, self.ids, self.offsets = path, arrays["ids"], arrays["offsets"]
        # MS MARCO numbers its passages 0, 1, ...: then a row is an id
        self._counted = len(self.ids) > 0 and self.ids[0] == 0 and self.ids[-1] == len(self.ids) - 1

    @functools.cached_property
    def _bytes(self) -> mmap.mmap:
        with self.path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, text_id: int) -> str:
        """The text. KeyError: an id that is not in the file."""
        row = text_id if self._counted else int(np.searchsorted(self.ids, text_id))
        if not 0 <= row < len(self.ids) or self.ids[row] != text_id:
            raise KeyError(f"{self.path} has no id {text_id}")
        start = int(self.offsets[row])
        end = self._bytes.find(b"\n", start)
        line = self._bytes[start : end if end >= 0 else None]
        return line.partition(b"\t")[2].decode().rstrip("\r")

    def has(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """bool, one an id: whether the file has it."""
        if len(self.ids) == 0:
            return np.zeros(len(ids), dtype=bool)
        if self._counted:
            return (ids >= 0) & (ids < len(self.ids))
        rows = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.asarray(self.ids[rows] == ids)


def _index_texts(path: Path, folder: Path, bad: BadRows) -> str:
    """Write ids.npy (sorted) and offsets.npy of a file of `id TAB text` lines; its sha256."""
    digest = hashlib.sha256()
    ids, offsets, lines = array("q"), array("q"), array("q")
    offset = number = 0
    for block in line_blocks(path, digest):
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
    return digest.hexdigest()


def _text_id(line: bytes, path: Path, number: int) -> int:
    """The id of a line `id TAB text`, once the whole line is found to be sound."""
    text_id, tab, text = line.partition(b"\t")
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
