"""MIRACL dev (Zhang et al. 2023, arXiv 2210.09984): questions in 18 languages over their whole Wikipedias.

Topics and qrels come from the hub's miracl/miracl, passages from miracl/miracl-corpus, file by file at a
pinned revision (their loading scripts need no running). Topics and qrels may also lie flat in a data
directory: miracl/{topics,qrels}.miracl-v1.0-LANG-dev.tsv.gz.

Official measures: nDCG@10 and Recall@100, over binary judgements; what is not judged is not relevant.
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, overload

import numpy as np
from tqdm.auto import tqdm

from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.corpora.catalogue import BENCHMARKS, DataSet
from hybridnb.corpora.lines import BadRow, BadRows, check_fields, check_text, json_lines, numbered_lines
from hybridnb.corpora.source import RemoteFile, Source, hub, locate
from hybridnb.corpora.tsv import cached_arrays

JUDGEMENTS = "miracl/miracl", "5be20db9509754dadad47689368639fcec739c00"
CORPUS = "miracl/miracl-corpus", "d921ec7e349ce0d28daf30b2da9da5ee698bef0d"
EXPANSION = 4  # about how much larger passages are than their gzip


@functools.cache
def source(language: str) -> Source:
    """Topics, qrels and passages of a language: 10 MB (sw) to 5 GB (en). ValueError: an unknown language.

    The sizes of the passage files are those the library ir_datasets lists (but for yo, where its number
    cannot be right); those of topics and qrels, with their sha256, are of the copies in anserini-tools.
    """
    published = _published()
    if language not in published:
        raise ValueError(f"MIRACL has no {language!r}; its languages are {', '.join(published)}")
    files = []
    for kind in ("topics", "qrels"):
        size, sha256 = published[language][kind]
        name = f"miracl-v1.0-{language}/{kind}/{kind}.miracl-v1.0-{language}-dev.tsv"
        flat = f"miracl/{Path(name).name}"
        files.append(
            RemoteFile(
                f"miracl/{name}", hub(*JUDGEMENTS, name), size, f"sha256:{sha256}", also=(f"{flat}.gz", flat)
            )
        )
    for number, size in enumerate(published[language]["docs"]):
        name = f"miracl-corpus-v1.0-{language}/docs-{number}.jsonl.gz"
        files.append(RemoteFile(f"miracl/{name}", hub(*CORPUS, name), size))
    about = " and ".join(
        f"hub {repository}, revision {revision[:8]}" for repository, revision in (JUDGEMENTS, CORPUS)
    )
    return Source(f"miracl-{language}", about, tuple(files))


def load_benchmark(
    language: str, directory: str | Path | None = None, *, skip_bad: bool = False
) -> Benchmark:
    """The benchmark "miracl-LANG": query ids are "LANG:TOPIC", so that languages can be put together.

    directory: where to look before HYBRIDNB_DATA, the cache and the public home.
    Candidates are `Passages`: read from disk on access.
    BadRow (a ValueError): the first bad row, which a topic without a relevant passage is too (the official
    evaluation leaves such out; dev has none); with skip_bad they are left out, with a BadRowsWarning.
    ValueError: a relevant passage that is not in the collection, with or without skip_bad.
    """
    topics_path, qrels_path, *shards = locate(source(language), directory)
    bad = BadRows(skip=skip_bad)
    topics = _topics(topics_path, bad)
    judged = _positives(qrels_path, topics, bad)
    for topic, (line, _) in topics.items():
        if topic not in judged:
            problem = f"topic {topic!r} has no relevant passage in {qrels_path}"
            bad.add(BadRow(topics_path, line, "id", problem, "judge it or remove it"))
    passages = Passages(shards, bad)
    bad.warn()
    row_of = passages.rows({docid for docids in judged.values() for docid in docids})
    if missing := sorted({d for docids in judged.values() for d in docids} - row_of.keys()):
        raise ValueError(
            f"{qrels_path}: {len(missing)} relevant passages, {missing[0]!r} for one, are not among the "
            f"{len(passages):,} in {shards[0].parent}; its files are not those of the same collection"
        )
    texts = {f"{language}:{topic}": text for topic, (_, text) in topics.items() if topic in judged}
    if not texts:
        raise ValueError(f"{topics_path}: no topic in it; fetch it again")
    relevance = {
        f"{language}:{topic}": {language: sorted(row_of[docid] for docid in docids)}
        for topic, docids in judged.items()
    }
    queries = Queries(list(texts), list(texts.values()))
    return Benchmark(f"miracl-{language}", {language: queries}, {language: passages}, relevance)


class Passages(Sequence[str]):
    """The passages of `docs-*.jsonl.gz` in order: title and text with a line break between, from disk.

    Title and text together are what MIRACL's own baselines index (Pyserini; to the tokenizers of
    multilingual encoders a line break is a space). Gzip cannot be read from the middle: on the first use
    the passages are written once into the cache, uncompressed (about four times the download).

    sha256: of all ids and texts.
    BadRow: a row that is not {docid, title, text}, an empty text, a repeated docid, a damaged file.
    """

    def __init__(self, shards: Sequence[Path], bad: BadRows) -> None:
        build = functools.partial(_write_passages, shards)
        arrays, self.sha256 = cached_arrays(shards, build, ["records", "starts", "ends", "keys"], bad)
        self._records, self._keys = arrays["records"], arrays["keys"]
        self._starts, self._ends = arrays["starts"], arrays["ends"]

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self[r] for r in range(*row.indices(len(self)))]
        return self._record(row)[1]

    def docid(self, row: int) -> str:
        """The id by which the qrels call a passage."""
        return self._record(row)[0]

    def rows(self, docids: Iterable[str]) -> dict[str, int]:
        """docid -> row, of those that are here."""
        wanted = set(docids)
        keys = np.array([_key(docid) for docid in wanted], dtype=np.uint64)
        rows = np.flatnonzero(np.isin(self._keys, keys)).tolist()
        return {docid: row for row in rows if (docid := self.docid(row)) in wanted}

    def _record(self, row: int) -> tuple[str, str]:
        data: bytes = self._records[self._starts[row] : self._ends[row]].tobytes()
        docid, _, text = data.decode().partition("\n")
        return docid, text


def _write_passages(shards: Sequence[Path], folder: Path, bad: BadRows) -> str:
    """Write records.npy (docid, line break, title, line break, text; one after the other), where each
    starts and ends, and a 64-bit key of each docid; the sha256 of the records."""
    about = EXPANSION * sum(shard.stat().st_size for shard in shards) / 1e6
    print(f"unpacking {len(shards)} files once, about {about:,.0f} MB, to {folder.parent}", file=sys.stderr)
    digest = hashlib.sha256()
    ends, keys, lines, numbers = array("q"), array("Q"), array("q"), array("i")
    with (folder / "records.npy").open("wb") as out:
        _write_header(out, 0)
        first = end = out.tell()
        for number, line, docid, record in _read_passages(shards, bad):
            out.write(record)
            digest.update(len(record).to_bytes(8, "little") + record)
            end += len(record)
            ends.append(end - first)
            keys.append(_key(docid))
            lines.append(line)
            numbers.append(number)
        _write_header(out, end - first)
    by_row = np.array(keys, dtype=np.uint64)
    order = np.argsort(by_row, kind="stable")
    repeated = np.sort(order[1:][by_row[order[1:]] == by_row[order[:-1]]])
    for row in repeated:
        problem = "is the docid of an earlier passage"
        bad.add(BadRow(shards[numbers[row]], lines[row], "docid", problem, "give every passage its own"))
    ends_by_row = np.array(ends, dtype=np.int64)
    starts_by_row = np.concatenate([np.zeros(1, dtype=np.int64), ends_by_row])[: len(ends_by_row)]
    for name, values in (("keys", by_row), ("starts", starts_by_row), ("ends", ends_by_row)):
        np.save(folder / f"{name}.npy", np.delete(values, repeated))
    return digest.hexdigest()


def _read_passages(shards: Sequence[Path], bad: BadRows) -> Iterator[tuple[int, int, str, bytes]]:
    """(number of the shard, line, docid, record) of every sound row."""
    with tqdm(unit=" passages", desc="unpacking") as bar:
        for number, shard in enumerate(shards):
            for line, row in json_lines(shard, bad):
                bar.update()
                try:
                    check_fields(row, {"docid", "title", "text"}, set(), shard, line)
                    docid = check_text(row["docid"], shard, line, "docid")
                    if docid.split() != [docid]:
                        raise BadRow(shard, line, "docid", f"{docid!r} has a space in it", "remove the space")
                    text = check_text(row["text"], shard, line, "text")
                    title = check_text(row["title"], shard, line, "title") if row["title"] != "" else ""
                except BadRow as error:
                    bad.add(error)
                else:
                    record = "\n".join(filter(None, (docid, title, text)))
                    yield number, line, docid, record.encode()


def _write_header(out: Any, size: int) -> None:
    """Write the header of a .npy file of `size` bytes at its beginning; numpy leaves room to grow in it."""
    out.seek(0)
    header = {"descr": "|u1", "fortran_order": False, "shape": (size,)}
    np.lib.format.write_array_header_1_0(out, header)


def _key(docid: str) -> int:
    return int.from_bytes(hashlib.blake2b(docid.encode(), digest_size=8).digest(), "little")


def _topics(path: Path, bad: BadRows) -> dict[str, tuple[int, str]]:
    """Topic -> (line, question) of lines `id TAB question`."""
    topics: dict[str, tuple[int, str]] = {}
    for line, row in numbered_lines(path, bad):
        if not row.strip():
            continue
        try:
            topic, tab, question = row.partition("\t")
            if not tab or "\t" in question:
                raise BadRow(path, line, None, f"{row[:40]!r} is not two columns", "write `id TAB question`")
            check_text(topic, path, line, "id")
            if topic in topics:
                raise BadRow(path, line, "id", f"{topic!r} is there already", "give every topic its own id")
            topics[topic] = line, check_text(question, path, line, "question")
        except BadRow as error:
            bad.add(error)
    return topics


def _positives(path: Path, topics: dict[str, tuple[int, str]], bad: BadRows) -> dict[str, list[str]]:
    """Topic -> docids of the relevant passages (grade above 0), of lines `topic Q0 docid grade`."""
    positives: dict[str, list[str]] = {}
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
            if topic not in topics:
                raise BadRow(path, line, "topic", f"{topic!r} is no topic", "add it to the topics")
            if (topic, docid) in judged:
                raise BadRow(path, line, "docid", f"{docid!r} is judged twice for {topic!r}", "remove one")
            if not grade.removeprefix("-").isdecimal():
                raise BadRow(path, line, "grade", f"{grade!r} is no whole number", "write 0 or 1")
        except BadRow as error:
            bad.add(error)
            continue
        judged.add((topic, docid))
        if int(grade) > 0:
            positives.setdefault(topic, []).append(docid)
    return positives


@functools.cache
def _published() -> dict[str, dict[str, Any]]:
    """Language -> {"topics": [bytes, sha256], "qrels": [bytes, sha256], "docs": [bytes of each]}."""
    text = resources.files("hybridnb.corpora.sets").joinpath("miracl_files.json").read_text(encoding="utf-8")
    files: dict[str, dict[str, Any]] = json.loads(text)
    return files


for _language in _published():
    BENCHMARKS.register(
        f"miracl-{_language}",
        DataSet(
            f"MIRACL dev in {_language}, monolingual, over its whole Wikipedia",
            functools.partial(load_benchmark, _language),
            source(_language),
        ),
    )
