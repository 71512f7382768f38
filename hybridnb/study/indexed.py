"""An index of a benchmark's candidates, made in shards; and its search, evaluated as every other system."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock

from hybridnb import corpora
from hybridnb.corpora.benchmark import Benchmark
from hybridnb.encoders.encoder import DualEncoder
from hybridnb.encoders.foreign import ForeignEncoder, load_encoder
from hybridnb.files import atomic, locked, read_json, sha256_of
from hybridnb.measures.bounds import bounds
from hybridnb.measures.catalogue import MEASURES
from hybridnb.measures.metrics_file import read_metrics
from hybridnb.retrieval.embeddings import encode_queries
from hybridnb.retrieval.pool import Pool
from hybridnb.retrieval.sharded.build import FLAT, build_index, check_factory, encode_shard, has_index
from hybridnb.retrieval.sharded.cut import MERGED, cut_ranks
from hybridnb.retrieval.sharded.layout import SHARD, Index, Layout, Shard, Storage
from hybridnb.retrieval.sharded.search import Matrix, Search, merged, relevant_scores, search_shard
from hybridnb.retrieval.vectors import query_matrix
from hybridnb.study.named import system_of
from hybridnb.study.results import check_results, keep_results
from hybridnb.study.systems import Encoded
from hybridnb.training.processes import first_says, is_first, my_share, wait_for_all

ALL = slice(None)


def make_index(
    model: str,
    benchmark: str,
    out: Path,
    *,
    factory: str = FLAT,
    storage: Storage = "float16",
    shard_size: int = SHARD,
    part: slice = ALL,
    languages: Sequence[str] = (),
    data: str | None = None,
    skip_bad: bool = False,
    **conventions: Any,
) -> Index:
    """Write the vectors of a benchmark's candidates, and a FAISS index of each shard; what is there is kept.

    Of the processes of a launcher each makes its share; all end when all have.

    Args:
        model: a run, or a model, as `load_encoder` takes it.
        benchmark: by name or path.
        out: the directory of the index.
        factory: of FAISS; "Flat" is exact search and needs no index.
        storage: what vectors are kept as.
        shard_size: candidates of a shard.
        part: which shards, of all processes together.
        languages: cut the benchmark to these; none: all.
        data, skip_bad: as of `corpora.load_benchmark`.
        conventions: as of `load_encoder`.

    Raises:
        ValueError: the factory string is none, or `out` holds an index that is made of something else.
        FileNotFoundError: there is no such model or benchmark.
    """
    mine = my_share()  # each process has a GPU of its own from here on
    read = corpora.load_benchmark(benchmark, directory=data, languages=languages, skip_bad=skip_bad)
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
        "languages": sorted(languages),
        "skip_bad": skip_bad,
    }
    sizes = {language: len(texts) for language, texts in read.candidates.items()}
    index = Index.create(out, Layout(sizes, encoder.dimension, storage, shard_size, made_of))
    for shard in index.shards[part][mine]:
        encode_shard(encoder, read.candidates[shard.language], index, shard)
        build_index(index, shard, factory)
    wait_for_all()
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

    What shards found is kept until then. Of the processes of a launcher each searches its share; the first evaluates.

    Args:
        directory: of the index.
        out: gets what `evaluation.evaluate` writes of TREC runs, and bounds/NAME.csv (see `bounds.bounds`); in
            evaluations.json stand recall and what the index missed (see `cut.Cut`). A search that it has the results
            of is not made again.
        k: candidates of a query in a pool.
        factory: of its FAISS indexes; None: the only one that it has, or exact search.
        parameters: of FAISS.
        sample: queries that are searched exactly, too.
        part: which shards are searched here, by all processes together.
        name: what results call it.
        data: as of `corpora.load_benchmark`.

    Raises:
        FileNotFoundError: there is no index, or one of its shards is missing.
        ValueError: the index has several factory strings, its model or benchmark has changed, or `out` holds results
            of another system.
    """
    mine = my_share()  # each process has a GPU of its own from here on
    index = Index.open(directory)
    search = Search(index, factory or _only_factory(index), parameters, k, sample)
    read, encoder = _benchmark_of(index, data), _encoder_of(index)
    pool, entry = Pool.of(read), _entry(search, name)
    is_done = partial(_has_results, out, entry, read, len(search.sampled(len(pool.query_id))))
    lines = []
    if not first_says(is_done):
        queries = encode_queries(encoder, read, cache=directory / "queries")
        matrix = query_matrix(queries, sorted(read.queries))
        lines.append(_search_shards(search, pool, matrix, index.shards[part][mine]))
        wait_for_all()
    if not is_first():
        return Searched(read.name, [], {})
    with FileLock(f"{search.directory}.lock"):  # of two parts that end together one evaluates
        if not is_done():
            if missing := search.missing:
                of_all = f"{len(missing)} of {len(index.shards)} shards"
                lines.append(f"{of_all} are left to other parts, of which the last evaluates")
                return Searched(read.name, lines, {})
            _evaluate(search, read, pool, entry, out)
        shutil.rmtree(search.directory, ignore_errors=True)
    return Searched(read.name, [*lines, *_results_as_lines(out, read.name, k)], read_metrics(out)[read.name])


def _has_results(out: Path, entry: Mapping[str, Any], benchmark: Benchmark, sampled: int) -> bool:
    """Whether `out` has the results of a search; ValueError: those of another system."""
    with locked(out):
        made = check_results(out, entry, benchmark).get(benchmark.name)
        if made is None or made["search"]["sampled"] != sampled:
            return False
        return (out / "metrics.json").is_file() and benchmark.name in read_metrics(out)


def _search_shards(search: Search, pool: Pool, queries: Matrix, shards: Sequence[Shard]) -> str:
    began = time.monotonic()
    for shard in shards:
        search_shard(search, pool, queries, shard)
    return f"{len(queries):,} queries, {search.factory}: {time.monotonic() - began:.1f} s"


def _benchmark_of(index: Index, data: str | None) -> Benchmark:
    """ValueError: it is not what it was."""
    made_of = index.layout.made_of
    of_layout = {"languages": made_of["languages"], "skip_bad": made_of["skip_bad"]}
    read = corpora.load_benchmark(made_of["benchmark"], directory=data, **of_layout)
    if read.sha256 != made_of["benchmark_sha256"]:
        raise ValueError(f"{made_of['benchmark']} is not what {index.directory} was made of: index it anew")
    return read


def _encoder_of(index: Index) -> DualEncoder | ForeignEncoder:
    """ValueError: it is not what it was."""
    made_of = index.layout.made_of
    encoder = load_encoder(system_of(made_of["model"]), **made_of["conventions"])
    if Encoded(encoder).entry["encoder_sha256"] != made_of["encoder_sha256"]:
        raise ValueError(
            f"{made_of['model']} is not the encoder that {index.directory} was made by: index anew"
        )
    return encoder


def _evaluate(search: Search, benchmark: Benchmark, pool: Pool, entry: Mapping[str, Any], out: Path) -> None:
    """Write the results of what all shards found."""
    sampled = search.sampled(len(pool.query_id))
    cut = cut_ranks(pool, merged(search, pool), relevant_scores(search, pool), search.k, sampled)
    with locked(out), atomic(out / "bounds" / f"{benchmark.name}.csv") as file:
        bounds(cut.ranks, cut.best).to_csv(file, index=False)
    told = {"recall": cut.recall, "missed": cut.missed, "sampled": len(sampled)}
    keep_results(out, {**entry, "search": told}, benchmark, cut.ranks)


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


def _results_as_lines(out: Path, benchmark: str, k: int) -> list[str]:
    told = read_json(out / "evaluations.json")[benchmark]["search"]
    ranks = pd.read_parquet(out / "ranks" / f"{benchmark}.parquet", columns=["task", "rank"])
    beyond = int(ranks.query("task == 'multilingual'")["rank"].isna().sum())
    lost = told["missed"][MERGED]
    return [
        *_recall(told["recall"], told["sampled"]),
        f"of relevant candidates in the merged pool {beyond:,} are not among the first {k:,}: {lost:,} that the index "
        f"missed, {beyond - lost:,} that score below",
        *_between(pd.read_csv(out / "bounds" / f"{benchmark}.csv")),
        f"ranks, metrics and bounds: {out}",
    ]


def _recall(recall: Mapping[str, Mapping[str, float]], sampled: int) -> list[str]:
    pools = {"in the merged pool": [recall[MERGED]]}
    pools["in a language's pool, on average"] = [of for pool, of in recall.items() if pool != MERGED]
    lines = []
    for where, recalls in pools.items():
        each = [
            f"recall@{depth} {sum(of[depth] for of in recalls) / len(recalls):.3f}" for depth in recalls[0]
        ]
        lines.append(f"{where}: {', '.join(each)} of exact search ({sampled:,} queries)")
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
