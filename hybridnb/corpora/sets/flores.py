"""FLORES-101 dev and devtest (Goyal et al. 2022, arXiv 2106.03193): 2,009 sentences, human translations.

Passages of Belebele are of these sentences: what is fitted on them is not evaluated there.
"""

from __future__ import annotations

from pathlib import Path

from hybridnb.corpora.catalogue import SENTENCES, DataSet
from hybridnb.corpora.sentences import ParallelSentences, read_sentences
from hybridnb.corpora.source import RemoteFile, Source, locate

SOURCE = Source(
    "flores",
    "none in this form (made from github mozilla/firefox-translations-models, commit e7957fc4)",
    (
        RemoteFile(
            "flores/sentences.jsonl.gz",
            size=10_998_854,
            digest="sha256:77e8b25a17929f718724d5897a1b511658c18907f5e75ec530474517cf197dd9",
        ),
    ),
)


def load_sentences(directory: str | Path | None = None, *, skip_bad: bool = False) -> ParallelSentences:
    """The sentences in all 59 languages; ids are "dev-NUMBER" and "test-NUMBER".

    Args:
        directory: Where to look before HYBRIDNB_DATA and the cache.
        skip_bad: Leave bad rows out, with a BadRowsWarning.

    Raises:
        BadRow: The first bad row (a ValueError).
    """
    (path,) = locate(SOURCE, directory)
    return read_sentences(path, "flores", skip_bad=skip_bad)


SENTENCES.register(
    "flores",
    DataSet(
        "FLORES-101: 2,009 sentences of encyclopedias and news in 59 languages",
        load_sentences,
        SOURCE,
        licence="CC-BY-SA-4.0",
    ),
)
