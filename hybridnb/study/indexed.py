"""An index of a benchmark's candidates, made in shards; and its search, evaluated as every other system."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hybridnb import corpora
from hybridnb.corpora.benchmark import Benchmark
from hybridnb.encoders.foreign import load_encoder
from hybridnb.files import atomic, locked, sha256_of
from hybridnb.measures.bounds import bounds
from hybridnb.measures.catalogue import MEASURES
from hybridnb.retrieval.embeddings import encode_queries
from hybridnb.retrieval.pool import Pool
from hybridnb.retrieval.sharded.build import FLAT, build_index, check_factory, encode_shard, has_index
from hybridnb.retrieval.sharded.cut import MERGED, Cut, cut_ranks
from hybridnb.retrieval.sharded.layout import Index, Layout, Storage
from hybridnb.retrieval.sharded.search import Search, merged, relevant_scores, search_shard
from hybridnb.retrieval.vectors import query_matrix
from hybridnb.study.named import system_of
from hybridnb.study.results import check_results, keep_results
from hybridnb.study.systems import Encoded

ALL = slice(None)


def make_index(
    model: str,
    benchmark: str,
    out: Path,
    *,
    factory: str = FLAT,
    storage: Storage = "float16",
    shard_size: int,
    part: slice = ALL,
    languages: Sequence[str] = (),
    data: str | None = None,
    skip_bad: bool = False,
    **conventions: Any,
) -> Index:
    """Write the vectors of a benchmark's candidates, and a FAISS index of each shard; what is there is kept.

    Args:
        model: a run, or a model, as `load_encoder` takes it.
        benchmark: by name or path.
        out: the directory of the index.
        factory: of FAISS; "Flat" is exact search and needs no index.
        storage: what vectors are kept as.
        shard_size: candidates of a shard.
        part: which shards.
        languages: cut the benchmark to these; none: all.
        data, skip_bad: as of `corpora.load_benchmark`.
        conventions: as of `load_encoder`.

    Raises:
        ValueError: the factory string is none, or `out` holds an index that is made of something else.
        FileNotFoundError: there is no such model or benchmark.
    """
    read = _benchmark(benchmark, languages, data, skip_bad)
    given = {key: value for key, value in conventions.items() if value is not None}
    encoder = load_encoder(system_of(model), **given)
    check_factory(factory, encoder.dimension)
    entry = Encoded(encoder).entry
    if "precision" in entry["encoder"]:
        given["precision"] = entry["encoder"]["precision"]  # of queries, too, on whatever machine
    made_of = {
        "model": model,
        "conventions": given,
        "encoder": entry["encoder"],
        "encoder_sha256": entry["encoder_sha256"],
        "benchmark": benchmark,
        "benchmark_sha256": read.sha256,
        "languages": list(languages),
        "skip_bad": skip_bad,
    }
    sizes = {language: len(texts) for language, texts in read.candidates.items()}
    index = Index.create(out, Layout(sizes, encoder.dimension, storage, shard_size, made_of))
    for shard in index.shards[part]:
        encode_shard(encoder, read.candidates[shard.language], index, shard)
        build_index(index, shard, factory)
    return index


def as_lines(index: Index, factory: str) -> list[str]:
    """What there is of an index, in words."""
    shards = index.shards
    encoded = [shard for shard in shards if index.vectors(shard).is_file()]
    wanted = [shard for shard in shards if has_index(shard, factory)]
    built = [shard for shard in wanted if index.faiss(shard, factory).is_file()]
    kept = sum(index.vectors(shard).stat().st_size for shard in encoded)
    lines = [
        f"{len(encoded)} of {len(shards)} shards are encoded: {sum(map(len, encoded)):,} of "
        f"{sum(map(len, shards)):,} candidates, {_size(kept)} as {index.layout.storage}"
    ]
    if factory != FLAT:
        files = sum(index.faiss(shard, factory).stat().st_size for shard in built)
        small = len(shards) - len(wanted)
        lines.append(
            f"{len(built)} of {len(wanted)} have their index {factory}: {_size(files)}"
            + (f"; {small} are small and searched exactly" if small else "")
        )
    return [*lines, f"index: {index.directory}, for `hybridnb search-index {index.directory} --out RESULTS`"]


@dataclass(frozen=True)
class Searched:
    """What came of a search: its benchmark, lines to print, and the benchmark's part of metrics.json once all is in."""

    benchmark: str
    lines: list[str]
    metrics: Mapping[str, Any]


def search_index(
    directory: Path,
    out: Path,
    *,
    k: int = 100,
    factory: str | None = None,
    parameters: str = "",
    sample: int = 100,
    part: slice = ALL,
    name: str | None = None,
    data: str | None = None,
) -> Searched:
    """Search an index with the queries of its benchmark; with the last shard, evaluate what was found in all of them.

    Args:
        directory: of the index.
        out: gets what `evaluation.evaluate` writes of TREC runs, and bounds/NAME.csv (see `bounds.bounds`); in
            evaluations.json stand recall and what the index missed (see `cut.Cut`).
        k: candidates of a query in a pool.
        factory: of its FAISS indexes; None: the only one that it has, or exact search.
        parameters: of FAISS.
        sample: queries that are searched exactly, too.
        part: which shards are searched here.
        name: what results call it.
        data: as of `corpora.load_benchmark`.

    Raises:
        FileNotFoundError: there is no index, or one of its shards is missing.
        ValueError: the index has several factory strings, its model or benchmark has changed, or `out` holds results
            of another system.
    """
    index = Index.open(directory)
    made_of = index.layout.made_of
    read = _benchmark(made_of["benchmark"], made_of["languages"], data, made_of["skip_bad"])
    if read.sha256 != made_of["benchmark_sha256"]:
        raise ValueError(f"{made_of['benchmark']} is not what {directory} was made of: index it anew")
    search = Search(index, factory or _only_factory(index), parameters, k, sample)
    encoder = load_encoder(system_of(made_of["model"]), **made_of["conventions"])
    if Encoded(encoder).entry["encoder_sha256"] != made_of["encoder_sha256"]:
        raise ValueError(f"{made_of['model']} is not the encoder that {directory} was made by: index anew")
    entry = _entry(search, name)
    with locked(out):
        check_results(out, entry, read)
    pool = Pool.of(read)
    queries = query_matrix(encode_queries(encoder, read, cache=directory / "queries"), sorted(read.queries))
    began = time.monotonic()
    for shard in index.shards[part]:
        search_shard(search, pool, queries, shard)
    took = f"{len(queries):,} queries, {search.factory}: {time.monotonic() - began:.1f} s"
    if missing := search.missing:
        where = f"{len(missing)} of {len(index.shards)} shards are left to other parts"
        return Searched(read.name, [f"{took}; {where}, of which the last evaluates"], {})
    cut = cut_ranks(
        pool, merged(search, pool), relevant_scores(search, pool), k, search.sampled(len(queries))
    )
    sampled = len(search.sampled(len(queries)))
    told = {"recall": cut.recall, "missed": cut.missed, "sampled": sampled}
    metrics = keep_results(out, {**entry, "search": told}, read, cut.ranks)
    between = bounds(cut.ranks, cut.best)
    with locked(out), atomic(out / "bounds" / f"{read.name}.csv") as file:
        between.to_csv(file, index=False)
    lines = [took, *_recall(cut, sampled, k), *_between(between)]
    return Searched(read.name, [*lines, f"ranks, metrics and bounds: {out}"], metrics)


def _benchmark(spec: str, languages: Sequence[str], data: str | None, skip_bad: bool) -> Benchmark:
    read = corpora.load_benchmark(spec, directory=data, skip_bad=skip_bad)
    return read.in_languages(languages) if languages else read


def _only_factory(index: Index) -> str:
    there = sorted({path.name for path in (index.directory / "faiss").glob("*")})
    if len(there) > 1:
        raise ValueError(f"{index.directory} has several indexes, {', '.join(there)}: say which, --factory")
    return there[0] if there else FLAT


def _entry(search: Search, name: str | None) -> dict[str, Any]:
    layout = search.index.layout
    told = {
        "factory": search.factory,
        "parameters": search.parameters,
        "k": search.k,
        "storage": layout.storage,
        "shard": layout.shard,
    }
    encoder = dict(layout.made_of["encoder"])
    own = encoder["model"] if search.factory == FLAT else f"{encoder['model']}, {search.factory}"
    return {
        "encoder": {**encoder, "model": name or own, "index": told},
        "encoder_sha256": sha256_of([layout.made_of["encoder_sha256"], told]),
    }


def _recall(cut: Cut, sampled: int, k: int) -> list[str]:
    pools = {"in the merged pool": [cut.recall[MERGED]]}
    pools["in a language's pool, on average"] = [of for pool, of in cut.recall.items() if pool != MERGED]
    lines = []
    for where, recalls in pools.items():
        each = [
            f"recall@{depth} {sum(of[depth] for of in recalls) / len(recalls):.3f}" for depth in recalls[0]
        ]
        lines.append(f"{where}: {', '.join(each)} of exact search ({sampled:,} queries)")
    lost, beyond = cut.missed[MERGED], int(cut.ranks.query("task == 'multilingual'")["rank"].isna().sum())
    lines.append(
        f"of relevant candidates in the merged pool {beyond:,} are not among the first {k:,}: {lost:,} that the index "
        f"missed, {beyond - lost:,} that score below"
    )
    return lines


def _between(between: pd.DataFrame) -> list[str]:
    """How far the cut leaves the paper's measures open."""
    labels = {(measure.task, measure.name): measure for measure in MEASURES.values() if measure.headline}
    open_ones = between[between["least"] < between["greatest"]]
    rows = open_ones[["task", "metric", "least", "greatest"]].to_numpy().tolist()
    return [
        f"{measure.label}: {measure.format(least)} to {measure.format(greatest)}, were all ranks known"
        for task, metric, least, greatest in rows
        if (measure := labels.get((task, metric)))
    ]


def _size(count: int) -> str:
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
