"""MIRACL dev (Zhang et al. 2023, arXiv 2210.09984): questions in 18 languages over their whole Wikipedias.

`miracl-LANG` is one of them. In `miracl` all, or those that are asked for, share one pool, while the relevant
passages of a question are those of its own language: no answer is wanted in another.

Topics and qrels come from the hub's miracl/miracl, passages from miracl/miracl-corpus, file by file at a
pinned revision (their loading scripts need no running). Topics and qrels may also lie flat in a data
directory: miracl/{topics,qrels}.miracl-v1.0-LANG-dev.tsv.gz.

Official measures: nDCG@10 and Recall@100, over binary judgements; what is not judged is not relevant.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Collection
from importlib import resources
from pathlib import Path
from typing import Any

from hybridnb.corpora.benchmark import Benchmark, Queries
from hybridnb.corpora.catalogue import BENCHMARKS, DataSet
from hybridnb.corpora.lines import BadRow, BadRows
from hybridnb.corpora.source import RemoteFile, Source, hub, locate
from hybridnb.corpora.tables import texts_by_language
from hybridnb.corpora.trec import passages, qrels, topics

JUDGEMENTS = "miracl/miracl", "5be20db9509754dadad47689368639fcec739c00"
CORPUS = "miracl/miracl-corpus", "d921ec7e349ce0d28daf30b2da9da5ee698bef0d"


@functools.cache
def source(language: str) -> Source:
    """Topics, qrels and passages of a language: 10 MB (sw) to 5 GB (en). ValueError: an unknown language.

    The sizes of the passage files are those the library ir_datasets lists (but for yo, where its number
    cannot be right); those of topics and qrels, with their sha256, are of the copies in anserini-tools.
    """
    published = _published()
    if language not in published:
        raise ValueError(f"MIRACL has no {language!r}; its languages are {', '.join(published)}")
    files = []
    for kind in ("topics", "qrels"):
        size, sha256 = published[language][kind]
        name = f"miracl-v1.0-{language}/{kind}/{kind}.miracl-v1.0-{language}-dev.tsv"
        flat = f"miracl/{Path(name).name}"
        files.append(
            RemoteFile(
                f"miracl/{name}", hub(*JUDGEMENTS, name), size, f"sha256:{sha256}", also=(f"{flat}.gz", flat)
            )
        )
    for number, size in enumerate(published[language]["docs"]):
        name = f"miracl-corpus-v1.0-{language}/docs-{number}.jsonl.gz"
        files.append(RemoteFile(f"miracl/{name}", hub(*CORPUS, name), size))
    about = " and ".join(
        f"hub {repository}, revision {revision[:8]}" for repository, revision in (JUDGEMENTS, CORPUS)
    )
    return Source(f"miracl-{language}", about, tuple(files))


def load_benchmark(
    language: str, directory: str | Path | None = None, *, skip_bad: bool = False
) -> Benchmark:
    """The benchmark "miracl-LANG": query ids are "LANG:TOPIC", so that languages can be put together.

    Candidates are read from disk on access.

    Args:
        language: Its code.
        directory: Where to look before HYBRIDNB_DATA, the cache and the public home.
        skip_bad: Leave bad rows out, with a BadRowsWarning.

    Raises:
        BadRow: The first bad row (a ValueError), which a topic without a relevant passage is too (the official
            evaluation leaves such out; dev has none).
        ValueError: A relevant passage that is not in the collection, with or without skip_bad.
    """
    topics_path, qrels_path, *shards = locate(source(language), directory)
    bad = BadRows(skip=skip_bad)
    asked = topics(topics_path, bad)
    judged = _positives(qrels_path, asked, bad)
    for topic, (line, _) in asked.items():
        if topic not in judged:
            problem = f"topic {topic!r} has no relevant passage in {qrels_path}"
            bad.add(BadRow(topics_path, line, "id", problem, "judge it or remove it"))
    read = functools.partial(passages, language)
    texts = texts_by_language(f"passages in {language}", shards, read, bad).get(language)
    bad.warn()
    row_of = texts.rows({docid for docids in judged.values() for docid in docids}) if texts else {}
    if missing := sorted({d for docids in judged.values() for d in docids} - row_of.keys()):
        raise ValueError(
            f"{qrels_path}: {len(missing)} relevant passages, {missing[0]!r} for one, are not among the "
            f"{len(texts or ()):,} in {shards[0].parent}; its files are not those of the same collection"
        )
    questions = {f"{language}:{topic}": text for topic, (_, text) in asked.items() if topic in judged}
    if not questions or texts is None:
        raise ValueError(f"{topics_path}: no topic in it; fetch it again")
    relevance = {
        f"{language}:{topic}": {language: sorted(row_of[docid] for docid in docids)}
        for topic, docids in judged.items()
    }
    queries = Queries(list(questions), list(questions.values()))
    return Benchmark(
        f"miracl-{language}",
        {language: queries},
        {language: texts},
        relevance,
        candidate_ids={language: texts.ids},
    )


def load_pool(
    directory: str | Path | None = None,
    *,
    languages: Collection[str] | None = None,
    skip_bad: bool = False,
) -> Benchmark:
    """The benchmark "miracl", of several languages.

    Args:
        languages: Only these, and only their files are asked for; all 18 by default, of which what is missing is told,
            and fetched, before the first is read.
        directory, skip_bad: As of `load_benchmark`, which says what is raised.
    """
    if languages is None:
        locate(ALL, directory)
    asked = sorted(set(languages or _published()))
    parts = [load_benchmark(language, directory, skip_bad=skip_bad) for language in asked]
    return Benchmark(
        "miracl",
        {code: of_language for part in parts for code, of_language in part.queries.items()},
        {code: of_language for part in parts for code, of_language in part.candidates.items()},
        {query_id: answers for part in parts for query_id, answers in part.relevance.items()},
        candidate_ids={code: ids for part in parts for code, ids in part.candidate_ids.items()},
    )


def _positives(path: Path, asked: Collection[str], bad: BadRows) -> dict[str, list[str]]:
    """Topic -> docids of the relevant passages (grade above 0)."""
    positives: dict[str, list[str]] = {}
    for line, topic, docid, grade, _ in qrels(path, bad):
        if topic not in asked:
            bad.add(BadRow(path, line, "topic", f"{topic!r} is no topic", "add it to the topics"))
        elif grade > 0:
            positives.setdefault(topic, []).append(docid)
    return positives


@functools.cache
def _published() -> dict[str, dict[str, Any]]:
    """Language -> {"topics": [bytes, sha256], "qrels": [bytes, sha256], "docs": [bytes of each]}."""
    text = resources.files("hybridnb.corpora.sets").joinpath("miracl_files.json").read_text(encoding="utf-8")
    files: dict[str, dict[str, Any]] = json.loads(text)
    return files


ALL = Source(
    "miracl", source("ar").about, tuple(file for code in _published() for file in source(code).files)
)

BENCHMARKS.register(
    "miracl",
    DataSet(
        "MIRACL dev, 18 languages in one pool, 106 million passages, 16 GB to fetch: name some, --language",
        load_pool,
        ALL,
        licence="Apache-2.0, text CC-BY-SA",
    ),
)
for _language in _published():
    BENCHMARKS.register(
        f"miracl-{_language}",
        DataSet(
            f"MIRACL dev in {_language}, monolingual, over its whole Wikipedia",
            functools.partial(load_benchmark, _language),
            source(_language),
            licence="Apache-2.0, text CC-BY-SA",
        ),
    )
