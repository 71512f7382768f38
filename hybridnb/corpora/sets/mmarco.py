"""mMARCO (arXiv 2108.13897): MS MARCO's training triples, machine-translated into 13 languages.

The published files, as on the hub: `data/triples.train.ids.small.tsv` (ids of query, positive passage and
negative passage), and per language `data/google/collections/LANGUAGE_collection.tsv` (passage id, text) and
`data/google/queries/train/LANGUAGE_queries.train.tsv` (query id, text). All languages share the ids, so a
triple is an item in every language.

Nothing but what is drawn is read: texts are found by byte offset, triples are mapped from an index on disk.
"""

from __future__ import annotations

import functools
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from hybridnb.corpora.catalogue import TRAINING, DataSet
from hybridnb.corpora.languages import canonical
from hybridnb.corpora.lines import BadRow, BadRows
from hybridnb.corpora.parallel import CorpusIndex, Item, ParallelCorpus
from hybridnb.corpora.source import RemoteFile, Source, digest, hub, locate
from hybridnb.corpora.tables import made_once
from hybridnb.corpora.tsv import TsvTexts, line_blocks
from hybridnb.files import sha256_of

REPOSITORY = "unicamp-dl/mmarco"
REVISION = "6d039c4638c0ba3e46a9cb7b498b145e7edc6230"

# language, its name in the files, then bytes and md5 of the collection and of the queries, which are known from
# an ir_datasets catalogue of them, except for English
FILES = """
ar arabic 4664307196 b73406ce3a3d31edea240603d031be7a 51869220 08ab9eed247819db2f1f013f7e06f0d6
de german 3488187566 dfedd22fef7e7e44966994e06cd7ec57 39404290 41461df4fd61a98d76d846daa2b797c2
en english - - - -
es spanish 3571559558 a9eac6b39239121795171da8c86db932 41464870 7f54a66db9c928b1245dd0709e6b1caf
fr french 3656218984 44fd86303b47d2c8c2f9f547cd67686f 42857975 cbedd13e92ad9d70d049e0262e6956dd
hi hindi 7649320531 4551a71b468cc109b1f985f6b1c3afe0 82511017 b41f3f58b7c11ade80966276ceed50a8
id indonesian 3297783371 d1ba5ff9788f9b11b497e3f75749409c 36857620 5684c5bab64544f3ed62b050bdcf477d
it italian 3444092853 9c3aa4c4342074e8d37d75c9ffe5f22e 39923771 d40f32b4a4fb30c938e4b09adc1d1d81
ja japanese 3924982422 85614bd4dac3aa221c0b657d5cc71695 46027536 eeea5ea876f96eeeb66fb7f8d29055c9
nl dutch 3362632528 4a29599f160d0a696c7c3d3010da1912 38224557 6c304cf6dbdaff18a876cc6012168d30
pt portuguese 3431011785 dde80fa2cc5782cae4c40d1127e51958 39281063 816a2b07fe7067d438f785ee9bd8ef88
ru russian 5769514997 9a0cef71748039a6112b0775592eb84d 62396828 9f9a76edc95fb91477683c610d287327
vi vietnamese 4140054533 dd68020237857a508e7abe2250dad28b 45651702 af28d1dde86c5bdd27751e3a14a55252
zh chinese 2720255044 d176049b56f65bd49248003b9ea8b2b0 31567548 166018bdb4d1a279c5083897d7f6752d
"""
PINNED = {
    language: [None if pin == "-" else pin for pin in pins]
    for language, *pins in map(str.split, FILES.strip().splitlines())
}
PAPER_LANGUAGES = ("ar", "de", "en", "es", "hi", "ru", "zh")
"""The languages that arXiv 2408.10536 trained on."""

BLOCK = 1 << 20  # triples handled at a time


def source(languages: Collection[str] = PAPER_LANGUAGES) -> Source:
    """The files of mMARCO in these languages; the triples come first, then collection and queries of each."""
    if unknown := sorted(set(languages) - PINNED.keys()):
        raise ValueError(f"mMARCO has no language {unknown[0]!r}; it has {', '.join(sorted(PINNED))}")
    files = [_remote("triples.train.ids.small.tsv", "905211990", "cc7865df9f2345132dea1c0746a4699c")]
    for code in sorted(set(languages)):
        name, *pins = PINNED[code]
        files.append(_remote(f"google/collections/{name}_collection.tsv", *pins[:2]))
        files.append(_remote(f"google/queries/train/{name}_queries.train.tsv", *pins[2:]))
    return Source("mmarco", f"hub {REPOSITORY}, revision {REVISION[:8]}", tuple(files))


def _remote(file: str, size: str | None, md5: str | None) -> RemoteFile:
    url = hub(REPOSITORY, REVISION, f"data/{file}")
    return RemoteFile(f"mmarco/data/{file}", url, int(size) if size else None, f"md5:{md5}" if md5 else None)


def load(
    directory: str | Path | None = None,
    *,
    languages: Collection[str] | None = None,
    skip_bad: bool = False,
) -> ParallelCorpus:
    """The training triples; `items.negative` has the third of each.

    The first call indexes the files into the cache (minutes for the whole of it), later ones map the index.
    Items whose queries or positive passages are linked (a query with two positives) are one group.

    Args:
        directory: Where to look before HYBRIDNB_DATA, the cache and the public home.
        languages: Only these; those of the paper by default.
        skip_bad: Leave bad lines and their triples out, with a BadRowsWarning.

    Raises:
        BadRow: The first bad line (a ValueError), or a triple naming a text that a language lacks.
    """
    codes = tuple(sorted({canonical(code) for code in (PAPER_LANGUAGES if languages is None else languages)}))
    triples_path, *text_paths = locate(source(codes), directory)
    bad = BadRows(skip=skip_bad)
    passages = {code: TsvTexts(path, bad) for code, path in zip(codes, text_paths[::2], strict=True)}
    queries = {code: TsvTexts(path, bad) for code, path in zip(codes, text_paths[1::2], strict=True)}
    files = [triples_path, *text_paths]
    write = functools.partial(_write_triples, triples_path, queries, passages)
    folder = made_once("triples", files, write, bad)
    bad.warn()
    ids, groups = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("triples", "groups"))
    triples = Triples(ids, queries, passages)
    if not len(triples):
        raise ValueError(f"{triples_path}: no triple in it; fetch it again")
    every = np.broadcast_to(np.True_, (len(triples), len(codes)))
    nought = np.broadcast_to(np.int64(0), len(triples))
    index = CorpusIndex(codes, every, every, groups, ("mmarco",), nought)
    sha256 = sha256_of([codes, *map(digest, files)])
    return ParallelCorpus("mmarco", triples, sha256=sha256, index=index)


class _Texts(Mapping[str, str]):
    """The text with one id in each language, read when it is asked for."""

    def __init__(self, by_language: Mapping[str, TsvTexts], text_id: int) -> None:
        self._by_language, self._id = by_language, text_id

    def __getitem__(self, language: str) -> str:
        return self._by_language[language][self._id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_language)

    def __len__(self) -> int:
        return len(self._by_language)


class Triples(Sequence[Item]):
    """The items of mMARCO: query and positive passage, and their hard negative.

    triples: int32 [items, 3], ids of the query, the positive and the negative passage.
    """

    def __init__(
        self,
        triples: NDArray[np.int32],
        queries: Mapping[str, TsvTexts],
        passages: Mapping[str, TsvTexts],
    ) -> None:
        self._triples, self._queries, self._passages = triples, queries, passages

    def __len__(self) -> int:
        return len(self._triples)

    @overload
    def __getitem__(self, position: int) -> Item: ...
    @overload
    def __getitem__(self, position: slice) -> list[Item]: ...
    def __getitem__(self, position: int | slice) -> Item | list[Item]:
        if isinstance(position, slice):
            return [self[p] for p in range(*position.indices(len(self)))]
        query, positive, negative = self._triples[position].tolist()
        return Item(
            f"{query}:{positive}:{negative}",
            "mmarco",
            str(positive),
            _Texts(self._queries, query),
            _Texts(self._passages, positive),
        )

    def negative(self, position: int) -> Mapping[str, str]:
        """The hard negative passage of an item, by language."""
        return _Texts(self._passages, int(self._triples[position, 2]))


def _write_triples(
    path: Path,
    queries: Mapping[str, TsvTexts],
    passages: Mapping[str, TsvTexts],
    folder: Path,
    bad: BadRows,
) -> None:
    """Write triples.npy (int32 [items, 3]) and groups.npy (int64 [items])."""
    with path.open("rb") as file:
        lines = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 24), b"")) + 1
    scratch = folder / "all.npy"
    # more rows than needed where the last line ends in a newline or bad ones are skipped: cut off below
    triples = np.lib.format.open_memmap(scratch, mode="w+", dtype=np.int32, shape=(lines, 3))
    pairs = np.empty(0, dtype=np.int64)
    kept = number = 0
    for block in line_blocks(path):
        rows, numbers = _parsed(block, path, number, bad)
        number += len(block)
        good = _without_unknown(rows, numbers, path, queries, passages, bad)
        triples[kept : kept + len(good)] = good
        kept += len(good)
        pairs = np.unique(np.concatenate([pairs, _pair(good)]))
    np.save(folder / "triples.npy", triples[:kept])
    group_of_pair = _components(pairs)
    shape = (kept,)
    groups = np.lib.format.open_memmap(folder / "groups.npy", mode="w+", dtype=np.int64, shape=shape)
    for start in range(0, kept, BLOCK):
        block_pairs = _pair(triples[start : min(start + BLOCK, kept)])
        groups[start : start + len(block_pairs)] = group_of_pair[np.searchsorted(pairs, block_pairs)]
    groups.flush()
    scratch.unlink()


def _parsed(
    block: Sequence[bytes], path: Path, before: int, bad: BadRows
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """(triples [rows, 3], line numbers [rows]) of a block of lines; `before`: lines before it."""
    ids, numbers = array("i"), array("q")
    for number, line in enumerate(block, before + 1):
        try:
            query, positive, negative = line.split(b"\t")
            ids.extend((int(query), int(positive), int(negative)))
            numbers.append(number)
        except (ValueError, OverflowError):
            del ids[3 * len(numbers) :]
            problem = f"{line[:60]!r} is not three ids"
            bad.add(BadRow(path, number, None, problem, "write `query TAB positive TAB negative`"))
    return np.array(ids, dtype=np.int32).reshape(-1, 3), np.array(numbers, dtype=np.int64)


def _without_unknown(
    rows: NDArray[np.int32],
    numbers: NDArray[np.int64],
    path: Path,
    queries: Mapping[str, TsvTexts],
    passages: Mapping[str, TsvTexts],
    bad: BadRows,
) -> NDArray[np.int32]:
    """The triples whose three texts every language has."""
    good = np.ones(len(rows), dtype=bool)
    fields = (("query", queries), ("positive", passages), ("negative", passages))
    for column, (field, by_language) in enumerate(fields):
        ids, inverse = np.unique(rows[:, column], return_inverse=True)
        for texts in by_language.values():
            known = texts.has(ids.astype(np.int64))[inverse]
            for row in np.flatnonzero(good & ~known):
                problem = f"{rows[row, column]} is not in {texts.path.name}"
                bad.add(BadRow(path, int(numbers[row]), field, problem, "fetch both files again"))
            good &= known
    return rows[good]


def _pair(triples: NDArray[np.int32]) -> NDArray[np.int64]:
    """One number for the query and the positive of each triple."""
    pair: NDArray[np.int64] = (triples[:, 0].astype(np.int64) << 32) | triples[:, 1]
    return pair


def _components(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """The group of each (query, positive) pair: pairs with a query or a positive in common are in one."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    queries, query = np.unique(pairs >> 32, return_inverse=True)
    positives, positive = np.unique(pairs & 0xFFFFFFFF, return_inverse=True)
    size = len(queries) + len(positives)
    links = coo_matrix((np.ones(len(pairs), bool), (query, len(queries) + positive)), shape=(size, size))
    group: NDArray[np.int64] = connected_components(links, directed=False)[1][query].astype(np.int64)
    return group


TRAINING.register(
    "mmarco",
    DataSet(
        "MS MARCO machine-translated (arXiv 2108.13897): 39.8 million triples; 7 languages, to 14",
        load,
        source(),
        licence="Apache-2.0, of MS MARCO's data for research that is not commercial",
    ),
)
