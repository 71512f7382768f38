"""opendocs: technical documentation in 11 languages, in the schema of `jsonl`."""

from __future__ import annotations

from pathlib import Path

from hybridnb.corpora.catalogue import TRAINING, DataSet
from hybridnb.corpora.jsonl import Context, read_jsonl
from hybridnb.corpora.parallel import ParallelCorpus
from hybridnb.corpora.source import RemoteFile, Source, locate

SOURCE = Source(
    "opendocs",
    "none (take mMARCO or any JSONL of this schema in its place)",
    (
        RemoteFile(
            "opendocs/train.jsonl.gz",
            size=11_612_620,
            digest="sha256:104b8d64fe327bfdd653814960e9745ba09656c36d331671e1dfcc7a44690167",
        ),
    ),
)


def load(
    directory: str | Path | None = None, *, skip_bad: bool = False, context: Context = "never"
) -> ParallelCorpus:
    """opendocs; the options are those of `jsonl.read_jsonl`."""
    (path,) = locate(SOURCE, directory)
    return read_jsonl(path, skip_bad=skip_bad, name="opendocs", context=context)


TRAINING.register(
    "opendocs",
    DataSet(
        "technical documentation in 11 languages, partly machine-translated (JSONL)",
        load,
        SOURCE,
        licence="several, by source: MIT, CC-BY, CC-BY-SA, GPL, MPL",
    ),
)
