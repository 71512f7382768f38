"""cldr: questions over facts of Unicode CLDR, made here from the data inside Babel."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.corpora.catalogue import BENCHMARKS, TRAINING, VALIDATION, DataSet
from hybridnb.corpora.cldr.corpus import LANGUAGES, PHRASINGS, load
from hybridnb.corpora.parallel import ParallelCorpus


def made_of() -> list[str]:
    """What decides every text: the version of Babel and our phrasings."""
    phrasings = [(PHRASINGS / f"{language}.toml").read_text(encoding="utf-8") for language in LANGUAGES]
    return [metadata.version("babel"), *phrasings]


def _train(directory: Path | None) -> ParallelCorpus:
    return load().train


def _validation(directory: Path | None) -> ParallelCorpus:
    return load().validation


def _benchmark(directory: Path | None) -> Benchmark:
    return load().benchmark


ABOUT = "questions over Unicode CLDR facts in 11 languages, made by Babel; nothing is downloaded"
LICENCE = "Unicode-3.0"
TRAINING.register("cldr", DataSet(ABOUT, _train, None, made_of, licence=LICENCE))
VALIDATION.register(
    "cldr", DataSet("the held-out facts of cldr", _validation, None, made_of, licence=LICENCE)
)
BENCHMARKS.register(
    "cldr",
    DataSet(
        "the test facts of cldr: 11 languages, fully parallel", _benchmark, None, made_of, licence=LICENCE
    ),
)
