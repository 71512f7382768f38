"""What is trained on and what is evaluated on, by name.

One module of `sets` is one data set: it registers itself in `catalogue`, and all of them are imported here.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import textwrap
from collections.abc import Collection
from pathlib import Path
from typing import Any

from hybridnb.corpora import captions, folder, pairs, sets
from hybridnb.corpora.benchmark import Benchmark
from hybridnb.corpora.catalogue import BENCHMARKS, SENTENCES, TRAINING, VALIDATION, DataSet
from hybridnb.corpora.columns import TABLES, is_table, read_table
from hybridnb.corpora.jsonl import read_jsonl
from hybridnb.corpora.lines import first_fields
from hybridnb.corpora.parallel import ParallelCorpus
from hybridnb.corpora.sentences import ParallelSentences, read_sentences
from hybridnb.corpora.source import Source, content_digests, content_sha256_of_path
from hybridnb.files import sha256_of
from hybridnb.registry import Registry

for _module in pkgutil.iter_modules(sets.__path__):
    importlib.import_module(f"{sets.__name__}.{_module.name}")

JSONL = ".jsonl", ".jsonl.gz"
REGISTRIES: tuple[Registry[Any], ...] = (BENCHMARKS, TRAINING, VALIDATION, SENTENCES)

__all__ = ["BENCHMARKS", "SENTENCES", "TRAINING", "VALIDATION"]
__all__ += ["benchmark_name", "content_sha256", "load_benchmark", "load_sentences"]
__all__ += ["sentences_in", "source_of", "training_corpus", "validation_corpus"]


def load_benchmark(
    spec: str | Path,
    *,
    directory: str | Path | None = None,
    languages: Collection[str] = (),
    **reading: Any,
) -> Benchmark:
    """The benchmark of a name out of `BENCHMARKS`, or one's own.

    Args:
        spec: The name; or the path of a folder (see `folder`), of a file of captions in XM3600's layout, or of
            parallel pairs as `training_corpus` takes them: the passage of an item answers its query.
        directory: Where to look for a named one before HYBRIDNB_DATA, the cache and the public home.
        languages: Cut it to these (see `Benchmark.in_languages`); none: all.
        reading: Options of its own reader, such as `skip_bad`, and of a folder `threshold`.

    Returns:
        Its queries, candidates and relevance.

    Raises:
        ValueError: An unknown name (the nearest is told) or layout, an option it does not take, or a bad row.
        MissingData: It is nowhere and cannot be fetched.

    Example:
        >>> benchmark = load_benchmark("cldr")
        >>> len(benchmark.languages), benchmark.queries["en"].texts[0]
        (11, 'Which currency is legal tender in Antigua & Barbuda?')
        >>> load_benchmark("cldr", languages=["de", "en"]).name
        'cldr-de-en'
    """
    if is_path(spec):
        read = _own_benchmark(spec, reading)
    else:
        known = BENCHMARKS[str(spec)]
        if languages and _reads_by_language(known):
            reading = {**reading, "languages": languages}
        read = known.load(directory, **_options(str(spec), known, reading))
    return read.in_languages(languages) if languages else read


def _own_benchmark(spec: str | Path, reading: dict[str, Any]) -> Benchmark:
    """The benchmark that lies at a path."""
    path, name = existing(spec, BENCHMARKS), benchmark_name(spec)
    if is_pairs(path):
        fields = first_fields(path) if path.name.endswith(JSONL) else set()
        if fields and fields.isdisjoint("qp"):
            raise ValueError(
                f"{path}: no benchmark, its rows have {', '.join(sorted(fields))}; {folder.LAYOUTS}"
            )
        return pairs.benchmark_of(name, training_corpus(path, **reading).items)
    if path.is_dir():
        return folder.read_folder(path, name, **reading)
    return captions.read_benchmark(path, name, **reading)


def is_pairs(path: Path) -> bool:
    """Whether a path is that of parallel pairs, which can be trained on; else it is that of a benchmark alone."""
    if path.is_dir():
        return not folder.is_benchmark(path) and is_table(path)
    return not (path.name.endswith(JSONL) and captions.KEY in first_fields(path))


def benchmark_name(spec: str | Path) -> str:
    """The name of a benchmark as it is asked for: what results, tables and figures on it are filed under.

    Nothing is read: there may be no such benchmark.

    Args:
        spec: A registered name, which is itself, or a path, which is its last part without .jsonl or another ending
            of a file of pairs, with "_" for what a file name had better not hold.

    Example:
        >>> benchmark_name("xquad-r"), benchmark_name("my/data/faq 2.jsonl.gz"), benchmark_name("../beir/")
        ('xquad-r', 'faq_2', 'beir')
    """
    if spec in BENCHMARKS:
        return str(spec)
    name = Path(os.path.normpath(Path.cwd() / spec)).name
    for ending in (*JSONL, *TABLES):
        name = name.removesuffix(ending)
    return "".join(c if c.isalnum() or c in "=._-" else "_" for c in name)


def sentences_in(benchmark: str) -> set[str]:
    """The sets of parallel sentences that a benchmark of this name has: what is fitted to them is not evaluated on it.

    Example:
        >>> sentences_in("belebele"), sentences_in("xquad-r")
        ({'flores'}, set())
    """
    return {
        name
        for known, data_set in BENCHMARKS.items()
        for name in data_set.sentences_of
        if benchmark == known or benchmark.startswith(f"{known}-")  # cut to some languages
    }


def training_corpus(
    name: str | Path,
    *,
    directory: str | Path | None = None,
    languages: Collection[str] | None = None,
    exclude_sources: Collection[str] = (),
    **reading: Any,
) -> ParallelCorpus:
    """The training corpus of a name out of `TRAINING`, or of a file (see `jsonl` and `columns`).

    Args:
        name: Of the corpus, or the path of a JSONL, CSV or Parquet file or a `datasets` directory.
        directory: Where to look before HYBRIDNB_DATA, the cache and the public home.
        languages: Only these; items without any of them are left out.
        exclude_sources: Values of `Item.source` to leave out.
        reading: Options of its own reader, such as `skip_bad`, and of JSONL `context`.

    Raises:
        ValueError: An unknown name (the nearest is told), an option it does not take, or a bad row.
        MissingData: It is nowhere and cannot be fetched.

    Example:
        >>> corpus = training_corpus("cldr", languages=["de", "sv"])
        Traceback (most recent call last):
        ValueError: cldr:train has no language 'sv'; it has ar, de, el, en, es, hi, ru, th, tr, vi, zh
    """
    return _corpus(TRAINING, name, directory, languages, exclude_sources, reading)


def validation_corpus(
    name: str | Path,
    *,
    directory: str | Path | None = None,
    languages: Collection[str] | None = None,
    exclude_sources: Collection[str] = (),
    **reading: Any,
) -> ParallelCorpus:
    """The validation corpus of a name out of `VALIDATION`, or of a file; as `training_corpus`."""
    return _corpus(VALIDATION, name, directory, languages, exclude_sources, reading)


def load_sentences(
    spec: str | Path,
    *,
    directory: str | Path | None = None,
    languages: Collection[str] | None = None,
    skip_bad: bool = False,
) -> ParallelSentences:
    """The parallel sentences of a name out of `SENTENCES`, or of a file (see `sentences`).

    Args:
        spec: The name, or the path of a JSONL, CSV or Parquet file or a `datasets` directory.
        directory: Where to look for a named set before HYBRIDNB_DATA, the cache and the public home.
        languages: Only these; of a file, what else stands in its rows is not looked at.
        skip_bad: Leave bad rows out of all languages, with a BadRowsWarning.

    Raises:
        ValueError: An unknown name (the nearest is told), a language that is not there, or a bad row.
        FileNotFoundError: There is no such file, or the named set is nowhere and cannot be fetched.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     file = Path(directory) / "mine.csv"
        ...     _ = file.write_text("en,de\\nyes,ja\\nno,nein\\n")
        ...     load_sentences(file).texts
        {'de': ['ja', 'nein'], 'en': ['yes', 'no']}
    """
    if not is_path(spec):
        found: ParallelSentences = SENTENCES[str(spec)].load(directory, skip_bad=skip_bad)
        return found.cut(languages)
    path = existing(spec, SENTENCES)
    return read_sentences(path, benchmark_name(path), languages=languages, skip_bad=skip_bad)


def source_of(name: str) -> Source:
    """The files of a named data set and where they are public.

    Raises:
        ValueError: The data set is made here, or the name is unknown.
    """
    source = data_set(name).source
    if source is None:
        raise ValueError(f"{name} is made here: it has no files to fetch")
    return source


def content_sha256(name: str | Path, directory: str | Path | None = None) -> str:
    """Hash of what a data set holds: of its files' bytes, or of what it is made of.

    Nothing is downloaded: a file that lies nowhere counts as the pinned one. Hashes of files are remembered in
    the cache, so that asking again takes milliseconds.

    Args:
        name: Of a benchmark or corpus, or a path.
        directory: Where to look first, as in `load_benchmark`.

    Raises:
        ValueError: An unknown name.
        FileNotFoundError: No such file.
    """
    if is_path(name):
        return content_sha256_of_path(existing(name, TRAINING, VALIDATION))
    known = data_set(str(name))
    if known.source is not None:
        return sha256_of(content_digests(known.source, directory))
    assert known.made_of is not None
    return sha256_of(known.made_of())


def _corpus(
    registry: Registry[DataSet[ParallelCorpus]],
    name: str | Path,
    directory: str | Path | None,
    languages: Collection[str] | None,
    exclude_sources: Collection[str],
    reading: dict[str, Any],
) -> ParallelCorpus:
    if is_path(name):
        path = existing(name, TRAINING, VALIDATION)
        tabled = path.is_dir() or path.name.endswith(TABLES)
        corpus = read_table(path, **reading) if tabled else read_jsonl(path, **reading)
    else:
        known = registry[str(name)]
        if languages is not None and _reads_by_language(known):
            reading, languages = {**reading, "languages": languages}, None
        corpus = known.load(directory, **_options(str(name), known, reading))
    if languages is not None:
        corpus = corpus.in_languages(languages)
    return corpus.without_sources(exclude_sources) if exclude_sources else corpus


def _reads_by_language(known: DataSet[Any]) -> bool:
    """Whether its reader leaves files of languages that nobody asks for alone."""
    return "languages" in inspect.signature(known.load).parameters


def _options(name: str, data_set: DataSet[Any], reading: dict[str, Any]) -> dict[str, Any]:
    """The options that are set; ValueError for the first one that the data set does not take."""
    if data_set.source is None:  # made here: it has no bad rows
        reading = {**reading, "skip_bad": None}
    given = {option: value for option, value in reading.items() if value is not None and value is not False}
    taken = list(inspect.signature(data_set.load).parameters)[1:]
    if foreign := [option for option in given if option not in taken]:
        raise ValueError(f"{name} takes no {foreign[0]!r}; it takes {', '.join(taken) or 'no option'}")
    return given


def data_set(name: str) -> DataSet[Any]:
    """The data set of this name, of whatever kind."""
    every: Registry[DataSet[Any]] = Registry("data set")
    for registry in REGISTRIES:
        for known, entry in registry.items():
            if known not in every:
                every.register(known, entry)
    return every[name]


def is_path(name: str | Path) -> bool:
    """Whether a corpus or benchmark is named by where it lies; a registered name never is.

    Example:
        >>> is_path("cldr"), is_path("faq.csv"), is_path("data/faq")
        (False, True, True)
    """
    if isinstance(name, Path) or "/" in name or name.endswith((*JSONL, *TABLES)):
        return True
    registered = any(name in registry for registry in REGISTRIES)
    return not registered and bool(name) and Path(name).is_dir()


def existing(path: str | Path, *named: Registry[Any]) -> Path:
    """The path. FileNotFoundError: there is nothing; the names of the registries are told."""
    if not Path(path).exists():
        known = ", ".join(dict.fromkeys(name for registry in named for name in registry))
        known = textwrap.shorten(known, 200, placeholder=" ...", break_on_hyphens=False)
        raise FileNotFoundError(f"{path}: no such file; give a file or folder, or one of {known}")
    return Path(path)
