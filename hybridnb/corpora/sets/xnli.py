"""XNLI dev and test (Conneau et al. 2018, arXiv 1809.05053): 10,000 premises and hypotheses, human translations."""

from __future__ import annotations

from pathlib import Path

from hybridnb.corpora.catalogue import SENTENCES, DataSet
from hybridnb.corpora.sentences import ParallelSentences, read_sentences
from hybridnb.corpora.source import RemoteFile, Source, locate

SOURCE = Source(
    "xnli",
    "none in this form (made from github GautamGupta17/MESH, commit 68f82e29)",
    (
        RemoteFile(
            "xnli/sentences.jsonl.gz",
            size=4_543_304,
            digest="sha256:7a734bfc82fb011512bd37c6230fb37a83dbb76506befce4e6b354a1c40ea864",
        ),
    ),
)


def load_sentences(directory: str | Path | None = None, *, skip_bad: bool = False) -> ParallelSentences:
    """The sentences in the 11 languages; ids are "dev-pNUMBER", "test-hNUMBER", ...

    Args:
        directory: Where to look before HYBRIDNB_DATA and the cache.
        skip_bad: Leave bad rows out, with a BadRowsWarning.

    Raises:
        BadRow: The first bad row (a ValueError).
    """
    (path,) = locate(SOURCE, directory)
    return read_sentences(path, "xnli", skip_bad=skip_bad)


SENTENCES.register(
    "xnli",
    DataSet("XNLI: 10,000 short sentences in 11 languages", load_sentences, SOURCE, licence="CC-BY-NC-4.0"),
)
