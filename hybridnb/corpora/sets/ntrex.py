"""NTREX-128 (Federmann et al. 2022): 1,997 news sentences in 11 languages, as a development benchmark.

A sentence is a query in each language; its translations are the relevant candidates. The sentence itself
would be a trivial answer and is in none of its pools: there is no monolingual task, the cross-lingual task
has one relevant candidate and the multilingual task ten.

Read from the published text files (a line a sentence) or from one sentence a line (`id, doc, t`).
"""

from __future__ import annotations

from pathlib import Path

from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.corpora.catalogue import BENCHMARKS, SENTENCES, DataSet
from hybridnb.corpora.lines import BadRow, BadRows, check_text, numbered_lines
from hybridnb.corpora.sentences import ParallelSentences, read_sentences
from hybridnb.corpora.source import RemoteFile, Source, github, locate

REPOSITORY = "MicrosoftTranslator/NTREX"
RELEASE = "c9f006f2c132c932b83ccd7aaa6a35930dd9c370"
REVISED = {"vi": "4d9d4b6a586cc4d90b6880f9304ac5abf31496f0"}
# language, file, bytes, sha256
FILES = """
ar newstest2019-ref.arb.txt 423901 d271c8645933421f760eba8ed8cc1ceaaa052f917d9c2839b8abb27e0ded71e6
de newstest2019-ref.deu.txt 306436 259d7406a07b63e6b5b9c4a22fb76b85e2578a3fa0a4e541a50f4f7348e5c1b2
el newstest2019-ref.ell.txt 544996 cd9c8eda1b54f4b504b33769db7e56e26ba9ae768a64e13e0eef02a9ee9867fc
en newstest2019-src.eng.txt 251739 389e8f5796c66db4f646dfad33e1ec622d74767af5ef112b42a1f2cd814df3cc
es newstest2019-ref.spa.txt 299333 0ad8129e5ce0bea86ba7e0ea0db0504d6626b8a4d2a7cf4c44b7791c70e99b84
hi newstest2019-ref.hin.txt 674699 10d612b3960dc1f90d297aff7e3c6d39e6eb7221b912cef0c053d9f510e41bbc
ru newstest2019-ref.rus.txt 505414 a7e3601298b0368659a5c006c52809cf6792e02eb94bde9b9693333278d85732
th newstest2019-ref.tha.txt 658582 45a57c4f9fdbae282eb2c94821535ae3c88b09186a23c5506eb0907ba429d6a5
tr newstest2019-ref.tur.txt 293653 bd0c3978cb7d283ee5f8834d90a32fe2ffd0c71e4b133c677cff259d07a70ea9
vi newstest2019-ref.vie.txt 359879 dd5d16cf246da57f5ccb7490ae13b8df428e7cb53e17fa04552406d657abfe3c
zh newstest2019-ref.zho-CN.txt 241603 8bcd6f0868d33f26c8da12f55a82f66088a7b60a5f7b0b1a99dcec51daa8054a
"""
PINNED = {language: pins for language, *pins in map(str.split, FILES.strip().splitlines())}
LANGUAGES = tuple(PINNED)

SOURCE = Source(
    "ntrex",
    f"github {REPOSITORY}, commit {RELEASE[:8]}",
    tuple(
        RemoteFile(
            f"ntrex/{file}",
            github(REPOSITORY, REVISED.get(language, RELEASE), f"NTREX-128/{file}"),
            int(size),
            f"sha256:{sha256}",
        )
        for language, (file, size, sha256) in PINNED.items()
    ),
    instead=RemoteFile(
        "ntrex/sentences.jsonl.gz",
        digest="sha256:28cce7f759913a2a46dd1baa24c9c700d813511fff49dbb6b80c622a5e89edb0",
    ),
)


def load_sentences(directory: str | Path | None = None, *, skip_bad: bool = False) -> ParallelSentences:
    """The sentences; ids are "ntrex/NUMBER".

    Args:
        directory: Where to look before HYBRIDNB_DATA, the cache and the public home.
        skip_bad: Leave sentences with a bad row out of all languages, with a BadRowsWarning.

    Raises:
        BadRow: The first bad row (a ValueError).
    """
    paths = locate(SOURCE, directory)
    if len(paths) == 1:  # the form of a sentence a row
        return read_sentences(paths[0], "ntrex", languages=LANGUAGES, skip_bad=skip_bad)
    bad = BadRows(skip=skip_bad)
    sentences = _published(paths, bad)
    bad.warn()
    if not sentences:
        raise ValueError(f"{paths[0]}: no sentence in it; fetch it again")
    texts = {code: [texts[code] for texts in sentences.values()] for code in LANGUAGES}
    return ParallelSentences("ntrex", texts, list(sentences))


def load_benchmark(directory: str | Path | None = None, *, skip_bad: bool = False) -> Benchmark:
    """The benchmark "ntrex": query ids are "SENTENCE@LANGUAGE", candidate rows are sentence numbers.

    See `load_sentences` for the arguments and errors.
    """
    sentences = load_sentences(directory, skip_bad=skip_bad)
    queries = {
        code: Queries([f"{sentence}@{code}" for sentence in sentences.ids], texts)
        for code, texts in sentences.texts.items()
    }
    relevance, excluded = {}, {}
    for row, sentence in enumerate(sentences.ids):
        for code in LANGUAGES:
            relevance[f"{sentence}@{code}"] = {other: [row] for other in LANGUAGES if other != code}
            excluded[f"{sentence}@{code}"] = {code: [row]}
    return Benchmark("ntrex", queries, sentences.texts, relevance, excluded)


def _published(paths: list[Path], bad: BadRows) -> dict[str, dict[str, str]]:
    """Sentence id -> language -> text, of the text files, one a language, whose lines correspond."""
    columns: dict[str, dict[int, str]] = {}
    for code, path in zip(LANGUAGES, paths, strict=True):
        columns[code] = {}
        for line, text in numbered_lines(path, bad):
            try:
                columns[code][line] = check_text(text, path, line, code)
            except BadRow as error:
                bad.add(error)
    last = max(max(column, default=0) for column in columns.values())
    sentences = {}
    for line in range(1, last + 1):
        texts = {code: column[line] for code, column in columns.items() if line in column}
        if len(texts) == len(LANGUAGES):
            sentences[f"ntrex/{line - 1}"] = texts
        elif not bad.skip:
            absent = next(path for code, path in zip(LANGUAGES, paths, strict=True) if code not in texts)
            raise BadRow(absent, line, None, f"missing, other languages have {last} lines", "fetch it again")
    return sentences


BENCHMARKS.register(
    "ntrex",
    DataSet(
        "NTREX-128 in 11 languages: 1,997 news sentences that retrieve their translations",
        load_benchmark,
        SOURCE,
        sentences_of=("ntrex",),
        licence="CC-BY-SA-4.0",
    ),
)
SENTENCES.register(
    "ntrex",
    DataSet(
        "NTREX-128: 1,997 news sentences in 11 languages", load_sentences, SOURCE, licence="CC-BY-SA-4.0"
    ),
)
