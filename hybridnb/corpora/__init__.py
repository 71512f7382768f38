"""What is trained on and what is evaluated on, by name. Sources are imported when they are asked for."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hybridnb.corpora.benchmark import Benchmark
    from hybridnb.corpora.parallel import ParallelCorpus
    from hybridnb.corpora.source import Home

JSONL = ".jsonl", ".jsonl.gz"

TRAINING = {
    "cldr": "questions over Unicode CLDR facts in 11 languages, made by Babel; nothing is downloaded",
    "opendocs": "technical documentation in 11 languages, partly machine-translated (JSONL)",
    "mmarco": "MS MARCO machine-translated (arXiv 2108.13897): 39.8 million triples; 7 languages, to 14",
}
"""Training corpora; a path to a JSONL file (see `jsonl`) is one too."""

VALIDATION = {
    "cldr": "the held-out facts of cldr",
    "squadshifts": "SQuADShifts new_wiki (arXiv 2004.14444): 7,938 English questions and their paragraphs",
}
"""Validation corpora; a path to a JSONL file is one too."""

CORPORA = {**TRAINING, "squadshifts": VALIDATION["squadshifts"]}

MIRACL_LANGUAGES = (
    *("ar", "bn", "de", "en", "es", "fa", "fi", "fr", "hi"),
    *("id", "ja", "ko", "ru", "sw", "te", "th", "yo", "zh"),
)

BENCHMARKS = {
    "cldr": "the test facts of cldr: 11 languages, fully parallel",
    "xquad-r": "LAReQA's XQuAD-R (arXiv 2004.05484): 11 languages, fully parallel, 13,014 candidates",
    "mlqa-r": "LAReQA's MLQA-R: 7 languages, 2 to 4 parallel answers a question, 20,534 candidates",
    "ntrex": "NTREX-128 in 11 languages: 1,997 news sentences that retrieve their translations",
    "xm3600": "Crossmodal-3600: captions of an image in 36 languages retrieve each other",
    **{
        f"miracl-{code}": f"MIRACL dev in {code}, monolingual, over its whole Wikipedia"
        for code in MIRACL_LANGUAGES
    },
}


def training_corpus(
    name: str | Path,
    *,
    directory: str | Path | None = None,
    languages: Collection[str] | None = None,
    **reading: Any,
) -> ParallelCorpus:
    """The training corpus of this name (see `TRAINING`) or of this JSONL file.

    directory: where to look before HYBRIDNB_DATA, the cache and the public home.
    languages: only these.
    reading: options of the corpus' own reader: `skip_bad`, and for JSONL those of `jsonl.read_jsonl`.
    ValueError: an unknown name. MissingData: a corpus that is nowhere and cannot be fetched.
    """
    if _is_path(name):
        return _jsonl(name, languages, reading)
    match _known(str(name), TRAINING, "training corpus"):
        case "cldr":
            _none(reading, "cldr")
            from hybridnb.corpora.sets import cldr

            return cldr.load(cldr.LANGUAGES if languages is None else list(languages)).train
        case "opendocs":
            from hybridnb.corpora import jsonl
            from hybridnb.corpora import source as home

            (path,) = home.locate(jsonl.OPENDOCS, directory)
            return _jsonl(path, languages, {"name": "opendocs", **reading})
        case _:
            from hybridnb.corpora.sets import mmarco

            return mmarco.load(languages, directory, **reading)


def validation_corpus(
    name: str | Path,
    *,
    directory: str | Path | None = None,
    languages: Collection[str] | None = None,
    **reading: Any,
) -> ParallelCorpus:
    """The validation corpus of this name (see `VALIDATION`) or of this JSONL file; as `training_corpus`.

    languages: ignored by squadshifts, which is English only.
    """
    if _is_path(name):
        return _jsonl(name, languages, reading)
    if _known(str(name), VALIDATION, "validation corpus") == "cldr":
        _none(reading, "cldr")
        from hybridnb.corpora.sets import cldr

        return cldr.load(cldr.LANGUAGES if languages is None else list(languages)).validation
    from hybridnb.corpora.sets import squadshifts

    return squadshifts.load(directory, **reading)


def load_benchmark(name: str, *, directory: str | Path | None = None, **reading: Any) -> Benchmark:
    """The benchmark of this name (see `BENCHMARKS`); directory, reading and errors as `training_corpus`."""
    match _known(name, BENCHMARKS, "benchmark").split("-", 1):
        case ["cldr"]:
            _none(reading, name)
            from hybridnb.corpora.sets import cldr

            return cldr.load().benchmark
        case ["xquad" | "mlqa", _]:
            _none(reading, name)
            from hybridnb.corpora.sets import lareqa

            return lareqa.load_benchmark(name, directory)
        case ["ntrex"]:
            from hybridnb.corpora.sets import ntrex

            return ntrex.load_benchmark(directory, **reading)
        case ["miracl", language]:
            from hybridnb.corpora.sets import miracl

            return miracl.load_benchmark(language, directory, **reading)
        case _:
            from hybridnb.corpora.sets import xm3600

            return xm3600.load_benchmark(directory, **reading)


def home_of(name: str) -> Home:
    """The files of a named data set and where they are public. ValueError: one made here, or unknown."""
    known = sorted({*CORPORA, *BENCHMARKS} - {"cldr"})
    match _known(name, known, "data set with files").split("-", 1):
        case ["opendocs"]:
            from hybridnb.corpora import jsonl

            return jsonl.OPENDOCS
        case ["mmarco"]:
            from hybridnb.corpora.sets import mmarco

            return mmarco.home()
        case ["squadshifts"]:
            from hybridnb.corpora.sets import squadshifts

            return squadshifts.HOME
        case ["xquad" | "mlqa", _]:
            from hybridnb.corpora.sets import lareqa

            return lareqa.HOMES[name]
        case ["ntrex"]:
            from hybridnb.corpora.sets import ntrex

            return ntrex.HOME
        case ["miracl", language]:
            from hybridnb.corpora.sets import miracl

            return miracl.home(language)
        case _:
            from hybridnb.corpora.sets import xm3600

            return xm3600.HOME


def _is_path(name: str | Path) -> bool:
    return isinstance(name, Path) or "/" in name or name.endswith(JSONL)


def _jsonl(path: str | Path, languages: Collection[str] | None, reading: dict[str, Any]) -> ParallelCorpus:
    from hybridnb.corpora.jsonl import read_jsonl

    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file; give a JSONL file or one of {', '.join(CORPORA)}")
    return read_jsonl(path, languages=languages, **reading)


def _none(reading: dict[str, Any], name: str) -> None:
    if given := [option for option, value in reading.items() if value]:
        raise ValueError(f"{name} takes no {given[0]!r}: it is not read row by row")


def _known(name: str, names: Iterable[str], what: str) -> str:
    """The name, if it is one of these; ValueError with the nearest one and all of them otherwise."""
    names = list(names)
    if name in names:
        return name
    near = difflib.get_close_matches(name, names, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"no {what} is named {name!r}.{hint} Known: {', '.join(names)}")
