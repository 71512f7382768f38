"""MIRACL dev over its judged passages alone: real text, small pools, in 17 languages (all of MIRACL's but th).

The passages that NoMIRACL (Thakur et al. 2024, arXiv 2312.11361) publishes, with MIRACL's dev topics and qrels cut
to those with a relevant one among them. Pools are of 705 to 4,931 passages, so scores are far above MIRACL's and
compare systems with each other only. In `miracl-judged` all languages share one pool, while the relevant passages
of a question are those of its own language: no answer is wanted in another.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from hybridnb.corpora.benchmark import Benchmark
from hybridnb.corpora.catalogue import BENCHMARKS, DataSet
from hybridnb.corpora.folder import Part, read_parts
from hybridnb.corpora.source import RemoteFile, Source, locate

LANGUAGES = (
    "ar",
    "bn",
    "de",
    "en",
    "es",
    "fa",
    "fi",
    "fr",
    "hi",
    "id",
    "ja",
    "ko",
    "ru",
    "sw",
    "te",
    "yo",
    "zh",
)
HOME = "none in this form (passages of github project-miracl/nomiracl, topics and qrels of castorini/anserini-tools)"


def source(name: str, *languages: str) -> Source:
    """Topics, qrels and passages of these languages, in this order."""
    return Source(
        name,
        HOME,
        tuple(
            RemoteFile(f"miracl_judged/{language}/{file}")
            for language in languages
            for file in (
                f"topics.miracl-v1.0-{language}-dev.tsv.gz",
                f"qrels.miracl-v1.0-{language}-dev.tsv.gz",
                "docs-0.jsonl.gz",
            )
        ),
    )


def load_benchmark(
    name: str, languages: tuple[str, ...], directory: str | Path | None = None, *, skip_bad: bool = False
) -> Benchmark:
    """The benchmark of these languages in one pool; query ids are "LANG:TOPIC".

    Args:
        name: Of the benchmark.
        languages: Sorted codes.
        directory: Where to look before HYBRIDNB_DATA and the cache.
        skip_bad: Leave bad rows out, with a BadRowsWarning.

    Raises:
        BadRow: The first bad row (a ValueError).
    """
    files = locate(source(name, *languages), directory)
    parts = [
        Part(language, topics, (passages,), judgements)
        for language, topics, judgements, passages in zip(
            languages, files[::3], files[1::3], files[2::3], strict=True
        )
    ]
    return read_parts(parts, files[0].parents[1], name, {}, skip_bad=skip_bad)


def _register(name: str, about: str, *languages: str) -> None:
    load = partial(load_benchmark, name, languages)
    BENCHMARKS.register(
        name, DataSet(about, load, source(name, *languages), licence="Apache-2.0, text CC-BY-SA")
    )


_register(
    "miracl-judged", "MIRACL dev, judged passages only: 17 languages in one pool, 62,697 passages", *LANGUAGES
)
for _language in LANGUAGES:
    _register(f"miracl-judged-{_language}", f"MIRACL dev in {_language}, judged passages only", _language)
