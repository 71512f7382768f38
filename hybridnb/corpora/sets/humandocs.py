"""humandocs: documentation that people translated, in the schema of `jsonl`; to train on, and to validate on."""

from __future__ import annotations

from pathlib import Path

from hybridnb.corpora.catalogue import TRAINING, VALIDATION, DataSet
from hybridnb.corpora.jsonl import Context, corpus_of
from hybridnb.corpora.lines import BadRows, json_lines
from hybridnb.corpora.parallel import ParallelCorpus
from hybridnb.corpora.source import RemoteFile, Source, locate

SOURCE = Source(
    "humandocs",
    "none in this form (github opensource.guide, privacyguides, cncf/glossary, DjangoGirls/tutorial)",
    (
        RemoteFile(
            "humandocs/pairs.jsonl.gz",
            size=2_940_352,
            digest="sha256:179bd5af56ac7f99bce3789c3598c314dd661f3a031567663763fa6c04286845",
        ),
    ),
)

EMPTY = "privacyguides/advanced/tor-overview#0.1"
"""An item whose passage is empty in every language, line 988: left out."""


def load(
    directory: str | Path | None = None, *, skip_bad: bool = False, context: Context = "never"
) -> ParallelCorpus:
    """humandocs; the options are those of `jsonl.read_jsonl`."""
    (path,) = locate(SOURCE, directory)
    bad = BadRows(skip=skip_bad)
    rows = ((line, row) for line, row in json_lines(path, bad) if row.get("id") != EMPTY)
    return corpus_of(path, rows, bad, name="humandocs", context=context)


for _registry in (TRAINING, VALIDATION):
    _registry.register(
        "humandocs",
        DataSet(
            "human-translated documentation, English in every item",
            load,
            SOURCE,
            licence="CC-BY-4.0 and CC-BY-SA-4.0, by source",
        ),
    )
