"""Commands that search: search, and of corpora beyond memory index and search-index."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from hybridnb.cli.options import OF_A_MODEL, Data, Form, ResultName, ShardPart, SkipBad, share
from hybridnb.retrieval.sharded.layout import SHARD
from hybridnb.terminal import taking


def search(
    model: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL_OR_RUN...", help="as `evaluate` takes a model, or a run, such as quick/X-Y-seed0"
        ),
    ],
    benchmark: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="search its candidates: a name (see `describe`) or path"),
    ] = None,
    candidates: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="search these: JSONL, CSV or Parquet with text and language, or a line each"
        ),
    ] = None,
    query: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT", help="in any language; repeatable; else from the standard input, a line each"
        ),
    ] = None,
    top: Annotated[int, typer.Option(metavar="N", min=1, help="so many hits")] = 10,
    data: Data = None,
    skip_bad: SkipBad = False,
) -> None:
    """Search the merged pool of all languages, the systems side by side; what answers a benchmark's query is marked."""
    from hybridnb import corpora
    from hybridnb.corpora.candidates import read_candidates
    from hybridnb.places import cache_directory

    if (benchmark is None) == (candidates is None):
        raise ValueError("give one of --benchmark NAME and --candidates FILE")
    if benchmark is None:
        pool = read_candidates(str(candidates), skip_bad=skip_bad)
    else:
        pool = corpora.load_benchmark(benchmark, directory=data, skip_bad=skip_bad)
    from hybridnb.report import hits

    systems = hits.systems(model, pool, cache_directory() / "embeddings")
    for text in query or hits.typed():
        hits.show(hits.find(systems, pool, text, top), pool, text)


@taking(OF_A_MODEL)
def index(
    model: Annotated[str, typer.Argument(metavar="MODEL_OR_RUN", help="as `search` takes it, but bm25")],
    benchmark: Annotated[
        str, typer.Option(metavar="NAME", help="whose candidates: a name (see `describe`) or path")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="gets the index, or has a part of it already")],
    factory: Annotated[
        str,
        typer.Option(metavar="STRING", help="of FAISS: Flat (exact, no file), SQ8, IVF256,PQ48, HNSW32, ..."),
    ] = "Flat",
    storage: Annotated[Literal["float16", "int8"], typer.Option(help="what vectors are kept as")] = "float16",
    shard_size: Annotated[
        int, typer.Option(metavar="N", min=1, help="candidates of a shard; memory holds one")
    ] = SHARD,
    part: ShardPart = "1/1",
    language: Annotated[
        list[str] | None, typer.Option(metavar="CODE", help="candidates in these alone; repeatable")
    ] = None,
    data: Data = None,
    skip_bad: SkipBad = False,
    **conventions: Any,
) -> None:
    """Encode a benchmark's candidates shard by shard, with a FAISS index of each: for corpora beyond memory.

    What is there is kept: after a stop it goes on, and with another --factory the vectors are used again. Under
    torchrun each process makes its share of the shards, or of those of --part.
    """
    from hybridnb.study import indexed

    made = indexed.make_index(
        model, benchmark, out, factory=factory, storage=storage, shard_size=shard_size, part=share(part),
        languages=language or (), data=data, skip_bad=skip_bad, **conventions,
    )  # fmt: skip
    for line in indexed.as_lines(made, factory):
        print(line)


def search_index(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="what `index` wrote")],
    out: Annotated[Path, typer.Option(help="gets what `evaluate` writes, and bounds/*.csv")],
    top: Annotated[
        int, typer.Option(metavar="N", min=1, help="so many candidates a pool; others count as not retrieved")
    ] = 100,
    factory: Annotated[
        str | None, typer.Option(metavar="STRING", help="which FAISS index; else the only one, or Flat")
    ] = None,
    parameters: Annotated[
        str, typer.Option(metavar="NAME=VALUE,...", help="of FAISS: nprobe=16, efSearch=64")
    ] = "",
    sample: Annotated[
        int, typer.Option(metavar="N", min=1, help="queries that are searched exactly, too, for the recall")
    ] = 100,
    part: ShardPart = "1/1",
    name: ResultName = None,
    data: Data = None,
    form: Form = "text",
) -> None:
    """Search an index with its benchmark's queries, in each language's pool and in all merged; evaluate what is found.

    Told are also the recall against exact search, and between what the measures lie as all else is cut off. Under
    torchrun each process searches its share of the shards, or of those of --part.
    """
    from hybridnb.report.tables.headline import headline_table
    from hybridnb.report.tables.text import render
    from hybridnb.study import indexed

    found = indexed.search_index(
        directory, out, k=top, factory=factory, parameters=parameters, sample=sample, part=share(part), name=name,
        data=data,
    )  # fmt: skip
    if found.metrics:
        print(render(headline_table({found.benchmark: found.metrics}), form), end="\n\n")
    for line in found.lines:
        print(line, file=None if form == "text" else sys.stderr)
