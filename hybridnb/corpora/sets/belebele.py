"""Belebele (Bandarkar et al. 2023, arXiv 2308.16884) as retrieval: 900 questions find 488 passages in 11 languages.

Questions are in English and German alone; a passage has one or two of them, in each language of the candidates. The
passages are of FLORES: what is fitted or trained on FLORES is not evaluated here.
"""

from __future__ import annotations

from pathlib import Path

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.corpora.catalogue import BENCHMARKS, DataSet
from hybridnb.corpora.jsonl import texts_of
from hybridnb.corpora.lines import BadRow, BadRows, check_fields, check_text, json_lines
from hybridnb.corpora.pairs import benchmark_of
from hybridnb.corpora.parallel import Item
from hybridnb.corpora.source import RemoteFile, Source, locate

SOURCE = Source(
    "belebele",
    "none in this form (github saeub/item-evaluation, commit c6332925, joined with FLORES)",
    (
        RemoteFile(
            "belebele/pairs.jsonl.gz",
            size=1_935_174,
            digest="sha256:4edc1bce66cb78844625e540e83a69a94e946771f6a11a6da3be007f8f1e218f",
        ),
    ),
)


def load_benchmark(directory: str | Path | None = None, *, skip_bad: bool = False) -> Benchmark:
    """The benchmark "belebele": query ids are the questions', candidate ids the passages'.

    Args:
        directory: Where to look before HYBRIDNB_DATA and the cache.
        skip_bad: Leave bad rows out, with a BadRowsWarning.

    Raises:
        BadRow: The first bad row (a ValueError).
    """
    (path,) = locate(SOURCE, directory)
    bad = BadRows(skip=skip_bad)
    items: dict[str, Item] = {}
    passages: dict[str, dict[str, str]] = {}
    for line, row in json_lines(path, bad):
        try:
            check_fields(row, {"id", "q", "p", "pid"}, {"a", "url"}, path, line)
            row_id = check_text(row["id"], path, line, "id")
            passage_id = check_text(row["pid"], path, line, "pid")
            if row_id in items:
                raise BadRow(path, line, "id", f"{row_id!r} is there already", "give every row its own id")
            queries = texts_of(row, "q", path, line, {})
            texts = texts_of(row, "p", path, line, {})
            if passages.setdefault(passage_id, texts) != texts:
                problem = f"is not that of an earlier row with pid {passage_id!r}"
                raise BadRow(path, line, "p", problem, "give every passage its own pid")
        except BadRow as error:
            bad.add(error)
        else:
            items[row_id] = Item(row_id, "belebele", passage_id, queries, texts)
    bad.warn()
    if not items:
        raise ValueError(f"{path}: no question in it")
    return benchmark_of("belebele", list(items.values()), lambda item: item.document)


BENCHMARKS.register(
    "belebele",
    DataSet(
        "Belebele: 900 questions in en and de, 488 passages in 11 languages",
        load_benchmark,
        SOURCE,
        sentences_of=("flores",),
        licence="CC-BY-SA-4.0",
    ),
)
